"""What the check of a pull request needs from the code host, as Protocols."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from contracts_svc.errors import CouldNotCheck
from contracts_svc.github.check_run import CheckReport
from contracts_svc.github.config import TeamName
from contracts_svc.github.events import PullRequest, Review
from contracts_svc.github.names import RepositoryName
from contracts_svc.ports import CodeHost


class NotNow(CouldNotCheck):
    """The code host could not do it now. ``pause``: seconds that it asks to be left alone for, where it
    says so."""

    pause: float | None = None


class NotInstalled(CouldNotCheck):
    """The App may not see the repository any more: it was removed, or goes by another name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedCheck:
    """A check run that is under way. ``annotated`` is how many annotations it has already: one that was
    taken up again after a crash goes on from there."""

    id: int
    head: str
    annotated: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryFacts:
    """What a repository is like."""

    default_branch: str
    public: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Parting:
    """Where a pull request stands: the tip of its base branch, and what both have in common."""

    tip: str
    merge_base: str


class PullRequestHost(Protocol):
    """Reads and writes what belongs to pull requests of one repository. Raises CouldNotCheck.

    Everything that writes may be done again, after a crash or beside another worker, and ends in the
    same state.
    """

    def pull(self, number: int) -> PullRequest:
        """The pull request as it is now."""
        ...

    def reviews(self, number: int) -> tuple[Review, ...]:
        """Its reviews, oldest first, each with the state that it has now."""
        ...

    def start_check(self, head: str, key: str) -> StartedCheck:
        """A check run in progress on this commit; the one with this key where it has been started."""
        ...

    def complete_check(self, check: StartedCheck, report: CheckReport) -> None:
        """End the run: every annotation, then the conclusion."""
        ...

    def cancel_checks(self, commit: str, key: str, report: CheckReport) -> None:
        """End the runs on this commit, begun with this key, that are still in progress."""
        ...

    def comment(self, number: int, body: str | None) -> None:
        """Make the one comment say this; None: there is nothing to say, where nothing was said."""
        ...


class HostedCode(CodeHost, Protocol):
    """What one repository of a code host holds at exact commits."""

    def parting(self, base_ref: str, head: str) -> Parting:
        """The tip of the base branch as it is now, and where the head has left it."""
        ...

    def tip(self, branch: str) -> str:
        """The commit that a branch is at now."""
        ...


class RepositoryHost(PullRequestHost, Protocol):
    """One repository, beyond a single pull request."""

    def facts(self) -> RepositoryFacts:
        """What it is like now."""
        ...

    def open_pulls(self) -> tuple[PullRequest, ...]:
        """The pull requests that are open."""
        ...

    def ask_for_review(self, number: int, users: Iterable[str], teams: Iterable[TeamName]) -> None:
        """Ask these for a review; who cannot review here is left out."""
        ...

    def members(self, team: TeamName) -> frozenset[str]:
        """The logins of a team's members; none where the team is not there, or may not be seen."""
        ...


class Site(Protocol):
    """One repository of the code host, as long as it is open."""

    @property
    def code(self) -> HostedCode:
        """What it holds."""
        ...

    @property
    def host(self) -> RepositoryHost:
        """Its pull requests, and the rest."""
        ...


class Hub(Protocol):
    """Opens repositories."""

    def open(
        self, repository: RepositoryName, installation_id: int, link: str = ""
    ) -> AbstractContextManager[Site]:
        """One repository, with rights that reach no other; ``link`` is where its checks lead to."""
        ...
