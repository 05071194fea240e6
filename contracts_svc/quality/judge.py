"""From measurements to results: was the promise kept, what was expected, what was found."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from contracts_svc.findings import Severity
from contracts_svc.model import Json
from contracts_svc.quality import texts
from contracts_svc.quality.kind import CheckKind, Values, is_number
from contracts_svc.quality.kinds import KIND_OF
from contracts_svc.runs import (
    Check,
    Measurement,
    Operator,
    Outcome,
    Plan,
    Result,
    Threshold,
    Unit,
)


def judge(plan: Plan, measurements: Iterable[Measurement], now: datetime) -> tuple[Result, ...]:
    """One result per check of the plan, in its order. A check without a measurement is SKIPPED.

    Bad data is FAILED for a check of severity ERROR, else WARNED. ``now`` has a time zone; freshness is
    measured against it.
    """
    by_check = {m.check: m for m in measurements}
    return tuple(_result(c, by_check.get(c.id), now) for c in plan.checks)


def _result(check: Check, measured: Measurement | None, now: datetime) -> Result:
    kind = KIND_OF[check.kind]
    wanted = expected(check, kind)
    if measured is None:
        return Result(check=check, outcome=Outcome.SKIPPED, expected=wanted, reason="it was not measured")
    if measured.error is not None:
        return Result(check=check, outcome=Outcome.ERRORED, expected=wanted, reason=measured.error)
    if measured.skipped is not None:
        return Result(
            check=check,
            outcome=Outcome.SKIPPED,
            expected=wanted,
            values=measured.values,
            reason=measured.skipped,
        )
    values = measured.values
    figure = figure_of(check, kind, values, now)
    kept = all(holds(t, _in_unit(check, figure, values)) for t in check.thresholds)
    bad = Outcome.FAILED if check.severity is Severity.ERROR else Outcome.WARNED
    counts = kind.failing is not None or "failing" in values
    return Result(
        check=check,
        outcome=Outcome.PASSED if kept else bad,
        expected=wanted,
        found=found(check, kind, values, now),
        failing=int(figure) if counts and is_number(figure) else None,
        rows=values.get("rows"),
        values=values,
    )


def figure_of(check: Check, kind: CheckKind, values: Values, now: datetime) -> Json:
    """The number (or boolean) that the thresholds judge, in rows."""
    if kind.figure is not None:
        return kind.figure(check, values, now)
    return values["failing"] if "failing" in values else values.get("value")


def _in_unit(check: Check, figure: Json, values: Values) -> Json:
    if check.unit is Unit.PERCENT and is_number(figure):
        return texts.percent(int(figure), int(values.get("rows") or 0))
    return figure


def holds(threshold: Threshold, figure: Json) -> bool:
    """Whether a figure keeps one threshold; where there is no figure, none is kept.

    The operators mean what ODCS says: ``mustBeBetween`` is strict on both sides, and
    ``mustNotBeBetween`` is its opposite.
    """
    if figure is None:
        return False
    limit = threshold.value
    match threshold.operator:
        case Operator.MUST_BE:
            return bool(figure == limit)
        case Operator.MUST_NOT_BE:
            return bool(figure != limit)
        case Operator.GREATER_THAN:
            return bool(figure > limit)
        case Operator.GREATER_OR_EQUAL:
            return bool(figure >= limit)
        case Operator.LESS_THAN:
            return bool(figure < limit)
        case Operator.LESS_OR_EQUAL:
            return bool(figure <= limit)
        case Operator.BETWEEN:
            return bool(limit[0] < figure < limit[1])
        case Operator.NOT_BETWEEN:
            return not limit[0] < figure < limit[1]


def expected(check: Check, kind: CheckKind) -> str:
    """What is promised, for a person: ``at most 0 rows without a match in airports.faa``."""
    if kind.expected is not None:
        return kind.expected(check)
    subject = kind.subject(check)
    counted = "rows " if kind.failing is not None or kind.rule_type == "custom" else ""
    limits = " and ".join(_limit(t, check.unit, count=bool(counted)) for t in check.thresholds)
    if check.unit is Unit.PERCENT:
        return f"{limits} % of the {counted}{subject}"
    return f"{limits} {counted}{subject}"


def _limit(threshold: Threshold, unit: Unit, *, count: bool) -> str:
    if count and threshold == Threshold(Operator.MUST_BE, 0):
        return "at most 0"
    return texts.threshold(threshold)


def found(check: Check, kind: CheckKind, values: Values, now: datetime) -> str:
    """What there is, for a person: ``7,602 of 336,776 rows (2.26 %)``."""
    if kind.found is not None:
        return kind.found(check, values, now)
    if "failing" in values:
        text = texts.share(int(values["failing"]), values.get("rows"))
        empty = check.unit is Unit.PERCENT and values.get("rows") == 0
        return f"{text}, which is 0 % by definition" if empty else text
    text = texts.figure(values.get("value"))
    return f"{text} rows" if check.kind == "row-count" else text
