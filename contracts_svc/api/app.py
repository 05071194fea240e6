"""The application: every router, the bounds, and errors of one shape."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from contracts_svc.adapters import openlineage
from contracts_svc.adapters.sql_process import SqlProcess
from contracts_svc.api import contracts, health, lineage, problems
from contracts_svc.api.limits import Budget, Limits
from contracts_svc.api.metrics import Metrics, Watched
from contracts_svc.api.problems import PREFIX
from contracts_svc.api.service import Service
from contracts_svc.flows.stored_lineage import StoredLineage

_DESCRIPTION = (
    "Data contracts: register them, ask whom a change breaks, send lineage, start checks, see incidents. "
    "Every error is a problem of RFC 9457 (`application/problem+json`)."
)


def create_app(service: Service, budget: Budget | None = None) -> FastAPI:
    """The API over a service. ``budget`` bounds how many requests a caller may make."""
    app = FastAPI(
        title="Data contracts",
        version=version("contracts-svc"),
        description=_DESCRIPTION,
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=f"{PREFIX}/docs",
        redoc_url=None,
    )
    app.state.service = service
    app.state.lineage = StoredLineage(service.store, openlineage.take, openlineage.read_parsed, SqlProcess())
    registry = CollectorRegistry()
    problems.install(app)
    app.include_router(contracts.router)
    app.include_router(lineage.router)
    app.include_router(health.router)
    app.include_router(health.metrics_endpoint(registry))
    app.add_middleware(Watched, metrics=Metrics(registry))
    app.add_middleware(Limits, budget=budget or Budget(per_second=50, burst=200))
    return app
