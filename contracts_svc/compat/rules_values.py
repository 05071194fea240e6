"""Rules for the options of logical types: bounds, lengths, formats, patterns."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from contracts_svc.compat import patterns
from contracts_svc.compat.fields import OPTION
from contracts_svc.compat.rule import (
    ERROR,
    INFO,
    WARNING,
    Draft,
    Rule,
    Scope,
    both_ways,
    loosens,
    shown,
    subject,
    tightens,
)
from contracts_svc.compat.thresholds import Strictness, by_sets, compared, is_number, of_bounds
from contracts_svc.findings import Change
from contracts_svc.model import Json

_BEYOND = "values may come that readers were promised never to see"
_OLD_DATA = "data written before may hold values that the new contract forbids"
_CHECK_FIRST = "check old data against the new limit first"
_KEEP = "keep the limit, or announce the wider one and have readers agree"
_UNDECIDED = "whether the new limit lets through more or less than the old one cannot be told"

_LOWER, _UPPER = ("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")
_LENGTHS = ("minLength", "maxLength")
_COUNTS = ("minItems", "maxItems", "minProperties", "maxProperties")


def minimum_lowered(change: Change, scope: Scope) -> Draft | None:
    return _bound(change, scope, _LOWER, Strictness.LOOSENED, _BEYOND, _KEEP)


def minimum_raised(change: Change, scope: Scope) -> Draft | None:
    return _bound(change, scope, _LOWER, Strictness.TIGHTENED, _OLD_DATA, _CHECK_FIRST)


def maximum_raised(change: Change, scope: Scope) -> Draft | None:
    return _bound(change, scope, _UPPER, Strictness.LOOSENED, _BEYOND, _KEEP)


def maximum_lowered(change: Change, scope: Scope) -> Draft | None:
    return _bound(change, scope, _UPPER, Strictness.TIGHTENED, _OLD_DATA, _CHECK_FIRST)


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
    return _multiple(change, Strictness.TIGHTENED, _OLD_DATA, "check old data against the new step first")


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
    return _limit(change, Strictness.TIGHTENED, _OLD_DATA, _CHECK_FIRST)


def item_count_loosened(change: Change, scope: Scope) -> Draft | None:
    why = "more or fewer entries may come than readers were promised"
    return _limit(change, Strictness.LOOSENED, why, _KEEP)


def item_count_tightened(change: Change, scope: Scope) -> Draft | None:
    return _limit(change, Strictness.TIGHTENED, _OLD_DATA, _CHECK_FIRST)


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


def unique_items_added(change: Change, scope: Scope) -> Draft | None:
    if not change.new:
        return None
    return Draft(
        message=f"{subject(change)}: uniqueItems false -> true",
        why="lists written before may hold an entry twice, so they do not keep the new contract",
        fix="remove the duplicates of old data first",
    )


def unique_items_removed(change: Change, scope: Scope) -> Draft | None:
    if change.new or not change.old:
        return None
    return Draft(
        message=f"{subject(change)}: uniqueItems true -> false",
        why="an entry may come twice now, so readers that unnest the list count double",
        fix="keep the entries unique",
    )


def object_required_added(change: Change, scope: Scope) -> Draft | None:
    added = [n for n in change.new or () if n not in (change.old or ())]
    if not added:
        return None
    return Draft(
        message=f"{subject(change)}: these properties must exist now: {shown(added)}",
        why="objects written before may lack them, so they do not keep the new contract",
        fix="fill the properties in old data first",
    )


def object_required_removed(change: Change, scope: Scope) -> Draft | None:
    gone = [n for n in change.old or () if n not in (change.new or ())]
    if not gone:
        return None
    return Draft(
        message=f"{subject(change)}: these properties need not exist any more: {shown(gone)}",
        why="readers that take the properties for granted meet objects without them",
        fix="keep them required, with a value that stands for unknown",
    )


def format_added(change: Change, scope: Scope) -> Draft | None:
    if change.old is not None or _numeric(change, scope):
        return None
    return Draft(
        message=f"{subject(change)}: a format is stated, {shown(change.new)}",
        why="readers learn how values are written; data written before may be written otherwise",
        fix="check old data against the format first",
    )


def format_removed(change: Change, scope: Scope) -> Draft | None:
    if change.new is not None or _numeric(change, scope):
        return None
    return Draft(
        message=f"{subject(change)}: the format {shown(change.old)} is no longer stated",
        why="values may be written in any way now, so readers that parse them fail",
        fix="keep stating the format",
    )


def format_changed(change: Change, scope: Scope) -> Draft | None:
    if change.old is None or change.new is None or _numeric(change, scope):
        return None
    return Draft(
        message=f"{subject(change)}: format {shown(change.old)} -> {shown(change.new)}",
        why="readers that parse values in the old format fail, or read another value",
        fix="offer the new format as a new column beside the old one, and deprecate the old one",
    )


def timezone_changed(change: Change, scope: Scope) -> Draft | None:
    name = (change.field or "").removeprefix(OPTION)
    if name == "timezone" and None not in (change.old, change.new):
        return None  # A timestamp with and one without a zone are two types, which have their rules.
    return Draft(
        message=f"{subject(change)}: {name} {shown(change.old)} -> {shown(change.new)}",
        why="the same stored value may be another moment now",
        fix="state the zone that values have always had, or offer a new column",
    )


def pattern_added(change: Change, scope: Scope) -> Draft | None:
    if change.old is not None:
        return None
    return Draft(
        message=f"{subject(change)}: values must match {shown(change.new)} now",
        why=_OLD_DATA,
        fix="check old data against the pattern first",
    )


def pattern_removed(change: Change, scope: Scope) -> Draft | None:
    if change.new is not None:
        return None
    return Draft(
        message=f"{subject(change)}: values need not match {shown(change.old)} any more",
        why=_BEYOND,
        fix="keep the pattern, or announce what else may come",
    )


def pattern_changed(change: Change, scope: Scope) -> Draft | None:
    if not _two_patterns(change) or _same_pattern(change):
        return None
    return Draft(
        message=f"{subject(change)}: pattern {shown(change.old)} -> {shown(change.new)} "
        "(undecided, please review)",
        why="whether the new pattern lets through more or less than the old one is not decided here",
        fix="compare the two, and check old data against the new pattern",
    )


def pattern_rewritten(change: Change, scope: Scope) -> Draft | None:
    if not _two_patterns(change) or not _same_pattern(change):
        return None
    return Draft(
        message=f"{subject(change)}: pattern {shown(change.old)} is written {shown(change.new)} now",
        why="both let through the same values",
        fix="nothing to do",
    )


def pattern_invalid(change: Change, scope: Scope) -> Draft | None:
    if change.new is None or (isinstance(change.new, str) and patterns.valid(change.new)):
        return None
    return Draft(
        message=f"{subject(change)}: {shown(change.new)} is no regular expression",
        why="nothing can be checked against it, so the promise is empty",
        fix="correct the pattern; the standard asks for ECMA-262",
    )


def embedding_changed(change: Change, scope: Scope) -> Draft | None:
    name = (change.field or "").removeprefix(OPTION)
    return Draft(
        message=f"{subject(change)}: {name} {shown(change.old)} -> {shown(change.new)}",
        why="vectors of two models have nothing to do with each other, so distances are meaningless",
        fix="offer the new vectors as a new column beside the old ones",
    )


def _two_patterns(change: Change) -> bool:
    both = (change.old, change.new)
    return all(isinstance(p, str) for p in both) and patterns.valid(change.new)


def _same_pattern(change: Change) -> bool:
    return patterns.full_match(change.old) == patterns.full_match(change.new)


def _options(change: Change, scope: Scope) -> tuple[Mapping[str, Json], Mapping[str, Json]]:
    old, new = scope.columns(change)
    if old is None or new is None:
        return {}, {}
    return old.logical_type_options, new.logical_type_options


def _numeric(change: Change, scope: Scope) -> bool:
    """The format of a number is its type."""
    _, new = scope.columns(change)
    return new is not None and new.logical_type in ("integer", "number")


def _on(*names: str) -> tuple[str, ...]:
    return tuple(f"column.{OPTION}{name}" for name in names)


_ITSELF = "the opposite is the same change the other way round"


def _pair(
    loose: Callable[[Change, Scope], Draft | None],
    tight: Callable[[Change, Scope], Draft | None],
    on: tuple[str, ...],
    what: str,
) -> tuple[Rule, Rule]:
    """The two rules of a limit that old readers rely on and that old data must keep."""
    names = [h.__name__.replace("_", "-") for h in (loose, tight)]
    return (
        Rule(
            id=names[0],
            purpose=f"Checks that {what} is not loosened beyond what readers were promised.",
            on=on,
            severities=loosens(ERROR),
            handler=loose,
            mirror=names[1],
        ),
        Rule(
            id=names[1],
            purpose=f"Checks that {what} is tightened only when old data keeps it.",
            on=on,
            severities=tightens(ERROR),
            handler=tight,
            mirror=names[0],
        ),
    )


RULES = (
    *_pair(minimum_lowered, minimum_raised, _on(*_LOWER), "a lower bound"),
    *_pair(maximum_raised, maximum_lowered, _on(*_UPPER), "an upper bound"),
    Rule(
        id="bound-unclear",
        purpose="Checks that changed bounds can be compared.",
        on=_on(*_LOWER, *_UPPER),
        severities=both_ways(WARNING),
        handler=bound_unclear,
        mirror=_ITSELF,
    ),
    *_pair(multiple_of_loosened, multiple_of_tightened, _on("multipleOf"), "the step of a number"),
    Rule(
        id="multiple-of-changed",
        purpose="Checks that the step of a number is not replaced by another.",
        on=_on("multipleOf"),
        severities=both_ways(ERROR),
        handler=multiple_of_changed,
        mirror=_ITSELF,
    ),
    *_pair(length_loosened, length_tightened, _on(*_LENGTHS), "the length of a text"),
    *_pair(item_count_loosened, item_count_tightened, _on(*_COUNTS), "the number of entries"),
    *_pair(unique_items_removed, unique_items_added, _on("uniqueItems"), "the uniqueness of entries"),
    *_pair(object_required_removed, object_required_added, _on("required"), "what an object must have"),
    *_pair(format_removed, format_added, _on("format"), "how values are written"),
    Rule(
        id="format-changed",
        purpose="Checks that values keep the format that readers parse.",
        on=_on("format"),
        severities=both_ways(ERROR),
        handler=format_changed,
        mirror=_ITSELF,
    ),
    Rule(
        id="timezone-changed",
        purpose="Checks that the time zone of values stays what it was.",
        on=_on("timezone", "defaultTimezone"),
        severities=both_ways(WARNING),
        handler=timezone_changed,
        mirror=_ITSELF,
    ),
    *_pair(pattern_removed, pattern_added, _on("pattern"), "a pattern"),
    Rule(
        id="pattern-changed",
        purpose="Checks that a changed pattern is reviewed.",
        on=_on("pattern"),
        severities=both_ways(WARNING),
        handler=pattern_changed,
        mirror=_ITSELF,
    ),
    Rule(
        id="pattern-rewritten",
        purpose="Checks that a pattern written another way still lets through the same values.",
        on=_on("pattern"),
        severities=both_ways(INFO),
        handler=pattern_rewritten,
        mirror=_ITSELF,
    ),
    Rule(
        id="pattern-invalid",
        purpose="Checks that a pattern is a regular expression.",
        on=_on("pattern"),
        severities=both_ways(WARNING),
        handler=pattern_invalid,
        mirror="a pattern that becomes valid is a changed pattern",
    ),
    Rule(
        id="embedding-changed",
        purpose="Checks that vectors keep the model that made them.",
        on=_on("embeddingModel", "embeddingModelVersion", "normalized"),
        severities=both_ways(ERROR),
        handler=embedding_changed,
        mirror=_ITSELF,
    ),
)
