"""Check kinds of service levels that no row shows: how long a table lives, and what only time tells.

What is judged from incidents or from many runs is in the table of kinds too, so that a contract that
promises it is told so; a single run skips it and says why.
"""

from __future__ import annotations

from collections.abc import Iterator
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


def _over_time(promises: Promises, *, name: str, kind: str) -> Iterator[Check]:
    for level in sla.levels(promises, name):
        if sla.about(level, promises):
            written = f"{level.promise.value} {level.promise.unit or ''}".strip()
            yield Check(
                id=f"{level.table.name}.{kind}",
                kind=kind,
                table=level.table.name,
                arguments={"value": level.promise.value, "unit": level.promise.unit},
                title=f"{level.promise.property} of {level.table.name}: {written}",
                at=level.promise.at,
            )


def _stated(check: Check) -> str:
    return f"{check.arguments['value']} {check.arguments['unit'] or ''}".strip()


def _history(*, key: str, name: str, purpose: str, source: str, judged: str) -> CheckKind:
    return CheckKind(
        key=key,
        purpose=purpose,
        source=f"slaProperties {source} with value, unit",
        origin=Origin.HISTORY,
        promised=partial(_over_time, name=name, kind=key),
        subject=_stated,
        expected=_stated,
        judged=judged,
        merge={"value": Merge.NEVER},
        whole_table=lambda check: True,
    )


_INCIDENTS = "it is judged from incidents, not from one look at the data"
_RUNS = "it is judged from many runs, not from one look at the data"


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
    ),
    _history(
        key="error-rate",
        name="errorrate",
        purpose="Checks that no larger part of the runs fails than promised.",
        source="errorRate (er)",
        judged=_RUNS,
    ),
    _history(
        key="time-to-detect",
        name="timetodetect",
        purpose="Checks that what goes wrong is noticed within the promised time.",
        source="timeToDetect (td)",
        judged=_INCIDENTS,
    ),
    _history(
        key="time-to-notify",
        name="timetonotify",
        purpose="Checks that consumers are told within the promised time.",
        source="timeToNotify (tn)",
        judged=_INCIDENTS,
    ),
    _history(
        key="time-to-repair",
        name="timetorepair",
        purpose="Checks that what went wrong is put right within the promised time.",
        source="timeToRepair (tr)",
        judged=_INCIDENTS,
    ),
)
