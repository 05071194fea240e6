"""The words of a policy: what is asked of a change, and what each kind of impact leads to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any, TypeAlias

from contracts_svc.compat.modes import Mode
from contracts_svc.compat.thresholds import as_date
from contracts_svc.findings import ChangeKind, Finding, Severity
from contracts_svc.impact import Level
from contracts_svc.lineage.age import OTHERS, Ages
from contracts_svc.model import Column, Contract, Table

CONSUMERS = "consumers"
"""In ``must_agree``: the owner of each consumer that breaks."""
SINCE = "deprecatedSince"
"""The custom property that says since when a column or table is deprecated (ISO date). Without it, the day
counts on which it was first registered as ``deprecated``, which ODCS knows from 3.2 on."""


Deprecated: TypeAlias = Mapping[tuple[str, str, str], date]
"""Contract, table and column (dotted path; empty: the table) -> since when a version is registered in which
it is deprecated."""


class Outcome(StrEnum):
    """How a pre-flight ends. COULD_NOT_CHECK is neither passed nor broken."""

    PASS = "PASS"
    WARN = "WARN"
    BLOCK = "BLOCK"
    COULD_NOT_CHECK = "COULD_NOT_CHECK"

    @property
    def rank(self) -> int:
        """0 is the mildest; for sorting."""
        return _ORDER.index(self)


_ORDER = tuple(Outcome)
_MOST = {Severity.ERROR: Outcome.BLOCK, Severity.WARNING: Outcome.WARN, Severity.INFO: Outcome.PASS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What is asked of a change, and what it leads to. The defaults are those without any file.

    ``severities`` maps a rule's id to the severity that the policy gives it. A severity that a policy
    has set is also the most that the rule's impacts lead to: a warning only warns, an info passes.
    ``deprecation_days`` is how long something must have been deprecated before it may be removed (0:
    nothing is asked). ``must_agree`` names whose waivers lift a block: ``consumers`` for the owner of
    each consumer that breaks, and people or teams by name. ``waiver_days`` is the longest time that a
    waiver may run. ``not_seen_days`` and ``stale_days`` are what :class:`Ages` takes.
    """

    version: str = "default"
    """For people: which policy this is."""
    mode: Mode = Mode.FORWARD
    severities: Mapping[str, Severity] = field(default_factory=dict)
    breaks: Outcome = Outcome.BLOCK
    may_break: Outcome = Outcome.WARN
    unknown: Outcome = Outcome.WARN
    error_alone: Outcome = Outcome.WARN
    """An ERROR finding that affects nobody the lineage knows."""
    major_version_with_old_alive: Outcome = Outcome.BLOCK
    """The most that a change leads to which comes as a new major version beside the old one."""
    deprecation_days: int = 0
    must_agree: tuple[str, ...] = (CONSUMERS,)
    waiver_days: int = 90
    not_seen_days: Mapping[str, int | None] = field(default_factory=lambda: {OTHERS: 30})
    stale_days: Mapping[str, int | None] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """``the default policy``, or ``policy 7``."""
        return "the default policy" if self.version == "default" else f"policy {self.version}"

    def of(self, level: Level) -> Outcome:
        """What an impact of this level leads to."""
        return {
            Level.BREAKS: self.breaks,
            Level.MAY_BREAK: self.may_break,
            Level.UNKNOWN: self.unknown,
        }.get(level, Outcome.PASS)

    def most(self, finding: Finding, *, old_alive: bool) -> Outcome:
        """The most that this finding leads to, whatever its impacts."""
        limits = [self.major_version_with_old_alive] if old_alive else []
        limits += [_MOST[finding.severity]] if finding.default_severity is not None else []
        return min(limits, key=lambda o: o.rank, default=Outcome.BLOCK)

    def graded(self, finding: Finding) -> Finding:
        """The finding with the severity that this policy gives its rule."""
        severity = self.severities.get(finding.rule)
        if severity is None:
            return finding
        return replace(finding, severity=severity, default_severity=finding.severity)

    def ages(self, now: datetime) -> Ages:
        """How old lineage is judged at this moment."""
        return Ages(now=now, quiet_days=self.not_seen_days, stale_days=self.stale_days)

    def removed_too_early(
        self, finding: Finding, today: date, registered: Deprecated = MappingProxyType({})
    ) -> str:
        """Why the removal that this finding is about breaks ``deprecation_days``; empty: it does not.

        ``registered`` counts where the contract itself gives no day.
        """
        change = finding.change
        if not self.deprecation_days or change is None or change.kind is not ChangeKind.REMOVED:
            return ""
        if not isinstance(change.old, Column | Table):
            return ""
        since = _since(change.old) or registered.get(
            (finding.contract, change.table or "", change.column or "")
        )
        asked = f"{change.path} is removed without {self.deprecation_days} days of deprecation"
        if since is None:
            return f"{asked}: it has no custom property {SINCE} with a date"
        if since > today - timedelta(days=self.deprecation_days):
            return f"{asked}: it is deprecated since {since:%Y-%m-%d}"
        return ""


def deprecated_in(contract: Contract) -> frozenset[tuple[str, str]]:
    """Table and column (dotted path; empty: the table) of all that a contract says is deprecated."""
    tables = {(t.name, "") for t in contract.tables if t.deprecated}
    columns = (
        (t.name, c.path) for t in contract.tables for top in t.columns for c in top.walk() if c.deprecated
    )
    return frozenset(tables.union(columns))


def _since(element: Column | Table) -> date | None:
    told = next((c.value for c in element.custom if c.property == SINCE), None)
    return as_date(told)


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Which contracts an override is for: globs that must all fit; an empty one fits any."""

    tenant: str = ""
    domain: str = ""
    squad: str = ""
    contract: str = ""

    def fits(self, contract: Contract) -> bool:
        """Whether the contract is meant. Letter case matters."""
        team = contract.team
        squad = (team.custom_value("squad") or team.name or "") if team else ""
        pairs = (
            (self.tenant, contract.tenant or ""),
            (self.domain, contract.domain or ""),
            (self.squad, squad),
            (self.contract, contract.id),
        )
        return all(fnmatchcase(value, glob) for glob, value in pairs if glob)

    @property
    def rank(self) -> int:
        """How narrow it is: tenant, domain, squad, contract. The narrower beats the wider."""
        globs = (self.tenant, self.domain, self.squad, self.contract)
        return max((n for n, glob in enumerate(globs, start=1) if glob), default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """What differs for some contracts: fields of Policy and their values."""

    match: Match
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """The policy of an organisation, and what some of its contracts differ in."""

    organisation: Policy = field(default_factory=Policy)
    overrides: tuple[Override, ...] = ()
    """The widest first; what comes later beats what came before."""

    def of(self, contract: Contract) -> Policy:
        """The policy for one contract: the organisation's, then every override that fits."""
        policy = self.organisation
        for override in self.overrides:
            if override.match.fits(contract):
                settings = dict(override.settings)
                severities = {**policy.severities, **settings.pop("severities", {})}
                policy = replace(policy, severities=severities, **settings)
        return policy


def old_is_alive(old: Contract, new: Contract, all_new: Iterable[Contract]) -> bool:
    """Whether ``new`` is a new major version, and the old one goes on beside it.

    It goes on when ``all_new``, the contracts as they will be, hold one of the same id and the old
    major version that is not retired.
    """
    before = _major(old)
    if before is None or (_major(new) or 0) <= before:
        return False
    return any(c.id == old.id and _major(c) == before and c.status != "retired" for c in all_new)


def _major(contract: Contract) -> int | None:
    digits = contract.version.lstrip("vV").partition(".")[0]
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else None
