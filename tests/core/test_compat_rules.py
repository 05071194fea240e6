"""Every rule by its folder under tests/data/compat, and what all rules have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given, settings

from contracts_svc.adapters.odcs_schemas import PackagedSchemas
from contracts_svc.adapters.pattern_process import PatternProcess
from contracts_svc.compat.diff import diff
from contracts_svc.compat.modes import Mode
from contracts_svc.compat.rules import RULES, Rule, judge
from contracts_svc.findings import ChangeKind, Finding, Severity, ordered
from contracts_svc.flows.compatibility import pattern_answers
from contracts_svc.model import Contract, QualityRule, SlaProperty, Table
from contracts_svc.odcs.read import read
from tests.core.test_compat_apply import contracts
from tests.support import DATA

FOLDERS = DATA / "compat"
ITSELF = "the opposite is the same change the other way round"
SCHEMAS = PackagedSchemas()
BY_ID = {rule.id: rule for rule in RULES}

each_rule = pytest.mark.parametrize("rule", RULES, ids=lambda r: r.id)


def text(rule: Rule, name: str) -> str:
    return (FOLDERS / rule.id / f"{name}.yaml").read_text(encoding="utf-8")


def version(rule: Rule, name: str, before: str = "") -> Contract:
    return read((before + text(rule, name)).encode(), f"{name}.yaml", SCHEMAS.schema)


def expected(rule: Rule) -> dict[str, Any]:
    return dict(yaml.safe_load(text(rule, "expected")))


def findings(old: Contract, new: Contract, mode: Mode) -> tuple[Finding, ...]:
    changes = diff(old, new)
    with PatternProcess() as inclusion:
        known = pattern_answers(changes, old, new, inclusion)
    return judge(changes, old, new, mode, patterns=known)


def test_every_folder_is_of_a_rule() -> None:
    assert {f.name for f in FOLDERS.iterdir()} == set(BY_ID)


@each_rule
def test_the_example_gives_what_is_expected(rule: Rule) -> None:
    wanted = expected(rule)
    new = version(rule, "new")
    found = findings(version(rule, "old"), new, Mode(wanted["mode"]))
    told = [
        {
            "rule": f.rule,
            "severity": f.severity.value,
            "line": f.at.line,
            "column": f.at.column,
            "message": f.message,
        }
        for f in found
    ]
    assert told == wanted["findings"]
    assert rule.id in [f.rule for f in found]
    assert {f.at.file for f in found} == {"new.yaml"}


@each_rule
def test_another_layout_of_the_old_version_gives_nothing(rule: Rule) -> None:
    old, unchanged = version(rule, "old"), version(rule, "unchanged")
    assert text(rule, "old") != text(rule, "unchanged")
    assert diff(old, unchanged) == ()
    assert findings(old, unchanged, Mode.FULL) == ()


@each_rule
def test_the_opposite_change_gives_the_mirror(rule: Rule) -> None:
    if rule.mirror not in BY_ID and rule.mirror != ITSELF:
        assert len(rule.mirror.split()) > 3, "neither the id of a rule nor a reason"
        return
    back = findings(version(rule, "new"), version(rule, "old"), Mode.FULL)
    assert (rule.id if rule.mirror == ITSELF else rule.mirror) in [f.rule for f in back]


@each_rule
def test_lines_that_move_do_not_change_a_fingerprint(rule: Rule) -> None:
    old, mode = version(rule, "old"), Mode(expected(rule)["mode"])
    here = findings(old, version(rule, "new"), mode)
    lower = findings(old, version(rule, "new", before="# moved\n\n"), mode)
    assert [f.fingerprint for f in lower] == [f.fingerprint for f in here]
    assert [f.at.line for f in lower] == [f.at.line + 2 for f in here]


@each_rule
def test_every_finding_says_why_it_matters_and_what_to_do(rule: Rule) -> None:
    for finding in findings(version(rule, "old"), version(rule, "new"), Mode.FULL):
        assert finding.why
        assert finding.fix
        assert not finding.message.endswith(".") or "row" in finding.message
        assert "\n" not in finding.message + finding.why + finding.fix


@each_rule
def test_every_finding_carries_both_values(rule: Rule) -> None:
    for finding in findings(version(rule, "old"), version(rule, "new"), Mode.FULL):
        change = finding.change
        assert change is not None
        # A field that is not written has no value; an element is there or it is not.
        if change.field is None:
            assert (change.old is None) is (change.kind is ChangeKind.ADDED)
            assert (change.new is None) is (change.kind is ChangeKind.REMOVED)
        assert change.old != change.new or finding.rule == "version-not-raised"


PUBLISHED = """apiVersion: v3.1.0
kind: DataContract
id: orders
version: 1.0.0
status: active
servers: [{server: lake, type: s3, location: "s3://lake/orders/*.parquet", format: parquet}]
slaProperties:
  - {property: latency, value: 4, unit: h}
  - {property: retention, value: 3, unit: y}
schema: [{name: orders, properties: [{name: email, logicalType: string}]}]
"""


@pytest.mark.parametrize("mode", [Mode.FORWARD, Mode.FULL])
@pytest.mark.parametrize(
    ("before", "after", "rule", "line"),
    [
        ("s3://lake/", "s3://other/", "server-location-changed", 6),
        ("format: parquet", "format: csv", "server-format-changed", 6),
        ("status: active", "status: retired", "status-retired", 5),
        ("value: 4, unit: h", "value: 48, unit: h", "sla-loosened", 8),
        ("value: 4, unit: h", "value: 2, unit: d", "sla-loosened", 8),
        ("value: 3, unit: y", "value: 1, unit: y", "sla-loosened", 9),
        ("value: 3, unit: y", "value: 12, unit: months", "sla-loosened", 9),
        ("logicalType: string", "logicalType: string, classification: pii", "classification-raised", 10),
    ],
)
def test_what_others_take_for_a_note_breaks_readers(
    before: str, after: str, rule: str, line: int, mode: Mode
) -> None:
    old, new = (
        read(text.encode(), "c.yaml", SCHEMAS.schema)
        for text in (PUBLISHED, PUBLISHED.replace(before, after))
    )
    (found,) = (f for f in findings(old, new, mode) if f.rule == rule)
    assert found.severity is Severity.ERROR
    assert found.at.line == line


@each_rule
def test_a_rule_its_handler_and_its_modes_fit_together(rule: Rule) -> None:
    assert rule.handler.__name__.replace("_", "-") == rule.id
    assert rule.on
    assert set(rule.severities) == set(Mode)
    worst = min(rule.severities[Mode.BACKWARD], rule.severities[Mode.FORWARD], key=lambda s: s.rank)
    assert rule.severities[Mode.FULL] is worst
    assert rule.severities[Mode.NONE] is Severity.INFO
    assert all(rule.severities[m] is rule.severities[m.direct] for m in Mode)


@settings(max_examples=60, deadline=None)
@given(contracts, contracts)
def test_no_change_is_silent_and_findings_are_in_order(old: Contract, new: Contract) -> None:
    changes = diff(old, new)
    found = judge(changes, old, new)
    # The order of small lists means nothing; a key's position without a key neither.
    meaningless = ("order", "schema.order", "primaryKeyPosition")
    if any(c.field not in meaningless for c in changes):
        assert found
    assert found == ordered(found)
    assert {f.contract for f in found} <= {old.id}


@pytest.mark.parametrize("mode", list(Mode))
def test_judging_the_same_twice_gives_the_same(mode: Mode) -> None:
    old, new = version(BY_ID["version-not-raised"], "old"), version(BY_ID["version-not-raised"], "new")
    assert findings(old, new, mode) == findings(old, new, mode)


@pytest.mark.parametrize(
    ("spelling", "mode"),
    [
        ("forward", Mode.FORWARD),
        ("FULL_TRANSITIVE", Mode.FULL_TRANSITIVE),
        ("full-transitive", Mode.FULL_TRANSITIVE),
    ],
)
def test_modes_are_read_in_any_case(spelling: str, mode: Mode) -> None:
    assert Mode(spelling) is mode
    assert Mode.BACKWARD_TRANSITIVE.direct is Mode.BACKWARD
    assert Mode.BACKWARD_TRANSITIVE.transitive
    with pytest.raises(ValueError, match="sideways"):
        Mode("sideways")


@pytest.mark.parametrize(("old", "new", "severity"), [(1, 1.0, "info"), (1, True, "warning")])
@pytest.mark.parametrize(
    "promise",
    [
        lambda v: {"sla": (SlaProperty(property="latency", value=v, unit="h"),)},
        lambda v: {"sla": (SlaProperty(property="of our own", value=v),)},
        lambda v: {"tables": (Table(name="t", quality=(QualityRule(operators={"mustBe": v}),)),)},
    ],
)
def test_a_number_that_becomes_another_is_told_by_what_it_means(
    promise: Callable[[Any], dict[str, Any]], old: Any, new: Any, severity: str
) -> None:
    before, after = (Contract(api_version="v3.1.0", id="c", version="1", **promise(v)) for v in (old, new))
    found = judge(diff(before, after), before, after)
    assert [f.severity for f in found if f.rule != "version-not-raised"] == [severity]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"operators": {"mustBe": 0}}, {"operators": {"mustBeLessOrEqualTo": 0}}),
        ({"operators": {"mustBe": 0}, "unit": "rows"}, {"operators": {"mustBe": 0}}),
        ({"arguments": {"validValues": [1, 2]}}, {"arguments": {"validValues": [2, 1.0]}}),
    ],
)
def test_a_quality_rule_written_another_way_is_told_and_breaks_nobody(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    def contract(rule: dict[str, Any]) -> Contract:
        tables = (Table(name="t", quality=(QualityRule(metric="nullValues", **rule),)),)
        return Contract(api_version="v3.1.0", id="c", version="1", tables=tables)

    found = judge(diff(contract(old), contract(new)), contract(old), contract(new), Mode.FULL)
    (told,) = (f for f in found if f.rule != "version-not-raised")
    assert (told.rule, told.severity) == ("quality-words-changed", Severity.INFO)
    assert told.values is not None
    assert told.values[0] != told.values[1] or repr(told.values[0]) != repr(told.values[1])
