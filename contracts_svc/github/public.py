"""What a public repository may be told: its own changes in full, of consumers elsewhere only how many.

Built from what may be shown, not by taking away what may not: names of datasets, columns, teams and
lineage come in sentences, paths and expressions, and what is not put in cannot be forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from contracts_svc.errors import CouldNotCheck
from contracts_svc.findings import Finding
from contracts_svc.github.check_run import (
    Button,
    CheckReport,
    Conclusion,
    check_of_report,
    concluded,
)
from contracts_svc.github.comment import framed, listed
from contracts_svc.github.signoff import SignOff, State
from contracts_svc.impact import Level
from contracts_svc.lineage.graph import Consumer
from contracts_svc.policy import Outcome
from contracts_svc.render import clean
from contracts_svc.render.markdown import escape, findings_markdown
from contracts_svc.render.report import Note, Report
from contracts_svc.verdict import Verdict

Visible = Callable[[Consumer], bool]
"""Whether a consumer is of this repository, or may be named in it all the same."""

_AFFECTED = (Level.BREAKS, Level.MAY_BREAK, Level.UNKNOWN)
_WORDS = {Level.BREAKS: "breaks", Level.MAY_BREAK: "may break", Level.UNKNOWN: "may be affected"}


def public_check(
    verdict: Verdict,
    visible: Visible,
    *,
    signed: SignOff | None = None,
    could_not_check: Conclusion = Conclusion.FAILURE,
    buttons: tuple[Button, ...] = (),
) -> CheckReport:
    """The check run of a verdict in a public repository."""
    headline = _headline(verdict)
    notes = tuple(_note(verdict, finding, visible) for finding in verdict.findings)
    return check_of_report(
        Report(headline=headline, notes=notes),
        signed.conclusion if signed else concluded(verdict, could_not_check=could_not_check),
        summary=public_brief(verdict, visible, signed),
        text=findings_markdown(verdict.findings, headline),
        buttons=buttons,
    )


def public_comment(verdict: Verdict, visible: Visible, signed: SignOff | None = None, link: str = "") -> str:
    """The comment in a public repository."""
    return framed(public_brief(verdict, visible, signed), link)


def public_cause(error: CouldNotCheck) -> CouldNotCheck:
    """That something could not be checked, without what or why: both name what lies elsewhere."""
    hint = "whoever runs the service sees why"
    return CouldNotCheck("this pull request", "a source was not reached", hint, retryable=error.retryable)


def public_brief(verdict: Verdict, visible: Visible, signed: SignOff | None = None) -> str:
    """Headline, the consumers that may be named, how many others there are, and who must agree."""
    shown: dict[str, None] = {}
    others: set[Consumer] = set()
    for impact in verdict.impacts:
        if impact.level not in _AFFECTED or verdict.ruling_of(impact.finding).waived:
            continue
        if visible(impact.consumer):
            what = impact.finding.change.path if impact.finding.change else impact.finding.rule
            shown[f"{escape(impact.consumer.name)} {_WORDS[impact.level]}: {escape(what)}"] = None
        else:
            others.add(impact.consumer)
    lines = [*shown, *([f"{_count(len(others), 'consumer')} elsewhere"] if others else [])]
    parts = [f"**{escape(_headline(verdict))}**", *listed("", lines)]
    parts += _agreement(verdict, visible, signed)
    if verdict.could_not_check:
        parts.append(f"{_count(len(verdict.could_not_check), 'thing')} could not be checked.")
    return "\n\n".join(parts)


def _agreement(verdict: Verdict, visible: Visible, signed: SignOff | None) -> list[str]:
    known = {n for i in verdict.impacts if visible(i.consumer) for n in (i.consumer.team, i.consumer.owner)}
    if signed is None:
        return listed("Must agree", _named(verdict.must_agree, known))
    parts: list[str] = []
    for title, states in (
        ("Overridden by an administrator", (State.OVERRIDDEN,)),
        ("Must agree", (State.OPEN,)),
        ("Asks for a change", (State.OBJECTED,)),
        ("Agreed", (State.AGREED,)),
    ):
        names = dict.fromkeys(s.approver for s in signed.standings if s.state in states)
        parts += listed(title, _named(names, known))
    return parts


def _named(names: Iterable[str], known: set[str]) -> list[str]:
    every = list(names)
    told = [escape(n) for n in every if n and n in known]
    rest = len(every) - len(told)
    return told + ([f"{_count(rest, 'owner')} elsewhere"] if rest else [])


def _headline(verdict: Verdict) -> str:
    breaking = [i for i in verdict.impacts if i.level is Level.BREAKS and not _waived(verdict, i.finding)]
    changes = len({i.finding.fingerprint for i in breaking})
    if verdict.outcome is Outcome.COULD_NOT_CHECK:
        return f"{verdict.outcome}: there is no verdict"
    if not breaking:
        return f"{verdict.outcome}: {_count(len(verdict.findings), 'change')}"
    consumers = _count(len({i.consumer for i in breaking}), "consumer")
    return (
        f"{verdict.outcome}: {_count(changes, 'change')} {'breaks' if changes == 1 else 'break'} {consumers}"
    )


def _note(verdict: Verdict, finding: Finding, visible: Visible) -> Note:
    ruling = verdict.ruling_of(finding)
    hit = [i for i in verdict.impacts_of(finding) if i.level in _AFFECTED]
    lines = [f"{_WORDS[i.level]}: {i.consumer.name}" for i in hit if visible(i.consumer)]
    others = len({i.consumer for i in hit if not visible(i.consumer)})
    lines += [f"and {_count(others, 'consumer')} elsewhere"] if others else []
    lines += [f"fix: {finding.fix}"] if finding.fix else []
    return Note(
        rule=clean(finding.rule),
        subject=clean(finding.change.path if finding.change else finding.rule),
        outcome=ruling.outcome,
        message=clean(finding.message),
        at=finding.at if finding.at.line else None,
        lines=tuple(map(clean, lines)),
        fingerprint=finding.fingerprint,
    )


def _waived(verdict: Verdict, finding: Finding) -> bool:
    return verdict.ruling_of(finding).waived


def _count(number: int, noun: str) -> str:
    return f"1 {noun}" if number == 1 else f"{number} {noun}s"
