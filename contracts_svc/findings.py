"""The words of a review: what changed, and what a rule says about it."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from contracts_svc.errors import Location
from contracts_svc.model import Json


class Severity(StrEnum):
    """How bad. ERROR breaks somebody, WARNING may, INFO is worth knowing."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 is the worst; for sorting."""
        return _SEVERITY_ORDER[self]


_SEVERITY_ORDER = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainRule:
    """A rule that says one thing, always as bad as that. Rules of compatibility say more: see
    :mod:`contracts_svc.compat.rule`."""

    id: str
    purpose: str
    severity: Severity


class ChangeKind(StrEnum):
    """What happened to an element or a field."""

    ADDED = "added"
    REMOVED = "removed"
    RENAMED = "renamed"
    MOVED = "moved"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference between two contract versions, with both values and both places.

    ``element`` says what kind of thing changed: contract, table, column, quality, sla, server, team,
    support, role, price, relationship, tag, custom. ``table`` and ``column`` (dotted path) name where
    it is, by the names of the *old* version where it existed there; ``new_column`` is the path in the
    new version, and ``new_table`` what a renamed table is called there. ``field`` is the ODCS field for
    CHANGED. For an element added or removed, ``old`` and ``new`` hold the element itself (a model value).
    """

    kind: ChangeKind
    element: str
    table: str | None = None
    column: str | None = None
    new_column: str | None = None
    new_table: str | None = None
    field: str | None = None
    key: str | None = None
    """Which quality rule, SLA property, server, channel, ...: its id, else what identifies it."""
    old: Json = None
    new: Json = None
    old_at: Location | None = dataclasses.field(default=None, compare=False)
    new_at: Location | None = dataclasses.field(default=None, compare=False)
    hint: str = ""

    @property
    def path(self) -> str:
        """Dotted: table, column, key, field - whatever of these applies."""
        parts = (self.table, self.column, self.key, self.field)
        return ".".join(p for p in parts if p) or self.element


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """Lines of a file, from ``first`` to ``last`` (both count from 1), and the text to have there instead."""

    file: str
    first: int
    last: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a rule says about one change.

    ``at`` is a place in the new file (for a removal, the nearest enclosing place there). ``why`` is
    one sentence on what it means to a reader; ``fix`` is how to make it safe.
    """

    rule: str
    severity: Severity
    message: str
    at: Location
    why: str = ""
    fix: str = ""
    contract: str = ""
    change: Change | None = None
    against: tuple[str, ...] = ()
    """The earlier versions that this is a change from, oldest first; empty: the last one alone."""
    values: tuple[Json, Json] | None = None
    """The part of both values that this is about; None: all of them."""
    default_severity: Severity | None = None
    """What the rule itself says, where a policy has set ``severity``; else None."""
    suggestion: Suggestion | None = None
    """What to write instead, where that is known to the letter."""

    @property
    def graded(self) -> str:
        """The severity for a person: ``error``, or ``error by policy (default warning)``."""
        if self.default_severity is None:
            return self.severity.value
        usual = f" (default {self.default_severity})" if self.default_severity is not self.severity else ""
        return f"{self.severity} by policy{usual}"

    @property
    def table(self) -> str | None:
        return self.change.table if self.change else None

    @property
    def column(self) -> str | None:
        return self.change.column if self.change else None

    @property
    def fingerprint(self) -> str:
        """Names this change wherever its lines move: rule, contract, path and both values.

        Of the values, only what the rule looked at counts: an approval of a loosened threshold still
        stands when the quality rule is described in other words afterwards.
        """
        change = self.change
        parts = [self.rule, self.contract]
        if change:
            # Not the dotted path: column b.c of table a is not column c of a table a.b.
            where = (change.table, change.column, change.key, change.field)
            parts += [name or "" for name in (*where, change.new_column or change.new_table)]
            if change.kind is ChangeKind.CHANGED:
                parts += map(repr, self.values or (change.old, change.new))
        return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sorted by severity and place, without repeats: what every printer shows."""
    seen: dict[tuple[str, Location], Finding] = {}
    for finding in findings:
        seen.setdefault((finding.fingerprint, finding.at), finding)
    return tuple(sorted(seen.values(), key=lambda f: (f.severity.rank, f.at, f.rule, f.fingerprint)))
