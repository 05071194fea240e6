"""Service levels that only time tells, out of earlier runs and incidents."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts_svc.alerts import Audience, IncidentState
from contracts_svc.errors import CouldNotCheck
from contracts_svc.incidents import USUAL, step
from contracts_svc.incidents_times import Times
from contracts_svc.model import Contract, Table
from contracts_svc.quality.anomalies import Past
from contracts_svc.quality.kinds import KIND_OF, Origin
from contracts_svc.quality.service_history import PastRun, ServiceHistory, seen, taken
from contracts_svc.runs import Outcome
from tests.core.quality import NOW, contract, results, run, write

HOUR = timedelta(hours=1)


@dataclass
class Known:
    found: ServiceHistory = field(default_factory=ServiceHistory)
    error: CouldNotCheck | None = None

    def past(self, contract: Contract, table: Table, checks: Collection[str], now: datetime) -> Past:
        return Past()

    def service(self, contract: Contract, table: Table, now: datetime) -> ServiceHistory:
        if self.error is not None:
            raise self.error
        return self.found


def runs(*letters: str) -> tuple[PastRun, ...]:
    """``.`` is a run that found nothing, ``F`` one that found a broken promise, ``E`` one that could not read."""
    each = enumerate("".join(letters), 1)
    return tuple(PastRun(NOW - n * HOUR, letter != "E", letter == "F") for n, letter in each)


def times(**hours: float) -> Times:
    return Times(**{step: timedelta(hours=n) for step, n in hours.items()})


# property, value, unit, what is known -> the check's outcome, and what it found
CASES: list[tuple[str, Any, str | None, ServiceHistory, str, str]] = [
    ("availability", 99, "%", ServiceHistory(runs=runs("." * 99)), "passed", "100 % of 100 runs"),
    ("availability", 99, "percent", ServiceHistory(runs=runs("." * 98, "E")), "passed", "99 % of 100 runs"),
    ("uptime", 0.995, None, ServiceHistory(runs=runs("." * 98, "E")), "failed", "99 % of 100 runs"),
    ("Av", 99.5, None, ServiceHistory(runs=runs("." * 98, "E")), "failed", "99 % of 100 runs"),
    ("availability", 100, "%", ServiceHistory(), "passed", "100 % of 1 run"),
    # What lies back more than thirty days is over.
    ("availability", 100, "%", ServiceHistory(runs=(PastRun(NOW - 31 * 24 * HOUR, False, False),)), "passed", "100 % of 1 run"),
    ("errorRate", 10, "%", ServiceHistory(runs=runs("." * 9, "F")), "passed", "10 % of 10 runs"),
    ("er", 0.05, "ratio", ServiceHistory(runs=runs("." * 9, "F")), "failed", "10 % of 10 runs"),
    # What could not be read broke no promise.
    ("errorRate", 10, "%", ServiceHistory(runs=runs("EEEE.F")), "failed", "50 % of 2 runs"),
    ("errorRate", 10, "%", ServiceHistory(runs=runs("EE")), "skipped", ""),
    ("timeToDetect", 1, "h", ServiceHistory(taken=(times(detect=0.5), times(detect=1), times(repair=9))), "passed", "as long as 1 hour, of 2 incidents"),
    ("td", "PT30M", None, ServiceHistory(taken=(times(detect=1),)), "failed", "as long as 1 hour, of 1 incident"),
    ("timeToNotify", 5, "m", ServiceHistory(taken=(times(notify=0.2),)), "failed", "as long as 12 minutes, of 1 incident"),
    ("timeToRepair", 1, "d", ServiceHistory(taken=(times(repair=49),)), "failed", "as long as 2 days, of 1 incident"),
    ("timeToResolve", 1, "d", ServiceHistory(), "passed", "no incident in 30 days"),
]  # fmt: skip


def checked(folder: Path, history: Known | None, **level: Any) -> Any:
    write(folder / "t" / "a.parquet", {"d": ["INTEGER", 1]})
    table = {"name": "t", "properties": [{"name": "d", "logicalType": "integer", "required": True}]}
    level = {k: v for k, v in level.items() if v is not None}
    return run(contract(folder, table, slaProperties=[level]), history=history)


@pytest.mark.parametrize(("name", "value", "unit", "known", "outcome", "found"), CASES)
def test_levels(
    tmp_path: Path, name: str, value: Any, unit: str | None, known: ServiceHistory, outcome: str, found: str
) -> None:
    done = checked(tmp_path, Known(known), property=name, value=value, unit=unit)
    assert done.unsupported == ()
    (result,) = (r for r in done.results if KIND_OF[r.check.kind].origin is Origin.HISTORY)
    assert (result.outcome.value, result.found) == (outcome, found)


@pytest.mark.parametrize(
    ("level", "reason"),
    [
        ({"property": "availability", "value": 1, "unit": "h"}, "is no part of the time"),
        ({"property": "availability", "value": "high"}, "is no part of the time"),
        ({"property": "availability", "value": 101, "unit": "%"}, "is not between 0 and 100 %"),
        ({"property": "errorRate", "value": -1, "unit": "%"}, "is not between 0 and 100 %"),
        ({"property": "timeToRepair", "value": 5, "unit": "%"}, "is not a length of time"),
        ({"property": "timeToRepair", "value": 0, "unit": "h"}, "is not a length of time"),
    ],
)
def test_levels_that_cannot_be_read_say_why(tmp_path: Path, level: dict[str, Any], reason: str) -> None:
    (found,) = checked(tmp_path, Known(), **level).unsupported
    assert reason in found.reason


def test_a_history_that_cannot_be_read_takes_nothing_else_with_it(tmp_path: Path) -> None:
    known = Known(error=CouldNotCheck("the store", "gone"))
    said = results(checked(tmp_path, known, property="availability", value=99, unit="%"))
    assert said["t.availability"].outcome is Outcome.ERRORED
    assert said["t.d.required"].outcome is Outcome.PASSED


def test_what_a_run_saw(tmp_path: Path) -> None:
    write(tmp_path / "t" / "a.parquet", {"d": ["INTEGER", 1, None]})
    table = {"name": "t", "properties": [{"name": "d", "logicalType": "integer", "required": True}]}
    level = {"property": "availability", "value": 99, "unit": "%"}
    given = contract(tmp_path, table, slaProperties=[level])
    failed = run(given)
    assert seen(failed) == PastRun(NOW, True, True)
    errored = replace(failed, results=tuple(replace(r, outcome=Outcome.ERRORED) for r in failed.results))
    assert seen(errored) == PastRun(NOW, False, False)
    (tmp_path / "t" / "a.parquet").unlink()
    assert seen(run(given)) == PastRun(NOW, False, True)
    # A service level that is missed is no further error of the data.
    write(tmp_path / "t" / "a.parquet", {"d": ["INTEGER", 1]})
    missed = run(given, history=Known(ServiceHistory(runs=runs("EE"))))
    assert results(missed)["t.availability"].outcome is Outcome.FAILED
    assert seen(missed) == PastRun(NOW, True, False)


def test_an_incident_that_is_not_over_has_taken_until_now(tmp_path: Path) -> None:
    write(tmp_path / "t" / "a.parquet", {"d": ["INTEGER", None]})
    table = {"name": "t", "properties": [{"name": "d", "logicalType": "integer", "required": True}]}
    (incident,) = step([], run(contract(tmp_path, table)), NOW, USUAL).incidents
    later = NOW + 3 * HOUR
    assert taken(incident, {}, later).repair == 3 * HOUR
    assert taken(incident, {Audience.OWNER: NOW + HOUR}, later).notify == HOUR
    over = replace(incident, state=IncidentState.RESOLVED, resolved=NOW + HOUR)
    assert taken(over, {}, later) == Times(detect=taken(over, {}, later).detect, repair=HOUR)
