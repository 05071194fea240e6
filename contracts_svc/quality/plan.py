"""From a contract to the checks of one of its tables."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from contracts_svc.files import PARQUET, Reading
from contracts_svc.model import Contract, QualityRule, Table
from contracts_svc.quality import foreign, foreign_gx, foreign_soda
from contracts_svc.quality.judge import expected
from contracts_svc.quality.kind import (
    CheckKind,
    Promises,
    RuleAt,
    TargetOf,
    Terms,
    severity_of,
    thresholds_of,
    unit_of,
)
from contracts_svc.quality.kinds import KIND_OF, KINDS, Origin
from contracts_svc.runs import Check, Plan, Threshold, Unit, Unsupported

_ORDER = {kind.key: i for i, kind in enumerate(KINDS)}
_BY_METRIC = {kind.metric: kind for kind in KINDS if kind.metric}
_OLD_NAMES = {"duplicateCount": "duplicateValues"}
"""What ODCS 3.0 calls a metric -> what 3.1 calls it."""
_BY_TYPE = {kind.rule_type: kind for kind in KINDS if kind.rule_type}


def plan(contract: Contract, table: Table, *, target_of: TargetOf, reading: Reading = PARQUET) -> Plan:
    """Every check that the contract states for the table, and what it states that cannot be checked.

    Checks of the table as a whole come first, then those of each column in written order.
    ``target_of`` finds what a relationship's reference names (see ``quality.references.resolver``).
    ``reading`` is how the files are read: text files keep no types, so their values are looked at.
    """
    promises = Promises(contract=contract, table=table, target_of=target_of, reading=reading)
    stated = [c for kind in KINDS if kind.promised is not None for c in kind.promised(promises)]
    stated += _rules(contract, table)
    stated = [_outside_lists(s) for s in stated]
    checks = [s for s in stated if isinstance(s, Check)]
    position = {column.path: i for i, column in enumerate(table.walk())}

    def order(check: Check) -> tuple[int, int]:
        place = position.get(check.columns[0], -1) if len(check.columns) == 1 else -1
        return place, _ORDER[check.kind]

    return Plan(
        contract=contract.id,
        version=contract.version,
        table=table.name,
        checks=_distinct(sorted(checks, key=order)),
        unsupported=tuple(s for s in stated if isinstance(s, Unsupported)),
    )


def _outside_lists(stated: Check | Unsupported) -> Check | Unsupported:
    if isinstance(stated, Unsupported) or KIND_OF[stated.kind].inside:
        return stated
    inside = [c for c in stated.columns if "[]" in c or "{" in c]
    if not inside:
        return stated
    return Unsupported(
        what=f"{stated.table}: {stated.title}",
        reason=f"{', '.join(inside)} is inside an array or a map, of whose values this cannot be asked",
        at=stated.at,
    )


def _rules(contract: Contract, table: Table) -> Iterator[Check | Unsupported]:
    for rule in table.quality:
        yield from _stated(RuleAt(rule=rule, contract=contract, table=table, column=None))
    for column in table.walk():
        for rule in column.quality:
            yield from _stated(RuleAt(rule=rule, contract=contract, table=table, column=column))


_ENGINES = {
    "soda": foreign_soda.translate,
    "sodacl": foreign_soda.translate,
    "greatexpectations": foreign_gx.translate,
    "gx": foreign_gx.translate,
}


def _stated(at: RuleAt) -> Iterator[Check | Unsupported]:
    """A rule as checks: one in the words of another engine may be several."""
    engine = re.sub(r"[^a-z]", "", (at.rule.engine or "").lower())
    translate = _ENGINES.get(engine) if (at.rule.type or "").lower() == "custom" else None
    if translate is None:
        yield _rule(at)
        return
    try:
        translated = translate(at, foreign.read(at))
    except foreign.NotTranslated as error:
        yield _unsupported(at, f"{at.rule.engine}: {error}")
        return
    for each in translated:
        kind = KIND_OF[each.kind]
        if each.unit is Unit.PERCENT and kind.failing is None:
            yield _unsupported(at, f"{at.rule.engine}: {each.kind} has no percentage")
            continue
        terms = Terms(columns=each.columns, arguments=each.arguments)
        label = "-".join((each.kind, *each.columns)) if at.column is None else each.kind
        yield _check(at, kind, terms, each.thresholds, each.unit, label)


def _rule(at: RuleAt) -> Check | Unsupported:
    found = _kind_of(at.rule)
    if isinstance(found, str):
        return _unsupported(at, found)
    terms = found.terms(at) if found.terms is not None else Terms()
    thresholds = _thresholds(at.rule, found)
    unit = unit_of(at.rule) if found.rule_type != "sql" else Unit.ROWS
    for problem in (terms, thresholds, unit):
        if isinstance(problem, str) and not isinstance(problem, Unit):
            return _unsupported(at, problem)
    assert isinstance(terms, Terms)
    assert isinstance(thresholds, tuple)
    assert isinstance(unit, Unit)
    if unit is Unit.PERCENT and found.failing is None and found.origin is not Origin.CUSTOM:
        return _unsupported(at, f"{at.rule.metric} has no percentage")
    return _check(at, found, terms, thresholds, unit, found.key)


def _check(
    at: RuleAt, found: CheckKind, terms: Terms, thresholds: tuple[Threshold, ...], unit: Unit, label: str
) -> Check:
    place = at.table.name if at.column is None else f"{at.table.name}.{at.column.path}"
    rule = at.rule
    check = Check(
        id=f"{place}.{rule.id or _slug(rule.name) or label}",
        kind=found.key,
        table=at.table.name,
        columns=terms.columns,
        arguments=terms.arguments,
        thresholds=thresholds,
        unit=unit,
        severity=severity_of(rule.severity),
        dimension=rule.dimension,
        at=rule.at,
    )
    return replace(check, title=_title(check, rule, found))


def _kind_of(rule: QualityRule) -> CheckKind | str:
    kind_of_rule = (rule.type or "library").lower()
    if kind_of_rule == "text":
        return "a rule in plain words is for people; no program can check it"
    if kind_of_rule in _BY_TYPE:
        return _BY_TYPE[kind_of_rule]
    metric = rule.metric or "a rule without a metric"
    found = _BY_METRIC.get(_OLD_NAMES.get(metric, metric))
    return found or f"{metric} is not a metric of the standard"


def _thresholds(rule: QualityRule, kind: CheckKind) -> tuple[Threshold, ...] | str:
    if not rule.operators and kind.origin is Origin.CUSTOM:
        return Check(id="", kind="", table="").thresholds
    return thresholds_of(rule)


def _unsupported(at: RuleAt, reason: str) -> Unsupported:
    place = at.table.name if at.column is None else f"{at.table.name}.{at.column.path}"
    rule = at.rule
    name = rule.name or rule.id or rule.metric or rule.description or rule.type
    return Unsupported(what=f"{place}: {name}", reason=reason, at=rule.at)


def _title(check: Check, rule: QualityRule, kind: CheckKind) -> str:
    said = rule.description or rule.name
    return " ".join(said.split()) if said else expected(check, kind)


def _slug(name: str | None) -> str:
    return re.sub(r"[^\w.-]+", "-", name or "").strip("-").lower()


def _distinct(checks: list[Check]) -> tuple[Check, ...]:
    """Number the ids that are there more than once, so that each names one check."""
    seen: Counter[str] = Counter()
    found: list[Check] = []
    for check in checks:
        seen[check.id] += 1
        count = seen[check.id]
        found.append(check if count == 1 else replace(check, id=f"{check.id}-{count}"))
    return tuple(found)
