"""SQL that anybody may send is followed in a child: what takes too long is told and stops nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from contracts_svc.adapters.sql_process import SqlProcess
from contracts_svc.lineage.graph import ColumnRef, DatasetId
from contracts_svc.lineage.heard import Query
from contracts_svc.lineage.queries import follow

RAW, MART = DatasetId("spark", "raw"), DatasetId("spark", "mart")
COLUMNS: Mapping[DatasetId, Mapping[str, str]] = {RAW: {"x": "int", "y": "int"}}
SHORT = "INSERT INTO mart SELECT *, x + y AS s FROM raw"
LONG = "INSERT INTO mart SELECT " + ", ".join(f"x + y AS c{n}" for n in range(8_000)) + " FROM raw"


def query(sql: str, origin: str = "openlineage:a/job") -> Query:
    return Query(sql=sql, dialect="spark", origin=origin, inputs=(RAW,), outputs=(MART,))


def columns_of(dataset: DatasetId) -> Mapping[str, str]:
    return COLUMNS.get(dataset, {})


@pytest.fixture
def process() -> Iterator[SqlProcess]:
    made = SqlProcess()
    yield made
    made.close()


def test_it_says_what_is_said_without_it(process: SqlProcess) -> None:
    for _ in range(2):
        assert process([query(SHORT)], columns_of, {}) == follow([query(SHORT)], columns_of, {})
    assert process([], columns_of, {}).edges == ()
    assert process.started == 1


def test_what_takes_too_long_is_told_and_the_others_are_followed() -> None:
    process = SqlProcess(seconds=0.5)
    try:
        found = process([query(LONG, "openlineage:a/long"), query(SHORT)], columns_of, {})
        by_origin = {e.origin: e for e in found.edges}
        long = by_origin["openlineage:a/long"]
        assert (long.source, long.target) == (ColumnRef(RAW, None), ColumnRef(MART, None))
        assert "takes longer than 0.5 s" in long.reason
        (problem,) = found.problems
        assert "a/long" in problem.message
        short = {(e.source.column, e.target.column) for e in found.edges if e.origin == "openlineage:a/job"}
        assert {("x", "x"), ("x", "s"), ("y", "s")} <= short
        started = process.started
        again = process([query(SHORT), query(LONG, "openlineage:a/long")], columns_of, {})
        assert set(again.edges) == set(found.edges)
        assert process.started == started, "what was too much is not tried again"
    finally:
        process.close()


def test_what_takes_too_much_memory_is_told() -> None:
    process = SqlProcess(megabytes=250)
    try:
        wide = "INSERT INTO mart SELECT " + "+".join(["x"] * 45_000) + " AS s FROM raw"
        found = process([query(wide)], columns_of, {})
        assert {e.target.dataset for e in found.edges} == {MART}
        assert process([query(SHORT)], columns_of, {}).problems == ()
    finally:
        process.close()
