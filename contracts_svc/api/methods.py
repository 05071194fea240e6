"""HEAD and OPTIONS, for every path: what GET would say without its body, and what can be done there."""

from __future__ import annotations

from collections.abc import Sequence
from re import Pattern

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

Known = Sequence[tuple[Pattern[str], frozenset[str]]]
"""What paths look like, and their methods."""


class Methods:
    """Middleware that answers HEAD and OPTIONS (RFC 9110, sections 9.3.2 and 9.3.7), and says what can be
    done where something cannot (15.5.6): the router knows one of the routes of a path only."""

    def __init__(self, app: ASGIApp, known: Known) -> None:
        self._app = app
        self._known = known

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "HEAD" and "GET" in self._allowed(scope["path"]):
            scope["method"] = "GET"
            try:
                await self._app(scope, receive, _without_body(send))
            finally:
                # For what is around us, which logs and counts it.
                scope["method"] = "HEAD"
            return
        if scope["type"] == "http" and scope["method"] == "OPTIONS":
            allowed = self._allowed(scope["path"])
            if allowed:
                answer = Response(status_code=204, headers={"Allow": ", ".join(sorted(allowed))})
                await answer(scope, receive, send)
                return

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 405:
                can = ", ".join(sorted(self._allowed(scope["path"]))).encode()
                headers = [h for h in message["headers"] if h[0] != b"allow" or not can]
                message = {**message, "headers": [*headers, *([(b"allow", can)] if can else [])]}
            await send(message)

        await self._app(scope, receive, sent)

    def _allowed(self, path: str) -> frozenset[str]:
        found = {m for pattern, methods in self._known if pattern.match(path) for m in methods}
        also = {"OPTIONS"} | ({"HEAD"} if "GET" in found else set())
        return frozenset(found | also) if found else frozenset()


def _without_body(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return sent
