"""Wires how people log in: settings in, an OpenID provider out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from contracts_svc.errors import Problem, UserMistake
from contracts_svc.settings import PREFIX, Settings

if TYPE_CHECKING:
    from contracts_svc.flows.login import Login

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def login(settings: Settings) -> Login | None:
    """How people log in; None where no issuer is set. Raises UserMistake with every problem.

    The provider itself is not asked: a service starts also while it is down.
    """
    problems = list(_problems(settings))
    if problems:
        raise UserMistake(problems)
    if not settings.oidc_issuer:
        return None
    from contracts_svc.adapters.oidc import Client, OpenIdProvider
    from contracts_svc.api.login import CALLBACK
    from contracts_svc.flows.login import Grants, Login

    public_url = settings.public_url.rstrip("/")
    client = Client(
        id=settings.oidc_client_id,
        secret=settings.oidc_client_secret.get_secret_value(),
        redirect_uri=public_url + CALLBACK,
        scopes=tuple(settings.oidc_scopes.split()),
    )
    return Login(
        provider=OpenIdProvider(settings.oidc_issuer, client),
        issuer=settings.oidc_issuer,
        grants=Grants(
            groups={group: tuple(scopes) for group, scopes in settings.oidc_groups.items()},
            default=settings.oidc_default_role,
            groups_claim=settings.oidc_groups_claim,
            name_claim=settings.oidc_name_claim,
            tenant_claim=settings.oidc_tenant_claim,
        ),
        public_url=public_url,
        lasts=timedelta(hours=settings.session_hours),
    )


def _problems(settings: Settings) -> Iterator[Problem]:
    if not settings.oidc_issuer:
        return
    if not settings.oidc_client_id:
        yield _problem("oidc_client_id", "is not set", "give the id that this service has at the provider")
    if "openid" not in settings.oidc_scopes.split():
        yield _problem("oidc_scopes", "does not hold 'openid'", "write for example: openid profile email")
    for name in ("oidc_issuer", "public_url"):
        yield from _address(name, getattr(settings, name))
    url = urlsplit(settings.public_url)
    if url.path.strip("/") or url.query or url.fragment:
        yield _problem(
            "public_url", "has a path", "give scheme and host alone: https://contracts.example.com"
        )
    default = settings.oidc_default_role
    yield from _scopes("oidc_default_role", [default] if default else [])
    for group, scopes in settings.oidc_groups.items():
        yield from _scopes("oidc_groups", scopes, group)


def _address(name: str, given: str) -> Iterator[Problem]:
    """That it is a web address, over TLS: session cookies and codes go there."""
    url = urlsplit(given)
    if url.scheme not in ("http", "https") or not url.hostname or url.username:
        yield _problem(name, "is no web address", "begin it with https://")
    elif url.scheme == "http" and url.hostname not in _LOOPBACK:
        yield _problem(name, "is not over TLS", "begin it with https://; http:// is for this machine alone")


def _scopes(name: str, scopes: list[str], group: str = "") -> Iterator[Problem]:
    from contracts_svc.api.access import scopes_of
    from contracts_svc.flows.login import STAR

    of = f" for the group {group!r}" if group else ""
    if group.count(STAR) > 1:
        yield _problem(name, f"has more than one '*'{of}", "one '*' stands for any text")
    for scope in scopes:
        starred = STAR in scope
        if starred and (STAR not in group or scope.partition(":")[2] != STAR):
            yield _problem(
                name, f"has {scope!r}{of}", "a '*' stands alone, as in squad:*, for the group's own"
            )
        try:
            scopes_of([scope.replace(STAR, "x")])
        except UserMistake as error:
            for problem in error.problems:
                yield _problem(name, f"has {scope!r}{of}: {problem.message}", problem.hint)


def _problem(name: str, message: str, hint: str) -> Problem:
    return Problem(None, f"setting {PREFIX}{name.upper()} {message}", hint)
