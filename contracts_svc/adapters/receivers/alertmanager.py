"""The Alertmanager receiver: every incident as an alert of Prometheus' Alertmanager, by its API v2.

Source: https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml. There an alert is known
by its labels, so they hold nothing that changes while it lasts, but for the severity: when that changes
the alert with the old one is ended. An alert that is not refreshed ends by itself there; each repeat
refreshes it, and ``lasts`` is longer than that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from contracts_svc.adapters.receivers.http import TIMEOUT, Http
from contracts_svc.alerts import Notification
from contracts_svc.ports import Delivery
from contracts_svc.routing_text import plain, shortened, visible

LASTS = timedelta(hours=24)
_LONGEST_LABEL = 1_000
_LONGEST_TEXT = 8_000
_NAME = re.compile(r"[^a-zA-Z0-9_]")


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertmanagerConfig:
    """Where it is."""

    url: str
    """As ``http://alertmanager:9093``."""
    timeout: float = TIMEOUT
    lasts: timedelta = LASTS
    """When an alert ends that is not refreshed: longer than the longest repeat interval."""


class AlertmanagerReceiver:
    """Posts alerts; sending one again changes nothing, so that repeats do no harm."""

    def __init__(self, config: AlertmanagerConfig) -> None:
        self._config = config
        self._http = Http("Alertmanager", timeout=config.timeout)

    def send(self, notification: Notification) -> Delivery:
        """Post its incidents as alerts, firing or ended."""
        body = json.dumps(alerts(notification, self._config.lasts)).encode()
        url = f"{self._config.url.rstrip('/')}/api/v2/alerts"
        delivery = self._http.judged(self._http.post(url, body, {}))
        if not delivery.sent:
            return delivery
        return Delivery(sent=True, thread=json.dumps(_severities(notification), sort_keys=True))


def alerts(notification: Notification, lasts: timedelta = LASTS) -> list[dict[str, Any]]:
    """The alerts that a notification stands for."""
    return list(_alerts(notification, lasts))


def _alerts(notification: Notification, lasts: timedelta) -> Iterator[dict[str, Any]]:
    now = notification.created or datetime.now(UTC)
    before = _before(notification)
    annotations = {
        "summary": shortened(visible(notification.title), _LONGEST_LABEL),
        "description": plain(notification.sections, _LONGEST_TEXT),
    }
    for incident in notification.incidents:
        severity = notification.severity.value
        over = incident in notification.resolved
        told = before.get(incident, severity)
        if over or told != severity:
            yield {"labels": _labels(notification, incident, told), "endsAt": now.isoformat()} | {
                "annotations": annotations
            }
        if not over:
            yield {
                "labels": _labels(notification, incident, severity),
                "annotations": annotations,
                "startsAt": now.isoformat(),
                "endsAt": (now + lasts).isoformat(),
            }


def _labels(notification: Notification, incident: str, severity: str) -> dict[str, str]:
    found = {_NAME.sub("_", n): v for n, v in notification.labels.items() if n not in ("state", "severity")}
    found |= {"alertname": "DataContract", "incident": incident[:32], "severity": severity}
    return {
        n: shortened(visible(v), _LONGEST_LABEL) for n, v in sorted(found.items()) if v and not n[0].isdigit()
    }


def _severities(notification: Notification) -> dict[str, str]:
    """Incident -> the severity it is known by there."""
    known = _before(notification)
    for incident in notification.incidents:
        known[incident] = notification.severity.value
    return {i: s for i, s in known.items() if i not in notification.resolved}


def _before(notification: Notification) -> dict[str, str]:
    found = json.loads(notification.thread) if notification.thread.startswith("{") else {}
    return {str(k): str(v) for k, v in found.items()}


def make(options: dict[str, str]) -> AlertmanagerReceiver:
    """From the options of a route file."""
    timeout = float(options.get("timeout", TIMEOUT))
    return AlertmanagerReceiver(AlertmanagerConfig(url=options["url"], timeout=timeout))
