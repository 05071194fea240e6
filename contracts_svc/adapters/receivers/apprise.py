"""The apprise receiver: e-mail, Teams, Opsgenie, Google Chat, Discord and some hundred others.

Apprise says only whether it worked, not why not: nobody knows whether a failed message arrived, or
whether a retry can help. So it is tried again a few times only.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from contracts_svc.alerts import IncidentState, Notification
from contracts_svc.errors import UserMistake
from contracts_svc.findings import Severity
from contracts_svc.ports import Delivery
from contracts_svc.routing_text import plain, shortened, visible

LONGEST_TITLE = 250
LONGEST_BODY = 8_000
"""Characters; apprise cuts further where a service takes less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppriseConfig:
    """Where to, as apprise writes it: https://github.com/caronc/apprise/wiki."""

    url: str = field(repr=False)
    """Holds passwords and tokens."""


class AppriseReceiver:
    """Sends each notification as plain text."""

    def __init__(self, config: AppriseConfig) -> None:
        import apprise

        # Apprise logs addresses, and with them passwords, when something fails.
        logging.getLogger("apprise").setLevel(logging.CRITICAL)
        self._apprise = apprise.Apprise()
        if not self._apprise.add(config.url):
            raise UserMistake.of(
                "the address of an apprise receiver is none that apprise knows",
                "see https://github.com/caronc/apprise/wiki for how each service is written",
            )
        kinds = apprise.NotifyType
        self._types = {Severity.ERROR: kinds.FAILURE, Severity.WARNING: kinds.WARNING}
        self._good, self._other = kinds.SUCCESS, kinds.INFO
        self._format = apprise.NotifyFormat.TEXT

    def send(self, notification: Notification) -> Delivery:
        """Send it."""
        over = notification.labels.get("state") == IncidentState.RESOLVED.value
        kind = self._good if over else self._types.get(notification.severity, self._other)
        sent = self._apprise.notify(
            body=text(notification),
            title=shortened(visible(notification.title), LONGEST_TITLE),
            notify_type=kind,
            body_format=self._format,
        )
        if sent:
            return Delivery(sent=True)
        return Delivery(sent=False, retry=True, unsure=True, reason="apprise says only that it failed")


def text(notification: Notification) -> str:
    """The notification as plain text."""
    return plain(notification.sections, LONGEST_BODY) or shortened(visible(notification.title), LONGEST_BODY)


def make(options: dict[str, str]) -> AppriseReceiver:
    """From the options of a route file."""
    return AppriseReceiver(AppriseConfig(url=options["url"]))
