"""Traces for OpenTelemetry, when its own environment variables ask for them.

``OTEL_EXPORTER_OTLP_ENDPOINT`` (or ``..._TRACES_ENDPOINT``) names where to; every other variable of
OpenTelemetry's SDK works too (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/).
Without one a span costs next to nothing: it is not recorded. Spans carry names of routes, contracts, tables
and receivers; no header, query, body or data.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version

import structlog
from opentelemetry import propagate, trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts_svc.errors import CouldNotCheck, UserMistake

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
SERVICE = "contracts"
_UNTRACED = frozenset({"/health", "/ready", "/metrics"})


def wanted(env: Mapping[str, str]) -> bool:
    """Whether an environment asks for traces."""
    asked = any(env.get(name) for name in ENDPOINTS) and env.get("OTEL_TRACES_EXPORTER", "otlp") == "otlp"
    return asked and env.get("OTEL_SDK_DISABLED", "").lower() != "true"


def configure(env: Mapping[str, str] = os.environ) -> Callable[[], None]:
    """Send traces where the environment says, if it does; returns what to call at the end, which sends what
    is left. Raises UserMistake when OpenTelemetry's SDK is not installed.
    """
    if not wanted(env):
        return lambda: None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise UserMistake.of(
            f"{next(n for n in ENDPOINTS if env.get(n))} asks for traces, and OpenTelemetry is not installed",
            "pip install 'contracts-svc[tracing]', or leave the variable out",
        ) from None
    named = {SERVICE_NAME: env.get("OTEL_SERVICE_NAME", SERVICE), SERVICE_VERSION: version("contracts-svc")}
    provider = TracerProvider(resource=Resource.create(named))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return provider.shutdown


@contextmanager
def span(name: str, **attributes: str | int) -> Iterator[Span]:
    """A piece of work as a span. What could not be reached makes it an error, with the cause."""
    tracer = trace.get_tracer("contracts_svc")
    with tracer.start_as_current_span(name, record_exception=False, set_status_on_exception=False) as current:
        for key, value in attributes.items():
            current.set_attribute(f"contracts.{key}", value)
        try:
            yield current
        except CouldNotCheck as error:
            current.set_status(Status(StatusCode.ERROR, str(error)))
            raise
        except Exception as error:
            # The text of a defect may hold anything.
            current.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise


class Traced:
    """Middleware: a span for every request, under the trace of whoever asks (W3C ``traceparent``), with its
    id in every line of the log that is written on its way. The names are those of OpenTelemetry's HTTP
    conventions (https://opentelemetry.io/docs/specs/semconv/http/http-spans/).
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _UNTRACED:
            await self._app(scope, receive, send)
            return
        status = 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        tracer = trace.get_tracer("contracts_svc")
        with tracer.start_as_current_span(
            scope["method"], propagate.extract(headers), SpanKind.SERVER, record_exception=False
        ) as current:
            told = {}
            if current.get_span_context().is_valid:
                told["trace_id"] = trace.format_trace_id(current.get_span_context().trace_id)
            with structlog.contextvars.bound_contextvars(**told):
                try:
                    await self._app(scope, receive, watched)
                finally:
                    self._tell(current, scope, status)

    def _tell(self, current: Span, scope: Scope, status: int) -> None:
        if route := getattr(scope.get("route"), "path", ""):
            current.update_name(f"{scope['method']} {route}")
            current.set_attribute("http.route", route)
        current.set_attribute("http.request.method", scope["method"])
        current.set_attribute("http.response.status_code", status)
        current.set_attribute("contracts.request_id", scope.get("state", {}).get("request_id", ""))
        if status >= 500:
            current.set_status(Status(StatusCode.ERROR))
