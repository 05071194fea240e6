"""SQL that is large, deep or broken: an answer within bounds, and never an exception."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts_svc.lineage.graph import DatasetId, EdgeType
from contracts_svc.lineage.sql import SqlLineage, lineage_of
from contracts_svc.lineage.sql_text import MAX_BYTES

SCHEMAS = {"a": dict.fromkeys(("id", "x", "s"), ""), "w": {f"c{i}": "" for i in range(200)}}


def read(sql: str, dialect: str = "duckdb") -> SqlLineage:
    return lineage_of(
        sql,
        dialect=dialect,
        schemas=SCHEMAS,
        name_of=lambda name: DatasetId("", name),
        origin="q.sql",
        seen=None,
        target="t",
    )


def chained(first: str, step: str, count: int, last: str) -> str:
    """``step`` names the query before as PRE and its own as NEW."""
    steps = (f"c{i + 1} AS ({step.replace('PRE', f'c{i}')})" for i in range(count))
    return f"WITH c0 AS ({first}), {', '.join(steps)} {last.replace('LAST', f'c{count}')}"


# What would double at every step if it were written out.
DOUBLING = {
    "aliases": "SELECT x AS k0, " + ", ".join(f"k{i} + k{i} AS k{i + 1}" for i in range(60)) + " FROM a",
    "joined CTEs": chained(
        "SELECT x FROM a",
        "SELECT l.x + r.x AS x FROM PRE l JOIN PRE r ON l.x = r.x",
        60,
        "SELECT x FROM LAST",
    ),
    "subqueries": chained(
        "SELECT x FROM a",
        "SELECT (SELECT max(x) FROM PRE) + (SELECT min(x) FROM PRE) AS x",
        60,
        "SELECT x FROM LAST",
    ),
    "filters": chained(
        "SELECT x FROM a",
        "SELECT x FROM PRE WHERE x IN (SELECT x FROM PRE) AND x > (SELECT max(x) FROM PRE)",
        60,
        "SELECT x FROM LAST",
    ),
    "replaced columns": chained(
        "SELECT x FROM a", "SELECT * REPLACE (x + x AS x) FROM PRE", 60, "SELECT * FROM LAST"
    ),
}


@pytest.mark.parametrize("sql", DOUBLING.values(), ids=DOUBLING.keys())
def test_what_doubles_at_every_step_is_followed(sql: str) -> None:
    found = read(sql)
    assert found.problems == ()
    assert {e.source.column for e in found.edges} == {"x"}


LONG = {
    "operators": ("SELECT " + "+".join(["x"] * 10_000) + " AS v FROM a", 1),
    "conditions": ("SELECT s AS v FROM a WHERE " + " AND ".join(["x > 1"] * 5_000), 2),
    "unions": (" UNION ALL ".join(["SELECT x AS v FROM a"] * 2_000), 1),
    "columns": ("SELECT " + ", ".join(f"x AS v{i}" for i in range(5_000)) + " FROM a", 5_000),
    "a chain": (chained("SELECT * FROM a", "SELECT * FROM PRE", 500, "SELECT * FROM LAST"), 3),
    "statements": (";".join(["INSERT INTO q SELECT x FROM a"] * 1_000), 1),
}


@pytest.mark.parametrize(("sql", "edges"), LONG.values(), ids=LONG.keys())
def test_what_is_only_long_is_followed(sql: str, edges: int) -> None:
    found = read(sql)
    assert found.problems == ()
    assert len(found.edges) == edges


TOO_MUCH = {
    "brackets": "SELECT " + "(" * 5_000 + "x" + ")" * 5_000 + " FROM a",
    "functions": "SELECT " + "abs(" * 2_000 + "x" + ")" * 2_000 + " FROM a",
    "nots": "SELECT " + "NOT " * 5_000 + "x FROM a",
    "cases": "SELECT " + "CASE WHEN x THEN " * 500 + "1" + " END" * 500 + " FROM a",
    "tokens": "SELECT " + ", ".join(["x"] * 60_000) + " FROM a",
    "doubled stars": chained(
        "SELECT * FROM a", "SELECT l.*, r.* FROM PRE l, PRE r", 40, "SELECT * FROM LAST"
    ),
    "many stars": "SELECT " + ", ".join(["a.*"] * 20_000) + " FROM a",
    "wide and long": "WITH m AS (SELECT "
    + "+".join(SCHEMAS["w"])
    + " AS v FROM w) SELECT "
    + ", ".join(f"v AS v{i}" for i in range(10_000))
    + " FROM m, a",
}


@pytest.mark.parametrize("sql", TOO_MUCH.values(), ids=TOO_MUCH.keys())
def test_what_is_too_much_is_told_and_gives_table_level_edges(sql: str) -> None:
    found = read(sql)
    assert len(found.problems) == 1
    assert found.problems[0].message
    assert {e.type for e in found.edges} == {EdgeType.UNKNOWN}
    assert DatasetId("", "a") in {e.source.dataset for e in found.edges}
    assert {e.reason for e in found.edges} == {found.problems[0].message}


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT '" + "x" * MAX_BYTES + "' FROM a", "longer than 1,000,000 bytes"),
        ("SELECT 'abc FROM a", "cannot be split into tokens"),
        ("/* SELECT x FROM a", "cannot be split into tokens"),
    ],
)
def test_text_that_cannot_be_read_at_all_is_told(sql: str, message: str) -> None:
    found = read(sql)
    assert message in found.problems[0].message
    assert found.edges == ()


@pytest.mark.parametrize("sql", ["", ";;;", "-- nothing", "BEGIN; COMMIT", "SET x = 1", "\x00", "\ud800"])
def test_text_without_data_has_no_edges(sql: str) -> None:
    assert read(sql).edges == ()


WORDS = [
    "SELECT", "x", "*", "FROM", "a", "w", "u", ",", "(", ")", "WHERE", "JOIN", "ON", "USING", "id", "UNION", "WITH",
    "AS", "GROUP BY", "1", "ORDER BY", "PIVOT", "FOR", "IN", "'k'", "UNNEST", "LATERAL", "NATURAL", "OVER", "CASE",
    "WHEN", "THEN", "END", "INSERT INTO", "q", "VALUES", "MERGE INTO", "UPDATE", "SET", "=", ".", "EXISTS", "max",
    ";", "QUALIFY", "EXCLUDE", "COLUMNS", "[", "]", "::", "INT", "CREATE TABLE", "COPY", "TO", "NULL", "RECURSIVE",
]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    words=st.lists(st.sampled_from(WORDS), max_size=25),
    dialect=st.sampled_from(["duckdb", "snowflake", "bigquery", "spark", "tsql", "postgres", ""]),
)
def test_any_row_of_words_is_answered(words: list[str], dialect: str) -> None:
    found = read("SELECT x FROM a;" + " ".join(words), dialect)
    if not any("split into tokens" in p.message for p in found.problems):
        assert any(e.source.column and e.source.column.lower() == "x" for e in found.edges)
    for edge in found.edges:
        assert edge.type is not EdgeType.UNKNOWN or edge.reason


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("SELECT x FROM WHERE a = 1 (((", set()),
        ("INSERT INTO m SELECT FROM a JOIN WHERE ((", {"a"}),
        ("UPDATE SET x = 1 FROM b WHERE ((", {"b"}),
        ('SELECT * FROM "where" WHERE ((', {"where"}),
    ],
)
def test_a_key_word_in_broken_sql_is_no_table(sql: str, tables: set[str]) -> None:
    found = read(sql)
    assert found.problems
    assert {e.source.dataset.name for e in found.edges} == tables
