"""Physical types, as a dialect or a file format writes them, brought to one lattice.

SQL types are parsed by sqlglot; Parquet, Avro and Protobuf types are known by their own names.
Nothing here raises: what is not known is ``Unknown`` and is compared by name.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import ClassVar

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import SqlglotError
from sqlglot.parser import Parser
from sqlglot.parsers.duckdb import DuckDBParser

from contracts_svc.compat.lattice import (
    DATE,
    VARIANT,
    AnyNumber,
    Array,
    Binary,
    Decimal,
    Enum,
    Float,
    Integer,
    Map,
    Moment,
    Plain,
    Shape,
    Struct,
    Text,
    Unknown,
)

FORMATS = frozenset({"avro", "protobuf", "parquet"})
"""The dialects that are file formats with type names of their own."""

_RAW = re.compile(r"(?:long )?raw(?: ?\((\d{1,9})\))?")
"""Oracle's byte strings, which the parser does not know."""
_AROUND_SIGNS = re.compile(r" ?([(),:<>\[\]]) ?")
_LONGEST = 10_000
_DEEPEST = 50

T = exp.DType

_INTEGERS = {
    T.TINYINT: Integer.bits(8),
    T.SMALLINT: Integer.bits(16),
    T.MEDIUMINT: Integer.bits(24),
    T.INT: Integer.bits(32),
    T.BIGINT: Integer.bits(64),
    T.INT128: Integer.bits(128),
    T.INT256: Integer.bits(256),
    T.UTINYINT: Integer.bits(8, signed=False),
    T.USMALLINT: Integer.bits(16, signed=False),
    T.UMEDIUMINT: Integer.bits(24, signed=False),
    T.UINT: Integer.bits(32, signed=False),
    T.UBIGINT: Integer.bits(64, signed=False),
    T.UINT128: Integer.bits(128, signed=False),
    T.UINT256: Integer.bits(256, signed=False),
    T.SMALLSERIAL: Integer.bits(16),
    T.SERIAL: Integer.bits(32),
    T.BIGSERIAL: Integer.bits(64),
    T.YEAR: Integer(1901, 2155),
}

_ALWAYS: dict[exp.DType, Shape] = {
    **_INTEGERS,
    T.DOUBLE: Float(64),
    T.UDOUBLE: Float(64),
    T.BIGDECIMAL: Decimal(76, 38),
    T.MONEY: Decimal(19, 4),
    T.SMALLMONEY: Decimal(10, 4),
    T.BOOLEAN: Plain("boolean"),
    T.DATE: DATE,
    T.DATE32: DATE,
    T.UUID: Plain("uuid"),
    T.JSON: Plain("json"),
    T.JSONB: Plain("json"),
    T.INTERVAL: Plain("interval"),
    T.VARIANT: VARIANT,
    T.SUPER: VARIANT,
    T.DYNAMIC: VARIANT,
    T.GEOGRAPHY: Plain("geography"),
    T.GEOMETRY: Plain("geometry"),
    T.INET: Plain("inet"),
    T.TINYTEXT: Text(255),
    T.NAME: Text(63),
    T.TINYBLOB: Binary(255),
}

_TEXTS = {T.TEXT, T.VARCHAR, T.NVARCHAR, T.MEDIUMTEXT, T.LONGTEXT}
_FIXED_TEXTS = {T.CHAR, T.NCHAR, T.BPCHAR}
_BINARIES = {T.VARBINARY, T.BLOB, T.MEDIUMBLOB, T.LONGBLOB, T.IMAGE}
_STRUCTS = {T.STRUCT, T.OBJECT, T.NESTED}

_NAIVE = {T.TIMESTAMP, T.TIMESTAMPNTZ, T.DATETIME, T.DATETIME2, T.DATETIME64, T.SMALLDATETIME}
_ZONED = {T.TIMESTAMPTZ, T.TIMESTAMPLTZ}
_OF_UNIT = {T.TIMESTAMP_S: 0, T.TIMESTAMP_MS: 3, T.TIMESTAMP_NS: 9}

_DIGITS = {"trino": 3, "presto": 3, "athena": 3, "snowflake": 9, "tsql": 7, "mysql": 0}
"""Digits of a second when a type does not say; 6 elsewhere."""

_DECIMAL: dict[str, Decimal] = {
    "duckdb": Decimal(18, 3),
    "snowflake": Decimal(38, 0),
    "bigquery": Decimal(38, 9),
    "trino": Decimal(38, 0),
    "presto": Decimal(38, 0),
    "athena": Decimal(10, 0),
    "redshift": Decimal(18, 0),
    "tsql": Decimal(18, 0),
    "postgres": Decimal(None, 0),
    "oracle": Decimal(None, 0),
}
"""What ``decimal`` without parameters is, by each engine's manual; (10, 0) elsewhere."""

_DOUBLE_FLOATS = {"snowflake", "bigquery", "oracle"}
"""Dialects whose every FLOAT has 64 bits."""

_TEXT_LENGTH = {"redshift": 256}
_SNOWFLAKE_TEXT = 16_777_216


class _LakeParser(DuckDBParser):
    """DuckDB ignores the length of VARCHAR(n); a contract that states one promises it."""

    TYPE_CONVERTERS: ClassVar = {k: v for k, v in DuckDBParser.TYPE_CONVERTERS.items() if k is not T.TEXT}


@lru_cache(maxsize=16_384)
def parse(text: str, dialect: str) -> Shape:
    """The type that this text means in a dialect of sqlglot's, or in one of FORMATS.

    Never raises: junk is ``Unknown``.
    """
    name = " ".join(text.split()).lower()
    if not _sane(name):
        return Unknown(name)
    if dialect in FORMATS:
        return _format_type(name, dialect) or _sql_type(text, name, "duckdb") or _unknown(name)
    shape = _sql_type(text, name, dialect)
    if shape is None and dialect == "oracle" and (raw := _RAW.fullmatch(name)):
        return Binary(int(raw[1]) if raw[1] else None)
    for other in () if shape else ("parquet", "avro", "protobuf"):
        shape = shape or _format_type(name, other)
    return shape or _unknown(name)


def _unknown(name: str) -> Unknown:
    return Unknown(_AROUND_SIGNS.sub(r"\1", name))


def _sane(name: str) -> bool:
    """Whether a parser can be let loose on it: not endless, not bottomless, brackets closed."""
    if not name or len(name) > _LONGEST:
        return False
    depth = 0
    for char in name:
        depth += (char in "<([") - (char in ">)]")
        if not 0 <= depth <= _DEEPEST:
            return False
    return depth == 0


def _sql_type(text: str, name: str, dialect: str) -> Shape | None:
    try:
        known = Dialect.get_or_raise(dialect)
        parser: Parser = _LakeParser(dialect=known) if dialect == "duckdb" else known.parser()
        parsed = parser.parse_into(exp.DataType, known.tokenize(text), text)
    except (SqlglotError, ValueError, RecursionError):
        return None
    if len(parsed) != 1 or not isinstance(parsed[0], exp.DataType):
        return None
    if dialect == "tsql" and parsed[0].this is T.FLOAT and not name.startswith("real"):
        digits = _parameter(parsed[0], 0)
        return Float(32 if digits is not None and digits <= 24 else 64)
    return _shape(parsed[0], dialect)


def _shape(node: exp.DataType, dialect: str) -> Shape | None:
    kind = node.this
    if kind in _INTEGERS and dialect == "snowflake":
        return Decimal(38, 0)
    if kind in _INTEGERS and dialect == "bigquery":
        return Integer.bits(64)
    if kind in _ALWAYS:
        return _ALWAYS[kind]
    if kind is T.FLOAT:
        return Float(64 if dialect in _DOUBLE_FLOATS else 32)
    if kind is T.DECIMAL:
        return _decimal(node, dialect)
    if kind is T.BIT:
        return Plain("boolean" if dialect in ("tsql", "mysql") else "bits")
    if kind in _TEXTS or kind in _FIXED_TEXTS:
        return _text(node, dialect)
    if kind in _BINARIES or kind is T.BINARY:
        fixed = kind is T.BINARY and dialect in ("tsql", "mysql")
        return Binary(_parameter(node, 0), fixed)
    if kind is T.ENUM:
        return Enum(frozenset(str(e.this) for e in node.expressions))
    return _moment(node, dialect) or _nested(node, dialect)


def _parameter(node: exp.DataType, index: int) -> int | None:
    """A whole-number parameter, or None when it is missing or a word (``max``)."""
    numbers = [p for p in node.expressions if isinstance(p, exp.DataTypeParam)]
    if index >= len(numbers):
        return None
    value = numbers[index].name
    return int(value) if re.fullmatch(r"-?\d{1,9}", value) else None


def _decimal(node: exp.DataType, dialect: str) -> Decimal:
    precision, scale = _parameter(node, 0), _parameter(node, 1)
    if precision is None:
        return _DECIMAL.get(dialect, Decimal(10, 0))
    return Decimal(precision, scale or 0)


def _text(node: exp.DataType, dialect: str) -> Text:
    length = _parameter(node, 0)
    fixed = node.this in _FIXED_TEXTS
    if length is None and not node.expressions and node.this is not T.TEXT:
        length = 1 if fixed and node.this is not T.BPCHAR else _TEXT_LENGTH.get(dialect)
    if dialect == "snowflake" and length is not None and length >= _SNOWFLAKE_TEXT:
        length = None
    return Text(length, fixed)


def _moment(node: exp.DataType, dialect: str) -> Moment | None:
    kind = node.this
    digits = _parameter(node, 0)
    if digits is None:
        digits = _DIGITS.get(dialect, 6)
    if kind in _OF_UNIT:
        return Moment("timestamp", _OF_UNIT[kind], zoned=False, short=kind is T.TIMESTAMP_NS)
    if kind in _NAIVE or kind in _ZONED:
        return Moment("timestamp", digits, zoned=kind in _ZONED)
    if kind in (T.TIME, T.TIMETZ):
        return Moment("time", digits, zoned=kind is T.TIMETZ)
    return None


def _nested(node: exp.DataType, dialect: str) -> Shape | None:
    kind, inside = node.this, node.expressions
    if kind in (T.ARRAY, T.LIST):
        sizes = node.args.get("values") or []
        size = int(sizes[0].name) if sizes and sizes[0].name.isdigit() else None
        return Array(_member(inside[0], dialect) if inside else None, size)
    if kind is T.MAP:
        if len(inside) != 2:
            return Map(None)
        return Map((_member(inside[0], dialect), _member(inside[1], dialect)))
    if kind in _STRUCTS:
        if not inside:
            return Struct(None)
        return Struct(tuple((_field_name(f, i), _member(f, dialect)) for i, f in enumerate(inside)))
    return None


def _field_name(node: exp.Expression, index: int) -> str:
    return node.name.lower() if isinstance(node, exp.ColumnDef) else f"#{index}"


def _member(node: exp.Expression, dialect: str) -> Shape:
    """The type of a field, element, key or value."""
    inner = node.args.get("kind") if isinstance(node, exp.ColumnDef) else node
    shape = _shape(inner, dialect) if isinstance(inner, exp.DataType) else None
    return shape or Unknown(node.sql().lower())


_AVRO: dict[str, Shape] = {
    "boolean": Plain("boolean"),
    "int": Integer.bits(32),
    "long": Integer.bits(64),
    "float": Float(32),
    "double": Float(64),
    "bytes": Binary(),
    "string": Text(),
    "fixed": Binary(),
    "record": Struct(None),
    "map": Map(None),
    "array": Array(None),
    "date": DATE,
    "uuid": Plain("uuid"),
    "duration": Plain("interval"),
    "time-millis": Moment("time", 3, zoned=False, raw=True),
    "time-micros": Moment("time", 6, zoned=False, raw=True),
    **{
        f"{prefix}timestamp-{unit}": Moment("timestamp", digits, zoned=not prefix, raw=True)
        for prefix in ("", "local-")
        for unit, digits in (("millis", 3), ("micros", 6), ("nanos", 9))
    },
}
"""Avro 1.12: primitive, complex and logical types."""

_PROTOBUF: dict[str, Shape] = {
    "double": Float(64),
    "float": Float(32),
    "bool": Plain("boolean"),
    "string": Text(),
    "bytes": Binary(),
    "message": Struct(None),
    **{name: Integer.bits(32) for name in ("int32", "sint32", "sfixed32")},
    **{name: Integer.bits(64) for name in ("int64", "sint64", "sfixed64")},
    **{name: Integer.bits(32, signed=False) for name in ("uint32", "fixed32")},
    **{name: Integer.bits(64, signed=False) for name in ("uint64", "fixed64")},
    "google.protobuf.timestamp": Moment("timestamp", 9, zoned=True),
}
"""Scalar value types of the Protocol Buffers language guide."""

_PARQUET: dict[str, Shape] = {
    "boolean": Plain("boolean"),
    "int32": Integer.bits(32),
    "int64": Integer.bits(64),
    "int96": Moment("timestamp", 9, zoned=False),
    "float": Float(32),
    "double": Float(64),
    "float16": Float(16),
    "byte_array": Binary(),
    "fixed_len_byte_array": Binary(),
    "string": Text(),
    "utf8": Text(),
    "enum": Text(),
    "date": DATE,
    "uuid": Plain("uuid"),
    "json": Plain("json"),
    "bson": Binary(),
    "interval": Plain("interval"),
    "list": Array(None),
    "map": Map(None),
    "decimal": AnyNumber(),
    **{f"int_{bits}": Integer.bits(bits) for bits in (8, 16, 32, 64)},
    **{f"uint_{bits}": Integer.bits(bits, signed=False) for bits in (8, 16, 32, 64)},
    **{f"time_{u}": Moment("time", d, zoned=True) for u, d in (("millis", 3), ("micros", 6))},
    **{f"timestamp_{u}": Moment("timestamp", d, zoned=True) for u, d in (("millis", 3), ("micros", 6))},
}
"""Parquet's LogicalTypes.md: physical types, and annotations in their old spelling."""

_UNITS = {"millis": 3, "micros": 6, "nanos": 9}


def _format_type(name: str, dialect: str) -> Shape | None:
    table = {"avro": _AVRO, "protobuf": _PROTOBUF, "parquet": _PARQUET}[dialect]
    if name in table:
        return table[name]
    match = re.fullmatch(r"([a-z_0-9]+)\s*\((.*)\)", name)
    if match is None:
        return None
    kind, words = match[1], [w.strip() for w in match[2].split(",")]
    if kind == "decimal" and all(re.fullmatch(r"\d{1,9}", w) for w in words) and len(words) <= 2:
        return Decimal(int(words[0]), int(words[1]) if len(words) == 2 else 0)
    if dialect == "avro" and kind == "fixed" and words[0].isdigit():
        return Binary(int(words[0]), fixed=True)
    return _parquet_annotation(kind, words) if dialect == "parquet" else None


def _parquet_annotation(kind: str, words: list[str]) -> Shape | None:
    """Annotations with parameters: ``INT(8,true)``, ``TIMESTAMP(MICROS,true)``."""
    adjusted = words[-1].split("=")[-1] == "true"
    first = words[0].split("=")[-1]
    if kind == "int" and first in ("8", "16", "32", "64"):
        return Integer.bits(int(first), signed=adjusted)
    if kind == "fixed_len_byte_array" and first.isdigit():
        return Binary(int(first), fixed=True)
    if kind in ("time", "timestamp"):
        unit = next((d for u, d in _UNITS.items() for w in words if w.endswith(u)), None)
        if unit is not None:
            zoned = any(w.split("=")[-1] == "true" for w in words)
            return Moment(kind, unit, zoned=zoned, short=unit == 9 and kind == "timestamp")
    return None
