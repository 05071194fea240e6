"""All compatibility rules, and the judgement of Changes by them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date

from contracts_svc.compat import (
    rules_columns,
    rules_constraints,
    rules_contract,
    rules_limits,
    rules_meaning,
    rules_patterns,
    rules_people,
    rules_quality,
    rules_servers,
    rules_sla,
    rules_tables,
    rules_types,
    rules_values,
)
from contracts_svc.compat.derived import derived
from contracts_svc.compat.diff import diff
from contracts_svc.compat.history import Readers
from contracts_svc.compat.modes import Mode
from contracts_svc.compat.patterns import Answers
from contracts_svc.compat.rule import Rule, Scope, at_of, shown, trigger, unordered
from contracts_svc.compat.thresholds import as_date
from contracts_svc.errors import Location
from contracts_svc.findings import Change, Finding, ordered
from contracts_svc.model import Contract, Json

__all__ = ["FAMILIES", "RULES", "Rule", "judge", "judge_each"]

FAMILIES: Mapping[str, tuple[Rule, ...]] = {
    "tables": rules_tables.RULES,
    "columns": rules_columns.RULES,
    "types": rules_types.RULES,
    "constraints": rules_constraints.RULES,
    "limits": rules_limits.RULES,
    "values": rules_values.RULES,
    "patterns": rules_patterns.RULES,
    "quality": rules_quality.RULES,
    "sla": rules_sla.RULES,
    "servers": rules_servers.RULES,
    "meaning": rules_meaning.RULES,
    "people": rules_people.RULES,
    "contract": rules_contract.RULES,
}
"""The rules by what they are about; a policy may name a family."""

RULES: tuple[Rule, ...] = tuple(rule for rules in FAMILIES.values() for rule in rules)
"""Every rule. Commands, documentation and tests read this tuple."""

PatternsOf = Callable[[Iterable[Change], Contract, Contract], Answers]
"""The changes between two versions, and both -> how the patterns compare that these turn on."""


def _by_trigger() -> dict[str, tuple[Rule, ...]]:
    found: defaultdict[str, list[Rule]] = defaultdict(list)
    for rule in RULES:
        for name in rule.on:
            found[name].append(rule)
    return {name: tuple(rules) for name, rules in found.items()}


_BY_TRIGGER = _by_trigger()


def judge(
    changes: Iterable[Change],
    old: Contract,
    new: Contract,
    mode: Mode = Mode.FORWARD,
    *,
    today: date | None = None,
    patterns: Answers | None = None,
) -> tuple[Finding, ...]:
    """What the rules say about these changes between two versions, worst first.

    ``changes`` are those of :func:`contracts_svc.compat.diff.diff`. Under NONE everything is told and
    nothing is worse than INFO. ``today`` tells whether an announced removal date has come; without it
    the new contract's ``contractCreatedTs`` does. ``patterns`` tells how the pairs compare that
    :func:`contracts_svc.compat.rules_patterns.open_pairs` names; one that is not told is undecided.
    """
    day = today or as_date(new.extra.get("contractCreatedTs"))
    scope = Scope(old, new, mode, tuple(changes), day, patterns=patterns or {})
    if not scope.changes:
        return ()
    for change in scope.changes:
        if trigger(change) != "contract.version":
            scope.found.extend(_findings(change, scope))
    for change in derived(scope):
        scope.found.extend(_findings(change, scope))
    return ordered(scope.found)


def judge_each(
    newest_first: Iterable[Contract],
    new: Contract,
    mode: Mode,
    *,
    today: date | None = None,
    patterns: PatternsOf | None = None,
    readers: Readers | None = None,
) -> tuple[Finding, ...]:
    """What the rules say about a new version against each of these, the last one first.

    :func:`contracts_svc.compat.history.versions_to_judge` says which to ask. What is the same to several
    versions is told once; ``against`` and the message name the versions and their ``readers``, unless it
    concerns the last one alone. One version after the other is looked at and let go. Raises UserMistake
    when one of them is not a version of the same contract.
    """
    found: dict[tuple[str, Location], Finding] = {}
    against: defaultdict[tuple[str, Location], list[str]] = defaultdict(list)
    last = ""
    for old in newest_first:
        last = last or old.version
        changes = diff(old, new)
        known = patterns(changes, old, new) if patterns else None
        for finding in judge(changes, old, new, mode, today=today, patterns=known):
            key = (finding.fingerprint, finding.at)
            found.setdefault(key, finding)
            against[key].append(old.version)
    return ordered(_against(finding, against[key], last, readers or {}) for key, finding in found.items())


def _against(finding: Finding, versions: Sequence[str], last: str, readers: Readers) -> Finding:
    if list(versions) == [last]:
        return finding
    oldest_first = tuple(reversed(versions))
    noun = "version" if len(versions) == 1 else "versions"
    names = sorted({name for version in versions for name in readers.get(version, ())})
    who = f", read by {shown(names)}" if names else ""
    return replace(
        finding,
        against=oldest_first,
        message=f"{finding.message} (against {noun} {shown(oldest_first)}{who})",
    )


def _findings(change: Change, scope: Scope) -> Iterator[Finding]:
    rules = _BY_TRIGGER.get(trigger(change)) or _BY_TRIGGER.get(f"{change.element}.*", ())
    for rule in rules:
        draft = rule.handler(change, scope)
        if draft is not None:
            yield Finding(
                rule=rule.id,
                severity=rule.severities[scope.mode],
                message=draft.message,
                at=draft.at or at_of(change),
                why=draft.why,
                fix=draft.fix,
                contract=scope.old.id,
                change=change,
                values=draft.values or _without_order(change),
            )


_SETS = ("enum", "tags")
"""Fields that are lists whose order means nothing."""


def _without_order(change: Change) -> tuple[Json, Json] | None:
    if change.field not in _SETS:
        return None
    return unordered(change.old or ()), unordered(change.new or ())
