"""Receivers: one row of :data:`RECEIVERS` declares one. Nothing is imported before it is used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

_HERE = "contracts_svc.adapters.receivers"


@dataclass(frozen=True, slots=True)
class ReceiverKind:
    """A receiver: what it is for, and where its class and the type of its configuration are.

    The class takes one argument, a value of the configuration type.
    """

    name: str
    purpose: str
    config: str
    """``module:name``"""
    receiver: str
    """``module:name``"""

    def config_type(self) -> Any:
        """The type of its configuration; imports its module."""
        return _load(self.config)

    def receiver_type(self) -> Any:
        """The receiver's class; imports its module and what that needs."""
        return _load(self.receiver)


RECEIVERS: Mapping[str, ReceiverKind] = {
    kind.name: kind
    for kind in (
        ReceiverKind(
            "console",
            "Writes every message as plain text, for people at a terminal.",
            "collections.abc:Callable",
            f"{_HERE}.console:ConsoleReceiver",
        ),
        ReceiverKind(
            "file",
            "Appends every message to a file, one JSON object a line.",
            "pathlib:Path",
            f"{_HERE}.file:FileReceiver",
        ),
        ReceiverKind(
            "slack",
            "Posts every message to a Slack channel as blocks.",
            f"{_HERE}.slack:SlackConfig",
            f"{_HERE}.slack:SlackReceiver",
        ),
    )
}
"""Name, as notifications and ODCS ``support.tool`` use it -> what there is to know."""


def _load(target: str) -> Any:
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)
