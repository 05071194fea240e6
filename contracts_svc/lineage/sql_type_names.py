"""How DuckDB writes types, and which of them are alike."""

from __future__ import annotations

from sqlglot import exp
from sqlglot.errors import SqlglotError

_NAMES = {
    exp.DType.TINYINT: "TINYINT",
    exp.DType.SMALLINT: "SMALLINT",
    exp.DType.INT: "INTEGER",
    exp.DType.BIGINT: "BIGINT",
    exp.DType.INT128: "HUGEINT",
    exp.DType.UTINYINT: "UTINYINT",
    exp.DType.USMALLINT: "USMALLINT",
    exp.DType.UINT: "UINTEGER",
    exp.DType.UBIGINT: "UBIGINT",
    exp.DType.UINT128: "UHUGEINT",
    exp.DType.FLOAT: "FLOAT",
    exp.DType.DOUBLE: "DOUBLE",
    exp.DType.BOOLEAN: "BOOLEAN",
    exp.DType.TEXT: "VARCHAR",
    exp.DType.VARCHAR: "VARCHAR",
    exp.DType.CHAR: "VARCHAR",
    exp.DType.BINARY: "BLOB",
    exp.DType.VARBINARY: "BLOB",
    exp.DType.DATE: "DATE",
    exp.DType.TIME: "TIME",
    exp.DType.TIMESTAMP: "TIMESTAMP",
    exp.DType.TIMESTAMPNTZ: "TIMESTAMP",
    exp.DType.DATETIME: "TIMESTAMP",
    exp.DType.TIMESTAMPTZ: "TIMESTAMP WITH TIME ZONE",
    exp.DType.INTERVAL: "INTERVAL",
    exp.DType.UUID: "UUID",
    exp.DType.JSON: "JSON",
}
TIMESTAMPTZ = "TIMESTAMP WITH TIME ZONE"
MOMENTS = frozenset({"DATE", "TIMESTAMP", TIMESTAMPTZ})
TIMES = MOMENTS | {"TIME"}
SPANS = MOMENTS | {"INTERVAL"}
TEXT = frozenset({"VARCHAR"})


def canonical(written: str) -> str | None:
    """A type as DuckDB's ``typeof`` writes it (``int4`` is ``INTEGER``); None where it is unknown."""
    try:
        return written_type(exp.DataType.build(written, dialect="duckdb"))
    except (SqlglotError, RecursionError):
        return None


def written_type(written: exp.DataType) -> str | None:
    """The name of a parsed type."""
    parts = [p for p in written.expressions if not isinstance(p, exp.Interval)]
    if written.this is exp.DType.DECIMAL:
        numbers = [p.this.name for p in parts if isinstance(p, exp.DataTypeParam)]
        width, scale = (*numbers, *("18", "3")[len(numbers) :])[:2] if numbers else ("18", "3")
        return f"DECIMAL({width},{scale if len(numbers) != 1 else '0'})"
    if written.this in (exp.DType.ARRAY, exp.DType.LIST):
        inner = written_type(parts[0]) if len(parts) == 1 and isinstance(parts[0], exp.DataType) else None
        return f"{inner}[]" if inner and not written.args.get("values") else None
    return _NAMES.get(written.this) if isinstance(written.this, exp.DType) else None
