"""Check runs: what was found and when, figures over time, starting a check, taking it back."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from contracts_svc.api.access import Caller, Publisher, Reader, must_own
from contracts_svc.api.contracts import visible
from contracts_svc.api.deps import ServiceOf
from contracts_svc.api.fields import Maybe, Moment, Name
from contracts_svc.api.pages import Cursor, Limit, Page, after, cursor_of
from contracts_svc.api.problems import PREFIX, RESPONSES, Refused, responses
from contracts_svc.api.service import Service
from contracts_svc.flows.asking import ask
from contracts_svc.model import Contract
from contracts_svc.ports_store import ContractRow
from contracts_svc.render.run import outcome_counts, run_json
from contracts_svc.runs import Outcome, Run
from contracts_svc.schedules_runs import Reason, RunState, ScheduledRun
from contracts_svc.tracing import here

router = APIRouter(prefix=PREFIX, tags=["runs"], responses=RESPONSES)

_DAYS = 90
"""How far back figures are given where nothing else is asked for."""


class RunShown(BaseModel):
    """A run in a list."""

    id: str
    contract: str
    version: str
    table: str
    server: str
    scope: str = Field(examples=["whole table", "month=12"])
    started: Moment
    finished: Moment
    rows: int | None
    files: int
    counts: dict[Outcome, int] = Field(description="How many checks ended how")


class PointShown(BaseModel):
    """A figure, as one run found it."""

    at: Moment
    scope: str
    value: float
    outcome: Outcome


class Trigger(BaseModel):
    """What to check."""

    model_config = ConfigDict(extra="forbid")

    table: Name | None = Field(None, description="Null: every table of the contract")
    server: Name | None = Field(None, description="Null: the contract's first server")
    partition: dict[Name, Name] = Field({}, max_length=20, examples=[{"month": "12"}])


class JobShown(BaseModel):
    """A check that was asked for or is due, and is not done."""

    id: str
    contract: str
    table: str
    reason: Reason
    scheduled_for: Moment
    server: str = Field(description="Empty: the contract's first server")
    partition: dict[str, str]
    running: bool
    attempts: int = Field(description="How often it was begun")
    error: str = Field(description="Why it was begun anew")


@router.get("/contracts/{contract_id:path}/runs", responses=responses(404))
def list_runs(
    service: ServiceOf,
    caller: Reader,
    contract_id: str,
    table: Maybe = None,
    before: Moment | None = None,
    limit: Limit = 100,
) -> Page[RunShown]:
    """Runs of a contract's tables, the latest first. ``before`` the start of the last one goes on."""
    visible(service, caller, contract_id)
    tables = [table] if table is not None else [t.name for t in _latest(service, contract_id).tables]
    found = service.store.runs(contract_id, *tables, before=before, limit=limit)
    return Page(items=[_shown(service, run) for run in found])


@router.get("/runs")
def list_latest_runs(
    service: ServiceOf, caller: Reader, before: Moment | None = None, limit: Limit = 100
) -> Page[RunShown]:
    """Runs of all contracts, the latest first. ``before`` the start of the last one goes on."""
    found = service.store.recent_runs(caller.tenant, before=before, limit=limit)
    return Page(items=[_shown(service, run) for run in found])


@router.get("/runs/{run_id}", responses=responses(404))
def get_run(service: ServiceOf, caller: Reader, run_id: str) -> dict[str, Any]:
    """A run with all its results, as ``contracts check --format json`` writes it."""
    run, _ = visible_run(service, caller, run_id)
    return {"id": run_id, **run_json(run)}


@router.get("/contracts/{contract_id:path}/measurements", responses=responses(404))
def measurements(
    service: ServiceOf,
    caller: Reader,
    contract_id: str,
    table: Annotated[str, Query(max_length=500)],
    check: Annotated[str, Query(max_length=500, description="The check's id, as runs show it")],
    figure: Annotated[str, Query(max_length=200)] = "failing",
    since: Annotated[Moment | None, Query(description=f"Null: {_DAYS} days ago")] = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
) -> Page[PointShown]:
    """A figure of a check over time, oldest first: the latest ones where there are more than ``limit``."""
    visible(service, caller, contract_id)
    begin: datetime = since or service.clock.now() - timedelta(days=_DAYS)
    points = service.store.measurements(contract_id, table, check, figure, since=begin, limit=limit)
    return Page(items=[PointShown(at=p.at, scope=p.scope, value=p.value, outcome=p.outcome) for p in points])


@router.post("/contracts/{contract_id:path}/runs", status_code=202, responses=responses(404, 409))
def trigger(
    service: ServiceOf, caller: Publisher, contract_id: str, given: Trigger, request: Request
) -> Page[JobShown]:
    """Ask for checks now. What waits already is not asked for twice."""
    row = visible(service, caller, contract_id)
    if row.retired is not None:
        raise Refused(409, f"contract {contract_id!r} is retired: nothing of it is checked")
    contract = _latest(service, contract_id)
    tables = [t.name for t in contract.tables if given.table in (None, t.name)]
    if not tables:
        names = ", ".join(t.name for t in contract.tables) or "none"
        raise Refused(422, f"contract {contract_id!r} has no such table; its tables: {names}")
    if given.server is not None and all(s.server != given.server for s in contract.servers):
        raise Refused(422, f"contract {contract_id!r} has no server {given.server!r}")
    store, now = service.store, service.clock.now()

    def work() -> tuple[ScheduledRun, ...]:
        store.note(now, caller.actor(request), "triggered", "contract", contract_id, {"tables": tables})
        return ask(
            store,
            contract,
            tables,
            server=given.server or "",
            partition=given.partition,
            now=now,
            trace=here(),
        )

    return Page(items=[_job(run) for run in store.atomically(work)])


@router.get("/jobs")
def list_jobs(service: ServiceOf, caller: Reader, cursor: Cursor = "", limit: Limit = 100) -> Page[JobShown]:
    """Checks that wait or run."""
    begin = _number(after(cursor) or "0")
    if begin is None:
        raise Refused(422, "the cursor is none of ours: give `next` of the page before")
    found = service.store.open_scheduled(caller.tenant, after=begin, limit=limit + 1)
    return Page(
        items=[_job(run) for run in found[:limit]],
        next=cursor_of(str(found[limit - 1].id)) if len(found) > limit else None,
    )


@router.delete("/jobs/{job_id}", status_code=204, responses=responses(404, 409))
def cancel(service: ServiceOf, caller: Publisher, job_id: str, request: Request) -> None:
    """Take back a check that waits. One that runs goes on to its end. For whose contract it is of."""
    number = _number(job_id)
    run = service.store.scheduled_run(number) if number is not None else None
    if run is None or run.tenant != caller.tenant:
        raise Refused(404, f"there is no job {job_id[:64]!r}")
    row = visible(service, caller, run.contract)
    must_own(caller, row.squad, f"a check of contract {row.id}", row.domain)
    store, now = service.store, service.clock.now()

    def work() -> None:
        if not store.cancel_run(run.id, now):
            raise Refused(409, "it is under way, or over")
        detail = {"job": job_id, "table": run.table}
        store.note(now, caller.actor(request), "cancelled", "contract", run.contract, detail)

    store.atomically(work)


def visible_run(service: Service, caller: Caller, run_id: str) -> tuple[Run, ContractRow]:
    """A run, and its contract. Raises Refused (404)."""
    run = service.store.run(run_id) if len(run_id) <= 64 else None
    row = service.store.contract_rows([run.contract]).get(run.contract) if run else None
    if run is None or row is None or row.tenant != caller.tenant:
        raise Refused(404, f"there is no run {run_id[:64]!r}")
    return run, row


def _number(text: str) -> int | None:
    """The number of a scheduled run; None for what is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def _job(run: ScheduledRun) -> JobShown:
    return JobShown(
        id=str(run.id),
        contract=run.contract,
        table=run.table,
        reason=run.reason,
        scheduled_for=run.scheduled_for,
        server=run.server,
        partition=dict(run.partition),
        running=run.state is RunState.RUNNING,
        attempts=run.attempts,
        error=run.error,
    )


def _latest(service: Service, contract_id: str) -> Contract:
    return service.store.versions(contract_id)[-1]


def _shown(service: Service, run: Run) -> RunShown:
    return RunShown(
        id=service.store.id_of(run),
        contract=run.contract,
        version=run.version,
        table=run.table,
        server=run.server,
        scope=run.scope,
        started=run.started,
        finished=run.finished,
        rows=run.rows,
        files=run.files,
        counts={Outcome(name): number for name, number in outcome_counts(run.results).items()},
    )
