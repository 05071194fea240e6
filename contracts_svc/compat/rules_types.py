"""Rules for the types of columns."""

from __future__ import annotations

from contracts_svc.compat import physical
from contracts_svc.compat.lattice import Shape, Unknown
from contracts_svc.compat.readers import KEPT, breaking, differing, readers_of
from contracts_svc.compat.rule import (
    ERROR,
    INFO,
    WARNING,
    Draft,
    Rule,
    Scope,
    both_ways,
    loosens,
    severities,
    subject,
    tightens,
)
from contracts_svc.compat.types import Relation, shape_relation
from contracts_svc.findings import Change
from contracts_svc.model import Column

_ON = (
    "column.physicalType",
    "column.logicalType",
    "column.logicalTypeOptions.format",
    "column.logicalTypeOptions.timezone",
    "column.logicalTypeOptions.dimensions",
    "column.logicalTypeOptions.elementType",
)
_NEW_COLUMN = "offer the new type as a new column beside the old one, and deprecate the old one"


def type_widened(change: Change, scope: Scope) -> Draft | None:
    return _draft(
        change,
        scope,
        Relation.WIDENED,
        why="values may come that the old type cannot hold: readers that keep it overflow, cut or fail",
        fix=_NEW_COLUMN + ", or have every reader widen its own type first",
    )


def type_narrowed(change: Change, scope: Scope) -> Draft | None:
    return _draft(
        change,
        scope,
        Relation.NARROWED,
        why="all new values fit what readers expect, but values that used to come are now rejected, cut "
        "or rounded, and whatever is computed from the column gets another type",
        fix=_NEW_COLUMN + ", and check old data against the new type first",
    )


def type_lossy(change: Change, scope: Scope) -> Draft | None:
    return _draft(
        change,
        scope,
        Relation.LOSSY,
        why="neither type holds all values of the other, so values are silently rounded, cut or rejected",
        fix=_NEW_COLUMN,
    )


def type_reinterpreted(change: Change, scope: Scope) -> Draft | None:
    return _draft(
        change,
        scope,
        Relation.REINTERPRETED,
        why="the same stored values mean something else, so results are wrong without any error",
        fix=_NEW_COLUMN,
    )


def type_incompatible(change: Change, scope: Scope) -> Draft | None:
    return _draft(
        change,
        scope,
        Relation.INCOMPATIBLE,
        why="values do not convert from one type to the other, so reading the column fails",
        fix=_NEW_COLUMN,
    )


def type_unknown(change: Change, scope: Scope) -> Draft | None:
    return _draft(
        change,
        scope,
        Relation.UNKNOWN,
        why="whether values of one fit the other cannot be told, so readers may fail on them",
        fix="write both types as the server's engine spells them, or have readers agree",
    )


def physical_type_changed(change: Change, scope: Scope) -> Draft | None:
    old, new = scope.columns(change)
    if old and new and (_physical_only(old, new, scope) or _physical_only(new, old, scope)):
        return None
    shapes = _shapes(change, scope)
    known = shapes is None or not any(isinstance(shape, Unknown) for shape in shapes)
    return _draft(
        change,
        scope,
        Relation.EQUAL,
        why="both hold the same values, so readers do not notice"
        if known
        else "unknown type, compared by name: the names differ in case or spacing only",
        fix="nothing to do" if known else "make sure that the server's engine takes both for the same type",
    )


def widening_not_read(change: Change, scope: Scope) -> Draft | None:
    old, new = scope.columns(change)
    shapes = _shapes(change, scope)
    if old is None or new is None or shapes is None or not _decides(change, old, new):
        return None
    readers = readers_of(scope.new)
    if shape_relation(old, new, scope.dialect) not in KEPT or not breaking(readers, *shapes):
        return None
    return Draft(
        message=f"{subject(change)}: reading old data of type {_type(old, new)} as {_type(new, old)}, "
        + differing(readers, *shapes),
        why="the new type holds every old value, but files written before are of the old type, and not every "
        "reader converts them",
        fix="rewrite old files with the new type, or have these readers read the old type and cast",
    )


def type_declared(change: Change, scope: Scope) -> Draft | None:
    old, new = scope.columns(change)
    if old is None or new is None or not _decides(change, old, new):
        return None
    if _states(old):
        return None
    return Draft(
        message=f"{subject(change)}: a type is stated for the first time, {_type(new)}",
        why="readers learn what they get; old data has not been held to any type",
        fix="check old data against the type first",
    )


def type_undeclared(change: Change, scope: Scope) -> Draft | None:
    old, new = scope.columns(change)
    if old is None or new is None or not _decides(change, old, new):
        return None
    if _states(new):
        return None
    return Draft(
        message=f"{subject(change)}: the type {_type(old)} is no longer stated",
        why="any type may come now, so whatever readers compute from the column may fail",
        fix="keep stating a type, the widest one if need be",
    )


def physical_type_declared(change: Change, scope: Scope) -> Draft | None:
    old, new = scope.columns(change)
    if not old or not new or not _decides(change, old, new) or not _physical_only(new, old, scope):
        return None
    return Draft(
        message=f"{subject(change)}: how values are stored is stated for the first time, {_type(new)} "
        f"for {_type(old)}",
        why="readers learn how to read the same values; old data may be stored in another way",
        fix="check how old data is stored first",
    )


def physical_type_undeclared(change: Change, scope: Scope) -> Draft | None:
    old, new = scope.columns(change)
    if not old or not new or not _decides(change, old, new) or not _physical_only(old, new, scope):
        return None
    return Draft(
        message=f"{subject(change)}: how values are stored is no longer stated, {_type(old)} for "
        f"{_type(new)}",
        why="the same values may be stored in another way, which readers with fixed types do not expect",
        fix="keep stating the physical type",
    )


def _draft(change: Change, scope: Scope, relation: Relation, *, why: str, fix: str) -> Draft | None:
    """The draft, when the types of this column are related so and this change stands for it."""
    old, new = scope.columns(change)
    if old is None or new is None or not (_states(old) and _states(new)):
        return None
    if not _decides(change, old, new) or shape_relation(old, new, scope.dialect) is not relation:
        return None
    how = "unknown type, compared by name" if relation is Relation.UNKNOWN else relation.value
    return Draft(
        message=f"{subject(change)}: type {_type(old, new)} -> {_type(new, old)} ({how})"
        + _readers(change, scope, old, new),
        why=why,
        fix=fix,
    )


def _shapes(change: Change, scope: Scope) -> tuple[Shape, Shape] | None:
    """What is stored before and after, where both versions say so in the column itself."""
    old, new = scope.columns(change)
    if old is None or new is None or not (old.physical_type and new.physical_type):
        return None
    if old.children() or new.children():
        return None
    return physical.parse(old.physical_type, scope.dialect), physical.parse(new.physical_type, scope.dialect)


def _readers(change: Change, scope: Scope, old: Column, new: Column) -> str:
    """Who keeps the values and who breaks, where that is not what the relation says of every reader."""
    shapes = _shapes(change, scope)
    if shapes is None:
        return ""
    readers, (before, after) = readers_of(scope.new), shapes
    told = (
        (f"old data as {new.physical_type}", differing(readers, before, after)),
        (f"new data as {old.physical_type}", differing(readers, after, before)),
    )
    return "".join(f"; reading {what}, {who}" for what, who in told if who)


def _physical_only(one: Column, other: Column, scope: Scope) -> bool:
    """Whether only one of them says how values are stored, where both mean the same kind of value."""
    stated = bool(one.physical_type) and not other.physical_type and _states(other)
    return stated and shape_relation(one, other, scope.dialect) is Relation.EQUAL


def _states(column: Column) -> bool:
    return bool(column.physical_type or column.logical_type)


def _decides(change: Change, old: Column, new: Column) -> bool:
    """One change of type shows in several fields; the most telling of them stands for it."""
    if old.physical_type != new.physical_type:
        return change.field == "physicalType"
    if old.logical_type != new.logical_type:
        return change.field == "logicalType"
    # The format of a text or a date says how it is written, and has a rule of its own.
    return change.field != "logicalTypeOptions.format" or new.logical_type in ("integer", "number")


def _type(column: Column, other: Column | None = None) -> str:
    """The type as the contract states it; the logical one where the physical ones do not differ."""
    same = other is not None and column.physical_type == other.physical_type
    if column.physical_type and not same:
        return column.physical_type
    detail = {k: v for k, v in column.logical_type_options.items() if f"column.logicalTypeOptions.{k}" in _ON}
    details = ", ".join(f"{k} {str(v).lower()}" for k, v in sorted(detail.items()))
    return (column.logical_type or "none") + (f" ({details})" if details else "")


RULES = (
    Rule(
        id="type-widened",
        purpose="Checks that no type is widened beyond what readers can hold.",
        on=_ON,
        severities=loosens(ERROR),
        handler=type_widened,
        mirror="type-narrowed",
    ),
    Rule(
        id="widening-not-read",
        purpose="Checks that the readers of the files can read old data as the wider type.",
        on=_ON,
        severities=tightens(ERROR),
        handler=widening_not_read,
        mirror="the opposite is type-narrowed, where readers fail or change values anyway",
    ),
    Rule(
        id="type-narrowed",
        purpose="Checks that no type is narrowed to one that holds fewer values.",
        on=_ON,
        severities=severities(ERROR, WARNING),
        handler=type_narrowed,
        mirror="type-widened",
    ),
    Rule(
        id="type-lossy",
        purpose="Checks that no type is changed to one that rounds or cuts values.",
        on=_ON,
        severities=both_ways(ERROR),
        handler=type_lossy,
        mirror="lossy both ways: neither type holds all values of the other",
    ),
    Rule(
        id="type-reinterpreted",
        purpose="Checks that no type is changed to one under which values mean something else.",
        on=_ON,
        severities=both_ways(ERROR),
        handler=type_reinterpreted,
        mirror="reinterpreted both ways: the meaning changes in either direction",
    ),
    Rule(
        id="type-incompatible",
        purpose="Checks that no type is changed to one that its values do not convert to.",
        on=_ON,
        severities=both_ways(ERROR),
        handler=type_incompatible,
        mirror="incompatible both ways: no values convert in either direction",
    ),
    Rule(
        id="type-unknown",
        purpose="Checks that changed types are known, so that they can be compared.",
        on=_ON,
        severities=both_ways(WARNING),
        handler=type_unknown,
        mirror="unknown both ways: only the names are compared",
    ),
    Rule(
        id="physical-type-changed",
        purpose="Checks that a physical type spelt another way still holds the same values.",
        on=tuple(name for name in _ON if not name.endswith(".timezone")),
        severities=both_ways(INFO),
        handler=physical_type_changed,
        mirror="equal both ways: the values are the same",
    ),
    Rule(
        id="type-declared",
        purpose="Checks that a type stated for the first time is kept by old data.",
        on=_ON,
        severities=tightens(ERROR),
        handler=type_declared,
        mirror="type-undeclared",
    ),
    Rule(
        id="type-undeclared",
        purpose="Checks that a stated type is not withdrawn.",
        on=_ON,
        severities=loosens(ERROR),
        handler=type_undeclared,
        mirror="type-declared",
    ),
    Rule(
        id="physical-type-declared",
        purpose="Checks that a physical type stated beside a logical one is that of old data, too.",
        on=_ON,
        severities=tightens(WARNING),
        handler=physical_type_declared,
        mirror="physical-type-undeclared",
    ),
    Rule(
        id="physical-type-undeclared",
        purpose="Checks that a stated physical type is not withdrawn, even where a logical one stays.",
        on=_ON,
        severities=loosens(WARNING),
        handler=physical_type_undeclared,
        mirror="physical-type-declared",
    ),
)
