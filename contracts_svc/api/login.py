"""``/login``, ``/auth/callback``, ``/logout``, ``/api/v1/me``: people, by an OpenID provider, or a token."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field

from contracts_svc.api.access import Anybody, hash_of
from contracts_svc.api.browsers import is_browser
from contracts_svc.api.deps import ServiceOf
from contracts_svc.api.fields import Moment
from contracts_svc.api.problems import PREFIX, RESPONSES, Refused, responses
from contracts_svc.api.service import Service
from contracts_svc.api.sessions import (
    SESSION,
    Cookies,
    cookie_name,
    must_be_ours,
    new_session_secret,
    secret_of,
)
from contracts_svc.flows.login import Login, person_of
from contracts_svc.ports_people import Attempt, Session
from contracts_svc.ports_store import Actor

router = APIRouter(tags=["people"], responses=RESPONSES)

CALLBACK = "/auth/callback"
BY_TOKEN = "/login/token"
"""The page that takes a token, where there is no provider."""
_ATTEMPT = "contracts_login"
_ATTEMPT_SECONDS = 600
"""How long somebody may take at the provider."""


class Me(BaseModel):
    """Who calls, and what they may do."""

    name: str = Field(examples=["ada@example.com"])
    tenant: str = ""
    permissions: list[str] = Field(examples=[["read", "write", "publish"]])
    squads: list[str] = Field(examples=[["checkout"]])
    domains: list[str] = Field(examples=[["shop"]])
    expires: Moment | None = Field(description="When the token or the session runs out")


@router.get(f"{PREFIX}/me")
def me(caller: Anybody) -> Me:
    """Who I am here, and what I may do."""
    return Me(
        name=caller.name,
        tenant=caller.tenant,
        permissions=sorted(p.value for p in caller.permissions),
        squads=sorted(caller.squads),
        domains=sorted(caller.domains),
        expires=caller.expires,
    )


@router.get(
    "/login",
    status_code=303,
    response_class=Response,
    responses={303: {"description": "To the identity provider"}, **responses(404)},
)
def log_in(
    service: ServiceOf,
    request: Request,
    next: Annotated[str, Query(max_length=2_000, description="Where to go then: a path of ours")] = "/",
) -> Response:
    """Send a browser to the identity provider."""
    if service.login is None and is_browser(request):
        return RedirectResponse(f"{BY_TOKEN}?{urlencode({'next': next})}", 303)
    login = _login(service)
    must_be_a_path(next)
    attempt = login.provider.begin()
    answer = RedirectResponse(attempt.url, 303)
    cookies = Cookies(site=service.site, request=request, response=answer)
    cookies.set(_ATTEMPT, _kept(attempt, next), _ATTEMPT_SECONDS)
    return answer


@router.get(
    CALLBACK,
    status_code=303,
    response_class=Response,
    responses={303: {"description": "Logged in, to where one was going"}, **responses(404)},
)
def called_back(service: ServiceOf, request: Request) -> Response:
    """Take a browser back from the identity provider, and let the person in."""
    login = _login(service)
    kept = request.cookies.get(cookie_name(service.site, _ATTEMPT), "")
    attempt, next = _attempt(kept)
    now = service.clock.now()
    claims = login.provider.finish(dict(request.query_params), attempt, now)
    person = person_of(claims, login.grants, login.issuer)
    session = Session(
        name=person.name,
        subject=person.subject,
        tenant=person.tenant,
        scopes=person.scopes,
        created=now,
        expires=now + login.lasts,
    )
    answer = RedirectResponse(next, 303)
    begin_session(service, request, answer, session)
    Cookies(site=service.site, request=request, response=answer).set(_ATTEMPT, "", 0)
    return answer


def begin_session(service: Service, request: Request, response: Response, session: Session) -> None:
    """Keep a session, and give the browser the cookie that it is used by."""
    secret = new_session_secret()
    service.store.put_session(session, hash_of(secret), _actor(request, session.name))
    seconds = int((session.expires - session.created).total_seconds())
    Cookies(site=service.site, request=request, response=response).set(SESSION, secret, seconds)


@router.post(
    "/logout",
    status_code=204,
    response_class=Response,
    responses={303: {"description": "To a page that says so, for browsers"}},
)
def log_out(service: ServiceOf, request: Request) -> Response:
    """End the session that the request comes with. Where there is none, that is no mistake."""
    secret = secret_of(request, service.site)
    if secret:
        must_be_ours(request, service.site)
        found = service.store.session(hash_of(secret))
        if found is not None:
            now = service.clock.now()
            service.store.end_session(hash_of(secret), now, _actor(request, found.name))
    answer = RedirectResponse("/logout", 303) if is_browser(request) else Response(status_code=204)
    Cookies(site=service.site, request=request, response=answer).set(SESSION, "", 0)
    return answer


def _login(service: Service) -> Login:
    if service.login is None:
        raise Refused(404, "nobody can log in here: no identity provider is set; use a token")
    return service.login


def _actor(request: Request, name: str) -> Actor:
    return Actor(who=name, where=f"api {request.client.host if request.client else 'unknown'}")


def must_be_a_path(next: str) -> None:
    """Raises Refused (422) for what a browser may take for another site (CWE-601).

    Browsers take a backslash for a slash, and leave out tabs and ends of lines.
    """
    if not next.startswith("/") or next.startswith("//") or "\\" in next or not next.isprintable():
        raise Refused(422, "next must be a path of this service, as in /api/v1/me")


def _kept(attempt: Attempt, next: str) -> str:
    # In the browser that began it, and nowhere else: an answer that somebody is lured to open has none.
    text = json.dumps([attempt.state, attempt.nonce, attempt.verifier, next])
    return base64.urlsafe_b64encode(text.encode()).decode("ascii").rstrip("=")


def _attempt(kept: str) -> tuple[Attempt, str]:
    try:
        value = json.loads(base64.b64decode(kept + "=" * (-len(kept) % 4), b"-_", validate=True))
        state, nonce, verifier, next = (str(v) for v in value)
    except (ValueError, TypeError, binascii.Error, RecursionError):
        state = nonce = verifier = next = ""
    if not (state and nonce and verifier):
        raise Refused(400, "no login was begun in this browser, or too long ago: begin again at /login")
    must_be_a_path(next)
    return Attempt(url="", state=state, nonce=nonce, verifier=verifier), next
