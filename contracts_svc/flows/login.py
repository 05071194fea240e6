"""Who somebody is here, by what an identity provider says of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlsplit

from contracts_svc.errors import Problem
from contracts_svc.model import Json
from contracts_svc.ports_people import IdentityProvider, LoginRefused

STAR = "*"
_LONGEST = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Grants:
    """What the claims of a person come to. ``groups``: a group -> scopes, as tokens have them.

    One ``*`` in a group stands for any text, and in its scopes for that same text:
    ``squad-* -> editor, squad:*``.
    """

    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    default: str = "viewer"
    """The role of everybody who can log in; empty: only those in a group above are let in."""
    groups_claim: str = "groups"
    name_claim: str = "email"
    tenant_claim: str = ""
    """Empty: everybody is of no tenant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """How people log in."""

    provider: IdentityProvider
    issuer: str
    grants: Grants
    public_url: str
    """What a browser's address bar says of this service: scheme, host and port."""
    lasts: timedelta = timedelta(hours=8)
    """After which a person has to log in again. What their groups are now is asked only then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who has said who they are."""

    name: str
    subject: str
    tenant: str
    scopes: tuple[str, ...]


def person_of(claims: Mapping[str, Json], grants: Grants, issuer: str) -> Person:
    """Who these claims are of. Raises LoginRefused: it is not said, or there is nothing they may do."""
    subject = str(claims["sub"])
    scopes = tuple(dict.fromkeys(_scopes(_texts(_claim(claims, grants.groups_claim)), grants)))
    name = _clean(_name(claims, grants.name_claim, issuer), "name")
    if not scopes:
        raise _refused(f"{name} is in no group that may use this service", "ask whoever runs it")
    tenant = ""
    if grants.tenant_claim:
        said = _claim(claims, grants.tenant_claim)
        if not isinstance(said, str) or not said.strip():
            raise _refused(f"it is not said which tenant {name} belongs to", "ask whoever runs the provider")
        tenant = _clean(said.strip(), "tenant")
    return Person(name=name, subject=_clean(subject, "subject"), tenant=tenant, scopes=scopes)


def _name(claims: Mapping[str, Json], claim: str, issuer: str) -> str:
    """What the person is called: never what a squad could be called, whose word it would be taken for."""
    said = _claim(claims, claim)
    unsure = claim == "email" and claims.get("email_verified") is False
    name = said.strip() if isinstance(said, str) and said.strip() and not unsure else str(claims["sub"])
    return name if "@" in name[1:] else f"{name}@{urlsplit(issuer).hostname or 'issuer'}"


def _scopes(groups: Iterator[str], grants: Grants) -> Iterator[str]:
    if grants.default:
        yield grants.default
    for group in groups:
        for pattern, scopes in grants.groups.items():
            matched = _matched(group, pattern)
            if matched is not None:
                yield from (scope.replace(STAR, matched) for scope in scopes)


def _matched(group: str, pattern: str) -> str | None:
    """What the star stands for; None: the group is another one."""
    before, star, after = pattern.partition(STAR)
    if not star:
        return "" if group == pattern else None
    fits = len(group) > len(before) + len(after) and group.startswith(before) and group.endswith(after)
    return group[len(before) : len(group) - len(after)] if fits else None


def _claim(claims: Mapping[str, Json], name: str) -> Json:
    """A claim by its name, else by its path: names may hold dots, as in ``https://example.com/groups``."""
    if name in claims:
        return claims[name]
    found: Json = dict(claims)
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _texts(value: Json) -> Iterator[str]:
    given = value if isinstance(value, list) else [value]
    return (v for v in given if isinstance(v, str) and v.isprintable() and 0 < len(v) <= _LONGEST)


def _clean(text: str, what: str) -> str:
    if not text.isprintable() or len(text) > _LONGEST:
        raise _refused(f"the {what} that the provider tells cannot be used", "ask whoever runs the provider")
    return text


def _refused(message: str, hint: str) -> LoginRefused:
    return LoginRefused([Problem(None, message, hint)])
