"""The lattice of types against real readers: Parquet files written as one type and read as another.

A reader keeps a value when it reads it without error and it is the same value (exactly: Python compares
decimals, floats and whole numbers by value). What the lattice calls EQUAL or WIDENED every reader must keep,
at the edges too; what it calls NARROWED or LOSSY every reader must refuse or change for some value. Between
families, where readers differ in what they cast, nothing is asserted of them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts_svc.compat.types import Relation, relation

UTC = UTC


def integers(bits: int, signed: bool = True) -> list[int]:
    return [-(2 ** (bits - 1)), -1, 0, 1, 2 ** (bits - 1) - 1] if signed else [0, 1, 2**bits - 1]


MOMENTS = [
    datetime(1700, 1, 1),
    datetime(1970, 1, 1, 0, 0, 0, 123_456),
    datetime(2200, 12, 31, 23, 59, 59, 999_999),
]

# Type as DuckDB writes it -> the same for Arrow, and values at its edges.
TYPES: dict[str, tuple[pa.DataType, list[Any]]] = {
    "TINYINT": (pa.int8(), integers(8)),
    "SMALLINT": (pa.int16(), integers(16)),
    "INTEGER": (pa.int32(), integers(32)),
    "BIGINT": (pa.int64(), [*integers(64), 2**53 + 1]),
    "UTINYINT": (pa.uint8(), integers(8, signed=False)),
    "USMALLINT": (pa.uint16(), integers(16, signed=False)),
    "UINTEGER": (pa.uint32(), integers(32, signed=False)),
    "UBIGINT": (pa.uint64(), [*integers(64, signed=False), 2**53 + 1]),
    "FLOAT": (pa.float32(), [0.0, -1.5, 3.4028234663852886e38, 1.1754943508222875e-38, 16_777_216.0]),
    "DOUBLE": (pa.float64(), [0.0, 0.1, -1.7976931348623157e308, 5e-324, 2.0**53]),
    "DECIMAL(9,0)": (pa.decimal128(9, 0), [Decimal(999_999_999), Decimal(-999_999_999), Decimal(0)]),
    "DECIMAL(10,2)": (pa.decimal128(10, 2), [Decimal("99999999.99"), Decimal("-0.01"), Decimal(0)]),
    "DECIMAL(12,2)": (pa.decimal128(12, 2), [Decimal("9999999999.99"), Decimal("-0.01")]),
    "DECIMAL(12,4)": (pa.decimal128(12, 4), [Decimal("99999999.9999"), Decimal("0.0001")]),
    "DECIMAL(19,0)": (pa.decimal128(19, 0), [Decimal(10**19 - 1), Decimal(-(10**19) + 1)]),
    "DECIMAL(38,10)": (pa.decimal128(38, 10), [Decimal("0.0000000001"), Decimal(10**27)]),
    "TIMESTAMP_MS": (pa.timestamp("ms"), [m.replace(microsecond=m.microsecond // 1000 * 1000) for m in MOMENTS]),
    "TIMESTAMP": (pa.timestamp("us"), [*MOMENTS, datetime(1, 1, 1), datetime(9999, 12, 31)]),
    "INTEGER[]": (pa.list_(pa.int32()), [[2**31 - 1, None], []]),
    "BIGINT[]": (pa.list_(pa.int64()), [[2**63 - 1], [-1]]),
    "STRUCT(a INTEGER)": (pa.struct([("a", pa.int32())]), [{"a": 2**31 - 1}, {"a": None}]),
    "STRUCT(a BIGINT)": (pa.struct([("a", pa.int64())]), [{"a": 2**63 - 1}]),
}  # fmt: skip
KEPT = (Relation.EQUAL, Relation.WIDENED)
LOST = (Relation.NARROWED, Relation.LOSSY)


def write(folder: Path, name: str) -> Path:
    arrow, values = TYPES[name]
    path = folder / "t.parquet"
    pq.write_table(pa.table({"c": pa.array([*values, None], arrow)}), path)
    return path


def duckdb_keeps(path: Path, old: str, new: str) -> bool:
    with duckdb.connect() as connection:
        try:
            read = connection.read_parquet(str(path)).project(f"CAST(c AS {new})").fetchall()
        except duckdb.Error:
            return False
    return [row[0] for row in read] == [*TYPES[old][1], None]


def pyarrow_keeps(path: Path, old: str, new: str) -> bool:
    try:
        read = pq.read_table(path)["c"].cast(TYPES[new][0])
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return False
    return bool(read.to_pylist() == [*TYPES[old][1], None])


READERS: dict[str, Callable[[Path, str, str], bool]] = {"duckdb": duckdb_keeps, "pyarrow": pyarrow_keeps}


@pytest.mark.parametrize("reader", READERS)
def test_what_is_widened_every_reader_keeps(reader: str, tmp_path: Path) -> None:
    wrong = []
    for old in TYPES:
        path = write(tmp_path, old)
        for new in TYPES:
            fits = relation(old, new) in KEPT
            if fits and not READERS[reader](path, old, new):
                wrong.append((old, new))
    assert wrong == []


@pytest.mark.parametrize("reader", READERS)
def test_what_is_narrowed_or_lossy_every_reader_refuses_or_changes(reader: str, tmp_path: Path) -> None:
    wrong = []
    for old in TYPES:
        path = write(tmp_path, old)
        for new in TYPES:
            if relation(old, new) in LOST and READERS[reader](path, old, new):
                wrong.append((old, new, relation(old, new)))
    assert wrong == []


def test_a_zone_added_or_dropped_gives_another_moment(tmp_path: Path) -> None:
    noon = datetime(2026, 7, 1, 12)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'Europe/Berlin'")
        read = connection.execute("SELECT CAST(CAST(? AS TIMESTAMP) AS TIMESTAMPTZ)", [noon]).fetchone()
    assert relation("TIMESTAMP", "TIMESTAMP WITH TIME ZONE") is Relation.REINTERPRETED
    assert read is not None
    assert read[0].astimezone(UTC).replace(tzinfo=None) != noon


def test_a_time_of_day_is_lost_in_a_date(tmp_path: Path) -> None:
    assert relation("TIMESTAMP", "DATE") is Relation.REINTERPRETED
    assert pa.array([datetime(2026, 7, 1, 12)]).cast(pa.date32()).to_pylist() == [date(2026, 7, 1)]
    with duckdb.connect() as connection:
        read = connection.execute("SELECT CAST(TIMESTAMP '2026-07-01 12:00:00' AS DATE)").fetchone()
    assert read == (date(2026, 7, 1),)
