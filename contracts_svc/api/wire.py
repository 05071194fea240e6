"""Bounds of a connection that the HTTP parser does not have: how large a head may be, and how slow.

uvicorn keeps a connection for ever that sends half a head, and httptools takes a head of any size.
"""

from __future__ import annotations

import asyncio
from typing import Any

from contracts_svc.api.limits import new_id
from contracts_svc.api.problems import answer

MAX_HEAD = 64 * 1024
"""Bytes of a request before its body; one read of the socket more may come. Servers take 8 to 64 KiB."""
MAX_REQUEST = 80 * 1024 * 1024
"""Bytes of a whole request as it comes: the largest body in chunks of one byte, and no endless trailer."""
HEAD_SECONDS = 20.0
"""From connecting, or the first byte of a further request, to the end of its head."""


class _Bounded:
    """Mixed into uvicorn's protocol, of either parser."""

    _head = 0
    _whole = 0
    _timer: asyncio.TimerHandle | None = None
    seconds = HEAD_SECONDS

    def connection_made(self, transport: Any) -> None:
        """A client has connected."""
        super().connection_made(transport)  # type: ignore[misc]
        self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._end()
        super().connection_lost(exc)  # type: ignore[misc]

    def data_received(self, data: bytes) -> None:
        """Some of a request has come."""
        reads_head = not self._is_under_way()
        self._whole = len(data) if reads_head and not self._head else self._whole + len(data)
        if reads_head:
            self._head += len(data)
            self._begin()
        if self._whole > MAX_REQUEST:
            self._refuse("Request too large.")
            return
        super().data_received(data)  # type: ignore[misc]
        if self._is_under_way():
            self._head = 0
            self._end()
        elif self._head > MAX_HEAD:
            self._refuse("Request header fields too large.")

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request, in the shape of every error, and end the connection."""
        request_id = new_id()
        problem = answer(
            "", request_id, 400, msg, headers={"Connection": "close", "X-Request-ID": request_id}
        )
        head = b"".join(b"%b: %b\r\n" % header for header in problem.raw_headers)
        self._transport().write(b"HTTP/1.1 400 Bad Request\r\n%b\r\n%b" % (head, bytes(problem.body)))
        self._transport().close()

    def _is_under_way(self) -> bool:
        """Whether a request's head is complete, and it is not answered."""
        cycle = getattr(self, "cycle", None)
        return cycle is not None and not cycle.response_complete

    def _begin(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self.seconds, self._too_slow)

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        if not self._is_under_way():
            self._transport().close()

    def _refuse(self, message: str) -> None:
        if not self._transport().is_closing():
            self.send_400_response(message)

    def _transport(self) -> asyncio.Transport:
        found: asyncio.Transport = self.transport  # type: ignore[attr-defined]
        return found


def protocol(seconds: float = HEAD_SECONDS) -> type[asyncio.Protocol]:
    """uvicorn's protocol by the parser that is installed, with these bounds."""
    usual: Any
    try:
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as usual
    except ImportError:
        from uvicorn.protocols.http.h11_impl import H11Protocol as usual
    return type("Bounded", (_Bounded, usual), {"seconds": seconds})
