"""Receivers: one row of :data:`RECEIVERS` declares one. Nothing is imported before it is used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from contracts_svc.ports import Receiver
from contracts_svc.routes.options import Kinds, Option, hours, seconds, url

_HERE = "contracts_svc.adapters.receivers"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverKind:
    """A receiver: what it is for, what the route file can tell it, and where its class is.

    The class takes one argument, a value of the configuration type. The module's ``make`` takes the
    options of a route file, with secrets put in.
    """

    name: str
    purpose: str
    config: str
    """``module:name``"""
    receiver: str
    """``module:name``"""
    options: tuple[Option, ...] = ()

    def config_type(self) -> Any:
        """The type of its configuration; imports its module."""
        return _load(self.config)

    def receiver_type(self) -> Any:
        """The receiver's class; imports its module and what that needs."""
        return _load(self.receiver)

    def make(self, options: Mapping[str, str]) -> Receiver:
        """A receiver with these options. Raises UserMistake, which shows no secret."""
        module, _, _ = self.receiver.partition(":")
        make: Callable[[dict[str, str]], Receiver] = _load(f"{module}:make")
        return make(dict(options))


def _secret(name: str, purpose: str) -> Option:
    return Option(name=name, purpose=purpose, required=True, secret=True)


_URL = Option(name="url", purpose="where it is, as https://host/path", required=True, wrong=url)
_TIMEOUT = Option(name="timeout", purpose="seconds for one call, 1 to 60 (10)", wrong=seconds)

RECEIVERS: Mapping[str, ReceiverKind] = {
    kind.name: kind
    for kind in (
        ReceiverKind(
            name="alertmanager",
            purpose="Posts every incident as an alert of Prometheus' Alertmanager (API v2).",
            config=f"{_HERE}.alertmanager:AlertmanagerConfig",
            receiver=f"{_HERE}.alertmanager:AlertmanagerReceiver",
            options=(
                _URL,
                Option(
                    name="lasts", purpose="hours that an alert lasts unrefreshed, 1 to 8760 (24)", wrong=hours
                ),
                _TIMEOUT,
            ),
        ),
        ReceiverKind(
            name="apprise",
            purpose="Sends every message by apprise: e-mail, Teams, Opsgenie, Google Chat, Discord, others.",
            config=f"{_HERE}.apprise:AppriseConfig",
            receiver=f"{_HERE}.apprise:AppriseReceiver",
            options=(
                Option(name="url", purpose="the service, as apprise writes it", required=True, secret=True),
            ),
        ),
        ReceiverKind(
            name="console",
            purpose="Writes every message as plain text, for people at a terminal.",
            config="collections.abc:Callable",
            receiver=f"{_HERE}.console:ConsoleReceiver",
        ),
        ReceiverKind(
            name="file",
            purpose="Appends every message to a file, one JSON object a line.",
            config="pathlib:Path",
            receiver=f"{_HERE}.file:FileReceiver",
            options=(Option(name="path", purpose="the file", required=True),),
        ),
        ReceiverKind(
            name="pagerduty",
            purpose="Triggers, acknowledges and resolves a PagerDuty incident (Events API v2).",
            config=f"{_HERE}.pagerduty:PagerDutyConfig",
            receiver=f"{_HERE}.pagerduty:PagerDutyReceiver",
            options=(
                _secret("routing_key", "the integration key"),
                Option(name="url", purpose="another region than events.pagerduty.com", wrong=url),
                _TIMEOUT,
            ),
        ),
        ReceiverKind(
            name="slack",
            purpose="Posts every message to a Slack channel as blocks, one thread for what belongs together.",
            config=f"{_HERE}.slack:SlackConfig",
            receiver=f"{_HERE}.slack:SlackReceiver",
            options=(
                Option(name="token", purpose="a bot token (xoxb-…); else CONTRACTS_SLACK_TOKEN", secret=True),
                Option(name="channel", purpose="where all of it goes; else where each contract says"),
            ),
        ),
        ReceiverKind(
            name="webhook",
            purpose="Posts every message as JSON, signed as Standard Webhooks says.",
            config=f"{_HERE}.webhook:WebhookConfig",
            receiver=f"{_HERE}.webhook:WebhookReceiver",
            options=(
                _URL,
                Option(
                    name="secret", purpose="whsec_ and 24 to 64 bytes in base64", required=True, secret=True
                ),
                _TIMEOUT,
            ),
        ),
    )
}
"""Name, as route files, notifications and ODCS ``support.tool`` use it -> what there is to know."""

KINDS: Kinds = {name: kind.options for name, kind in RECEIVERS.items()}
"""What the reader of route files needs to know of them."""


def _load(target: str) -> Any:
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)
