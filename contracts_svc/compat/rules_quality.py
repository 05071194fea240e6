"""Rules for quality rules: their thresholds, units, values and logic."""

from __future__ import annotations

from contracts_svc.compat.fields import freeze
from contracts_svc.compat.promised import outside
from contracts_svc.compat.rule import (
    ERROR,
    INFO,
    WARNING,
    Draft,
    Rule,
    Scope,
    both_ways,
    loosens,
    parts,
    shown,
    subject,
    tightens,
    unordered,
)
from contracts_svc.compat.sameness import same
from contracts_svc.compat.thresholds import COUNTS, EVERYTHING, Permitted, Strictness, compared, of_operators
from contracts_svc.findings import Change, Severity
from contracts_svc.model import Json, QualityRule

_NOTHING_FAILS: Permitted = (((0, 0), (0, 0)),)
_COUNTING = frozenset({"nullValues", "missingValues", "invalidValues", "duplicateValues", "rowCount"})
_PERCENT = frozenset({"percent", "%", "percentage"})
_SYMBOLS = {
    "mustBe": "=",
    "mustNotBe": "!=",
    "mustBeGreaterThan": ">",
    "mustBeGreaterOrEqualTo": ">=",
    "mustBeLessThan": "<",
    "mustBeLessOrEqualTo": "<=",
    "mustBeBetween": "between",
    "mustNotBeBetween": "not between",
}


def quality_rule_added(change: Change, scope: Scope) -> Draft | None:
    return Draft(
        message=f"{subject(change)}: quality rule {_name(change.new)} is added",
        why="readers are promised more; data written before has not been held to it",
        fix="run the rule over old data first",
    )


def quality_rule_removed(change: Change, scope: Scope) -> Draft | None:
    return Draft(
        message=f"{subject(change)}: quality rule {_name(change.old)} is removed",
        why="nobody checks any more what readers rely on",
        fix="keep the rule, if need be with a severity of warning",
    )


def quality_threshold_loosened(change: Change, scope: Scope) -> Draft | None:
    why = "data that would have failed before passes now and reaches readers"
    return _threshold(change, Strictness.LOOSENED, why, "keep the threshold, or have readers agree")


def quality_threshold_tightened(change: Change, scope: Scope) -> Draft | None:
    why = "readers are promised more; data written before may fail"
    return _threshold(change, Strictness.TIGHTENED, why, "run the rule over old data first")


def quality_threshold_changed(change: Change, scope: Scope) -> Draft | None:
    if _units_differ(change):
        return None
    why = "some data that passed before fails now, and some that failed passes"
    return _threshold(change, Strictness.CHANGED, why, "add a second rule and keep the old one for a while")


def quality_unit_changed(change: Change, scope: Scope) -> Draft | None:
    if not _units_differ(change):
        return None
    why = "rows and percent do not compare: which is stricter depends on how many rows there are"
    return _threshold(change, Strictness.CHANGED, why, "keep the unit, or have readers agree")


def _threshold(change: Change, wanted: Strictness, why: str, fix: str) -> Draft | None:
    old, new = change.old, change.new
    if _measures_differ(change) or _moved(old, new) is not wanted:
        return None
    return Draft(
        message=f"{subject(change)}: quality rule {_name(new)} {_limit(old)} -> {_limit(new)} ({wanted})",
        why=why,
        fix=fix,
        values=(_threshold_of(old), _threshold_of(new)),
    )


def _threshold_of(rule: QualityRule) -> Json:
    return dict(rule.operators), _unit(rule)


def _moved(old: QualityRule, new: QualityRule) -> Strictness:
    if same(old.operators, new.operators) and _unit(old) == _unit(new):
        return Strictness.SAME
    before, after = _permitted(old), _permitted(new)
    if _unit(old) == _unit(new):
        return compared(before, after)
    # In any unit, no failures at all is the strictest that there is.
    if before == _NOTHING_FAILS or after == _NOTHING_FAILS:
        return compared(before, after)
    return Strictness.CHANGED


def _permitted(rule: QualityRule) -> Permitted | None:
    counts = rule.type == "library" and rule.metric in _COUNTING
    return of_operators(rule.operators, COUNTS if counts else EVERYTHING)


def _unit(rule: QualityRule) -> str:
    unit = (rule.unit or "rows").lower()
    return "percent" if unit in _PERCENT else unit


def _units_differ(change: Change) -> bool:
    return _unit(change.old) != _unit(change.new)


def _limit(rule: QualityRule) -> str:
    parts = [f"{_SYMBOLS.get(k, k)} {shown(v)}" for k, v in sorted(rule.operators.items())]
    unit = "%" if _unit(rule) == "percent" else (f" {rule.unit}" if rule.unit else "")
    return (" and ".join(parts) + unit) if parts else "no threshold"


def quality_logic_changed(change: Change, scope: Scope) -> Draft | None:
    if not _measures_differ(change):
        return None
    return Draft(
        message=f"{subject(change)}: quality rule {_name(change.new)} checks something else: "
        f"{_logic(change.old)} -> {_logic(change.new)}",
        why="what readers were promised is no longer checked; whether the new check covers it is open",
        fix="add the new rule beside the old one, and remove the old one when nobody relies on it",
        values=(_measured(change.old), _measured(change.new)),
    )


def _measures_differ(change: Change) -> bool:
    return not same(_measured(change.old), _measured(change.new))


def _measured(rule: QualityRule) -> object:
    arguments = {k: v for k, v in rule.arguments.items() if k != "validValues"}
    return (
        rule.type,
        rule.metric,
        rule.query,
        rule.engine,
        freeze(rule.implementation),
        freeze(arguments),
        "validValues" in rule.arguments,
    )


def _logic(rule: QualityRule) -> str:
    what: Json = rule.query or rule.implementation or rule.metric or rule.description or rule.type
    return shown(what) + (f" {shown(dict(rule.arguments))}" if rule.arguments else "")


def valid_values_extended(change: Change, scope: Scope) -> Draft | None:
    old, new = _valid_values(change.old), _valid_values(change.new)
    added = outside(new, old)
    if not added or _measures_differ(change):
        return None
    return Draft(
        message=f"{subject(change)}: values added to validValues: {shown(added)} (before: {shown(old)})",
        why="readers that handle every listed value meet values that they do not know",
        fix="announce the values first and have readers treat unknown ones",
        values=(unordered(old), unordered(new)),
    )


def valid_values_shrunk(change: Change, scope: Scope) -> Draft | None:
    old, new = _valid_values(change.old), _valid_values(change.new)
    gone = outside(old, new)
    if not gone or _measures_differ(change):
        return None
    return Draft(
        message=f"{subject(change)}: values removed from validValues: {shown(gone)} (left: {shown(new)})",
        why="data written before may hold the removed values, so it does not keep the new contract",
        fix="replace the removed values in old data first",
        values=(unordered(old), unordered(new)),
    )


def _valid_values(rule: QualityRule) -> list[Json]:
    values = rule.arguments.get("validValues")
    return values if isinstance(values, list) else []


def quality_severity_lowered(change: Change, scope: Scope) -> Draft | None:
    old, new = _severity(change.old), _severity(change.new)
    if old is None or new is None or new.rank <= old.rank:
        return None
    return Draft(
        message=f"{subject(change)}: quality rule {_name(change.new)} is of severity {new} now, before {old}",
        why="when the rule fails, less is done about it than readers expect",
        fix="keep the severity, or have readers agree",
        values=(old, new),
    )


def quality_severity_raised(change: Change, scope: Scope) -> Draft | None:
    old, new = _severity(change.old), _severity(change.new)
    if old is None or new is None or new.rank >= old.rank:
        return None
    return Draft(
        message=f"{subject(change)}: quality rule {_name(change.new)} is of severity {new} now, before {old}",
        why="when the rule fails, more is done about it than before",
        fix="run the rule over old data first",
        values=(old, new),
    )


def _severity(rule: QualityRule) -> Severity | None:
    """Its severity; ``error`` when it does not say."""
    text = (rule.severity or "error").lower()
    return Severity(text) if text in Severity.__members__.values() else None


_SCHEDULE = ("schedule", "scheduler")


def quality_schedule_changed(change: Change, scope: Scope) -> Draft | None:
    old, new = change.old, change.new
    if all(getattr(old, name) == getattr(new, name) for name in _SCHEDULE):
        return None
    return Draft(
        message=f"{subject(change)}: quality rule {_name(new)} runs {shown(new.schedule)}, before "
        f"{shown(old.schedule)}",
        why="bad data may be found later or sooner than readers expect",
        fix="tell readers that act on the result of the rule",
        values=parts(change, _SCHEDULE),
    )


def quality_words_changed(change: Change, scope: Scope) -> Draft | None:
    old, new = change.old, change.new
    names = ("id", "name", "description", "dimension", "business_impact", "extra")
    texts = [n for n in names if not same(getattr(old, n), getattr(new, n))]
    unknown = _severity(old) is None or _severity(new) is None
    if unknown and old.severity != new.severity:
        texts.append("severity")
    texts += _rewritten(old, new)
    if not texts:
        return None
    return Draft(
        message=f"{subject(change)}: quality rule {_name(new)} is described otherwise ({', '.join(texts)})",
        why="the same is checked as before",
        fix="nothing to do",
        values=parts(change, texts),
    )


def _rewritten(old: QualityRule, new: QualityRule) -> list[str]:
    """What demands the same as before and is written another way: 0 as 0.0, `= 0` as `<= 0`."""
    if not same(_measured(old), _measured(new)):
        return []
    found = []
    if _moved(old, new) is Strictness.SAME:
        found += [n for n in ("operators", "unit") if not same(getattr(old, n), getattr(new, n))]
    olds, news = _valid_values(old), _valid_values(new)
    if unordered(olds) != unordered(news) and not outside(olds, news) and not outside(news, olds):
        found.append("arguments")
    return found


def _name(rule: QualityRule) -> str:
    return rule.name or rule.id or rule.metric or shown(rule.query or rule.description or rule.type)


_ITSELF = "the opposite is the same change the other way round"
_CHANGED = ("quality.changed",)

RULES = (
    Rule(
        id="quality-rule-added",
        purpose="Checks that an added quality rule is kept by old data.",
        on=("quality.added",),
        severities=tightens(WARNING),
        handler=quality_rule_added,
        mirror="quality-rule-removed",
    ),
    Rule(
        id="quality-rule-removed",
        purpose="Checks that no quality rule is removed that readers rely on.",
        on=("quality.removed",),
        severities=loosens(WARNING),
        handler=quality_rule_removed,
        mirror="quality-rule-added",
    ),
    Rule(
        id="quality-threshold-loosened",
        purpose="Checks that the threshold of a quality rule does not let through more.",
        on=_CHANGED,
        severities=loosens(WARNING),
        handler=quality_threshold_loosened,
        mirror="quality-threshold-tightened",
    ),
    Rule(
        id="quality-threshold-tightened",
        purpose="Checks that a tightened threshold of a quality rule is kept by old data.",
        on=_CHANGED,
        severities=tightens(WARNING),
        handler=quality_threshold_tightened,
        mirror="quality-threshold-loosened",
    ),
    Rule(
        id="quality-threshold-changed",
        purpose="Checks that the threshold of a quality rule is not replaced by another.",
        on=_CHANGED,
        severities=both_ways(WARNING),
        handler=quality_threshold_changed,
        mirror=_ITSELF,
    ),
    Rule(
        id="quality-unit-changed",
        purpose="Checks that a quality rule keeps counting rows, or percent.",
        on=_CHANGED,
        severities=both_ways(WARNING),
        handler=quality_unit_changed,
        mirror=_ITSELF,
    ),
    Rule(
        id="quality-logic-changed",
        purpose="Checks that a quality rule keeps checking the same.",
        on=_CHANGED,
        severities=both_ways(WARNING),
        handler=quality_logic_changed,
        mirror=_ITSELF,
    ),
    Rule(
        id="valid-values-extended",
        purpose="Checks that no value is added to the valid values of a quality rule.",
        on=_CHANGED,
        severities=loosens(ERROR),
        handler=valid_values_extended,
        mirror="valid-values-shrunk",
    ),
    Rule(
        id="valid-values-shrunk",
        purpose="Checks that no valid value of a quality rule is removed that old data holds.",
        on=_CHANGED,
        severities=tightens(ERROR),
        handler=valid_values_shrunk,
        mirror="valid-values-extended",
    ),
    Rule(
        id="quality-severity-lowered",
        purpose="Checks that a failing quality rule stays as serious as it was.",
        on=_CHANGED,
        severities=loosens(WARNING),
        handler=quality_severity_lowered,
        mirror="quality-severity-raised",
    ),
    Rule(
        id="quality-severity-raised",
        purpose="Checks that a quality rule becomes more serious only when old data keeps it.",
        on=_CHANGED,
        severities=tightens(WARNING),
        handler=quality_severity_raised,
        mirror="quality-severity-lowered",
    ),
    Rule(
        id="quality-schedule-changed",
        purpose="Checks that readers hear when a quality rule runs at another time.",
        on=_CHANGED,
        severities=both_ways(INFO),
        handler=quality_schedule_changed,
        mirror=_ITSELF,
    ),
    Rule(
        id="quality-words-changed",
        purpose="Checks that a quality rule described otherwise still checks the same.",
        on=_CHANGED,
        severities=both_ways(INFO),
        handler=quality_words_changed,
        mirror=_ITSELF,
    ),
)
