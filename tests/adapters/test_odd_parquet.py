"""Parquet files that are written otherwise than most: right, or no verdict with the cause; never wrong.

Each is checked with what its footer proves, and without.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts_svc.runs import Outcome
from tests.core.quality import contract, run

Column = dict[str, Any]


def column(logical: str, **options: Any) -> Column:
    return {"name": "x", "logicalType": logical, "required": True, "logicalTypeOptions": options}


def found(folder: Path, described: Column) -> tuple[dict[str, int | None], dict[str, str]]:
    """Failing rows of what fails, and why the rest has no verdict; the same with footers and without."""
    given = contract(folder, {"name": "t", "properties": [described]})
    bad, reasons = [], []
    for footers in (True, False):
        results = run(given, footers=footers).results
        bad.append({r.check.id: r.failing for r in results if r.outcome is Outcome.FAILED})
        reasons.append({r.check.id: r.reason for r in results if r.outcome is Outcome.ERRORED})
    told = bad[0].items() - {(check, bad[0].get(check)) for check in reasons[1]}
    assert dict(told) == bad[1], "what footers prove is what a scan finds"
    return bad[0], reasons[0]


INTEGERS = pa.table({"x": pa.array([1, 2, None, 4, 100], pa.int64())})
TEXTS = pa.table({"x": ["a", "bb", None, "ccc", "ä€𝄞"]})
LONG = {"t.x.required": 1, "t.x.max-length": 2}
HIGH = {"t.x.required": 1, "t.x.maximum": 1}
WRITTEN: dict[str, dict[str, Any]] = {
    **{c: {"compression": c} for c in ("none", "snappy", "gzip", "brotli", "lz4", "zstd")},
    **{e: {"use_dictionary": False, "column_encoding": {"x": e}} for e in ("PLAIN", "DELTA_BINARY_PACKED")},
    **{f"version {v}": {"version": v} for v in ("1.0", "2.4", "2.6")},
    "data pages v2": {"data_page_version": "2.0"},
    "page index": {"write_page_index": True},
    "checksums": {"write_page_checksum": True},
    "no statistics": {"write_statistics": False},
    "bloom filter": {"bloom_filter_options": {"x": True}},
    "groups of one row": {"row_group_size": 1},
    "metadata of 20 MB": {},
}


def test_integers_however_they_are_written(tmp_path: Path) -> None:
    for number, (name, options) in enumerate(WRITTEN.items()):
        folder = tmp_path / str(number)
        (folder / "t").mkdir(parents=True)
        table = INTEGERS
        if name == "metadata of 20 MB":
            table = table.replace_schema_metadata({"k": "v" * 20_000_000})
        pq.write_table(table, folder / "t/a.parquet", **options)
        # A file without row groups beside it adds nothing.
        pq.ParquetWriter(folder / "t/b.parquet", INTEGERS.schema).close()
        assert found(folder, column("integer", maximum=50)) == (HIGH, {}), name


def test_texts_however_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    for encoding in ("PLAIN", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"):
        more = {"use_dictionary": False, "column_encoding": {"x": encoding}}
        pq.write_table(TEXTS, tmp_path / "t/a.parquet", **more)
        assert found(tmp_path, column("string", maxLength=2)) == (LONG, {}), encoding
    kinds = (pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string()))
    for kind in kinds:
        pq.write_table(pa.table({"x": TEXTS["x"].cast(kind)}), tmp_path / "t/a.parquet")
        assert found(tmp_path, column("string", maxLength=2)) == (LONG, {}), kind


DAY, LATER = datetime(2026, 1, 1), datetime(2026, 1, 3)
VALUES: list[tuple[pa.DataType, list[Any], str, dict[str, Any]]] = [
    *((pa.timestamp(u), [DAY, LATER], "timestamp", {"maximum": "2026-01-02T00:00:00"}) for u in ("s", "ms", "us", "ns")),
    *(
        (pa.timestamp(u, "Europe/Berlin"), [DAY, LATER], "timestamp", {"maximum": "2026-01-02T00:00:00Z"})
        for u in ("s", "us", "ns")
    ),
    *((k, [time(1), time(2)], "time", {}) for k in (pa.time32("ms"), pa.time64("us"), pa.time64("ns"))),
    *(
        (k, [Decimal("1.5"), Decimal("6.25")], "number", {"maximum": 5})
        for k in (pa.decimal128(9, 2), pa.decimal128(18, 4), pa.decimal128(38, 10), pa.decimal256(76, 10))
    ),
    *((k, [1, 201], "integer", {"maximum": 200}) for k in (pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64())),
    (pa.uint64(), [1, 2**64 - 1], "integer", {"maximum": 200}),
    (pa.float16(), [np.float16(1.5), np.float16(9)], "number", {"maximum": 5}),
    (pa.float64(), [1.0, float("nan")], "number", {"maximum": 5}),
    (pa.float64(), [-0.0, float("inf")], "number", {"maximum": 5}),
    (pa.uuid(), [UUID(int=1).bytes, UUID(int=2).bytes], "string", {}),
    (pa.json_(), ['{"a": 1}', "[]"], "string", {"maxLength": 7}),
    (pa.list_(pa.int64()), [[1], []], "array", {"minItems": 1}),
    (pa.large_list(pa.int64()), [[1], [1, 2]], "array", {"maxItems": 1}),
    (pa.list_(pa.int64(), 2), [[1, 2], [1, 1]], "array", {"uniqueItems": True}),
]  # fmt: skip


def test_values_of_types_that_few_write(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    for kind, values, logical, options in VALUES:
        for more in ({}, {"store_decimal_as_integer": True}):
            pq.write_table(pa.table({"x": pa.array([*values, None], kind)}), tmp_path / "t/a.parquet", **more)
            bad, reasons = found(tmp_path, column(logical, **options))
            assert not reasons, kind
            assert bad.pop("t.x.required") == 1, kind
            assert list(bad.values()) == [1] * len(options), (kind, bad)


def test_timestamps_of_96_bits(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    table = pa.table({"x": pa.array([DAY, LATER, None], pa.timestamp("ns"))})
    pq.write_table(table, tmp_path / "t/a.parquet", use_deprecated_int96_timestamps=True)
    assert found(tmp_path, column("timestamp", maximum="2026-01-02T00:00:00")) == (HIGH, {})


def test_a_map_is_an_object_where_its_physical_type_says_so(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    kind = pa.map_(pa.string(), pa.int64())
    pq.write_table(pa.table({"x": pa.array([[("a", 1)], None], kind)}), tmp_path / "t/a.parquet")
    described = {"name": "x", "logicalType": "object"}
    assert found(tmp_path, described | {"physicalType": "MAP(VARCHAR, BIGINT)"}) == ({}, {})
    assert found(tmp_path, described)[0] == {"t.x.logical-type": 1}


def _utf8(folder: Path) -> None:
    raw = pa.array([b"\xff\xfe\xfd", b"ab"])
    pq.write_table(
        pa.table({"x": pa.Array.from_buffers(pa.string(), 2, raw.buffers())}), folder / "a.parquet"
    )


def _split(folder: Path) -> None:
    more = {"use_dictionary": False, "column_encoding": {"x": "BYTE_STREAM_SPLIT"}}
    pq.write_table(INTEGERS, folder / "a.parquet", **more)


def _twins(folder: Path) -> None:
    pq.write_table(pa.table([pa.array([1]), pa.array(["a"])], names=["x", "x"]), folder / "a.parquet")


def _flipped(folder: Path) -> None:
    pq.write_table(INTEGERS, folder / "a.parquet")
    content = (folder / "a.parquet").read_bytes()
    (folder / "a.parquet").write_bytes(content[:4] + bytes(b ^ 255 for b in content[4:60]) + content[60:])


@pytest.mark.parametrize(
    ("write", "logical", "options", "cause"),
    [
        (_utf8, "string", {"maxLength": 2}, "text that is not UTF-8"),
        (_split, "integer", {"maximum": 50}, "BYTE_STREAM_SPLIT encoding is only supported"),
        (_twins, "integer", {"maximum": 50}, "it has 2 columns named x"),
        (_flipped, "integer", {"maximum": 50}, ""),
    ],
)
def test_what_cannot_be_read_has_no_verdict(
    tmp_path: Path, write: Callable[[Path], None], logical: str, options: dict[str, Any], cause: str
) -> None:
    (tmp_path / "t").mkdir()
    write(tmp_path / "t")
    _, reasons = found(tmp_path, column(logical, **options))
    assert reasons
    assert all(cause in reason for reason in reasons.values())


def test_files_of_types_that_only_duckdb_writes(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    cases = {
        "unnest(['a', 'bb', NULL])::ENUM('a', 'bb')": ("string", {"maxLength": 1}, {"t.x.max-length": 1}),
        "unnest([1, NULL])::VARIANT": ("object", {}, {}),
        "unnest(['10:00:00+01'::TIMETZ, NULL])": ("time", {}, {}),
        "unnest(['101'::BIT, NULL])": ("string", {}, {}),
    }
    for expression, (logical, options, bad) in cases.items():
        with duckdb.connect() as connection:
            connection.execute(
                f"COPY (SELECT {expression} AS x) TO '{tmp_path}/t/a.parquet' (FORMAT parquet)"
            )
        assert found(tmp_path, column(logical, **options)) == ({"t.x.required": 1, **bad}, {}), expression
