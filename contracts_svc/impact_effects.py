"""What a change does to those who read the data: the effect that travels along the lineage.

Effects come from what changed (kind, element, field and the two values of a Change), not from the id
of the rule that found it, so a rule that is added later needs nothing here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from contracts_svc.findings import Change, ChangeKind, Finding, Severity
from contracts_svc.impact_sla import UNKNOWN_DELAY, Delay, adds_up, amount_of, sla_holds
from contracts_svc.impact_types import logical_as_stored, same_type
from contracts_svc.lineage.column_names import lineage_name
from contracts_svc.model import Column, Json, QualityRule, SlaProperty, Table


@dataclass(frozen=True, slots=True)
class Gone:
    """A column or table is no longer there under its name. ``how`` ends "flights.dest ..."."""

    how: str


@dataclass(frozen=True, slots=True)
class Stale:
    """A dataset cannot be rebuilt, so what reads it gets old data, or none."""


@dataclass(frozen=True, slots=True)
class Retyped:
    """A column's stored type changes. None where it is not known."""

    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Loosened:
    """A guarantee about a column's values is given up or weakened.

    ``guarantee`` is an ODCS field (required, unique, enum, an option of ``logicalTypeOptions``) or
    ``quality:`` and a metric. ``now`` is the guarantee that is left (None: none); ``how`` ends
    "flights.carrier ...".
    """

    guarantee: str
    now: Json
    how: str


@dataclass(frozen=True, slots=True)
class Late:
    """An SLA property of a whole dataset is loosened, or dropped (``now`` None).

    A latency adds up on the way: ``least`` with the time that the datasets passed take until they
    run again (``frequency``), ``most`` also with the latency of those that promise no frequency.
    ``hops`` are these in words; ``complete`` says whether each one on the way had either.
    """

    property: str
    now: SlaProperty | None
    least: Delay = UNKNOWN_DELAY
    most: Delay = UNKNOWN_DELAY
    hops: tuple[str, ...] = ()
    complete: bool = True

    def exceeds(self, other: Late) -> bool:
        """Whether this is a greater delay."""
        mine, theirs = ([d.after or 0.0 for d in (x.most, x.least)] for x in (self, other))
        return mine > theirs


@dataclass(frozen=True, slots=True)
class Noted:
    """Something else that direct readers must know of: it may break them, or is just worth knowing."""

    how: str
    may_break: bool


@dataclass(frozen=True, slots=True)
class Shaken:
    """A dataset may come out different, because something that it reads may break it."""


@dataclass(frozen=True, slots=True)
class Unclear:
    """Whether it is affected is not known, because what it reads of its source is not."""


Effect: TypeAlias = Gone | Stale | Retyped | Loosened | Late | Noted | Shaken | Unclear

_LOWER_BOUNDS = frozenset({"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"})
_UPPER_BOUNDS = frozenset({"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"})
_UNORDERED_BOUNDS = frozenset({"pattern", "format", "multipleOf"})
BOUNDS = _LOWER_BOUNDS | _UPPER_BOUNDS | _UNORDERED_BOUNDS
"""Options of ``logicalTypeOptions`` that limit the values."""


def effect_of(finding: Finding, table: Table | None) -> Effect | None:
    """The effect of a finding on readers; None when it takes nothing from anybody.

    ``table`` is the changed table as it is promised now, None when it is no longer there.
    """
    change = finding.change
    if change is None or change.kind is ChangeKind.ADDED:
        return None
    if change.field == "order" and change.element not in ("table", "column"):
        return None
    match change.element:
        case "column" | "table":
            return _of_structure(finding, change, table)
        case "quality" if change.column is not None:
            return _of_quality(finding, change)
        case "sla":
            return _of_sla(finding, change)
        case "custom" | "tag" | "team" | "support" | "role" | "price":
            return None
        case "contract" if change.field != "status":
            return None
    return _noted(finding)


def _of_structure(finding: Finding, change: Change, table: Table | None) -> Effect | None:
    match change.kind:
        case ChangeKind.REMOVED:
            return Gone("is removed")
        case ChangeKind.RENAMED if change.element == "table":
            return _of_table_rename(change)
        case ChangeKind.RENAMED | ChangeKind.MOVED:
            return _of_rename(finding, change, _column_now(change, table))
    column = _column_now(change, table)
    return _of_field(finding, change, column)


def _of_table_rename(change: Change) -> Effect | None:
    old, new = change.old, change.new
    if isinstance(old, Table) and isinstance(new, Table) and old.physical_name:
        # What readers name is the physical name; a change of it is a finding of its own.
        return None
    return Gone(f"is renamed to {_name(new) or 'another name'}")


def _of_rename(finding: Finding, change: Change, column: Column | None) -> Effect | None:
    new = change.new_column or _name(change.new) or ""
    if new == change.column:
        return _noted(finding)  # Moved among its neighbours.
    if column and "." not in new:
        # What readers name is the stored name, and physicalName may keep that as it was. When the
        # old one is not told, a change of physicalName is a finding of its own.
        before = change.old.stored_name if isinstance(change.old, Column) else column.physical_name
        if before == column.stored_name:
            return None
        new = column.stored_name
    return Gone(f"is {'renamed' if change.kind is ChangeKind.RENAMED else 'moved'} to {new}")


def _of_field(finding: Finding, change: Change, column: Column | None) -> Effect | None:
    field = (change.field or "").rpartition(".")[2]
    old, new = change.old, change.new
    if field in ("expression", "rows"):  # Of a changed job.
        harmless = finding.severity is Severity.INFO
        return None if harmless else Noted(finding.message.rstrip("."), may_break=True)
    if field == "unknown":
        return Unclear()
    if field == "physicalName":
        now = new or change.new_column or change.column or change.table
        return None if now == (old or change.column or change.table) else Gone(f"is renamed to {now}")
    if field in ("physicalType", "logicalType") and change.element == "column":
        return _of_type(change, column, field)
    if field == "timezone" and column and column.logical_type == "timestamp":
        return None if column.physical_type else Retyped(_timestamp(old), _timestamp(new))
    if field == "primaryKey" and change.element == "table":
        return _of_key(old, new)
    if field in ("required", "unique", "primaryKey"):
        return _lost_flag(field) if old and not new else None
    # The format of a number is the size it is stored in, and no limit of its values.
    numeric = field == "format" and column and column.logical_type in ("integer", "number")
    if field == "enum" or (field in BOUNDS and not numeric):
        return _weaker(field, old, new)
    if field in ("description", "businessName", "tags", "examples", "authoritativeDefinitions"):
        return None
    if field == "deprecated":
        return Noted("is deprecated", may_break=False) if new else None
    return _noted(finding)


def _of_type(change: Change, column: Column | None, field: str) -> Effect | None:
    old, new = _name(change.old), _name(change.new)
    if field == "logicalType":
        if column and column.physical_type:
            return None  # The stored type is what readers see; a change of it is a finding of its own.
        old, new = logical_as_stored(old) or old, logical_as_stored(new) or new
    elif old is None:
        return None  # A promise is added.
    return None if same_type(old, new) else Retyped(old, new)


def _timestamp(timezone: Json) -> str:
    return "TIMESTAMP WITH TIME ZONE" if timezone is True else "TIMESTAMP"


def _of_key(old: Json, new: Json) -> Effect | None:
    """Of a table's key, given as its column names: loosened unless what is left was in it before."""
    before, after = tuple(old or ()), tuple(new or ())
    if not before or (after and set(after) <= set(before)):
        return None
    now = f"the key is {', '.join(map(str, after))} now" if after else "the table has no key any more"
    return Loosened("unique", None, f"may hold a value twice now: {now}")


def _lost_flag(field: str) -> Loosened:
    if field == "required":
        return Loosened("required", None, "may be NULL now")
    return Loosened("unique", None, "may hold a value twice now")


def _weaker(guarantee: str, old: Json, new: Json) -> Loosened | None:
    """The loosened guarantee, or None when the new one holds at least as much as the old one."""
    if old in (None, (), [], {}):
        return None
    if new in (None, (), [], {}):
        return Loosened(guarantee, None, f"has no {guarantee} any more")
    if guarantee == "enum":
        added = [v for v in values_of(new) if v not in values_of(old)]
        shown = ", ".join(repr(v) for v in added[:3]) + (" and more" if len(added) > 3 else "")
        return Loosened("enum", new, f"may be {shown} now") if added else None
    if within(guarantee, new, old):
        return None
    return Loosened(guarantee, new, f"has {guarantee} {new} now, where it had {old}")


def within(guarantee: str, inner: Json, outer: Json) -> bool:
    """Whether all that the guarantee's value ``inner`` lets through, ``outer`` lets through too."""
    if inner == outer:
        return True
    if guarantee == "enum":
        return all(v in values_of(outer) for v in values_of(inner))
    if not (_is_number(inner) and _is_number(outer)):
        return False
    if guarantee in _LOWER_BOUNDS:
        return bool(inner >= outer)
    if guarantee in _UPPER_BOUNDS:
        return bool(inner <= outer)
    return bool(guarantee == "multipleOf" and outer and inner % outer == 0)


def values_of(value: Json) -> list[Json]:
    """The permitted values in whatever form a contract has them."""
    if isinstance(value, QualityRule):
        value = value.arguments
    if isinstance(value, Mapping):
        value = value.get("validValues")
    return list(value) if isinstance(value, Iterable) and not isinstance(value, str) else []


def _of_quality(finding: Finding, change: Change) -> Effect | None:
    rule = change.old if isinstance(change.old, QualityRule) else None
    if values_of(change.old) and values_of(change.old) != values_of(change.new):
        return _weaker("enum", values_of(change.old), values_of(change.new))
    if change.kind is ChangeKind.REMOVED:
        return _lost_quality(rule.metric if rule and rule.metric else change.key or "rule")
    # Whether a threshold was loosened is what the rule found out: what it calls harmless is not.
    if finding.severity is Severity.INFO:
        return None
    metric = rule.metric if rule and rule.metric else change.key or "rule"
    return Loosened(f"quality:{metric}", change.new, f"has a weaker quality rule {metric} now")


def _lost_quality(metric: str) -> Loosened:
    known = {"nullValues": "required", "missingValues": "required", "duplicateValues": "unique"}
    if metric in known:
        return _lost_flag(known[metric])
    return Loosened(f"quality:{metric}", None, f"has no quality rule {metric} any more")


def _of_sla(finding: Finding, change: Change) -> Effect | None:
    old = change.old if isinstance(change.old, SlaProperty) else None
    new = change.new if isinstance(change.new, SlaProperty) else None
    name = (old.property if old else change.key) or "SLA"
    if change.kind is ChangeKind.REMOVED:
        return Late(name, None)
    held = sla_holds(new, old) if old and new else None
    # Where the two do not compare here, what the rule calls harmless is not loosened.
    if held or (held is None and finding.severity is Severity.INFO):
        return None
    if not adds_up(name):
        return Late(name, new)
    delay = Delay(amount_of(old) if old else None, amount_of(new) if new else None)
    return Late(name, new, delay, delay)


def _noted(finding: Finding) -> Noted | None:
    """An effect by severity, for changes that have no rule of their own here."""
    if finding.severity is Severity.INFO:
        return None
    return Noted(finding.message.rstrip("."), may_break=finding.severity is Severity.ERROR)


def changed_columns(change: Change, table: Table | None) -> tuple[str, ...]:
    """The stored path of the column that changed; of a key its columns. Empty: the table as a whole."""
    if change.element == "table" and change.field == "primaryKey":
        return tuple(change.old or ())
    if change.column is None:
        return ()
    return (_stored(change, table),)


def _stored(change: Change, table: Table | None = None) -> str:
    """The stored name of a top-level column, in the old version; of a nested one its path below that."""
    path = change.column or ""
    if "." in path:
        return lineage_name(table, path) if table is not None else path
    if isinstance(change.old, Column):
        return change.old.stored_name
    if change.field == "physicalName":
        return str(change.old or path)
    column = _column_now(change, table)
    if column and column.physical_name:
        return column.physical_name
    return path


def _column_now(change: Change, table: Table | None) -> Column | None:
    if table is None or change.column is None:
        return None
    return table.column(change.new_column or change.column)


def _name(value: Json) -> str | None:
    if isinstance(value, Column | Table):
        return value.name
    return None if value is None else str(value)


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
