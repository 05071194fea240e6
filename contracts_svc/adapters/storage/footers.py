"""What the footer of a Parquet file says: its columns, and what its statistics prove of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlglot import exp

from contracts_svc.files import Bound, Bounds
from contracts_svc.ports import StoredColumn


def stored_columns(schema: pq.ParquetSchema) -> Iterator[StoredColumn]:
    """The top-level columns of a Parquet schema, their types as DuckDB reads and writes them.

    Arrow's reading of the schema gives the nesting; the types of the leaves are Parquet's own, since
    Arrow restores types that only Arrow wrote down (a dictionary, a duration) and other engines do
    not see.
    """
    leaves = (schema.column(i) for i in range(len(schema)))
    for field in schema.to_arrow_schema():
        number = (field.metadata or {}).get(b"PARQUET:field_id")
        yield StoredColumn(
            name=field.name,
            type=_type(field.type, leaves),
            nullable=field.nullable,
            id=None if number is None else int(number),
        )


def _type(arrow: pa.DataType, leaves: Iterator[pq.ColumnSchema]) -> str:
    if isinstance(arrow, pa.BaseExtensionType):
        arrow = arrow.storage_type
    if pa.types.is_map(arrow):
        key = _type(arrow.key_type, leaves)
        return f"MAP({key}, {_type(arrow.item_type, leaves)})"
    if pa.types.is_list(arrow) or pa.types.is_large_list(arrow) or pa.types.is_fixed_size_list(arrow):
        return f"{_type(arrow.value_type, leaves)}[]"
    if pa.types.is_struct(arrow):
        fields = (arrow.field(i) for i in range(arrow.num_fields))
        inner = ", ".join(
            f"{exp.to_identifier(f.name).sql('duckdb')} {_type(f.type, leaves)}" for f in fields
        )
        return f"STRUCT({inner})"
    return _leaf(next(leaves))


_PHYSICAL = {
    "BOOLEAN": "BOOLEAN",
    "INT32": "INTEGER",
    "INT64": "BIGINT",
    "INT96": "TIMESTAMP",
    "FLOAT": "FLOAT",
    "DOUBLE": "DOUBLE",
    "BYTE_ARRAY": "BLOB",
    "FIXED_LEN_BYTE_ARRAY": "BLOB",
}
_LOGICAL = {
    "String": "VARCHAR",
    "Enum": "VARCHAR",
    "JSON": "JSON",
    "BSON": "BLOB",
    "UUID": "UUID",
    "Date": "DATE",
    "Float16": "FLOAT",
    "Interval": "INTERVAL",
}
_INTEGERS = {8: "TINYINT", 16: "SMALLINT", 32: "INTEGER", 64: "BIGINT"}


def _leaf(column: pq.ColumnSchema) -> str:
    logical = json.loads(column.logical_type.to_json())
    match logical["Type"]:
        case "Int":
            return ("" if logical["isSigned"] else "U") + _INTEGERS[logical["bitWidth"]]
        case "Decimal":
            # DuckDB's decimals end at 38 digits; it reads longer ones as DOUBLE.
            if logical["precision"] > 38:
                return "DOUBLE"
            return f"DECIMAL({logical['precision']},{logical['scale']})"
        case "Time":
            return "TIME WITH TIME ZONE" if logical["isAdjustedToUTC"] else "TIME"
        case "Timestamp":
            if logical["isAdjustedToUTC"]:
                return "TIMESTAMP WITH TIME ZONE"
            return "TIMESTAMP_NS" if logical["timeUnit"] == "nanoseconds" else "TIMESTAMP"
        case known if known in _LOGICAL:
            return _LOGICAL[known]
    return _PHYSICAL[column.physical_type]


def column_bounds(metadata: pq.FileMetaData, names: Collection[str]) -> Iterator[tuple[str, Bounds]]:
    """What the statistics prove of the flat columns of these names (case folded).

    The least and greatest values are told only of types of a fixed width and one order: of texts there are
    only limits, since they may be cut off, and nothing says so; of floats, NaN is left out; the order of
    unsigned and of long decimals was another one in old writers.
    """
    leaves = [metadata.schema.column(i) for i in range(metadata.num_columns)]
    # Of names that differ only in case, an engine that ignores case renames one.
    seen = Counter(c.path.casefold() for c in leaves)
    groups = [metadata.row_group(g) for g in range(metadata.num_row_groups)]
    for number, column in enumerate(leaves):
        flat = column.name == column.path and not column.max_repetition_level
        name = column.path.casefold()
        if flat and column.max_definition_level <= 1 and name in names and seen[name] == 1:
            parts = [(g.num_rows, g.column(number).statistics) for g in groups if g.num_rows]
            yield column.name, _bounds(column, parts)


def _bounds(column: pq.ColumnSchema, parts: Sequence[tuple[int, pq.Statistics | None]]) -> Bounds:
    nulls = [_nulls(column, rows, statistics) for rows, statistics in parts]
    known = [n for n in nulls if n is not None]
    total = sum(known) if len(known) == len(nulls) else None
    having = [s for n, (rows, s) in zip(nulls, parts, strict=True) if n != rows]
    pairs = [_raw_ends(statistics) for statistics in having]
    if not pairs or not all(pairs):
        return Bounds(nulls=total)
    logical = _logical(column.logical_type.to_json())
    ends = [raw for pair in pairs for raw in pair]
    if column.physical_type == "BYTE_ARRAY" and logical["Type"] == "String":
        texts = [raw for raw in ends if isinstance(raw, bytes)]
        return Bounds(nulls=total, within=(min(texts), max(texts)) if len(texts) == len(ends) else None)
    try:
        values = [_exact(column, logical, raw) for raw in ends]
    except OverflowError:
        return Bounds(nulls=total)
    told = [v for v in values if v is not None]
    if len(told) < len(values):
        return Bounds(nulls=total)
    return Bounds(nulls=total, least=min(told), most=max(told))


def _nulls(column: pq.ColumnSchema, rows: int, statistics: pq.Statistics | None) -> int | None:
    if not column.max_definition_level:
        return 0
    if statistics is None or not statistics.has_null_count:
        return None
    found: int = statistics.null_count
    return found if 0 <= found <= rows else None


def _raw_ends(statistics: pq.Statistics | None) -> tuple[object, ...]:
    """The least and the greatest value of a row group as they are stored; empty where they are not told."""
    if statistics is None or not statistics.has_min_max:
        return ()
    try:
        return statistics.min_raw, statistics.max_raw
    except (pa.ArrowException, NotImplementedError):
        return ()


_EPOCH = datetime(1970, 1, 1)


def _exact(column: pq.ColumnSchema, logical: Mapping[str, Any], raw: object) -> Bound | None:
    if column.physical_type not in ("INT32", "INT64") or not isinstance(raw, int):
        return None
    match logical["Type"]:
        case "None":
            return raw
        case "Int" if logical["isSigned"]:
            return raw
        case "Decimal":
            return Decimal(raw).scaleb(-logical["scale"])
        case "Date":
            return _EPOCH.date() + timedelta(days=raw)
        case "Timestamp" if logical["timeUnit"] in _MICROSECONDS:
            zone = UTC if logical["isAdjustedToUTC"] else None
            return _EPOCH.replace(tzinfo=zone) + timedelta(
                microseconds=raw * _MICROSECONDS[logical["timeUnit"]]
            )
    return None


@lru_cache(maxsize=256)
def _logical(text: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(text)
    return found


_MICROSECONDS = {"milliseconds": 1_000, "microseconds": 1}
