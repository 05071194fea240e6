"""``/incidents``: what is wrong now, who is on it, and how it came to be so."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from contracts_svc.alerts import Incident, IncidentState, OnIt
from contracts_svc.api.access import Caller, Reader, Writer, must_own
from contracts_svc.api.concern import is_concerned
from contracts_svc.api.contracts import must_match
from contracts_svc.api.deps import ActingOf, LineageOf, ServiceOf
from contracts_svc.api.fields import Maybe, Moment, Text
from contracts_svc.api.pages import Cursor, Limit, Page, after, cursor_of
from contracts_svc.api.problems import PREFIX, RESPONSES, Refused, responses
from contracts_svc.api.service import Service
from contracts_svc.findings import Severity
from contracts_svc.incidents_people import must_be_open
from contracts_svc.incidents_times import Times, judged, times
from contracts_svc.ports_store import ContractRow
from contracts_svc.render.run import result_json

router = APIRouter(prefix=f"{PREFIX}/incidents", tags=["incidents"], responses=RESPONSES)


class IncidentShown(BaseModel):
    """What is wrong with one table, by one check."""

    id: str = Field(description="Its fingerprint: the same for the same contract, table and check")
    contract: str
    table: str
    check: str
    title: str = Field(description="What was promised, in a sentence", examples=["amount is never empty"])
    columns: list[str]
    severity: Severity
    state: IncidentState
    opened: Moment
    seen: Moment = Field(description="When a run last saw it")
    since: str = Field(description="The first partition or file that shows it, or what was checked")
    owner: str | None = Field(description="Who acknowledged it")
    acknowledged_until: Moment | None
    resolved: Moment | None
    resolution: str
    flapping: bool
    cause: str = Field(description="The id of the incident upstream that explains it")
    squad: str = Field(description="Whose the contract is")
    detect_seconds: float | None = Field(
        description="From when the data that shows it was published to when a run saw it, where that is known"
    )
    notify_seconds: float | None = Field(
        description="From then to when somebody downstream was first told; without any, its owner"
    )
    repair_seconds: float | None = Field(description="From when a run saw it to when it was over")
    etag: str


class TransitionShown(BaseModel):
    """A change of an incident."""

    at: Moment
    before: IncidentState | None
    after: IncidentState
    severity: Severity
    reason: str


class ServiceTimeShown(BaseModel):
    """A time that the contract promises, and what the incident took, or has taken until now."""

    property: str
    promised_seconds: float
    taken_seconds: float
    kept: bool | None = Field(description="null: it is not over, and may yet be kept")


class IncidentWhole(IncidentShown):
    """An incident, with the evidence and all that happened to it."""

    service_levels: list[ServiceTimeShown] = Field(description="timeToDetect, timeToNotify and timeToRepair")
    evidence: dict[str, Any] = Field(description="The last result that showed it")
    transitions: list[TransitionShown]


class Acknowledgement(BaseModel):
    """That somebody is on it."""

    model_config = ConfigDict(extra="forbid")

    until: Moment | None = Field(None, description="When it counts as open again; null: never")


class Resolution(BaseModel):
    """That it is over."""

    model_config = ConfigDict(extra="forbid")

    reason: Text = Field(examples=["the December files were published again"])


@router.get("")
def list_incidents(
    service: ServiceOf,
    caller: Reader,
    contract: Maybe = None,
    table: Maybe = None,
    severity: Severity | None = None,
    state: IncidentState | None = None,
    squad: Maybe = None,
    resolved_since: Moment | None = None,
    cursor: Cursor = "",
    limit: Limit = 100,
) -> Page[IncidentShown]:
    """Incidents that are not over (or were not at a moment), the one that is open longest first."""
    begin = after(cursor)
    mine = [
        (i, row)
        for i, row in visible_incidents(service, caller, resolved_since)
        if contract in (None, i.contract)
        and table in (None, i.table)
        and severity in (None, i.severity)
        and state in (None, i.state)
        and squad in (None, row.squad)
        and _key(i) > begin
    ]
    more = len(mine) > limit
    told = service.store.told(i.fingerprint for i, _ in mine[:limit])
    return Page(
        items=[_shown(i, row, times(i, told.get(i.fingerprint, {}))) for i, row in mine[:limit]],
        next=cursor_of(_key(mine[limit - 1][0])) if more else None,
    )


@router.get("/{incident_id}", responses=responses(404))
def get_incident(service: ServiceOf, caller: Reader, incident_id: str, response: Response) -> IncidentWhole:
    """One incident, with its evidence and its history."""
    incident, row = visible_incident(service, caller, incident_id)
    shown = _whole(service, incident, row)
    response.headers["ETag"] = shown.etag
    return shown


@router.post("/{incident_id}/acknowledge", responses=responses(404, 412))
def acknowledge_incident(
    service: ServiceOf,
    lineage: LineageOf,
    acting: ActingOf,
    caller: Writer,
    incident_id: str,
    given: Acknowledgement,
    request: Request,
    if_match: Annotated[str, Header()] = "",
) -> IncidentWhole:
    """Say that one is on it. For whose contract it is, and for those downstream whom it concerns.

    Repeats and escalation end, and where it was told it shows who is on it.
    """
    incident, row = visible_incident(service, caller, incident_id)
    if not is_concerned(service, lineage, caller, row, table=incident.table, columns=incident.columns):
        raise Refused(403, f"this incident concerns no squad that {caller.name} acts for")

    def allowed(there: Incident) -> None:
        must_match(if_match, _etag(there))
        must_be_open(there)

    by = OnIt(who=caller.name, until=given.until)
    acting.acknowledge([incident_id], by, caller.actor(request), allowed=allowed)
    return _now(service, caller, incident_id)


@router.post("/{incident_id}/resolve", responses=responses(404, 412))
def resolve_incident(
    service: ServiceOf,
    acting: ActingOf,
    caller: Writer,
    incident_id: str,
    given: Resolution,
    request: Request,
    if_match: Annotated[str, Header()] = "",
) -> IncidentWhole:
    """Say that it is over, and why. For whose contract it is; the next run that fails opens it again.

    Who was told of it hears that it is over.
    """
    incident, row = visible_incident(service, caller, incident_id)
    must_own(caller, row.squad, f"contract {row.id}", row.domain)

    def allowed(there: Incident) -> None:
        must_match(if_match, _etag(there))

    acting.resolve(incident, caller.name, given.reason, caller.actor(request), allowed=allowed)
    return _now(service, caller, incident_id)


def visible_incidents(
    service: Service, caller: Caller, resolved_since: datetime | None = None
) -> list[tuple[Incident, ContractRow]]:
    """The tenant's incidents that are not over (or were not at a moment), longest open first."""
    found = service.store.incidents(resolved_since)
    rows = service.store.contract_rows({i.contract for i in found})
    mine = [(i, rows[i.contract]) for i in found if i.contract in rows]
    return sorted(((i, row) for i, row in mine if row.tenant == caller.tenant), key=lambda m: _key(m[0]))


def _now(service: Service, caller: Caller, incident_id: str) -> IncidentWhole:
    incident, row = visible_incident(service, caller, incident_id)
    return _whole(service, incident, row)


def visible_incident(service: Service, caller: Caller, incident_id: str) -> tuple[Incident, ContractRow]:
    """An incident, and its contract. Raises Refused (404)."""
    incident = service.store.incident(incident_id)
    row = service.store.contract_rows([incident.contract]).get(incident.contract) if incident else None
    if incident is None or row is None or row.tenant != caller.tenant:
        raise _unknown(incident_id)
    return incident, row


def _unknown(incident_id: str) -> Refused:
    return Refused(404, f"there is no incident {incident_id!r}")


def _key(incident: Incident) -> str:
    return f"{incident.opened.timestamp():020.6f} {incident.fingerprint}"


def _etag(incident: Incident) -> str:
    until = incident.acknowledged_until
    parts = (
        incident.state,
        incident.severity,
        incident.seen.timestamp(),
        incident.owner or "",
        until.timestamp() if until else "",
    )
    return '"' + "-".join(str(p) for p in parts).encode().hex() + '"'


def _seconds(length: timedelta | None) -> float | None:
    return length.total_seconds() if length is not None else None


def _fields(incident: Incident, row: ContractRow, taken: Times) -> dict[str, Any]:
    return {
        "id": incident.fingerprint,
        "contract": incident.contract,
        "table": incident.table,
        "check": incident.check,
        "title": incident.evidence.check.title or incident.check,
        "columns": list(incident.columns),
        "severity": incident.severity,
        "state": incident.state,
        "opened": incident.opened,
        "seen": incident.seen,
        "since": incident.since,
        "owner": incident.owner,
        "acknowledged_until": incident.acknowledged_until,
        "resolved": incident.resolved,
        "resolution": incident.resolution,
        "flapping": incident.flapping,
        "cause": incident.cause,
        "squad": row.squad,
        "detect_seconds": _seconds(taken.detect),
        "notify_seconds": _seconds(taken.notify),
        "repair_seconds": _seconds(taken.repair),
        "etag": _etag(incident),
    }


def _shown(incident: Incident, row: ContractRow, taken: Times) -> IncidentShown:
    return IncidentShown(**_fields(incident, row, taken))


def _whole(service: Service, incident: Incident, row: ContractRow) -> IncidentWhole:
    taken = times(incident, service.store.told([incident.fingerprint]).get(incident.fingerprint, {}))
    versions = service.store.versions(incident.contract)
    promised = judged(incident, taken, versions[-1], service.clock.now()) if versions else ()
    return IncidentWhole(
        **_fields(incident, row, taken),
        service_levels=[
            ServiceTimeShown(
                property=s.name,
                promised_seconds=s.promised.total_seconds(),
                taken_seconds=s.taken.total_seconds(),
                kept=s.kept,
            )
            for s in promised
        ],
        evidence=result_json(incident.evidence),
        transitions=[
            TransitionShown(
                at=t.at,
                before=t.before,
                after=t.incident.state,
                severity=t.incident.severity,
                reason=t.reason,
            )
            for t in service.store.transitions(incident.fingerprint)
        ],
    )
