"""The webhook receiver: a notification as JSON, signed as Standard Webhooks says.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md. The
body's form is ``webhook.schema.json`` beside this file; ``version`` counts up when it changes in a way
that a reader could notice. Where it may be sent to: see :mod:`.http`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from contracts_svc.adapters.receivers.http import TIMEOUT, Http
from contracts_svc.alerts import Notification
from contracts_svc.errors import UserMistake
from contracts_svc.ports import Delivery
from contracts_svc.routing_json import as_json

VERSION = 1
PREFIX = "whsec_"
TOLERANCE = 300
"""Seconds that a signature's time may be off."""
LONGEST_TEXT = 2_000
LARGEST_SECTIONS = 200_000
"""Bytes that the sections may have together: many servers take no more than some hundred KB."""
_MOST = {"sections": 50, "lines": 100, "rows": 20, "links": 20, "incidents": 1_000}


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookConfig:
    """Where to, and the secret that both sides know."""

    url: str
    secret: str = field(repr=False)
    """``whsec_`` and 24 to 64 bytes in base64."""
    timeout: float = TIMEOUT

    def __post_init__(self) -> None:
        key(self.secret)


class WebhookReceiver:
    """Posts each notification. ``webhook-id`` is its key: the same for every try of the same message."""

    def __init__(self, config: WebhookConfig, clock: Callable[[], float] = time.time) -> None:
        self._config = config
        self._clock = clock
        self._http = Http("webhook", timeout=config.timeout, secrets=(config.secret,))

    def send(self, notification: Notification) -> Delivery:
        """Post it."""
        payload = json.dumps(body(notification), allow_nan=False).encode()
        at = str(int(self._clock()))
        headers = {
            "webhook-id": notification.key,
            "webhook-timestamp": at,
            "webhook-signature": signature(self._config.secret, notification.key, at, payload),
        }
        return self._http.judged(self._http.post(self._config.url, payload, headers))


def body(notification: Notification) -> dict[str, Any]:
    """What is posted."""
    found = as_json(notification)
    data = {
        name: _bounded(found[name], name)
        for name in (
            "key",
            "group",
            "audience",
            "team",
            "title",
            "severity",
            "sections",
            "labels",
            "incidents",
            "resolved",
            "still_open",
            "on_it",
            "silenced",
            "update",
        )
    }
    data["sections"] = _fitting(data["sections"])
    data["state"] = notification.labels.get("state", "open")
    return {"type": "contracts.alert", "version": VERSION, "timestamp": found["created"], "data": data}


def _bounded(value: Any, name: str) -> Any:
    if isinstance(value, str):
        return value if len(value) <= LONGEST_TEXT else value[: LONGEST_TEXT - 1] + "…"
    if isinstance(value, list):
        return [_bounded(v, name) for v in value[: _MOST.get(name, 1_000)]]
    if isinstance(value, dict):
        return {k[:LONGEST_TEXT]: _bounded(v, k) for k, v in list(value.items())[:1_000]}
    return value


def _fitting(sections: list[Any]) -> list[Any]:
    """As many of the sections as fit; rows go first, since they are the largest."""
    kept: list[Any] = []
    left = LARGEST_SECTIONS
    for section in sections:
        for shown in (section, {**section, "rows": []}, {**section, "rows": [], "lines": []}):
            size = len(json.dumps(shown))
            if size <= left:
                kept.append(shown)
                left -= size
                break
        else:
            return kept
    return kept


def key(secret: str) -> bytes:
    """The bytes of a secret. Raises UserMistake, which does not show it."""
    try:
        found = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if not 24 <= len(found) <= 64:
        raise UserMistake.of(
            "the secret of the webhook is not 24 to 64 bytes in base64",
            "make one with: echo whsec_$(head -c 32 /dev/urandom | base64)",
        )
    return found


def signature(secret: str, message_id: str, timestamp: str, payload: bytes) -> str:
    """``v1,`` and the HMAC-SHA256 of id, time and body, in base64."""
    signed = b".".join((message_id.encode(), timestamp.encode(), payload))
    return "v1," + base64.b64encode(hmac.new(key(secret), signed, hashlib.sha256).digest()).decode()


def verified(secret: str, headers: dict[str, str], payload: bytes, now: float) -> bool:
    """Whether a call is signed with this secret and not older (or newer) than the tolerance.

    For those who receive, as an example, and for tests. Header names in lower case.
    """
    at = headers.get("webhook-timestamp", "")
    if not (at.isascii() and at.isdecimal() and len(at) < 12) or abs(now - int(at)) > TOLERANCE:
        return False
    expected = signature(secret, headers.get("webhook-id", ""), at, payload)
    given = headers.get("webhook-signature", "").split()
    return any(hmac.compare_digest(expected.encode(), g.encode()) for g in given)


def make(options: dict[str, str]) -> WebhookReceiver:
    """From the options of a route file."""
    timeout = float(options.get("timeout", TIMEOUT))
    return WebhookReceiver(WebhookConfig(url=options["url"], secret=options["secret"], timeout=timeout))
