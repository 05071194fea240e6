"""Check runs, the one comment and the reviews of a repository's pull requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from contracts_svc.adapters.github.client import GitHubClient, Uncertain
from contracts_svc.errors import CouldNotCheck, UserMistake
from contracts_svc.github.check_run import (
    ANNOTATIONS_PER_REQUEST,
    CHECK_NAME,
    Annotation,
    CheckReport,
)
from contracts_svc.github.comment import MARKER, untouched_body
from contracts_svc.github.events import PullRequest, Review, read_pull, read_review
from contracts_svc.github.fields import Fields
from contracts_svc.github.names import RepositoryName, commit_id
from contracts_svc.ports_github import StartedCheck

WORKFLOW = "github-actions[bot]"
"""Who a workflow's own token speaks as."""
_TRIES = 5
_Value = TypeVar("_Value")


class GitHubPulls:
    """Implements :class:`contracts_svc.ports_github.PullRequestHost`.

    ``login`` is whom our comments are by: only theirs are ours, whatever others write. ``link`` is
    where a check run leads to.
    """

    def __init__(
        self, client: GitHubClient, repository: RepositoryName, *, login: str = WORKFLOW, link: str = ""
    ) -> None:
        self._client = client
        self._repository = repository
        self._at = f"/repos/{repository.owner}/{repository.name}"
        self._login = login
        self._link = link

    def pull(self, number: int) -> PullRequest:
        """The pull request as it is now."""
        return self._read(self._client.get_kept(f"{self._at}/pulls/{number}"), self._pull)

    def reviews(self, number: int) -> tuple[Review, ...]:
        """Its reviews, oldest first."""
        found = self._client.pages(f"{self._at}/pulls/{number}/reviews")
        return tuple(self._read(each, read_review) for each in found)

    def start_check(self, head: str, key: str) -> StartedCheck:
        """A check run in progress: the one with this key that is, or a new one."""
        commit_id(head)
        body = {
            "name": CHECK_NAME,
            "head_sha": head,
            "status": "in_progress",
            "external_id": key,
            "output": {"title": "Under way", "summary": "The contracts of this commit are being judged."},
            **self._details(),
        }
        for attempt in range(_TRIES):
            running = next(self._running(head, key), None)
            if running is not None:
                return running
            try:
                return self._read(self._client.post(f"{self._at}/check-runs", body), _started)
            except Uncertain:
                if attempt == _TRIES - 1:
                    raise
                self._client.wait(attempt)
        raise AssertionError("the last try returns or raises")

    def complete_check(self, check: StartedCheck, report: CheckReport) -> None:
        """End the run. Annotations are added up by GitHub, so each batch is sent exactly once."""
        sent = min(check.annotated, len(report.annotations))
        while True:
            batch = report.annotations[sent : sent + ANNOTATIONS_PER_REQUEST]
            sent += len(batch)
            last = sent == len(report.annotations)
            self._update(check, _body(report, batch, last=last) | self._details(), annotated=sent)
            if last:
                return

    def cancel_checks(self, commit: str, key: str, report: CheckReport) -> None:
        """End the runs with this key that are still in progress."""
        for running in list(self._running(commit_id(commit), key)):
            self.complete_check(running, report)

    def comment(self, number: int, body: str | None) -> None:
        """Make the one comment say this. Of several that a race has left, the first one stays."""
        for attempt in range(_TRIES):
            ours = self._ours(number)
            if ours or body is None:
                self._settle(ours, body or untouched_body())
                return
            try:
                self._client.post(f"{self._at}/issues/{number}/comments", {"body": body})
            except Uncertain:
                if attempt == _TRIES - 1:
                    raise
                self._client.wait(attempt)
                continue
            # Another worker may have written one between our look and our post.
            self._settle(self._ours(number), body)
            return

    def _settle(self, ours: list[Fields], body: str) -> None:
        for number, comment in enumerate(ours):
            at = f"{self._at}/issues/comments/{comment.needed('id', comment.whole('id'))}"
            if number > 0:
                self._client.delete(at)
            elif comment.long_text("body") != body:
                self._client.patch(at, {"body": body}, again=True)

    def _ours(self, number: int) -> list[Fields]:
        found = map(Fields, self._client.pages(f"{self._at}/issues/{number}/comments"))
        return sorted((c for c in found if self._is_ours(c)), key=lambda c: c.needed("id", c.whole("id")))

    def _is_ours(self, comment: Fields) -> bool:
        login = comment.text("user.login") or ""
        body = comment.text("body") or ""
        return login.casefold() == self._login.casefold() and body.startswith(MARKER)

    def _running(self, head: str, key: str) -> Iterator[StartedCheck]:
        found = self._client.pages(
            f"{self._at}/commits/{head}/check-runs",
            {"check_name": CHECK_NAME, "filter": "all"},
            within="check_runs",
        )
        for each in found:
            fields = Fields(each)
            if fields.text("external_id") == key and fields.text("status") != "completed":
                yield self._read(each, _started)

    def _update(self, check: StartedCheck, body: dict[str, Any], *, annotated: int) -> None:
        """Change a run, once: after an uncertain answer, look whether it was changed."""
        at = f"{self._at}/check-runs/{check.id}"
        for attempt in range(_TRIES):
            try:
                self._client.patch(at, body, again=False)
                return
            except Uncertain:
                if attempt == _TRIES - 1:
                    raise
                self._client.wait(attempt)
                now = Fields(self._client.get(at))
                done = (now.whole("output.annotations_count") or 0) >= annotated
                if done and (now.text("status") == "completed" or body["status"] != "completed"):
                    return

    def _details(self) -> dict[str, str]:
        return {"details_url": self._link} if self._link else {}

    def _pull(self, fields: Fields) -> PullRequest:
        return read_pull(fields, self._repository)

    def _read(self, found: Any, reader: Callable[[Fields], _Value]) -> _Value:
        """What GitHub answers and we cannot read is no mistake of the user's."""
        try:
            return reader(Fields(found if isinstance(found, dict) else {}))
        except UserMistake as error:
            raise CouldNotCheck(
                f"{self._repository} on GitHub", f"the answer cannot be read: {error}", retryable=False
            ) from None


def _started(fields: Fields) -> StartedCheck:
    return StartedCheck(
        id=fields.needed("id", fields.whole("id")),
        head=fields.needed("head_sha", fields.commit("head_sha")),
        annotated=fields.whole("output.annotations_count") or 0,
    )


def _body(report: CheckReport, batch: tuple[Annotation, ...], *, last: bool) -> dict[str, Any]:
    output: dict[str, Any] = {"title": report.title, "summary": report.summary}
    if batch:
        output["annotations"] = [_annotation(a) for a in batch]
    if not last:
        return {"status": "in_progress", "output": output}
    if report.text:
        output["text"] = report.text
    actions = [
        {"label": b.label, "description": b.description, "identifier": b.identifier} for b in report.buttons
    ]
    done = {"status": "completed", "conclusion": report.conclusion.value, "output": output}
    return done | ({"actions": actions} if actions else {})


def _annotation(note: Annotation) -> dict[str, Any]:
    return {
        "path": note.path,
        "start_line": note.line,
        "end_line": note.line,
        "start_column": note.column,
        "end_column": note.column,
        "annotation_level": note.level.value,
        "message": note.message,
        "title": note.title,
    }


def login_of(client: GitHubClient) -> str:
    """Whom comments made with this token are by: a person, or the workflow for its own token."""
    try:
        return Fields(client.get("/user")).text("login") or WORKFLOW
    except CouldNotCheck as error:
        if error.retryable:
            raise
        return WORKFLOW  # a workflow's token has no user behind it
