"""``/pulls/…``: what a pull request would break, for whom, and who agreed: the report of the check."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from contracts_svc.api.access import Reader
from contracts_svc.api.deps import ServiceOf
from contracts_svc.api.github import Name, Number, Owner, show_pull
from contracts_svc.web.pages import page

router = APIRouter(include_in_schema=False)

_FINDINGS = 200


@router.get("/pulls/{owner}/{name}/{number}")
def pull(
    service: ServiceOf, caller: Reader, owner: Owner, name: Name, number: Number, request: Request
) -> HTMLResponse:
    """One pull request."""
    found = show_pull(service, caller, owner, name, number)
    report = found.report or {}
    findings = report.get("findings", [])
    return page(
        request,
        "pull.html",
        caller,
        repository=f"{owner}/{name}",
        number=number,
        found=found,
        report=report,
        findings=findings[:_FINDINGS],
        hidden=max(0, len(findings) - _FINDINGS),
    )
