"""What endpoints are given."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from contracts_svc.api.service import Service
from contracts_svc.flows.acting import Acting
from contracts_svc.flows.stored_lineage import StoredLineage
from contracts_svc.flows.telling import Telling


async def _service(request: Request) -> Service:
    return _of(request)


async def _acting(request: Request) -> Acting:
    return acting_of(_of(request))


def acting_of(service: Service) -> Acting:
    """With what people's decisions are carried out."""
    telling = Telling(
        store=service.store,
        lineage=service.lineage,
        clock=service.clock,
        routes=service.routes,
        public_url=service.public_url,
    )
    return Acting(telling=telling)


ActingOf = Annotated[Acting, Depends(_acting)]
ServiceOf = Annotated[Service, Depends(_service)]


async def _lineage(request: Request) -> StoredLineage:
    return _of(request).lineage


def _of(request: Request) -> Service:
    found: Service = request.app.state.service
    return found


LineageOf = Annotated[StoredLineage, Depends(_lineage)]
