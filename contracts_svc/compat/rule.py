"""What a compatibility rule is, and what its handler is given."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import TypeVar, cast

from contracts_svc.compat import columns
from contracts_svc.compat.diff import pair_tables
from contracts_svc.compat.fields import canonical, labels
from contracts_svc.compat.modes import Mode
from contracts_svc.compat.patterns import Answers
from contracts_svc.compat.sameness import same
from contracts_svc.compat.thresholds import as_date
from contracts_svc.compat.types import dialect_of
from contracts_svc.errors import Location
from contracts_svc.findings import Change, ChangeKind, Finding, Severity
from contracts_svc.model import NOWHERE, Column, Contract, Json, Table

T = TypeVar("T")

ERROR, WARNING, INFO = Severity.ERROR, Severity.WARNING, Severity.INFO


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a handler says about a change; :func:`contracts_svc.compat.rules.judge` adds the rest."""

    message: str
    why: str
    fix: str
    at: Location | None = None
    """Where in the new file, when it is not the place of the change."""
    values: tuple[Json, Json] | None = None
    """The part of both values that it is about, when the change is of a whole element."""


@dataclass(frozen=True)
class Scope:
    """Both versions that are compared, with the elements a change is about already paired."""

    old: Contract
    new: Contract
    mode: Mode
    changes: tuple[Change, ...] = ()
    today: date | None = None
    found: list[Finding] = field(default_factory=list)
    """The findings so far; complete when the version is judged, which comes last."""
    patterns: Answers = field(default_factory=dict)

    @cached_property
    def dialect(self) -> str:
        """The dialect in which physical types are written."""
        return dialect_of(self.old)

    @cached_property
    def _tables(self) -> dict[str, tuple[Table, Table | None]]:
        found = pair_tables(self.old, self.new)
        names = labels(t.name for t in self.old.tables)
        return {
            name: (table, self.new.tables[found[i]] if i in found else None)
            for i, (name, table) in enumerate(zip(names, self.old.tables, strict=True))
        }

    @cached_property
    def _columns(self) -> dict[str, dict[str, tuple[Column, Column | None]]]:
        return {}

    @cached_property
    def _known(self) -> dict[Hashable, object]:
        return {}

    def once(self, key: Hashable, find: Callable[[], T]) -> T:
        """What ``find`` finds, which several rules ask for; it is called once for a key."""
        if key not in self._known:
            self._known[key] = find()
        return cast(T, self._known[key])

    def tables(self, change: Change) -> tuple[Table | None, Table | None]:
        """The table that the change is in, before and after."""
        return self._tables.get(change.table or "", (None, None))

    def columns(self, change: Change) -> tuple[Column | None, Column | None]:
        """The column that the change is at or in, before and after."""
        old, new = self.tables(change)
        if old is None or new is None or change.table is None:
            return None, None
        known = self._columns.get(change.table)
        if known is None:
            matched = columns.match(old, new)
            partners = ((n, matched.forward.get(n)) for n in matched.olds)
            known = {n.path: (n.column, p.column if p else None) for n, p in partners}
            self._columns[change.table] = known
        return known.get(change.column or "", (None, None))


Handler = Callable[[Change, Scope], Draft | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One thing that can become of a contract.

    ``on`` lists what the handler is called for: an element with a field (``column.required``) or with
    a kind of change (``column.removed``). ``mirror`` is the id of the rule for the opposite change,
    or a sentence that says why there is none.
    """

    id: str
    purpose: str
    on: tuple[str, ...]
    severities: Mapping[Mode, Severity]
    handler: Handler
    mirror: str


def severities(backward: Severity, forward: Severity) -> Mapping[Mode, Severity]:
    """A severity for every mode: FULL asks both ways, a transitive mode asks the same, NONE nothing."""
    full = min(backward, forward, key=lambda s: s.rank)
    direct = {Mode.BACKWARD: backward, Mode.FORWARD: forward, Mode.FULL: full}
    return {mode: direct.get(mode.direct, INFO) for mode in Mode}


def loosens(forward: Severity) -> Mapping[Mode, Severity]:
    """For a promise given up or weakened: old data keeps the new contract, old readers rely on more."""
    return severities(INFO, forward)


def tightens(backward: Severity) -> Mapping[Mode, Severity]:
    """For a promise made or strengthened: old readers lose nothing, old data need not keep it."""
    return severities(backward, INFO)


def both_ways(severity: Severity) -> Mapping[Mode, Severity]:
    """For a change that is the same to old data and to old readers."""
    return severities(severity, severity)


def trigger(change: Change) -> str:
    """What a rule's ``on`` names this change by."""
    if change.kind is ChangeKind.CHANGED and change.field:
        return f"{change.element}.{change.field}"
    return f"{change.element}.{change.kind}"


def subject(change: Change) -> str:
    """What the change is about, as a person would write it: ``flights.dest``."""
    parts = [p for p in (change.table, change.column) if p]
    return ".".join(parts) or change.key or change.element


def now_deprecated(change: Change, what: str) -> Draft | None:
    """What a table or column (``what``) means to readers that is deprecated now; None where it is not."""
    if not change.new:
        return None
    return Draft(
        message=f"{what} is deprecated",
        why="it still works, but will be removed: readers should plan to move",
        fix="say in the description what replaces it and until when it stays",
    )


def no_longer_deprecated(change: Change, what: str) -> Draft | None:
    """What one means that is not deprecated any more; None where it still is."""
    if change.new:
        return None
    return Draft(
        message=f"{what} is no longer deprecated",
        why="readers may stay",
        fix="tell those who have begun to move",
    )


def shown(value: Json) -> str:
    """A value in a message: short, on one line."""
    if value is None or value in ((), []):
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        head = ", ".join(shown(v) for v in value[:6])
        return head + (f" and {len(value) - 6} more" if len(value) > 6 else "")
    text = " ".join(str(value).split())
    return text if len(text) <= 80 else text[:77] + "..."


def parts(change: Change, names: Iterable[str]) -> tuple[Json, Json]:
    """These attributes of an element, before and after, as far as they differ."""
    olds, news = ({n: getattr(side, n) for n in names} for side in (change.old, change.new))
    differing = [n for n in olds if not same(olds[n], news[n])]
    return {n: olds[n] for n in differing}, {n: news[n] for n in differing}


def unordered(values: Iterable[Json]) -> tuple[str, ...]:
    """Values of a list whose order means nothing, for comparing."""
    return tuple(sorted(repr(canonical(v)) for v in values))


def at_of(change: Change) -> Location:
    """The place of a change in the new file."""
    return change.new_at or NOWHERE


def removal_date(change: Change, scope: Scope) -> date | None:
    """The announced day of removal (custom property removalDate), when it has not come yet."""
    told = next((c.value for c in change.old.custom if c.property == "removalDate"), None)
    day = as_date(told)
    early = change.old.deprecated and day is not None and scope.today is not None and scope.today < day
    return day if early else None
