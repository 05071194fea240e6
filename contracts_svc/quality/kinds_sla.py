"""Check kinds of service levels that no row shows: how long a table lives, and what only time tells.

What is judged from incidents or from many runs is in the table of kinds too, so that a contract that
promises it is told so; a single run skips it and says why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

from contracts_svc.compat import service_levels
from contracts_svc.findings import Severity
from contracts_svc.model import Json
from contracts_svc.quality import sla, texts
from contracts_svc.quality.kind import CheckKind, Merge, Origin, Promises, Values
from contracts_svc.quality.layout import Layout
from contracts_svc.runs import Check, Operator, Threshold, Unsupported


def _end(promises: Promises, *, name: str, kind: str, severity: Severity) -> Iterator[Check | Unsupported]:
    for level in sla.levels(promises, name):
        if not sla.about(level, promises):
            continue
        found = service_levels.amount(level.promise)
        if found is None or found[1] != "moment" or len(str(level.promise.value)) < len("2026-01-01"):
            yield level.unsupported(f"{level.promise.value} is not a date")
            continue
        end = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=found[0])
        yield Check(
            id=f"{level.table.name}.{kind}",
            kind=kind,
            table=level.table.name,
            arguments={"end": end.isoformat(), "written": str(level.promise.value)},
            thresholds=(Threshold(Operator.GREATER_THAN, 0),),
            severity=severity,
            title=f"{level.table.name} is there until {level.promise.value}",
            at=level.promise.at,
        )


def _measure_end(check: Check, layout: Layout) -> Values:
    return {"end": check.arguments["end"]}


def _seconds_left(check: Check, values: Values, now: datetime) -> Json:
    return (datetime.fromisoformat(str(values["end"])) - now).total_seconds()


def _expected_end(check: Check) -> str:
    return f"a day before {check.arguments['written']}"


def _found_end(check: Check, values: Values, now: datetime) -> str:
    left = timedelta(seconds=_seconds_left(check, values, now))
    return f"{texts.duration(left)} left" if left > timedelta() else f"over since {texts.duration(-left)}"


def _over_time(promises: Promises, *, name: str, kind: str, make: _Bound) -> Iterator[Check | Unsupported]:
    for level in sla.levels(promises, name):
        if not sla.about(level, promises):
            continue
        written = f"{level.promise.value} {level.promise.unit or ''}".strip()
        threshold = make(level)
        if isinstance(threshold, str):
            yield level.unsupported(f"{written} {threshold}")
            continue
        yield Check(
            id=f"{level.table.name}.{kind}",
            kind=kind,
            table=level.table.name,
            arguments={"value": level.promise.value, "unit": level.promise.unit},
            thresholds=(threshold,),
            title=f"{level.promise.property} of {level.table.name}: {written}",
            at=level.promise.at,
        )


_Bound = Callable[[sla.Level], Threshold | str]
"""The bound that a service level states, or why it states none."""


def _share(level: sla.Level, *, operator: Operator) -> Threshold | str:
    """A part of the runs, in percent; a number without a unit is one too, up to 1 a ratio."""
    found = service_levels.amount(level.promise)
    if found is None or found[1] not in ("share", "unit "):
        return "is no part of the time, as 99.5 %"
    percent = found[0] * 100 if found[1] == "unit " and found[0] <= 1 else found[0]
    return Threshold(operator, percent) if 0 <= percent <= 100 else "is not between 0 and 100 %"


def _at_most(level: sla.Level) -> Threshold | str:
    length = sla.length(level.promise)
    if length is None or length <= timedelta():
        return "is not a length of time"
    return Threshold(Operator.LESS_OR_EQUAL, length.total_seconds())


def _expected_share(check: Check) -> str:
    (threshold,) = check.thresholds
    word = "at least" if threshold.operator is Operator.GREATER_OR_EQUAL else "at most"
    return f"{word} {texts.figure(threshold.value)} % of the runs of 30 days"


def _found_share(check: Check, values: Values, now: datetime) -> str:
    many = f"{values['of']:,} run" + ("s" if values["of"] > 1 else "")
    return f"{texts.figure(round(values['value'], 3))} % of {many}"


def _expected_time(check: Check) -> str:
    return f"at most {texts.duration(timedelta(seconds=check.thresholds[0].value))}"


def _found_time(check: Check, values: Values, now: datetime) -> str:
    if not values["of"]:
        return "no incident in 30 days"
    many = f"{values['of']:,} incident" + ("s" if values["of"] > 1 else "")
    return f"as long as {texts.duration(timedelta(seconds=values['value']))}, of {many}"


def _history(*, key: str, name: str, purpose: str, source: str, judged: str, make: _Bound) -> CheckKind:
    share = judged == _RUNS
    return CheckKind(
        key=key,
        purpose=purpose,
        source=f"slaProperties {source} with value, unit",
        origin=Origin.HISTORY,
        promised=partial(_over_time, name=name, kind=key, make=make),
        subject=_expected_share if share else _expected_time,
        expected=_expected_share if share else _expected_time,
        found=_found_share if share else _found_time,
        judged=judged,
        merge={"value": Merge.NEVER},
        whole_table=lambda check: True,
    )


_INCIDENTS = "it is judged from incidents, and there is no history of them here"
_RUNS = "it is judged from many runs, and there is no history of them here"


def _until(*, key: str, name: str, purpose: str, source: str, severity: Severity) -> CheckKind:
    return CheckKind(
        key=key,
        purpose=purpose,
        source=f"slaProperties {source} with value (2027-01-01)",
        origin=Origin.FOOTER,
        promised=partial(_end, name=name, kind=key, severity=severity),
        subject=_expected_end,
        measure=_measure_end,
        expected=_expected_end,
        found=_found_end,
        figure=_seconds_left,
        merge={"end": Merge.MIN},
    )


KINDS: tuple[CheckKind, ...] = (
    _until(
        key="end-of-support",
        name="endofsupport",
        purpose="Checks that the day on which support ends is not reached (a warning).",
        source="endOfSupport (es, eos)",
        severity=Severity.WARNING,
    ),
    _until(
        key="end-of-life",
        name="endoflife",
        purpose="Checks that the day on which the data is given up is not reached.",
        source="endOfLife (el, eol)",
        severity=Severity.ERROR,
    ),
    _history(
        key="availability",
        name="availability",
        purpose="Checks that the data can be read for as large a part of the time as promised.",
        source="availability (av, uptime)",
        judged=_RUNS,
        make=partial(_share, operator=Operator.GREATER_OR_EQUAL),
    ),
    _history(
        key="error-rate",
        name="errorrate",
        purpose="Checks that no larger part of the runs fails than promised.",
        source="errorRate (er)",
        judged=_RUNS,
        make=partial(_share, operator=Operator.LESS_OR_EQUAL),
    ),
    _history(
        key="time-to-detect",
        name="timetodetect",
        purpose="Checks that what goes wrong is noticed within the promised time.",
        source="timeToDetect (td)",
        judged=_INCIDENTS,
        make=_at_most,
    ),
    _history(
        key="time-to-notify",
        name="timetonotify",
        purpose="Checks that consumers are told within the promised time.",
        source="timeToNotify (tn)",
        judged=_INCIDENTS,
        make=_at_most,
    ),
    _history(
        key="time-to-repair",
        name="timetorepair",
        purpose="Checks that what went wrong is put right within the promised time.",
        source="timeToRepair (tr)",
        judged=_INCIDENTS,
        make=_at_most,
    ),
)
