"""Wires alerting: the route file, its receivers, and the sender of the outbox."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from contracts_svc.adapters.receivers import KINDS, RECEIVERS
from contracts_svc.alerts import Incident
from contracts_svc.app import SystemClock, lineage
from contracts_svc.errors import Problem, UserMistake
from contracts_svc.flows.acting import Acting
from contracts_svc.flows.deliver import Sender
from contracts_svc.flows.surroundings import Surroundings, surroundings
from contracts_svc.flows.telling import Telling
from contracts_svc.odcs.yaml_text import MAX_BYTES
from contracts_svc.ports import Receiver
from contracts_svc.routes.groups import Message
from contracts_svc.routes.options import SECRET
from contracts_svc.routes.read import CONTRACT, read
from contracts_svc.routes.timing import DEFAULT_ROUTES
from contracts_svc.routes.tree import ReceiverSpec, RouteFile
from contracts_svc.settings import Settings

if TYPE_CHECKING:
    from contracts_svc.adapters.store.store import DatabaseStore
    from contracts_svc.app_alerts_metrics import AlertMetrics


def routes(settings: Settings) -> RouteFile:
    """The route file of the settings; the defaults where none is set. Raises UserMistake."""
    return Alerting(settings, os.environ).routes()


class Alerting:
    """The route file as it is now, with its receivers. What is changed into a file with mistakes does
    not count: the one before stays, and :attr:`mistake` says what is wrong."""

    def __init__(self, settings: Settings, environment: Mapping[str, str]) -> None:
        """Raises UserMistake with every mistake, and every secret that is not in the environment."""
        self._path = Path(settings.routes) if settings.routes else None
        self._environment = environment
        self._by_kind: dict[str, Receiver] = {}
        self.mistake: UserMistake | None = None
        token = settings.slack_token.get_secret_value()
        if token:
            self._by_kind["slack"] = RECEIVERS["slack"].make({"token": token})
        self._stamp = self._looked_at()
        self._file, self._named = self._read()

    def routes(self) -> RouteFile:
        """The routes, read again when the file has changed."""
        stamp = self._looked_at()
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._file, self._named = self._read()
                self.mistake = None
            except UserMistake as error:
                self.mistake = error
        return self._file

    def find(self, message: Message) -> Receiver | None:
        """Who sends a message: a receiver of the file, or one for the contract's own channels."""
        return self._named.get(message.receiver) or self._by_kind.get(message.notification.receiver)

    def _looked_at(self) -> tuple[int, int]:
        try:
            found = self._path.stat() if self._path else None
        except OSError:
            return (0, 0)
        return (found.st_mtime_ns, found.st_size) if found else (0, 0)

    def _read(self) -> tuple[RouteFile, dict[str, Receiver]]:
        if self._path is None:
            return DEFAULT_ROUTES, {}
        try:
            with self._path.open("rb") as stream:
                file = read(stream.read(MAX_BYTES + 1), str(self._path), KINDS)
        except OSError as error:
            hint = "see the setting CONTRACTS_ROUTES"
            raise UserMistake.of(f"{self._path} cannot be read: {error.strerror}", hint) from None
        problems: list[Problem] = []
        named: dict[str, Receiver] = {}
        for spec in file.receivers.values():
            if spec.kind != CONTRACT:
                try:
                    named[spec.name] = _made(spec, self._environment)
                except UserMistake as error:
                    problems += error.problems
        if problems:
            raise UserMistake(problems)
        return file, named


def sender(
    settings: Settings,
    store: DatabaseStore,
    alerting: Alerting | None = None,
    metrics: AlertMetrics | None = None,
) -> Sender:
    """What sends the outbox of a store. Raises UserMistake."""
    alerting = alerting or Alerting(settings, os.environ)
    heard = metrics.heard if metrics is not None else lambda delays: None
    return Sender(store, alerting.find, SystemClock(), routes=alerting.routes, heard=heard)


def telling(store: DatabaseStore, alerting: Alerting) -> Telling:
    """What puts into the outbox of a store what people have to hear of incidents."""
    return Telling(store=store, lineage=lineage(store), clock=SystemClock(), routes=alerting.routes)


def acting(settings: Settings, store: DatabaseStore, routes: Callable[[], RouteFile] | None = None) -> Acting:
    """With what people acknowledge, silence and resolve. Raises UserMistake."""
    known = lineage(store)

    def around(incident: Incident) -> Surroundings:
        row = store.contract_rows([incident.contract]).get(incident.contract)
        return surroundings(known, incident, row.tenant if row else "")

    return Acting(
        store=store,
        clock=SystemClock(),
        routes=routes or Alerting(settings, os.environ).routes,
        around=around,
    )


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
