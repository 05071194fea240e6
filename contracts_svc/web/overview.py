"""``/``: what is wrong now, what was checked last, and how much is under contract."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from contracts_svc.alerts import Incident, IncidentState
from contracts_svc.api.access import Reader
from contracts_svc.api.deps import LineageOf, ServiceOf
from contracts_svc.api.incidents import visible_incidents
from contracts_svc.api.runs import list_latest_runs
from contracts_svc.findings import Severity
from contracts_svc.flows.concerned import affected_of
from contracts_svc.flows.overview import extent
from contracts_svc.ports_store import ContractRow
from contracts_svc.routing_reach import Affected
from contracts_svc.web.pages import page

router = APIRouter(include_in_schema=False)

_INCIDENTS, _RUNS = 8, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """An incident, with whom it reaches."""

    incident: Incident
    row: ContractRow
    affected: tuple[Affected, ...]


@router.get("/")
def overview(service: ServiceOf, lineage: LineageOf, caller: Reader, request: Request) -> HTMLResponse:
    """What is wrong now."""
    every = [m for m in visible_incidents(service, caller) if m[0].state is not IncidentState.PENDING]
    worst = sorted(
        every, key=lambda m: (m[0].severity.rank, m[0].state is not IncidentState.OPEN, m[0].opened)
    )
    wrong = [
        Wrong(incident=i, row=row, affected=affected_of(service.store, lineage, i, caller.tenant))
        for i, row in worst[:_INCIDENTS]
    ]
    return page(
        request,
        "overview.html",
        caller,
        extent=extent(service.store, lineage, caller.tenant),
        wrong=wrong,
        more=len(every) - len(wrong),
        counts={s: sum(i.severity is s for i, _ in every) for s in Severity},
        base=service.site or str(request.base_url).rstrip("/"),
        runs=list_latest_runs(service, caller, limit=_RUNS).items,
    )
