"""What a single finding comes to: its impacts under a policy, and who has agreed to it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from contracts_svc.findings import Finding, Severity
from contracts_svc.impact import Assessment, Impact, Level
from contracts_svc.lineage.graph import Consumer
from contracts_svc.policy import CONSUMERS, Deprecated, Outcome, Policy
from contracts_svc.waivers import Waiver

_AFFECTING = (Level.BREAKS, Level.MAY_BREAK, Level.UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What one finding comes to, why, and who has agreed to it.

    ``outcome`` (PASS, WARN or BLOCK) is what counts: PASS for what is ``waived``. ``agreed`` are the
    waivers in force, also where they are not enough yet; ``missing`` names those who have not agreed
    to a change that blocks. ``early`` says why a removal comes before its deprecation period has
    ended; empty: it does not.
    """

    finding: Finding
    outcome: Outcome
    waived: bool = False
    agreed: tuple[Waiver, ...] = ()
    missing: tuple[str, ...] = ()
    early: str = ""
    alone: bool = False
    """Whether this is an error that affects nobody the lineage knows."""
    limited: bool = False
    """Whether a rule of the policy makes less of it than its impacts alone would lead to."""


class Court:
    """Rules on the findings of one assessment. ``now`` carries its zone."""

    def __init__(
        self,
        assessment: Assessment,
        policy: Policy,
        policies: Mapping[str, Policy],
        old_alive: Iterable[str],
        waivers: Iterable[Waiver],
        now: datetime,
        deprecated: Deprecated,
    ) -> None:
        self._policy, self._policies = policy, policies
        self._old_alive = frozenset(old_alive)
        self._now = now
        self._deprecated = deprecated
        self._impacts: defaultdict[str, list[Impact]] = defaultdict(list)
        for impact in assessment.impacts:
            self._impacts[impact.finding.fingerprint].append(impact)
        self._waivers: defaultdict[str, list[Waiver]] = defaultdict(list)
        for waiver in waivers:
            if waiver.expires > now:
                self._waivers[waiver.fingerprint].append(waiver)

    def ruling(self, finding: Finding) -> Ruling:
        """What this finding comes to."""
        policy = self._policies.get(finding.contract, self._policy)
        impacts = self._impacts[finding.fingerprint]
        alone = finding.severity is Severity.ERROR and not any(i.level in _AFFECTING for i in impacts)
        led = [policy.of(i.level) for i in impacts] + [policy.error_alone] * alone
        worst = max(led, key=lambda o: o.rank, default=Outcome.PASS)
        most = policy.most(finding, old_alive=finding.contract in self._old_alive)
        outcome = min(worst, most, key=lambda o: o.rank)
        early = policy.removed_too_early(finding, self._now.date(), self._deprecated)
        outcome = Outcome.BLOCK if early else outcome
        agreed = tuple(self._waivers[finding.fingerprint])
        missing = _missing(policy, impacts, agreed) if outcome is Outcome.BLOCK else ()
        waived = bool(agreed) and not missing
        return Ruling(
            finding=finding,
            outcome=Outcome.PASS if waived else outcome,
            waived=waived,
            agreed=agreed,
            missing=missing,
            early=early,
            alone=alone,
            limited=outcome.rank < worst.rank,
        )


def _missing(policy: Policy, impacts: Sequence[Impact], agreed: Sequence[Waiver]) -> tuple[str, ...]:
    """Those who must agree to a change that blocks and have not, by the names they go by."""
    approvers = {_plain(w.approver) for w in agreed}
    asked: dict[str, set[str]] = {}
    for name in policy.must_agree:
        if name == CONSUMERS:
            blocked = [i for i in impacts if policy.of(i.level) is Outcome.BLOCK]
            asked |= {label: names for i in blocked for label, names in _owner(i.consumer)}
        else:
            asked[name] = {name}
    return tuple(label for label, names in asked.items() if not approvers & {_plain(n) for n in names})


def _owner(consumer: Consumer) -> list[tuple[str, set[str]]]:
    """What the owner of a consumer is called, and every name that they may sign with."""
    names = {n for n in (consumer.team, consumer.owner) if n}
    return [(consumer.team or consumer.owner, names)] if names else []


def _plain(name: str) -> str:
    return name.strip().removeprefix("@").casefold()
