"""The file receiver: one JSON object a line, for programs and tests.

``contract_channel`` is the channel that the contract names: whom to ask, not where the message went.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from contracts_svc.alerts import Notification
from contracts_svc.ports import Delivery
from contracts_svc.routing_json import as_json


class FileReceiver:
    """Appends each notification to a file, which is made when it is not there, with its folder."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def send(self, notification: Notification) -> Delivery:
        """Append it. A full disk or a denied folder may be put right: a retry can help."""
        line = json.dumps(_entry(notification), allow_nan=False) + "\n"
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as lines:
                lines.write(line)
        except OSError as error:
            return Delivery(sent=False, retry=True, reason=f"{self._path}: {error.strerror or error}")
        return Delivery(sent=True)


def _entry(notification: Notification) -> dict[str, Any]:
    found = as_json(notification)
    # Where the contract wants the message, which is not where this one went: here.
    named = {"tool": found.pop("receiver"), "channel": found.pop("channel"), "url": found.pop("url")}
    return {**found, "contract_channel": named}


def make(options: dict[str, str]) -> FileReceiver:
    """From the options of a route file."""
    return FileReceiver(Path(options["path"]))
