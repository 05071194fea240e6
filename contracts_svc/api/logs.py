"""Logs: one JSON object a line, on stderr, with the id of the request (or run) that it is about; on a
terminal, lines for people.

What is logged of a request is its method, its route and how it ended: no header, no query and no body,
so that no token and no data gets there.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts_svc.api.limits import new_id
from contracts_svc.render import clean
from contracts_svc.tracing import trace_id

log = logging.getLogger("contracts.api")

_QUIET = frozenset({"/health", "/ready", "/metrics"})
"""Asked every few seconds: logged only when they fail."""
_NOT_FOR_PEOPLE = frozenset({"logger", "request_id", "trace_id", "color_message"})
"""What is there to find lines by in a store of logs."""


def for_people(form: str) -> bool:
    """Whether logs are to be read by people: ``text`` or ``json`` says so, ``auto`` asks the terminal."""
    return form == "text" or (form == "auto" and sys.stderr.isatty())


def log_for_people(stream: TextIO | None = None) -> None:
    """Make every log of this process one short line, with the time in UTC."""
    _log_as(_line_for_people, stream)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)


def log_as_json(stream: TextIO | None = None) -> None:
    """Make every log of this process, those of libraries too, JSON of one shape."""
    _log_as(structlog.processors.JSONRenderer(), stream)


def _line_for_people(_: object, __: str, line: MutableMapping[str, Any]) -> str:
    at, level, traceback = str(line.pop("at"))[11:19], line.pop("level"), line.pop("exception", "")
    told = [at, *([level.upper()] if level not in ("info", "debug") else ()), line.pop("event")]
    shown = {k: v for k, v in line.items() if v not in ("", None) and k not in _NOT_FOR_PEOPLE}
    text = clean(" ".join([*map(str, told), *(f"{k}={v}" for k, v in shown.items())]))
    return "\n".join([text, *(f"  {clean(row)}" for row in traceback.splitlines())])


def _log_as(render: structlog.types.Processor, stream: TextIO | None) -> None:
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        trace_id,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.format_exc_info,
        _without_colours,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                render,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    # sqlglot tells what it cannot read; what matters of it is told in our own answers.
    quiet = logging.getLogger("sqlglot")
    quiet.propagate = False
    quiet.setLevel(logging.CRITICAL)
    for name in ("httpx", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _without_colours(_: object, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    # uvicorn says everything twice, the second time for terminals.
    line.pop("color_message", None)
    return line


class Logged:
    """Middleware: a line for every request, and its id in every line that is written on its way."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        state = scope.setdefault("state", {})
        began = time.perf_counter()
        request_id = state.setdefault("request_id", new_id())
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, watched)
            finally:
                if scope["path"] not in _QUIET or status >= 500:
                    told = {
                        "method": scope["method"],
                        "route": getattr(scope.get("route"), "path", "none"),
                        "status": status,
                        "milliseconds": round((time.perf_counter() - began) * 1000, 1),
                        "caller": state.get("caller", ""),
                    }
                    log.info("request", extra=told)
