"""Types: what a contract promises against what a file has.

Stored types are written as DuckDB writes them (``DECIMAL(9,2)``, ``STRUCT(a INTEGER)``); a contract's
``physicalType`` is read in the same dialect, so ``INT64``, ``BIGINT`` and ``LONG`` are one type.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from functools import lru_cache

from sqlglot import exp
from sqlglot.errors import SqlglotError

from contracts_svc.model import Column

_D = exp.DType


class Family(StrEnum):
    """What kind of values a type holds: decides which checks make sense and how values compare."""

    TEXT = "text"
    BINARY = "binary"
    INTEGER = "integer"
    DECIMAL = "decimal"
    FLOAT = "float"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"
    TIMESTAMP_TZ = "timestamp with time zone"
    TIME = "time"
    LIST = "list"
    STRUCT = "struct"
    MAP = "map"
    OTHER = "other"

    @property
    def numeric(self) -> bool:
        """Whether values are numbers."""
        return self in (Family.INTEGER, Family.DECIMAL, Family.FLOAT)


_FAMILIES: dict[Family, tuple[exp.DType, ...]] = {
    Family.TEXT: (
        _D.TEXT, _D.VARCHAR, _D.CHAR, _D.NCHAR, _D.NVARCHAR, _D.JSON, _D.JSONB, _D.UUID, _D.ENUM,
    ),
    Family.BINARY: (_D.VARBINARY, _D.BINARY, _D.BLOB, _D.BIT),
    Family.INTEGER: (
        _D.TINYINT, _D.SMALLINT, _D.INT, _D.MEDIUMINT, _D.BIGINT, _D.INT128, _D.INT256,
        _D.UTINYINT, _D.USMALLINT, _D.UINT, _D.UMEDIUMINT, _D.UBIGINT, _D.UINT128, _D.UINT256,
    ),
    Family.DECIMAL: (_D.DECIMAL, _D.BIGDECIMAL, _D.UDECIMAL),
    Family.FLOAT: (_D.FLOAT, _D.DOUBLE, _D.UDOUBLE),
    Family.BOOLEAN: (_D.BOOLEAN,),
    Family.DATE: (_D.DATE, _D.DATE32),
    Family.TIMESTAMP: (
        _D.TIMESTAMP, _D.TIMESTAMPNTZ, _D.TIMESTAMP_S, _D.TIMESTAMP_MS, _D.TIMESTAMP_NS,
        _D.DATETIME, _D.DATETIME2, _D.DATETIME64, _D.SMALLDATETIME,
    ),
    Family.TIMESTAMP_TZ: (_D.TIMESTAMPTZ, _D.TIMESTAMPLTZ),
    Family.TIME: (_D.TIME, _D.TIMETZ, _D.TIME_NS),
    Family.LIST: (_D.ARRAY, _D.LIST),
    Family.STRUCT: (_D.STRUCT, _D.OBJECT),
    Family.MAP: (_D.MAP,),
}  # fmt: skip
_FAMILY_OF = {kind: family for family, kinds in _FAMILIES.items() for kind in kinds}

# What a contract's TIMESTAMP says nothing of: the unit that a file keeps its timestamps in.
_ANY_UNIT = (_D.TIMESTAMP, _D.TIMESTAMPNTZ, _D.DATETIME, _D.DATETIME2, _D.SMALLDATETIME)

_LOGICAL: dict[str, tuple[Family, ...]] = {
    "string": (Family.TEXT,),
    "integer": (Family.INTEGER,),
    "number": (Family.INTEGER, Family.DECIMAL, Family.FLOAT),
    "boolean": (Family.BOOLEAN,),
    "date": (Family.DATE,),
    "timestamp": (Family.TIMESTAMP, Family.TIMESTAMP_TZ),
    "time": (Family.TIME,),
    "object": (Family.STRUCT,),
    "array": (Family.LIST,),
    "map": (Family.MAP,),
    "vector": (Family.LIST,),
}
LOGICAL_TO_DUCKDB = {
    "string": "VARCHAR",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "time": "TIME",
}


@lru_cache(maxsize=4096)
def parse(text: str) -> exp.DataType | None:
    """The type that a text names in DuckDB's dialect, or None when it names none."""
    try:
        found = exp.DataType.build(text, dialect="duckdb")
    except (SqlglotError, ValueError):
        return None
    return None if found.this == _D.USERDEFINED else found


def family(kind: exp.DataType | None) -> Family:
    """The family of a type; OTHER when the type is not known."""
    if kind is None or not isinstance(kind.this, _D):
        return Family.OTHER
    return _FAMILY_OF.get(kind.this, Family.OTHER)


def scale(kind: exp.DataType) -> int:
    """Digits after the point that a DECIMAL keeps; 0 for integers."""
    digits = kind.expressions
    return int(digits[1].name) if family(kind) is Family.DECIMAL and len(digits) > 1 else 0


def fields(kind: exp.DataType) -> dict[str, exp.DataType]:
    """The fields of a STRUCT, in order."""
    return {
        e.name: e.kind
        for e in kind.expressions
        if isinstance(e, exp.ColumnDef) and isinstance(e.kind, exp.DataType)
    }


def inner(kind: exp.DataType) -> tuple[exp.DataType, ...]:
    """The element type of a list, or the key and value types of a map."""
    return tuple(e for e in kind.expressions if isinstance(e, exp.DataType))


def fits_logical(column: Column, stored: exp.DataType) -> bool:
    """Whether values of this stored type are what the column's ``logicalType`` promises.

    An integer is a number, and a DECIMAL without digits after the point is an integer. Where
    ``logicalTypeOptions.timezone`` is given, a timestamp must have (or lack) a time zone. A string
    whose format is ``binary`` or ``byte`` may be stored as bytes. An object is a map where its physical
    type says so: before 3.2, the standard had no other word for one.
    """
    logical = (column.logical_type or "").lower()
    found = family(stored)
    options = column.logical_type_options
    if logical == "integer" and found is Family.DECIMAL:
        return scale(stored) == 0
    if logical == "object" and found is Family.MAP:
        return family(parse(column.physical_type or "")) is Family.MAP
    if logical == "string" and options.get("format") in ("binary", "byte"):
        return found in (Family.TEXT, Family.BINARY)
    if logical == "timestamp" and isinstance(options.get("timezone"), bool):
        wanted = Family.TIMESTAMP_TZ if options["timezone"] else Family.TIMESTAMP
        return found is wanted
    return found in _LOGICAL.get(logical, (found,))


def fits_physical(promised: exp.DataType, text: str, stored: exp.DataType) -> bool:
    """Whether a stored type is the promised one. ``text`` is the promise as it was written.

    Text has no length in a Parquet file, so VARCHAR(10) is VARCHAR; a DECIMAL without digits and a
    TIMESTAMP without a unit leave them open.
    """
    wanted, found = family(promised), family(stored)
    if wanted is not found:
        return False
    if wanted is Family.TEXT:
        return promised.this == stored.this or _D.UUID not in (promised.this, stored.this)
    if wanted is Family.BINARY:
        return True
    if wanted is Family.DECIMAL:
        return "(" not in text or _digits(promised) == _digits(stored)
    if wanted is Family.TIMESTAMP:
        return promised.this in _ANY_UNIT or promised.this == stored.this
    if wanted is Family.STRUCT:
        return _same_fields(promised, stored)
    if wanted in (Family.LIST, Family.MAP):
        parts, have = inner(promised), inner(stored)
        pairs = list(zip(parts, have, strict=False))
        return not parts or (
            len(parts) == len(have) and all(fits_physical(p, p.sql("duckdb"), s) for p, s in pairs)
        )
    return bool(promised.this == stored.this)


def _same_fields(promised: exp.DataType, stored: exp.DataType) -> bool:
    wanted, found = fields(promised), fields(stored)
    if not wanted:
        return True
    return list(wanted) == list(found) and all(
        fits_physical(kind, kind.sql("duckdb"), found[name]) for name, kind in wanted.items()
    )


def _digits(kind: exp.DataType) -> tuple[str, ...]:
    return tuple(e.name for e in kind.expressions)


def promised_type(column: Column) -> str:
    """The DuckDB type in which to read a column that only has text, such as a Hive partition key."""
    physical = column.physical_type
    if physical and parse(physical) is not None:
        return physical
    return LOGICAL_TO_DUCKDB.get((column.logical_type or "").lower(), "VARCHAR")


_READERS: dict[Family, Callable[[str], object]] = {
    Family.INTEGER: int,
    Family.DECIMAL: Decimal,
    Family.FLOAT: float,
    Family.DATE: date.fromisoformat,
    Family.TIMESTAMP: datetime.fromisoformat,
    Family.TIMESTAMP_TZ: datetime.fromisoformat,
}


def reads_as(text: str, column: Column) -> bool:
    """Whether a text, such as the value of a Hive partition key, reads as the column's type.

    ``__HIVE_DEFAULT_PARTITION__`` is NULL, which every type has.
    """
    if text == "__HIVE_DEFAULT_PARTITION__":
        return True
    promised = family(parse(promised_type(column)))
    if promised is Family.BOOLEAN:
        return text.lower() in ("true", "false")
    try:
        _READERS.get(promised, str)(text)
    except (ValueError, InvalidOperation):
        return False
    return True
