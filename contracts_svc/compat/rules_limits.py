"""Rules for limits: bounds and steps of numbers, lengths of texts, counts of entries."""

from __future__ import annotations

from collections.abc import Mapping

from contracts_svc.compat.fields import OPTION
from contracts_svc.compat.options import BEYOND, ITSELF, OLD_DATA, on, pair
from contracts_svc.compat.rule import ERROR, WARNING, Draft, Rule, Scope, both_ways, shown, subject
from contracts_svc.compat.thresholds import Strictness, by_sets, compared, is_number, of_bounds
from contracts_svc.findings import Change
from contracts_svc.model import Json

_CHECK_FIRST = "check old data against the new limit first"
_KEEP = "keep the limit, or announce the wider one and have readers agree"
_UNDECIDED = "whether the new limit lets through more or less than the old one cannot be told"

_LOWER, _UPPER = ("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")
_LENGTHS = ("minLength", "maxLength")
_COUNTS = ("minItems", "maxItems", "minProperties", "maxProperties")


def minimum_lowered(change: Change, scope: Scope) -> Draft | None:
    return _bound(change, scope, _LOWER, Strictness.LOOSENED, BEYOND, _KEEP)


def minimum_raised(change: Change, scope: Scope) -> Draft | None:
    return _bound(change, scope, _LOWER, Strictness.TIGHTENED, OLD_DATA, _CHECK_FIRST)


def maximum_raised(change: Change, scope: Scope) -> Draft | None:
    return _bound(change, scope, _UPPER, Strictness.LOOSENED, BEYOND, _KEEP)


def maximum_lowered(change: Change, scope: Scope) -> Draft | None:
    return _bound(change, scope, _UPPER, Strictness.TIGHTENED, OLD_DATA, _CHECK_FIRST)


def bound_unclear(change: Change, scope: Scope) -> Draft | None:
    ends = _LOWER if change.field in {OPTION + name for name in _LOWER} else _UPPER
    return _bound(change, scope, ends, Strictness.CHANGED, _UNDECIDED, "write bounds as numbers or ISO dates")


def _bound(
    change: Change, scope: Scope, ends: tuple[str, str], wanted: Strictness, why: str, fix: str
) -> Draft | None:
    """A bound and its exclusive form are one limit: the first of the two that changed stands for it."""
    old, new = _options(change, scope)
    changed = [OPTION + name for name in ends if old.get(name) != new.get(name)]
    if not changed or changed[0] != change.field or _moved(old, new, ends) is not wanted:
        return None
    before, after = _spelt(old, ends), _spelt(new, ends)
    return Draft(message=f"{subject(change)}: {ends[0]} {before} -> {after} ({wanted})", why=why, fix=fix)


def _moved(old: Mapping[str, Json], new: Mapping[str, Json], ends: tuple[str, str]) -> Strictness:
    sets = []
    for options in (old, new):
        limits = [(options.get(ends[0]), False), (options.get(ends[1]), True)]
        sets.append(of_bounds(limits, []) if ends is _LOWER else of_bounds([], limits))
    return compared(*sets)


def _spelt(options: Mapping[str, Json], ends: tuple[str, str]) -> str:
    inclusive, exclusive = options.get(ends[0]), options.get(ends[1])
    parts = [shown(inclusive)] if inclusive is not None else []
    parts += [f"{shown(exclusive)} exclusive"] if exclusive is not None else []
    return " and ".join(parts) or "none"


def multiple_of_loosened(change: Change, scope: Scope) -> Draft | None:
    why = "values may come that are no multiple of what readers count in"
    return _multiple(change, Strictness.LOOSENED, why, _KEEP)


def multiple_of_tightened(change: Change, scope: Scope) -> Draft | None:
    return _multiple(change, Strictness.TIGHTENED, OLD_DATA, "check old data against the new step first")


def multiple_of_changed(change: Change, scope: Scope) -> Draft | None:
    why = "old data and old readers count in a step that the new values do not keep"
    return _multiple(change, Strictness.CHANGED, why, "offer the new step as a new column")


def _multiple(change: Change, wanted: Strictness, why: str, fix: str) -> Draft | None:
    old, new = change.old, change.new
    if is_number(old) and is_number(new) and old > 0 and new > 0:
        found = by_sets(_is_multiple(old, new), _is_multiple(new, old))
    else:
        found = by_sets(new is None, old is None)
    if found is not wanted:
        return None
    return Draft(
        message=f"{subject(change)}: multipleOf {shown(old)} -> {shown(new)} ({wanted})", why=why, fix=fix
    )


def _is_multiple(value: float, step: float) -> bool:
    # 0.3 is a multiple of 0.1, though not in binary fractions.
    times = value / step
    return abs(times - round(times)) < 1e-9


def length_loosened(change: Change, scope: Scope) -> Draft | None:
    why = "longer or shorter texts may come than readers have room for"
    return _limit(change, Strictness.LOOSENED, why, _KEEP)


def length_tightened(change: Change, scope: Scope) -> Draft | None:
    return _limit(change, Strictness.TIGHTENED, OLD_DATA, _CHECK_FIRST)


def item_count_loosened(change: Change, scope: Scope) -> Draft | None:
    why = "more or fewer entries may come than readers were promised"
    return _limit(change, Strictness.LOOSENED, why, _KEEP)


def item_count_tightened(change: Change, scope: Scope) -> Draft | None:
    return _limit(change, Strictness.TIGHTENED, OLD_DATA, _CHECK_FIRST)


def _limit(change: Change, wanted: Strictness, why: str, fix: str) -> Draft | None:
    """One end of a count. A lower end of 0 is no limit."""
    name = (change.field or "").removeprefix(OPTION)
    lower = name.startswith("min")
    ends = [(None if lower and v == 0 else v, False) for v in (change.old, change.new)]
    sets = [of_bounds([e], []) if lower else of_bounds([], [e]) for e in ends]
    if compared(*sets) is not wanted:
        return None
    return Draft(
        message=f"{subject(change)}: {name} {shown(change.old)} -> {shown(change.new)} ({wanted})",
        why=why,
        fix=fix,
    )


def _options(change: Change, scope: Scope) -> tuple[Mapping[str, Json], Mapping[str, Json]]:
    old, new = scope.columns(change)
    if old is None or new is None:
        return {}, {}
    return old.logical_type_options, new.logical_type_options


RULES = (
    *pair(minimum_lowered, minimum_raised, on(*_LOWER), "a lower bound"),
    *pair(maximum_raised, maximum_lowered, on(*_UPPER), "an upper bound"),
    Rule(
        id="bound-unclear",
        purpose="Checks that changed bounds can be compared.",
        on=on(*_LOWER, *_UPPER),
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
)
