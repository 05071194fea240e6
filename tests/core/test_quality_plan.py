"""From a contract to checks: ids, severities, thresholds, and what cannot be checked with its reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from contracts_svc.errors import UserMistake
from contracts_svc.findings import Severity
from contracts_svc.model import Contract, QualityRule
from contracts_svc.quality import texts
from contracts_svc.quality.judge import holds
from contracts_svc.quality.kind import thresholds_of
from contracts_svc.quality.plan import plan
from contracts_svc.quality.references import resolver
from contracts_svc.runs import Operator, Plan, Threshold, Unit
from tests.core.quality import contract


def planned(*columns: dict[str, Any], others: dict[str, Contract] | None = None, **table: Any) -> Plan:
    given = contract(Path("/nowhere"), {"name": "t", "properties": list(columns), **table})
    return plan(given, given.tables[0], target_of=resolver(given, others or {}))


def ids(found: Plan) -> list[str]:
    return [c.id for c in found.checks]


def test_checks_of_the_table_come_first_then_each_column_in_written_order() -> None:
    found = planned(
        {
            "name": "b",
            "logicalType": "integer",
            "required": True,
            "primaryKey": True,
            "primaryKeyPosition": 1,
        },
        {"name": "a", "physicalType": "INTEGER", "unique": True, "primaryKey": True, "primaryKeyPosition": 2},
        quality=[{"metric": "rowCount", "mustBe": 1}],
    )
    assert ids(found) == [
        "t.table-present", "t.extra-column", "t.row-count", "t.primary-key",
        "t.b.missing-column", "t.b.logical-type", "t.b.required",
        "t.a.missing-column", "t.a.physical-type", "t.a.unique",
    ]  # fmt: skip


def test_ids_of_rules_are_their_id_else_their_name_else_the_kind_and_never_twice() -> None:
    rule = {"metric": "nullValues", "mustBe": 0}
    found = planned(
        {"name": "x", "quality": [{**rule, "id": "one"}, {**rule, "name": "No NULLs, ever!"}, rule, rule]}
    )
    assert ids(found)[3:] == ["t.x.one", "t.x.no-nulls-ever", "t.x.null-values", "t.x.null-values-2"]


def test_the_old_name_of_a_metric() -> None:
    rule = {"id": "r", "type": "library", "rule": "duplicateCount", "mustBe": 0}
    given = contract(
        Path("/n"), {"name": "t", "properties": [{"name": "x", "quality": [rule]}]}, version="v3.0.2"
    )
    checks = plan(given, given.tables[0], target_of=resolver(given, {})).checks
    assert [c.kind for c in checks if c.id == "t.x.r"] == ["duplicate-values"]


@pytest.mark.parametrize(
    ("written", "severity"),
    [
        ("error", "error"),
        ("Critical", "error"),
        ("HIGH", "error"),
        ("warning", "warning"),
        ("medium", "warning"),
        ("low", "warning"),
        (" info ", "info"),
        ("odd", "error"),
        (None, "error"),
    ],
)
def test_severity(written: str | None, severity: str) -> None:
    rule = {"id": "r", "metric": "nullValues", "mustBe": 0} | ({"severity": written} if written else {})
    check = next(c for c in planned({"name": "x", "quality": [rule]}).checks if c.id == "t.x.r")
    assert check.severity is Severity(severity)


def test_a_rule_keeps_its_dimension_description_unit_and_place() -> None:
    rule = {
        "id": "r",
        "metric": "nullValues",
        "mustBeLessThan": 5,
        "unit": "percent",
        "dimension": "completeness",
        "description": "Few are\nunknown.",
    }
    check = planned({"name": "x", "quality": [rule]}).checks[-1]
    assert (check.title, check.dimension, check.unit) == ("Few are unknown.", "completeness", Unit.PERCENT)
    assert check.thresholds == (Threshold(Operator.LESS_THAN, 5),)
    assert check.at.line > 1


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ({"type": "text", "description": "nice"}, "no program can check it"),
        ({"metric": "nullValues", "mustBe": "many"}, "mustBe needs a number"),
        ({"metric": "missingValues", "mustBe": 0}, "needs arguments.missingValues"),
        ({"metric": "invalidValues", "mustBe": 0}, "needs arguments.validValues or arguments.pattern"),
        ({"metric": "invalidValues", "mustBe": 0, "arguments": {"validValues": "a"}}, "is not a list"),
        ({"metric": "invalidValues", "mustBe": 0, "arguments": {"pattern": "(?=x)"}}, "looks ahead"),
        ({"metric": "rowCount", "mustBe": 0}, "rowCount is a metric of a table"),
        ({"metric": "nullValues", "mustBe": 0, "unit": "dozen"}, "neither rows nor percent"),
        ({"type": "sql", "query": "DROP TABLE t", "mustBe": 0}, "the query is refused: it is not a SELECT"),
        ({"type": "custom", "engine": "dbt", "implementation": "x"}, "dbt is not one that runs here"),
        ({"type": "custom", "engine": "pandera", "implementation": {"a": 1}}, "must be the name of a schema"),
    ],
)
def test_rules_that_cannot_be_checked(rule: dict[str, Any], reason: str) -> None:
    (found,) = planned({"name": "x", "quality": [{"id": "r", **rule}]}).unsupported
    assert reason in found.reason
    assert found.what.startswith("t.x: ")


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ({"metric": "nullValues", "mustBe": 0}, "is a metric of a column"),
        ({"metric": "duplicateValues", "mustBe": 0}, "needs arguments.properties"),
        (
            {"metric": "duplicateValues", "mustBe": 0, "arguments": {"properties": ["x", "nope"]}},
            "t has no column nope",
        ),
        ({"metric": "rowCount", "mustBe": 0, "unit": "percent"}, "rowCount has no percentage"),
    ],
)
def test_rules_of_the_table_that_cannot_be_checked(rule: dict[str, Any], reason: str) -> None:
    (found,) = planned({"name": "x"}, quality=[rule]).unsupported
    assert reason in found.reason


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        ({"physicalType": "MONEY_BAG"}, "not one of the engine's"),
        ({"logicalType": "string", "logicalTypeOptions": {"pattern": r"(a)\1"}}, "refers back"),
        (
            {
                "logicalType": "array",
                "items": {"logicalType": "integer", "unique": True},
            },
            "inside an array or a map",
        ),
        ({"relationships": [{"to": "nowhere.x"}]}, "no contract has nowhere.x"),
    ],
)
def test_fields_that_cannot_be_checked(column: dict[str, Any], reason: str) -> None:
    (found,) = planned({"name": "x", **column}).unsupported
    assert reason in found.reason


def test_composite_relationships_must_fit() -> None:
    found = planned(
        {"name": "x"},
        {"name": "y"},
        relationships=[{"from": ["t.x", "t.y"], "to": ["t.x"]}, {"from": ["t.nope"], "to": ["t.x"]}],
    )
    assert [u.reason for u in found.unsupported] == [
        "it has 2 columns on one side and 1 on the other",
        "t has no such column: t.nope",
    ]


@pytest.mark.parametrize(
    ("operator", "limit", "kept", "broken"),
    [
        ("mustBe", 5, [5, 5.0], [4, None]),
        ("mustBe", True, [True], [False, None]),
        ("mustNotBe", 5, [4], [5, None]),
        ("mustBeGreaterThan", 5, [6], [5, None]),
        ("mustBeGreaterOrEqualTo", 5, [5], [4.9, None]),
        ("mustBeLessThan", 5, [4], [5, None]),
        ("mustBeLessOrEqualTo", 5, [5], [5.1, None]),
        ("mustBeBetween", [1, 3], [2, 1.1], [1, 3, 0, None]),
        ("mustNotBeBetween", [1, 3], [1, 3, 0, 9], [2, None]),
    ],
)
def test_operators(operator: str, limit: Any, kept: list[Any], broken: list[Any]) -> None:
    (threshold,) = thresholds_of(QualityRule(operators={operator: limit}))
    assert isinstance(threshold, Threshold)
    assert all(holds(threshold, figure) for figure in kept)
    assert not any(holds(threshold, figure) for figure in broken)


def test_all_operators_of_a_rule_hold() -> None:
    found = thresholds_of(QualityRule(operators={"mustBeGreaterThan": 1, "mustBeLessThan": 9}))
    assert found == (Threshold(Operator.GREATER_THAN, 1), Threshold(Operator.LESS_THAN, 9))


def test_only_odcs_3_0_lets_a_rule_have_several_operators(tmp_path: Path) -> None:
    rule = {"type": "library", "rule": "rowCount", "mustBeGreaterThan": 1, "mustBeLessThan": 9}
    given = contract(
        tmp_path, {"name": "t", "quality": [rule], "properties": [{"name": "x"}]}, version="v3.0.2"
    )
    found = plan(given, given.tables[0], target_of=resolver(given, {})).checks
    assert [len(c.thresholds) for c in found if c.kind == "row-count"] == [2]
    newer = {**rule, "metric": rule.pop("rule")}
    with pytest.raises(UserMistake, match="exclude each other"):
        contract(tmp_path, {"name": "t", "quality": [newer], "properties": [{"name": "x"}]})


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (0, 0, "0 of 0 rows"),
        (0, 9, "0 of 9 rows"),
        (7602, 336776, "7,602 of 336,776 rows (2.26 %)"),
        (1, 1_000_000, "1 of 1,000,000 rows (<0.01 %)"),
        (3, None, "3 rows"),
    ],
)
def test_shares(part: int, whole: int | None, text: str) -> None:
    assert texts.share(part, whole) == text


OTHER = "schema/o_id/properties/k_id"


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("o.k", "o.k"),
        ("o.s.in", "o.s.in"),
        (OTHER, "o.k"),
        (f"/{OTHER}", "o.k"),
        ("schema/o/properties/s/properties/in", "o.s.in"),
        (f"other.yaml#/{OTHER}", "o.k"),
        (f"../over/there/other.yaml#{OTHER}", "o.k"),
        ("other.yaml#o.k", "o.k"),
        ("elsewhere.yaml#o.k", None),
        ("o.nope", None),
        ("o", None),
        ("nope.k", None),
        ("t.x", "t.x"),
    ],
)
def test_references(reference: str, found: str | None) -> None:
    own = contract(Path("/n"), {"name": "t", "properties": [{"name": "x"}]})
    columns = [
        {"id": "k_id", "name": "k"},
        {"name": "s", "logicalType": "object", "properties": [{"name": "in"}]},
    ]
    other = contract(Path("/n"), {"id": "o_id", "name": "o", "properties": columns}, id="other")
    target = resolver(own, {"contracts/other.yaml": other})(reference)
    assert (f"{target[1].name}.{target[2]}" if target else None) == found


def test_a_bare_table_name_in_two_other_contracts_is_ambiguous() -> None:
    own = contract(Path("/n"), {"name": "t", "properties": [{"name": "x"}]})
    others = {n: contract(Path("/n"), {"name": "o", "properties": [{"name": "k"}]}, id=n) for n in ("a", "b")}
    assert resolver(own, others)("o.k") is None
    assert resolver(own, {"a": others["a"]})("o.k") is not None
