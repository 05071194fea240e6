"""Which earlier versions count, what is told about them, and who reads which."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

import pytest

from contracts_svc.compat.history import Readers, merged, pinned, pins_of, versions_to_judge
from contracts_svc.compat.modes import Mode
from contracts_svc.compat.rules import judge_each
from contracts_svc.errors import CouldNotCheck, Location
from contracts_svc.findings import Finding
from contracts_svc.flows import history as flow
from contracts_svc.flows.history import Earlier, judge_change
from contracts_svc.model import Column, Contract, CustomProperty, Table
from contracts_svc.ports import FileVersion
from tests.core.odcs_texts import HEADER, read

DIRECT = [m for m in Mode if not m.transitive]
TRANSITIVE = [m for m in Mode if m.transitive]


def contract(version: str, *columns: str, status: str | None = None, type_: str = "INT") -> Contract:
    table = Table(
        name="t", columns=tuple(Column(name=c, path=c, physical_type=type_) for c in columns or ("a",))
    )
    at = Location("c.odcs.yaml", 1, 1)
    return Contract(api_version="v3.1.0", id="c", version=version, status=status, tables=(table,), at=at)


HISTORY = [
    contract("0.1.0", status="draft"),
    contract("1.0.0", status="retired"),
    contract("2.0.0", status="deprecated"),
    contract("2.1.0", status="active"),
    contract("2.1.0", "b"),
    contract("3.0.0"),
]


def judged(mode: Mode, *pins: str) -> list[str]:
    return [c.version for c in versions_to_judge(reversed(HISTORY), mode, frozenset(pins))]


@pytest.mark.parametrize("mode", DIRECT)
def test_a_direct_mode_asks_the_last_version(mode: Mode) -> None:
    assert judged(mode) == ["3.0.0"]


@pytest.mark.parametrize("mode", TRANSITIVE)
def test_a_transitive_mode_asks_every_active_version_once(mode: Mode) -> None:
    assert judged(mode) == ["3.0.0", "2.1.0", "2.0.0"]
    asked = list(versions_to_judge(reversed(HISTORY), mode))
    assert asked[1].tables[0].columns[0].name == "b", "the newest text of a version counts"


@pytest.mark.parametrize("mode", list(Mode))
def test_pins_ask_what_is_read_whatever_its_status(mode: Mode) -> None:
    assert judged(mode, "1.0.0") == ["3.0.0", "1.0.0"]
    assert judged(mode, "3.0.0") == ["3.0.0"]
    assert judged(mode, "9.9.9") == ["3.0.0"]


def test_the_last_version_counts_even_when_it_is_a_draft() -> None:
    history = [contract("1.0.0"), contract("2.0.0", status="draft")]
    found = [c.version for c in versions_to_judge(reversed(history), Mode.FULL_TRANSITIVE)]
    assert found == ["2.0.0", "1.0.0"]


@pytest.mark.parametrize(("mode", "pins", "reads"), [(Mode.FULL, (), 1), (Mode.FULL, ("2.1.0",), 2), (Mode.FULL_TRANSITIVE, (), 6)])  # fmt: skip
def test_no_more_of_the_history_is_read_than_is_needed(mode: Mode, pins: tuple[str, ...], reads: int) -> None:
    seen: list[str] = []

    def counted() -> Iterator[Contract]:
        for one in reversed(HISTORY):
            seen.append(one.version)
            yield one

    list(versions_to_judge(counted(), mode, frozenset(pins)))
    assert len(seen) == reads


def told(found: Iterable[Finding]) -> list[tuple[str, tuple[str, ...]]]:
    return sorted((f.message, f.against) for f in found if f.rule != "version-not-raised")


def judge_versions(
    history: Sequence[Contract], new: Contract, mode: Mode, readers: Readers | None = None
) -> tuple[Finding, ...]:
    asked = versions_to_judge(reversed(history), mode, (readers or {}).keys())
    return judge_each(asked, new, mode, readers=readers)


def test_a_finding_says_which_versions_break() -> None:
    history = [
        contract("1.0.0", "a", "b", "c"),
        contract("1.1.0", "a", "b", "c"),
        contract("2.0.0", "a", "b"),
    ]
    new = contract("3.0.0", "a")
    assert told(judge_versions(history, new, Mode.FORWARD)) == [("column t.b is removed (INT)", ())]
    assert told(judge_versions(history, new, Mode.FORWARD_TRANSITIVE)) == [
        (
            "column t.b is removed (INT) (against versions 1.0.0, 1.1.0, 2.0.0)",
            ("1.0.0", "1.1.0", "2.0.0"),
        ),
        ("column t.c is removed (INT) (against versions 1.0.0, 1.1.0)", ("1.0.0", "1.1.0")),
    ]
    readers = {"1.1.0": frozenset({"Report", "Forecast"})}
    assert told(judge_versions(history, new, Mode.FORWARD, readers)) == [
        (
            "column t.b is removed (INT) (against versions 1.1.0, 2.0.0, read by Forecast, Report)",
            ("1.1.0", "2.0.0"),
        ),
        ("column t.c is removed (INT) (against version 1.1.0, read by Forecast, Report)", ("1.1.0",)),
    ]


def test_a_change_in_small_steps_is_found_out_by_a_transitive_mode() -> None:
    """Each step alone is fine for old data; the way back is not."""
    history = [contract("1.0.0", type_="BIGINT"), contract("2.0.0", type_="DOUBLE")]
    new = contract("3.0.0", type_="DOUBLE")
    assert told(judge_versions(history, new, Mode.BACKWARD)) == []
    found = judge_versions(history, new, Mode.BACKWARD_TRANSITIVE)
    assert [(f.rule, f.against) for f in found] == [("type-lossy", ("1.0.0",))]


def test_a_fingerprint_is_the_same_against_one_version_and_against_many() -> None:
    history = [contract("1.0.0", "a", "b"), contract("2.0.0", "a", "b")]
    (alone,) = judge_versions(history, contract("3.0.0", "a"), Mode.FORWARD)
    (many,) = judge_versions(history, contract("3.0.0", "a"), Mode.FORWARD_TRANSITIVE)
    assert alone.fingerprint == many.fingerprint


def reader(*values: object) -> Contract:
    custom = tuple(CustomProperty(property="reads", value=v, at=Location("r.yaml", 7, 5)) for v in values)
    return dataclasses.replace(contract("1.0.0"), id="reader", custom=custom)


def test_pins_are_read_from_the_custom_property_reads() -> None:
    flights = {"contractId": "flights", "version": "1.0.0"}
    weather = {"contractId": "weather", "version": "2.1.0"}
    newest = {"contractId": "planes"}
    pins, problems = pins_of([reader([flights, weather, newest]), reader({**flights, "version": "1.1.0"})])
    assert pins == {"flights": {"1.0.0": {"reader"}, "1.1.0": {"reader"}}, "weather": {"2.1.0": {"reader"}}}
    assert problems == ()


@pytest.mark.parametrize(
    "value", ["flights", 3, None, {"version": "1"}, [{"contractId": "a", "version": 1.0}], [[]]]
)
def test_pins_that_cannot_be_understood_are_told_with_their_place(value: object) -> None:
    pins, (problem,) = pins_of([reader(value)])
    assert pins == {}
    assert problem.at == Location("r.yaml", 7, 5)
    assert "contractId" in problem.hint


def test_pins_of_several_sources_come_together() -> None:
    one = pinned([("a", "1", "x"), ("b", "3", "x")])
    other = pinned([("a", "2", "y"), ("a", "1", "y")])
    assert merged(one, other) == {"a": {"1": {"x", "y"}, "2": {"y"}}, "b": {"3": {"x"}}}
    assert merged() == {}


# -- the flow ---------------------------------------------------------------------------------------


def earlier(texts: Iterable[Contract], pins: Iterable[str] = ()) -> Earlier:
    """Earlier versions by their number; their texts stand for themselves."""
    found = {c.version.encode(): c for c in texts}
    newest_first = [FileVersion(commit="f" * 40, path="c.odcs.yaml", text=t) for t in reversed(found)]
    return Earlier(
        versions=lambda path: newest_first,
        read=lambda text, file: found[text],
        pins=pinned(("c", version, "Report") for version in pins),
    )


def test_the_flow_tells_what_it_judged_against() -> None:
    past = [contract("1.0.0", "a", "b"), contract("2.0.0", "a")]
    new = contract("3.0.0", "a")
    found = judge_change(past[-1], new, Mode.FORWARD_TRANSITIVE, earlier(past))
    assert found.against == ("1.0.0", "2.0.0")
    assert [f.against for f in found.findings if f.rule == "column-removed"] == [("1.0.0",)]
    assert judge_change(past[-1], new, Mode.FORWARD, earlier(past)).against == ("2.0.0",)


def test_a_pinned_version_that_is_not_there_is_told() -> None:
    past = [contract("1.0.0"), contract("2.0.0")]
    found = judge_change(past[-1], contract("3.0.0"), Mode.FORWARD, earlier(past, ["0.5.0", "1.0.0"]))
    assert found.against == ("1.0.0", "2.0.0")
    assert found.unknown == ("version 0.5.0 of c, read by Report, is not among its earlier versions",)


def test_another_contract_that_lived_in_the_file_ends_the_history() -> None:
    other = dataclasses.replace(contract("0.9.0"), id="other")
    past = [contract("0.8.0"), other, contract("1.0.0")]
    found = judge_change(past[-1], contract("2.0.0"), Mode.FORWARD_TRANSITIVE, earlier(past))
    assert found.against == ("1.0.0",)


def test_a_version_that_cannot_be_read_is_told_and_the_others_are_judged() -> None:
    text = (HEADER + "name: {}\n").format
    versions = [
        FileVersion(commit="a" * 40, path="c.yaml", text=t)
        for t in (text("x").encode(), b"no: contract\n", text("x").replace("1.0.0", "0.9.0").encode())
    ]
    base = read(versions[0].text)
    asked = Earlier(versions=lambda path: versions, read=lambda t, file: read(t))
    found = judge_change(base, dataclasses.replace(base, version="2.0.0"), Mode.FULL_TRANSITIVE, asked)
    assert found.against == ("0.9.0", base.version)
    (sentence,) = found.unknown
    assert sentence.startswith("c.yaml at aaaaaaaaaaaa is no valid contract")


def test_a_history_that_cannot_be_followed_is_could_not_check() -> None:
    def cut(path: str) -> Iterator[FileVersion]:
        yield FileVersion(commit="f" * 40, path=path, text=b"1.0.0")
        raise CouldNotCheck("the earlier versions", "this is a shallow clone", "fetch more")

    asked = dataclasses.replace(earlier([contract("1.0.0")]), versions=cut)
    found = judge_change(contract("1.0.0"), contract("2.0.0"), Mode.FULL_TRANSITIVE, asked)
    assert found.could_not_check == ("the earlier versions: this is a shallow clone; fetch more",)
    assert judge_change(contract("1.0.0"), contract("2.0.0"), Mode.FULL, asked).could_not_check == ()


def test_a_history_is_bounded_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "MAX_VERSIONS", 3)
    past = [contract(f"1.{i}.0") for i in range(5)]
    found = judge_change(past[-1], contract("2.0.0"), Mode.FORWARD_TRANSITIVE, earlier(past))
    assert found.against == ("1.2.0", "1.3.0", "1.4.0")
    assert found.unknown == ("only the last 3 versions of c were looked at",)
