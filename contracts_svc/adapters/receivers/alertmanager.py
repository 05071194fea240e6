"""The Alertmanager receiver: every incident as an alert of Prometheus' Alertmanager, by its API v2.

Source: https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml. There an alert is known
by its labels, so they hold nothing that changes while it lasts, but for the severity: when that changes
the alert with the old one is ended. An alert that is not refreshed ends by itself there; each repeat
refreshes it, and ``lasts`` is longer than that. Who is on it stands in annotations; what is silenced here
is silenced there, for its own receivers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from contracts_svc.adapters.receivers.http import TIMEOUT, Http
from contracts_svc.alerts import Notification
from contracts_svc.ports import Delivery
from contracts_svc.routing_text import plain, shortened, visible

LASTS = timedelta(hours=24)
LONGEST_SILENCE = timedelta(days=90)
_LONGEST_LABEL = 1_000
_LONGEST_TEXT = 8_000
_CHANGING = ("state", "severity", "dimension")
"""Labels that an alert cannot be known by; ``dimension`` is that of the worst check told together."""
_NAME = re.compile(r"[^a-zA-Z0-9_]")


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertmanagerConfig:
    """Where it is."""

    url: str
    """As ``http://alertmanager:9093``."""
    timeout: float = TIMEOUT
    lasts: timedelta = LASTS
    """When an alert ends that is not refreshed: longer than the longest repeat interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What stands there of a group: kept as its thread."""

    severities: dict[str, str] = field(default_factory=dict)
    """Incident -> the severity it is known by."""
    silence: str = ""
    """The id of the silence there."""

    @classmethod
    def of(cls, thread: str) -> _Known:
        found = json.loads(thread) if thread.startswith("{") else {}
        severities = {str(k): str(v) for k, v in found.get("severities", {}).items()}
        return cls(severities=severities, silence=str(found.get("silence", "")))

    def thread(self) -> str:
        return json.dumps({"severities": self.severities, "silence": self.silence}, sort_keys=True)


class AlertmanagerReceiver:
    """Posts alerts; sending one again changes nothing, so that repeats do no harm."""

    def __init__(self, config: AlertmanagerConfig) -> None:
        self._config = config
        self._http = Http("Alertmanager", timeout=config.timeout)

    def send(self, notification: Notification) -> Delivery:
        """Post its incidents as alerts, firing or ended."""
        body = json.dumps(alerts(notification, self._config.lasts)).encode()
        delivery = self._http.judged(self._http.post(self._url("alerts"), body, {}))
        if not delivery.sent:
            return delivery
        known = replace(_Known.of(notification.thread), severities=_severities(notification))
        if notification.silenced is not None and notification.update:
            return self._silence(notification, known)
        if notification.silenced is None and known.silence and notification.update:
            return self._end_silence(known)
        return Delivery(sent=True, thread=known.thread())

    def _silence(self, notification: Notification, known: _Known) -> Delivery:
        body = json.dumps(silence(notification, known.silence)).encode()
        answer = self._http.post(self._url("silences"), body, {})
        delivery = self._http.judged(answer)
        if not delivery.sent or isinstance(answer, Delivery):
            return delivery
        return Delivery(sent=True, thread=replace(known, silence=_silence_id(answer.text)).thread())

    def _end_silence(self, known: _Known) -> Delivery:
        answer = self._http.delete(self._url(f"silence/{known.silence}"))
        delivery = self._http.judged(answer)
        gone = not isinstance(answer, Delivery) and answer.status == 404
        if not delivery.sent and not gone:
            return delivery
        return Delivery(sent=True, thread=replace(known, silence="").thread())

    def _url(self, path: str) -> str:
        return f"{self._config.url.rstrip('/')}/api/v2/{path}"


def alerts(notification: Notification, lasts: timedelta = LASTS) -> list[dict[str, Any]]:
    """The alerts that a notification stands for."""
    return list(_alerts(notification, lasts))


def _alerts(notification: Notification, lasts: timedelta) -> Iterator[dict[str, Any]]:
    now = notification.created or datetime.now(UTC)
    before = _Known.of(notification.thread).severities
    for incident in notification.incidents:
        annotations = _annotations(notification, incident)
        over = incident in notification.resolved
        now_is = _severity(notification, incident)
        told = before.get(incident, now_is)
        # What people do about it makes it no worse: with another severity it would be another alert.
        severity = told if notification.update else now_is
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
            } | _generator(notification)


def _generator(notification: Notification) -> dict[str, str]:
    """Where people look further."""
    links = [link.url for s in notification.sections for link in s.links]
    return {"generatorURL": links[0]} if links else {}


def silence(notification: Notification, known: str = "") -> dict[str, Any]:
    """The silence over a notification's alerts; ``known`` is the id of one that it replaces."""
    assert notification.silenced is not None
    now = notification.created or datetime.now(UTC)
    names = "|".join(sorted(re.escape(_name(i)) for i in notification.incidents))
    matchers = (("alertname", "DataContract", False), ("incident", names, True))
    found: dict[str, Any] = {
        "matchers": [{"name": n, "value": v, "isRegex": r, "isEqual": True} for n, v, r in matchers],
        "startsAt": now.isoformat(),
        "endsAt": (notification.silenced.until or now + LONGEST_SILENCE).isoformat(),
        "createdBy": shortened(visible(notification.silenced.who), _LONGEST_LABEL) or "contracts",
        "comment": shortened(visible(notification.update), _LONGEST_LABEL),
    }
    return found | ({"id": known} if known else {})


def _annotations(notification: Notification, incident: str) -> dict[str, str]:
    found = {
        "summary": shortened(visible(notification.title), _LONGEST_LABEL),
        "description": plain(notification.sections, _LONGEST_TEXT),
    }
    on_it = notification.on_it.get(incident)
    if on_it is not None:
        found["acknowledged_by"] = shortened(visible(on_it.who), _LONGEST_LABEL)
        found |= {"acknowledged_until": on_it.until.isoformat()} if on_it.until else {}
    return found


def _labels(notification: Notification, incident: str, severity: str) -> dict[str, str]:
    own = notification.labels_of.get(incident, notification.labels)
    found = {_NAME.sub("_", n): v for n, v in own.items() if n not in _CHANGING}
    found |= {"alertname": "DataContract", "incident": _name(incident), "severity": severity}
    return {
        n: shortened(visible(v), _LONGEST_LABEL) for n, v in sorted(found.items()) if v and not n[0].isdigit()
    }


def _severity(notification: Notification, incident: str) -> str:
    own = notification.labels_of.get(incident, {})
    return own.get("severity") or notification.severity.value


def _name(incident: str) -> str:
    return incident[:32]


def _severities(notification: Notification) -> dict[str, str]:
    """Incident -> the severity it is known by there."""
    known = dict(_Known.of(notification.thread).severities)
    for incident in notification.incidents:
        if incident not in known or not notification.update:
            known[incident] = _severity(notification, incident)
    return {i: s for i, s in known.items() if i not in notification.resolved}


def _silence_id(answer: str) -> str:
    try:
        found = json.loads(answer)
    except ValueError:
        return ""
    return str(found.get("silenceID", "")) if isinstance(found, dict) else ""


def make(options: dict[str, str]) -> AlertmanagerReceiver:
    """From the options of a route file."""
    lasts = timedelta(hours=int(options["lasts"])) if "lasts" in options else LASTS
    timeout = float(options.get("timeout", TIMEOUT))
    return AlertmanagerReceiver(AlertmanagerConfig(url=options["url"], timeout=timeout, lasts=lasts))
