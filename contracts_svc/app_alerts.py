"""Wires alerting: the route file, its receivers, and the sender of the outbox."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from contracts_svc.adapters.receivers import KINDS, RECEIVERS
from contracts_svc.alerts import Notification
from contracts_svc.app import SystemClock, lineage
from contracts_svc.errors import Problem, UserMistake
from contracts_svc.flows.acting import Acting
from contracts_svc.flows.deliver import Sender
from contracts_svc.flows.telling import Telling
from contracts_svc.odcs.yaml_text import MAX_BYTES
from contracts_svc.ports import Delivery, Receiver
from contracts_svc.routes.channels import APPRISE, EMAIL, SLACK, ChannelSpec, pick, what_is_missing
from contracts_svc.routes.groups import Message
from contracts_svc.routes.options import SECRET
from contracts_svc.routes.read import CONTRACT, read
from contracts_svc.routes.timing import DEFAULT_ROUTES
from contracts_svc.routes.tree import RouteFile
from contracts_svc.settings import Settings
from contracts_svc.tracing import Traced
from contracts_svc.watched import Watched

if TYPE_CHECKING:
    from contracts_svc.adapters.store.store import DatabaseStore
    from contracts_svc.app_alerts_metrics import AlertMetrics
    from contracts_svc.flows.stored_lineage import StoredLineage

_log = structlog.get_logger("contracts_svc.alerts")


def routes(settings: Settings) -> RouteFile:
    """The route file of the settings; the defaults where none is set. Raises UserMistake."""
    return Alerting(settings, os.environ).routes()


class Alerting:
    """The route file as it is now, with its receivers. What is changed into a file with mistakes does
    not count: the one before stays, and :attr:`mistake` says what is wrong. Safe for use by many threads."""

    def __init__(self, settings: Settings, environment: Mapping[str, str]) -> None:
        """Raises UserMistake with every mistake, and every secret that is not in the environment."""
        self._path = Path(settings.routes) if settings.routes else None
        self._environment = environment
        self._slack_token = settings.slack_token.get_secret_value()
        self._defaults = _defaults(settings)
        self.public_url = settings.public_url
        self._watched = Watched(self._path, self._read_now, "the route file")

    @property
    def mistake(self) -> UserMistake | None:
        """What is wrong with the file since it was changed, where it is not taken."""
        return self._watched.mistake

    def routes(self) -> RouteFile:
        """The routes, read again when the file has changed."""
        return self._watched.now().file

    def find(self, message: Message) -> Receiver:
        """Who sends a message: a receiver of the file, or what the contract's own channel is reached by."""
        now, notification = self._watched.now(), message.notification
        if message.receiver != CONTRACT:
            return now.named.get(message.receiver) or _Missing(
                f"the route file has no receiver {message.receiver!r} any more"
            )
        tool, channel = notification.receiver, notification.channel
        spec = pick((*now.file.channels, *self._defaults), tool, channel, notification.url)
        if spec is None:
            return _Missing(what_is_missing(tool, channel, notification.team))
        return now.channels[spec.tool, spec.channel, spec.workspaces]

    def slack_token(self, workspace: str) -> str:
        """The bot token of a Slack workspace by its id."""
        for spec in self._watched.now().file.channels:
            if spec.tool == SLACK and workspace in spec.workspaces:
                return self._environment.get(spec.options.get("token", "").removeprefix(SECRET), "").strip()
        return self._slack_token

    def _read_now(self) -> _Read:
        file = self._parsed()
        problems: list[Problem] = []
        named: dict[str, Receiver] = {}
        channels: dict[_Place, Receiver] = {}
        for spec in file.receivers.values():
            if spec.kind != CONTRACT:
                with _noted(problems):
                    named[spec.name] = self._made(spec.kind, spec.options, f"the receiver {spec.name!r}")
        for channel in (*file.channels, *self._defaults):
            more = {"to_channel": "yes"} if channel.tool == EMAIL else {}
            place = (channel.tool, channel.channel, channel.workspaces)
            with _noted(problems):
                made = self._made(channel.kind, {**channel.options, **more}, f"the channel {channel.tool!r}")
                channels.setdefault(place, made)
        if problems:
            raise UserMistake(problems)
        return _Read(file, named, channels)

    def _parsed(self) -> RouteFile:
        if self._path is None:
            return DEFAULT_ROUTES
        try:
            with self._path.open("rb") as stream:
                return read(stream.read(MAX_BYTES + 1), str(self._path), KINDS)
        except OSError as error:
            hint = "see the setting CONTRACTS_ROUTES"
            raise UserMistake.of(f"{self._path} cannot be read: {error.strerror}", hint) from None

    def _made(self, kind: str, given: Mapping[str, str], what: str) -> Receiver:
        options = dict(given)
        for name, value in options.items():
            if not value.startswith(SECRET):
                continue
            variable = value.removeprefix(SECRET)
            options[name] = self._environment.get(variable, "").strip()
            if not options[name]:
                raise UserMistake.of(
                    f"{what} needs the environment variable {variable}, which is not set",
                    f"put its {name} there",
                )
        if kind == SLACK and not options.get("token"):
            if not self._slack_token:
                hint = "write 'token: env:…', or set CONTRACTS_SLACK_TOKEN"
                raise UserMistake.of(f"{what} has no token", hint)
            options["token"] = self._slack_token
        return RECEIVERS[kind].make(options)


_Place = tuple[str, str, tuple[str, ...]]
"""Tool, channel, workspaces."""


@dataclass(frozen=True, slots=True)
class _Read:
    """A route file, with what was made of it."""

    file: RouteFile
    named: Mapping[str, Receiver]
    channels: Mapping[_Place, Receiver]


class _Missing:
    """Stands for what nobody has set up: its messages are dead letters that say what to do."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def send(self, notification: Notification) -> Delivery:
        return Delivery(sent=False, reason=self._reason)


@contextmanager
def _noted(problems: list[Problem]) -> Iterator[None]:
    try:
        yield
    except UserMistake as error:
        problems += error.problems


def _defaults(settings: Settings) -> tuple[ChannelSpec, ...]:
    """What channels are reached by that the route file does not speak of."""
    slack, email = settings.slack_token.get_secret_value(), settings.email_url.get_secret_value()
    found = [ChannelSpec(tool=SLACK, kind=SLACK, options={"token": slack})] if slack else []
    if email:
        found.append(ChannelSpec(tool=EMAIL, kind=APPRISE, options={"url": email}))
    return tuple(found)


def sender(
    settings: Settings,
    store: DatabaseStore,
    alerting: Alerting | None = None,
    metrics: AlertMetrics | None = None,
) -> Sender:
    """What sends the outbox of a store. Raises UserMistake."""
    alerting = alerting or Alerting(settings, os.environ)
    heard = metrics.heard if metrics is not None else lambda delays: None

    def find(message: Message) -> Receiver:
        return Traced(message, alerting.find(message))

    return Sender(store, find, SystemClock(), routes=alerting.routes, heard=heard)


def telling(store: DatabaseStore, alerting: Alerting, known: StoredLineage) -> Telling:
    """What puts into the outbox of a store what people have to hear of incidents."""
    return Telling(
        store=store,
        lineage=known,
        clock=SystemClock(),
        routes=alerting.routes,
        public_url=alerting.public_url,
    )


def acting(settings: Settings, store: DatabaseStore) -> Acting:
    """With what people acknowledge, silence and resolve. Raises UserMistake."""
    alerting = Alerting(settings, os.environ)
    return Acting(telling=telling(store, alerting, lineage(store)))
