"""Types as an impact needs them: what a column is stored as, and whether two types are the same."""

from __future__ import annotations

from functools import lru_cache

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

from contracts_svc.model import Column

DIALECT = "duckdb"
"""In which a type is read where nothing says otherwise: that of the engine that checks the data."""

_STORED = {
    "string": "VARCHAR",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "time": "TIME",
}

_FAMILIES: dict[str, frozenset[exp.DType]] = {
    "integer": frozenset(exp.DataType.INTEGER_TYPES),
    "number": frozenset(exp.DataType.NUMERIC_TYPES - exp.DataType.INTEGER_TYPES),
    "string": frozenset(exp.DataType.TEXT_TYPES),
    "boolean": frozenset({exp.DType.BOOLEAN}),
    "date": frozenset({exp.DType.DATE, exp.DType.DATE32}),
    "time": frozenset({exp.DType.TIME, exp.DType.TIMETZ}),
    "timestamp with time zone": frozenset({exp.DType.TIMESTAMPTZ, exp.DType.TIMESTAMPLTZ}),
}


def logical_as_stored(logical: str | None) -> str | None:
    """How a logical type is stored where no physical type is given; None for nested types."""
    return _STORED.get(logical or "")


def stored_type(column: Column) -> str | None:
    """What the column is promised to be stored as: ``physicalType``, else by its logical type."""
    if column.physical_type:
        return column.physical_type
    if column.logical_type == "timestamp" and column.logical_type_options.get("timezone") is True:
        return "TIMESTAMP WITH TIME ZONE"
    return logical_as_stored(column.logical_type)


def same_type(one: str | None, other: str | None, dialect: str = "") -> bool:
    """Whether two types are one, however they are spelt (``DOUBLE PRECISION`` is ``DOUBLE``)."""
    if one is None or other is None:
        return one is other
    return _canonical(one, dialect or DIALECT) == _canonical(other, dialect or DIALECT)


def family(type_: str, dialect: str = "") -> str:
    """What values of a type compare with: an ODCS logical type, or the type itself where none fits."""
    parsed = _parsed(type_, dialect or DIALECT)
    if parsed is not None:
        for name, members in _FAMILIES.items():
            if parsed.this in members:
                return name
        if parsed.this in exp.DataType.TEMPORAL_TYPES:
            return "timestamp"
    return _canonical(type_, dialect or DIALECT)


def compare_alike(one: str, other: str, dialect: str = "") -> bool:
    """Whether a comparison, a join or a group by that took one type goes on with the other.

    True within one family, and among integers, decimals and floats, which compare by value.
    """
    families = {family(one, dialect), family(other, dialect)}
    return len(families) == 1 or families <= {"integer", "number"}


def field_type(whole: str | None, path: str, dialect: str = "") -> str | None:
    """The type of a part (``.city``, ``[].price``) of a nested type; "" when the type has no such
    part, None when it is not known what is in it."""
    parsed = _parsed(whole, dialect or DIALECT) if whole else None
    for name in filter(None, path.replace("[]", ".[]").split(".")):
        if parsed is None or not parsed.is_type(*exp.DataType.NESTED_TYPES) or not parsed.expressions:
            return None
        if name == "[]":
            inner = parsed.expressions[0] if parsed.this in exp.DataType.ARRAY_TYPES else None
        else:
            fields = {e.name.lower(): e.args.get("kind") for e in parsed.expressions if e.name}
            if parsed.this not in exp.DataType.STRUCT_TYPES or not fields:
                return None
            if name.lower() not in fields:
                return ""
            inner = fields[name.lower()]
        parsed = inner if isinstance(inner, exp.DataType) else None
    return parsed.sql(dialect or DIALECT) if parsed is not None else None


def never_null(expression: str, dialect: str = "") -> bool:
    """Whether an expression gives a value even where its columns are NULL, as far as its outermost
    function tells: ``COALESCE(x, 0)``, ``COUNT(x)``, ``x IS NULL``."""
    if not expression:
        return False
    try:
        select = parse_one(f"SELECT {expression}", dialect=dialect or DIALECT)
    except (SqlglotError, ValueError, RecursionError):
        return False
    tree = select.expressions[0] if select.expressions else select
    while isinstance(tree, exp.Cast | exp.Paren):
        tree = tree.this
    if isinstance(tree, exp.Coalesce):
        last = tree.expressions[-1] if tree.expressions else tree.this
        return isinstance(last, exp.Literal | exp.Boolean)
    return isinstance(tree, exp.Count | exp.Is)


@lru_cache(maxsize=4096)
def _parsed(type_: str, dialect: str) -> exp.DataType | None:
    found: exp.DataType | None = None
    # Some dialects drop the length of a string when they read it; the neutral one keeps it.
    for reader in (dialect, ""):
        try:
            found = exp.DataType.build(type_, dialect=reader)
        except (SqlglotError, ValueError):
            continue
        if found.this not in exp.DataType.TEXT_TYPES:
            break
    return found


@lru_cache(maxsize=4096)
def _canonical(type_: str, dialect: str) -> str:
    parsed = _parsed(type_, dialect)
    if parsed is None:
        return " ".join(type_.upper().split())
    if parsed.this in exp.DataType.TEXT_TYPES and not parsed.expressions:
        return "TEXT"
    return parsed.sql()
