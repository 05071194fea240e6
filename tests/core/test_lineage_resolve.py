"""Edges under the names of contracts: spelling, expressions, what settles what."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from contracts_svc.lineage.graph import ColumnRef, DatasetId, Edge, EdgeKind, EdgeType
from contracts_svc.lineage.identity import Identities
from contracts_svc.lineage.resolve import LEFT_OUT, NO_COLUMNS, merged, resolved, settled
from contracts_svc.lineage.sql import lineage_of
from contracts_svc.lineage.sql_types import result_type
from contracts_svc.model import Column, Contract, Server, Table

LAKE = "s3://lake"
ORDERS, OUT = DatasetId(LAKE, "orders"), DatasetId(LAKE, "out")
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def contract(name: str, *columns: Column, **more: str) -> Contract:
    return Contract(
        api_version="v3.1.0",
        id=name,
        version="1.0.0",
        servers=(Server(server="p", type="s3", fields={"location": f"{LAKE}/{name}"}),),
        tables=(Table(name=name, columns=columns, **more),),
    )


def column(name: str, physical: str | None = None, type_: str = "INTEGER") -> Column:
    return Column(name=name, path=name, physical_name=physical, physical_type=type_)


IDENTITIES = Identities.of([contract("orders", column("amount", "Amt_T"), column("Fee"))])


def edge(source: str | None, target: str | None, **more: object) -> Edge:
    type_ = EdgeType.IDENTITY if source else EdgeType.UNKNOWN
    kind = EdgeKind.DIRECT if source else EdgeKind.INDIRECT
    given = {"kind": kind, "type": type_, "origin": "openlineage:j"} | more
    return Edge(source=ColumnRef(ORDERS, source), target=ColumnRef(OUT, target), **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("dialect", ["duckdb", "bigquery", "spark", "postgres", "snowflake", "tsql"])
def test_datasets_and_columns_in_expressions_are_named_as_the_graph_has_them(dialect: str) -> None:
    raw = DatasetId("s3a://lake", "/orders/day=1/")
    found = lineage_of(
        "INSERT INTO out SELECT AMT_T + fee AS total FROM raw_orders",
        dialect=dialect,
        schemas={},
        name_of=lambda name: raw if name == "raw_orders" else OUT,
        origin="sql:x",
        seen=None,
    )
    edges = resolved(found.edges, IDENTITIES)
    assert [e.source for e in edges] == [ColumnRef(ORDERS, "Amt_T"), ColumnRef(ORDERS, "Fee")]
    types = {("orders", "Amt_T"): "INTEGER", ("orders", "Fee"): "INTEGER"}
    (expression,) = {e.expression for e in edges}
    assert all(name in expression for name in ("orders", "Amt_T", "Fee"))
    assert "day=1" not in expression
    if dialect == "duckdb":
        assert result_type(expression, dialect, types) == "INTEGER"


def test_an_expression_that_cannot_be_read_is_not_kept_under_wrong_names() -> None:
    (found,) = resolved([edge("amt_t", "x", expression='"orders"."amt_t" +', dialect="duckdb")], IDENTITIES)
    assert (found.source.column, found.expression) == ("Amt_T", "")
    (same,) = resolved([edge("other", "x", expression='"orders"."other" +', dialect="duckdb")], IDENTITIES)
    assert same.expression == '"orders"."other" +'


def test_what_leads_to_itself_once_names_are_joined_is_left_out() -> None:
    names = Identities.of([], {OUT: (ORDERS,)})
    assert resolved([edge("a", "a"), edge(None, None), edge("a", "b")], names) == (
        Edge(
            source=ColumnRef(OUT, "a"),
            target=ColumnRef(OUT, "b"),
            kind=EdgeKind.DIRECT,
            type=EdgeType.IDENTITY,
            origin="openlineage:j",
        ),
    )


def test_reports_of_one_edge_are_one_with_the_latest_time() -> None:
    times = [NOON, None, NOON + timedelta(hours=1), NOON]
    (found,) = merged(edge("a", "b", seen=t) for t in times)
    assert found.seen == NOON + timedelta(hours=1)


def table_level(reason: str = NO_COLUMNS, **more: object) -> Edge:
    return edge(None, None, reason=reason, seen=NOON, **more)


@pytest.mark.parametrize(
    ("vague", "told", "stays"),
    [
        (table_level(), edge("a", "b", seen=NOON + timedelta(hours=1)), False),
        (table_level(), edge("a", "b", seen=NOON + timedelta(days=90)), False),
        (table_level(), edge("a", "b", seen=NOON - timedelta(hours=20)), False),
        (table_level(), edge("a", None, seen=NOON), False),
        (table_level(LEFT_OUT), edge("a", "b", seen=NOON), False),
        (table_level(), edge("a", "b", seen=NOON - timedelta(days=2)), True),
        (table_level(), edge("a", "b", seen=NOON, origin="openlineage:k"), True),
        (table_level("which columns `*` stands for is not known"), edge("a", "b", seen=NOON), True),
        (table_level("it names none", origin="declared:x"), edge("a", "b", seen=NOON), False),
        (table_level("it names none", origin="declared:x"), edge("a", "b", origin="declared:x"), True),
    ],
)
def test_what_settles_a_table_level_edge(vague: Edge, told: Edge, stays: bool) -> None:
    for some in ([vague, told], [told, vague]):
        assert (vague in settled(some)) is stays
        assert told in settled(some)


def test_a_declared_edge_is_settled_by_columns_that_lead_there_through_others() -> None:
    between = DatasetId(LAKE, "between")
    one = Edge(
        source=ColumnRef(ORDERS, "a"),
        target=ColumnRef(between, "a"),
        kind=EdgeKind.DIRECT,
        type=EdgeType.IDENTITY,
    )
    back = Edge(source=one.target, target=one.source, kind=one.kind, type=one.type)
    other = Edge(source=ColumnRef(between, "a"), target=ColumnRef(OUT, "a"), kind=one.kind, type=one.type)
    vague = table_level("it names none", origin="declared:x")
    assert settled([vague, one, back]) == (vague, one, back)
    assert settled([vague, one, back, other]) == (one, back, other)
