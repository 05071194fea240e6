"""The outcome of a pre-flight: findings and impacts under a policy, with what has been agreed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from types import MappingProxyType
from typing import TypeAlias, TypeVar

from contracts_svc.errors import ExitCode, Location
from contracts_svc.findings import Finding, ordered
from contracts_svc.impact import Absorbed, Assessment, Coverage, Impact, Level
from contracts_svc.policy import Deprecated, Outcome, Policy
from contracts_svc.ruling import Court, Ruling
from contracts_svc.waivers import Waiver

__all__ = ["Outcome", "Policy", "Ruling", "Verdict", "Waiver", "decide"]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a pre-flight found, and what it comes to.

    ``findings`` come with those first that mean most to somebody, whatever their severity, and
    ``rulings`` are in the same order. ``waived`` are the changes that waivers in force approve; their
    impacts are still listed, and do not count. ``must_agree`` names those whose waiver a blocked
    change lacks. ``reasons`` say why this outcome; ``could_not_check`` what stood in the way of one.
    ``on_base`` are changes that the base branch has made already: they are not this one's.
    ``decided_at`` is the moment of the decision, with its zone.
    """

    outcome: Outcome
    findings: tuple[Finding, ...] = ()
    impacts: tuple[Impact, ...] = ()
    absorbed: tuple[Absorbed, ...] = ()
    unread: tuple[Finding, ...] = ()
    coverage: Coverage = field(default_factory=Coverage)
    rulings: tuple[Ruling, ...] = ()
    must_agree: tuple[str, ...] = ()
    policy: Policy = field(default_factory=Policy)
    reasons: tuple[str, ...] = ()
    could_not_check: tuple[str, ...] = ()
    on_base: tuple[Finding, ...] = ()
    decided_at: datetime | None = None

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

    @property
    def waived(self) -> tuple[tuple[Waiver, Finding], ...]:
        """Every waiver that counts, with the finding that it approves."""
        return tuple((w, r.finding) for r in self.rulings if r.waived for w in r.agreed)

    def impacts_of(self, finding: Finding) -> tuple[Impact, ...]:
        """What this finding means to each consumer, the worst first."""
        return tuple(self._impacts.get(_key(finding), ()))

    def absorbed_of(self, finding: Finding) -> tuple[Absorbed, ...]:
        """Where the effect of this finding ended."""
        return tuple(self._absorbed.get(_key(finding), ()))

    def is_unread(self, finding: Finding) -> bool:
        """Whether nobody reads what this finding takes away, as far as the lineage knows."""
        return _key(finding) in self._unread

    def ruling_of(self, finding: Finding) -> Ruling:
        """What this finding comes to."""
        return self._rulings[_key(finding)]

    def waiver_of(self, finding: Finding) -> Waiver | None:
        """The first waiver in force that approves this finding, or None."""
        ruling = self.ruling_of(finding)
        return ruling.agreed[0] if ruling.waived else None

    @cached_property
    def _impacts(self) -> dict[_Key, list[Impact]]:
        return _grouped(self.impacts)

    @cached_property
    def _absorbed(self) -> dict[_Key, list[Absorbed]]:
        return _grouped(self.absorbed)

    @cached_property
    def _rulings(self) -> dict[_Key, Ruling]:
        return {_key(r.finding): r for r in self.rulings}

    @cached_property
    def _unread(self) -> frozenset[_Key]:
        return frozenset(map(_key, self.unread))


_Key: TypeAlias = tuple[str, Location]
_About = TypeVar("_About", Impact, Absorbed)


def _key(finding: Finding) -> _Key:
    """What tells findings apart; their values may be of kinds that cannot be."""
    return finding.fingerprint, finding.at


def _grouped(items: Iterable[_About]) -> dict[_Key, list[_About]]:
    found: defaultdict[_Key, list[_About]] = defaultdict(list)
    for item in items:
        found[_key(item.finding)].append(item)
    return found


def decide(
    findings: Sequence[Finding],
    assessment: Assessment,
    *,
    waivers: Sequence[Waiver] = (),
    policy: Policy | None = None,
    policies: Mapping[str, Policy] | None = None,
    old_alive: Iterable[str] = (),
    now: datetime,
    could_not_check: Sequence[str] = (),
    on_base: Sequence[Finding] = (),
    deprecated: Deprecated = MappingProxyType({}),
) -> Verdict:
    """Judge findings and their impacts. ``now`` (with its zone) tells which waivers are in force.

    ``policy`` is the organisation's, ``policies`` those of contracts (by id) that have their own.
    ``old_alive`` are contracts that come as a new major version beside the old one, ``deprecated`` what is
    registered as deprecated. What could not be
    checked makes the outcome COULD_NOT_CHECK, whatever else was found: half an answer is not shown as
    a whole one.
    """
    policy = policy or Policy()
    shown = _worst_first(findings, assessment)
    court = Court(assessment, policy, policies or {}, old_alive, waivers, now, deprecated)
    rulings = tuple(court.ruling(f) for f in shown)
    outcomes = {r.outcome for r in rulings}
    outcomes |= {Outcome.COULD_NOT_CHECK} if could_not_check else set()
    waived = {r.finding.fingerprint for r in rulings if r.waived}
    verdict = Verdict(
        outcome=max(outcomes, key=lambda o: o.rank, default=Outcome.PASS),
        findings=shown,
        impacts=assessment.impacts,
        absorbed=assessment.absorbed,
        unread=assessment.unread,
        coverage=assessment.coverage,
        rulings=rulings,
        must_agree=_unique(name for r in rulings for name in r.missing),
        policy=policy,
        could_not_check=tuple(could_not_check),
        on_base=tuple(on_base),
        decided_at=now,
    )
    counted = [i for i in assessment.impacts if i.finding.fingerprint not in waived]
    return replace(verdict, reasons=tuple(_reasons(verdict, counted, waivers, now)))


def _worst_first(findings: Sequence[Finding], assessment: Assessment) -> tuple[Finding, ...]:
    """By what a finding means to somebody, then by what its rule says of it."""
    worst: dict[str, int] = {}
    for impact in reversed(assessment.impacts):
        worst[impact.finding.fingerprint] = impact.level.rank
    harmless = Level.UNAFFECTED.rank
    return tuple(sorted(ordered(findings), key=lambda f: worst.get(f.fingerprint, harmless)))


def _reasons(
    verdict: Verdict, counted: Sequence[Impact], waivers: Sequence[Waiver], now: datetime
) -> list[str]:
    said: list[str] = []
    if verdict.could_not_check:
        said.append(f"{_count(len(verdict.could_not_check), 'thing')} could not be checked")
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
    said += _of_rulings(verdict.rulings)
    said += _expired(verdict.findings, verdict.waived, waivers, now)
    if verdict.on_base:
        said.append(
            f"{_count(len(verdict.on_base), 'change')} {_is(verdict.on_base)} on the base branch already"
        )
    if not said:
        told = _count(len(verdict.findings), "change") if verdict.findings else "no changes"
        # What is not known is not called safe.
        nobody = "nobody is known to be affected" if verdict.coverage.unknown else "nobody is affected"
        said.append(f"{told}, {nobody}" if verdict.findings else told)
    return said


def _of_rulings(rulings: Sequence[Ruling]) -> list[str]:
    said: list[str] = []
    alone = [r for r in rulings if r.alone and not r.waived]
    if alone:
        affects = "affects" if len(alone) == 1 else "affect"
        said.append(f"{_count(len(alone), 'breaking change')} {affects} nobody the lineage knows")
    said += [r.early for r in rulings if r.early and not r.waived]
    limited = [r for r in rulings if r.limited and not r.waived]
    if limited:
        said.append(f"the policy makes less of {_count(len(limited), 'change')}")
    waived = [r for r in rulings if r.waived]
    if waived:
        said.append(f"{_count(len(waived), 'change')} {_is(waived)} waived")
    for ruling in rulings:
        if ruling.agreed and ruling.missing:
            who = _listed(_unique(w.approver for w in ruling.agreed))
            path = ruling.finding.change.path if ruling.finding.change else ruling.finding.rule
            said.append(f"{who} agreed to {path}, which {_listed(ruling.missing)} must do too")
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
