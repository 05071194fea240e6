"""Rules for patterns of texts."""

from __future__ import annotations

from contracts_svc.compat import patterns
from contracts_svc.compat.options import BEYOND, ITSELF, OLD_DATA, on, pair
from contracts_svc.compat.rule import INFO, WARNING, Draft, Rule, Scope, both_ways, shown, subject
from contracts_svc.findings import Change


def pattern_added(change: Change, scope: Scope) -> Draft | None:
    if change.old is not None:
        return None
    return Draft(
        message=f"{subject(change)}: values must match {shown(change.new)} now",
        why=OLD_DATA,
        fix="check old data against the pattern first",
    )


def pattern_removed(change: Change, scope: Scope) -> Draft | None:
    if change.new is not None:
        return None
    return Draft(
        message=f"{subject(change)}: values need not match {shown(change.old)} any more",
        why=BEYOND,
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


def _two_patterns(change: Change) -> bool:
    both = (change.old, change.new)
    return all(isinstance(p, str) for p in both) and patterns.valid(change.new)


def _same_pattern(change: Change) -> bool:
    return patterns.full_match(change.old) == patterns.full_match(change.new)


RULES = (
    *pair(pattern_removed, pattern_added, on("pattern"), "a pattern"),
    Rule(
        id="pattern-changed",
        purpose="Checks that a changed pattern is reviewed.",
        on=on("pattern"),
        severities=both_ways(WARNING),
        handler=pattern_changed,
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
        mirror="a pattern that becomes valid is a changed pattern",
    ),
)
