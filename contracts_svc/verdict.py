"""The outcome of a pre-flight: findings and impacts under a policy, with what has been agreed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from contracts_svc.errors import ExitCode
from contracts_svc.findings import Finding, Severity, ordered
from contracts_svc.impact import Absorbed, Assessment, Coverage, Impact, Level


class Outcome(StrEnum):
    """How a pre-flight ends. COULD_NOT_CHECK is neither passed nor broken."""

    PASS = "PASS"
    WARN = "WARN"
    BLOCK = "BLOCK"
    COULD_NOT_CHECK = "COULD_NOT_CHECK"


_ORDER = (Outcome.PASS, Outcome.WARN, Outcome.BLOCK, Outcome.COULD_NOT_CHECK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What each kind of impact leads to: PASS, WARN or BLOCK."""

    version: str = "default"
    """For people: which policy this is."""
    breaks: Outcome = Outcome.BLOCK
    may_break: Outcome = Outcome.WARN
    unknown: Outcome = Outcome.WARN
    error_alone: Outcome = Outcome.WARN
    """An ERROR finding that affects nobody the lineage knows."""

    def of(self, level: Level) -> Outcome:
        """What an impact of this level leads to."""
        return {
            Level.BREAKS: self.breaks,
            Level.MAY_BREAK: self.may_break,
            Level.UNKNOWN: self.unknown,
        }.get(level, Outcome.PASS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """An approval of one change, bound to its fingerprint: a changed change needs a new one.

    ``expires`` carries its zone; from that moment on the waiver counts no more.
    """

    fingerprint: str
    approver: str
    reason: str
    expires: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a pre-flight found, and what it comes to.

    ``findings`` come with those first that mean most to somebody, whatever their severity. ``waived``
    are the changes that a waiver in force approves; their impacts are still listed, and do not
    count. ``must_agree`` names the teams whose consumers break without one. ``reasons`` say
    why this outcome; ``could_not_check`` what stood in the way of one.
    """

    outcome: Outcome
    findings: tuple[Finding, ...] = ()
    impacts: tuple[Impact, ...] = ()
    absorbed: tuple[Absorbed, ...] = ()
    unread: tuple[Finding, ...] = ()
    coverage: Coverage = field(default_factory=Coverage)
    waived: tuple[tuple[Waiver, Finding], ...] = ()
    must_agree: tuple[str, ...] = ()
    policy: Policy = Policy()
    reasons: tuple[str, ...] = ()
    could_not_check: tuple[str, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """What a command that shows this verdict ends with."""
        codes = {Outcome.BLOCK: ExitCode.BROKEN, Outcome.COULD_NOT_CHECK: ExitCode.COULD_NOT_CHECK}
        return codes.get(self.outcome, ExitCode.OK)

    @property
    def headline(self) -> str:
        """One line: the outcome, the main reason, and who must agree."""
        parts = [self.reasons[0]] if self.reasons else []
        if self.must_agree:
            parts.append(f"{_listed(self.must_agree)} must agree")
        return f"{self.outcome}: {'; '.join(parts)}"

    def impacts_of(self, finding: Finding) -> tuple[Impact, ...]:
        """What this finding means to each consumer, the worst first."""
        return tuple(i for i in self.impacts if i.finding == finding)

    def waiver_of(self, finding: Finding) -> Waiver | None:
        """The waiver in force that approves this finding, or None."""
        return next((w for w, f in self.waived if f == finding), None)


def decide(
    findings: Sequence[Finding],
    assessment: Assessment,
    *,
    waivers: Sequence[Waiver] = (),
    policy: Policy = Policy(),
    now: datetime,
    could_not_check: Sequence[str] = (),
) -> Verdict:
    """Judge findings and their impacts. ``now`` (with its zone) tells which waivers are in force.

    What could not be checked makes the outcome COULD_NOT_CHECK, whatever else was found: half an
    answer is not shown as a whole one.
    """
    shown = _worst_first(findings, assessment)
    in_force = {w.fingerprint: w for w in waivers if w.expires > now}
    waived = tuple((in_force[f.fingerprint], f) for f in shown if f.fingerprint in in_force)
    counted = [i for i in assessment.impacts if i.finding.fingerprint not in in_force]
    alone = _alone(shown, assessment, in_force)
    outcomes = {policy.of(i.level) for i in counted}
    outcomes |= {policy.error_alone} if alone else set()
    outcomes |= {Outcome.COULD_NOT_CHECK} if could_not_check else set()
    outcome = max(outcomes, key=_ORDER.index, default=Outcome.PASS)
    return Verdict(
        outcome=outcome,
        findings=shown,
        impacts=assessment.impacts,
        absorbed=assessment.absorbed,
        unread=assessment.unread,
        coverage=assessment.coverage,
        waived=waived,
        must_agree=_unique(i.consumer.team for i in counted if i.level is Level.BREAKS and i.consumer.team),
        policy=policy,
        reasons=tuple(_reasons(shown, counted, alone, waived, waivers, now, could_not_check)),
        could_not_check=tuple(could_not_check),
    )


def _worst_first(findings: Sequence[Finding], assessment: Assessment) -> tuple[Finding, ...]:
    """By what a finding means to somebody, then by what its rule says of it."""
    worst: dict[str, int] = {}
    for impact in reversed(assessment.impacts):
        worst[impact.finding.fingerprint] = impact.level.rank
    harmless = Level.UNAFFECTED.rank
    return tuple(sorted(ordered(findings), key=lambda f: worst.get(f.fingerprint, harmless)))


def _alone(findings: Sequence[Finding], assessment: Assessment, in_force: dict[str, Waiver]) -> list[Finding]:
    """Errors that no known reader is affected by, and that nobody has approved."""
    affecting = {
        i.finding.fingerprint
        for i in assessment.impacts
        if i.level in (Level.BREAKS, Level.MAY_BREAK, Level.UNKNOWN)
    }
    return [
        f
        for f in findings
        if f.severity is Severity.ERROR and f.fingerprint not in affecting and f.fingerprint not in in_force
    ]


def _reasons(
    findings: Sequence[Finding],
    counted: Sequence[Impact],
    alone: Sequence[Finding],
    waived: Sequence[tuple[Waiver, Finding]],
    waivers: Sequence[Waiver],
    now: datetime,
    could_not_check: Sequence[str],
) -> list[str]:
    said: list[str] = []
    if could_not_check:
        said.append(f"{_count(len(could_not_check), 'thing')} could not be checked")
    for level, one, many in (
        (Level.BREAKS, "breaks", "break"),
        (Level.MAY_BREAK, "may break", "may break"),
    ):
        hit = [i for i in counted if i.level is level]
        if hit:
            changes = len({i.finding.fingerprint for i in hit})
            consumers = _count(len({i.consumer for i in hit}), "consumer")
            said.append(f"{_count(changes, 'change')} {one if changes == 1 else many} {consumers}")
    unknown = _unique(i.consumer.name for i in counted if i.level is Level.UNKNOWN)
    if unknown:
        said.append(f"it is not known whether {_listed(unknown)} {_is(unknown)} affected")
    if alone:
        affects = "affects" if len(alone) == 1 else "affect"
        said.append(f"{_count(len(alone), 'breaking change')} {affects} nobody the lineage knows")
    if waived:
        said.append(f"{_count(len(waived), 'change')} {_is(waived)} waived")
    said += _expired(findings, waived, waivers, now)
    if not said:
        told = _count(len(findings), "change") if findings else "no changes"
        said.append(f"{told}, nobody is affected" if findings else told)
    return said


def _expired(
    findings: Sequence[Finding],
    waived: Sequence[tuple[Waiver, Finding]],
    waivers: Sequence[Waiver],
    now: datetime,
) -> list[str]:
    renewed = {w.fingerprint for w, _ in waived}
    old = {w.fingerprint: w for w in waivers if w.expires <= now and w.fingerprint not in renewed}
    return [
        f"the waiver of {w.approver} for {f.change.path if f.change else f.rule} "
        f"expired on {w.expires:%Y-%m-%d}"
        for f in findings
        if (w := old.get(f.fingerprint))
    ]


def _is(things: Sequence[object]) -> str:
    return "is" if len(things) == 1 else "are"


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
