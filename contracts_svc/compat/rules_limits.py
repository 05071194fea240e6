"""Rules for limits: bounds and steps of numbers, lengths of texts, counts of entries.

A limit is judged with everything else that its column says, see :mod:`contracts_svc.compat.promised`.
"""

from __future__ import annotations

from contracts_svc.compat.fields import OPTION
from contracts_svc.compat.options import BEYOND, ITSELF, OLD_DATA, on, pair
from contracts_svc.compat.promised import (
    LOWER,
    UPPER,
    keeps_bounds,
    keeps_count,
    keeps_required,
    keeps_step,
    keeps_uniqueness,
)
from contracts_svc.compat.rule import ERROR, INFO, WARNING, Draft, Rule, Scope, both_ways, shown, subject
from contracts_svc.compat.sameness import same
from contracts_svc.compat.thresholds import Strictness, by_sets
from contracts_svc.findings import Change
from contracts_svc.model import Column

_CHECK_FIRST = "check old data against the new limit first"
_KEEP = "keep the limit, or announce the wider one and have readers agree"

_LENGTHS = ("minLength", "maxLength")
_COUNTS = ("minItems", "maxItems", "minProperties", "maxProperties")


def minimum_lowered(change: Change, scope: Scope) -> Draft | None:
    return _limit(change, scope, Strictness.LOOSENED, BEYOND, _KEEP)


def minimum_raised(change: Change, scope: Scope) -> Draft | None:
    return _limit(change, scope, Strictness.TIGHTENED, OLD_DATA, _CHECK_FIRST)


def maximum_raised(change: Change, scope: Scope) -> Draft | None:
    return _limit(change, scope, Strictness.LOOSENED, BEYOND, _KEEP)


def maximum_lowered(change: Change, scope: Scope) -> Draft | None:
    return _limit(change, scope, Strictness.TIGHTENED, OLD_DATA, _CHECK_FIRST)


def multiple_of_loosened(change: Change, scope: Scope) -> Draft | None:
    why = "values may come that are no multiple of what readers count in"
    return _limit(change, scope, Strictness.LOOSENED, why, _KEEP)


def multiple_of_tightened(change: Change, scope: Scope) -> Draft | None:
    fix = "check old data against the new step first"
    return _limit(change, scope, Strictness.TIGHTENED, OLD_DATA, fix)


def multiple_of_changed(change: Change, scope: Scope) -> Draft | None:
    why = "old data and old readers count in a step that the new values do not keep"
    return _limit(change, scope, Strictness.CHANGED, why, "offer the new step as a new column")


def length_loosened(change: Change, scope: Scope) -> Draft | None:
    why = "longer or shorter texts may come than readers have room for"
    return _limit(change, scope, Strictness.LOOSENED, why, _KEEP)


def length_tightened(change: Change, scope: Scope) -> Draft | None:
    return _limit(change, scope, Strictness.TIGHTENED, OLD_DATA, _CHECK_FIRST)


def item_count_loosened(change: Change, scope: Scope) -> Draft | None:
    why = "more or fewer entries may come than readers were promised"
    return _limit(change, scope, Strictness.LOOSENED, why, _KEEP)


def item_count_tightened(change: Change, scope: Scope) -> Draft | None:
    return _limit(change, scope, Strictness.TIGHTENED, OLD_DATA, _CHECK_FIRST)


def unique_items_added(change: Change, scope: Scope) -> Draft | None:
    return _limit(
        change,
        scope,
        Strictness.TIGHTENED,
        "lists written before may hold an entry twice, so they do not keep the new contract",
        "remove the duplicates of old data first",
    )


def unique_items_removed(change: Change, scope: Scope) -> Draft | None:
    return _limit(
        change,
        scope,
        Strictness.LOOSENED,
        "an entry may come twice now, so readers that unnest the list count double",
        "keep the entries unique",
    )


def bound_unclear(change: Change, scope: Scope) -> Draft | None:
    why = "whether the new limit lets through more or less than the old one cannot be told"
    return _limit(
        change,
        scope,
        Strictness.CHANGED,
        why,
        "write limits as numbers or ISO dates, and properties as a list of names",
    )


def limit_rewritten(change: Change, scope: Scope) -> Draft | None:
    why = "everything that the column says lets through the same at this limit as before"
    return _limit(change, scope, Strictness.SAME, why, "nothing to do")


def _limit(change: Change, scope: Scope, wanted: Strictness, why: str, fix: str) -> Draft | None:
    """The draft, when the limit moved so, and this change stands for it."""
    old, new = scope.columns(change)
    if old is None or new is None:
        return None
    names = _names(change)
    # A bound and its exclusive form are one limit: the first of the two that changed stands for it.
    if change.field != next((OPTION + n for n in names if _differs(old, new, n)), None):
        return None
    found = scope.once(("limit", names, id(old)), lambda: _moved(old, new, names))
    if found is not wanted:
        return None
    before, after = _spelt(old, names), _spelt(new, names)
    return Draft(message=f"{subject(change)}: {names[0]} {before} -> {after} ({found})", why=why, fix=fix)


def _names(change: Change) -> tuple[str, ...]:
    """The option that changed; for a bound, with its exclusive form."""
    name = (change.field or "").removeprefix(OPTION)
    return next((ends for ends in (LOWER, UPPER) if name in ends), (name,))


def _differs(old: Column, new: Column, name: str) -> bool:
    return not same(old.logical_type_options.get(name), new.logical_type_options.get(name))


def _moved(old: Column, new: Column, names: tuple[str, ...]) -> Strictness:
    kept, keeps = _keeps(old, names, new), _keeps(new, names, old)
    if kept is None or keeps is None:
        return Strictness.CHANGED
    return by_sets(kept, keeps)


def _keeps(column: Column, names: tuple[str, ...], other: Column) -> bool | None:
    """Whether all values of one keep a limit of the other; None: it cannot be told."""
    if names in (LOWER, UPPER):
        return keeps_bounds(column, names, other)
    if names == ("multipleOf",):
        return keeps_step(column, other)
    if names == ("uniqueItems",):
        return not other.logical_type_options.get("uniqueItems") or keeps_uniqueness(column)
    if names == ("required",):
        return keeps_required(column, other)
    return keeps_count(column, names[0], other)


def _spelt(column: Column, names: tuple[str, ...]) -> str:
    values = [(n, column.logical_type_options.get(n)) for n in names]
    if names == ("uniqueItems",):
        return shown(bool(values[0][1]))
    parts = [
        shown(v) + (" exclusive" if n.startswith("exclusive") else "") for n, v in values if v is not None
    ]
    return " and ".join(parts) or "none"


RULES = (
    *pair(minimum_lowered, minimum_raised, on(*LOWER), "a lower bound"),
    *pair(maximum_raised, maximum_lowered, on(*UPPER), "an upper bound"),
    Rule(
        id="bound-unclear",
        purpose="Checks that changed limits can be compared.",
        on=on(*LOWER, *UPPER, *_LENGTHS, *_COUNTS, "required"),
        severities=both_ways(WARNING),
        handler=bound_unclear,
        mirror=ITSELF,
    ),
    *pair(multiple_of_loosened, multiple_of_tightened, on("multipleOf"), "the step of a number"),
    Rule(
        id="multiple-of-changed",
        purpose="Checks that the step of a number is not replaced by another.",
        on=on("multipleOf"),
        severities=both_ways(ERROR),
        handler=multiple_of_changed,
        mirror=ITSELF,
    ),
    *pair(length_loosened, length_tightened, on(*_LENGTHS), "the length of a text"),
    *pair(item_count_loosened, item_count_tightened, on(*_COUNTS), "the number of entries"),
    *pair(unique_items_removed, unique_items_added, on("uniqueItems"), "the uniqueness of entries"),
    Rule(
        id="limit-rewritten",
        purpose="Checks that a limit written another way still lets through the same values.",
        on=on(*LOWER, *UPPER, "multipleOf", *_LENGTHS, *_COUNTS, "uniqueItems", "required"),
        severities=both_ways(INFO),
        handler=limit_rewritten,
        mirror=ITSELF,
    ),
)
