"""Check kinds of service levels that the times of the rows show.

Each reads the column that ``element`` names. Rows without a time say nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlglot import exp

from contracts_svc.compat import service_levels
from contracts_svc.findings import Severity
from contracts_svc.model import Json, SlaProperty
from contracts_svc.quality import sla, texts
from contracts_svc.quality.kind import (
    CheckKind,
    Merge,
    Origin,
    Own,
    Promises,
    Reads,
    Values,
    call,
    is_number,
)
from contracts_svc.quality.literals import NotComparable
from contracts_svc.quality.types import Family
from contracts_svc.runs import Check, Operator, Threshold, Unsupported

# --- what is promised -----------------------------------------------------------------------------


def _promised(
    promises: Promises, *, name: str, make: Callable[[sla.Level, str], Check | Unsupported]
) -> Iterator[Check | Unsupported]:
    for level in sla.levels(promises, name):
        yield from sla.of_columns(level, promises, make)


def _within_length(level: sla.Level, path: str, *, kind: str, title: str) -> Check | Unsupported:
    """A check whose figure, in seconds, is at most the promised length of time."""
    bound = sla.length(level.promise)
    if bound is None or bound <= timedelta():
        written = f"{level.promise.value} {level.promise.unit or ''}".strip()
        return level.unsupported(f"{written} is not a length of time")
    seconds = bound.total_seconds()
    return _check(
        level,
        path,
        kind,
        title.format(column=path, length=texts.duration(bound)),
        Threshold(Operator.LESS_OR_EQUAL, seconds),
        seconds=seconds,
    )


def _check(
    level: sla.Level, path: str, kind: str, title: str, threshold: Threshold, **arguments: Json
) -> Check:
    return Check(
        id=f"{level.table.name}.{path}.{kind}",
        kind=kind,
        table=level.table.name,
        columns=(path,),
        arguments=arguments,
        thresholds=(threshold,),
        severity=Severity.ERROR,
        dimension="timeliness",
        title=title,
        at=level.promise.at,
    )


def _time_of_day(level: sla.Level, path: str) -> Check | Unsupported:
    found = service_levels.amount(level.promise)
    if found is None or found[1] != "moment" or not isinstance(level.promise.value, str):
        return level.unsupported(f"{level.promise.value} is not a time of day, such as 06:00Z")
    at = str(level.promise.value)
    title = f"by {at}, {path} reaches into the day before"
    none = Threshold(Operator.LESS_OR_EQUAL, 0)
    return _check(level, path, "time-of-availability", title, none, seconds=found[0], time=at)


_PER = re.compile(r"(?:rows|records|events|messages)?\s*(?:/|\bper\b)\s*([a-z]+)", re.IGNORECASE)


def _throughput(level: sla.Level, path: str) -> Check | Unsupported:
    promise = level.promise
    per = _PER.fullmatch((promise.unit or "").strip())
    each = sla.length(SlaProperty(property="latency", value=1, unit=per[1])) if per else None
    if each is None or not is_number(promise.value):
        return level.unsupported("its unit must say rows per which time, as in rows/day")
    title = f"at least {texts.figure(promise.value)} rows in every {texts.duration(each)} of {path}"
    least = Threshold(Operator.GREATER_OR_EQUAL, promise.value)
    seconds = each.total_seconds()
    return _check(level, path, "throughput", title, least, seconds=seconds, rows=promise.value)


# --- how it is measured ---------------------------------------------------------------------------


def _moment(reads: Reads) -> exp.Expr:
    """The time of a row, in its own type."""
    if reads.column.family not in (Family.DATE, Family.TIMESTAMP, Family.TIMESTAMP_TZ):
        raise NotComparable(f"a column of {reads.column.family} does not tell a time")
    return reads.value


def _is_a_time(reads: Reads) -> exp.Expr:
    """Infinity, and what is outside of the years 1 to 9999, marks "none": nothing happened then."""
    if any(v.type == "TIMESTAMP_NS" for v in reads.column.variants):
        return call("isfinite", reads.value)
    first, last = (exp.cast(exp.Literal.string(day), "DATE") for day in ("0001-01-02", "9999-12-30"))
    return exp.Between(this=reads.value, low=first, high=last)


def _extreme(reads: Reads, *, name: str, function: type[exp.AggFunc]) -> Mapping[str, exp.Expr]:
    moment = _moment(reads)
    found: exp.Expr = exp.Filter(this=function(this=moment), expression=exp.Where(this=_is_a_time(reads)))
    if reads.column.family is not Family.TIMESTAMP_TZ:
        zone = str(reads.column.column.logical_type_options.get("defaultTimezone") or "UTC")
        found = exp.AtTimeZone(this=exp.cast(found, "TIMESTAMP"), zone=exp.Literal.string(zone))
    return {name: found}


def _slots(reads: Reads) -> exp.Select:
    """The rows by slots of the promised length: slot, rows, first and last time in it, in seconds."""
    moment = _moment(reads)
    seconds = call(
        "epoch", moment if reads.column.family is not Family.DATE else exp.cast(moment, "TIMESTAMP")
    )
    length = exp.Literal.number(repr(float(reads.check.arguments["seconds"])))
    slot = exp.Floor(this=exp.Div(this=seconds, expression=length))
    return (
        exp.select(
            exp.alias_(slot, "slot"),
            exp.alias_(exp.Count(this=exp.Star()), "n"),
            exp.alias_(exp.Min(this=seconds.copy()), "first"),
            exp.alias_(exp.Max(this=seconds.copy()), "last"),
        )
        .from_(reads.source)
        .where(_is_a_time(reads))
        .group_by(slot.copy())
    )


def _gaps(reads: Reads) -> Own:
    """The longest time without a row: within a slot, none is longer than the promise."""
    order = exp.Order(expressions=[exp.column("slot")])
    following = exp.Window(this=exp.Anonymous(this="lead", expressions=[exp.column("first")]), order=order)
    gap = exp.Sub(this=following, expression=exp.column("last"))
    gaps = exp.select(exp.alias_(gap, "gap"), "last").from_(_slots(reads).subquery("slots"))
    query = exp.select(
        exp.alias_(exp.Max(this=exp.column("gap")), "gap"),
        exp.alias_(call("arg_max", exp.column("last"), exp.column("gap")), "after"),
        exp.alias_(exp.Count(this=exp.Star()), "slots"),
    ).from_(gaps.subquery("gaps"))
    return Own(query=query, sources=(reads.layout.table.name,))


def _rates(reads: Reads) -> Own:
    """The fewest rows of a slot; the first and the last may have begun or not be over."""
    ends = exp.select(
        exp.alias_(exp.Min(this=exp.column("slot")), "a"), exp.alias_(exp.Max(this=exp.column("slot")), "b")
    ).from_("slots")
    inner = (
        exp.select("n", "slot", "a", "b")
        .from_("slots")
        .join(ends.subquery("ends"), join_type="cross")
        .where(
            exp.and_(
                exp.GT(this=exp.column("slot"), expression=exp.column("a")),
                exp.LT(this=exp.column("slot"), expression=exp.column("b")),
            )
        )
    )
    whole = exp.select(
        exp.alias_(exp.Min(this=exp.column("n")), "fewest"),
        exp.alias_(exp.Count(this=exp.Star()), "slots"),
        exp.alias_(call("arg_min", exp.column("slot"), exp.column("n")), "slot"),
    ).from_(inner.subquery("whole"))
    span = exp.Sub(this=exp.column("b"), expression=exp.column("a"))
    query = (
        exp.select("fewest", "slots", "slot", exp.alias_(span, "span"))
        .from_(whole.subquery("counted"))
        .join(ends.subquery("ends"), join_type="cross")
        .with_("slots", as_=_slots(reads), materialized=True)
    )
    return Own(query=query, sources=(reads.layout.table.name,))


# --- what the rows of the answer mean -------------------------------------------------------------


def _read_gaps(check: Check, rows: Sequence[Mapping[str, Json]]) -> Values:
    row = rows[0]
    return {"gap": (row["gap"] or 0.0) if row["slots"] else None, "after": row["after"]}


def _read_rates(check: Check, rows: Sequence[Mapping[str, Json]]) -> Values:
    row = rows[0]
    if row["span"] is None or row["span"] < 2:
        return {"fewest": None, "whole": 0}
    whole = int(row["span"]) - 1
    empty = whole - int(row["slots"])
    begins = None if empty or row["slot"] is None else row["slot"] * check.arguments["seconds"]
    return {"fewest": 0 if empty else int(row["fewest"]), "whole": whole, "empty": empty, "begins": begins}


def _when(values: Values, name: str) -> datetime | None:
    text = values.get(name)
    if text is None:
        return None
    found = datetime.fromisoformat(text) if isinstance(text, str) else text
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _age_figure(check: Check, values: Values, now: datetime, *, name: str) -> Json:
    when = _when(values, name)
    return None if when is None else (now - when).total_seconds()


def _days_short(check: Check, values: Values, now: datetime) -> Json:
    """By how many days the latest row falls short of the day that had to be there by now (UTC days)."""
    latest = _when(values, "latest")
    if latest is None:
        return None
    due = (now - timedelta(seconds=check.arguments["seconds"])).astimezone(UTC).date() - timedelta(days=1)
    return (due - latest.astimezone(UTC).date()).days


def _rate_figure(check: Check, values: Values, now: datetime) -> Json:
    # Until one slot is over, nothing is known to be too little.
    return check.arguments["rows"] if not values["whole"] else values["fewest"]


# --- for a person ---------------------------------------------------------------------------------

NO_ROW = "no row that has one"


def _bound(check: Check) -> str:
    return texts.duration(timedelta(seconds=check.arguments["seconds"]))


def _found_age(check: Check, values: Values, now: datetime, *, name: str) -> str:
    when = _when(values, name)
    return NO_ROW if when is None else f"{values[name]}, {texts.duration(now - when)} ago"


def _expected_age(check: Check) -> str:
    return f"a latest {check.columns[0]} at most {_bound(check)} old"


def _expected_retention(check: Check) -> str:
    return f"no {check.columns[0]} more than {_bound(check)} old"


def _expected_gap(check: Check) -> str:
    return f"a {check.columns[0]} at least every {_bound(check)}"


def _found_gap(check: Check, values: Values, now: datetime) -> str:
    gap = values["gap"]
    if gap is None:
        return NO_ROW
    if gap <= check.arguments["seconds"]:
        return "no longer gap"
    after = datetime.fromtimestamp(values["after"], UTC)
    return f"none for {texts.duration(timedelta(seconds=gap))} after {after.isoformat()}"


def _expected_time(check: Check) -> str:
    return f"by {check.arguments['time']}, a latest {check.columns[0]} of the day before (UTC) or later"


def _expected_rate(check: Check) -> str:
    return f"at least {texts.figure(check.arguments['rows'])} rows in every {_bound(check)}"


def _found_rate(check: Check, values: Values, now: datetime) -> str:
    if not values["whole"]:
        return f"not yet a whole {_bound(check)} of rows"
    if values["empty"]:
        return f"no row in {values['empty']:,} of {values['whole']:,} slots of {_bound(check)}"
    begins = datetime.fromtimestamp(values["begins"], UTC)
    return f"as few as {values['fewest']:,} rows, from {begins.isoformat()}"


KINDS: tuple[CheckKind, ...] = (
    CheckKind(
        key="freshness",
        inside=False,
        purpose="Checks that the latest row is not older than promised (a date counts from its midnight).",
        source="slaProperties latency (ly, freshness, timeliness) with value, unit, element",
        origin=Origin.SCAN,
        promised=partial(
            _promised,
            name="latency",
            make=partial(
                _within_length, kind="freshness", title="the latest {column} is at most {length} old"
            ),
        ),
        subject=_expected_age,
        aggregates=partial(_extreme, name="latest", function=exp.Max),
        expected=_expected_age,
        found=partial(_found_age, name="latest"),
        figure=partial(_age_figure, name="latest"),
        merge={"latest": Merge.MAX},
        typed=True,
        whole_table=lambda check: True,
        footer="where the first and last times of a file are told, and are times",
    ),
    CheckKind(
        key="retention",
        inside=False,
        purpose="Checks that no row is kept longer than promised.",
        source="slaProperties retention (re) with value, unit, element",
        origin=Origin.SCAN,
        promised=partial(
            _promised,
            name="retention",
            make=partial(_within_length, kind="retention", title="no {column} is kept more than {length}"),
        ),
        subject=_expected_retention,
        aggregates=partial(_extreme, name="oldest", function=exp.Min),
        expected=_expected_retention,
        found=partial(_found_age, name="oldest"),
        # An empty table keeps nothing too long.
        figure=lambda check, values, now: _age_figure(check, values, now, name="oldest") or 0.0,
        merge={"oldest": Merge.MIN},
        typed=True,
        footer="where the first and last times of a file are told, and are times",
    ),
    CheckKind(
        key="frequency",
        inside=False,
        purpose="Checks that rows follow each other at least as often as promised.",
        source="slaProperties frequency (fy, update frequency) with value, unit, element",
        origin=Origin.GROUP,
        promised=partial(
            _promised,
            name="frequency",
            make=partial(
                _within_length, kind="frequency", title="there is a {column} at least every {length}"
            ),
        ),
        subject=_expected_gap,
        own=_gaps,
        read=_read_gaps,
        expected=_expected_gap,
        found=_found_gap,
        figure=lambda check, values, now: values["gap"],
        merge={"gap": Merge.NEVER},
        typed=True,
        whole_table=lambda check: True,
    ),
    CheckKind(
        key="time-of-availability",
        inside=False,
        purpose="Checks that by a time of day, there are rows of the day before or later (UTC days).",
        source="slaProperties timeOfAvailability (ta) with value (06:00, 06:00-05:00), element",
        origin=Origin.SCAN,
        promised=partial(_promised, name="timeofavailability", make=_time_of_day),
        subject=_expected_time,
        aggregates=partial(_extreme, name="latest", function=exp.Max),
        expected=_expected_time,
        found=partial(_found_age, name="latest"),
        figure=_days_short,
        merge={"latest": Merge.MAX},
        typed=True,
        whole_table=lambda check: True,
        footer="where the first and last times of a file are told, and are times",
    ),
    CheckKind(
        key="throughput",
        inside=False,
        purpose="Checks that every whole hour, day, ... has as many rows as promised.",
        source="slaProperties throughput (th) with value, unit (rows/day), element",
        origin=Origin.GROUP,
        promised=partial(_promised, name="throughput", make=_throughput),
        subject=_expected_rate,
        own=_rates,
        read=_read_rates,
        expected=_expected_rate,
        found=_found_rate,
        figure=_rate_figure,
        merge={"fewest": Merge.NEVER},
        typed=True,
        whole_table=lambda check: True,
    ),
)
