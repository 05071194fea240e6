"""What the check of a pull request needs from the code host, as Protocols."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from contracts_svc.github.check_run import CheckReport
from contracts_svc.github.events import PullRequest, Review


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedCheck:
    """A check run that is under way. ``annotated`` is how many annotations it has already: one that was
    taken up again after a crash goes on from there."""

    id: int
    head: str
    annotated: int = 0


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
