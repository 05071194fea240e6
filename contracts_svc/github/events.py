"""Incoming webhooks as the few fields that we use.

A payload is never refused for a field that is not read here: GitHub adds and changes fields as it
likes, and its Enterprise versions differ. A field that is read and has another type is a UserMistake
that names it. https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from contracts_svc.errors import UserMistake
from contracts_svc.github.fields import Fields
from contracts_svc.github.names import RepositoryName

NOTHING = "0" * 40
"""The commit id that a push names where a branch begins or ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What every delivery tells. ``delivery`` is its id (X-GitHub-Delivery), the same when sent again."""

    name: str
    delivery: str = ""
    action: str | None = None
    repository: RepositoryName | None = None
    private: bool = True
    """Whether the repository is hidden from the public; so unless GitHub says otherwise."""
    default_branch: str | None = None
    installation_id: int | None = None
    sender: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequest:
    """A pull request as it was when the event was sent.

    ``head_repository`` is None when the fork that it came from is gone. ``base_sha`` may lie behind the
    tip of the base branch.
    """

    number: int
    head_sha: str
    base_sha: str
    base_ref: str
    head_ref: str | None = None
    head_repository: RepositoryName | None = None
    from_fork: bool = False
    author: str | None = None
    is_open: bool = True
    draft: bool = False
    merged: bool = False
    merge_commit: str | None = None
    public: bool = False
    """Whether everybody may read the repository that it asks into: so unless GitHub says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequestEvent(Event):
    """Something happened to a pull request. ``base_changed`` says that it now asks into another branch,
    ``before`` is the head that a push has replaced."""

    pull: PullRequest
    base_changed: bool = False
    before: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """A review: ``state`` is ``approved``, ``changes_requested``, ``commented`` or ``dismissed``."""

    id: int
    user: str
    state: str
    commit: str | None = None
    submitted: datetime | None = None
    body: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewEvent(Event):
    """A review was submitted, edited or dismissed."""

    pull: PullRequest
    review: Review


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRunEvent(Event):
    """A check run was made or ended, is asked for again, or one of its buttons was pressed.

    ``requested_action`` is the identifier of the button. ``pulls`` are the open pull requests of this
    repository with this head; those of forks are not among them.
    """

    check_run_id: int
    head_sha: str
    check_name: str | None = None
    external_id: str | None = None
    status: str | None = None
    conclusion: str | None = None
    app_id: int | None = None
    requested_action: str | None = None
    pulls: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSuiteEvent(Event):
    """All checks of a commit are asked for (again), or have ended."""

    check_suite_id: int
    head_sha: str
    head_ref: str | None = None
    status: str | None = None
    conclusion: str | None = None
    app_id: int | None = None
    pulls: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeGroupEvent(Event):
    """A merge queue asks for the checks of what it is about to merge."""

    head_sha: str
    head_ref: str | None
    base_sha: str
    base_ref: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PushEvent(Event):
    """Commits were pushed. ``ref`` is full (``refs/heads/main``).

    ``paths`` are those that the listed commits touch: a hint only, GitHub lists at most 2,048 commits.
    """

    ref: str
    before: str
    after: str
    forced: bool = False
    commits: int = 0
    paths: frozenset[str] = frozenset()

    @property
    def deleted(self) -> bool:
        """Whether the branch was deleted."""
        return not self.after.strip("0")

    @property
    def to_default_branch(self) -> bool:
        """Whether the default branch has moved."""
        return self.default_branch is not None and self.ref == f"refs/heads/{self.default_branch}"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallationEvent(Event):
    """The App was installed, removed or suspended, or may see other repositories than before."""

    account: str | None = None
    added: tuple[RepositoryName, ...] = ()
    removed: tuple[RepositoryName, ...] = field(default=())


_Common = Mapping[str, Any]


def read_event(name: str, body: bytes, delivery: str = "") -> Event:
    """A delivery from its event name (X-GitHub-Event) and body. Raises UserMistake.

    An event that we do not act on is a plain :class:`Event`.
    """
    fields = Fields.parse(body, f"the payload of {name!r:.60}")
    common: dict[str, Any] = {
        "name": name,
        "delivery": delivery,
        "action": fields.text("action"),
        "repository": fields.repository("repository.full_name"),
        "private": fields.truth("repository.private") is not False,
        "default_branch": fields.text("repository.default_branch"),
        "installation_id": fields.whole("installation.id"),
        "sender": fields.text("sender.login"),
    }
    reader = _READERS.get(name)
    return reader(fields, common) if reader else Event(**common)


def read_pull(fields: Fields, repository: RepositoryName | None) -> PullRequest:
    """A pull request as payloads and the API write it. Raises UserMistake."""
    head = fields.repository("head.repo.full_name")
    return PullRequest(
        number=fields.needed("number", fields.whole("number")),
        head_sha=fields.needed("head.sha", fields.commit("head.sha")),
        base_sha=fields.needed("base.sha", fields.commit("base.sha")),
        base_ref=fields.needed("base.ref", fields.branch("base.ref")),
        head_ref=fields.text("head.ref"),
        head_repository=head,
        from_fork=repository is not None and not repository.same(head),
        author=fields.text("user.login"),
        is_open=fields.text("state") != "closed",
        draft=fields.truth("draft") is True,
        merged=fields.truth("merged") is True,
        merge_commit=fields.commit("merge_commit_sha"),
        public=fields.truth("base.repo.private") is not True,
    )


def read_review(fields: Fields) -> Review:
    """A review as payloads and the API write it: the one in lower case, the other in capitals."""
    return Review(
        id=fields.needed("id", fields.whole("id")),
        user=fields.text("user.login") or "ghost",  # as GitHub itself calls who is gone
        state=fields.needed("state", fields.text("state")).lower(),
        commit=fields.commit("commit_id"),
        submitted=fields.moment("submitted_at"),
        body=fields.text("body") or "",
    )


def _pull_request(fields: Fields, common: _Common) -> Event:
    pull = read_pull(fields.part("pull_request"), common["repository"])
    return PullRequestEvent(
        **common, pull=pull, base_changed=fields.has("changes.base"), before=fields.commit("before")
    )


def _review(fields: Fields, common: _Common) -> Event:
    return ReviewEvent(
        **common,
        pull=read_pull(fields.part("pull_request"), common["repository"]),
        review=read_review(fields.part("review")),
    )


def _check_run(fields: Fields, common: _Common) -> Event:
    run = fields.part("check_run")
    return CheckRunEvent(
        **common,
        check_run_id=run.needed("id", run.whole("id")),
        head_sha=run.needed("head_sha", run.commit("head_sha")),
        check_name=run.text("name"),
        external_id=run.text("external_id"),
        status=run.text("status"),
        conclusion=run.text("conclusion"),
        app_id=run.whole("app.id"),
        requested_action=fields.text("requested_action.identifier"),
        pulls=_numbers(run),
    )


def _check_suite(fields: Fields, common: _Common) -> Event:
    suite = fields.part("check_suite")
    return CheckSuiteEvent(
        **common,
        check_suite_id=suite.needed("id", suite.whole("id")),
        head_sha=suite.needed("head_sha", suite.commit("head_sha")),
        head_ref=suite.text("head_branch"),
        status=suite.text("status"),
        conclusion=suite.text("conclusion"),
        app_id=suite.whole("app.id"),
        pulls=_numbers(suite),
    )


def _merge_group(fields: Fields, common: _Common) -> Event:
    group = fields.part("merge_group")
    return MergeGroupEvent(
        **common,
        head_sha=group.needed("head_sha", group.commit("head_sha")),
        head_ref=group.text("head_ref"),
        base_sha=group.needed("base_sha", group.commit("base_sha")),
        base_ref=group.text("base_ref"),
    )


def _push(fields: Fields, common: _Common) -> Event:
    commits = fields.parts("commits")
    touched = (c.texts(kind) for c in commits for kind in ("added", "removed", "modified"))
    return PushEvent(
        **common,
        ref=fields.needed("ref", fields.text("ref")),
        before=fields.needed("before", fields.commit("before")),
        after=fields.needed("after", fields.commit("after")),
        forced=fields.truth("forced") is True,
        commits=len(commits),
        paths=frozenset(path for paths in touched for path in paths),
    )


def _installation(fields: Fields, common: _Common) -> Event:
    fields.needed("installation.id", common["installation_id"])
    gone = common["action"] == "deleted"
    there = _repositories(fields, "repositories")
    return InstallationEvent(
        **common,
        account=fields.text("installation.account.login"),
        added=() if gone else (*there, *_repositories(fields, "repositories_added")),
        removed=(*(there if gone else ()), *_repositories(fields, "repositories_removed")),
    )


def _repositories(fields: Fields, path: str) -> tuple[RepositoryName, ...]:
    found = (each.repository("full_name") for each in fields.parts(path))
    return tuple(name for name in found if name is not None)


def _numbers(fields: Fields) -> tuple[int, ...]:
    found = (each.whole("number") for each in fields.parts("pull_requests"))
    return tuple(number for number in found if number is not None)


_READERS: Mapping[str, Callable[[Fields, _Common], Event]] = {
    "pull_request": _pull_request,
    "pull_request_target": _pull_request,
    "pull_request_review": _review,
    "check_run": _check_run,
    "check_suite": _check_suite,
    "merge_group": _merge_group,
    "push": _push,
    "installation": _installation,
    "installation_repositories": _installation,
}
"""Every event that is read further; GitHub Actions calls a pull request of a fork ``pull_request_target``."""

EVENTS = tuple(sorted(set(_READERS) - {"pull_request_target"}))
"""The events that an App of ours subscribes to, or is sent anyway."""


def require(event: Event) -> RepositoryName:
    """The event's repository. Raises UserMistake when it tells none."""
    if event.repository is None:
        raise UserMistake.of(f"the event {event.name} tells no repository.full_name")
    return event.repository
