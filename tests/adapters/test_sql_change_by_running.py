"""Whatever is said to be unchanged is: two versions of a query are run, and their results compared."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts_svc.lineage.graph import DatasetId
from contracts_svc.lineage.sql_change import ColumnFate, SqlChange, changes_of

SCHEMAS = {"a": dict.fromkeys(("id", "x", "y"), "INTEGER"), "b": dict.fromkeys(("id", "z"), "INTEGER")}
SOURCES = [
    "a", "a AS t", "(SELECT * FROM a) AS t", "(SELECT id, y AS x, x AS y FROM a) AS t", "(SELECT DISTINCT id, x, y FROM a) AS t",
    "(SELECT * FROM a WHERE x > 1) AS t", "(SELECT * FROM a UNION SELECT id, z, z FROM b) AS t",
    "(SELECT * FROM a UNION ALL SELECT id, z, z FROM b) AS t", "(SELECT * FROM a UNION ALL SELECT id, y, x FROM a) AS t",
    "(SELECT l.id, r.x, l.y FROM a l JOIN a r ON l.id = r.y) AS t", "(SELECT r.id, l.x, l.y FROM a l JOIN a r ON l.id = r.y) AS t",
    "(SELECT a.* FROM a JOIN b USING (id)) AS t", "(SELECT a.* FROM a LEFT JOIN b ON a.id = b.id) AS t",
    "(SELECT a.* FROM a SEMI JOIN b ON a.id = b.id) AS t", "(SELECT a.* FROM a JOIN b ON a.id = b.z) AS t",
    "(SELECT id, max(x) AS x, max(y) AS y FROM a GROUP BY id) AS t", "(SELECT id, max(x) AS x, max(y) AS y FROM a GROUP BY 1, y) AS t",
]  # fmt: skip
COLUMNS = ["x", "y", "x + 1", "x * y", "CASE WHEN x > 1 THEN y END", "(SELECT max(z) FROM b)", "(SELECT min(z) FROM b WHERE z > 2)", "x + (SELECT count(*) FROM b)", "sum(x) OVER (PARTITION BY id)", "count(*) OVER (PARTITION BY y)", "coalesce(y, x)", "1"]  # fmt: skip
FILTERS = ["", "WHERE x > 1", "WHERE x > 2", "WHERE 1 < x", "WHERE x > 1 AND y > 1", "WHERE y > 1 AND x > 1", "WHERE id IN (SELECT id FROM b)", "WHERE id IN (SELECT z FROM b)", "QUALIFY row_number() OVER (PARTITION BY x ORDER BY id, y) = 1"]  # fmt: skip


PARTS = (COLUMNS, COLUMNS, ["", "", "DISTINCT "], SOURCES, FILTERS)


@st.composite
def versions(draw: st.DrawFn) -> tuple[str, str]:
    """Two queries that differ in at most two parts."""
    old = [draw(st.sampled_from(part)) for part in PARTS]
    new = list(old)
    for index in draw(st.lists(st.integers(0, len(PARTS) - 1), max_size=2)):
        new[index] = draw(st.sampled_from(PARTS[index]))
    one, other = (f"SELECT {d}{p} AS p, {q} AS q FROM {s} {f}" for p, q, d, s, f in (old, new))
    return one, other


@pytest.fixture(scope="module")
def lake() -> duckdb.DuckDBPyConnection:
    found = duckdb.connect()
    found.execute("SELECT setseed(0.25)")
    found.execute(
        "CREATE TABLE a AS SELECT i % 7 AS id, (random() * 5)::INT AS x, (random() * 5)::INT AS y FROM range(40) t(i)"
    )
    found.execute("CREATE TABLE b AS SELECT i % 5 AS id, (random() * 6)::INT AS z FROM range(12) t(i)")
    return found


def change(old: str, new: str) -> SqlChange | None:
    found = changes_of(
        old, new, dialect="duckdb", schemas=SCHEMAS, name_of=lambda n: DatasetId("", n), target="t"
    )
    return found[0] if found else None


@settings(max_examples=120, deadline=None)
@given(both=versions())
def test_what_is_said_to_be_the_same_is_the_same(
    lake: duckdb.DuckDBPyConnection, both: tuple[str, str]
) -> None:
    old, new = both
    found = change(old, new)
    if found is not None and found.rows:
        return
    differing = {c.name for c in found.columns} if found else set[str]()
    for name in {"p", "q"} - differing:
        values = [sorted(lake.sql(f"SELECT {name} FROM ({q})").fetchall(), key=repr) for q in (old, new)]
        assert values[0] == values[1], name


@settings(max_examples=60, deadline=None)
@given(source=st.sampled_from(SOURCES), old=st.sampled_from(COLUMNS), new=st.sampled_from(COLUMNS))
def test_a_column_that_alone_is_redefined_is_told_and_no_other(source: str, old: str, new: str) -> None:
    found = change(f"SELECT {old} AS p, y AS q FROM {source}", f"SELECT {new} AS p, y AS q FROM {source}")
    fates = {c.name: c.fate for c in found.columns} if found else {}
    assert fates == ({} if old == new else {"p": ColumnFate.REDEFINED})
    assert found is None or not found.rows
