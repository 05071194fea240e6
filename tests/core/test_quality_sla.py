"""Service levels that data can show, by any of their names, with units; and those that only time tells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from contracts_svc.runs import Outcome, Result, Run
from tests.core.quality import contract, results, run, write

DAYS = ["2026-11-20", "2026-11-21", "2026-11-22", "2026-11-23"]


def checked(folder: Path, kind: str, values: list[str | None], **level: Any) -> Run:
    write(folder / "t" / "a.parquet", {"d": [kind, *values]})
    logical = "date" if kind == "DATE" else "timestamp"
    columns = [{"name": "d", "logicalType": logical}]
    return run(contract(folder, {"name": "t", "properties": columns}, slaProperties=[level]))


def one(found: Run, kind: str) -> Result:
    (result,) = (r for r in found.results if r.check.kind == kind)
    return result


# What was promised, of which data -> outcome, what was found. It is 2026-11-24, 12:00 UTC.
CASES: list[tuple[str, dict[str, Any], str, list[str | None], str, str]] = [
    ("freshness", {"property": "LY", "value": 2}, "DATE", [*DAYS, None], "passed", "1.5 days ago"),
    ("freshness", {"property": "timeliness", "value": "P1D"}, "DATE", DAYS, "failed", "1.5 days ago"),
    ("freshness", {"property": "Latency", "value": "36h"}, "DATE", DAYS, "passed", "1.5 days ago"),
    ("freshness", {"property": "latency", "value": 1, "unit": "d"}, "DATE", ["infinity"], "failed", "no row"),
    ("retention", {"property": "Retention", "value": 5, "unit": "days"}, "DATE", DAYS, "passed", "4.5 days"),
    ("retention", {"property": "re", "value": 4, "unit": "d"}, "DATE", DAYS, "failed", "2026-11-20T00:00"),
    ("retention", {"property": "retentionPeriod", "value": 1, "unit": "y"}, "DATE", [], "passed", "no row"),
    ("retention", {"property": "retention", "value": 1, "unit": "mo"}, "DATE", ["2026-10-25"], "passed", "30.5"),
    ("frequency", {"property": "frequency", "value": 1, "unit": "d"}, "DATE", DAYS, "passed", "no longer gap"),
    ("frequency", {"property": "fy", "value": "daily"}, "DATE", [*DAYS, "2026-11-01"], "failed",
     "none for 19 days after 2026-11-01T00:00:00+00:00"),
    ("frequency", {"property": "updateFrequency", "value": 1, "unit": "h"}, "TIMESTAMP",
     ["2026-11-24 00:59:59", "2026-11-24 01:00:00", "2026-11-24 01:59:59", "2026-11-24 02:59:59"],
     "passed", "no longer gap"),
    ("frequency", {"property": "frequency", "value": 1, "unit": "h"}, "TIMESTAMPTZ",
     ["2026-11-24 00:00:00+00", "2026-11-24 01:00:01+00"], "failed", "none for 1 hour after 2026-11-24T00:00:00"),
    ("frequency", {"property": "frequency", "value": 1, "unit": "h"}, "DATE", [], "failed", "no row that has one"),
    ("frequency", {"property": "frequency", "value": 1, "unit": "month"}, "DATE",
     ["2026-01-01", "2026-02-01"], "passed", "no longer gap"),
    ("time-of-availability", {"property": "timeOfAvailability", "value": "06:00Z"}, "DATE", DAYS, "passed", ""),
    ("time-of-availability", {"property": "Ta", "value": "06:00-05:00"}, "DATE", DAYS[:-1], "failed", ""),
    ("time-of-availability", {"property": "Ta", "value": "13:00"}, "DATE", DAYS[:-1], "passed", ""),
    ("throughput", {"property": "throughput", "value": 2, "unit": "rows/day"}, "DATE",
     [DAYS[0], *DAYS[1:3] * 2, DAYS[3]], "passed", "as few as 2 rows"),
    ("throughput", {"property": "th", "value": 2, "unit": "per day"}, "DATE", DAYS, "failed",
     "as few as 1 rows, from 2026-11-21T00:00:00+00:00"),
    ("throughput", {"property": "th", "value": 1, "unit": "records / d"}, "DATE", [DAYS[0], DAYS[3]], "failed",
     "no row in 2 of 2 slots of 1 day"),
    ("throughput", {"property": "th", "value": 9, "unit": "rows/day"}, "DATE", DAYS[:2], "passed", "not yet"),
    ("end-of-life", {"property": "EOL", "value": "2026-11-25"}, "DATE", DAYS, "passed", "12 hours left"),
    ("end-of-life", {"property": "endOfLife", "value": "2026-11-24"}, "DATE", DAYS, "failed", "over since 12 h"),
    ("end-of-support", {"property": "endOfSupport", "value": "2026-01-01"}, "DATE", DAYS, "warned", "over since"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "level", "stored", "values", "outcome", "found"), CASES)
def test_service_levels_that_data_shows(
    tmp_path: Path,
    kind: str,
    level: dict[str, Any],
    stored: str,
    values: list[str | None],
    outcome: str,
    found: str,
) -> None:
    done = checked(tmp_path, stored, values, **level, element="t.d")
    assert not done.unsupported
    result = one(done, kind)
    assert (result.outcome.value, found in result.found) == (outcome, True), result.found


@pytest.mark.parametrize(
    ("name", "kind", "reason"),
    [
        ("availability", "availability", "many runs"),
        ("uptime", "availability", "many runs"),
        ("errorRate", "error-rate", "many runs"),
        ("timeToDetect", "time-to-detect", "incidents"),
        ("TN", "time-to-notify", "incidents"),
        ("timeToRepair", "time-to-repair", "incidents"),
    ],
)
def test_service_levels_that_only_time_tells(tmp_path: Path, name: str, kind: str, reason: str) -> None:
    unit = "h" if kind.startswith("time") else "%"
    result = one(checked(tmp_path, "DATE", DAYS, property=name, value=1, unit=unit), kind)
    assert (result.outcome, reason in result.reason) == (Outcome.SKIPPED, True)


@pytest.mark.parametrize(
    ("level", "reason"),
    [
        ({"property": "latency", "value": "soon"}, "soon is not a length of time"),
        ({"property": "latency", "value": 1, "unit": "parsecs"}, "1 parsecs is not a length of time"),
        ({"property": "latency", "value": 1e300}, "is not a length of time"),
        ({"property": "latency", "value": -1}, "-1 is not a length of time"),
        ({"property": "latency", "value": 1, "element": "t.nope"}, "t has no column nope"),
        ({"property": "latency", "value": 1, "element": ""}, "it names no element"),
        ({"property": "timeOfAvailability", "value": "morning"}, "morning is not a time of day"),
        ({"property": "throughput", "value": 5, "unit": "rows"}, "rows per which time"),
        ({"property": "endOfLife", "value": "never"}, "never is not a date"),
        ({"property": "endOfLife", "value": "12:00"}, "12:00 is not a date"),
    ],
)
def test_service_levels_that_cannot_be_read_say_why(
    tmp_path: Path, level: dict[str, Any], reason: str
) -> None:
    (found,) = checked(tmp_path, "DATE", DAYS, **{"element": "t.d", **level}).unsupported
    assert reason in found.reason


def test_a_column_that_tells_no_time(tmp_path: Path) -> None:
    write(tmp_path / "t" / "a.parquet", {"d": ["INTEGER", "1"]})
    level = {"property": "frequency", "value": 1, "unit": "d", "element": "d"}
    columns = [{"name": "d", "logicalType": "integer"}]
    given = contract(tmp_path, {"name": "t", "properties": columns}, slaProperties=[level])
    assert results(run(given))["t.d.frequency"].reason == "a column of integer does not tell a time"
