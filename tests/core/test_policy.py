"""Policy files: what they say, what is wrong with them and where, and which contract gets which policy."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from contracts_svc.compat.modes import Mode
from contracts_svc.compat.rules import FAMILIES, RULES
from contracts_svc.errors import UserMistake
from contracts_svc.findings import ChangeKind, Severity
from contracts_svc.model import Contract, CustomProperty, Team
from contracts_svc.policy import Match, Outcome, Policies, Policy, old_is_alive
from contracts_svc.policy_read import KEYS, key_rows, read_policy
from tests.core.demo_downstream import DEST, TAILNUM, column, finding
from tests.support import DATA

PROBLEMS = yaml.safe_load((DATA / "policy" / "problems.yaml").read_text())


def policies(text: str) -> Policies:
    return read_policy(text.encode(), "p.yaml")


def contract(id: str = "flights", version: str = "1.0.0", **more: object) -> Contract:
    return Contract(api_version="v3.1.0", id=id, version=version, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("case", PROBLEMS, ids=lambda c: c["name"])
def test_every_mistake_has_its_place_and_the_way_out(case: dict) -> None:
    with pytest.raises(UserMistake) as caught:
        policies(case["text"])
    found = [f"{p.at.line}:{p.at.column} {p.message} | {p.hint}" for p in caught.value.problems if p.at]
    assert found == case["problems"]


@pytest.mark.parametrize("name", [k.name for k in KEYS])
def test_every_key_refuses_what_is_none_of_its_values(name: str) -> None:
    with pytest.raises(UserMistake) as caught:
        policies(f"version: 1\n{name}: [[]]\n" if name != "version" else "version: [[]]\n")
    (problem,) = caught.value.problems
    assert problem.at is not None
    assert problem.at.line == (1 if name == "version" else 2)
    assert problem.hint


def test_the_least_policy_is_the_default() -> None:
    assert policies("version: default\n") == Policies()


def test_a_whole_policy() -> None:
    found = policies("""
version: 7
mode: full_transitive
severities: {column-added: warning}
breaks: warn
may_break: pass
unknown: BLOCK
error_alone: block
major_version_with_old_alive: warn
deprecation_days: 30
must_agree: [consumers, data-office, data-office]
waiver_days: 14
not_seen_days: {default: 30, openlineage: 7}
stale_days: never
""")
    assert found.organisation == Policy(
        version="7",
        mode=Mode.FULL_TRANSITIVE,
        severities={"column-added": Severity.WARNING},
        breaks=Outcome.WARN,
        may_break=Outcome.PASS,
        unknown=Outcome.BLOCK,
        error_alone=Outcome.BLOCK,
        major_version_with_old_alive=Outcome.WARN,
        deprecation_days=30,
        must_agree=("consumers", "data-office"),
        waiver_days=14,
        not_seen_days={"default": 30, "openlineage": 7},
        stale_days={"default": None},
    )


def test_an_id_beats_a_glob_and_a_glob_a_family_wherever_they_stand() -> None:
    text = "version: 1\nseverities:\n  column-removed: info\n  'column-*': warning\n  columns: error\n"
    found = policies(text).organisation.severities
    assert found["column-removed"] is Severity.INFO
    assert found["column-renamed"] is Severity.WARNING
    assert found["deprecated-column-removed"] is Severity.ERROR
    assert set(found) >= {r.id for r in FAMILIES["columns"]}


def test_families_are_all_rules_and_their_names_are_no_ids() -> None:
    assert tuple(r for rules in FAMILIES.values() for r in rules) == RULES
    assert not FAMILIES.keys() & {r.id for r in RULES}


LAYERED = """
version: 1
severities: {column-removed: error, column-added: info}
overrides:
  - match: {contract: "flights*"}
    breaks: pass
    severities: {column-removed: info}
  - match: {domain: ops}
    breaks: warn
    unknown: block
    severities: {column-removed: warning, column-renamed: warning}
  - match: {tenant: air}
    mode: NONE
    breaks: block
  - match: {squad: "flight-*", domain: ops}
    may_break: block
"""


def test_the_narrower_override_wins_in_whatever_order_they_stand() -> None:
    squad = Team(name="t", custom=(CustomProperty(property="squad", value="flight-ops"),))
    given = policies(LAYERED)
    found = given.of(contract(tenant="air", domain="ops", team=squad))
    assert (found.mode, found.breaks, found.unknown, found.may_break) == (
        Mode.NONE,
        Outcome.PASS,
        Outcome.BLOCK,
        Outcome.BLOCK,
    )
    assert found.severities == {
        "column-removed": Severity.INFO,
        "column-added": Severity.INFO,
        "column-renamed": Severity.WARNING,
    }
    assert given.of(contract("planes")) == given.organisation
    assert given.of(contract("planes", domain="ops")).breaks is Outcome.WARN


@pytest.mark.parametrize(
    ("match", "fits"),
    [
        (Match(contract="flights"), True),
        (Match(contract="fl?ghts"), True),
        (Match(contract="Flights"), False),
        (Match(domain="ops", contract="flights"), False),
        (Match(domain="*"), True),
        (Match(squad="checkout"), True),
    ],
)
def test_what_a_match_fits(match: Match, fits: bool) -> None:
    assert match.fits(contract(team=Team(name="checkout"))) is fits


def test_a_severity_by_policy_is_visible_and_leaves_the_fingerprint() -> None:
    found = Policy(severities={DEST.rule: Severity.WARNING}).graded(DEST)
    assert found.graded == "warning by policy (default error)"
    assert (found.default_severity, found.fingerprint) == (Severity.ERROR, DEST.fingerprint)
    same = Policy(severities={DEST.rule: Severity.ERROR}).graded(DEST)
    assert (same.default_severity, same.graded) == (Severity.ERROR, "error by policy")
    assert Policy(severities={"other": Severity.INFO}).graded(DEST) == DEST


@pytest.mark.parametrize(
    ("since", "told"),
    [
        ("2026-01-01", ""),
        ("2026-01-31T23:00:00Z", ""),
        ("2026-02-02", "it is deprecated since 2026-02-02"),
        (None, "it has no custom property deprecatedSince with a date"),
        ("soon", "it has no custom property deprecatedSince with a date"),
        (20260101, "it has no custom property deprecatedSince with a date"),
    ],
)
def test_the_deprecation_period(since: object, told: str) -> None:
    custom = (CustomProperty(property="deprecatedSince", value=since),) if since else ()
    removed = finding(ChangeKind.REMOVED, "flights.tailnum", old=column("tailnum", custom=custom))
    found = Policy(deprecation_days=30).removed_too_early(removed, date(2026, 3, 2))
    assert found.removeprefix("flights.tailnum is removed without 30 days of deprecation: ") == told
    assert Policy().removed_too_early(removed, date(2026, 3, 2)) == ""


def test_only_what_is_removed_has_a_deprecation_period() -> None:
    assert Policy(deprecation_days=30).removed_too_early(DEST, date(2026, 3, 2)) == ""
    assert TAILNUM.change is not None
    sla = replace(TAILNUM, change=replace(TAILNUM.change, old=None))
    assert Policy(deprecation_days=30).removed_too_early(sla, date(2026, 3, 2)) == ""


@pytest.mark.parametrize(
    ("new", "others", "alive"),
    [
        ("2.0.0", [contract(version="1.0.0")], True),
        ("2.0.0", [contract(version="1.3.0", status="deprecated")], True),
        ("2.0.0", [contract(version="1.0.0", status="retired")], False),
        ("2.0.0", [contract("other", version="1.0.0")], False),
        ("2.0.0", [], False),
        ("1.1.0", [contract(version="1.0.0")], False),
        ("next", [contract(version="1.0.0")], False),
        ("v2", [contract(version="v1")], True),
    ],
)
def test_when_the_old_major_version_lives_on(new: str, others: list[Contract], alive: bool) -> None:
    assert old_is_alive(contract(version="1.0.0"), contract(version=new), others) is alive


def test_the_reference_has_every_key_and_default() -> None:
    rows = dict(key_rows())
    assert list(rows) == [*(k.name for k in KEYS), "overrides"]
    assert rows["breaks"].endswith("(default: block)")
    assert rows["not_seen_days"].endswith("(default: 30)")
    assert rows["mode"].endswith("(default: FORWARD)")


@given(text=st.text(max_size=200))
def test_any_text_is_a_policy_or_a_mistake(text: str) -> None:
    for whole in (
        text,
        f"version: 1\n{text}",
        f"version: 1\nseverities: {text}",
        f"version: 1\noverrides: {text}",
    ):
        try:
            policies(whole)
        except UserMistake as error:
            assert error.problems
        except UnicodeEncodeError:
            pass  # a lone surrogate is no text in any file
