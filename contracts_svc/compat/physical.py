"""Physical types, as a dialect or a file format writes them, brought to one lattice.

SQL types are parsed by sqlglot; Parquet, Avro and Protobuf types are known by their own names (``formats``).
Nothing here raises: what is not known is ``Unknown`` and is compared by name.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import sha256
from typing import ClassVar

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import SqlglotError
from sqlglot.parser import Parser
from sqlglot.parsers.duckdb import DuckDBParser

from contracts_svc.compat.fields import labels
from contracts_svc.compat.formats import FORMATS, MOST_BRANCHES, format_type
from contracts_svc.compat.lattice import (
    DATE,
    NOTHING_BUT_NULL,
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
    NotNull,
    Plain,
    Shape,
    Struct,
    Text,
    Unknown,
    union,
)

_RAW = re.compile(r"(?:long )?raw(?: ?\((\d{1,9})\))?")
"""Oracle's byte strings, which the parser does not know."""
_FLOAT = re.compile(r"float ?\((\d{1,2})\)")
"""PostgreSQL and SQL Server: by binary digits, of which 24 fit 32 bits."""
_BITS = re.compile(r"(bit|bit varying|varbit)(?: ?\((\d{1,9})\))?")
_INTERVAL = re.compile(r"interval ((?:year|month|day|hour|minute|second|to|\(\d+\)| )+)")
_SUFFIX = re.compile(r"(?<=\S)\s+array$", re.IGNORECASE)
_COLLATION = re.compile(r"(?<=\S)\s+collate\s+[\w.]+$", re.IGNORECASE)
"""It tells how strings compare, not which there are."""
_AROUND_SIGNS = re.compile(r" ?([(),:<>\[\]]) ?")
_LONGEST = 10_000
_DEEPEST = 50
_MOST_UNIONS = 4
"""Comparing two unions compares every branch with every other, and so on inside."""

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
    T.NULL: NOTHING_BUT_NULL,
    T.TINYTEXT: Text(255),
    T.NAME: Text(63),
    T.TINYBLOB: Binary(255),
}

_OPAQUE = (
    {T.XML, T.HSTORE, T.IPADDRESS, T.IPPREFIX, T.HLLSKETCH, T.TDIGEST, T.POINT, T.POLYGON, T.FILE}
    | {T.INT4RANGE, T.INT8RANGE, T.NUMRANGE, T.TSRANGE, T.TSTZRANGE, T.DATERANGE}
    | {
        T.INT4MULTIRANGE,
        T.INT8MULTIRANGE,
        T.NUMMULTIRANGE,
        T.TSMULTIRANGE,
        T.TSTZMULTIRANGE,
        T.DATEMULTIRANGE,
    }
)
"""Types of an engine of which no more is known than that they are like no other."""

_TRINO: dict[str, Shape] = {
    **{name: Plain(name) for name in ("hyperloglog", "p4hyperloglog", "setdigest", "color")},
    "sphericalgeography": Plain("geography"),
    "unknown": NOTHING_BUT_NULL,
}
_POSTGRES: dict[str, Shape] = {
    **{
        n: Plain(n)
        for n in ("line", "lseg", "box", "path", "circle", "polygon", "cidr", "macaddr", "macaddr8")
    },
    **{n: Plain(n) for n in ("tsvector", "tsquery", "pg_lsn", "pg_snapshot", "jsonpath", "regclass")},
    "citext": Text(),
    "oid": Integer.bits(32, signed=False),
    "serial2": Integer.bits(16),
    "serial4": Integer.bits(32),
    "serial8": Integer.bits(64),
}
_OWN: dict[str, dict[str, Shape]] = {
    "duckdb": {"guid": Plain("uuid")},
    "spark": {"void": NOTHING_BUT_NULL},
    "databricks": {"void": NOTHING_BUT_NULL},
    "trino": _TRINO,
    "presto": _TRINO,
    "athena": _TRINO,
    "postgres": _POSTGRES,
    "snowflake": {"decfloat": AnyNumber()},
}
"""Names of a dialect's that the parser does not know."""

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


def parse(text: str, dialect: str) -> Shape:
    """The type that this text means in a dialect of sqlglot's, or in one of FORMATS.

    Never raises: junk is ``Unknown``. What is longer than any type is not parsed, nor kept.
    """
    if len(text) > _LONGEST:
        folded = " ".join(text.split()).lower()
        return Unknown(f"{folded[:100]}... ({sha256(folded.encode(errors='replace')).hexdigest()})")
    return _parse(text, dialect)


@lru_cache(maxsize=4_096)
def _parse(text: str, dialect: str) -> Shape:
    name = " ".join(text.split()).lower()
    if not _sane(name):
        return Unknown(name)
    if dialect in FORMATS:
        return format_type(text, dialect) or _sql_type(text, name, "duckdb") or _unknown(name)
    shape = _named(name, dialect) or _sql_type(text, name, dialect)
    for other in () if shape else ("parquet", "avro", "protobuf"):
        shape = shape or format_type(text, other)
    return shape or _unknown(name)


def _unknown(name: str) -> Unknown:
    return Unknown(_AROUND_SIGNS.sub(r"\1", name))


def _named(name: str, dialect: str) -> Shape | None:
    """Types that the parser does not know, or reads without what tells them apart."""
    if name in _OWN.get(dialect, ()):
        return _OWN[dialect][name]
    if dialect == "oracle" and (raw := _RAW.fullmatch(name)):
        return Binary(int(raw[1]) if raw[1] else None)
    if dialect in ("tsql", "postgres") and (binary := _FLOAT.fullmatch(name)):
        return Float(32 if int(binary[1]) <= 24 else 64)
    if dialect in ("postgres", "redshift") and (bits := _BITS.fullmatch(name)):
        return Plain(f"bits{'' if bits[1] == 'bit' else ' varying'} {bits[2] or ''}".strip())
    if units := _INTERVAL.fullmatch(name):
        months = not re.search("day|hour|minute|second", units[1])
        return Plain("interval of months" if months else "interval of seconds")
    return None


def _sane(name: str) -> bool:
    """Whether a parser can be let loose on it: not bottomless, brackets closed, few unions in unions."""
    if name.count("union(") + name.count("union (") > _MOST_UNIONS:
        return False
    depth = 0
    for char in name:
        depth += (char in "<([{") - (char in ">)]}")
        if not 0 <= depth <= _DEEPEST:
            return False
    return bool(name) and depth == 0


def _sql_type(text: str, name: str, dialect: str) -> Shape | None:
    text = _SUFFIX.sub("[]", _COLLATION.sub("", text))
    try:
        known = Dialect.get_or_raise(dialect)
        parser: Parser = _LakeParser(dialect=known) if dialect == "duckdb" else known.parser()
        parsed = parser.parse_into(exp.DataType, known.tokenize(text), text)
    except (SqlglotError, ValueError, RecursionError):
        return None
    if len(parsed) != 1 or not isinstance(parsed[0], exp.DataType):
        return None
    if dialect == "tsql" and parsed[0].this is T.FLOAT and not name.startswith("real"):
        return Float(64)
    return _shape(parsed[0], dialect)


def _shape(node: exp.DataType, dialect: str) -> Shape | None:
    kind = node.this
    if kind in _INTEGERS and dialect == "snowflake":
        return Decimal(38, 0)
    if kind in _INTEGERS and dialect == "bigquery":
        return Integer.bits(64)
    if kind in _ALWAYS:
        return _ALWAYS[kind]
    if kind in _OPAQUE:
        return Plain(kind.value.lower())
    if kind is T.FLOAT:
        return Float(64 if dialect in _DOUBLE_FLOATS else 32)
    if kind in (T.DECIMAL, T.BIGDECIMAL):
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


def _decimal(node: exp.DataType, dialect: str) -> Decimal | None:
    precision, scale = _parameter(node, 0), _parameter(node, 1)
    if len(node.expressions) != sum(n is not None for n in (precision, scale)):
        return None
    if precision is None and node.this is T.BIGDECIMAL:
        return Decimal(76, 38)
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
    if kind is T.TIME_NS:
        return Moment("time", 9, zoned=False)
    if kind in (T.TIME, T.TIMETZ):
        return Moment("time", digits, zoned=kind is T.TIMETZ)
    return None


def _nested(node: exp.DataType, dialect: str) -> Shape | None:
    kind, inside = node.this, node.expressions
    if kind in (T.ARRAY, T.LIST):
        sizes = node.args.get("values") or []
        size = int(sizes[0].name) if sizes and sizes[0].name.isdigit() else None
        return Array(_member(inside[0], dialect) if inside else None, size)
    if kind is T.VECTOR:
        sizes = [e.name for e in inside if isinstance(e, exp.DataTypeParam) and e.name.isdigit()]
        words = [e for e in inside if isinstance(e, exp.DataType)]
        element = Integer.bits(32) if words and words[0].this is T.INT else Float(32)
        return Array(element, int(sizes[-1][:9]) if sizes else None)
    if kind is T.RANGE:
        return Plain(f"range of {inside[0].sql().lower()}") if len(inside) == 1 else None
    if kind is T.UNION and 0 < len(inside) <= MOST_BRANCHES:
        return union(_member(branch, dialect) for branch in inside)
    if kind is T.MAP:
        if len(inside) != 2:
            return Map(None)
        return Map((_member(inside[0], dialect), _member(inside[1], dialect)))
    if kind in _STRUCTS:
        if not inside:
            return Struct(None)
        names = labels(_field_name(f, i) for i, f in enumerate(inside))
        return Struct(tuple((n, _member(f, dialect)) for n, f in zip(names, inside, strict=True)))
    return None


def _field_name(node: exp.Expression, index: int) -> str:
    return node.name.lower() if isinstance(node, exp.ColumnDef) else f"#{index}"


def _member(node: exp.Expression, dialect: str) -> Shape:
    """The type of a field, element, key or value."""
    inner = node.args.get("kind") if isinstance(node, exp.ColumnDef) else node
    shape = _shape(inner, dialect) if isinstance(inner, exp.DataType) else None
    if shape is None:
        return Unknown(node.sql().lower())
    constraints = node.args.get("constraints") or () if isinstance(node, exp.ColumnDef) else ()
    return NotNull(shape) if any(_demands_value(c) for c in constraints) else shape


def _demands_value(constraint: exp.Expression) -> bool:
    kind = constraint.args.get("kind")
    return isinstance(kind, exp.NotNullColumnConstraint) and not kind.args.get("allow_null")
