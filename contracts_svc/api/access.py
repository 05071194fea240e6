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
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from contracts_svc.api.problems import Refused
from contracts_svc.errors import UserMistake
from contracts_svc.model import Contract
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
"""A scope of a token -> what it may do. Besides, ``squad:NAME`` names a squad that it acts for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls: a token, or a person."""

    name: str
    tenant: str = ""
    permissions: frozenset[Permission] = frozenset()
    squads: frozenset[str] = frozenset()

    def may(self, permission: Permission) -> bool:
        """Whether the caller may do this at all."""
        return permission in self.permissions

    def owns(self, squad: str) -> bool:
        """Whether the caller may change what belongs to a squad."""
        return self.may(Permission.ADMIN) or (bool(squad) and squad in self.squads)

    def actor(self, request: Request) -> Actor:
        """The caller for the audit."""
        where = request.client.host if request.client else "unknown"
        return Actor(who=self.name, where=f"api {where}")


EVERYONE = Caller(name="anonymous", permissions=frozenset(Permission))
"""Who calls where nobody has to say: on loopback, in the demo."""


def scopes_of(given: Iterable[str]) -> tuple[frozenset[Permission], frozenset[str]]:
    """Permissions and squads of a token's scopes. Raises UserMistake for an unknown one."""
    permissions: set[Permission] = set()
    squads: set[str] = set()
    for scope in given:
        if scope.startswith("squad:") and len(scope) > len("squad:"):
            squads.add(scope.removeprefix("squad:"))
        elif scope in ROLES:
            permissions |= ROLES[scope]
        else:
            known = ", ".join([*ROLES, "squad:NAME"])
            raise UserMistake.of(f"no scope is called {scope!r}", f"scopes are: {known}")
    return frozenset(permissions), frozenset(squads)


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
    permissions, squads = scopes_of(token.scopes)
    return Caller(name=token.owner, tenant=token.tenant, permissions=permissions, squads=squads)


def unauthenticated(detail: str) -> Refused:
    """A 401 that says how to do better."""
    return Refused(401, detail, headers={"WWW-Authenticate": 'Bearer realm="contracts"'})


_BEARER = HTTPBearer(auto_error=False, description="A token of `contracts token create`")


def authenticated(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]
) -> Caller:
    """The caller of a request. Raises Refused (401)."""
    service = request.app.state.service
    if credentials is None:
        if service.everyone_may:
            _must_be_local(request)
            return EVERYONE
        raise unauthenticated("send the header 'Authorization: Bearer TOKEN'")
    if not credentials.credentials.startswith(PREFIX):
        raise unauthenticated(f"a token begins with {PREFIX}")
    hash_ = hash_of(credentials.credentials)
    token = service.store.token(hash_)
    caller = caller_of(token, service.clock.now())
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

    def __call__(self, caller: Annotated[Caller, Depends(authenticated)]) -> Caller:
        if not caller.may(self.permission):
            raise Refused(403, f"{caller.name} may not {self.permission.value}: the token lacks the scope")
        return caller


def needs(permission: Permission) -> Callable[..., Any]:
    """The dependency of an endpoint that takes a permission."""
    return _Needs(permission)


Reader = Annotated[Caller, Depends(needs(Permission.READ))]
Writer = Annotated[Caller, Depends(needs(Permission.WRITE))]
LineageSender = Annotated[Caller, Depends(needs(Permission.LINEAGE))]
Publisher = Annotated[Caller, Depends(needs(Permission.PUBLISH))]
Admin = Annotated[Caller, Depends(needs(Permission.ADMIN))]


def squad_of(contract: Contract) -> str:
    """Whose a contract is."""
    team = contract.team
    return ((team.custom_value("squad") or team.name or "") if team else "") or ""


def must_own(caller: Caller, squad: str, what: str) -> None:
    """Raises Refused (403) unless the caller may change what belongs to this squad."""
    if not caller.owns(squad):
        owner = f"squad {squad!r}" if squad else "no squad, so only an admin may change it"
        raise Refused(403, f"{what} belongs to {owner}; {caller.name} acts for {_listed(caller.squads)}")


def same(one: str, other: str) -> bool:
    """Whether two secrets are the same, in a time that tells nothing."""
    return hmac.compare_digest(one.encode(), other.encode())


def _listed(squads: frozenset[str]) -> str:
    return ", ".join(sorted(squads)) or "no squad"
