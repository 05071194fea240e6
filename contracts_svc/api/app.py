"""The application: every router, the bounds, and errors of one shape."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import Depends, FastAPI
from fastapi.routing import APIRoute
from prometheus_client import CollectorRegistry

from contracts_svc.api import (
    audit,
    contracts,
    dead_letters,
    gate,
    github,
    health,
    incidents,
    lineage,
    login,
    people,
    problems,
    products,
    publish,
    registering,
    runs,
    silences,
    slack,
)
from contracts_svc.api.description import describe
from contracts_svc.api.docs import add_docs
from contracts_svc.api.hub import watch_work
from contracts_svc.api.limits import Budget, Limits
from contracts_svc.api.logs import Logged
from contracts_svc.api.methods import Methods
from contracts_svc.api.metrics import Metrics, Watched, watch_warnings
from contracts_svc.api.problems import PREFIX
from contracts_svc.api.queries import known_only
from contracts_svc.api.service import Service
from contracts_svc.tracing import untraced
from contracts_svc.web import mount
from contracts_svc.web.problems import ProblemPages

_DESCRIPTION = (
    "Data contracts: register them, ask whom a change breaks, send lineage, start checks, see incidents. "
    "Every error is a problem of RFC 9457 (`application/problem+json`)."
)


def create_app(
    service: Service, budget: Budget | None = None, registry: CollectorRegistry | None = None
) -> FastAPI:
    """The API over a service.

    ``budget`` bounds how many requests a caller may make; ``registry`` holds the figures of the process.
    """
    app = FastAPI(
        title="Data contracts",
        version=version("contracts-svc"),
        description=_DESCRIPTION,
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(known_only)],
        # Figures and logs are ours; those of the framework would hold texts of errors.
        telemetry={"metrics": False, "logs": False, "operation_spans": False, "exclude": untraced},
    )
    app.state.service = service
    registry = registry or CollectorRegistry()
    watch_warnings(registry, service.warnings)
    if service.github is not None:
        watch_work(registry, service.github.store)
    problems.install(app)
    mount.prepare(app)
    # The contracts' own router is the last of those under /contracts: an id may hold slashes.
    routers = [
        registering.router,
        people.router,
        products.router,
        runs.router,
        contracts.router,
        incidents.router,
        silences.router,
        dead_letters.router,
        slack.router,
        gate.router,
        publish.router,
        audit.router,
        lineage.router,
        login.router,
        github.router,
        github.webhook,
        health.router,
        health.metrics_endpoint(registry),
        *mount.ROUTERS,
    ]
    for router in routers:
        app.include_router(router)
    describe(app)
    add_docs(app)
    routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
    app.add_middleware(Methods, known=[(r.path_regex, frozenset(r.methods or ())) for r in routes])
    # The last one is the outermost: what is refused is counted and logged too.
    app.add_middleware(Limits, budget=budget or Budget(per_second=50, burst=200))
    app.add_middleware(ProblemPages)
    app.add_middleware(Watched, metrics=Metrics(registry))
    app.add_middleware(Logged)
    return app
