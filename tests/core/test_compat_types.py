"""The lattice of types: what becomes of values when a type changes."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from contracts_svc.compat.types import Relation, accepts, column_relation, dialect_of, relation
from contracts_svc.model import Column, Contract, Server

EQUAL, WIDENED, NARROWED, LOSSY, REINTERPRETED, INCOMPATIBLE, UNKNOWN = Relation

CASES = [
    # whole numbers
    ("duckdb", "INT", "INTEGER", EQUAL),
    ("duckdb", "int", "int4", EQUAL),
    ("duckdb", "INT", "BIGINT", WIDENED),
    ("duckdb", "UTINYINT", "SMALLINT", WIDENED),
    ("duckdb", "UINTEGER", "INTEGER", LOSSY),
    ("duckdb", "BIGINT", "HUGEINT", WIDENED),
    ("mysql", "int unsigned", "bigint", WIDENED),
    ("snowflake", "BIGINT", "NUMBER(38,0)", EQUAL),
    ("bigquery", "SMALLINT", "INT64", EQUAL),
    # floats
    ("duckdb", "INT", "DOUBLE", WIDENED),
    ("duckdb", "BIGINT", "DOUBLE", LOSSY),
    ("duckdb", "INT", "FLOAT", LOSSY),
    ("duckdb", "SMALLINT", "REAL", WIDENED),
    ("duckdb", "DOUBLE", "SMALLINT", NARROWED),
    ("duckdb", "FLOAT", "DOUBLE", WIDENED),
    ("snowflake", "REAL", "DOUBLE", EQUAL),
    ("postgres", "float", "double precision", EQUAL),
    ("postgres", "real", "double precision", WIDENED),
    ("tsql", "real", "float", WIDENED),
    ("tsql", "float(24)", "real", EQUAL),
    # decimals
    ("duckdb", "DECIMAL(10,2)", "DECIMAL(12,2)", WIDENED),
    ("duckdb", "DECIMAL(10,2)", "DECIMAL(12,4)", WIDENED),
    ("duckdb", "DECIMAL(10,2)", "DECIMAL(10,4)", LOSSY),
    ("duckdb", "DECIMAL(10,2)", "DECIMAL(10,0)", LOSSY),
    ("duckdb", "DECIMAL(10,2)", "DECIMAL(8,0)", NARROWED),
    ("duckdb", "DECIMAL", "DECIMAL(18,3)", EQUAL),
    ("spark", "DECIMAL", "DECIMAL(10,0)", EQUAL),
    ("duckdb", "INT", "DECIMAL(10,0)", WIDENED),
    ("duckdb", "INT", "DECIMAL(9,0)", NARROWED),
    ("duckdb", "DECIMAL(10,2)", "DOUBLE", LOSSY),
    ("duckdb", "DECIMAL(15,0)", "DOUBLE", WIDENED),
    ("postgres", "numeric(10,2)", "numeric", WIDENED),
    # texts and bytes
    ("duckdb", "VARCHAR(10)", "VARCHAR(20)", WIDENED),
    ("duckdb", "VARCHAR(10)", "TEXT", WIDENED),
    ("athena", "varchar", "string", EQUAL),
    ("postgres", "char(5)", "varchar(5)", WIDENED),
    ("postgres", "varchar(5)", "char(5)", NARROWED),
    ("snowflake", "VARCHAR", "VARCHAR(16777216)", EQUAL),
    ("redshift", "varchar", "varchar(256)", EQUAL),
    ("tsql", "nvarchar(50)", "nvarchar(max)", WIDENED),
    ("duckdb", "VARCHAR", "BLOB", REINTERPRETED),
    ("duckdb", "UUID", "VARCHAR", INCOMPATIBLE),
    ("duckdb", "VARCHAR", "JSON", NARROWED),
    ("duckdb", "VARCHAR", "INTEGER", INCOMPATIBLE),
    ("duckdb", "ENUM('a', 'b')", "ENUM('b', 'a', 'c')", WIDENED),
    ("duckdb", "ENUM('a', 'b')", "VARCHAR", WIDENED),
    ("duckdb", "ENUM('a')", "ENUM('b')", LOSSY),
    # moments
    ("duckdb", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE", REINTERPRETED),
    ("snowflake", "TIMESTAMP_NTZ", "TIMESTAMP_TZ", REINTERPRETED),
    ("spark", "TIMESTAMP", "TIMESTAMP_NTZ", REINTERPRETED),
    ("bigquery", "TIMESTAMP", "DATETIME", REINTERPRETED),
    ("duckdb", "DATE", "TIMESTAMP", REINTERPRETED),
    ("duckdb", "TIME", "TIMESTAMP", INCOMPATIBLE),
    ("trino", "timestamp", "timestamp(6)", WIDENED),
    ("duckdb", "TIMESTAMP_MS", "TIMESTAMP", WIDENED),
    ("duckdb", "TIMESTAMP", "TIMESTAMP_NS", LOSSY),
    # nested
    ("duckdb", "INT[]", "BIGINT[]", WIDENED),
    ("duckdb", "INT[3]", "INT[]", WIDENED),
    ("duckdb", "INT[3]", "INT[4]", INCOMPATIBLE),
    ("duckdb", "STRUCT(a INT, b VARCHAR)", "STRUCT(b VARCHAR, a INT)", EQUAL),
    ("duckdb", "STRUCT(a INT)", "STRUCT(a INT, b VARCHAR)", WIDENED),
    ("duckdb", "STRUCT(a INT, b INT)", "STRUCT(a BIGINT)", LOSSY),
    ("duckdb", "STRUCT(a INT)", "STRUCT(a DATE)", INCOMPATIBLE),
    ("duckdb", "STRUCT(a INT)", "STRUCT(b INT)", INCOMPATIBLE),
    ("spark", "STRUCT<a: INT NOT NULL>", "STRUCT<a: INT>", WIDENED),
    ("spark", "STRUCT<a: INT NOT NULL>", "STRUCT<a: BIGINT NOT NULL>", WIDENED),
    ("spark", "STRUCT<a: INT>", "STRUCT<a: BIGINT NOT NULL>", LOSSY),
    ("trino", "ROW(a BIGINT, a INT)", "ROW(a INT, a INT)", NARROWED),
    ("duckdb", "UNION(a INT, b VARCHAR)", "UNION(a INT, b VARCHAR, c DATE)", WIDENED),
    ("duckdb", "INT", "UNION(a BIGINT, b VARCHAR)", WIDENED),
    ("duckdb", "UNION(a INT, b DATE)", "UNION(a VARCHAR, b BOOLEAN)", INCOMPATIBLE),
    ("duckdb", "UNION(a INT, b DATE)", "UNION(a INT, b VARCHAR)", LOSSY),
    ("duckdb", "MAP(VARCHAR, INT)", "MAP(VARCHAR, DOUBLE)", WIDENED),
    ("bigquery", "RECORD", "STRUCT<a INT64>", NARROWED),
    ("snowflake", "ARRAY(NUMBER)", "ARRAY", WIDENED),
    ("redshift", "varchar", "super", WIDENED),
    ("duckdb", "STRUCT(a TIMESTAMP)[]", "STRUCT(a TIMESTAMPTZ)[]", REINTERPRETED),
    # file formats by their own names
    ("avro", "int", "long", WIDENED),
    ("avro", "long", "float", LOSSY),
    ("avro", "timestamp-millis", "timestamp-micros", REINTERPRETED),
    ("avro", "timestamp-millis", "local-timestamp-millis", REINTERPRETED),
    ("avro", "bytes", "string", REINTERPRETED),
    ("avro", "fixed(16)", "bytes", WIDENED),
    ("avro", "fixed(16)", "fixed(8)", LOSSY),
    ("avro", "enum", "string", WIDENED),
    ("avro", '["int", "string"]', '["string", "long", "boolean"]', WIDENED),
    ("avro", '["null", "string"]', "string", NARROWED),
    ("avro", '["bytes"]', "[]", NARROWED),
    ("avro", "decimal", "decimal(10,2)", NARROWED),
    ("avro", '["int", "no such type"]', '["int"]', UNKNOWN),
    ("bigquery", "BIGNUMERIC(40,10)", "BIGNUMERIC(50,10)", WIDENED),
    ("postgres", "float(24)", "float(25)", WIDENED),
    ("postgres", "numeric(10.5)", "numeric", UNKNOWN),
    ("postgres", "bit(3)", "bit(4)", INCOMPATIBLE),
    ("avro", "decimal(10,2)", "decimal(12,2)", WIDENED),
    ("protobuf", "uint32", "int64", WIDENED),
    ("protobuf", "sint32", "int32", EQUAL),
    ("protobuf", "int32", "string", INCOMPATIBLE),
    ("duckdb", "INT32", "INT64", WIDENED),
    ("parquet", "INT(8, true)", "INT32", WIDENED),
    ("parquet", "TIMESTAMP(MILLIS, true)", "TIMESTAMP(MICROS, true)", WIDENED),
    ("parquet", "TIMESTAMP(isAdjustedToUTC=true, unit=MICROS)", "TIMESTAMP(MICROS, false)", REINTERPRETED),
    ("parquet", "BYTE_ARRAY", "STRING", REINTERPRETED),
    ("oracle", "RAW(16)", "RAW(2000)", WIDENED),
    # not known: by name
    ("duckdb", "frobnicate", "FROBNICATE", EQUAL),
    ("duckdb", "frobnicate", "frobnicated", UNKNOWN),
    ("duckdb", "int junk", "int", UNKNOWN),
    ("duckdb", "STRUCT(a frob)", "STRUCT(a INT)", UNKNOWN),
    ("no such dialect", "INT", "BIGINT", UNKNOWN),
    ("duckdb", "NULL", "VARCHAR", WIDENED),
    ("duckdb", "NULL", "STRUCT(a INTEGER)", WIDENED),
    ("spark", "void", "string", WIDENED),
    ("avro", '"null"', '"string"', WIDENED),
    ("avro", '["null", "long"]', '"string"', INCOMPATIBLE),
]


@pytest.mark.parametrize(("dialect", "old", "new", "expected"), CASES)
def test_relation(dialect: str, old: str, new: str, expected: Relation) -> None:
    assert relation(old, new, dialect) is expected
    assert relation(new, old, dialect) is expected.mirrored
    assert relation(old, old, dialect) is EQUAL


NAMES = sorted({t for d, a, b, _ in CASES if d == "duckdb" for t in (a, b)})


@given(st.sampled_from(NAMES), st.sampled_from(NAMES), st.sampled_from(NAMES))
def test_widening_adds_up(a: str, b: str, c: str) -> None:
    if {relation(a, b), relation(b, c)} <= {EQUAL, WIDENED}:
        assert relation(a, c) in (EQUAL, WIDENED)


JUNK = [
    "", " ", ")", "INT[", "array<", "DECIMAL(", "DECIMAL(a,b)", "DECIMAL(-1,-1)", "DECIMAL(99999999999)", "'", "\0",
    "STRUCT(", "STRUCT()", "MAP()", "MAP(INT)", "ENUM()", "INT(", "a.b.c", "SELECT 1", "INT; DROP TABLE x", "🙈",
    "VARCHAR(0)", "NULL", "UNKNOWN", "?", "--", "/*", "TIMESTAMP(", "x" * 20_000, "INT" + "[]" * 30, "(" * 5_000,
    "ARRAY<" * 200 + "INT" + ">" * 200, "STRUCT(a " * 40 + "INT" + ")" * 40,
]  # fmt: skip


@pytest.mark.parametrize("junk", JUNK)
@pytest.mark.parametrize("dialect", ["duckdb", "spark", "snowflake", "avro", "parquet", "protobuf", "tsql"])
def test_junk_is_compared_by_name(junk: str, dialect: str) -> None:
    assert relation(junk, junk, dialect) is EQUAL
    assert relation(junk, "BOOLEAN", dialect) is not EQUAL


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=40), st.sampled_from(["duckdb", "trino", "bigquery", "avro", "parquet"]))
def test_no_text_makes_it_fail(text: str, dialect: str) -> None:
    assert relation(text, "INT", dialect).mirrored is relation("INT", text, dialect)


@pytest.mark.parametrize(
    ("declared", "actual", "dialect", "expected"),
    [
        ("DOUBLE", "DOUBLE", "duckdb", True),
        ("BIGINT", "INTEGER", "duckdb", True),
        ("INTEGER", "BIGINT", "duckdb", False),
        ("bigint", "VARCHAR", "duckdb", False),
        ("DECIMAL", "DECIMAL(9,2)", "duckdb", True),
        ("DECIMAL", "DOUBLE", "duckdb", False),
        ("DECIMAL(9,2)", "DECIMAL(12,2)", "duckdb", False),
        ("TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "duckdb", False),
    ],
)
def test_what_a_declared_type_accepts(declared: str, actual: str, dialect: str, expected: bool) -> None:
    assert accepts(declared, actual, dialect) is expected


def column(logical: str | None = None, physical: str | None = None, **fields: Any) -> Column:
    return Column(name="c", path="c", logical_type=logical, physical_type=physical, **fields)


def options(logical: str, **of: Any) -> Column:
    return column(logical, logical_type_options=of)


ROW = column("object", columns=(column("integer"),))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (column("integer"), column("number"), WIDENED),
        (column("number"), column("integer"), NARROWED),
        (column("integer"), options("integer", format="i32"), EQUAL),
        (column("integer"), options("integer", format="i64"), WIDENED),
        (options("number", format="f64"), options("number", format="f32"), NARROWED),
        (column("string"), column("integer"), INCOMPATIBLE),
        (column("date"), column("timestamp"), REINTERPRETED),
        (options("timestamp", timezone=True), options("timestamp", timezone=False), REINTERPRETED),
        (column("timestamp"), options("timestamp", timezone=False), EQUAL),
        (options("vector", dimensions=3), options("vector", dimensions=4), INCOMPATIBLE),
        (column("string", "VARCHAR"), column("date", "VARCHAR"), INCOMPATIBLE),
        (column("number", "DOUBLE"), column("integer", "SMALLINT"), NARROWED),
        (column("integer", "INT"), column("integer", "INTEGER"), EQUAL),
        (column("integer"), column(None, "BIGINT"), WIDENED),
        (column(), column("integer"), NARROWED),
        (column(None, "INT"), column(), WIDENED),
        (column("money"), column("Money"), EQUAL),
        (column("array", items=column("integer")), column("array", items=column("number")), WIDENED),
        (column("array", items=column("integer")), column("array", items=column("string")), INCOMPATIBLE),
        (ROW, column("object", columns=(column("number"),)), WIDENED),
        (
            column("map", map_key=column("string"), map_value=column("integer")),
            column("map", map_key=column("string"), map_value=column("string")),
            INCOMPATIBLE,
        ),
    ],
)
def test_columns_over_logical_and_physical_types(old: Column, new: Column, expected: Relation) -> None:
    assert column_relation(old, new, "duckdb") is expected


def test_a_field_that_comes_or_goes_widens_or_narrows_an_object() -> None:
    more = column("object", columns=(column("integer"), Column(name="d", path="c.d")))
    assert column_relation(ROW, more, "duckdb") is WIDENED
    assert column_relation(more, ROW, "duckdb") is NARROWED


@pytest.mark.parametrize(
    ("servers", "expected"),
    [
        ([], "duckdb"),
        ([("s3", {"format": "parquet"})], "duckdb"),
        ([("local", {})], "duckdb"),
        ([("kafka", {"format": "avro"})], "avro"),
        ([("kafka", {"format": "protobuf"})], "protobuf"),
        ([("athena", {})], "athena"),
        ([("postgresql", {})], "postgres"),
        ([("sqlserver", {})], "tsql"),
        ([("s3", {"format": "parquet"}), ("snowflake", {})], "snowflake"),
    ],
)
def test_dialect_of_a_contract(servers: list[tuple[str, dict[str, str]]], expected: str) -> None:
    built = tuple(Server(server=t, type=t, fields=f) for t, f in servers)
    assert dialect_of(Contract(api_version="v3.1.0", id="c", version="1", servers=built)) == expected


def test_an_unknown_type_is_compared_by_name() -> None:
    assert relation("frobnitz(3, 4)", "Frobnitz (3,4)") is Relation.EQUAL
    assert relation("frobnitz(3)", "frobnitz(4)") is Relation.UNKNOWN
    assert relation("x" * 20_000 + "a", "x" * 20_000 + "b") is Relation.UNKNOWN
