"""A notification as JSON, for programs."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date, datetime, time
from typing import Any

from contracts_svc.alerts import Notification


def as_json(notification: Notification) -> dict[str, Any]:
    """A notification as JSON holds it: times in ISO 8601, bytes in base64, the rest as text."""
    found = _plain(asdict(notification))
    assert isinstance(found, dict)
    return found


def _plain(value: Any) -> Any:
    match value:
        case float() if not math.isfinite(value):
            return str(value)
        case str():
            # Also turns the members of string enums into plain text.
            return str(value)
        case None | bool() | int() | float():
            return value
        case Mapping():
            return {str(k): _plain(v) for k, v in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_plain(v) for v in value]
        case bytes() | bytearray() | memoryview():
            return base64.b64encode(bytes(value)).decode()
        case datetime() | date() | time():
            return value.isoformat()
        case _:
            return str(value)
