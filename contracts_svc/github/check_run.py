"""A verdict as a check run: conclusion, texts and annotations, within GitHub's limits.

https://docs.github.com/en/rest/checks/runs
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from contracts_svc.errors import CouldNotCheck, UserMistake
from contracts_svc.policy import Outcome
from contracts_svc.render import clean
from contracts_svc.render.markdown import escape, verdict_markdown
from contracts_svc.render.places import relative
from contracts_svc.render.report import Note, Report, report_of, report_of_error
from contracts_svc.verdict import Verdict

CHECK_NAME = "contracts"
ANNOTATIONS_PER_REQUEST = 50
MOST_ANNOTATIONS = 5_000
"""Annotations of one run; what goes beyond is counted in its summary."""
LONGEST_TEXT = 65_535
_KEY = "pull-request-"
_LONGEST_TITLE = 255
_LONGEST_MESSAGE = 4_000
"""Characters of one annotation. GitHub takes 64 KB of bytes."""


def key_of(number: int) -> str:
    """The external id of the check runs of a pull request, by which they are found again."""
    return f"{_KEY}{number}"


def number_of(key: str | None) -> int | None:
    """The pull request that a check run with this external id is of; None: it is no key of ours."""
    digits = (key or "").removeprefix(_KEY) if (key or "").startswith(_KEY) else ""
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 19 else None


class Conclusion(StrEnum):
    """How a check run ends, of those words that we use."""

    SUCCESS = "success"
    NEUTRAL = "neutral"
    FAILURE = "failure"
    ACTION_REQUIRED = "action_required"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"


class Level(StrEnum):
    """How an annotation is shown."""

    NOTICE = "notice"
    WARNING = "warning"
    FAILURE = "failure"


_LEVELS = {Outcome.BLOCK: Level.FAILURE, Outcome.WARN: Level.WARNING}


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """A note on one line of a file of the repository. Line and column count from 1."""

    path: str
    line: int
    column: int
    level: Level
    title: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """What a person may press on a check run. At most 20, 40 and 20 characters."""

    label: str
    description: str
    identifier: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """What a completed check run says. ``summary`` and ``text`` are Markdown."""

    conclusion: Conclusion
    title: str
    summary: str
    text: str = ""
    annotations: tuple[Annotation, ...] = ()
    buttons: tuple[Button, ...] = ()

    def batches(self, already: int = 0) -> Iterator[tuple[Annotation, ...]]:
        """The annotations after the first ``already`` ones, as many at once as GitHub takes."""
        return batched_annotations(self.annotations[already:])


def batched_annotations(annotations: Sequence[Annotation]) -> Iterator[tuple[Annotation, ...]]:
    """At most 50 at once, none lost."""
    for start in range(0, len(annotations), ANNOTATIONS_PER_REQUEST):
        yield tuple(annotations[start : start + ANNOTATIONS_PER_REQUEST])


def concluded(verdict: Verdict, *, could_not_check: Conclusion = Conclusion.FAILURE) -> Conclusion:
    """What a verdict means for a merge. Somebody has to act where their agreement lifts the block."""
    if verdict.outcome is Outcome.COULD_NOT_CHECK:
        return could_not_check
    if verdict.outcome is Outcome.BLOCK:
        return Conclusion.ACTION_REQUIRED if verdict.must_agree else Conclusion.FAILURE
    return Conclusion.NEUTRAL if verdict.outcome is Outcome.WARN else Conclusion.SUCCESS


def check_of_verdict(
    verdict: Verdict,
    *,
    summary: str = "",
    link: str = "",
    conclusion: Conclusion | None = None,
    could_not_check: Conclusion = Conclusion.FAILURE,
    buttons: tuple[Button, ...] = (),
) -> CheckReport:
    """A verdict as a check run.

    ``summary`` is Markdown; without it, the headline. ``link`` leads to the whole report for where
    this one must be cut. ``conclusion`` is that of the sign-off, else what :func:`concluded` says.
    """
    report = report_of(verdict)
    return check_of_report(
        report,
        conclusion or concluded(verdict, could_not_check=could_not_check),
        summary=summary or escape(report.headline),
        text=verdict_markdown(verdict, link),
        buttons=buttons,
    )


def check_of_error(
    error: UserMistake | CouldNotCheck, *, could_not_check: Conclusion = Conclusion.FAILURE
) -> CheckReport:
    """A run that came to no verdict: each mistake at its place, or why it could not be checked."""
    report = report_of_error(error)
    failed = Conclusion.FAILURE if isinstance(error, UserMistake) else could_not_check
    lines = [f"- {escape(f'{n.at}: ' if n.at else '')}{escape(n.text)}" for n in report.notes]
    if isinstance(error, CouldNotCheck) and error.hint:
        lines.append(escape(error.hint))
    return check_of_report(report, failed, summary=escape(report.headline), text=_fitting(lines), buttons=())


ACCEPT = Button(label="Accept break", description="Agree for the team that you are of", identifier="accept")
"""Shown where somebody must agree; pressing it tells who did."""


def superseded(head: str) -> CheckReport:
    """The end of a run on commits that are no longer the newest."""
    said = f"superseded by {head[:12]}"
    return CheckReport(conclusion=Conclusion.CANCELLED, title=said, summary=f"This run was {said}.")


def check_of_report(
    report: Report, conclusion: Conclusion, *, summary: str, text: str, buttons: tuple[Button, ...] = ()
) -> CheckReport:
    """Any notes as a check run, cut to what GitHub takes."""
    annotations = tuple(_annotations(report.notes))
    if len(annotations) > MOST_ANNOTATIONS:
        left = len(annotations) - MOST_ANNOTATIONS
        summary += f"\n\nOf {len(annotations):,} annotations the first {MOST_ANNOTATIONS:,} are shown: "
        summary += f"{left:,} more are in the report."
    return CheckReport(
        conclusion=conclusion,
        title=_cut(report.headline, _LONGEST_TITLE),
        summary=summary[:LONGEST_TEXT],
        text=text[:LONGEST_TEXT],
        annotations=annotations[:MOST_ANNOTATIONS],
        buttons=buttons[:3],
    )


def _annotations(notes: Iterable[Note]) -> Iterator[Annotation]:
    """The notes that have a place in the repository, the worst first."""
    for note in sorted(notes, key=lambda n: -n.outcome.rank):
        path = relative(note.at.file) if note.at else ""
        if note.at is None or not _within(path):
            continue
        title = f"{note.rule}: {note.subject}" + (" (waived)" if note.waivers else "")
        yield Annotation(
            path=path,
            line=max(note.at.line, 1),
            column=max(note.at.column, 1),
            level=_LEVELS.get(note.outcome, Level.NOTICE),
            title=_cut(clean(title), _LONGEST_TITLE),
            message=_cut(note.text, _LONGEST_MESSAGE),
        )


def _within(path: str) -> bool:
    """Whether it is a path in the repository."""
    return not path.startswith("/") and not {"", ".", ".."} & set(path.split("/"))


def _fitting(lines: Sequence[str]) -> str:
    """The first lines that fit; the others are counted."""
    left = LONGEST_TEXT - 100
    shown: list[str] = []
    for line in lines:
        left -= len(line.encode()) + 1
        if left < 0:
            return "\n".join([*shown, f"- and {len(lines) - len(shown)} more"])
        shown.append(line)
    return "\n".join(shown)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
