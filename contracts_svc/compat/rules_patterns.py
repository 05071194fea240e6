"""Rules for patterns of texts."""

from __future__ import annotations

from collections.abc import Iterable

from contracts_svc.compat import patterns
from contracts_svc.compat.modes import Mode
from contracts_svc.compat.options import BEYOND, ITSELF, OLD_DATA, on, pair
from contracts_svc.compat.patterns import Compared, Inclusion, Pair
from contracts_svc.compat.promised import as_pattern, keeps_pattern
from contracts_svc.compat.rule import (
    ERROR,
    INFO,
    WARNING,
    Draft,
    Rule,
    Scope,
    both_ways,
    shown,
    subject,
    trigger,
)
from contracts_svc.findings import Change
from contracts_svc.model import Column, Contract


def pattern_added(change: Change, scope: Scope) -> Draft | None:
    if change.old is not None or _compared(change, scope).inclusion is Inclusion.EQUAL:
        return None
    return Draft(
        message=f"{subject(change)}: values must match {shown(change.new)} now",
        why=OLD_DATA,
        fix="check old data against the pattern first",
    )


def pattern_removed(change: Change, scope: Scope) -> Draft | None:
    if change.new is not None or _compared(change, scope).inclusion is Inclusion.EQUAL:
        return None
    return Draft(
        message=f"{subject(change)}: values need not match {shown(change.old)} any more",
        why=BEYOND,
        fix="keep the pattern, or announce what else may come",
    )


def pattern_widened(change: Change, scope: Scope) -> Draft | None:
    return _of_two(
        change,
        scope,
        Inclusion.WIDER,
        why=BEYOND,
        fix="keep the pattern, or announce what else may come and have readers agree",
    )


def pattern_narrowed(change: Change, scope: Scope) -> Draft | None:
    return _of_two(
        change, scope, Inclusion.NARROWER, why=OLD_DATA, fix="check old data against the new pattern first"
    )


def pattern_changed(change: Change, scope: Scope) -> Draft | None:
    return _of_two(
        change,
        scope,
        Inclusion.DIFFERENT,
        why="values may come that readers were promised never to see, and old data may hold values that "
        "the new contract forbids",
        fix="offer the new spelling as a new column beside the old one",
    )


def pattern_undecided(change: Change, scope: Scope) -> Draft | None:
    return _of_two(
        change,
        scope,
        Inclusion.UNDECIDED,
        why="whether the new pattern lets through more or less than the old one cannot be told here",
        fix="compare the two, and check old data against the new pattern",
    )


def pattern_rewritten(change: Change, scope: Scope) -> Draft | None:
    if _compared(change, scope).inclusion is not Inclusion.EQUAL:
        return None
    return Draft(
        message=f"{subject(change)}: pattern {shown(change.old)} is written {shown(change.new)} now",
        why="both let through the same values",
        fix="nothing to do",
    )


def pattern_invalid(change: Change, scope: Scope) -> Draft | None:
    fault = "" if change.new is None else patterns.fault(change.new)
    if not fault:
        return None
    return Draft(
        message=f"{subject(change)}: {shown(change.new)} is no regular expression: {fault}",
        why="nothing can be checked against it, so the promise is empty",
        fix="correct the pattern; the standard asks for ECMA-262",
    )


def _of_two(change: Change, scope: Scope, wanted: Inclusion, *, why: str, fix: str) -> Draft | None:
    """The draft, when one pattern became another, and they compare so."""
    if change.old is None or change.new is None or patterns.fault(change.new):
        return None
    found = _compared(change, scope)
    if found.inclusion is not wanted:
        return None
    told = wanted.value
    if wanted is Inclusion.UNDECIDED:
        broken = patterns.fault(change.old)
        reason = f"the old one is no regular expression, {broken}" if broken else found.why
        told = "undecided, please review" + (f": {reason}" if reason else "")
    return Draft(
        message=f"{subject(change)}: pattern {shown(change.old)} -> {shown(change.new)} ({told})",
        why=why,
        fix=fix,
    )


def _compared(change: Change, scope: Scope) -> Compared:
    """What became of the pattern, with everything else that the column says."""
    old, new = scope.columns(change)
    if old is None or new is None or not _are_texts(change):
        return Compared(Inclusion.UNDECIDED)
    return scope.once(("pattern", id(old)), lambda: _of_columns(old, new, scope))


def _of_columns(old: Column, new: Column, scope: Scope) -> Compared:
    kept, keeps = _moves(old, new)
    told = [_holds(kept, Inclusion.WIDER, scope), _holds(keeps, Inclusion.NARROWER, scope)]
    undecided = next((t for t in told if isinstance(t, Compared)), None)
    return undecided or Compared(_BY_SETS[bool(told[0]), bool(told[1])])


def _holds(move: bool | Pair, also: Inclusion, scope: Scope) -> bool | Compared:
    """Whether all values keep a pattern; how the pair compares, when that is undecided."""
    if isinstance(move, bool):
        return move
    found = patterns.compared(move, scope.patterns)
    return found if found.inclusion is Inclusion.UNDECIDED else found.inclusion in (Inclusion.EQUAL, also)


_BY_SETS = {
    (True, True): Inclusion.EQUAL,
    (True, False): Inclusion.WIDER,
    (False, True): Inclusion.NARROWER,
    (False, False): Inclusion.DIFFERENT,
}
"""Whether old values keep the new pattern, and new values the old one."""


def _moves(old: Column, new: Column) -> tuple[bool | Pair, bool | Pair]:
    """Whether old values keep the new pattern, and new ones the old; where patterns must be compared to
    know, the pair of them."""
    before, after = (c.logical_type_options.get("pattern") for c in (old, new))
    kept = after is None or keeps_pattern(old, new)
    keeps = before is None or keeps_pattern(new, old)
    return (
        (as_pattern(old), after or "") if kept is None else kept,
        (before or "", as_pattern(new)) if keeps is None else keeps,
    )


def open_pairs(changes: Iterable[Change], old: Contract, new: Contract) -> tuple[Pair, ...]:
    """The pairs of patterns that the rules must know of to judge these changes, and that cannot be
    compared without automata. For whoever has them compared."""
    changed = [c for c in changes if trigger(c) in on("pattern") and _are_texts(c)]
    scope = Scope(old, new, Mode.FULL)
    found: dict[Pair, None] = {}
    for change in changed:
        before, after = scope.columns(change)
        if before is not None and after is not None:
            found.update((p, None) for p in _moves(before, after) if not isinstance(p, bool))
    return tuple(p for p in found if patterns.quick(*p) is None)


def _are_texts(change: Change) -> bool:
    return all(isinstance(p, str | None) for p in (change.old, change.new))


RULES = (
    *pair(pattern_removed, pattern_added, on("pattern"), "a pattern"),
    *pair(pattern_widened, pattern_narrowed, on("pattern"), "what a pattern lets through"),
    Rule(
        id="pattern-changed",
        purpose="Checks that a pattern is not replaced by one that lets through other values.",
        on=on("pattern"),
        severities=both_ways(ERROR),
        handler=pattern_changed,
        mirror=ITSELF,
    ),
    Rule(
        id="pattern-undecided",
        purpose="Checks that a changed pattern that cannot be compared is reviewed.",
        on=on("pattern"),
        severities=both_ways(WARNING),
        handler=pattern_undecided,
        mirror=ITSELF,
    ),
    Rule(
        id="pattern-rewritten",
        purpose="Checks that a pattern written another way still lets through the same values.",
        on=on("pattern"),
        severities=both_ways(INFO),
        handler=pattern_rewritten,
        mirror=ITSELF,
    ),
    Rule(
        id="pattern-invalid",
        purpose="Checks that a pattern is a regular expression.",
        on=on("pattern"),
        severities=both_ways(WARNING),
        handler=pattern_invalid,
        mirror="a pattern that becomes valid is one that cannot be compared",
    ),
)
