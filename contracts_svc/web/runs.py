"""``/runs/…``: what a check found, with numbers and rows that show it."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from contracts_svc.api.access import Reader
from contracts_svc.api.deps import ServiceOf
from contracts_svc.api.runs import visible_run
from contracts_svc.render.run import outcome_counts
from contracts_svc.runs import Outcome
from contracts_svc.web.pages import page

router = APIRouter(include_in_schema=False)

_WRONG = (Outcome.FAILED, Outcome.ERRORED, Outcome.WARNED)
"""What is shown first, in this order."""
_RESULTS = 300


@router.get("/runs/{run_id}")
def run(service: ServiceOf, caller: Reader, run_id: str, request: Request) -> HTMLResponse:
    """One run, what is wrong first."""
    found, row = visible_run(service, caller, run_id)
    wrong = [r for outcome in _WRONG for r in found.results if r.outcome is outcome]
    fine = [r for r in found.results if r.outcome not in _WRONG]
    return page(
        request,
        "run.html",
        caller,
        id=run_id,
        run=found,
        row=row,
        counts=outcome_counts(found.results),
        wrong=wrong[:_RESULTS],
        fine=fine[:_RESULTS],
        hidden=len(wrong[_RESULTS:]) + len(fine[_RESULTS:]),
    )
