"""What the footer of a Parquet file says: its columns, and what its statistics prove of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlglot import exp

from contracts_svc.adapters.storage import thrift
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


@dataclass(frozen=True, slots=True)
class _Statistics:
    """What a footer says of one column in one row group; None is what it does not say."""

    rows: int
    nulls: int | None
    ends: tuple[bytes, bytes] | None


# FileMetaData.row_groups {columns {meta_data {path_in_schema, statistics {max, min, null_count, max_value,
# min_value}}}, num_rows}: https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
_GROUPS: thrift.Spec = {
    4: {1: {3: {3: list, 12: {1: bytes, 2: bytes, 3: int, 5: bytes, 6: bytes}}}, 3: int},
}


def column_bounds(
    schema: pq.ParquetSchema, footer: bytes, names: Collection[str]
) -> Iterator[tuple[str, Bounds]]:
    """What the statistics prove of the flat columns of these names (case folded).

    The least and greatest values are told only of types of a fixed width and one order: of texts there are
    only limits, since they may be cut off, and nothing says so; of floats, NaN is left out; the order of
    unsigned and of long decimals was another one in old writers. Raises ValueError.
    """
    leaves = [schema.column(i) for i in range(len(schema))]
    # Of names that differ only in case, an engine that ignores case renames one.
    seen = Counter(c.path.casefold() for c in leaves)
    groups = [g for g in thrift.read(footer, _GROUPS).get(4, ()) if g.get(3)]
    for number, column in enumerate(leaves):
        flat = column.name == column.path and not column.max_repetition_level
        name = column.path.casefold()
        if flat and column.max_definition_level <= 1 and name in names and seen[name] == 1:
            yield column.name, _bounds(column, [_statistics(g, number, column) for g in groups])


def _statistics(group: Mapping[int, Any], number: int, column: pq.ColumnSchema) -> _Statistics:
    chunks, rows = group.get(1, ()), group[3]
    if len(chunks) <= number:
        raise ValueError(f"a row group of its footer has no column {column.name}")
    described = chunks[number].get(3, {})
    path = described.get(3)
    if path is not None and path != [column.name.encode()]:
        raise ValueError(f"a row group of its footer has another column where {column.name} is to be")
    found = described.get(12, {})
    ends = found.get(6), found.get(5)
    if None in ends and column.physical_type in ("INT32", "INT64"):
        # The fields of old writers, whose order was that of signed numbers.
        ends = found.get(2), found.get(1)
    low, high = ends
    return _Statistics(rows, found.get(3), None if low is None or high is None else (low, high))


def _bounds(column: pq.ColumnSchema, parts: Sequence[_Statistics]) -> Bounds:
    nulls = [_nulls(column, part) for part in parts]
    known = [n for n in nulls if n is not None]
    total = sum(known) if len(known) == len(nulls) else None
    having = [part.ends for n, part in zip(nulls, parts, strict=True) if n != part.rows]
    if not having or None in having:
        return Bounds(nulls=total)
    logical = _logical(column.logical_type.to_json())
    ends = [raw for pair in having if pair is not None for raw in pair]
    if column.physical_type == "BYTE_ARRAY" and logical["Type"] == "String":
        return Bounds(nulls=total, within=(min(ends), max(ends)))
    width = {"INT32": 4, "INT64": 8}.get(column.physical_type)
    if width is None or any(len(raw) != width for raw in ends):
        return Bounds(nulls=total)
    try:
        values = [_exact(logical, int.from_bytes(raw, "little", signed=True)) for raw in ends]
    except OverflowError:
        return Bounds(nulls=total)
    told = [v for v in values if v is not None]
    if len(told) < len(values):
        return Bounds(nulls=total)
    return Bounds(nulls=total, least=min(told), most=max(told))


def _nulls(column: pq.ColumnSchema, part: _Statistics) -> int | None:
    if not column.max_definition_level:
        return 0
    return part.nulls if part.nulls is not None and 0 <= part.nulls <= part.rows else None


_EPOCH = datetime(1970, 1, 1)


def _exact(logical: Mapping[str, Any], raw: int) -> Bound | None:
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
