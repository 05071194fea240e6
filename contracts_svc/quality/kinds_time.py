"""Check kinds about time: how old may the latest row be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

from sqlglot import exp

from contracts_svc.findings import Severity
from contracts_svc.model import Contract, Json, SlaProperty, Table
from contracts_svc.quality import texts
from contracts_svc.quality.kind import CheckKind, Merge, Origin, Promises, Reads, Values, is_number
from contracts_svc.quality.literals import NotComparable
from contracts_svc.quality.types import Family
from contracts_svc.runs import Check, Operator, Threshold, Unsupported

LATENCY = ("latency", "ly", "freshness")

_UNITS: dict[str, timedelta] = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), timedelta(seconds=1)),
    **dict.fromkeys(("m", "min", "minute", "minutes"), timedelta(minutes=1)),
    **dict.fromkeys(("h", "hr", "hour", "hours"), timedelta(hours=1)),
    **dict.fromkeys(("d", "day", "days"), timedelta(days=1)),
    **dict.fromkeys(("w", "week", "weeks"), timedelta(weeks=1)),
    # A calendar month or year has no fixed length; the longest keeps the promise on the safe side.
    **dict.fromkeys(("mo", "month", "months"), timedelta(days=31)),
    **dict.fromkeys(("y", "yr", "year", "years"), timedelta(days=366)),
}


def _latency(promises: Promises) -> Iterator[Check | Unsupported]:
    for promise in promises.contract.sla:
        if promise.property.strip().lower() in LATENCY:
            yield from _latency_checks(promise, promises)


def _latency_checks(promise: SlaProperty, promises: Promises) -> Iterator[Check | Unsupported]:
    table = promises.table
    what = f"slaProperties: {promise.property} of {promise.value}"
    element = promise.element or promises.contract.extra.get("slaDefaultElement")
    if not element:
        yield Unsupported(
            what=what, reason="it names no element, the column that tells a row's time", at=promise.at
        )
        return
    unit = _UNITS.get((promise.unit or "d").strip().lower())
    if unit is None or not is_number(promise.value):
        yield Unsupported(
            what=what, reason=f"{promise.value} {promise.unit or ''} is not a length of time", at=promise.at
        )
        return
    for path in _paths(str(element), promises.contract, table):
        column = table.column(path)
        if column is None:
            yield Unsupported(what=what, reason=f"{table.name} has no column {path}", at=promise.at)
            continue
        bound = promise.value * unit
        yield Check(
            id=f"{table.name}.{path}.freshness",
            kind="freshness",
            table=table.name,
            columns=(path,),
            arguments={"seconds": bound.total_seconds()},
            thresholds=(Threshold(Operator.LESS_OR_EQUAL, bound.total_seconds()),),
            severity=Severity.ERROR,
            dimension="timeliness",
            title=f"the latest {path} is at most {texts.duration(bound)} old",
            at=promise.at,
        )


def _paths(element: str, contract: Contract, table: Table) -> Iterator[str]:
    """The columns of this table among the elements, which are separated by commas."""
    for part in element.split(","):
        head, _, rest = part.strip().partition(".")
        if rest and head == table.name:
            yield rest
        elif len(contract.tables) == 1 and not (rest and table.column(part.strip()) is None):
            yield part.strip()


def _latest(reads: Reads) -> Mapping[str, exp.Expr]:
    family = reads.column.family
    if family not in (Family.DATE, Family.TIMESTAMP, Family.TIMESTAMP_TZ):
        raise NotComparable(f"a column of {family} does not tell a time")
    latest: exp.Expr = exp.Max(this=reads.value)
    if family is not Family.TIMESTAMP_TZ:
        zone = str(reads.column.column.logical_type_options.get("defaultTimezone") or "UTC")
        latest = exp.AtTimeZone(this=exp.cast(latest, "TIMESTAMP"), zone=exp.Literal.string(zone))
    return {"latest": latest}


def _age(values: Values, now: datetime) -> timedelta | None:
    text = values.get("latest")
    if text is None:
        return None
    latest = datetime.fromisoformat(text) if isinstance(text, str) else text
    return now - (latest if latest.tzinfo else latest.replace(tzinfo=UTC))


def _age_figure(check: Check, values: Values, now: datetime) -> Json:
    age = _age(values, now)
    return None if age is None else age.total_seconds()


def _found_age(check: Check, values: Values, now: datetime) -> str:
    age = _age(values, now)
    if age is None:
        return "no row that has one"
    return f"{values['latest']}, {texts.duration(age)} ago"


def _expected_age(check: Check) -> str:
    bound = timedelta(seconds=check.arguments["seconds"])
    return f"a latest {check.columns[0]} at most {texts.duration(bound)} old"


KINDS: tuple[CheckKind, ...] = (
    CheckKind(
        key="freshness",
        inside=False,
        purpose="Checks that the latest row is not older than promised (a date counts from its midnight).",
        source="slaProperties latency (ly, freshness) with value, unit, element",
        origin=Origin.SCAN,
        promised=_latency,
        subject=_expected_age,
        aggregates=_latest,
        expected=_expected_age,
        found=_found_age,
        figure=_age_figure,
        merge={"latest": Merge.MAX},
        typed=True,
        whole_table=lambda check: True,
    ),
)
