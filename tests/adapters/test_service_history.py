"""Service levels that only time tells, with runs and incidents in a real store."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from contracts_svc.adapters.store.store import DatabaseStore
from contracts_svc.flows.learning import StoredHistory
from contracts_svc.incidents import USUAL, step
from contracts_svc.runs import Outcome
from tests.core.quality import NOW, FixedClock, contract, results, run, write

HOUR = timedelta(hours=1)
LEVELS = [
    {"property": "availability", "value": 60, "unit": "%"},
    {"property": "errorRate", "value": 50, "unit": "%"},
    {"property": "timeToRepair", "value": 90, "unit": "m"},
]


def test_what_is_kept_is_judged(store: DatabaseStore, tmp_path: Path) -> None:
    table = {"name": "t", "properties": [{"name": "d", "logicalType": "integer", "required": True}]}
    given = contract(tmp_path, table, slaProperties=LEVELS)
    # Good, bad for two hours, gone, and good again.
    for hour, value in enumerate([1, None, None, "gone", 1]):
        path = tmp_path / "t/a.parquet"
        path.unlink() if value == "gone" else write(path, {"d": ["INTEGER", value]})
        now = NOW + hour * HOUR
        found = run(given, clock=FixedClock(now), history=StoredHistory(store))
        store.put_run(found)
        moved = step(store.incidents(resolved_since=now - USUAL.reopen_within), found, now, USUAL)
        store.put_incidents(moved.incidents, moved.transitions)
    said = results(found)
    assert said["t.availability"].found == "80 % of 5 runs"
    assert said["t.availability"].outcome is Outcome.PASSED
    # Of the three earlier runs that could read it, two found broken promises.
    assert said["t.error-rate"].found == "66.667 % of 3 runs"
    assert said["t.error-rate"].outcome is Outcome.FAILED
    assert said["t.time-to-repair"].outcome is Outcome.FAILED
