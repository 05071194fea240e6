"""Columns as they are written in a contract: block style, one field a line."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import yaml

from contracts_svc.model import Column, Json

_FIELDS = (("name", "name"), ("logicalType", "logical_type"), ("physicalType", "physical_type"))
_STEP = 2
"""Blanks by which a nested block is set in."""


def entry(column: Column, indent: str, notes: Mapping[str, str] = MappingProxyType({})) -> list[str]:
    """A column as an entry of a block list. ``notes`` are comments to its name, by the paths of columns."""
    pairs = [(odcs, getattr(column, attribute)) for odcs, attribute in _FIELDS]
    lines = [f"{name}: {scalar(value)}" for name, value in pairs if value not in (None, "")]
    note = notes.get(column.path)
    if note:
        lines[0] += f"  # {note}"
    if column.required:
        lines.append("required: true")
    if column.partitioned:
        lines += ["partitioned: true", f"partitionKeyPosition: {column.partition_key_position}"]
    if column.logical_type_options:
        lines.append("logicalTypeOptions:")
        lines += [f"  {name}: {scalar(value)}" for name, value in column.logical_type_options.items()]
    if column.columns:
        lines.append("properties:")
        lines += [line for child in column.columns for line in entry(child, " " * _STEP, notes)]
    if column.items is not None:
        lines.append("items:")
        inner = entry(column.items, "", notes)
        lines += [f"  {line[_STEP:] if i else line.removeprefix('- ')}" for i, line in enumerate(inner)]
    return [f"{indent}{'- ' if i == 0 else '  '}{line}" for i, line in enumerate(lines)]


def scalar(value: Json) -> str:
    """A value on one line, as YAML reads it back."""
    # Of a text of several lines, only the quoted style has one.
    style = '"' if isinstance(value, str) and not value.isprintable() else None
    dumped: str = yaml.safe_dump(
        value, default_flow_style=True, default_style=style, width=float("inf"), allow_unicode=True
    )
    return dumped.removesuffix("\n").removesuffix("\n...")
