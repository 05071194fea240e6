"""Logging in by a token where there is no identity provider, and having logged out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from contracts_svc.api.access import caller_of, hash_of, unauthenticated
from contracts_svc.api.deps import ServiceOf
from contracts_svc.api.login import BY_TOKEN, begin_session, must_be_a_path
from contracts_svc.api.problems import Refused
from contracts_svc.api.sessions import must_be_ours
from contracts_svc.ports_people import Session
from contracts_svc.web.forms import plain_form
from contracts_svc.web.pages import STYLE, STYLE_NAME, page

router = APIRouter(include_in_schema=False)

_Fields = Annotated[Mapping[str, str], Depends(plain_form)]


@router.get(BY_TOKEN)
def token_page(
    service: ServiceOf, request: Request, next: Annotated[str, Query(max_length=2_000)] = "/"
) -> HTMLResponse:
    """The page that takes a token."""
    must_be_a_path(next)
    return page(request, "login.html", next=next, provider=service.login is not None)


@router.post(BY_TOKEN)
def log_in_by_token(service: ServiceOf, request: Request, fields: _Fields) -> Response:
    """Have this browser stand for a token, for some hours. The token itself is not kept in it."""
    # There is no session yet that the form could have a secret of: where it comes from is what counts.
    must_be_ours(request, service.site)
    next = fields.get("next", "/") or "/"
    must_be_a_path(next)
    given = fields.get("token", "").strip()
    if not given:
        raise Refused(422, "no token is given")
    token, now = service.store.token(hash_of(given)), service.clock.now()
    caller_of(token, now)
    if token is None:
        raise unauthenticated("this token is not known")
    answer = RedirectResponse(next, 303)
    session = Session(
        name=token.owner,
        subject=token.owner,
        tenant=token.tenant,
        scopes=token.scopes,
        created=now,
        expires=min(token.expires, now + service.session_lasts),
        token=token.id,
    )
    begin_session(service, request, answer, session)
    return answer


@router.get("/logout")
def logged_out(request: Request) -> HTMLResponse:
    """That one is logged out; or a button, where one is not."""
    return page(request, "logout.html")


@router.get("/web/{name}")
def style(name: str) -> Response:
    """How pages look. Its name is another when it is another, so that browsers may keep it."""
    if name != STYLE_NAME:
        raise Refused(404, "no such file is here")
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(STYLE, media_type="text/css", headers=headers)
