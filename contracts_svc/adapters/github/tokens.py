"""Where the token of a call comes from: one that was given, or that of an App's installation."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

import httpx

from contracts_svc.errors import CouldNotCheck, UserMistake
from contracts_svc.github.fields import Fields
from contracts_svc.github.names import RepositoryName
from contracts_svc.ports_github import NotInstalled

Send = Callable[[str, str, str, dict[str, object] | None], httpx.Response]
"""Method, path, authorization and body of a request to the API -> the answer, whatever its status."""

_EARLY = timedelta(minutes=2)
"""A token is renewed this long before it ends: it must last for the call that it is taken for."""
_JWT_SECONDS = 540
"""GitHub takes at most 600, and clocks differ."""


class Tokens(Protocol):
    """Gives the token for a call."""

    def token(self) -> str:
        """A token that is valid now. Raises CouldNotCheck."""
        ...

    def refused(self, token: str) -> bool:
        """GitHub did not take this token. Whether asking again can give another one."""
        ...


@dataclass(frozen=True, slots=True)
class GivenToken:
    """A token from outside: that of a workflow, or a personal one."""

    value: str = field(repr=False)

    def __post_init__(self) -> None:
        # It becomes a header; what a header cannot hold would be shown in an error.
        if not self.value or not self.value.isascii() or not self.value.isprintable() or " " in self.value:
            raise UserMistake.of("the GitHub token is empty or holds a character that no token has")

    def token(self) -> str:
        return self.value

    def refused(self, token: str) -> bool:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """A GitHub App: its id (or client id), and its private key as PEM text."""

    id: str
    private_key: str = field(repr=False)

    def jwt(self, now: datetime) -> str:
        """The token by which the App itself signs in, for nine minutes. Raises UserMistake."""
        from joserfc import jwt
        from joserfc.errors import JoseError
        from joserfc.jwk import RSAKey

        # A minute back, as GitHub advises: its clock may be behind.
        begins = int(now.timestamp()) - 60
        claims = {"iat": begins, "exp": begins + _JWT_SECONDS, "iss": self.id}
        try:
            return jwt.encode({"alg": "RS256"}, claims, RSAKey.import_key(self.private_key))
        except (JoseError, ValueError, TypeError):
            raise UserMistake.of(
                "the private key of the GitHub App cannot be read",
                "give the PEM file that GitHub made for it",
            ) from None


class InstallationTokens:
    """Tokens of one installation of an App, each for one repository alone.

    ``send`` sends a request to the API and gives the answer, whatever its status; ``clock`` tells the
    time with its zone.
    """

    def __init__(
        self,
        app: App,
        installation_id: int,
        repository: RepositoryName,
        *,
        send: Send,
        clock: Callable[[], datetime],
    ) -> None:
        self._app, self._installation, self._repository = app, installation_id, repository
        self._send, self._clock = send, clock
        self._lock = threading.Lock()
        self._token = ""
        self._ends = datetime.min.replace(tzinfo=UTC)

    def token(self) -> str:
        """The token in hand, or a new one shortly before that ends."""
        with self._lock:
            if not self._token or self._clock() + _EARLY >= self._ends:
                self._renew()
            return self._token

    def refused(self, token: str) -> bool:
        """Forget the token: it may have been revoked, or have ended by GitHub's clock."""
        with self._lock:
            if self._token == token:
                self._token = ""
        return True

    def _renew(self) -> None:
        path = f"/app/installations/{self._installation}/access_tokens"
        body: dict[str, object] = {"repositories": [self._repository.name]}
        answer = self._send("POST", path, f"Bearer {self._app.jwt(self._clock())}", body)
        what = f"signing in to GitHub as installation {self._installation}"
        if answer.status_code != 201:
            # 404: the installation is gone. 422: it does not hold a repository of this name.
            kind = NotInstalled if answer.status_code in (404, 422) else CouldNotCheck
            raise kind(
                what,
                f"GitHub answered {answer.status_code}",
                f"is the App still installed for {self._repository}, and its key still valid?",
                retryable=answer.status_code >= 500 or answer.status_code in (403, 429),
            )
        try:
            fields = Fields.parse(answer.content, "GitHub's answer")
            self._token = fields.needed("token", fields.text("token"))
            self._ends = datetime.fromisoformat(fields.needed("expires_at", fields.text("expires_at")))
        except (UserMistake, ValueError) as error:
            self._token = ""
            raise CouldNotCheck(what, f"GitHub's answer cannot be read: {error}") from None
