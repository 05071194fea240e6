"""Wires alerting: the route file, the receivers that it names, and the sender of the outbox."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from contracts_svc.adapters.receivers import KINDS, RECEIVERS
from contracts_svc.app import SystemClock
from contracts_svc.errors import Problem, UserMistake
from contracts_svc.flows.deliver import Sender
from contracts_svc.ports import Receiver
from contracts_svc.routes.groups import Message
from contracts_svc.routes.options import SECRET
from contracts_svc.routes.read import CONTRACT, read
from contracts_svc.routes.timing import DEFAULT_ROUTES
from contracts_svc.routes.tree import ReceiverSpec, RouteFile
from contracts_svc.settings import Settings

if TYPE_CHECKING:
    from contracts_svc.adapters.store.store import DatabaseStore


def routes(settings: Settings) -> RouteFile:
    """The route file of the settings; the defaults where none is set. Raises UserMistake."""
    if not settings.routes:
        return DEFAULT_ROUTES
    path = Path(settings.routes)
    try:
        return read(path.read_bytes(), str(path), KINDS)
    except OSError as error:
        hint = "see the setting CONTRACTS_ROUTES"
        raise UserMistake.of(f"{path} cannot be read: {error.strerror}", hint) from None


class Receivers:
    """Finds who sends a message: a receiver of the route file, or one for the contract's own channels."""

    def __init__(self, file: RouteFile, settings: Settings, environment: Mapping[str, str]) -> None:
        """Raises UserMistake with every secret that is not in the environment."""
        problems: list[Problem] = []
        self._named: dict[str, Receiver] = {}
        for spec in file.receivers.values():
            if spec.kind != CONTRACT:
                try:
                    self._named[spec.name] = _made(spec, environment)
                except UserMistake as error:
                    problems += error.problems
        if problems:
            raise UserMistake(problems)
        self._by_kind: dict[str, Receiver] = {}
        token = settings.slack_token.get_secret_value()
        if token:
            self._by_kind["slack"] = RECEIVERS["slack"].make({"token": token})

    def __call__(self, message: Message) -> Receiver | None:
        return self._named.get(message.receiver) or self._by_kind.get(message.notification.receiver)


def sender(settings: Settings, store: DatabaseStore) -> Sender:
    """What sends the outbox of a store. Raises UserMistake."""
    file = routes(settings)
    return Sender(store, Receivers(file, settings, os.environ), SystemClock(), routes=lambda: file)


def _made(spec: ReceiverSpec, environment: Mapping[str, str]) -> Receiver:
    options = dict(spec.options)
    for name, value in options.items():
        if not value.startswith(SECRET):
            continue
        variable = value.removeprefix(SECRET)
        options[name] = environment.get(variable, "").strip()
        if not options[name]:
            raise UserMistake.of(
                f"the receiver {spec.name!r} needs the environment variable {variable}, which is not set",
                f"put its {name} there",
            )
    return RECEIVERS[spec.kind].make(options)
