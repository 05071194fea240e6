"""Bounds of what a request may take: the size of its body, and how many come in a time."""

from __future__ import annotations

import asyncio
import logging
import math
import time
import uuid
from collections import OrderedDict
from collections.abc import Mapping
from threading import Lock

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts_svc.api.access import hash_of
from contracts_svc.api.problems import PREFIX, answer

log = logging.getLogger("contracts.api")

MAX_BODY = 8 * 1024 * 1024
"""Bytes of a body, where nothing else is said."""
MAX_BODY_OF: Mapping[str, int] = {
    "/api/v1/lineage": 10_000_000,
    "/api/v1/lineage/batch": 10_000_000,
    "/api/v1/events/publish": 1_000_000,
    "/slack/interactivity": 1_000_000,
    "/github/webhook": 25 * 1024 * 1024,
}
"""Path -> bytes, where it is more or less."""
UNCOUNTED = frozenset({"/github/webhook"})
"""Paths without a budget: GitHub sends each webhook once, however many come at a time."""
PACKED = frozenset({f"{PREFIX}/lineage", f"{PREFIX}/lineage/batch"})
"""Paths whose bodies may come with a Content-Encoding; elsewhere it would be taken for what it is not."""
BODY_SECONDS = 30.0
"""How long a body may take to come, besides what its bytes take at :data:`SLOWEST`."""
SLOWEST = 20_000
"""Bytes a second."""
_MOST_CALLERS = 10_000
"""Callers whose budget is kept in mind; who was not seen longest begins with a full one."""


class Budget:
    """So many requests a second, on the average, with bursts of so many; by caller."""

    def __init__(self, per_second: float, burst: int) -> None:
        self._rate = per_second
        self._burst = burst
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = Lock()

    def wait(self, caller: str, now: float) -> float:
        """Take one; 0 when there was one, else the seconds until there is."""
        with self._lock:
            left, at = self._left.pop(caller, (float(self._burst), now))
            left = min(float(self._burst), left + (now - at) * self._rate)
            waits = 0.0 if left >= 1 else (1 - left) / self._rate
            self._left[caller] = (left - (1 if waits == 0 else 0), now)
            if len(self._left) > _MOST_CALLERS:
                self._left.popitem(last=False)
            return waits

    def give_back(self, caller: str) -> None:
        """Put back one that was taken for somebody else."""
        with self._lock:
            if caller in self._left:
                left, at = self._left[caller]
                self._left[caller] = (min(float(self._burst), left + 1), at)


class _Remembered:
    """What was said -> whose it is; what was not said for longest is forgotten first."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, str] = OrderedDict()

    def get(self, said: str) -> str:
        """Whose it is; empty: not known."""
        if said not in self._known:
            return ""
        self._known.move_to_end(said)
        return self._known[said]

    def put(self, said: str, whose: str) -> None:
        """Remember it."""
        self._known[said] = whose
        if len(self._known) > _MOST_CALLERS:
            self._known.popitem(last=False)


def new_id() -> str:
    """An id for a request: 64 random bits, hexadecimal."""
    return uuid.uuid4().hex[:16]


class Limits:
    """Middleware: sees that a request has an id, refuses what is too large (413) or too much (429).

    A token or a session has a budget of its own once it is known to be good. Until then its requests are
    taken from that of the address that they come from: else whoever makes up tokens has a new one each time.
    """

    def __init__(self, app: ASGIApp, budget: Budget) -> None:
        self._app = app
        self._budget = budget
        self._good = _Remembered()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        state = scope.setdefault("state", {})
        request_id: str = state.setdefault("request_id", new_id())
        started = _Started(send, request_id, scope)
        said, address = _said(headers), _address(scope)
        known = self._good.get(said)
        refused = self._refused(scope, headers, known or address)
        if refused is None:
            refused = await self._served(scope, receive, started, request_id)
            if not known and "token" in state:
                self._found_good(said, state["token"], address)
        if refused is not None and not started.begun:
            await refused(scope, receive, started.send)

    def _found_good(self, said: str, token: str, address: str) -> None:
        """What was said is a token's or a session's: it pays itself, as far as it has anything left."""
        self._good.put(said, token)
        if self._budget.wait(token, time.monotonic()) == 0:
            self._budget.give_back(address)

    def _refused(self, scope: Scope, headers: Headers, caller: str) -> ASGIApp | None:
        """The answer to what is not even looked at."""
        request_id: str = scope["state"]["request_id"]
        counted = scope["path"] not in UNCOUNTED
        waits = self._budget.wait(caller, time.monotonic()) if counted else 0.0
        if waits > 0:
            retry = {"Retry-After": str(math.ceil(waits))}
            return answer(scope["path"], request_id, 429, "slow down", headers=retry)
        packed = headers.get("content-encoding", "identity").strip().lower() not in ("", "identity")
        if packed and scope["path"] not in PACKED:
            return answer(scope["path"], request_id, 415, "a body is read here without Content-Encoding only")
        length = headers.get("content-length", "")
        most = _most(scope)
        return _too_large(scope, request_id, most) if length.isdecimal() and int(length) > most else None

    async def _served(
        self, scope: Scope, receive: Receive, started: _Started, request_id: str
    ) -> ASGIApp | None:
        """Serve it; the answer that is still to be given when that did not work."""
        body = _Body(receive, _most(scope))
        started.held_back = lambda: body.too_large or body.too_slow
        try:
            await self._app(scope, body.receive, started.send)
        except ClientDisconnect:
            # Nobody is there to read it; it is what logs and figures say.
            return answer(scope["path"], request_id, 400, "the client went away before its request was whole")
        except Exception as error:
            if body.too_large:
                return _too_large(scope, request_id, _most(scope))
            if body.too_slow:
                return _too_slow(scope, request_id)
            log.exception("a defect", extra={"request_id": request_id, "path": scope["path"]})
            detail = f"{type(error).__name__}; tell us the request id {request_id}"
            return answer(scope["path"], request_id, 500, detail)
        finally:
            started.held_back = _never
        if body.too_slow:
            return _too_slow(scope, request_id)
        return _too_large(scope, request_id, _most(scope)) if body.too_large else None


def _most(scope: Scope) -> int:
    return MAX_BODY_OF.get(scope["path"], MAX_BODY)


class _TooLarge(Exception):
    """More came than the header said, or than there may be."""


class _TooSlow(Exception):
    """A body does not come."""


class _Body:
    def __init__(self, receive: Receive, most: int) -> None:
        self._receive = receive
        self._most = most
        self._came = 0
        self._until = time.monotonic() + BODY_SECONDS
        self._whole = False
        self.too_large = False
        self.too_slow = False

    async def receive(self) -> Message:
        if self._whole:
            # What is waited for now is the end of the connection.
            return await self._receive()
        try:
            async with asyncio.timeout(self._until - time.monotonic()):
                message = await self._receive()
        except TimeoutError:
            self.too_slow = True
            raise _TooSlow from None
        if message["type"] == "http.request":
            self._whole = not message.get("more_body", False)
            self._came += len(message.get("body", b""))
            self._until += len(message.get("body", b"")) / SLOWEST
            if self._came > self._most:
                self.too_large = True
                raise _TooLarge
        return message


def _never() -> bool:
    return False


class _Started:
    def __init__(self, send: Send, request_id: str, scope: Scope) -> None:
        policy = _OF_DOCS if scope["path"] == f"{PREFIX}/docs" else _OF_DATA
        self._strict = [*_STRICT, (_POLICY, policy), *(_TLS if scope.get("scheme") == "https" else ())]
        self._send = send
        self._id = request_id
        self.begun = False
        self.held_back = _never
        """Whether an answer is not to be sent: another one takes its place."""

    async def send(self, message: Message) -> None:
        if not self.begun and self.held_back():
            return
        if message["type"] == "http.response.start":
            self.begun = True
            message.setdefault("headers", [])
            given = {name.lower() for name, _ in message["headers"]}
            strict = [h for h in self._strict if h[0] not in given]
            message["headers"] = [*message["headers"], (b"x-request-id", self._id.encode()), *strict]
        await self._send(message)


_POLICY = b"content-security-policy"
_OF_DATA = b"default-src 'none'; frame-ancestors 'none'"
_OF_DOCS = (
    b"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    b"frame-ancestors 'none'"
)
"""The page of the API's description is one document with a style sheet in it, and has no scripts."""
_STRICT = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
]
"""Headers of every answer. See https://owasp.org/www-project-secure-headers/."""
_TLS = [(b"strict-transport-security", b"max-age=31536000")]
"""Where it came over TLS (RFC 6797: not where it did not)."""


def _said(headers: Headers) -> str:
    """Who one says to be, hashed; empty: nothing is said."""
    said = headers.get("authorization", "") or headers.get("cookie", "")
    return hash_of(said) if said else ""


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _too_slow(scope: Scope, request_id: str) -> ASGIApp:
    # The rest of the body may come yet: the connection is of no more use.
    detail = f"the body did not come within {BODY_SECONDS:.0f} s"
    return answer(scope["path"], request_id, 408, detail, headers={"Connection": "close"})


def _too_large(scope: Scope, request_id: str, most: int) -> ASGIApp:
    detail = f"the body has more than {most:,} bytes"
    return answer(scope["path"], request_id, 413, detail, headers={"Retry-After": "0"})
