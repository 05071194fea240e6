"""Files of one type read as another by real readers, to see which keep every value.

A reader keeps the values when it reads without error, every value is the same, at the edges too, and is what
the new type holds: numbers compare exactly whatever holds them, everything else must also be of the same
kind (a date is not the moment of its midnight, a text not its bytes, a moment with a zone not one without).
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import fastavro
import pyarrow as pa
import pyarrow.parquet as pq


def integers(bits: int, signed: bool = True) -> list[int]:
    return [-(2 ** (bits - 1)), -1, 0, 1, 2 ** (bits - 1) - 1] if signed else [0, 1, 2**bits - 1]


MOMENTS = [
    datetime(1700, 1, 1),
    datetime(1970, 1, 1, 0, 0, 0, 123_456),
    datetime(2200, 12, 31, 23, 59, 59, 999_999),
]
MILLIS = [m.replace(microsecond=m.microsecond // 1000 * 1000) for m in MOMENTS]
LONG_AGO = [datetime(1, 1, 1), datetime(9999, 12, 31)]
ZONED = [m.replace(tzinfo=UTC) for m in MOMENTS]
STRINGS = ["", "a", "12", "ä🙈", "x" * 70_000]
BYTES = [b"", b"a", b"\xff\xfe\x00"]

# The type as DuckDB and as Spark write it and Arrow builds it, with values at its edges.
PARQUET: dict[str, tuple[str, pa.DataType, list[Any]]] = {
    "NULL": ("", pa.null(), []),
    "BOOLEAN": ("BOOLEAN", pa.bool_(), [True, False]),
    "TINYINT": ("TINYINT", pa.int8(), integers(8)),
    "SMALLINT": ("SMALLINT", pa.int16(), integers(16)),
    "INTEGER": ("INT", pa.int32(), integers(32)),
    "BIGINT": ("BIGINT", pa.int64(), [*integers(64), 2**53 + 1]),
    "UTINYINT": ("", pa.uint8(), integers(8, signed=False)),
    "USMALLINT": ("", pa.uint16(), integers(16, signed=False)),
    "UINTEGER": ("", pa.uint32(), integers(32, signed=False)),
    "UBIGINT": ("", pa.uint64(), [*integers(64, signed=False), 2**53 + 1]),
    "FLOAT": ("FLOAT", pa.float32(), [0.0, -1.5, 3.4028234663852886e38, 1.1754943508222875e-38, 16_777_216.0]),
    "DOUBLE": ("DOUBLE", pa.float64(), [0.0, 0.1, -1.7976931348623157e308, 5e-324, 2.0**53]),
    "DECIMAL(9,0)": ("DECIMAL(9,0)", pa.decimal128(9, 0), [Decimal(999_999_999), Decimal(-999_999_999), Decimal(0)]),
    "DECIMAL(10,2)": ("DECIMAL(10,2)", pa.decimal128(10, 2), [Decimal("99999999.99"), Decimal("-0.01"), Decimal(0)]),
    "DECIMAL(12,2)": ("DECIMAL(12,2)", pa.decimal128(12, 2), [Decimal("9999999999.99"), Decimal("-0.01")]),
    "DECIMAL(12,4)": ("DECIMAL(12,4)", pa.decimal128(12, 4), [Decimal("99999999.9999"), Decimal("0.0001")]),
    "DECIMAL(15,0)": ("DECIMAL(15,0)", pa.decimal128(15, 0), [Decimal(10**15 - 1), Decimal(-(10**15) + 1)]),
    "DECIMAL(19,0)": ("DECIMAL(19,0)", pa.decimal128(19, 0), [Decimal(10**19 - 1), Decimal(-(10**19) + 1)]),
    "DECIMAL(20,0)": ("DECIMAL(20,0)", pa.decimal128(20, 0), [Decimal(10**20 - 1), Decimal(-(10**20) + 1)]),
    "DECIMAL(38,10)": ("DECIMAL(38,10)", pa.decimal128(38, 10), [Decimal("0.0000000001"), Decimal(10**27)]),
    "VARCHAR": ("STRING", pa.string(), STRINGS),
    "BLOB": ("BINARY", pa.binary(), BYTES),
    "DATE": ("DATE", pa.date32(), [date(1, 1, 1), date(1970, 1, 1), date(9999, 12, 31)]),
    "TIME": ("", pa.time64("us"), [time(0), time(23, 59, 59, 999_999)]),
    "TIMESTAMP_S": ("", pa.timestamp("s"), [m.replace(microsecond=0) for m in MOMENTS]),
    "TIMESTAMP_MS": ("", pa.timestamp("ms"), MILLIS),
    "TIMESTAMP": ("TIMESTAMP_NTZ", pa.timestamp("us"), [*MOMENTS, *LONG_AGO]),
    "TIMESTAMP WITH TIME ZONE": ("TIMESTAMP", pa.timestamp("us", "UTC"), ZONED),
    "INTEGER[]": ("ARRAY<INT>", pa.list_(pa.int32()), [[2**31 - 1, None], []]),
    "BIGINT[]": ("ARRAY<BIGINT>", pa.list_(pa.int64()), [[2**63 - 1], [-1]]),
    "VARCHAR[]": ("ARRAY<STRING>", pa.list_(pa.string()), [["a"], [""]]),
    "STRUCT(a INTEGER)": ("STRUCT<a: INT>", pa.struct([("a", pa.int32())]), [{"a": 2**31 - 1}, {"a": None}]),
    "STRUCT(a BIGINT)": ("STRUCT<a: BIGINT>", pa.struct([("a", pa.int64())]), [{"a": 2**63 - 1}]),
    "STRUCT(a INTEGER, b VARCHAR)": ("STRUCT<a: INT, b: STRING>", pa.struct([("a", pa.int32()), ("b", pa.string())]), [{"a": 1, "b": "x"}]),
    "MAP(VARCHAR, INTEGER)": ("MAP<STRING, INT>", pa.map_(pa.string(), pa.int32()), [{"k": 2**31 - 1}, {}]),
    "MAP(VARCHAR, BIGINT)": ("MAP<STRING, BIGINT>", pa.map_(pa.string(), pa.int64()), [{"k": 2**63 - 1}]),
}  # fmt: skip


def _fixed(size: int) -> dict[str, Any]:
    return {"type": "fixed", "name": "F", "size": size}


def _decimal(precision: int, scale: int) -> dict[str, Any]:
    return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}


def _enum(*symbols: str) -> dict[str, Any]:
    return {"type": "enum", "name": "E", "symbols": list(symbols)}


def _logical(type_: str, name: str) -> dict[str, Any]:
    return {"type": type_, "logicalType": name}


def _record(**fields: str) -> dict[str, Any]:
    return {"type": "record", "name": "R", "fields": [{"name": n, "type": t} for n, t in fields.items()]}


# Avro schemas with values at the edges.
AVRO: list[tuple[Any, list[Any]]] = [
    ("null", [None]),
    ("boolean", [True, False]),
    ("int", integers(32)),
    ("long", [*integers(64), 2**53 + 1]),
    ("float", PARQUET["FLOAT"][2]),
    ("double", PARQUET["DOUBLE"][2]),
    ("string", STRINGS),
    ("bytes", [b"", b"a", b"\xff\xfe\x00"]),
    (_fixed(4), [b"\x00\x01\xfe\xff"]),
    (_fixed(8), [b"\x00\x01\xfe\xff" * 2]),
    (_enum("A", "B"), ["A", "B"]),
    (_enum("A", "B", "C"), ["A", "C"]),
    (_decimal(10, 2), PARQUET["DECIMAL(10,2)"][2]),
    (_decimal(12, 2), PARQUET["DECIMAL(12,2)"][2]),
    (_decimal(12, 4), PARQUET["DECIMAL(12,4)"][2]),
    (_logical("int", "date"), PARQUET["DATE"][2]),
    (_logical("long", "timestamp-millis"), [m.replace(tzinfo=UTC) for m in MILLIS]),
    (_logical("long", "timestamp-micros"), ZONED),
    (_logical("long", "local-timestamp-millis"), MILLIS),
    (_logical("long", "local-timestamp-micros"), MOMENTS),
    (_logical("int", "time-millis"), [time(23, 59, 59, 999_000)]),
    (_logical("long", "time-micros"), [time(23, 59, 59, 999_999)]),
    ({"type": "array", "items": "int"}, [[2**31 - 1], []]),
    ({"type": "array", "items": "long"}, [[2**63 - 1]]),
    ({"type": "map", "values": "int"}, [{"k": 2**31 - 1}, {}]),
    ({"type": "map", "values": "long"}, [{"k": 2**63 - 1}]),
    (_record(a="int"), [{"a": 2**31 - 1}]),
    (_record(a="long"), [{"a": 2**63 - 1}]),
    (_record(a="int", b="string"), [{"a": 1, "b": "x"}]),
    (["int", "string"], [1, "x"]),
    (["int", "string", "boolean"], [1, "x", True]),
    (["null", "int"], [None, 2**31 - 1]),
]  # fmt: skip


def same(wrote: Any, read: Any) -> bool:
    """Whether two values are the same: exactly, and of the same kind."""
    numbers = (int, float, Decimal)
    if isinstance(wrote, bool) or isinstance(read, bool):
        return wrote is read
    if isinstance(wrote, numbers) and isinstance(read, numbers):
        return bool(wrote == read)
    if isinstance(wrote, dict) and isinstance(read, dict):
        added = [v for k, v in read.items() if k not in wrote]
        return set(added) <= {None} and all(k in read and same(v, read[k]) for k, v in wrote.items())
    if isinstance(wrote, list) and isinstance(read, list):
        return len(wrote) == len(read) and all(map(same, wrote, read))
    return type(wrote) is type(read) and bool(wrote == read)


def kind(value: Any) -> str:
    """What a value is, to tell the values of one type from those of another."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "number"
    if isinstance(value, datetime):
        return "moment" if value.tzinfo else "local moment"
    return type(value).__name__


def all_kept(wrote: Iterable[Any], read: Iterable[Any], of_new_type: Iterable[Any]) -> bool:
    """Whether the values are the same, and of a kind that the new type holds."""
    found = list(read)
    kinds = {kind(value) for value in of_new_type} | {kind(None)}
    return same(list(wrote), found) and {kind(value) for value in found} <= kinds


def write_parquet(path: Path, name: str) -> None:
    _, arrow, values = PARQUET[name]
    pq.write_table(pa.table({"c": pa.array([*values, None], arrow)}), path)


@cache
def _duckdb() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def duckdb_keeps(path: Path, old: str, new: str) -> bool:
    try:
        cast = "c" if new == old else f"CAST(c AS {new})"
        read = _duckdb().read_parquet(str(path)).project(cast).fetchall()
    except duckdb.Error:
        return False
    return all_kept([*PARQUET[old][2], None], [in_utc(row[0]) for row in read], PARQUET[new][2])


def in_utc(value: Any) -> Any:
    return value.astimezone(UTC) if isinstance(value, datetime) and value.tzinfo else value


def pyarrow_keeps(path: Path, old: str, new: str) -> bool:
    try:
        read = pq.read_table(path)["c"].cast(PARQUET[new][1])
        found = read.to_pylist(maps_as_pydicts="strict")
    except (pa.ArrowException, UnicodeDecodeError, OverflowError):
        return False
    return all_kept([*PARQUET[old][2], None], [in_utc(value) for value in found], PARQUET[new][2])


def fastavro_keeps(writer: Any, values: list[Any], reader: Any, of_new_type: list[Any]) -> bool:
    file = io.BytesIO()
    wrapped = [_wrapped(schema) for schema in (writer, reader)]
    fastavro.writer(file, fastavro.parse_schema(wrapped[0]), [{"c": value} for value in values])
    file.seek(0)
    try:
        read = [row["c"] for row in fastavro.reader(file, fastavro.parse_schema(wrapped[1]))]  # type: ignore[index, call-overload]
    except (fastavro.read.SchemaResolutionError, ValueError, TypeError, OverflowError):
        return False
    return all_kept(values, read, of_new_type)


def _wrapped(schema: Any) -> dict[str, Any]:
    copied = json.loads(json.dumps(schema))
    return {"type": "record", "name": "Row", "fields": [{"name": "c", "type": copied}]}
