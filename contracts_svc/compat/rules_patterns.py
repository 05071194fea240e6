"""Rules for patterns of texts."""

from __future__ import annotations

from contracts_svc.compat import patterns
from contracts_svc.compat.options import BEYOND, ITSELF, OLD_DATA, on, pair
from contracts_svc.compat.patterns import Compared, Inclusion
from contracts_svc.compat.rule import ERROR, INFO, WARNING, Draft, Rule, Scope, both_ways, shown, subject
from contracts_svc.findings import Change

_NOBODY_KNOWS = Compared(Inclusion.UNDECIDED)


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
        told = "undecided, please review" + (f": {found.why}" if found.why else "")
    return Draft(
        message=f"{subject(change)}: pattern {shown(change.old)} -> {shown(change.new)} ({told})",
        why=why,
        fix=fix,
    )


def _compared(change: Change, scope: Scope) -> Compared:
    pair = patterns.pair_of(change)
    return patterns.compared(pair, scope.patterns) if pair else _NOBODY_KNOWS


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
