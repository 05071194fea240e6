"""``/incidents``: what is wrong, who is on it, whom it reaches, and doing something about it."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Annotated, TypeVar

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from contracts_svc import links
from contracts_svc.alerts import IncidentState
from contracts_svc.api.access import Reader, Writer
from contracts_svc.api.deps import ActingOf, LineageOf, ServiceOf
from contracts_svc.api.incidents import (
    Acknowledgement,
    Resolution,
    acknowledge_incident,
    get_incident,
    list_incidents,
    resolve_incident,
    visible_incident,
    visible_incidents,
)
from contracts_svc.api.pages import Cursor
from contracts_svc.api.problems import Refused
from contracts_svc.findings import Severity
from contracts_svc.flows.concerned import affected_of
from contracts_svc.web.forms import FormOf, read
from contracts_svc.web.pages import page

router = APIRouter(include_in_schema=False)

_PAGE = 50
_AFFECTED, _HISTORY = 100, 100
_OVER = timedelta(days=30)
"""How far back what is over is shown."""
LENGTHS = {
    "4h": (4, "for 4 hours"),
    "24h": (24, "for a day"),
    "72h": (72, "for 3 days"),
    "168h": (168, "for a week"),
}
"""What forms offer: hours, and what people call it."""

_Any = Annotated[str, Query(max_length=20)]
E = TypeVar("E", Severity, IncidentState)


@router.get("/incidents")
def incidents(
    service: ServiceOf,
    caller: Reader,
    request: Request,
    severity: _Any = "",
    state: _Any = "",
    squad: Annotated[str, Query(max_length=500)] = "",
    cursor: Cursor = "",
) -> HTMLResponse:
    """What is wrong now, longest first; or what was, and is over."""
    over = state == IncidentState.RESOLVED
    since = service.clock.now() - _OVER if over else None
    found = list_incidents(
        service,
        caller,
        severity=_one_of(Severity, severity),
        state=_one_of(IncidentState, state),
        squad=squad.strip() or None,
        resolved_since=since,
        cursor=cursor,
        limit=_PAGE,
    )
    return page(
        request,
        "incidents.html",
        caller,
        found=found,
        given={"severity": severity, "state": state, "squad": squad},
        counts=Counter(i.severity for i, _ in visible_incidents(service, caller)),
        days=_OVER.days,
    )


@router.get("/incidents/{incident_id}")
def incident(
    service: ServiceOf,
    lineage: LineageOf,
    caller: Reader,
    incident_id: str,
    request: Request,
    done: _Any = "",
) -> HTMLResponse:
    """One incident."""
    there, row = visible_incident(service, caller, incident_id)
    affected = affected_of(service.store, lineage, there, caller.tenant)
    shown = get_incident(service, caller, incident_id, HTMLResponse())
    cause = service.store.incident(there.cause) if there.cause else None
    return page(
        request,
        "incident.html",
        caller,
        incident=shown,
        row=row,
        cause=cause,
        affected=affected[:_AFFECTED],
        affected_count=len(affected),
        history=shown.transitions[::-1][:_HISTORY],
        history_count=len(shown.transitions),
        lengths=LENGTHS,
        done=done,
    )


@router.post("/incidents/{incident_id}/acknowledge")
def acknowledge(
    service: ServiceOf,
    lineage: LineageOf,
    acting: ActingOf,
    caller: Writer,
    incident_id: str,
    request: Request,
    form: FormOf,
) -> RedirectResponse:
    """Say that one is on it."""
    length = form.get("lasts", "")
    until = service.clock.now() + timedelta(hours=LENGTHS[length][0]) if length in LENGTHS else None
    given = Acknowledgement(until=until)
    acknowledge_incident(service, lineage, acting, caller, incident_id, given, request)
    return RedirectResponse(links.incident(incident_id) + "?done=acknowledged", 303)


@router.post("/incidents/{incident_id}/resolve")
def resolve(
    service: ServiceOf, acting: ActingOf, caller: Writer, incident_id: str, request: Request, form: FormOf
) -> RedirectResponse:
    """Say that it is over, and why."""
    given = read(Resolution, {"reason": form.get("reason", "")})
    resolve_incident(service, acting, caller, incident_id, given, request)
    return RedirectResponse(links.incident(incident_id) + "?done=resolved", 303)


def _one_of(kind: type[E], text: str) -> E | None:
    """Raises Refused (422)."""
    if not text:
        return None
    try:
        return kind(text)
    except ValueError:
        raise Refused(422, f"there is no {text!r} here; there are: {', '.join(kind)}") from None
