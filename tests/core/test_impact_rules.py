"""Every rule of impact for types, guarantees, service levels and the rest, by a small lineage of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from contracts_svc.findings import ChangeKind, Finding, Severity
from contracts_svc.impact import Assessment, assess
from contracts_svc.lineage.graph import Edge, EdgeKind, EdgeType, Graph
from contracts_svc.model import Column, QualityRule, SlaProperty, Table
from tests.core.demo_downstream import (
    DASHBOARD,
    assessed,
    column,
    contract,
    dataset_of,
    edge,
    finding,
    promises,
)


def levels(assessment: Assessment) -> dict[str, str]:
    return {i.consumer.name: i.level.value for i in assessment.impacts}


def absorbed(assessment: Assessment) -> set[str]:
    return {str(a.at) for a in assessment.absorbed}


# --- types ---------------------------------------------------------------------------------------


def retyped(old: str | None, new: str | None, field: str = "physicalType") -> Finding:
    return finding(ChangeKind.CHANGED, "a.x", field=field, old=old, new=new)


@pytest.mark.parametrize(
    ("old", "new", "promised", "expected"),
    [
        ("INTEGER", "BIGINT", "INTEGER", "BREAKS"),
        ("INTEGER", "BIGINT", "int8", "NOTIFY"),
        ("DOUBLE", "double precision", "DOUBLE", None),
        ("VARCHAR(10)", "VARCHAR(20)", "VARCHAR(10)", "BREAKS"),
        ("INTEGER", "BIGINT", "VARCHAR", "MAY_BREAK"),
        ("made_up", "MADE_UP", "made_up", None),
        ("INTEGER", None, "INTEGER", "MAY_BREAK"),
        (None, "INTEGER", "BIGINT", None),
    ],
)
def test_a_type_through_a_copy(old: str, new: str, promised: str, expected: str | None) -> None:
    b = contract("b", [column("y", promised)])
    found = levels(assessed([retyped(old, new)], [edge("a.x", "b.y")], promises(b), []))
    assert found.get("b") == expected


@pytest.mark.parametrize(
    ("logical", "new", "expected"),
    [("integer", "BIGINT", "NOTIFY"), ("number", "BIGINT", "NOTIFY"), ("integer", "DOUBLE", "BREAKS")],
)
def test_a_promise_of_a_logical_type_alone(logical: str, new: str, expected: str) -> None:
    b = contract("b", [Column(name="y", path="y", logical_type=logical)])
    found = assessed([retyped("INTEGER", new)], [edge("a.x", "b.y")], promises(b), [])
    assert levels(found) == {"b": expected}


@pytest.mark.parametrize(
    "reader",
    [
        edge("a.x", "b.y", EdgeType.TRANSFORMATION),
        edge("a.x", "b.y", EdgeType.TRANSFORMATION, 'F("a"."x")'),
        edge("a.x", "b.y", EdgeType.UNKNOWN, kind=EdgeKind.DIRECT),
    ],
)
def test_an_expression_that_is_not_understood_may_break_and_so_may_what_follows(reader: Edge) -> None:
    b, c = contract("b", [column("y", "INTEGER")]), contract("c", [column("z", "INTEGER")])
    found = assessed([retyped("INTEGER", "BIGINT")], [reader, edge("b.y", "c.z")], promises(b, c), [])
    assert levels(found) == {"b": "MAY_BREAK", "c": "MAY_BREAK"}


def test_a_type_is_followed_through_datasets_without_a_contract() -> None:
    edges = [
        edge("a.x", "job.y", EdgeType.AGGREGATION, 'MAX("a"."x")'),
        edge("job.y", "b.z", EdgeType.AGGREGATION, 'MIN("job"."y")'),
        edge("job.y", "c.n", EdgeType.AGGREGATION, 'COUNT("job"."y")'),
    ]
    b, c = contract("b", [column("z", "INTEGER")]), contract("c", [column("n", "BIGINT")])
    found = assessed([retyped("INTEGER", "BIGINT")], edges, promises(b, c), [])
    assert levels(found) == {"b": "BREAKS", "job": "MAY_BREAK"}
    assert absorbed(found) == {"c.n"}


def test_two_changed_sources_of_one_expression_are_judged_together() -> None:
    # s = MAX(x, y) with y a copy of x: whichever source is looked at first, both are wider in the end.
    both = 'MAX("a"."x", "b"."y")'
    edges = [
        edge("a.x", "s.v", EdgeType.AGGREGATION, both),
        edge("b.y", "s.v", EdgeType.AGGREGATION, both),
        edge("a.x", "b.y"),
    ]
    given: list[dict[tuple[str, str], str]] = []

    def widest(expression: str, dialect: str, known: Mapping[tuple[str, str], str]) -> str:
        given.append(dict(known))
        return "BIGINT" if set(known.values()) == {"BIGINT"} else "INTEGER"

    b, s = contract("b", [column("y", "INTEGER")]), contract("s", [column("v", "INTEGER")])
    found = assess(
        [retyped("INTEGER", "BIGINT")],
        dataset_of=dataset_of,
        graph=Graph.of(edges),
        consumers=(),
        promises=promises(b, s),
        result_type=widest,
    )
    assert levels(found) == {"b": "BREAKS", "s": "BREAKS"}
    assert {("a", "x"): "BIGINT", ("b", "y"): "BIGINT"} in given


def test_a_type_that_changes_again_on_a_longer_way_is_followed_again() -> None:
    # c.w copies s.v, which is wider by one step with one source changed, and by two with both.
    both = 'F("a"."x", "b"."y")'
    edges = [
        edge("a.x", "s.v", EdgeType.TRANSFORMATION, both),
        edge("a.x", "b.y"),
        edge("b.y", "s.v", EdgeType.TRANSFORMATION, both),
        edge("s.v", "c.w"),
    ]

    def by_changes(expression: str, dialect: str, known: Mapping[tuple[str, str], str]) -> str:
        return ("INTEGER", "BIGINT", "HUGEINT")[list(known.values()).count("BIGINT")]

    b, s = contract("b", [column("y", "INTEGER")]), contract("s", [column("v", "INTEGER")])
    c = contract("c", [column("w", "BIGINT")])
    found = assess(
        [retyped("INTEGER", "BIGINT")],
        dataset_of=dataset_of,
        graph=Graph.of(edges),
        consumers=(),
        promises=promises(b, s, c),
        result_type=by_changes,
    )
    last = next(i for i in found.impacts if i.consumer.name == "c")
    assert last.reason == "w is s.v: it becomes HUGEINT, where it was INTEGER, and c promises BIGINT"


def test_what_comes_through_in_one_way_is_not_listed_as_absorbed_in_another() -> None:
    b = contract("b", [column("y", "DOUBLE")])
    edges = [edge("a.x", "b.y", EdgeType.CONDITIONAL), edge("a.x", "b.y")]
    found = assessed([retyped("DOUBLE", "SMALLINT")], edges, promises(b), [])
    assert (levels(found), absorbed(found)) == ({"b": "BREAKS"}, set())


@pytest.mark.parametrize(
    ("use", "old", "new", "expected"),
    [
        (EdgeType.FILTER, "DOUBLE", "SMALLINT", None),
        (EdgeType.GROUP_BY, "INTEGER", "BIGINT", None),
        (EdgeType.JOIN, "DOUBLE", "SMALLINT", "NOTIFY"),
        (EdgeType.JOIN, "BIGINT", "VARCHAR", "MAY_BREAK"),
        (EdgeType.FILTER, "DATE", "VARCHAR", "MAY_BREAK"),
        (EdgeType.SORT, "TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "MAY_BREAK"),
        (EdgeType.FILTER, "INTEGER", None, "MAY_BREAK"),
    ],
)
def test_a_type_that_is_only_compared(use: EdgeType, old: str, new: str | None, expected: str | None) -> None:
    found = assessed([retyped(old, new)], [edge("a.x", "b", use), edge("b.k", "c.k")], {}, [])
    assert levels(found).get("b") == expected
    assert levels(found).get("c") == ("NOTIFY" if expected == "MAY_BREAK" else None)
    assert absorbed(found) == (set() if expected else {"b"})


def test_a_logical_type_counts_where_no_physical_type_says_more() -> None:
    change = retyped("integer", "string", field="logicalType")
    stored = promises(contract("a", [column("x", "INTEGER")]))
    alone = promises(contract("a", [Column(name="x", path="x", logical_type="string")]))
    edges = [edge("a.x", "b.y")]
    assert levels(assessed([change], edges, stored, [])) == {}
    assert levels(assessed([change], edges, alone, [])) == {"b": "MAY_BREAK"}


# --- guarantees ------------------------------------------------------------------------------------


def changed(field: str, old: object, new: object, **more: object) -> Finding:
    return finding(ChangeKind.CHANGED, "a.x", field=field, old=old, new=new, **more)  # type: ignore[arg-type]


def quality(metric: str, **arguments: object) -> tuple[QualityRule, ...]:
    return (QualityRule(metric=metric, arguments=arguments, operators={"mustBe": 0}),)


NULLABLE = changed("required", True, False)
NOT_UNIQUE = changed("unique", True, False)
WIDER_ENUM = changed("enum", ("A", "B"), ("A", "B", "C"))
LOWER_MINIMUM = changed("minimum", 1, 0)


@pytest.mark.parametrize(
    ("change", "promise", "expected"),
    [
        pytest.param(NULLABLE, {"required": True}, "BREAKS", id="never NULL"),
        pytest.param(NULLABLE, {"primary_key": True}, "BREAKS", id="a key is never NULL"),
        pytest.param(NULLABLE, {"quality": quality("nullValues")}, "BREAKS", id="NULLs are counted"),
        pytest.param(NULLABLE, {}, None, id="NULL is fine"),
        pytest.param(NOT_UNIQUE, {"unique": True}, "BREAKS", id="unique"),
        pytest.param(NOT_UNIQUE, {"required": True}, None, id="another guarantee"),
        pytest.param(WIDER_ENUM, {"enum": ("A", "B")}, "BREAKS", id="the same values"),
        pytest.param(WIDER_ENUM, {"enum": ("A", "B", "C", "D")}, None, id="wider already"),
        pytest.param(
            WIDER_ENUM, {"quality": quality("invalidValues", validValues=["A"])}, "BREAKS", id="valid values"
        ),
        pytest.param(LOWER_MINIMUM, {"logical_type_options": {"minimum": 1}}, "BREAKS", id="minimum"),
        pytest.param(LOWER_MINIMUM, {"logical_type_options": {"minimum": -5}}, None, id="lower minimum"),
        pytest.param(
            changed("logicalTypeOptions.maxLength", 3, 9),
            {"logical_type_options": {"maxLength": 3}},
            "BREAKS",
            id="length",
        ),
        pytest.param(
            changed("pattern", "^A", "^B"),
            {"logical_type_options": {"pattern": "^A"}},
            "MAY_BREAK",
            id="pattern",
        ),
        pytest.param(
            finding(ChangeKind.REMOVED, "a.x", element="quality", old=quality("nullValues")[0]),
            {"required": True},
            "BREAKS",
            id="a quality rule that said the same",
        ),
        pytest.param(changed("required", False, True), {"required": True}, None, id="tightened"),
        pytest.param(changed("enum", ("A", "B"), ("A",)), {"enum": ("A",)}, None, id="fewer values"),
        pytest.param(changed("minimum", 0, 1), {"logical_type_options": {"minimum": 0}}, None, id="higher"),
        pytest.param(changed("description", "a", "b"), {}, None, id="a description"),
    ],
)
def test_a_loosened_guarantee_of_a_copied_column(
    change: Finding, promise: dict[str, object], expected: str | None
) -> None:
    b = contract("b", [column("y", **promise)])  # type: ignore[arg-type]
    assert levels(assessed([change], [edge("a.x", "b.y")], promises(b), [])).get("b") == expected


def test_a_loosened_guarantee_goes_through_copies_that_promise_nothing() -> None:
    b, c = contract("b", [column("y")]), contract("c", [column("z", required=True)])
    found = assessed([NULLABLE], [edge("a.x", "b.y"), edge("b.y", "c.z")], promises(b, c), [])
    assert levels(found) == {"c": "BREAKS"}
    assert absorbed(found) == set()
    assert found.impacts[0].reason == "z is b.y, which may be NULL now, but c promises that it is never NULL"


@pytest.mark.parametrize(
    ("change", "use", "expected"),
    [
        (NULLABLE, EdgeType.JOIN, "MAY_BREAK"),
        (NULLABLE, EdgeType.FILTER, "MAY_BREAK"),
        (NULLABLE, EdgeType.GROUP_BY, None),
        (NULLABLE, EdgeType.AGGREGATION, None),
        (NULLABLE, EdgeType.TRANSFORMATION, "MAY_BREAK"),
        (NOT_UNIQUE, EdgeType.JOIN, "MAY_BREAK"),
        (NOT_UNIQUE, EdgeType.FILTER, None),
        (NOT_UNIQUE, EdgeType.TRANSFORMATION, None),
        (WIDER_ENUM, EdgeType.FILTER, "MAY_BREAK"),
        (WIDER_ENUM, EdgeType.CONDITIONAL, "NOTIFY"),
    ],
)
def test_a_loosened_guarantee_of_a_column_that_is_used_otherwise(
    change: Finding, use: EdgeType, expected: str | None
) -> None:
    promise = {"required": True, "unique": True, "enum": ("A", "B")}
    b = contract("b", [column("y", **promise)])  # type: ignore[arg-type]
    found = assessed([change], [edge("a.x", "b.y", use)], promises(b), [])
    assert levels(found).get("b") == expected
    assert absorbed(found) == (set() if expected else {"b.y"})


def test_the_reason_names_what_a_filter_loses() -> None:
    (impact,) = assessed([WIDER_ENUM], [edge("a.x", "b", EdgeType.FILTER)], {}, []).impacts
    assert impact.reason == (
        "`a.x` is filtered in b, and may be 'C' now: the new value may be dropped silently"
    )


def test_a_dashboard_that_shows_the_column_is_told() -> None:
    found = assessed([NULLABLE], [edge("a.x", "On-time performance.x")], {}, [DASHBOARD])
    assert levels(found) == {"On-time performance": "NOTIFY"}


def test_the_format_of_a_number_limits_no_values() -> None:
    now = promises(
        contract("a", [Column(name="x", path="x", logical_type="integer")]),
        contract("b", [column("y", logical_type_options={"format": "i32"})]),
    )
    resized = changed("logicalTypeOptions.format", "i32", "i64", severity=Severity.INFO)
    assert assessed([resized], [edge("a.x", "b.y")], now, []).impacts == ()


# --- service levels and the rest -----------------------------------------------------------------


SUPPORTED = SlaProperty(property="endOfSupport", value="2027-01-01")
SUPPORTED_LONGER = SlaProperty(property="endOfSupport", value="2029-01-01")
SUPPORTED_FOREVER = SlaProperty(property="endOfSupport", value="2099-01-01")


def latency(hours: object, unit: str = "h") -> SlaProperty:
    return SlaProperty(property="latency", value=hours, unit=unit)


def sla(old: SlaProperty, new: SlaProperty | None, severity: Severity = Severity.ERROR) -> Finding:
    kind = ChangeKind.CHANGED if new else ChangeKind.REMOVED
    return finding(kind, "a", element="sla", key=old.property, old=old, new=new, severity=severity)


@pytest.mark.parametrize(
    ("change", "own", "expected"),
    [
        pytest.param(sla(latency(4), latency(48)), latency(24), "BREAKS", id="longer than promised"),
        pytest.param(sla(latency(4), latency(2, "d")), latency(24), "BREAKS", id="units are converted"),
        pytest.param(sla(latency(4), latency(8)), latency(24), "MAY_BREAK", id="its own time on top"),
        pytest.param(sla(latency(4), None), latency(24), "MAY_BREAK", id="promise dropped"),
        pytest.param(sla(latency(4), latency(2)), latency(3), None, id="tightened"),
        pytest.param(sla(latency(48), latency(2, "days")), latency(3), None, id="the same in other units"),
        pytest.param(
            sla(latency(4), latency(48)),
            SlaProperty(property="retention", value=1, unit="y"),
            None,
            id="another",
        ),
        pytest.param(
            sla(
                SlaProperty(property="retention", value=3, unit="y"),
                SlaProperty(property="retention", value=1, unit="y"),
            ),
            SlaProperty(property="retention", value=2, unit="y"),
            "BREAKS",
            id="kept for less time",
        ),
        pytest.param(
            sla(
                SlaProperty(property="retention", value=3, unit="y"),
                SlaProperty(property="retention", value=2, unit="y"),
            ),
            SlaProperty(property="retention", value=12, unit="months"),
            None,
            id="kept for long enough",
        ),
        pytest.param(
            sla(SUPPORTED_LONGER, SUPPORTED, Severity.ERROR),
            SUPPORTED_LONGER,
            "MAY_BREAK",
            id="dates, sooner",
        ),
        pytest.param(
            sla(SUPPORTED, SUPPORTED_LONGER, Severity.INFO), SUPPORTED_FOREVER, None, id="dates, later"
        ),
    ],
)
def test_a_loosened_service_level(change: Finding, own: SlaProperty, expected: str | None) -> None:
    b = contract("b", [column("y")], sla=[own])
    assert levels(assessed([change], [edge("a.x", "b.y")], promises(b), [])).get("b") == expected


def test_a_loosened_service_level_reaches_dashboards_through_those_who_promise_none() -> None:
    edges = [edge("a.x", "b.y"), edge("b.z", "On-time performance.z")]
    found = assessed([sla(latency(4), latency(48))], edges, promises(contract("b", [])), [DASHBOARD])
    assert levels(found) == {"On-time performance": "NOTIFY"}
    assert found.impacts[0].columns == ()


@pytest.mark.parametrize(
    ("severity", "expected"),
    [(Severity.ERROR, "MAY_BREAK"), (Severity.WARNING, "NOTIFY"), (Severity.INFO, None)],
)
def test_any_other_change_is_told_by_its_severity(severity: Severity, expected: str | None) -> None:
    moved = finding(ChangeKind.CHANGED, "a", element="server", field="location", severity=severity)
    assert levels(assessed([moved], [edge("a.x", "b.y")], {}, [])).get("b") == expected


def test_a_change_of_a_whole_contract_concerns_every_table_of_it() -> None:
    retired = finding(
        ChangeKind.CHANGED, "a", element="contract", field="status", old="active", new="retired"
    )
    assert retired.change is not None
    whole = replace(retired, change=replace(retired.change, table=None))
    made, table = contract("a", [])
    both = promises((made, table), (made, Table(name="a2")))
    edges = [edge("a.x", "b.one"), edge("a2.x", "b.two"), edge("other.x", "c.y")]
    found = assessed([whole], edges, both, [])
    assert levels(found) == {"b": "MAY_BREAK"}
    assert found.impacts[0].columns == ("one", "two")


def test_a_version_number_means_nothing_to_readers() -> None:
    version = finding(ChangeKind.CHANGED, "a", element="contract", field="version", old="1", new="2")
    assert assessed([version], [edge("a.x", "b.y")], {}, []).impacts == ()


def test_a_deprecated_column_is_told_to_those_who_read_it() -> None:
    old = finding(ChangeKind.CHANGED, "a.x", field="deprecated", old=False, new=True, severity=Severity.INFO)
    assert levels(assessed([old], [edge("a.x", "b.y"), edge("b.y", "c.y")], {}, [])) == {"b": "NOTIFY"}
    assert levels(assessed([old], [edge("a", "b", reason="not told")], {}, [])) == {"b": "NOTIFY"}


# --- changes as a diff makes them --------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (("x",), ("x", "z"), "MAY_BREAK"),
        (("x",), (), "MAY_BREAK"),
        (("x", "z"), ("x",), None),
        ((), ("x",), None),
    ],
)
def test_a_key_that_is_joined_on(old: tuple[str, ...], new: tuple[str, ...], expected: str | None) -> None:
    key = finding(ChangeKind.CHANGED, "a", element="table", field="primaryKey", old=old, new=new)
    edges = [edge("a.x", "b", EdgeType.JOIN), edge("a.other", "c.y")]
    assert levels(assessed([key], edges, {}, [])) == ({"b": expected} if expected else {})


def test_a_renamed_table_with_a_physical_name_is_read_as_before() -> None:
    edges = [edge("a.x", "b.y")]

    def renamed(physical: str | None) -> Finding:
        old, new = (Table(name=n, physical_name=physical) for n in ("a", "a2"))
        return finding(ChangeKind.RENAMED, "a", element="table", old=old, new=new)

    assert assessed([renamed("T_A")], edges, {}, []).impacts == ()
    assert [i.reason for i in assessed([renamed(None)], edges, {}, []).impacts] == [
        "y is a.x, which is renamed to a2"
    ]


def test_a_renamed_column_with_a_physical_name_is_read_as_before() -> None:
    old, new = (Column(name=n, path=n, physical_name="X") for n in ("x", "x2"))
    renamed = finding(ChangeKind.RENAMED, "a.x", new_column="x2", old=old, new=new)
    assert assessed([renamed], [edge("a.X", "b.y")], promises(contract("a", [new]))).impacts == ()


@pytest.mark.parametrize("physical", [None, "TIMESTAMP"])
def test_a_time_zone_changes_the_type_where_no_physical_type_says_otherwise(physical: str | None) -> None:
    now = Column(name="x", path="x", logical_type="timestamp", physical_type=physical)
    change = changed("logicalTypeOptions.timezone", None, True)
    b = contract("b", [column("y", "TIMESTAMP")])
    found = assessed([change], [edge("a.x", "b.y")], promises(contract("a", [now]), b), [])
    assert levels(found) == ({} if physical else {"b": "BREAKS"})


@pytest.mark.parametrize("element", ["quality", "sla", "server"])
def test_the_order_of_a_list_means_nothing(element: str) -> None:
    path = "a.x" if element == "quality" else "a"
    order = finding(ChangeKind.CHANGED, path, element=element, field="order", old=("p", "q"), new=("q", "p"))
    assert assessed([order], [edge("a.x", "b.y")], {}, []).impacts == ()


@pytest.mark.parametrize(
    ("old", "new", "severity", "expected"),
    [
        ({"mustBeLessThan": 5}, {"mustBeLessThan": 50}, Severity.ERROR, "MAY_BREAK"),
        ({"mustBeLessThan": 50}, {"mustBeLessThan": 5}, Severity.INFO, None),
    ],
)
def test_a_threshold_is_loosened_where_the_rule_says_so(
    old: dict[str, int], new: dict[str, int], severity: Severity, expected: str | None
) -> None:
    before, after = (QualityRule(metric="averageLength", operators=o) for o in (old, new))
    change = finding(
        ChangeKind.CHANGED,
        "a.x",
        element="quality",
        key="averageLength",
        old=before,
        new=after,
        severity=severity,
    )
    b = contract("b", [column("y", quality=(before,))])
    assert levels(assessed([change], [edge("a.x", "b.y")], promises(b), [])).get("b") == expected


def test_a_service_level_concerns_the_tables_that_it_names() -> None:
    made, table = contract("a", [column("x")])
    other = Table(name="a_other", columns=(column("x"),))
    both = promises((made, table), (made, other))
    edges = [edge("a.x", "b.y"), edge("a_other.x", "c.y")]
    loosened = sla(replace(latency(4), element="a_other.x"), replace(latency(9), element="a_other.x"))
    assert loosened.change is not None
    loosened = replace(loosened, change=replace(loosened.change, table=None))
    assert levels(assessed([loosened], edges, both, [])) == {"c": "NOTIFY"}
