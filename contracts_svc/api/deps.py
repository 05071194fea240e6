"""What endpoints are given."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from contracts_svc.api.service import Service
from contracts_svc.flows.acting import Acting
from contracts_svc.flows.stored_lineage import StoredLineage
from contracts_svc.flows.telling import Telling


def _service(request: Request) -> Service:
    found: Service = request.app.state.service
    return found


def _acting(request: Request) -> Acting:
    service: Service = request.app.state.service
    lineage: StoredLineage = request.app.state.lineage
    return acting_of(service, lineage)


def acting_of(service: Service, lineage: StoredLineage) -> Acting:
    """With what people's decisions are carried out."""
    telling = Telling(
        store=service.store,
        lineage=lineage,
        clock=service.clock,
        routes=service.routes,
        public_url=service.public_url,
    )
    return Acting(telling=telling)


ActingOf = Annotated[Acting, Depends(_acting)]
ServiceOf = Annotated[Service, Depends(_service)]


def _lineage(request: Request) -> StoredLineage:
    found: StoredLineage = request.app.state.lineage
    return found


LineageOf = Annotated[StoredLineage, Depends(_lineage)]
