"""``/silences`` and ``/dead-letters``: what is not told on purpose, and what could not be told."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from contracts_svc.api.access import Admin, Reader, Writer
from contracts_svc.api.dead_letters import list_dead_letters, resend_dead_letter
from contracts_svc.api.deps import ActingOf, ServiceOf
from contracts_svc.api.pages import Cursor
from contracts_svc.api.silences import NewSilence, create_silence, end_silence, list_silences
from contracts_svc.routes.matchers import Matcher, Op
from contracts_svc.web.forms import FormOf, read
from contracts_svc.web.incidents import LENGTHS
from contracts_svc.web.pages import page

router = APIRouter(include_in_schema=False)

_PAGE = 50
_LABELS = ("squad", "contract", "dataset", "severity")
"""What a silence may ask for by a field of its own."""

_Text = Annotated[str, Query(max_length=1_000)]
_Done = Annotated[str, Query(max_length=20)]


@router.get("/silences")
def silences(
    service: ServiceOf,
    caller: Reader,
    request: Request,
    squad: _Text = "",
    contract: _Text = "",
    cursor: Cursor = "",
    done: _Done = "",
) -> HTMLResponse:
    """What is silent now or will be, and a form for more."""
    found = list_silences(service, caller, cursor=cursor, limit=_PAGE)
    given = {"squad": squad, "contract": contract}
    return page(request, "silences.html", caller, found=found, given=given, lengths=LENGTHS, done=done)


@router.post("/silences")
def add(
    service: ServiceOf, acting: ActingOf, caller: Writer, request: Request, form: FormOf
) -> RedirectResponse:
    """Tell nobody of some alerts for a while."""
    named = [str(Matcher(n, Op.EQUAL, v)) for n in _LABELS if (v := form.get(n, "").strip())]
    more = [line.strip() for line in form.get("matchers", "").splitlines() if line.strip()]
    hours, _ = LENGTHS.get(form.get("lasts", ""), LENGTHS["24h"])
    ends = service.clock.now() + timedelta(hours=hours)
    given = read(NewSilence, {"matchers": [*named, *more], "reason": form.get("reason", ""), "ends": ends})
    create_silence(service, acting, caller, given, request, Response())
    return RedirectResponse("/silences?done=added", 303)


@router.post("/silences/{silence_id}/end")
def end(
    service: ServiceOf, acting: ActingOf, caller: Writer, silence_id: str, request: Request, form: FormOf
) -> RedirectResponse:
    """End a silence now."""
    end_silence(service, acting, caller, silence_id, request, Response())
    return RedirectResponse("/silences?done=ended", 303)


@router.get("/dead-letters")
def dead_letters(
    service: ServiceOf, caller: Admin, request: Request, cursor: Cursor = "", done: _Done = ""
) -> HTMLResponse:
    """Messages that nobody got, and why."""
    found = list_dead_letters(service, caller, cursor=cursor, limit=_PAGE)
    return page(request, "dead_letters.html", caller, found=found, done=done)


@router.post("/dead-letters/{key}/resend")
def resend(service: ServiceOf, caller: Admin, key: str, request: Request, form: FormOf) -> RedirectResponse:
    """Send one again."""
    resend_dead_letter(service, caller, key, request)
    return RedirectResponse("/dead-letters?done=resent", 303)
