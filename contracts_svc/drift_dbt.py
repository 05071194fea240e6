"""What the YAML of dbt models says of their columns, as an ODCS document.

``data_type`` is a column's type; its ``constraints`` and ``data_tests`` (``tests`` in older files) say
``not_null``, ``unique`` and ``primary_key`` (https://docs.getdbt.com/reference/resource-properties/constraints).
A column without ``data_type`` has no type that anybody could compare.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from contracts_svc.model import Json
from contracts_svc.odcs.yaml_nodes import Form, parse

_FORM = Form(noun="file of dbt models", start="models:")
_LOGICAL = (
    ("bool", "boolean"),
    ("timestamp", "timestamp"),
    ("datetime", "timestamp"),
    ("date", "date"),
    ("time", "time"),
    ("int", "integer"),
    ("bigint", "integer"),
    ("smallint", "integer"),
    ("tinyint", "integer"),
    ("decimal", "number"),
    ("numeric", "number"),
    ("number", "number"),
    ("float", "number"),
    ("double", "number"),
    ("real", "number"),
    ("array", "array"),
    ("struct", "object"),
    ("object", "object"),
)
"""How the name of a type begins -> the logical type; what is not listed is a string."""


def contract_of(text: bytes) -> Mapping[str, Json]:
    """An ODCS document with a table for every model, source table, seed and snapshot. Raises UserMistake."""
    root = parse(text, "", _FORM).value
    tables = [_table(model) for model in _models(root)]
    return {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": "dbt",
        "version": "1.0.0",
        "status": "active",
        "schema": [t for t in tables if t["properties"]],
    }


def _models(root: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for key in ("models", "seeds", "snapshots"):
        yield from _entries(root, key)
    for source in _entries(root, "sources"):
        yield from _entries(source, "tables")


def _entries(parent: Mapping[str, Any], key: str) -> Iterator[Mapping[str, Any]]:
    found = parent.get(key)
    for entry in found if isinstance(found, list) else ():
        if isinstance(entry, dict) and isinstance(entry.get("name"), str):
            yield entry


def _table(model: Mapping[str, Any]) -> dict[str, Json]:
    keys = {
        str(column)
        for constraint in _rules(model, "constraints")
        if constraint == "primary_key"
        for column in _columns_of(model, constraint)
    }
    columns = [_column(c, keys) for c in _entries(model, "columns")]
    return {"name": model["name"], "logicalType": "object", "properties": columns}


def _columns_of(model: Mapping[str, Any], kind: str) -> Iterator[Json]:
    for entry in model.get("constraints") or ():
        if isinstance(entry, dict) and entry.get("type") == kind and isinstance(entry.get("columns"), list):
            yield from entry["columns"]


def _column(column: Mapping[str, Any], keys: set[str]) -> dict[str, Json]:
    said = {*_rules(column, "constraints"), *_rules(column, "data_tests"), *_rules(column, "tests")}
    found: dict[str, Json] = {"name": column["name"]}
    stated = column.get("data_type")
    if isinstance(stated, str) and stated:
        found |= {"logicalType": _logical(stated), "physicalType": stated}
    is_key = "primary_key" in said or column["name"] in keys
    if is_key:
        found |= {"primaryKey": True}
    if is_key or "not_null" in said:
        found["required"] = True
    if "unique" in said:
        found["unique"] = True
    return found


def _rules(owner: Mapping[str, Any], key: str) -> Iterator[str]:
    """The names of constraints or tests, in any of the ways in which dbt takes them."""
    given = owner.get(key)
    for entry in given if isinstance(given, list) else ():
        if isinstance(entry, str):
            yield entry
        elif isinstance(entry, dict):
            yield (
                str(entry["type"]) if key == "constraints" and "type" in entry else str(next(iter(entry), ""))
            )


def _logical(stated: str) -> str:
    word = stated.strip().lower()
    return next((logical for start, logical in _LOGICAL if word.startswith(start)), "string")
