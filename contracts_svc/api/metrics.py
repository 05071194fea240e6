"""Figures of the API itself, under documented names (:data:`NAMES`)."""

from __future__ import annotations

import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

NAMES: dict[str, str] = {
    "contracts_http_requests_total": "Requests, by method, route and status",
    "contracts_http_request_seconds": "Seconds from request to answer, by route",
    "contracts_config_warnings": "Files of settings that were changed and are not taken as they are",
}
"""Name of each figure -> what it tells."""


class Metrics:
    """The figures, in a registry of their own."""

    def __init__(self, registry: CollectorRegistry) -> None:
        requests, seconds = "contracts_http_requests_total", "contracts_http_request_seconds"
        self.requests = Counter(requests, NAMES[requests], ["method", "route", "status"], registry=registry)
        self.seconds = Histogram(seconds, NAMES[seconds], ["route"], registry=registry)


def watch_warnings(registry: CollectorRegistry, warnings: Callable[[], tuple[str, ...]]) -> None:
    """How many files of settings were changed and are not taken, as ``/ready`` lists them."""
    name = "contracts_config_warnings"
    gauge = Gauge(name, NAMES[name], registry=registry)
    gauge.set_function(lambda: len(warnings()))


class Watched:
    """Middleware: counts every request by its route, not its path, of which there is no end."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

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

        began = time.perf_counter()
        try:
            await self._app(scope, receive, watched)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            self._metrics.requests.labels(scope["method"], route, str(status)).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - began)
