"""Types of expressions: every answer compared with DuckDB's own."""

from __future__ import annotations

import itertools

import duckdb
import pytest

from contracts_svc.lineage.sql_types import canonical, result_type

COLUMNS = {
    "c0": "TINYINT", "c1": "SMALLINT", "c2": "INTEGER", "c3": "BIGINT", "c4": "HUGEINT", "c5": "UTINYINT",
    "c6": "UINTEGER", "c7": "UBIGINT", "c8": "FLOAT", "c9": "DOUBLE", "d0": "DECIMAL(4,1)",
    "d1": "DECIMAL(9,2)", "d2": "DECIMAL(18,3)", "d3": "DECIMAL(38,10)", "b": "BOOLEAN", "s": "VARCHAR",
    "t0": "DATE", "t1": "TIME", "t2": "TIMESTAMP", "t3": "TIMESTAMP WITH TIME ZONE", "i": "INTERVAL",
    "l": "INTEGER[]", "z": "BLOB",
}  # fmt: skip
TYPES = {("t", name): type_ for name, type_ in COLUMNS.items()}

# X and Y stand for every column. (expression, how many of the columns at least have a known type)
OF_ONE = [
    ("X", 23), ("max(X)", 23), ("min(X)", 23), ("any_value(X)", 23), ("first(X)", 23), ("mode(X)", 23),
    ("count(X)", 23), ("count(DISTINCT X)", 23), ("approx_count_distinct(X)", 23), ("avg(X)", 19),
    ("sum(X)", 15), ("sum(DISTINCT X)", 15), ("median(X)", 18), ("stddev(X)", 14), ("var_pop(X)", 14),
    ("list(X)", 23), ("array_agg(X ORDER BY X)", 23), ("string_agg(X, ',')", 23), ("bool_or(X)", 1),
    ("count_if(X IS NULL)", 23), ("max(X, 2)", 0), ("quantile_cont(X, 0.5)", 18), ("quantile_disc(X, 0.5)", 23),
    ("percentile_cont(0.5) WITHIN GROUP (ORDER BY X)", 18), ("min(X) FILTER (WHERE X IS NOT NULL)", 23),
    ("abs(X)", 14), ("round(X)", 14), ("round(X, 1)", 14), ("round(X, -1)", 0), ("floor(X)", 14),
    ("ceil(X)", 14), ("sqrt(X)", 14), ("ln(X)", 14), ("power(X, 2)", 14), ("sign(X)", 14), ("-X", 15),
    ("X + 1", 15), ("X - 1", 15), ("1 - X", 14), ("X * 300", 14), ("X * 0.01", 14), ("X + 1.5", 14),
    ("X / 2", 14), ("X % 7", 14), ("X + 100000", 15), ("X * 1e0", 14), ("X + '1'", 0),
    ("coalesce(X, 0)", 15), ("coalesce(X, NULL)", 23), ("coalesce(X, 'a')", 23), ("nullif(X, 0)", 23),
    ("CASE WHEN X IS NULL THEN 0 ELSE 1 END", 23), ("CASE WHEN X IS NULL THEN 0 ELSE 1.5 END", 23),
    ("CASE WHEN X IS NULL THEN X ELSE 0 END", 15), ("CASE WHEN X > 15 THEN 1 ELSE 0 END", 15),
    ("CASE X WHEN 1 THEN 'a' ELSE 'b' END", 15), ("if(X IS NULL, X, NULL)", 23),
    ("avg(CASE WHEN X > 15 THEN 1.0 ELSE 0.0 END)", 15), ("sum(CASE WHEN X IS NULL THEN 1 ELSE 0 END)", 23),
    ("CAST(X AS SMALLINT)", 23), ("CAST(X AS DECIMAL)", 23), ("CAST(X AS DECIMAL(10))", 23),
    ("CAST(X AS REAL)", 23), ("TRY_CAST(X AS DATE)", 23), ("X::VARCHAR(10)", 23), ("CAST(X AS INT[])", 23),
    ("X = 0", 15), ("X IN (1, 2)", 15), ("X BETWEEN 1 AND 2", 15), ("X IS NULL", 23), ("NOT X", 23),
    ("X LIKE 'a'", 1), ("X || 'a'", 21), ("concat(X, 'a')", 22), ("upper(X)", 1), ("length(X)", 1),
    ("substring(X, 1, 2)", 1), ("trim(X)", 1), ("left(X, 2)", 1), ("replace(X, 'a', 'b')", 1), ("md5(X)", 1),
    ("year(X)", 4), ("extract(month FROM X)", 4), ("date_trunc('month', X)", 4), ("strftime(X, '%d')", 3),
    ("date_diff('day', X, X)", 3), ("last_day(X)", 3), ("epoch(X)", 5), ("X + INTERVAL 1 DAY", 5),
    ("INTERVAL 1 DAY + X", 5), ("X - INTERVAL 1 HOUR", 5), ("make_date(X, X, X)", 6), ("[X, NULL]", 23),
    ("lag(X) OVER (ORDER BY X)", 23), ("lag(X, 1, 0) OVER (ORDER BY X)", 23),
    ("first_value(X) OVER (ORDER BY X)", 23), ("sum(X) OVER ()", 15), ("rank() OVER (ORDER BY X)", 23),
    ("percent_rank() OVER (ORDER BY X)", 23), ("(SELECT max(X))", 23), ("(SELECT X UNION ALL SELECT 1)", 15),
    ("round(avg(X), 2)", 14), ("sum(X) / count(*)", 15), ("round(sum(X) / count(*), 2)", 15),
    ("max(X) - min(X)", 18), ("coalesce(sum(X), 0)", 15), ("avg(X) * 100", 14), ("product(X)", 0),
]  # fmt: skip
OF_TWO = [
    ("X + Y", 206), ("X - Y", 205), ("X * Y", 196), ("X / Y", 196), ("X // Y", 196), ("X % Y", 196),
    ("CASE WHEN X IS NULL THEN X ELSE Y END", 227), ("coalesce(X, Y)", 227), ("greatest(X, Y)", 227),
    ("(SELECT X UNION ALL SELECT Y)", 227), ("X = Y", 227), ("X IN (Y)", 227), ("X || Y", 441),
    ("[X, Y]", 227), ("corr(X, Y)", 196), ("100.0 * sum(X) / sum(Y)", 225), ("sum(X + Y)", 196),
    ("arg_max(X, Y)", 529), ("date_diff('day', X, Y)", 3), ("CASE WHEN X > Y THEN X ELSE Y END", 227),
]  # fmt: skip
WITHOUT = [
    "1", "1.5", "0.05", "12.50", "1e3", "-1", "'a'", "TRUE", "2147483648", "9223372036854775808", "1 + 1",
    "1.5 + 1", "current_date", "make_date(2013, 1, 1)", "count(*)", "row_number() OVER ()",
]  # fmt: skip


@pytest.fixture(scope="module")
def engine() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    columns = ", ".join(f'"{name}" {type_}' for name, type_ in COLUMNS.items())
    connection.execute(f"CREATE TABLE t ({columns})")
    return connection


def said(engine: duckdb.DuckDBPyConnection, expression: str) -> str | None:
    """DuckDB's type; None where it refuses the expression."""
    try:
        return str(engine.sql(f"SELECT {expression} AS v FROM t").types[0])
    except duckdb.Error:
        return None


def over(template: str, *columns: str) -> str:
    for mark, column in zip("XY", columns, strict=False):
        template = template.replace(mark, f'"t"."{column}"')
    return template


@pytest.mark.parametrize(("template", "least"), OF_ONE, ids=[t for t, _ in OF_ONE])
def test_over_one_column(engine: duckdb.DuckDBPyConnection, template: str, least: int) -> None:
    known = 0
    for column in COLUMNS:
        expression = over(template, column)
        ours = result_type(expression, "duckdb", TYPES)
        assert ours in (None, said(engine, expression)), expression
        known += ours is not None
    assert known >= least


@pytest.mark.parametrize(("template", "least"), OF_TWO, ids=[t for t, _ in OF_TWO])
def test_over_two_columns(engine: duckdb.DuckDBPyConnection, template: str, least: int) -> None:
    known = 0
    for one, other in itertools.product(COLUMNS, repeat=2):
        expression = over(template, one, other)
        ours = result_type(expression, "duckdb", TYPES)
        assert ours is None or ours == said(engine, expression), expression
        known += ours is not None
    assert known >= least


@pytest.mark.parametrize("expression", WITHOUT)
def test_without_columns(engine: duckdb.DuckDBPyConnection, expression: str) -> None:
    assert result_type(expression, "duckdb", {}) == said(engine, expression)


@pytest.mark.parametrize(
    ("expression", "type_"),
    [
        ('AVG("f"."x")', "DOUBLE"),
        ('MAX("f"."x")', "SMALLINT"),
        ('SUM("f"."x")', "HUGEINT"),
        ('COALESCE("f"."x", 0)', "SMALLINT"),
    ],
)
def test_what_a_narrowed_column_makes(expression: str, type_: str) -> None:
    assert result_type(expression, "duckdb", {("f", "x"): "SMALLINT"}) == type_


@pytest.mark.parametrize(
    "expression",
    ['unheard_of("t"."c1")', '"t"."nope"', '"u"."c1"', "(", "", "NULL", "x" * 2_000_000, "(" * 3_000],
)
def test_what_is_not_known_has_no_type(expression: str) -> None:
    assert result_type(expression, "duckdb", TYPES) is None


@pytest.mark.parametrize(
    ("expression", "type_"),
    [
        ('"t"."c1"', "SMALLINT"),
        ('MAX("t"."c1")', "SMALLINT"),
        ('COUNT("t"."s")', "BIGINT"),
        ('CAST("t"."c1" AS BIGINT)', "BIGINT"),
        ('COALESCE("t"."c1", "t"."c1")', "SMALLINT"),
        ('CASE WHEN "t"."c1" > 1 THEN "t"."s" END', "VARCHAR"),
        # Here dialects differ.
        ('AVG("t"."c1")', None),
        ('SUM("t"."c1")', None),
        ('"t"."c1" + 1', None),
        ('COALESCE("t"."c1", 0)', None),
        ('COALESCE("t"."c1", "t"."c3")', None),
        ('CAST("t"."c1" AS DECIMAL)', None),
    ],
)
def test_in_other_dialects_only_what_all_agree_on(expression: str, type_: str | None) -> None:
    assert result_type(expression, "postgres", TYPES) == type_


@pytest.mark.parametrize(
    ("written", "type_"),
    [
        ("int4", "INTEGER"), ("text", "VARCHAR"), ("numeric(5, 2)", "DECIMAL(5,2)"), ("decimal", "DECIMAL(18,3)"),
        ("timestamptz", "TIMESTAMP WITH TIME ZONE"), ("real", "FLOAT"), ("bigint[]", "BIGINT[]"),
        ("no such type at all (", None),
    ],
)  # fmt: skip
def test_types_are_written_as_duckdb_writes_them(written: str, type_: str | None) -> None:
    assert canonical(written) == type_
