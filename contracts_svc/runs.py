"""The words of a check: Check, Plan, Measurement, Result, Run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from contracts_svc.errors import ExitCode, Location, worst
from contracts_svc.findings import Severity
from contracts_svc.model import NOWHERE, Json

WHOLE_TABLE = "whole table"
"""The scope of a run that looked at everything."""


class Operator(StrEnum):
    """The comparison operators of ODCS quality rules, by their names there."""

    MUST_BE = "mustBe"
    MUST_NOT_BE = "mustNotBe"
    GREATER_THAN = "mustBeGreaterThan"
    GREATER_OR_EQUAL = "mustBeGreaterOrEqualTo"
    LESS_THAN = "mustBeLessThan"
    LESS_OR_EQUAL = "mustBeLessOrEqualTo"
    BETWEEN = "mustBeBetween"
    """Strict on both sides: ODCS defines it as > and <."""
    NOT_BETWEEN = "mustNotBeBetween"


@dataclass(frozen=True, slots=True)
class Threshold:
    """One operator and what it compares with (a pair for the between operators)."""

    operator: Operator
    value: Json


class Unit(StrEnum):
    """What a threshold counts: failing rows, or their percentage of the rows looked at."""

    ROWS = "rows"
    PERCENT = "percent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One executable guarantee. ``id`` is stable over versions of the contract that still state it."""

    id: str
    kind: str
    """The key of a row of ``contracts_svc.quality.kinds.KINDS``."""
    table: str
    columns: tuple[str, ...] = ()
    """Dotted paths in the contract; empty for a check of the whole table."""
    arguments: Mapping[str, Json] = field(default_factory=dict)
    thresholds: tuple[Threshold, ...] = (Threshold(Operator.MUST_BE, 0),)
    """All of them must hold."""
    unit: Unit = Unit.ROWS
    severity: Severity = Severity.ERROR
    dimension: str | None = None
    title: str = ""
    """One sentence for a person: what is promised."""
    at: Location = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsupported:
    """A promise in the contract that no check can show, and why."""

    what: str
    reason: str
    at: Location = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All checks of one table of a contract."""

    contract: str
    version: str
    table: str
    checks: tuple[Check, ...]
    unsupported: tuple[Unsupported, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What one scan says for one check.

    ``values`` holds the check kind's own figures. Kinds that count failing rows have ``failing`` and
    ``rows``; metrics have ``value``. A check that could not be measured has ``error`` (ERRORED) or
    ``skipped`` (SKIPPED) instead, with the reason.
    """

    check: str
    values: Mapping[str, Json] = field(default_factory=dict)
    error: str | None = None
    skipped: str | None = None


class Outcome(StrEnum):
    """How a check ended. ERRORED (could not check) is neither PASSED nor FAILED."""

    PASSED = "passed"
    FAILED = "failed"
    WARNED = "warned"
    ERRORED = "errored"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakdown:
    """How many failing rows one partition or file holds."""

    where: str
    failing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The judgement of one check: what was expected, what was found."""

    check: Check
    outcome: Outcome
    expected: str = ""
    found: str = ""
    failing: int | None = None
    rows: int | None = None
    values: Mapping[str, Json] = field(default_factory=dict)
    reason: str = ""
    """Why ERRORED or SKIPPED."""
    samples: tuple[Mapping[str, Json], ...] = ()
    """Some failing rows, restricted columns already masked."""
    breakdown: tuple[Breakdown, ...] = ()
    published: datetime | None = None
    """Of bad data: when the first part that shows it was last changed, where that is known."""

    @property
    def bad(self) -> bool:
        """FAILED or WARNED: the data does not keep the promise."""
        return self.outcome in (Outcome.FAILED, Outcome.WARNED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One execution of a Plan over a scope."""

    contract: str
    version: str
    table: str
    server: str
    scope: str
    """``whole table``, or the partitions looked at, as in ``month=12``."""
    started: datetime
    finished: datetime
    results: tuple[Result, ...]
    files: int = 0
    bytes: int = 0
    """Size of the files in scope, in bytes."""
    files_read: int = 0
    """How many of them were read for it; of the others, footers or earlier runs told all there is to know."""
    bytes_read: int = 0
    """Size of the files that were read, of each of which often only some columns were."""
    rows: int | None = None
    """Rows in scope, from the footers."""
    published: datetime | None = None
    """When what is in scope was last written: the commit of a snapshot, else the last change of a file."""
    scans: int = 0
    """Queries sent to the engine, samples of failing rows included."""
    unsupported: tuple[Unsupported, ...] = ()
    """What the contract promises and no check can show."""

    @property
    def files_spared(self) -> int:
        """How many files of the scope were not read, since all there is to know of them is known."""
        return 0 if self._came_to_nothing else self.files - self.files_read

    @property
    def bytes_spared(self) -> int:
        """Size of the files that were not read."""
        return 0 if self._came_to_nothing else self.bytes - self.bytes_read

    @property
    def _came_to_nothing(self) -> bool:
        return all(r.outcome is Outcome.ERRORED for r in self.results)

    @property
    def exit_code(self) -> ExitCode:
        """What a command that shows this run ends with."""
        codes = {
            Outcome.FAILED: ExitCode.BROKEN,
            Outcome.ERRORED: ExitCode.COULD_NOT_CHECK,
        }
        return worst(codes.get(r.outcome, ExitCode.OK) for r in self.results)
