"""``/runs/…``: what a check found, with numbers and rows that show it."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from contracts_svc.api.access import Reader
from contracts_svc.api.contracts import visible
from contracts_svc.api.deps import ServiceOf
from contracts_svc.api.runs import get_run
from contracts_svc.web.pages import page

router = APIRouter(include_in_schema=False)

_WORST_FIRST = ("failed", "errored", "warned", "passed", "skipped")
_RESULTS = 500


@router.get("/runs/{run_id}")
def run(service: ServiceOf, caller: Reader, run_id: str, request: Request) -> HTMLResponse:
    """One run, what is wrong first."""
    found = get_run(service, caller, run_id)
    results = sorted(found["results"], key=lambda r: _WORST_FIRST.index(r["outcome"]))
    return page(
        request,
        "run.html",
        caller,
        run=found,
        row=visible(service, caller, found["contract"]),
        results=results[:_RESULTS],
        hidden=max(0, len(results) - _RESULTS),
    )
