"""Edges out of SQL, against tables written by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from contracts_svc.lineage.graph import DatasetId, Edge, EdgeKind, EdgeType
from contracts_svc.lineage.sql import SqlLineage, lineage_of
from tests.support import DATA

SCHEMAS = {
    "a": dict.fromkeys(("id", "x", "s", "ts", "st"), ""),
    "b": dict.fromkeys(("id", "y", "k"), ""),
    "p": dict.fromkeys(("id", "month", "rev", "cost"), ""),
    "Camel": {"Id": "", "depDelay": ""},
}
CASES = [
    case
    for name in (
        "sql_edges",
        "sql_dialects",
        "sql_warehouses",
        "sql_changed_rows",
        "sql_shapes",
        "sql_clauses",
        "sql_named",
        "sql_scripts",
        "sql_more_scripts",
    )
    for case in yaml.safe_load((DATA / "lineage" / f"{name}.yaml").read_text(encoding="utf-8"))
]
SPELT = {name.lower(): name for name in SCHEMAS}


def read(sql: str, dialect: str = "duckdb", target: str | None = "t") -> SqlLineage:
    return lineage_of(
        sql,
        dialect=dialect,
        schemas=SCHEMAS,
        name_of=lambda name: DatasetId("", SPELT.get(name.lower(), name)),
        origin="sql:q.sql",
        seen=None,
        target=target,
    )


def line(edge: Edge) -> str:
    return f"{edge.source} -> {edge.target} {edge.type}"


@pytest.mark.parametrize("case", CASES, ids=[c["name"] for c in CASES])
def test_edges(case: dict[str, Any]) -> None:
    found = read(case["sql"], case.get("dialect", "duckdb"))
    unknown = {e for e in found.edges if e.type is EdgeType.UNKNOWN}
    known = [e for e in found.edges if e not in unknown]
    assert sorted(line(e) for e in known if e.kind is EdgeKind.DIRECT) == sorted(case.get("direct", []))
    assert sorted(line(e) for e in known if e.kind is EdgeKind.INDIRECT) == sorted(case.get("indirect", []))
    assert {str(e.source) for e in unknown} == set(case.get("unknown", []))
    assert all(e.reason and e.source.column is None and e.target.column is None for e in unknown)
    told = [str(p) for p in found.problems]
    assert bool(told) is ("problem" in case)
    assert all(case.get("problem", "") in text for text in told[:1])


def test_the_names_of_the_cases_are_unique() -> None:
    assert len({c["name"] for c in CASES}) == len(CASES)


@pytest.mark.parametrize(
    ("sql", "column", "expression"),
    [
        ("SELECT x FROM a", "x", '"a"."x"'),
        ("SELECT q + 1 AS r FROM (SELECT x * 2 AS q FROM a)", "r", '("a"."x" * 2) + 1'),
        ("WITH c AS (SELECT max(x) AS m FROM a) SELECT CAST(m AS INT) AS v FROM c", "v", None),
        ("SELECT avg(a.x) AS v FROM a", "v", 'AVG("a"."x")'),
        ("SELECT s AS v FROM a UNION ALL SELECT k FROM b", "v", '(SELECT "a"."s" UNION ALL SELECT "b"."k")'),
        ("SELECT (SELECT max(y) FROM b) AS v", "v", '(SELECT MAX("b"."y"))'),
        ("SELECT st.f AS v FROM a", "v", '"a"."st.f"'),
    ],
)
def test_expressions_stand_over_source_columns(sql: str, column: str, expression: str | None) -> None:
    edges = [e for e in read(sql).edges if e.target.column == column and e.kind is EdgeKind.DIRECT]
    wanted = expression or 'CAST(MAX("a"."x") AS INT)'
    assert {e.expression for e in edges} == {wanted}
    assert {e.dialect for e in edges} == {"duckdb"}


def test_an_expression_that_grows_without_end_is_left_out_but_its_edges_are_not() -> None:
    steps = ", ".join(f"c{i + 1} AS (SELECT l.x + r.x AS x FROM c{i} l, c{i} r)" for i in range(40))
    found = read(f"WITH c0 AS (SELECT x FROM a), {steps} SELECT x FROM c40")
    assert [line(e) for e in found.edges] == ["a.x -> t.x TRANSFORMATION"]
    assert found.edges[0].expression == ""


def test_what_a_text_reads_and_writes() -> None:
    found = read("INSERT INTO b (y) SELECT x FROM a; DROP TABLE p; UPDATE b SET y = 1")
    assert found.reads == (DatasetId("", "a"),)
    assert found.writes == (DatasetId("", "b"), DatasetId("", "p"))


def test_edges_say_where_they_are_known_from_and_when() -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    found = lineage_of(
        "SELECT x FROM a", dialect="duckdb", schemas=SCHEMAS, name_of=lambda n: DatasetId("", n),
        origin="sql:x.sql", seen=now, target="t",
    )  # fmt: skip
    assert [(e.origin, e.seen) for e in found.edges] == [("sql:x.sql", now)]


def test_a_select_that_makes_nothing_is_told() -> None:
    found = read("SELECT x FROM a", target=None)
    assert found.edges == ()
    assert found.reads == (DatasetId("", "a"),)
    assert "stands alone" in found.problems[0].message


def test_an_unknown_dialect_is_told() -> None:
    found = read("SELECT 1", dialect="klingon")
    assert "klingon" in found.problems[0].message
    assert "duckdb" in found.problems[0].hint


@pytest.mark.parametrize("dialect", ["ansi", "sparksql", "sqlserver", "postgresql", "DuckDB", ""])
def test_common_names_of_dialects_are_known(dialect: str) -> None:
    assert [line(e) for e in read("SELECT x FROM a", dialect).edges] == ["a.x -> t.x IDENTITY"]


def test_a_problem_of_a_parser_has_its_place() -> None:
    found = read("SELECT x FROM a;\nSELECT (x FROM b")
    at = found.problems[0].at
    assert at is not None
    assert (at.file, at.line) == ("q.sql", 2)
    assert [line(e) for e in found.edges if e.type is not EdgeType.UNKNOWN] == ["a.x -> t.x IDENTITY"]
