"""Hiding values of columns that the contract classifies as not for everyone."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace

from contracts_svc.model import Column, Json, Table
from contracts_svc.runs import Check, Measurement

SENSITIVE = frozenset({"restricted", "confidential", "personal", "pii"})
"""Words of ``classification`` that mask a column, in any case."""
MASK = "***"


def is_sensitive(column: Column) -> bool:
    """Whether the column's classification has one of the words that mask it."""
    return not SENSITIVE.isdisjoint(re.findall(r"[a-z]+", (column.classification or "").lower()))


def masked(column: Column, value: Json) -> Json:
    """The value as it may be shown.

    NULL stays NULL, since that is what some checks are about; NaN and infinities, which JSON does not
    have, become text.
    """
    if value is None:
        return None
    if is_sensitive(column) or (column.map_key is not None and is_sensitive(column.map_key)):
        return MASK
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        parts = {c.stored_name: c for c in column.columns}
        inside = column.map_value
        return {
            k: masked(parts[k], v) if k in parts else masked(inside, v) if inside is not None else v
            for k, v in value.items()
        }
    if isinstance(value, list):
        # Of a column inside an array, all its values in a row.
        return [masked(column.items or column, v) for v in value]
    return value


def masked_row(table: Table, row: Mapping[str, Json]) -> dict[str, Json]:
    """A row, whose keys are column paths, as it may be shown. A part of a masked struct is masked."""
    return {path: masked_path(table, path, value) for path, value in row.items()}


def masked_path(table: Table, path: str, value: Json) -> Json:
    """The value of the column with this path as it may be shown."""
    column = table.column(path)
    if column is None:
        return value
    outer = (table.column(path[: m.start()]) for m in re.finditer(r"\.|\[\]|\{", path))
    if value is not None and any(c is not None and is_sensitive(c) for c in outer):
        return MASK
    return masked(column, value)


def masked_measurement(table: Table, check: Check, measured: Measurement) -> Measurement:
    """A measurement whose figures hold no value that is to be masked."""
    values = dict(measured.values)
    if "orphans" in values:
        values["orphans"] = [{**o, "value": _masked_key(table, check, o["value"])} for o in values["orphans"]]
    if "wrong" in values and check.kind == "logical-type":
        values["wrong"] = [masked_path(table, check.columns[0], w) for w in values["wrong"]]
    if "samples" in values:
        values["samples"] = [masked_row(table, row) for row in values["samples"]]
    return replace(measured, values=values)


def _masked_key(table: Table, check: Check, key: Json) -> Json:
    if isinstance(key, list):
        return [masked_path(table, c, k) for c, k in zip(check.columns, key, strict=True)]
    return masked_path(table, check.columns[0], key)
