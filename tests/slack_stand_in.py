"""Stands in for Slack on loopback: it keeps messages, refuses what Slack refuses, and lets people press."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode

from tests import block_kit

TOKEN, EXPIRED, APP_TOKEN = "xoxb-good", "xoxb-expired", "xapp-good"
WORKSPACE = "T012AB3CD"
MOST_FALLBACK = 40_000


@dataclass(slots=True)
class Posted:
    """A message as it stands."""

    channel: str
    ts: str
    text: str
    blocks: list[dict[str, Any]]
    thread_ts: str | None
    edits: int = 0

    @property
    def shown(self) -> str:
        return block_kit.text_of(self.blocks)

    def button(self, label: str) -> dict[str, Any]:
        """The button that says so."""
        (found,) = [
            e
            for b in self.blocks
            if b["type"] == "actions"
            for e in b["elements"]
            if e["text"]["text"] == label
        ]
        return dict(found)


@dataclass
class Slack:
    """Use it in a ``with`` block. ``url`` is the API, ``hooks`` where answers to one person go."""

    channels: dict[str, str] = field(default_factory=lambda: {"#flight-ops": "C01", "#finance": "C02"})
    """Name -> id of the channels that the app may post to."""
    emails: dict[str, str] = field(default_factory=dict)
    """Member -> the address that Slack shows."""
    tokens: dict[str, str] = field(default_factory=lambda: {TOKEN: WORKSPACE})
    slow_down: Counter[str] = field(default_factory=Counter)
    """Method -> how many calls are refused with 429 before one is taken."""
    socket_url: str = ""

    def __post_init__(self) -> None:
        self.posted: dict[str, Posted] = {}
        self.calls: Counter[str] = Counter()
        self.told: list[dict[str, Any]] = []
        """Answers that one person saw."""
        self.hold = threading.Event()
        """Cleared: answers to one person wait."""
        self.hold.set()
        self._lock = threading.Lock()
        self._count = 0
        slack = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"] or 0))
                path = self.path.strip("/")
                if path.startswith("hooks/"):
                    slack.hold.wait(10)
                status, headers, answer = slack.answer(path, dict(self.headers), raw)
                body = json.dumps(answer).encode()
                self.send_response(status)
                for name, value in {**headers, "Content-Type": "application/json"}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/api/"
        self.hooks = f"http://127.0.0.1:{self.server.server_port}/hooks/"
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Slack:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.hold.set()
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()

    # --- the API --------------------------------------------------------------------------------

    def answer(self, path: str, headers: dict[str, str], raw: bytes) -> tuple[int, dict[str, str], Any]:
        with self._lock:
            if path.startswith("hooks/"):
                return self._hook(json.loads(raw))
            method = path.removeprefix("api/")
            self.calls[method] += 1
            if self.slow_down[method] > 0:
                self.slow_down[method] -= 1
                return 429, {"Retry-After": "7"}, {"ok": False, "error": "ratelimited"}
            token = headers.get("Authorization", "").removeprefix("Bearer ")
            try:
                return 200, {}, {"ok": True, **self._called(method, token, _body(headers, raw))}
            except _Refused as refused:
                return 200, {}, {"ok": False, "error": str(refused)}

    def _called(self, method: str, token: str, body: dict[str, Any]) -> dict[str, Any]:
        if method == "apps.connections.open":
            if token != APP_TOKEN:
                raise _Refused("invalid_auth")
            return {"url": self.socket_url}
        if token == EXPIRED:
            raise _Refused("token_expired")
        if token not in self.tokens:
            raise _Refused("invalid_auth")
        if method == "users.info":
            return {"user": {"id": body["user"], "profile": {"email": self.emails.get(body["user"], "")}}}
        self._check(body)
        if method == "chat.update":
            return self._update(body)
        assert method == "chat.postMessage", method
        return self._post(body)

    def _check(self, body: dict[str, Any]) -> None:
        if len(body.get("text", "")) > MOST_FALLBACK:
            raise _Refused("msg_too_long")
        try:
            block_kit.check(body["blocks"])
        except block_kit.InvalidBlocks:
            raise _Refused("invalid_blocks") from None

    def _post(self, body: dict[str, Any]) -> dict[str, Any]:
        channel = self.channels.get(body["channel"], body["channel"])
        if channel not in self.channels.values():
            raise _Refused("channel_not_found")
        thread = body.get("thread_ts")
        if thread and thread not in self.posted:
            raise _Refused("thread_not_found")
        self._count += 1
        ts = f"17000000{self._count:02}.000100"
        self.posted[ts] = Posted(channel, ts, body["text"], body["blocks"], thread)
        return {"channel": channel, "ts": ts}

    def _update(self, body: dict[str, Any]) -> dict[str, Any]:
        there = self.posted.get(body["ts"])
        if there is None or there.channel != body["channel"]:
            raise _Refused("message_not_found")
        there.text, there.blocks = body["text"], body["blocks"]
        there.edits += 1
        return {"channel": there.channel, "ts": there.ts}

    def _hook(self, body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        block_kit.check(body["blocks"])
        assert body["response_type"] == "ephemeral"
        assert body["replace_original"] is False
        self.told.append(body)
        return 200, {}, "ok"

    # --- what people see and do -------------------------------------------------------------------

    def heads(self) -> list[Posted]:
        return [p for p in self.posted.values() if p.thread_ts is None]

    def thread(self, head: Posted) -> list[str]:
        return [p.shown for p in self.posted.values() if p.thread_ts == head.ts]

    def last_told(self) -> str:
        return block_kit.text_of(self.told[-1]["blocks"]) if self.told else ""

    def pressed(self, message: Posted, label: str, user: str, at: str = "1.0") -> dict[str, Any]:
        """What Slack sends when this member presses a button."""
        button = message.button(label)
        return {
            "type": "block_actions",
            "user": {"id": user, "username": "x", "team_id": WORKSPACE},
            "team": {"id": WORKSPACE, "domain": "acme"},
            "container": {"type": "message", "message_ts": message.ts, "channel_id": message.channel},
            "channel": {"id": message.channel, "name": "x"},
            "response_url": f"{self.hooks}actions/{WORKSPACE}/1/2",
            "actions": [{**button, "block_id": "contracts", "action_ts": at}],
        }


class _Refused(Exception):
    pass


def _body(headers: dict[str, str], raw: bytes) -> dict[str, Any]:
    if "json" in headers.get("Content-Type", ""):
        found: dict[str, Any] = json.loads(raw or b"{}")
        return found
    return {k: v[0] for k, v in parse_qs(raw.decode()).items()}


def form(payload: Any) -> bytes:
    """The body that Slack posts."""
    return urlencode({"payload": json.dumps(payload)}).encode()


def signed(secret: str, body: bytes, at: float) -> dict[str, str]:
    """Headers by which a request is Slack's."""
    stamp = str(int(at))
    found = hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    return {
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": f"v0={found}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
