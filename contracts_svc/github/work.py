"""What a webhook asks us to do. Most ask nothing: they are about what we do not look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from contracts_svc.github.check_run import ACCEPT, CHECK_NAME, number_of
from contracts_svc.github.events import (
    CheckRunEvent,
    CheckSuiteEvent,
    Event,
    InstallationEvent,
    MergeGroupEvent,
    PullRequestEvent,
    PushEvent,
    ReviewEvent,
)
from contracts_svc.github.names import RepositoryName


class Task(StrEnum):
    """A kind of work."""

    CHECK = "check"
    """Check a pull request as it is when the work is done."""
    CHECK_GROUP = "check_group"
    """Check what a merge queue is about to merge: from ``before`` to ``head``."""
    PRESS = "press"
    """Somebody (``user``) has pressed our button on the check of a pull request at ``head``."""
    REGISTER = "register"
    """The default branch has moved from ``before`` to ``head``: new versions, contracts that are gone."""
    RECONCILE = "reconcile"
    """See to what was missed: webhooks that never came."""
    INSTALLED = "installed"
    """The repository may be read from now on."""
    REMOVED = "removed"
    """The repository may not be read any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One thing to do. Doing it twice, late, or in another order ends in the same state."""

    task: Task
    repository: RepositoryName
    installation_id: int | None = None
    number: int | None = None
    head: str | None = None
    before: str | None = None
    user: str | None = None

    @property
    def key(self) -> str:
        """Work with the same key is the same: what waits already need not be asked for again.

        For a pull request it is its number, whatever has happened to it: it is checked as it is by then.
        So is a default branch, which is registered as it is by then. A press counts by itself.
        """
        parts = [self.task, str(self.repository).casefold()]
        if self.task is Task.PRESS:
            parts += [str(self.number), self.head or "", self.user or ""]
        elif self.number is not None:
            parts.append(str(self.number))
        elif self.task is Task.CHECK_GROUP:
            parts.append(self.head or "")
        return ":".join(parts)


_CHECKED = frozenset({"opened", "synchronize", "reopened", "ready_for_review"})
_REVIEWED = frozenset({"submitted", "edited", "dismissed"})
_GONE = frozenset({"deleted", "suspend"})


def work_of(event: Event, app_id: int | None = None) -> tuple[Work, ...]:
    """What the event asks for. ``app_id`` is our App's: the checks of others are not ours to repeat."""
    found = _WORK.get(type(event))
    return tuple(found(event, app_id)) if found else ()


def _pull(event: PullRequestEvent, app_id: int | None) -> Iterator[Work]:
    edited = event.action == "edited" and event.base_changed
    if event.repository and (event.action in _CHECKED or edited):
        yield _work(event, event.repository, Task.CHECK, number=event.pull.number, before=event.before)


def _review(event: ReviewEvent, app_id: int | None) -> Iterator[Work]:
    if event.repository and event.action in _REVIEWED and event.pull.is_open:
        yield _work(event, event.repository, Task.CHECK, number=event.pull.number)


def _check_run(event: CheckRunEvent, app_id: int | None) -> Iterator[Work]:
    if event.check_name != CHECK_NAME or not _ours(event.app_id, app_id) or not event.repository:
        return
    # GitHub does not name the pull requests of forks: our own key does.
    own = number_of(event.external_id)
    numbers = (own,) if own is not None else event.pulls
    if event.action == "rerequested":
        for number in numbers:
            yield _work(event, event.repository, Task.CHECK, number=number)
    elif event.action == "requested_action" and event.requested_action == ACCEPT.identifier:
        for number in numbers:
            yield _work(
                event, event.repository, Task.PRESS, number=number, head=event.head_sha, user=event.sender
            )


def _check_suite(event: CheckSuiteEvent, app_id: int | None) -> Iterator[Work]:
    if event.repository and event.action == "rerequested" and _ours(event.app_id, app_id):
        for number in event.pulls:
            yield _work(event, event.repository, Task.CHECK, number=number)


def _merge_group(event: MergeGroupEvent, app_id: int | None) -> Iterator[Work]:
    if event.repository and event.action == "checks_requested":
        yield _work(event, event.repository, Task.CHECK_GROUP, head=event.head_sha, before=event.base_sha)


def _push(event: PushEvent, app_id: int | None) -> Iterator[Work]:
    if event.repository and event.to_default_branch and not event.deleted:
        yield _work(event, event.repository, Task.REGISTER, head=event.after, before=event.before)


def _installation(event: InstallationEvent, app_id: int | None) -> Iterator[Work]:
    added, removed = event.added, event.removed
    if event.action in _GONE:
        added, removed = (), (*added, *removed)
    for repository in added:
        yield _work(event, repository, Task.INSTALLED)
    for repository in removed:
        yield _work(event, repository, Task.REMOVED)


def _work(
    event: Event,
    repository: RepositoryName,
    task: Task,
    *,
    number: int | None = None,
    head: str | None = None,
    before: str | None = None,
    user: str | None = None,
) -> Work:
    return Work(
        task=task,
        repository=repository,
        installation_id=event.installation_id,
        number=number,
        head=head,
        before=before,
        user=user,
    )


def _ours(theirs: int | None, app_id: int | None) -> bool:
    return app_id is None or theirs == app_id


_Asks = Callable[..., Iterator[Work]]
_WORK: Mapping[type[Event], _Asks] = {
    PullRequestEvent: _pull,
    ReviewEvent: _review,
    CheckRunEvent: _check_run,
    CheckSuiteEvent: _check_suite,
    MergeGroupEvent: _merge_group,
    PushEvent: _push,
    InstallationEvent: _installation,
}
