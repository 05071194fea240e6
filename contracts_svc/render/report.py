"""What the line-by-line formats show: one Note per finding, at its place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from contracts_svc.errors import CouldNotCheck, Location, UserMistake
from contracts_svc.findings import Finding, Severity, Suggestion
from contracts_svc.impact import Impact, Level
from contracts_svc.policy import Outcome
from contracts_svc.render import clean
from contracts_svc.render.suggestion import suggestion_lines
from contracts_svc.verdict import Verdict, Waiver

_READERS = 10
"""Consumers named in one note; the others are counted."""
_OF = {Severity.ERROR: Outcome.BLOCK, Severity.WARNING: Outcome.WARN, Severity.INFO: Outcome.PASS}
MISTAKE = "mistake"
"""The rule of a note about a text that could not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One thing to show at one place. All texts are clean: one line each, nothing that steers.

    ``outcome`` is what it leads to; ``lines`` say more. ``waivers`` are those that lift it.
    """

    rule: str
    subject: str
    outcome: Outcome
    message: str
    at: Location | None
    lines: tuple[str, ...] = ()
    contract: str = ""
    fingerprint: str = ""
    waivers: tuple[Waiver, ...] = ()
    suggestion: Suggestion | None = None

    @property
    def text(self) -> str:
        """The message and all lines, one below the other, and what to write instead."""
        instead = suggestion_lines(self.suggestion) if self.suggestion else ()
        return "\n".join((self.message, *self.lines, *instead))


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The notes of one run, what could not be checked, and one line that says it all."""

    headline: str
    notes: tuple[Note, ...] = ()
    could_not_check: tuple[str, ...] = ()


def report_of(verdict: Verdict) -> Report:
    """A Verdict by its findings, in its order."""
    return Report(
        headline=clean(verdict.headline),
        notes=tuple(_judged(verdict, f) for f in verdict.findings),
        could_not_check=tuple(clean(c) for c in verdict.could_not_check),
    )


def report_of_findings(findings: Iterable[Finding], headline: str) -> Report:
    """Findings without a verdict, by their severity."""
    notes = tuple(_note(f, _OF[f.severity], _fix(f)) for f in findings)
    return Report(headline=clean(headline), notes=notes)


def report_of_error(error: UserMistake | CouldNotCheck) -> Report:
    """A run that came to no verdict: each mistake blocks, what could not be checked is told so."""
    if isinstance(error, CouldNotCheck):
        said = clean(f"{error.what}: {error.cause}")
        return Report(headline=f"COULD_NOT_CHECK: {said}", could_not_check=(said,))
    notes = tuple(
        Note(
            rule=MISTAKE,
            subject=clean(p.at.file if p.at else MISTAKE),
            outcome=Outcome.BLOCK,
            message=clean(p.message),
            at=p.at,
            lines=(f"fix: {clean(p.hint)}",) if p.hint else (),
        )
        for p in error.problems
    )
    mistakes = "1 mistake" if len(notes) == 1 else f"{len(notes)} mistakes"
    return Report(headline=f"{mistakes} in what was given", notes=notes)


def _judged(verdict: Verdict, finding: Finding) -> Note:
    ruling = verdict.ruling_of(finding)
    impacts = [i for i in verdict.impacts_of(finding) if i.level is not Level.UNAFFECTED]
    lines = [_affected(i) for i in impacts[:_READERS]]
    if len(impacts) > _READERS:
        lines.append(f"and {len(impacts) - _READERS} more consumers")
    if verdict.is_unread(finding):
        lines.append("nobody reads it, as far as the lineage knows")
    lines += [ruling.early] if ruling.early else []
    lines += [f"waived by {w.approver} until {w.expires:%Y-%m-%d}: {w.reason}" for w in ruling.agreed]
    lines += [f"must agree: {', '.join(ruling.missing)}"] if ruling.missing else []
    waivers = ruling.agreed if ruling.waived else ()
    return _note(finding, ruling.outcome, [*lines, *_fix(finding)], waivers)


def _note(finding: Finding, outcome: Outcome, lines: Iterable[str], waivers: tuple[Waiver, ...] = ()) -> Note:
    policy = [f"severity: {finding.graded}"] if finding.default_severity else []
    return Note(
        rule=clean(finding.rule),
        subject=clean(finding.change.path if finding.change else finding.rule),
        outcome=outcome,
        message=clean(finding.message),
        at=finding.at if finding.at.line else None,
        lines=tuple(clean(line) for line in (*policy, *lines)),
        contract=clean(finding.contract),
        fingerprint=finding.fingerprint,
        waivers=waivers,
        suggestion=finding.suggestion,
    )


def _affected(impact: Impact) -> str:
    consumer = impact.consumer
    team = f" ({consumer.team})" if consumer.team else ""
    columns = f": {', '.join(impact.columns)}" if impact.columns else ""
    return f"{impact.level} {consumer.kind} {consumer.name}{team}{columns}: {impact.reason}"


def _fix(finding: Finding) -> list[str]:
    return [f"fix: {finding.fix}"] if finding.fix else []
