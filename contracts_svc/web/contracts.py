"""``/contracts`` and ``/changelog``: what is promised, whether it is kept, who reads it, and what changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from contracts_svc import links
from contracts_svc.alerts import Incident
from contracts_svc.api.access import Caller, Publisher, Reader, squad_of
from contracts_svc.api.contracts import changelog, list_contracts, visible
from contracts_svc.api.deps import LineageOf, ServiceOf
from contracts_svc.api.incidents import visible_incidents
from contracts_svc.api.pages import Cursor, cursor_of, offset
from contracts_svc.api.problems import Refused
from contracts_svc.api.runs import Trigger, trigger
from contracts_svc.api.service import Service
from contracts_svc.flows.concerned import affected_downstream
from contracts_svc.flows.gate import gate_of
from contracts_svc.flows.promises import RUNS_LOOKED_AT, Promise, promised, trends
from contracts_svc.flows.stored_lineage import StoredLineage
from contracts_svc.model import Contract, Table
from contracts_svc.runs import Outcome
from contracts_svc.web.drawing import figure, sparkline
from contracts_svc.web.forms import FormOf, read
from contracts_svc.web.graph import around
from contracts_svc.web.pages import page

router = APIRouter(include_in_schema=False)

_PAGE = 50
_VERSIONS, _TABLES, _COLUMNS, _PROMISES, _READERS, _RUNS, _TRENDS = 5, 100, 100, 200, 50, 10, 9

_Filter = Annotated[str, Query(max_length=500)]
_Done = Annotated[str, Query(max_length=20)]


@router.get("/contracts")
def contracts(
    service: ServiceOf,
    caller: Reader,
    request: Request,
    search: Annotated[str, Query(max_length=200)] = "",
    owner: _Filter = "",
    squad: _Filter = "",
    domain: _Filter = "",
    tag: _Filter = "",
    status: _Filter = "",
    retired: bool = False,
    cursor: Cursor = "",
) -> HTMLResponse:
    """Contracts, found by what they are called and whose they are."""
    given = {"search": search, "owner": owner, "squad": squad, "domain": domain, "tag": tag, "status": status}
    found = list_contracts(
        service, caller, cursor, _PAGE, retired=retired, **{k: v.strip() or None for k, v in given.items()}
    )
    wrong = Counter(i.contract for i, _ in visible_incidents(service, caller))
    return page(request, "contracts.html", caller, found=found, given=given, retired=retired, wrong=wrong)


@router.post("/contracts/{contract_id:path}/check")
def check_now(
    service: ServiceOf, caller: Publisher, contract_id: str, request: Request, form: FormOf
) -> RedirectResponse:
    """Ask for a check of a table now."""
    trigger(service, caller, contract_id, read(Trigger, {"table": form.get("table", "")}), request)
    there = links.contract(contract_id, form.get("table", ""))
    return RedirectResponse(there + ("&" if "?" in there else "?") + "done=asked", 303)


@router.get("/contracts/{contract_id:path}")
def contract(
    service: ServiceOf,
    lineage: LineageOf,
    caller: Reader,
    contract_id: str,
    request: Request,
    table: Annotated[str, Query(max_length=500)] = "",
    cursor: Cursor = "",
    done: _Done = "",
) -> HTMLResponse:
    """One contract, and one of its tables."""
    row = visible(service, caller, contract_id)
    versions, now = service.store.versions(contract_id), service.clock.now()
    latest = versions[-1]
    chosen = _table(latest, table)
    mine = [i for i, _ in visible_incidents(service, caller) if i.contract == contract_id]
    mine.sort(key=lambda i: (i.severity.rank, i.opened))
    return page(
        request,
        "contract.html",
        caller,
        row=row,
        contract=latest,
        squad=squad_of(latest),
        tables=latest.tables[:_TABLES],
        versions=[(v, versions[-n - 2] if n + 1 < len(versions) else None)
                  for n, v in enumerate(versions[::-1][:_VERSIONS])],
        version_count=len(versions),
        incidents=mine,
        gate=gate_of(service.store, contract_id, caller.tenant, now=now) if latest.tables else None,
        about=_about(service, lineage, caller, latest, chosen, cursor, mine) if chosen else None,
        subscriptions=service.store.subscriptions(contract_id)[:_READERS],
        base=service.site or str(request.base_url).rstrip("/"),
        done=done,
    )  # fmt: skip


def _table(contract: Contract, name: str) -> Table | None:
    """The table that is asked for, else the first. Raises Refused (404)."""
    if not name:
        return contract.tables[0] if contract.tables else None
    found = contract.table(name)
    if found is None:
        raise Refused(404, f"contract {contract.id!r} has no table {name!r}")
    return found


def _about(
    service: Service,
    lineage: StoredLineage,
    caller: Caller,
    contract: Contract,
    table: Table,
    cursor: str,
    incidents: list[Incident],
) -> dict[str, object]:
    """What is shown of a table."""
    known = lineage.refresh(caller.tenant)
    identities = known.identities
    dataset = identities.resolve(identities.dataset(contract, table))
    runs = service.store.runs(contract.id, table.name, limit=RUNS_LOOKED_AT)
    start = offset(cursor)
    columns = list(table.walk())
    every = promised(contract, table, runs, known.contracts.values())
    readers = affected_downstream(lineage, contract, caller.tenant, table=table.name)
    return {
        "table": table,
        "dataset": str(dataset),
        "columns": columns[start : start + _COLUMNS],
        "column_count": len(columns),
        "next": cursor_of(str(start + _COLUMNS)) if start + _COLUMNS < len(columns) else None,
        "promises": _in_three(every.promises),
        "most": _PROMISES,
        "unsupported": every.unsupported[:_PROMISES],
        "wrong": {c for i in incidents if i.table == table.name for c in i.columns},
        "drawing": around(lineage, dataset, caller.tenant),
        "readers": readers[:_READERS],
        "reader_count": len(readers),
        "trends": [
            {
                "title": t.title,
                "unit": t.figure.value,
                "line": sparkline(t),
                "last": figure(t, t.found[-1].value),
                "at": t.found[-1].at,
            }
            for t in trends(runs, _TRENDS)
        ],
        "runs": [(service.store.id_of(run), run) for run in runs[:_RUNS]],
    }


def _in_three(promises: Sequence[Promise]) -> list[tuple[str, list[Promise]]]:
    """What is not kept, what is not known, and what is kept."""
    kept = [p for p in promises if p.last is not None and p.last.outcome is Outcome.PASSED]
    unsure = [p for p in promises if p.last is None or p.last.outcome is Outcome.ERRORED]
    bad = [p for p in promises if p.last is not None and p.last.bad]
    return [("not kept", bad), ("that nobody can tell of yet", unsure), ("kept", kept)]


@router.get("/changelog")
def changes(
    service: ServiceOf,
    caller: Reader,
    request: Request,
    contract: Annotated[str, Query(max_length=1_000)],
    old: Annotated[str, Query(max_length=200)] = "",
    new: Annotated[str, Query(max_length=200)] = "",
    cursor: Cursor = "",
) -> HTMLResponse:
    """The versions of a contract, and what changed between two of them."""
    row = visible(service, caller, contract)
    newest = [v.version for v in service.store.versions(contract)][::-1]
    start = offset(cursor)
    return page(
        request,
        "changelog.html",
        caller,
        row=row,
        newest=newest,
        versions=newest[start : start + _PAGE],
        next=cursor_of(str(start + _PAGE)) if start + _PAGE < len(newest) else None,
        log=changelog(service, caller, contract, old, new or None) if old else None,
        most=_PROMISES,
    )
