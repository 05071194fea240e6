"""A Finding as plain data for JSON. Light on imports: ``contracts lint`` uses it too."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from contracts_svc.errors import Location
from contracts_svc.findings import Change, Finding, Suggestion
from contracts_svc.model import Element, Json


def finding_json(finding: Finding) -> dict[str, Any]:
    """A finding: ``rule``, ``severity``, ``default_severity`` (null, or what the rule says where a
    policy has set the severity), ``message``, ``why``, ``fix``, ``contract``,
    ``fingerprint``, ``against`` (earlier versions; empty: the last one alone),
    ``at`` (``file``, ``line``, ``column``), ``change`` (null, or ``kind``,
    ``element``, ``path``, ``table``, ``new_table``, ``column``, ``new_column``, ``field``, ``key``, ``old``,
    ``new``, ``old_at``, ``new_at``), ``suggestion`` (null, or the lines ``first`` to ``last`` of ``file``,
    and the ``text`` to have there instead)."""
    return {
        "rule": finding.rule,
        "severity": finding.severity.value,
        "default_severity": finding.default_severity.value if finding.default_severity else None,
        "message": finding.message,
        "why": finding.why,
        "fix": finding.fix,
        "contract": finding.contract,
        "fingerprint": finding.fingerprint,
        "against": list(finding.against),
        "at": location_json(finding.at),
        "change": _change(finding.change) if finding.change else None,
        "suggestion": _suggestion(finding.suggestion) if finding.suggestion else None,
    }


def _suggestion(suggestion: Suggestion) -> dict[str, Any]:
    return {
        "file": suggestion.file,
        "first": suggestion.first,
        "last": suggestion.last,
        "text": suggestion.text,
    }


def location_json(at: Location | None) -> dict[str, Any] | None:
    """A place (``file``, ``line``, ``column``), or None when it is not known."""
    if at is None or at.line == 0:
        return None
    return {"file": at.file, "line": at.line, "column": at.column}


def _change(change: Change) -> dict[str, Any]:
    return {
        "kind": change.kind.value,
        "element": change.element,
        "path": change.path,
        "table": change.table,
        "new_table": change.new_table,
        "column": change.column,
        "new_column": change.new_column,
        "field": change.field,
        "key": change.key,
        "old": _plain(change.old),
        "new": _plain(change.new),
        "old_at": location_json(change.old_at),
        "new_at": location_json(change.new_at),
    }


def _plain(value: Any) -> Json:
    """A value of a contract as JSON can hold it; of an element, the fields that say something."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, Element):
        fields = [f for f in dataclasses.fields(value) if f.compare]
        held = {f.name: getattr(value, f.name) for f in fields}
        return {k: _plain(v) for k, v in held.items() if v not in (None, (), {}, False, -1)}
    return str(value)
