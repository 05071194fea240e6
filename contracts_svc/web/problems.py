"""Problems as pages, for browsers: what went wrong, and the way out."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts_svc.api.browsers import is_browser
from contracts_svc.api.problems import MEDIA_TYPE, PREFIX, TITLES
from contracts_svc.web.pages import page

_ABOUT_THE_BODY = frozenset(
    {b"content-type", b"content-length", b"content-security-policy", b"referrer-policy"}
)


class ProblemPages:
    """Middleware that gives browsers a page where a program gets a problem of RFC 9457.

    Who is not logged in and wants to see a page is sent to where one logs in.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(f"{PREFIX}/"):
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        if not is_browser(request):
            await self._app(scope, receive, send)
            return
        answer = _Held(send)
        await self._app(scope, receive, answer.send)
        if answer.start is not None:
            await _shown(request, answer)(scope, receive, send)


class _Held:
    """Lets through all but problems."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.start: Message | None = None
        """Of a problem."""
        self.body = b""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            kinds = [v for k, v in message["headers"] if k.lower() == b"content-type"]
            if kinds == [MEDIA_TYPE.encode()]:
                self.start = message
        if self.start is None:
            await self._send(message)
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")


def _shown(request: Request, held: _Held) -> Response:
    assert held.start is not None
    status: int = held.start["status"]
    kept = [(k, v) for k, v in held.start["headers"] if k.lower() not in _ABOUT_THE_BODY]
    answer: Response
    if status == 401 and request.method in ("GET", "HEAD") and request.url.path != "/login/token":
        there = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        answer = RedirectResponse("/login?" + urlencode({"next": there}), 303)
    else:
        problem = json.loads(held.body) if held.body else {}
        answer = page(request, "problem.html", status=status, problem=_problem(status, problem))
    answer.raw_headers.extend(kept)
    return answer


def _problem(status: int, given: dict[str, Any]) -> dict[str, Any]:
    known = {
        "title": TITLES.get(status, ("", "It did not work"))[1],
        "detail": "",
        "mistakes": [],
        "request_id": "",
    }
    return known | given | {"status": status}
