"""How the type of a column changed: over physical and logical types, nested ones too."""

from __future__ import annotations

from collections.abc import Mapping

from contracts_svc.compat import physical
from contracts_svc.compat.lattice import (
    DATE,
    AnyNumber,
    Array,
    Decimal,
    Float,
    Integer,
    Map,
    Moment,
    Plain,
    Relation,
    Shape,
    Struct,
    Text,
    Unknown,
    combined,
    relate,
)
from contracts_svc.model import Column, Contract

__all__ = ["Relation", "accepts", "column_relation", "dialect_of", "relation", "shape_relation"]

_DIALECTS = {
    "postgresql": "postgres",
    "cloudsql": "postgres",
    "sqlserver": "tsql",
    "synapse": "tsql",
    "glue": "athena",
    "impala": "hive",
    "azuresql": "tsql",
    "athena": "athena",
    "bigquery": "bigquery",
    "clickhouse": "clickhouse",
    "databricks": "databricks",
    "dremio": "dremio",
    "duckdb": "duckdb",
    "hive": "hive",
    "mysql": "mysql",
    "oracle": "oracle",
    "postgres": "postgres",
    "presto": "presto",
    "redshift": "redshift",
    "snowflake": "snowflake",
    "trino": "trino",
}
"""ODCS server type -> sqlglot dialect. Every other type holds files or messages."""


def dialect_of(contract: Contract) -> str:
    """The dialect that physical types are written in: of the first server that has one of its own.

    Files and messages in Avro or Protobuf use those formats' names; all else is read with DuckDB.
    """
    for server in contract.servers:
        if server.type.lower() in _DIALECTS:
            return _DIALECTS[server.type.lower()]
        format_ = str(server.fields.get("format") or "").lower()
        if format_ in ("avro", "protobuf"):
            return format_
    return "duckdb"


def relation(old: str, new: str, dialect: str = "duckdb") -> Relation:
    """The relation of two physical types as a dialect writes them.

    Never raises: a type that is not known is compared by name, ignoring case and spacing.
    """
    return relate(physical.parse(old, dialect), physical.parse(new, dialect))


def accepts(declared: str, actual: str, dialect: str = "duckdb") -> bool:
    """Whether data stored as ``actual`` keeps a contract that declares ``declared``.

    Every stored value must be one of the declared type's, unchanged. A decimal declared without
    precision promises none, so it takes any decimal or whole number.
    """
    stored = physical.parse(actual, dialect)
    if declared.strip().lower() in ("decimal", "numeric", "number"):
        return isinstance(stored, Decimal | Integer)
    return relate(stored, physical.parse(declared, dialect)) in (Relation.EQUAL, Relation.WIDENED)


def column_relation(old: Column, new: Column, dialect: str) -> Relation:
    """The relation of two versions of a column, with everything nested in it.

    Fields of an object are matched by name; one that came or went widens or narrows it.
    """
    parts = [shape_relation(old, new, dialect)]
    olds = {c.name: c for c in old.columns}
    news = {c.name: c for c in new.columns}
    if olds and news:
        parts += [column_relation(olds[n], news[n], dialect) for n in olds.keys() & news.keys()]
        parts += [Relation.WIDENED] if news.keys() - olds.keys() else []
        parts += [Relation.NARROWED] if olds.keys() - news.keys() else []
    for one, other in (
        (old.items, new.items),
        (old.map_key, new.map_key),
        (old.map_value, new.map_value),
    ):
        if one is not None and other is not None:
            parts.append(column_relation(one, other, dialect))
    return combined(parts)


def shape_relation(old: Column, new: Column, dialect: str) -> Relation:
    """The relation of two versions of a column, without the columns nested in it.

    Physical types decide where both versions have one; where they agree, are unknown, or are
    missing, the logical types do. A side that states no type at all allows any.
    """
    if not (old.physical_type and new.physical_type):
        return _without_physical(old, new, dialect)
    before, after = (physical.parse(t, dialect) for t in (old.physical_type, new.physical_type))
    # What is nested is spelt out as columns too, and compared there.
    detailed = bool(old.children()) and bool(new.children())
    found = relate(_bare(before), _bare(after)) if detailed else relate(before, after)
    if old.logical_type is None or new.logical_type is None:
        return found
    if found is Relation.UNKNOWN:
        return combined([found, relate(_logical(old), _logical(new))])
    if found is not Relation.EQUAL:
        return found
    if old.logical_type == new.logical_type:
        return _options_relation(old, new)
    return relate(_logical(old), _logical(new))


def _without_physical(old: Column, new: Column, dialect: str) -> Relation:
    """At least one side has no physical type: logical types decide, else whatever is stated."""
    if old.logical_type and new.logical_type:
        return relate(_logical(old), _logical(new))
    before, after = _stated(old, dialect), _stated(new, dialect)
    if before is not None and after is not None:
        return relate(before, after)
    if before is after:
        return Relation.EQUAL
    return Relation.NARROWED if before is None else Relation.WIDENED


def _stated(column: Column, dialect: str) -> Shape | None:
    if column.physical_type:
        return physical.parse(column.physical_type, dialect)
    return _logical(column) if column.logical_type else None


def _options_relation(old: Column, new: Column) -> Relation:
    """Options that say how a value is meant, when the physical types agree."""
    if old.logical_type in ("timestamp", "time"):
        return relate(_logical(old), _logical(new))
    return Relation.EQUAL


def _bare(shape: Shape) -> Shape:
    """A nested type without what is in it."""
    if isinstance(shape, Array):
        return Array(None)
    if isinstance(shape, Struct):
        return Struct(None)
    return Map(None) if isinstance(shape, Map) else shape


_FORMATS: Mapping[str, Shape] = {
    **{f"i{bits}": Integer.bits(bits) for bits in (8, 16, 32, 64, 128)},
    **{f"u{bits}": Integer.bits(bits, signed=False) for bits in (8, 16, 32, 64, 128)},
    "f32": Float(32),
    "f64": Float(64),
}
"""``logicalTypeOptions.format`` of integer and number (ODCS: "follows the Rust types")."""

_LOGICAL: Mapping[str, Shape] = {
    "string": Text(),
    "date": DATE,
    "number": AnyNumber(),
    # ODCS: the default format of an integer is i32.
    "integer": Integer.bits(32),
    "object": Struct(None),
    "array": Array(None),
    "boolean": Plain("boolean"),
    "map": Map(None),
}


def _logical(column: Column) -> Shape:
    """The type that logicalType and its options state."""
    name = (column.logical_type or "").lower()
    options = column.logical_type_options
    if name in ("integer", "number") and str(options.get("format")) in _FORMATS:
        return _FORMATS[str(options["format"])]
    if name in ("timestamp", "time"):
        zone = options.get("timezone")
        return Moment(name, 9, zoned=zone if isinstance(zone, bool) else None)
    if name == "vector":
        size = options.get("dimensions")
        element = Plain(str(options.get("elementType") or "float32"))
        return Array(element, size if isinstance(size, int) else None)
    return _LOGICAL.get(name) or Unknown(name)
