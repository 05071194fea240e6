"""The repositories that a GitHub App is installed for, each opened with a token for it alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import Any
from urllib.parse import quote

from contracts_svc.adapters.github.client import PUBLIC, GitHubClient, Missing, sender
from contracts_svc.adapters.github.content import BlobCache, GitHubCode
from contracts_svc.adapters.github.pulls import GitHubPulls
from contracts_svc.adapters.github.tokens import App, InstallationTokens
from contracts_svc.errors import CouldNotCheck, UserMistake
from contracts_svc.github.config import TeamName
from contracts_svc.github.events import PullRequest
from contracts_svc.github.fields import Fields
from contracts_svc.github.names import RepositoryName
from contracts_svc.ports_github import RepositoryFacts

PATIENCE = 10.0
"""Seconds that one call waits before it is given up: the work is put off, and tried again later."""


@dataclass(frozen=True, slots=True)
class GitHubSite:
    """Implements :class:`contracts_svc.ports_github.Site`."""

    code: GitHubCode
    host: GitHubRepository


class GitHubHub:
    """Implements :class:`contracts_svc.ports_github.Hub`. Safe for use by many threads."""

    def __init__(
        self,
        app: App,
        base_url: str = PUBLIC,
        *,
        proxy: str = "",
        patience: float = PATIENCE,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Raises UserMistake when the address or the App's key cannot be used."""
        app.jwt(clock())
        self._app, self._base_url, self._proxy = app, base_url, proxy
        self._patience, self._clock, self._sleep = patience, clock, sleep
        self._send = sender(base_url, proxy)
        self._tokens: dict[tuple[int, str], InstallationTokens] = {}
        self._blobs = BlobCache()
        self._login = ""
        self._lock = Lock()

    @contextmanager
    def open(self, repository: RepositoryName, installation_id: int, link: str = "") -> Iterator[GitHubSite]:
        """One repository, with rights that reach no other. Raises CouldNotCheck."""
        login = self.login()
        client = GitHubClient(
            self._tokens_of(repository, installation_id),
            self._base_url,
            proxy=self._proxy,
            patience=self._patience,
            sleep=self._sleep,
        )
        with client:
            yield GitHubSite(
                GitHubCode(client, repository, self._blobs),
                GitHubRepository(client, repository, login=login, link=link),
            )

    def login(self) -> str:
        """Whom the App's comments are by. Raises CouldNotCheck."""
        if not self._login:
            what = "signing in to GitHub"
            answer = self._send("GET", "/app", f"Bearer {self._app.jwt(self._clock())}", None)
            if answer.status_code != 200:
                raise CouldNotCheck(
                    what,
                    f"GitHub answered {answer.status_code}",
                    "are the App's id, its private key and the address of the API those of one App?",
                    retryable=answer.status_code >= 500 or answer.status_code in (403, 429),
                )
            try:
                fields = Fields.parse(answer.content, "GitHub's answer")
                self._login = f"{fields.needed('slug', fields.text('slug'))}[bot]"
            except UserMistake as error:
                raise CouldNotCheck(what, f"GitHub's answer cannot be read: {error}") from None
        return self._login

    def _tokens_of(self, repository: RepositoryName, installation_id: int) -> InstallationTokens:
        key = installation_id, str(repository).casefold()
        with self._lock:
            if key not in self._tokens:
                self._tokens[key] = InstallationTokens(
                    self._app, installation_id, repository, send=self._send, clock=self._clock
                )
            return self._tokens[key]


class GitHubRepository(GitHubPulls):
    """Implements :class:`contracts_svc.ports_github.RepositoryHost`."""

    def facts(self) -> RepositoryFacts:
        """What it is like now."""
        return self._read(self._client.get_kept(self._at), _facts)

    def open_pulls(self) -> tuple[PullRequest, ...]:
        """The pull requests that are open."""
        found = self._client.pages(f"{self._at}/pulls", {"state": "open"})
        return tuple(self._read(each, self._pull) for each in found)

    def ask_for_review(self, number: int, users: Iterable[str], teams: Iterable[TeamName]) -> None:
        """Ask these for a review; who cannot review here is left out: GitHub refuses all for one."""
        owner = self._repository.owner.casefold()
        people = sorted(set(users))
        groups = sorted({t.slug for t in teams if t.organisation.casefold() == owner})
        each = [{"reviewers": [u]} for u in people] + [{"team_reviewers": [g]} for g in groups]
        if not each or self._asked_all(number, {"reviewers": people, "team_reviewers": groups}):
            return
        for one in each if len(each) > 1 else ():
            self._asked_all(number, one)

    def members(self, team: TeamName) -> frozenset[str]:
        """The logins of a team's members; none where the team is not there, or may not be seen."""
        at = f"/orgs/{quote(team.organisation, safe='')}/teams/{quote(team.slug, safe='')}/members"
        try:
            found = list(self._client.pages(at))
        except CouldNotCheck as error:
            if error.retryable:
                raise
            return frozenset()
        return frozenset(self._read(each, _login) for each in found)

    def _asked_all(self, number: int, body: dict[str, Any]) -> bool:
        """Ask for reviews; False when GitHub refuses somebody. Asking again changes nothing."""
        at = f"{self._at}/pulls/{number}/requested_reviewers"
        try:
            self._client.post_again(at, {k: v for k, v in body.items() if v})
        except Missing:
            raise
        except CouldNotCheck as error:
            if error.retryable:
                raise
            return False
        return True


def _facts(fields: Fields) -> RepositoryFacts:
    return RepositoryFacts(
        default_branch=fields.needed("default_branch", fields.branch("default_branch")),
        public=fields.truth("private") is not True,
    )


def _login(fields: Fields) -> str:
    return fields.needed("login", fields.text("login"))
