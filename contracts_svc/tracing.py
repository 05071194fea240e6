"""Traces for OpenTelemetry, when its own environment variables ask for them.

``OTEL_EXPORTER_OTLP_ENDPOINT`` (or ``..._TRACES_ENDPOINT``) names where to; every other variable of
OpenTelemetry's SDK works too (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/).
Without one a span costs next to nothing: it is not recorded. FastAPI makes those of requests, with their
addresses and no header or body. Ours are of runs of checks (``check``, with a span for each of its phases),
under the request that asked for it, and of what is sent (``send``): whose they are, and nothing of the data.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from contracts_svc.alerts import Notification
from contracts_svc.errors import UserMistake
from contracts_svc.flows.check_progress import Progress, Step
from contracts_svc.ports import Delivery, Receiver
from contracts_svc.routes.groups import Message
from contracts_svc.routes.read import CONTRACT

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
SERVICE = "contracts"
_TRACER = trace.get_tracer("contracts")
_W3C = TraceContextTextMapPropagator()
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


def untraced(scope: Mapping[str, Any]) -> bool:
    """Whether a request is left out: what is asked every few seconds, and logins, whose
    addresses hold what they are carried out with."""
    path = str(scope.get("path", ""))
    return path in _UNTRACED or path.startswith("/auth/")


@contextmanager
def span(name: str, told: Mapping[str, str | int], parent: str = "") -> Iterator[trace.Span]:
    """A span around work, under ``parent`` (what :func:`here` gave), else under the one that is there."""
    under = _W3C.extract({"traceparent": parent}) if parent else None
    # What an exception says may hold data.
    with _TRACER.start_as_current_span(
        name, under, attributes=dict(told), record_exception=False, set_status_on_exception=False
    ) as found:
        yield found


def here() -> str:
    """The span that is there, as a ``traceparent`` of https://www.w3.org/TR/trace-context/; empty: none."""
    carrier: dict[str, str] = {}
    _W3C.inject(carrier)
    return carrier.get("traceparent", "")


@contextmanager
def phases() -> Iterator[Progress]:
    """What is told the steps of a check, and makes a span of each phase of it."""
    open_: dict[str, trace.Span] = {}

    def told(step: Step) -> None:
        if step.phase not in open_:
            end()
            open_[step.phase] = _TRACER.start_span(step.phase)
        counts = {"contracts.files": step.all_files, "contracts.files.read": step.files}
        open_[step.phase].set_attributes({**counts, "contracts.bytes.read": step.bytes})

    def end() -> None:
        while open_:
            open_.popitem()[1].end()

    try:
        yield told
    finally:
        end()


class Traced:
    """A receiver whose every attempt to send is a span."""

    def __init__(self, message: Message, receiver: Receiver) -> None:
        self._receiver = receiver
        # Of a channel that a contract names, what it is reached by.
        whose = message.notification.receiver if message.receiver == CONTRACT else message.receiver
        self._told: dict[str, str | int] = {
            "contracts.receiver": whose,
            "contracts.attempt": message.attempts + 1,
        }

    def send(self, notification: Notification) -> Delivery:
        """Send it."""
        with span("send", self._told) as found:
            delivery = self._receiver.send(notification)
            found.set_attribute("contracts.sent", delivery.sent)
            return delivery


def trace_id(_: object, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A step of structlog: a line of the log that is written within a trace says which one."""
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        line["trace_id"] = trace.format_trace_id(context.trace_id)
    return line
