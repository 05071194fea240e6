"""The types of file and message formats by their own names: Avro, Protobuf and Parquet.

Nothing here raises: a name that is none of the format's gives None.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

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
    Plain,
    Shape,
    Struct,
    Text,
    union,
)
from contracts_svc.model import Json

FORMATS = frozenset({"avro", "protobuf", "parquet"})

_AVRO: Mapping[str, Shape] = {
    "null": NOTHING_BUT_NULL,
    "boolean": Plain("boolean"),
    "int": Integer.bits(32),
    "long": Integer.bits(64),
    "float": Float(32),
    "double": Float(64),
    "bytes": Binary(),
    "string": Text(),
    "enum": Enum(None),
    "fixed": Binary(),
    "decimal": AnyNumber(),
    "big-decimal": AnyNumber(),
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

_PROTOBUF: Mapping[str, Shape] = {
    "double": Float(64),
    "float": Float(32),
    "bool": Plain("boolean"),
    "string": Text(),
    "bytes": Binary(),
    "enum": Enum(None),
    "message": Struct(None),
    "group": Struct(None),
    **{name: Integer.bits(32) for name in ("int32", "sint32", "sfixed32")},
    **{name: Integer.bits(64) for name in ("int64", "sint64", "sfixed64")},
    **{name: Integer.bits(32, signed=False) for name in ("uint32", "fixed32")},
    **{name: Integer.bits(64, signed=False) for name in ("uint64", "fixed64")},
    "google.protobuf.timestamp": Moment("timestamp", 9, zoned=True),
    "google.protobuf.duration": Plain("interval"),
    "google.protobuf.doublevalue": Float(64),
    "google.protobuf.floatvalue": Float(32),
    "google.protobuf.int32value": Integer.bits(32),
    "google.protobuf.int64value": Integer.bits(64),
    "google.protobuf.uint32value": Integer.bits(32, signed=False),
    "google.protobuf.uint64value": Integer.bits(64, signed=False),
    "google.protobuf.boolvalue": Plain("boolean"),
    "google.protobuf.stringvalue": Text(),
    "google.protobuf.bytesvalue": Binary(),
    **{f"google.protobuf.{name}": VARIANT for name in ("any", "struct", "value")},
    "google.protobuf.listvalue": Array(None),
    "google.type.date": DATE,
    "google.type.timeofday": Moment("time", 9, zoned=False),
}
"""Scalar value types of the Protocol Buffers language guide, and the well-known types."""

_PARQUET: Mapping[str, Shape] = {
    "boolean": Plain("boolean"),
    "int32": Integer.bits(32),
    "int64": Integer.bits(64),
    "int96": Moment("timestamp", 9, zoned=False),
    "float": Float(32),
    "double": Float(64),
    "float16": Float(16),
    "byte_array": Binary(),
    "binary": Binary(),
    "fixed_len_byte_array": Binary(),
    "string": Text(),
    "utf8": Text(),
    "enum": Text(),
    "date": DATE,
    "uuid": Plain("uuid"),
    "json": Plain("json"),
    "bson": Binary(),
    "interval": Plain("interval"),
    "variant": VARIANT,
    "geometry": Plain("geometry"),
    "geography": Plain("geography"),
    "list": Array(None),
    "map": Map(None),
    "map_key_value": Map(None),
    "unknown": NOTHING_BUT_NULL,
    "decimal": AnyNumber(),
    **{f"int_{bits}": Integer.bits(bits) for bits in (8, 16, 32, 64)},
    **{f"uint_{bits}": Integer.bits(bits, signed=False) for bits in (8, 16, 32, 64)},
    **{f"time_{u}": Moment("time", d, zoned=True) for u, d in (("millis", 3), ("micros", 6))},
    **{f"timestamp_{u}": Moment("timestamp", d, zoned=True) for u, d in (("millis", 3), ("micros", 6))},
}
"""Parquet's LogicalTypes.md: physical types, and annotations in their old spelling."""

_TABLES = {"avro": _AVRO, "protobuf": _PROTOBUF, "parquet": _PARQUET}
_UNITS = {"millis": 3, "milliseconds": 3, "micros": 6, "microseconds": 6, "nanos": 9, "nanoseconds": 9}
MOST_BRANCHES = 16
"""Of a union: every branch is compared with every other."""


def format_type(text: str, dialect: str) -> Shape | None:
    """The type of this name in one of FORMATS; Avro's may also be a schema in JSON."""
    name = " ".join(text.split()).lower()
    if name in _TABLES[dialect]:
        return _TABLES[dialect][name]
    if dialect == "avro" and name[:1] in ("[", "{", '"'):
        return _avro_text(text)
    if dialect == "protobuf":
        return _protobuf_field(name)
    if dialect == "parquet":
        name = re.sub("^(optional|required) ", "", name)
        if name in _PARQUET:
            return _PARQUET[name]
    match = re.fullmatch(r"([a-z_0-9]+) ?\(([^()]*)\)", name)
    if match is None:
        return None
    kind, words = match[1], [w.split("=")[-1].strip() for w in match[2].split(",")]
    if kind == "decimal":
        return _decimal(words)
    if dialect == "avro":
        size = _whole(words[0]) if kind == "fixed" and len(words) == 1 else None
        return None if size is None else Binary(size, fixed=True)
    return _parquet_annotation(kind, words)


def _whole(word: str) -> int | None:
    return int(word) if re.fullmatch(r"[0-9]{1,9}", word) else None


def _decimal(words: list[str]) -> Decimal | None:
    numbers = [_whole(w) for w in words]
    if len(numbers) > 2 or numbers[0] is None or numbers[-1] is None:
        return None
    return Decimal(numbers[0], numbers[1] or 0 if len(numbers) == 2 else 0)


def _parquet_annotation(kind: str, words: list[str]) -> Shape | None:
    """Annotations with parameters: ``INT(8,true)``, ``TIMESTAMP(isAdjustedToUTC=true, unit=MICROS)``."""
    if kind == "int" and words[0] in ("8", "16", "32", "64"):
        return Integer.bits(int(words[0]), signed=words[-1] != "false")
    size = _whole(words[0])
    if kind == "fixed_len_byte_array" and size is not None:
        return Binary(size, fixed=True)
    digits = next((_UNITS[w] for w in words if w in _UNITS), None)
    if kind not in ("time", "timestamp") or digits is None:
        return None
    return Moment(kind, digits, zoned="true" in words, short=digits == 9 and kind == "timestamp")


def _protobuf_field(name: str) -> Shape | None:
    """What a field declaration puts around a type: ``repeated int32``, ``map<string, int64>``."""
    label, _, rest = name.partition(" ")
    if label in ("optional", "required", "repeated"):
        inner = format_type(rest, "protobuf")
        return Array(inner) if inner is not None and label == "repeated" else inner
    if name.startswith("."):
        return format_type(name[1:], "protobuf") if not name.startswith("..") else None
    match = re.fullmatch(r"map ?< ?([a-z0-9]+) ?, ?([a-z0-9_.]+) ?>", name)
    if match is None:
        return None
    key, value = (format_type(part, "protobuf") for part in match.groups())
    return Map((key, value)) if key is not None and value is not None else None


def _avro_text(text: str) -> Shape | None:
    """An Avro schema as JSON, the only way in which Avro spells a union."""
    try:
        return _avro_schema(json.loads(text))
    except (ValueError, RecursionError):
        return None


def _avro_schema(schema: Json) -> Shape | None:
    if isinstance(schema, str):
        return _AVRO_PLAIN.get(schema)
    if isinstance(schema, list):
        branches = [_avro_schema(branch) for branch in schema]
        known = [b for b in branches if b is not None]
        return union(known) if len(known) == len(branches) <= MOST_BRANCHES else None
    if not isinstance(schema, dict):
        return None
    return _avro_logical(schema) or _avro_complex(schema)


def _avro_logical(schema: Mapping[str, Json]) -> Shape | None:
    """The logical type; one that is unknown or not allowed there is ignored, as Avro demands."""
    name = schema.get("logicalType")
    if name == "decimal":
        numbers = [str(schema.get("precision", "")), str(schema.get("scale", 0))]
        return _decimal(numbers) if schema.get("type") in ("bytes", "fixed") else None
    plain = isinstance(name, str) and name in _AVRO and name not in _AVRO_PLAIN
    return _AVRO[str(name)] if plain else None


_AVRO_PLAIN = {
    name: shape for name, shape in _AVRO.items() if not re.search("-|date|uuid|duration|decimal", name)
}
"""The types that are not logical."""


def _avro_complex(schema: Mapping[str, Json]) -> Shape | None:
    kind = schema.get("type")
    match kind:
        case "array":
            element = _avro_schema(schema.get("items"))
            return Array(element) if element is not None else None
        case "map":
            value = _avro_schema(schema.get("values"))
            return Map((Text(), value)) if value is not None else None
        case "enum":
            return Enum(frozenset(str(s) for s in _entries(schema, "symbols")))
        case "fixed":
            size = _whole(str(schema.get("size")))
            return Binary(size, fixed=True) if size is not None else None
        case "record":
            fields = [f for f in _entries(schema, "fields") if isinstance(f, dict)]
            shapes = [(str(f.get("name")).lower(), _avro_schema(f.get("type"))) for f in fields]
            known = tuple((name, shape) for name, shape in shapes if shape is not None)
            return Struct(known) if len(known) == len(shapes) else None
        case str() | dict() | list():
            return _avro_schema(kind)
    return None


def _entries(schema: Mapping[str, Json], key: str) -> list[Json]:
    found = schema.get(key)
    return found if isinstance(found, list) else []
