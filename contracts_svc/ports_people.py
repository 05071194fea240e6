"""What logging people in needs: an identity provider, and a store of sessions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from contracts_svc.errors import UserMistake
from contracts_svc.model import Json
from contracts_svc.ports_store import Actor


class LoginRefused(UserMistake):
    """The identity provider's word is not good, or not enough, to let somebody in."""

    http_status = 403


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A login that was begun: what the browser is sent to, and what its coming back is held against."""

    url: str
    """Where the person says who they are, at the provider."""
    state: str
    """Comes back with the answer: ties it to this browser."""
    nonce: str
    """Comes back in the ID token: ties it to this attempt."""
    verifier: str
    """What the challenge in ``url`` was made of (RFC 7636): whoever has only the code cannot use it."""


class IdentityProvider(Protocol):
    """An OpenID provider, as a client of it sees it. Raises CouldNotCheck where it cannot be reached."""

    def begin(self) -> Attempt:
        """Begin a login."""
        ...

    def finish(self, answer: Mapping[str, str], attempt: Attempt, now: datetime) -> Mapping[str, Json]:
        """What the provider says of who came back with this answer (its parameters); ``attempt``'s URL is
        not looked at. Raises LoginRefused."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """That a person is logged in, until a moment."""

    name: str
    """What the person is called in the audit and in waivers."""
    subject: str
    """Who the person is to the provider: never changes."""
    scopes: tuple[str, ...]
    """As those of a token."""
    tenant: str = ""
    created: datetime
    expires: datetime
    token: str = ""
    """The id of the token that it stands for, and ends with; empty: the provider's word is what it stands
    for."""


class SessionStore(Protocol):
    """Keeps sessions."""

    def put_session(self, session: Session, hash: str, by: Actor) -> None:
        """Keep a new session; ``hash`` is SHA-256 of its secret, hexadecimal. Some of those that ran out
        before it began are forgotten."""
        ...

    def session(self, hash: str) -> Session | None:
        """The session whose secret has this hash, whether it has run out or not."""
        ...

    def end_session(self, hash: str, now: datetime, by: Actor) -> bool:
        """End a session; False when there is none."""
        ...

    def sessions(self, now: datetime) -> tuple[Session, ...]:
        """The sessions that have not run out, by name and the time they began."""
        ...

    def end_sessions(self, name: str, now: datetime, by: Actor) -> int:
        """End every session of who is called so; how many there were that had not run out."""
        ...
