"""What endpoints are given."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from contracts_svc.alerts import Incident
from contracts_svc.api.service import Service
from contracts_svc.flows.acting import Acting
from contracts_svc.flows.stored_lineage import StoredLineage
from contracts_svc.flows.surroundings import Surroundings, surroundings


def _service(request: Request) -> Service:
    found: Service = request.app.state.service
    return found


def _acting(request: Request) -> Acting:
    service: Service = request.app.state.service
    lineage: StoredLineage = request.app.state.lineage
    return acting_of(service, lineage)


def acting_of(service: Service, lineage: StoredLineage) -> Acting:
    """With what people's decisions are carried out."""

    def around(incident: Incident) -> Surroundings:
        row = service.store.contract_rows([incident.contract]).get(incident.contract)
        return surroundings(lineage, incident, row.tenant if row else "")

    return Acting(store=service.store, clock=service.clock, routes=service.routes, around=around)


ActingOf = Annotated[Acting, Depends(_acting)]
ServiceOf = Annotated[Service, Depends(_service)]


def _lineage(request: Request) -> StoredLineage:
    found: StoredLineage = request.app.state.lineage
    return found


LineageOf = Annotated[StoredLineage, Depends(_lineage)]
