"""Traces for OpenTelemetry, when its own environment variables ask for them.

``OTEL_EXPORTER_OTLP_ENDPOINT`` (or ``..._TRACES_ENDPOINT``) names where to; every other variable of
OpenTelemetry's SDK works too (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/).
Without one a span costs next to nothing: it is not recorded. FastAPI makes those of requests, with their
addresses and no header or body.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, MutableMapping
from importlib.metadata import version
from typing import Any

from opentelemetry import trace

from contracts_svc.errors import UserMistake

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


def untraced(scope: Mapping[str, Any]) -> bool:
    """Whether a request is left out: what is asked every few seconds, and logins, whose
    addresses hold what they are carried out with."""
    path = str(scope.get("path", ""))
    return path in _UNTRACED or path.startswith("/auth/")


def trace_id(_: object, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A step of structlog: a line of the log that is written within a trace says which one."""
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        line["trace_id"] = trace.format_trace_id(context.trace_id)
    return line
