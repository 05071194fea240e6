"""Column-level lineage: the demo's lake against a table written by hand, SQL in general, events."""

from __future__ import annotations

import json

import duckdb
import pytest

from contracts_svc.adapters.openlineage import read_events
from contracts_svc.cli.workspace import read_text
from contracts_svc.demo import files
from contracts_svc.flows.lineage import Lineage, gather
from contracts_svc.lineage.graph import DatasetId, Edge, EdgeType
from contracts_svc.lineage.identity import Identities
from contracts_svc.lineage.sql import lineage_of
from contracts_svc.lineage.sql_types import result_type
from tests.support import DATA

SCHEMAS = {"a": {"id": "BIGINT", "x": "DOUBLE", "s": "VARCHAR"}, "b": {"id": "BIGINT", "y": "INTEGER"}}


@pytest.fixture(scope="module")
def lake() -> Lineage:
    contracts = [read_text(text, name) for name, text in files.contracts().items()]
    heard = [read_events(text.splitlines(), name) for name, text in files.lineage_events().items()]
    return gather(contracts, sql=files.sql(), heard=heard)


def line(edge: Edge) -> str:
    return f"{edge.source} -> {edge.target} {edge.kind} {edge.type}"


def edges(sql: str, target: str = "t") -> set[str]:
    found = lineage_of(
        sql, dialect="duckdb", schemas=SCHEMAS, name_of=lambda n: DatasetId("", n), origin="", seen=None,
        target=target,
    )  # fmt: skip
    return {line(e) for e in found.edges}


def test_the_lake_has_exactly_the_edges_of_the_table(lake: Lineage) -> None:
    text = (DATA / "lineage" / "lake_edges.txt").read_text(encoding="utf-8")
    wanted = {row for row in text.splitlines() if row and not row.startswith("#")}
    assert {line(e) for e in lake.graph.edges} == wanted
    assert lake.problems == ()


def test_the_readers_of_the_lake(lake: Lineage) -> None:
    assert {(c.name, c.kind.value, c.team) for c in lake.consumers} == {
        ("carrier_scorecard", "contract", "finance"),
        ("daily_delays", "contract", "punctuality"),
        ("On-time performance", "dashboard", "executive-reporting"),
    }


def test_nobody_reads_tailnum(lake: Lineage) -> None:
    assert "tailnum" not in {e.source.column for e in lake.graph.edges}


@pytest.mark.parametrize(
    ("sql", "wanted"),
    [
        ("SELECT x AS v FROM a", {"a.x -> t.v DIRECT IDENTITY"}),
        ("CREATE VIEW v AS SELECT x + 1 AS y FROM a", {"a.x -> v.y DIRECT TRANSFORMATION"}),
        ("INSERT INTO t SELECT id FROM b", {"b.id -> t.id DIRECT IDENTITY"}),
        (
            "SELECT * FROM b",
            {"b.id -> t.id DIRECT IDENTITY", "b.y -> t.y DIRECT IDENTITY"},
        ),
        (
            "WITH c AS (SELECT id, sum(x) AS total FROM a GROUP BY id) SELECT total FROM c WHERE id > 1",
            {
                "a.x -> t.total DIRECT AGGREGATION",
                "a.id -> t INDIRECT FILTER",
                "a.id -> t INDIRECT GROUP_BY",
            },
        ),
        (
            "SELECT x AS v FROM a UNION ALL SELECT y FROM b",
            {"a.x -> t.v DIRECT IDENTITY", "b.y -> t.v DIRECT IDENTITY"},
        ),
        (
            "SELECT y AS v FROM a JOIN b USING (id)",
            {"b.y -> t.v DIRECT IDENTITY", "a.id -> t INDIRECT JOIN", "b.id -> t INDIRECT JOIN"},
        ),
        (
            "SELECT row_number() OVER (PARTITION BY s ORDER BY x) AS n FROM a",
            {"a.s -> t.n INDIRECT WINDOW", "a.x -> t.n INDIRECT WINDOW"},
        ),
        (
            "SELECT CASE WHEN s = 'u' THEN x ELSE 0 END AS v FROM a",
            {"a.x -> t.v DIRECT TRANSFORMATION", "a.s -> t.v INDIRECT CONDITIONAL"},
        ),
        # Which columns is not the question: it depends on the rows that there are.
        ("SELECT count(*) AS n FROM a", {"a -> t.n DIRECT AGGREGATION"}),
    ],
)
def test_edges_of_sql(sql: str, wanted: set[str]) -> None:
    assert {e for e in edges(sql) if " UNKNOWN" not in e} == wanted


@pytest.mark.parametrize("sql", ["SELECT nope AS v FROM a, b", "SELEC x FRM a"])
def test_what_cannot_be_resolved_is_said(sql: str) -> None:
    found = lineage_of(
        sql, dialect="duckdb", schemas=SCHEMAS, name_of=lambda n: DatasetId("", n), origin="q.sql", seen=None,
        target="t",
    )  # fmt: skip
    unknown = [e for e in found.edges if e.type is EdgeType.UNKNOWN]
    assert found.problems
    assert all(e.reason for e in unknown)
    assert {e.type for e in found.edges} <= {EdgeType.UNKNOWN, EdgeType.JOIN}


@pytest.mark.parametrize(
    "sql",
    ["SELECT " + "(" * 5_000 + "x" + ")" * 5_000 + " FROM a", "SELECT x FROM a -- " + "y" * 1_100_000],
    ids=["deep", "long"],
)
def test_sql_bombs_are_told_and_end(sql: str) -> None:
    found = lineage_of(
        sql, dialect="duckdb", schemas=SCHEMAS, name_of=lambda n: DatasetId("", n), origin="", seen=None,
        target="t",
    )  # fmt: skip
    assert found.problems


EXPRESSIONS = (
    "AVG(c)", "MAX(c)", "MIN(c)", "SUM(c)", "COUNT(c)", "COUNT(DISTINCT c)", "c + 1", "c * 2", "-c", "ABS(c)",
    "CAST(c AS VARCHAR)", "COALESCE(c, 0)", "CASE WHEN c > 1 THEN c ELSE 0 END", "c / 2", "c > 1", "ROUND(c)",
    "ANY_VALUE(c)", "c % 3", "SUM(c) / COUNT(*)", "MAX(c) - MIN(c)",
)  # fmt: skip


@pytest.mark.parametrize("type_", ["SMALLINT", "INTEGER", "BIGINT", "DOUBLE", "DECIMAL(9,2)"])
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_types_of_expressions_are_what_duckdb_says_or_unknown(expression: str, type_: str) -> None:
    connection = duckdb.connect()
    connection.execute(f"CREATE TABLE t (c {type_})")
    said = connection.sql(f"SELECT {expression} AS v FROM t").types[0]
    ours = result_type(_quoted(expression), "duckdb", {("t", "c"): type_})
    assert ours in (None, str(said)), f"{expression} over {type_}: DuckDB says {said}"


def _quoted(expression: str) -> str:
    import re

    return re.sub(r"\bc\b", '"t"."c"', expression)


def test_the_types_that_the_demo_stands_on_are_known() -> None:
    for type_ in ("SMALLINT", "DOUBLE"):
        types = {("flights", "dep_delay"): type_}
        assert result_type('AVG("flights"."dep_delay")', "duckdb", types) == "DOUBLE"
        assert result_type('MAX("flights"."dep_delay")', "duckdb", types) == type_


def test_lines_that_are_no_events_are_told_and_the_others_go_on() -> None:
    good = next(iter(files.lineage_events().values())).splitlines()[0]
    lines = [b"not json", b"\xff\xfe", b"[]", b"{}", json.dumps({"job": 5}).encode(), good]
    heard = read_events(lines, "events.jsonl")
    told = {p.at.line for p in heard.problems if p.at}
    assert {1, 2, 3, 4} <= told
    assert len(heard.edges) == 4
    assert [c.name for c in heard.consumers] == ["On-time performance"]


def test_datasets_are_found_by_every_name_that_people_use() -> None:
    contracts = [read_text(text, name) for name, text in files.contracts().items()]
    identities = Identities.of(contracts)
    wanted = DatasetId("s3://flight-lake", "flights")
    for text in ("flights", "s3://flight-lake/flights", "s3://flight-lake/flights/month=3/data.parquet"):
        assert identities.find(text) == wanted, text
    assert identities.find("flihgts") is None
    assert "flights" in identities.suggest("flihgts")
