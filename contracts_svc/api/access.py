"""Who calls, and what they may do. Every endpoint names the permission that it takes."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from contracts_svc.api.problems import Refused
from contracts_svc.api.service import Service
from contracts_svc.api.sessions import must_be_ours, secret_of
from contracts_svc.errors import UserMistake
from contracts_svc.model import Contract
from contracts_svc.ports_people import Session
from contracts_svc.ports_store import Actor, Token

PREFIX = "contracts_"
"""What every token begins with, so that scanners for leaked secrets find it."""


class Permission(StrEnum):
    """What an endpoint takes."""

    READ = "read"
    WRITE = "write"
    """Change what belongs to one's own squads: contracts, subscriptions, acknowledgements."""
    LINEAGE = "lineage"
    """Send lineage events."""
    PUBLISH = "publish"
    """Tell that data was published, and start checks."""
    ADMIN = "admin"
    """Change what belongs to anybody of the tenant, and see the audit."""


ROLES: Mapping[str, frozenset[Permission]] = {
    "viewer": frozenset({Permission.READ}),
    "editor": frozenset({Permission.READ, Permission.WRITE, Permission.PUBLISH}),
    "lineage": frozenset({Permission.LINEAGE}),
    "publisher": frozenset({Permission.PUBLISH}),
    "admin": frozenset(Permission),
}
"""A scope -> what it may do. Besides, ``squad:NAME`` and ``domain:NAME`` name whom it acts for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls: a token, or a person."""

    name: str
    tenant: str = ""
    permissions: frozenset[Permission] = frozenset()
    squads: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()
    expires: datetime | None = None
    """When what they came with runs out."""

    def may(self, permission: Permission) -> bool:
        """Whether the caller may do this at all."""
        return permission in self.permissions

    def owns(self, squad: str, domain: str = "") -> bool:
        """Whether the caller may change what belongs to a squad, in a domain."""
        return self.may(Permission.ADMIN) or (
            (bool(squad) and squad in self.squads) or (bool(domain) and domain in self.domains)
        )

    def actor(self, request: Request) -> Actor:
        """The caller for the audit."""
        where = request.client.host if request.client else "unknown"
        return Actor(who=self.name, where=f"api {where}")


EVERYONE = Caller(name="anonymous", permissions=frozenset(Permission))
"""Who calls where nobody has to say: on loopback, in the demo."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scopes:
    """What scopes come to."""

    permissions: frozenset[Permission]
    squads: frozenset[str]
    domains: frozenset[str]


def scopes_of(given: Iterable[str]) -> Scopes:
    """What these scopes come to. Raises UserMistake for an unknown one."""
    permissions: set[Permission] = set()
    names: dict[str, set[str]] = {"squad": set(), "domain": set()}
    for scope in given:
        kind, _, name = scope.partition(":")
        if kind in names and name:
            names[kind].add(name)
        elif scope in ROLES:
            permissions |= ROLES[scope]
        else:
            known = ", ".join([*ROLES, "squad:NAME", "domain:NAME"])
            raise UserMistake.of(f"no scope is called {scope!r}", f"scopes are: {known}")
    return Scopes(
        permissions=frozenset(permissions),
        squads=frozenset(names["squad"]),
        domains=frozenset(names["domain"]),
    )


def new_secret() -> str:
    """A new token as its owner gets it, once."""
    return PREFIX + secrets.token_urlsafe(32)


def hash_of(secret: str) -> str:
    """What is kept of a token: SHA-256, hexadecimal. Enough, since a token has 256 random bits."""
    return hashlib.sha256(secret.encode()).hexdigest()


def caller_of(token: Token | None, now: datetime) -> Caller:
    """Who holds this token. Raises Refused (401) when it is unknown, revoked or has run out."""
    if token is None:
        raise unauthenticated("this token is not known")
    if token.revoked is not None:
        raise unauthenticated("this token was revoked")
    if token.expires <= now:
        raise unauthenticated(f"this token ran out on {token.expires:%Y-%m-%d}")
    return _caller(token.owner, token.tenant, token.scopes, token.expires)


def person_of(session: Session | None, now: datetime) -> Caller:
    """Who is logged in by this session. Raises Refused (401) when it is unknown or has run out."""
    if session is None or session.expires <= now:
        raise unauthenticated("you are not logged in any more: log in again at /login")
    return _caller(session.name, session.tenant, session.scopes, session.expires)


def _of_session(service: Service, hash_: str) -> Caller:
    session, now = service.store.session(hash_), service.clock.now()
    caller = person_of(session, now)
    if session is not None and session.token:
        # What it stands for may be revoked.
        caller_of(service.store.token_named(session.token), now)
    return caller


def _caller(name: str, tenant: str, scopes: Iterable[str], expires: datetime) -> Caller:
    found = scopes_of(scopes)
    return Caller(
        name=name,
        tenant=tenant,
        permissions=found.permissions,
        squads=found.squads,
        domains=found.domains,
        expires=expires,
    )


def unauthenticated(detail: str) -> Refused:
    """A 401 that says how to do better."""
    return Refused(401, detail, headers={"WWW-Authenticate": 'Bearer realm="contracts"'})


_BEARER = HTTPBearer(auto_error=False, description="A token of `contracts token create`")


async def authenticated(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]
) -> Caller:
    """The caller of a request. Raises Refused (401)."""
    service: Service = request.app.state.service
    if credentials is not None and credentials.credentials.startswith(PREFIX):
        hash_ = hash_of(credentials.credentials)
        token = service.store.token_looked_up(hash_)
        if token is not None:
            return _by_token(request, token, hash_)
    return await run_in_threadpool(_looked_up, request, credentials)


def _looked_up(request: Request, credentials: HTTPAuthorizationCredentials | None) -> Caller:
    service: Service = request.app.state.service
    if credentials is None:
        secret = secret_of(request, service.site)
        # What is at another port of this machine may have set such a cookie too.
        if secret and (service.login is not None or not service.everyone_may):
            must_be_ours(request, service.site)
            hash_ = hash_of(secret)
            caller = _of_session(service, hash_)
        elif service.everyone_may:
            _must_be_local(request)
            return EVERYONE
        else:
            way = "" if service.login is None else ", or log in at /login"
            raise unauthenticated(f"send the header 'Authorization: Bearer TOKEN'{way}")
    else:
        if not credentials.credentials.startswith(PREFIX):
            raise unauthenticated(f"a token begins with {PREFIX}")
        hash_ = hash_of(credentials.credentials)
        return _by_token(request, service.store.token(hash_), hash_)
    return _noted(request, caller, hash_)


def _by_token(request: Request, token: Token | None, hash_: str) -> Caller:
    service: Service = request.app.state.service
    return _noted(request, caller_of(token, service.clock.now()), hash_)


def _noted(request: Request, caller: Caller, hash_: str) -> Caller:
    request.state.caller = caller.name
    request.state.token = hash_
    return caller


def _must_be_local(request: Request) -> None:
    """Raises Refused (403) for what a web page of somebody else makes a browser on this machine send.

    Such a page may have any name lead to loopback, so that the Host header counts too.
    """
    origin = request.headers.get("origin")
    hosts = [urlsplit(origin).hostname] if origin is not None else []
    if any(host not in _LOCAL for host in [request.url.hostname, *hosts]):
        raise Refused(403, "without tokens, only programs on this machine are served, at 127.0.0.1")


_LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})


class _Needs:
    """A dependency that gives the caller, once the caller may do this."""

    def __init__(self, permission: Permission) -> None:
        self.permission = permission

    async def __call__(self, caller: Annotated[Caller, Depends(authenticated)]) -> Caller:
        if not caller.may(self.permission):
            raise Refused(403, f"{caller.name} may not {self.permission.value}: the token lacks the scope")
        return caller


def needs(permission: Permission) -> Callable[..., Any]:
    """The dependency of an endpoint that takes a permission."""
    return _Needs(permission)


Anybody = Annotated[Caller, Depends(authenticated)]
"""Whoever has said who they are, whatever they may do."""
Reader = Annotated[Caller, Depends(needs(Permission.READ))]
Writer = Annotated[Caller, Depends(needs(Permission.WRITE))]
LineageSender = Annotated[Caller, Depends(needs(Permission.LINEAGE))]
Publisher = Annotated[Caller, Depends(needs(Permission.PUBLISH))]
Admin = Annotated[Caller, Depends(needs(Permission.ADMIN))]


def squad_of(contract: Contract) -> str:
    """Whose a contract is."""
    team = contract.team
    return ((team.custom_value("squad") or team.name or "") if team else "") or ""


def must_own(caller: Caller, squad: str, what: str, domain: str = "") -> None:
    """Raises Refused (403) unless the caller may change what belongs to this squad, in this domain."""
    if not caller.owns(squad, domain):
        owner = f"squad {squad!r}" if squad else "no squad"
        within = f" of domain {domain!r}" if domain else ""
        raise Refused(403, f"{what} belongs to {owner}{within}; {caller.name} acts for {_listed(caller)}")


def same(one: str, other: str) -> bool:
    """Whether two secrets are the same, in a time that tells nothing."""
    return hmac.compare_digest(one.encode(), other.encode())


def _listed(caller: Caller) -> str:
    domains = (f"domain {d}" for d in sorted(caller.domains))
    return ", ".join([*sorted(caller.squads), *domains]) or "no squad"
