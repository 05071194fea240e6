"""``/health``, ``/ready`` and ``/metrics``: for whoever keeps the service running."""

from __future__ import annotations

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from pydantic import BaseModel, Field

from contracts_svc.api.deps import ServiceOf
from contracts_svc.errors import CouldNotCheck

router = APIRouter(tags=["operations"])


class Ready(BaseModel):
    """Whether requests can be served, and if not, what is missing."""

    ready: bool
    not_ready: list[str] = []
    warnings: list[str] = Field([], description="What to put right, though requests are served")


@router.get("/health")
def health() -> dict[str, str]:
    """The process lives."""
    return {"status": "alive"}


@router.get("/ready", responses={503: {"model": Ready}})
def ready(service: ServiceOf, response: Response) -> Ready:
    """The process can serve: says what is not ready."""
    missing: list[str] = []
    warnings = list(service.warnings())
    try:
        lately = service.store.probe(service.clock.now())
        warnings += [f"database: it works, and failed within the last minute: {lately}"] if lately else []
    except CouldNotCheck as error:
        missing.append(f"database: {error}")
    missing += service.not_ready()
    response.status_code = 503 if missing else 200
    return Ready(ready=not missing, not_ready=missing, warnings=warnings)


def metrics_endpoint(registry: CollectorRegistry) -> APIRouter:
    """``/metrics`` of a registry."""
    endpoint = APIRouter(tags=["operations"])

    @endpoint.get(
        "/metrics",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    def metrics() -> Response:
        """Figures in the text format of Prometheus."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return endpoint
