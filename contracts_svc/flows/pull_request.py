"""The check of a pull request, from its start to the conclusion, the comment and the sign-off."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from contracts_svc.errors import CouldNotCheck, UserMistake
from contracts_svc.github.check_run import (
    ACCEPT,
    CheckReport,
    Conclusion,
    check_of_error,
    check_of_verdict,
    key_of,
    superseded,
)
from contracts_svc.github.comment import brief, comment_body, mistake_body
from contracts_svc.github.events import PullRequest, Review
from contracts_svc.github.public import Visible, public_cause, public_check, public_comment
from contracts_svc.github.signoff import Opinion, Override, People, SignOff, Stance, asked, sign_off
from contracts_svc.ports_github import PullRequestHost
from contracts_svc.verdict import Verdict


class End(StrEnum):
    """How the check of a pull request came to its end."""

    COMPLETED = "completed"
    SUPERSEDED = "superseded"
    """A newer push came in the meantime; its own check counts."""
    CLOSED = "closed"
    """The pull request is not open, so there is nothing to check."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A verdict, and whether the pull request touches what contracts are about at all."""

    verdict: Verdict
    touched: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How checks are told: where the whole report is, what "could not check" concludes, and whether
    there are buttons (only an App hears of their being pressed)."""

    link: str = ""
    could_not_check: Conclusion = Conclusion.FAILURE
    buttons: bool = False
    comments: bool = True
    visible: Visible | None = None
    """In a public repository: which consumers may be named. None: all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What has been said of a pull request beside its reviews.

    ``seen`` maps a commit to the fingerprints that asked for agreement there, as :class:`Checked` told
    them; an approval of a commit that is not in it agrees to nothing.
    """

    people: People = field(default_factory=People)
    presses: Sequence[Opinion] = ()
    overrides: Sequence[Override] = ()
    seen: Mapping[str, frozenset[str]] = field(default_factory=dict)


HeardOf: TypeAlias = Heard | Callable[[Verdict], Heard]
"""What has been said, or how to find it out once it is known who must agree."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What the check came to. ``asked`` are the fingerprints that asked for agreement at ``head``.
    ``verdict`` is None where there is none, for a mistake or because it could not be checked."""

    end: End
    head: str
    conclusion: Conclusion | None = None
    asked: frozenset[str] = frozenset()
    signed: SignOff | None = None
    verdict: Verdict | None = None
    report: CheckReport | None = None


def check_pull_request(
    host: PullRequestHost,
    number: int,
    judge: Callable[[PullRequest], Told],
    *,
    heard: HeardOf | None = None,
    manner: Manner | None = None,
    before: str | None = None,
    at: str | None = None,
    last_try: bool = True,
    keep: Callable[[Checked], None] = lambda checked: None,
) -> Checked:
    """Check a pull request as it is now; ``before`` is the head that a push has replaced.

    With ``at``, only if that is still its head. ``heard`` may be found out by the verdict. Without it,
    nobody signs off on GitHub: the waivers file alone lifts a block. ``keep`` is given what it came to
    before GitHub is, which may merge at once.

    May be done again at any point, or twice at once, and ends in the same state. What could not be
    checked for a passing reason is raised, the run left under way, unless this is the ``last_try``.
    """
    manner = manner or Manner()
    pull = host.pull(number)
    if not pull.is_open:
        return Checked(end=End.CLOSED, head=pull.head_sha)
    if at and at != pull.head_sha:
        return Checked(end=End.SUPERSEDED, head=at)
    key = key_of(number)
    if before and before != pull.head_sha:
        host.cancel_checks(before, key, superseded(pull.head_sha))
    check = host.start_check(pull.head_sha, key)
    found = _outcome(host, pull, judge, heard, manner, last_try=last_try)
    now = host.pull(number)
    if now.head_sha != pull.head_sha:
        host.complete_check(check, superseded(now.head_sha))
        return Checked(end=End.SUPERSEDED, head=pull.head_sha, conclusion=Conclusion.CANCELLED)
    checked = Checked(
        end=End.COMPLETED,
        head=pull.head_sha,
        conclusion=found.report.conclusion,
        asked=found.asked,
        signed=found.signed,
        verdict=found.verdict,
        report=found.report,
    )
    keep(checked)
    host.complete_check(check, found.report)
    if manner.comments and found.speaks:
        host.comment(number, found.body)
    return checked


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """What is to be told. Where ``speaks`` is false, the comment stays: it says the last that is known."""

    report: CheckReport
    body: str | None = None
    speaks: bool = True
    asked: frozenset[str] = frozenset()
    signed: SignOff | None = None
    verdict: Verdict | None = None


def _outcome(
    host: PullRequestHost,
    pull: PullRequest,
    judge: Callable[[PullRequest], Told],
    heard: HeardOf | None,
    manner: Manner,
    *,
    last_try: bool,
) -> _Outcome:
    try:
        told = judge(pull)
        wanted = asked(told.verdict)
        signed = _signed(host, pull, told.verdict, heard, manner) if wanted and heard else None
    except UserMistake as error:
        report = check_of_error(error)
        said = [n.message for n in report.annotations] or [report.title]
        return _Outcome(report=report, body=mistake_body(said, manner.link))
    except CouldNotCheck as error:
        if error.retryable and not last_try:
            raise
        return _Outcome(report=_no_verdict(error, manner), speaks=False)
    return _Outcome(
        report=_report(told, signed, manner),
        body=_comment(told, signed, manner) if told.touched else None,
        asked=wanted,
        signed=signed,
        verdict=told.verdict,
    )


def check_group(
    host: PullRequestHost,
    head: str,
    judge: Callable[[], Told],
    *,
    manner: Manner | None = None,
    last_try: bool = True,
) -> Checked:
    """Check what a merge queue is about to merge. There is nobody left to ask: a block fails it."""
    manner = manner or Manner()
    check = host.start_check(head, f"merge-group-{head}")
    try:
        report = _report(judge(), None, manner)
    except UserMistake as error:
        report = check_of_error(error)
    except CouldNotCheck as error:
        if error.retryable and not last_try:
            raise
        report = _no_verdict(error, manner)
    if report.conclusion is Conclusion.ACTION_REQUIRED:
        report = replace(report, conclusion=Conclusion.FAILURE)
    host.complete_check(check, report)
    return Checked(end=End.COMPLETED, head=head, conclusion=report.conclusion)


def _signed(
    host: PullRequestHost, pull: PullRequest, verdict: Verdict, heard_of: HeardOf, manner: Manner
) -> SignOff:
    heard = heard_of(verdict) if callable(heard_of) else heard_of
    seen = {**heard.seen, pull.head_sha: asked(verdict)}
    reviews = host.reviews(pull.number)
    opinions = [o for r in reviews if (o := _opinion(r, seen))]
    overrides = [found for r in _last_words(reviews) if (found := _override(r, seen))]
    return sign_off(
        verdict,
        [*opinions, *heard.presses],
        heard.people,
        author=pull.author,
        overrides=[*heard.overrides, *overrides],
        could_not_check=manner.could_not_check,
    )


def _opinion(review: Review, seen: Mapping[str, frozenset[str]]) -> Opinion | None:
    if review.state not in {stance.value for stance in Stance}:
        return None  # pending, or a word that GitHub has made since
    return Opinion(
        user=review.user,
        stance=Stance(review.state),
        number=order_of(review.submitted, review.id),
        seen=seen.get(review.commit or "", frozenset()),
    )


def _last_words(reviews: Sequence[Review]) -> Iterable[Review]:
    """Of each person, the last review that says yes or no."""
    said = [r for r in reviews if r.state in (Stance.APPROVED, Stance.CHANGES_REQUESTED, Stance.DISMISSED)]
    return {r.user.casefold(): r for r in sorted(said, key=lambda r: order_of(r.submitted, r.id))}.values()


_OVERRIDE = "/override "
"""How the review begins by which an administrator lets a break through; the reason follows."""


def _override(review: Review, seen: Mapping[str, frozenset[str]]) -> Override | None:
    """What an approving review lets through, if its author turns out to be an administrator."""
    text = review.body.lstrip()
    if review.state != Stance.APPROVED.value or not text.lower().startswith(_OVERRIDE):
        return None
    reason = " ".join(text[len(_OVERRIDE) :].split())[:1_000]
    return Override(user=review.user, reason=reason, seen=seen.get(review.commit or "", frozenset()))


def order_of(at: datetime | None, id: int = 0) -> int:
    """The place of an opinion among those of a person: by the second, then by GitHub's number."""
    return (int(at.timestamp()) if at else 0) * _IDS + id % _IDS


_IDS = 10**15
"""More than GitHub has given numbers to reviews."""


def _no_verdict(error: CouldNotCheck, manner: Manner) -> CheckReport:
    said = public_cause(error) if manner.visible else error
    return check_of_error(said, could_not_check=manner.could_not_check)


def _comment(told: Told, signed: SignOff | None, manner: Manner) -> str:
    if manner.visible:
        return public_comment(told.verdict, manner.visible, signed, manner.link)
    return comment_body(told.verdict, signed, manner.link)


def _report(told: Told, signed: SignOff | None, manner: Manner) -> CheckReport:
    buttons = (ACCEPT,) if manner.buttons and signed and signed.waiting else ()
    if manner.visible:
        return public_check(
            told.verdict,
            manner.visible,
            signed=signed,
            could_not_check=manner.could_not_check,
            buttons=buttons,
        )
    return check_of_verdict(
        told.verdict,
        summary=brief(told.verdict, signed),
        link=manner.link,
        conclusion=signed.conclusion if signed else None,
        could_not_check=manner.could_not_check,
        buttons=buttons,
    )
