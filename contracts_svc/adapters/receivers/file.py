"""The file receiver: one JSON object a line, for programs and tests."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from contracts_svc.alerts import Notification
from contracts_svc.ports import Delivery


class FileReceiver:
    """Appends each notification to a file, which is made when it is not there, with its folder."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def send(self, notification: Notification) -> Delivery:
        """Append it. A full disk or a denied folder may be put right: a retry can help."""
        line = json.dumps(as_json(notification), allow_nan=False) + "\n"
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as lines:
                lines.write(line)
        except OSError as error:
            return Delivery(sent=False, retry=True, reason=f"{self._path}: {error.strerror or error}")
        return Delivery(sent=True)


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
