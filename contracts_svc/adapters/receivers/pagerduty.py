"""The PagerDuty receiver: Events API v2, one PagerDuty incident for each group of ours.

Source: https://developer.pagerduty.com/docs/send-alert-event. What is told together is one page, known by
``dedup_key``; it is resolved when nothing of it is wrong any more.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from contracts_svc.adapters.receivers.http import TIMEOUT, Http
from contracts_svc.alerts import IncidentState, Notification
from contracts_svc.errors import UserMistake
from contracts_svc.findings import Severity
from contracts_svc.ports import Delivery
from contracts_svc.routing_text import shortened, visible

URL = "https://events.pagerduty.com"
LONGEST_SUMMARY = 1_024
LONGEST_EVENT = 512_000
"""Bytes that an event may have."""
_LONGEST_LINE, _MOST_LINKS = 500, 10
_TRIGGERED, _ACKNOWLEDGED = "triggered", "acknowledged"
"""How the page stands there: kept as the thread of its group."""
_SEVERITIES = {Severity.ERROR: "error", Severity.WARNING: "warning"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PagerDutyConfig:
    """The integration key of a service."""

    routing_key: str = field(repr=False)
    url: str = URL
    timeout: float = TIMEOUT

    def __post_init__(self) -> None:
        if not (len(self.routing_key) == 32 and self.routing_key.isascii() and self.routing_key.isalnum()):
            raise UserMistake.of(
                "the PagerDuty routing key is not 32 letters and digits",
                "copy the integration key of an 'Events API v2' integration again",
            )


class PagerDutyReceiver:
    """Triggers, acknowledges and resolves. Sending an event again changes nothing there."""

    def __init__(self, config: PagerDutyConfig) -> None:
        self._config = config
        self._http = Http("PagerDuty", timeout=config.timeout, secrets=(config.routing_key,))

    def send(self, notification: Notification) -> Delivery:
        """Send its event."""
        if not notification.incidents:
            return self._tell(notification)
        event = event_of(notification)
        action = event["event_action"]
        if action == "trigger" and notification.update:
            return Delivery(sent=True)  # a page has one state: it is acknowledged once all of it is
        if action == "trigger" and notification.thread == _ACKNOWLEDGED:
            # What is triggered while a page is acknowledged there wakes nobody: it is a new page.
            ended = self._send({**_bare(event), "event_action": "resolve"})
            if not ended.sent:
                return ended
        delivery = self._send(event)
        if not delivery.sent:
            return delivery
        return Delivery(sent=True, thread=_ACKNOWLEDGED if action == "acknowledge" else _TRIGGERED)

    def _tell(self, notification: Notification) -> Delivery:
        """What is of no incident (a digest, an announcement) wakes nobody: it is a change event."""
        event = {key: value for key, value in event_of(notification).items() if key in ("payload", "links")}
        kept = ("summary", "source", "timestamp", "custom_details")
        event["payload"] = {name: event["payload"][name] for name in kept}
        return self._send(event, "change")

    def _send(self, event: dict[str, Any], kind: str = "") -> Delivery:
        body = json.dumps({"routing_key": self._config.routing_key, **event}).encode()
        path = "/v2/change/enqueue" if kind else "/v2/enqueue"
        return self._http.judged(self._http.post(self._config.url.rstrip("/") + path, body, {}))


def event_of(notification: Notification) -> dict[str, Any]:
    """The event, without the key."""
    state = notification.labels.get("state")
    if state == IncidentState.RESOLVED.value and not notification.still_open:
        action = "resolve"
    elif state == IncidentState.ACKNOWLEDGED.value:
        action = "acknowledge"
    else:
        action = "trigger"
    event: dict[str, Any] = {
        "event_action": action,
        "dedup_key": (notification.group or notification.key)[:255],
        "client": "contracts",
    }
    if action != "trigger":
        return event
    at = notification.created or datetime.now(UTC)
    details = {_cut(s.heading): [_cut(x) for x in s.lines[:10]] for s in notification.sections[:10]}
    links = [{"href": link.url, "text": _cut(link.text)} for s in notification.sections for link in s.links]
    return event | {
        "links": links[:_MOST_LINKS],
        "payload": {
            "summary": shortened(visible(notification.title), LONGEST_SUMMARY),
            "source": shortened(visible(notification.labels.get("dataset", "") or "contracts"), 255),
            "severity": _SEVERITIES.get(notification.severity, "info"),
            "timestamp": at.isoformat(),
            "component": shortened(visible(notification.labels.get("contract", "")), 255),
            "group": shortened(visible(notification.team), 255),
            "custom_details": details,
        },
    }


def _bare(event: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name != "payload"}


def _cut(text: str) -> str:
    return shortened(visible(text), _LONGEST_LINE)


def make(options: dict[str, str]) -> PagerDutyReceiver:
    """From the options of a route file."""
    timeout = float(options.get("timeout", TIMEOUT))
    url = options.get("url", URL)
    return PagerDutyReceiver(PagerDutyConfig(routing_key=options["routing_key"], url=url, timeout=timeout))
