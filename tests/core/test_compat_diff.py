"""Which elements belong together, what a Change carries, and whole contracts of the demo's kind."""

from __future__ import annotations

import pytest

from contracts_svc.adapters.odcs_schemas import PackagedSchemas
from contracts_svc.compat.diff import diff
from contracts_svc.compat.history import versions_to_judge
from contracts_svc.compat.modes import Mode
from contracts_svc.compat.rules import judge, judge_each
from contracts_svc.errors import Location, UserMistake
from contracts_svc.findings import Change, ChangeKind, Severity
from contracts_svc.model import Column, Contract
from contracts_svc.odcs.read import read

SCHEMAS = PackagedSchemas()
HEAD = """\
apiVersion: v3.1.0
kind: DataContract
id: flights
version: {version}
status: active
schema:
  - name: flights
    properties:
"""


def contract(*columns: str, version: str = "1.0.0", file: str = "c.yaml") -> Contract:
    text = HEAD.format(version=version) + "".join(f"      - {{{c}}}\n" for c in columns)
    return read(text.encode(), file, SCHEMAS.schema)


def told(old: Contract, new: Contract, mode: Mode = Mode.FORWARD) -> dict[str, Severity]:
    return {f"{f.rule} {f.column or ''}".strip(): f.severity for f in judge(diff(old, new), old, new, mode)}


BEFORE = contract(
    "name: tailnum, logicalType: string, physicalType: VARCHAR",
    "name: dep_delay, logicalType: number, physicalType: DOUBLE",
    "id: c_dest, name: dest, logicalType: string, physicalType: VARCHAR, required: true",
)
AFTER = contract(
    "name: dep_delay, logicalType: integer, physicalType: SMALLINT",
    "id: c_dest, name: destination, logicalType: string, physicalType: VARCHAR, required: true",
    "name: gate, logicalType: string, physicalType: VARCHAR",
    version="2.0.0",
)
ERROR, WARNING, INFO = Severity


def test_the_pull_request_of_the_demo() -> None:
    assert told(BEFORE, AFTER) == {
        "column-removed tailnum": ERROR,
        "column-renamed dest": ERROR,
        "type-narrowed dep_delay": WARNING,
        "column-added gate": INFO,
    }
    assert told(BEFORE, AFTER, Mode.BACKWARD) == {
        "column-renamed dest": ERROR,
        "type-narrowed dep_delay": ERROR,
        "column-removed tailnum": INFO,
        "column-added gate": INFO,
    }


def test_a_change_carries_both_values_and_both_places() -> None:
    (change,) = (c for c in diff(BEFORE, AFTER) if c.field == "physicalType")
    assert (change.kind, change.element, change.table) == (ChangeKind.CHANGED, "column", "flights")
    assert (change.column, change.new_column) == ("dep_delay", "dep_delay")
    assert (change.old, change.new) == ("DOUBLE", "SMALLINT")
    assert change.old_at == Location("c.yaml", 10, 48)
    assert change.new_at == Location("c.yaml", 9, 49)


def test_a_removal_is_placed_where_it_would_be() -> None:
    (finding,) = (f for f in judge(diff(BEFORE, AFTER), BEFORE, AFTER) if f.rule == "column-removed")
    assert finding.at == Location("c.yaml", 8, 5)
    assert isinstance(finding.change, Change)
    assert isinstance(finding.change.old, Column)


def test_a_rename_carries_both_columns() -> None:
    (change,) = (c for c in diff(BEFORE, AFTER) if c.kind is ChangeKind.RENAMED)
    assert (change.column, change.new_column) == ("dest", "destination")
    assert (change.old.name, change.new.name) == ("dest", "destination")


def test_without_an_id_a_likely_rename_is_removed_and_added_with_a_hint() -> None:
    old = contract("name: a, physicalType: INT", "name: b, physicalType: INT")
    new = contract("name: a, physicalType: INT", "name: c, physicalType: INT")
    removed, added = diff(old, new)
    assert "looks like a rename to c" in removed.hint
    assert "looks like a rename of b" in added.hint
    (finding,) = (f for f in judge((removed,), old, new) if f.rule == "column-removed")
    assert "looks like a rename to c" in finding.message


@pytest.mark.parametrize(
    "other", ["name: c, physicalType: BIGINT", "name: c, physicalType: INT, required: true"]
)
def test_a_column_of_another_kind_is_no_likely_rename(other: str) -> None:
    old, new = contract("name: b, physicalType: INT"), contract(other)
    assert [c.hint for c in diff(old, new)] == ["", ""]


def test_names_that_are_swapped_are_two_renames_by_id() -> None:
    old = contract("id: c1, name: a", "id: c2, name: b")
    new = contract("id: c1, name: b", "id: c2, name: a")
    assert [(c.kind, c.column, c.new_column) for c in diff(old, new)] == [
        (ChangeKind.RENAMED, "a", "b"),
        (ChangeKind.RENAMED, "b", "a"),
    ]


def test_an_id_given_later_belongs_to_the_column_of_that_name() -> None:
    (change,) = diff(contract("name: a"), contract("id: c1, name: a"))
    assert (change.column, change.field, change.old, change.new) == ("a", "id", None, "c1")


def test_ids_that_are_not_unique_say_nothing() -> None:
    old = contract("id: c1, name: a", "id: c1, name: b")
    new = contract("id: c1, name: b", "id: c1, name: a")
    assert [c.field for c in diff(old, new)] == ["order"]


def test_a_nested_field_is_named_by_its_path() -> None:
    inside = "name: stops, logicalType: array, items: {{logicalType: object, properties: [{{name: at, physicalType: {}}}]}}"
    old, new = contract(inside.format("INT")), contract(inside.format("BIGINT"))
    (change,) = diff(old, new)
    assert change.path == "flights.stops[].at.physicalType"
    assert "type-widened stops[].at" in told(old, new)


def test_a_type_is_told_once_though_it_shows_in_several_fields() -> None:
    assert [r for r in told(BEFORE, AFTER) if r.startswith("type")] == ["type-narrowed dep_delay"]


@pytest.mark.parametrize(
    ("head", "field"),
    [("id: flights\n", "id: arrivals\n"), ("name: Flights\nid: flights\n", "name: Arrivals\nid: arrivals\n")],
)
def test_two_contracts_that_are_not_versions_of_one_another_are_a_mistake(head: str, field: str) -> None:
    text = HEAD.format(version="1.0.0").replace("id: flights\n", head) + "      - {name: a}\n"
    old = read(text.encode(), "old.yaml", SCHEMAS.schema)
    new = read(text.replace(head, field).encode(), "new.yaml", SCHEMAS.schema)
    with pytest.raises(UserMistake, match=r"not two versions of one contract.*flights.*arrivals") as error:
        diff(old, new)
    assert error.value.problems[0].hint
    assert error.value.problems[0].at is not None
    assert error.value.problems[0].at.file == "new.yaml"


def test_another_id_in_the_same_file_is_a_finding() -> None:
    text = HEAD.format(version="1.0.0") + "      - {name: a}\n"
    old = read(text.encode(), "c.yaml", SCHEMAS.schema)
    new = read(text.replace("id: flights", "id: arrivals").encode(), "c.yaml", SCHEMAS.schema)
    found = judge(diff(old, new), old, new)
    assert [f.rule for f in found] == ["id-changed", "version-not-raised"]
    assert {f.contract for f in found} == {"flights"}


def test_a_relationship_in_a_circle_is_compared_like_any_other() -> None:
    def circle(to: str) -> Contract:
        return contract(
            f"name: a, relationships: [{{to: flights.{to}}}]", "name: b, relationships: [{to: flights.a}]"
        )

    assert "relationship-changed a" in told(circle("b"), circle("a"))


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("1.0.0", True), ("1.0.1", True), ("1.1.0", True), ("2.0.0", False), ("2.3.4", False), ("v2", False),
        ("2.0.0-rc.1", False), ("later", False),
    ],
)  # fmt: skip
def test_a_breaking_change_asks_for_a_major_version(version: str, expected: bool) -> None:
    old = contract("name: a", "name: b")
    assert ("version-not-raised" in told(old, contract("name: a", version=version))) is expected


@pytest.mark.parametrize(
    ("new", "version", "expected"),
    [
        ("name: a, description: words", "0.3.0", True),
        ("name: a, description: words", "0.3.1", False),
        ("name: a, physicalType: INT", "0.3.1", False),
    ],
)
def test_below_one_a_part_less_is_asked_for(new: str, version: str, expected: bool) -> None:
    old = contract("name: a", version="0.3.0")
    assert ("version-not-raised" in told(old, contract(new, version=version))) is expected


def test_a_version_alone_is_no_finding() -> None:
    assert told(contract("name: a"), contract("name: a", version="1.0.1")) == {}


def test_a_transitive_mode_asks_every_version() -> None:
    first, second = contract("name: a", "name: b"), contract("name: a", version="2.0.0")
    third = contract("name: a, description: words", version="2.0.1")

    def rules(mode: Mode) -> list[str]:
        return [f.rule for f in judge_each(versions_to_judge([second, first], mode), third, mode)]

    assert rules(Mode.FORWARD) == ["documentation-changed"]
    assert rules(Mode.FORWARD_TRANSITIVE) == ["column-removed", "documentation-changed"]
    assert judge_each([], third, Mode.FORWARD) == ()


def test_many_columns_take_time_that_grows_with_them_and_not_with_their_square() -> None:
    """Counted in calls, not in time: each column is compared a bounded number of times."""
    calls = []
    for size in (100, 200):
        old = contract(*(f"name: c{i}, physicalType: INT" for i in range(size)))
        new = contract(*(f"name: c{i}, physicalType: BIGINT" for i in range(size)), version="2.0.0")
        calls.append(counted(old, new))
    assert calls[1] < 2.2 * calls[0]


def counted(old: Contract, new: Contract) -> int:
    import sys

    calls = 0

    def count(frame: object, event: str, arg: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        judge(diff(old, new), old, new)
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize(
    ("before", "after", "rule", "severity"),
    [
        (
            "logicalType: string, physicalType: VARCHAR(10)",
            "logicalType: string",
            "physical-type-undeclared",
            WARNING,
        ),
        (
            "logicalType: string",
            "logicalType: string, physicalType: VARCHAR(10)",
            "physical-type-declared",
            INFO,
        ),
        (
            "logicalType: string, physicalType: VARCHAR(10)",
            "physicalType: VARCHAR(10)",
            "physical-type-changed",
            INFO,
        ),
    ],
)
def test_a_physical_type_that_is_given_up_is_a_promise_given_up(
    before: str, after: str, rule: str, severity: Severity
) -> None:
    assert told(contract(f"name: a, {before}"), contract(f"name: a, {after}", version="2.0.0")) == {
        f"{rule} a": severity
    }
