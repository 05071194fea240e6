"""SQL of a contract: what is let through and what is refused, with the reason."""

from __future__ import annotations

import pytest
import sqlglot
import yaml
from hypothesis import given
from hypothesis import strategies as st

from contracts_svc.model import Column, Contract, Table
from contracts_svc.quality import sql_rules
from contracts_svc.quality.sql_rules import Refused
from tests.support import DATA

X = Column(name="x", path="x", physical_name="the x")
T = Table(name="t", physical_name="raw.t", columns=(X, Column(name="y", path="y")))
S = Table(name="s", columns=(X,))
CONTRACT = Contract(api_version="v3.1.0", id="c", version="1", tables=(T, S))

REFUSED = yaml.safe_load((DATA / "quality" / "refused_sql.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("reason", "sql"), REFUSED, ids=[sql for _, sql in REFUSED])
def test_refused(reason: str, sql: str) -> None:
    with pytest.raises(Refused) as raised:
        sql_rules.read(sql, CONTRACT, T, None)
    assert reason in str(raised.value)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT COUNT(*) FROM t, (SELECT MAX(x) AS m FROM t) u WHERE t.x < u.m",
        "SELECT COUNT(*) FROM t a, s b WHERE a.x = b.x",
        "SELECT COUNT(*) FROM t CROSS JOIN (SELECT AVG(x) AS a, STDDEV(x) AS s FROM t) u",
        "SELECT COUNT(*) FROM t JOIN s USING (x)",
        "SELECT COUNT(*) FROM t NATURAL JOIN s",
        "SELECT COUNT(*) FROM t LEFT JOIN s ON t.x = s.x AND s.y > 3 WHERE s.x IS NULL",
        "WITH m AS (SELECT MAX(x) AS m FROM t) SELECT COUNT(*) FROM t, m WHERE x > m",
        "SELECT COUNT(*) FROM t JOIN (VALUES (1), (2)) v(a) ON true",
        "SELECT COUNT(*) FROM t SEMI JOIN s ON t.x = s.x",
        "SELECT COUNT(*) FROM t ASOF JOIN s ON t.x >= s.x",
    ],
)
def test_joins_that_something_bounds_are_let_through(sql: str) -> None:
    assert sql_rules.read(sql, CONTRACT, T, None).tables[0] == "t"


def test_there_are_enough_attacks() -> None:
    assert len({sql for _, sql in REFUSED}) >= 190


@pytest.mark.parametrize(
    ("sql", "becomes", "tables"),
    [
        ("SELECT COUNT(*) FROM {object}", 'SELECT COUNT(*) FROM "t"', ("t",)),
        (
            "select count(*) from ${table} where ${column} is null",
            'SELECT COUNT(*) FROM "t" WHERE "the x" IS NULL',
            ("t",),
        ),
        ('SELECT MAX("{property}") FROM "{object}"', 'SELECT MAX("the x") FROM "t"', ("t",)),
        ("SELECT MAX(y) FROM raw.t", 'SELECT MAX(y) FROM "t"', ("t",)),
        ("SELECT MAX(T.y) FROM T", 'SELECT MAX(T.y) FROM "t" AS "T"', ("t",)),
        (
            "SELECT COUNT(*) FROM t AS a JOIN s AS b ON a.y = b.x",
            'SELECT COUNT(*) FROM "t" AS "a" JOIN "s" AS "b" ON a.y = b.x',
            ("t", "s"),
        ),
        (
            "WITH u AS (SELECT y FROM t) SELECT COUNT(*) FROM u",
            'WITH u AS (SELECT y FROM "t") SELECT COUNT(*) FROM u',
            ("t",),
        ),
        ("SELECT COUNT(*) FROM t -- ; DROP TABLE t", 'SELECT COUNT(*) FROM "t" /* ; DROP TABLE t */', ("t",)),
        ("SELECT COUNT(*) FILTER (WHERE regexp_matches(y, '^a')) FROM t", None, ("t",)),
        ("SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY y) FROM t", None, ("t",)),
        ("SELECT MAX(DATE_DIFF('day', y::DATE, CURRENT_DATE)) FROM t", None, ("t",)),
    ],
)
def test_let_through(sql: str, becomes: str | None, tables: tuple[str, ...]) -> None:
    found = sql_rules.read(sql, CONTRACT, T, X)
    assert found.tables == tables
    if becomes is not None:
        assert found.tree.sql(dialect="duckdb") == becomes


@pytest.mark.parametrize(
    ("sql", "counts"),
    [
        ("SELECT COUNT(*) FROM t WHERE y > 1", True),
        ("SELECT COUNT(*) AS n FROM t", True),
        ("SELECT COUNT(DISTINCT y) FROM t", False),
        ("SELECT COUNT(*) + 1 FROM t", False),
        ("SELECT COUNT(*) FROM t GROUP BY y", False),
        ("SELECT COUNT(*) FROM t JOIN s USING (x)", False),
        ("SELECT COUNT(*) FROM s", False),
        ("SELECT COUNT(*) FROM t LIMIT 1", False),
        ("SELECT COUNT(*) FROM (SELECT * FROM t)", False),
        ("SELECT COUNT(*) FROM t WHERE y IN (SELECT y FROM t)", False),
        ("SELECT COUNT(*) FROM t UNION ALL SELECT COUNT(*) FROM t", False),
        ("SELECT MAX(y) FROM t", False),
    ],
)
def test_what_may_be_asked_of_a_part_of_the_table(sql: str, counts: bool) -> None:
    assert sql_rules.read(sql, CONTRACT, T, None).counts_rows is counts


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT COUNT(*) FROM t WHERE x = 1" + " OR x = 1" * 10_000,
        "SELECT " + "(" * 5_000 + "1" + ")" * 5_000 + " FROM t",
        "SELECT " + "-" * 5_000 + "1 FROM t",
        "SELECT " + "NOT " * 3_000 + "true FROM t",
        "SELECT " + "CASE WHEN true THEN " * 500 + "1" + " END" * 500 + " FROM t",
        "SELECT " + "[" * 2_000 + "]" * 2_000 + " FROM t",
    ],
)
def test_hostile_depth_is_refused_or_read_but_never_a_crash(sql: str) -> None:
    try:
        sql_rules.read(sql, CONTRACT, T, None)
    except Refused:
        return


@given(
    st.text(max_size=60)
    | st.lists(
        st.sampled_from(
            [
                "SELECT",
                "FROM",
                "t",
                "x",
                "(",
                ")",
                "'",
                '"',
                ",",
                "*",
                ";",
                "--",
                "read_text",
                "{object}",
                "WITH",
                "AS",
                "1",
            ]
        ),
        max_size=15,
    ).map(" ".join)
)
def test_any_text_is_refused_or_one_query_over_the_contract(text: str) -> None:
    try:
        found = sql_rules.read(text, CONTRACT, T, X)
    except Refused as error:
        assert str(error)
        return
    again = sqlglot.parse(found.tree.sql(dialect="duckdb"), dialect="duckdb")
    assert len(again) == 1
    assert found.tables
    assert set(found.tables) <= {"t", "s"}
