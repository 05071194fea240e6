"""The apprise receiver: e-mail, Teams, Opsgenie, Google Chat, Discord and some hundred others.

Apprise says only whether it worked, not why not: nobody knows whether a failed message arrived, or
whether a retry can help. So it is tried again a few times only. E-mail is HTML (apprise adds the text); the
others get plain text, in which nothing is mark-up.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from contracts_svc.alerts import IncidentState, Notification
from contracts_svc.errors import UserMistake
from contracts_svc.findings import Severity
from contracts_svc.ports import Delivery
from contracts_svc.render.email import html
from contracts_svc.routes.channels import address_of
from contracts_svc.routing_text import plain, shortened, visible

LONGEST_TITLE = 250
LONGEST_BODY = 8_000
"""Characters; apprise cuts further where a service takes less."""
_MAIL = ("mailto:", "mailtos:")


@dataclass(frozen=True, slots=True, kw_only=True)
class AppriseConfig:
    """Where to, as apprise writes it: https://github.com/caronc/apprise/wiki."""

    url: str = field(repr=False)
    """Holds passwords and tokens."""
    to_channel: bool = False
    """Of e-mail: each message goes to the address that its contract names."""


class AppriseReceiver:
    """Sends each notification."""

    def __init__(self, config: AppriseConfig) -> None:
        import apprise

        # Apprise logs addresses, and with them passwords, when something fails.
        logging.getLogger("apprise").setLevel(logging.CRITICAL)
        self._config = config
        self._new = apprise.Apprise
        self._is_mail = config.url.strip().lower().startswith(_MAIL)
        if config.to_channel and not self._is_mail:
            raise UserMistake.of(
                "the address of the mail server is none that apprise knows",
                "write mailtos://user:password@host?from=address",
            )
        self._apprise = self._to(config.url)
        kinds = apprise.NotifyType
        self._types = {Severity.ERROR: kinds.FAILURE, Severity.WARNING: kinds.WARNING}
        self._good, self._other = kinds.SUCCESS, kinds.INFO
        self._html, self._text = apprise.NotifyFormat.HTML, apprise.NotifyFormat.TEXT

    def _to(self, url: str) -> Any:
        found = self._new()
        if not found.add(url):
            raise UserMistake.of(
                "the address of an apprise receiver is none that apprise knows",
                "see https://github.com/caronc/apprise/wiki for how each service is written",
            )
        return found

    def send(self, notification: Notification) -> Delivery:
        """Send it."""
        target = self._apprise
        if self._config.to_channel:
            address = address_of(notification.channel, notification.url)
            if not address:
                said = shortened(visible(notification.channel), 100)
                return Delivery(sent=False, reason=f"{said!r} is no e-mail address: correct 'support'")
            url = self._config.url
            target = self._to(f"{url}{'&' if '?' in url else '?'}to={quote(address, safe='')}")
        over = notification.labels.get("state") == IncidentState.RESOLVED.value
        kind = self._good if over else self._types.get(notification.severity, self._other)
        sent = target.notify(
            body=html(notification) if self._is_mail else text(notification),
            title=shortened(visible(notification.title), LONGEST_TITLE),
            notify_type=kind,
            body_format=self._html if self._is_mail else self._text,
        )
        if sent:
            return Delivery(sent=True)
        return Delivery(sent=False, retry=True, unsure=True, reason="apprise says only that it failed")


def text(notification: Notification) -> str:
    """The notification as plain text."""
    return plain(notification.sections, LONGEST_BODY) or shortened(visible(notification.title), LONGEST_BODY)


def make(options: dict[str, str]) -> AppriseReceiver:
    """From the options of a route file."""
    return AppriseReceiver(AppriseConfig(url=options["url"], to_channel="to_channel" in options))
