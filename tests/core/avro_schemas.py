"""Avro schemas as contracts, to measure our verdicts against those of Avro's own suites.

A record is a table, or a column with columns; ``["null", T]`` is a T that is not required; the default of a
field is the custom property ``avroDefault``, as datacontract-cli writes it; a union of several types keeps
Avro's own spelling as its physical type. The name of the whole schema is the physical name of the table.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from contracts_svc.model import Column, Contract, CustomProperty, Server, Table

Schema = Any
LOGICAL = ("date", "uuid", "duration", "time-", "timestamp-", "local-timestamp-")


def versions(writer: Schema, reader: Schema) -> tuple[Contract, Contract]:
    """The old contract, under which data is written, and the new one."""
    as_table = all(isinstance(s, dict) and s.get("type") == "record" for s in (writer, reader))
    return _contract(writer, as_table), _contract(reader, as_table)


def _contract(schema: Schema, as_table: bool) -> Contract:
    columns = _fields(schema, "") if as_table else (column(schema, "value", "value"),)
    table = Table(name="t", physical_name=name_of(schema), columns=columns)
    server = Server(server="s", type="kafka", fields={"format": "avro"})
    return Contract(api_version="v3.2.0", id="c", version="1.0.0", tables=(table,), servers=(server,))


def name_of(schema: Schema) -> str | None:
    """The name without its namespace: Avro compares no more of it."""
    kept = branches(schema)
    if len(kept) != 1 or not isinstance(kept[0], dict) or kept[0]["type"] not in ("record", "enum", "fixed"):
        return None
    return str(kept[0]["name"]).rpartition(".")[2]


def branches(schema: Schema) -> list[Schema]:
    """The types of a union but null; of anything else itself."""
    if not isinstance(schema, list):
        return [schema]
    return [s for s in schema if s not in ("null", {"type": "null"})] or schema


def nested(schema: Schema) -> Iterator[dict[str, Any]]:
    """Every schema inside a schema that is written as an object, the outermost first."""
    if isinstance(schema, list):
        for branch in schema:
            yield from nested(branch)
    elif isinstance(schema, dict):
        yield schema
        for key in ("type", "items", "values"):
            yield from nested(schema.get(key))
        for field in schema.get("fields", ()):
            yield from nested(field)


def column(schema: Schema, name: str, path: str, custom: tuple[CustomProperty, ...] = ()) -> Column:
    """A column of this type."""
    kept = branches(schema)
    nullable = isinstance(schema, list) and kept != schema
    known: dict[str, Any] = {"name": name, "path": path, "required": not nullable, "custom": custom}
    if len(kept) != 1:
        return Column(physical_type=json.dumps(kept), **known)
    if not isinstance(kept[0], dict):
        return Column(physical_type=kept[0], **known)
    return _object(kept[0], path, known)


def _object(of: dict[str, Any], path: str, known: dict[str, Any]) -> Column:
    match of["type"]:
        case dict() | list():
            return column(of["type"], known["name"], path, known["custom"])
        case "record":
            return Column(logical_type="object", columns=_fields(of, path), **known)
        case "array":
            return Column(logical_type="array", items=column(of["items"], "", path + "[]"), **known)
        case "map":
            key, value = column("string", "", path + "{key}"), column(of["values"], "", path + "{value}")
            return Column(logical_type="map", map_key=key, map_value=value, **known)
        case "enum":
            return Column(physical_type="enum", enum=tuple(of["symbols"]), **known)
    return Column(physical_type=_name(of), **known)


def _name(of: dict[str, Any]) -> str:
    logical = of.get("logicalType")
    if logical == "decimal":
        return f"decimal({of['precision']}, {of.get('scale', 0)})"
    if logical and logical.startswith(LOGICAL):
        return str(logical)
    return f"fixed({of['size']})" if of["type"] == "fixed" else str(of["type"])


def _fields(record: dict[str, Any], path: str) -> tuple[Column, ...]:
    built = []
    for field in record.get("fields", ()):
        default = (
            (CustomProperty(property="avroDefault", value=field["default"]),) if "default" in field else ()
        )
        built.append(column(field["type"], field["name"], f"{path}.{field['name']}".lstrip("."), default))
    return tuple(built)
