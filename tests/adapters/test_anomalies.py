"""Checks that compare with history: on real files, with a history in a real store."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from contracts_svc.adapters.store.store import DatabaseStore
from contracts_svc.alerts import Incident
from contracts_svc.flows.learning import StoredHistory
from contracts_svc.incidents import fingerprint, step
from contracts_svc.incidents_people import acknowledge, resolve
from contracts_svc.model import Contract
from contracts_svc.quality.kinds_anomaly import ANOMALIES
from contracts_svc.quality.plan import plan
from contracts_svc.quality.references import resolver
from contracts_svc.routes.silences import silence
from contracts_svc.runs import Outcome, Result, Run
from tests.core.quality import NOW, FixedClock, contract, results, run, write

DAY = timedelta(days=1)
ROWS = "t.unusual-row-count"
COLUMNS = [
    {"name": "id", "logicalType": "integer"},
    {"name": "x", "logicalType": "integer", "required": True},
]


def asks(level: Any) -> list[dict[str, Any]]:
    return [{"property": "anomalies", "value": level}]


@dataclass
class Table:
    """A table that is published anew and checked each day, and what is kept of it."""

    folder: Path
    store: DatabaseStore
    level: str = "warn"
    rows: int = 100
    nulls: int = 0
    different: int = 10
    now: datetime = NOW
    required: bool = False
    contract: Contract = field(init=False)

    def __post_init__(self) -> None:
        columns = [COLUMNS[0], COLUMNS[1] | {"required": self.required}]
        self.contract = contract(
            self.folder, {"name": "t", "properties": columns}, customProperties=asks(self.level)
        )

    def publish(self) -> None:
        """The one file of the table, an hour ago."""
        values = [None] * self.nulls + [n % self.different for n in range(self.rows - self.nulls)]
        path = write(
            self.folder / "t/a.parquet", {"id": ["BIGINT", *range(self.rows)], "x": ["BIGINT", *values]}
        )
        moment = (self.now - timedelta(hours=1)).timestamp()
        os.utime(path, (moment, moment))

    def check(self, *, learn: bool = True, **more: Any) -> Run:
        """Check it, keep the run, and move its incidents on."""
        history = StoredHistory(self.store) if learn else None
        found = run(self.contract, clock=FixedClock(self.now), history=history, **more)
        self.keep(found)
        return found

    def keep(self, found: Run) -> None:
        self.store.put_run(found)
        known = self.store.incidents(resolved_since=self.now - DAY)
        moved = step(known, found, self.now)
        self.store.put_incidents(moved.incidents, moved.transitions)

    def days(self, count: int) -> Run:
        """As many days, each with its publish and its check; the last run.

        Of more than three, those in the middle are as the second one was, without being read again.
        """
        found: Run | None = None
        for day in range(count):
            self.now += DAY
            if found is not None and 1 < day < count - 1:
                found = later(found)
                self.keep(found)
            else:
                self.publish()
                found = self.check()
        assert found is not None
        return found

    def incident(self, check: str = ROWS) -> Incident:
        found = self.store.incident(fingerprint("c", "t", check))
        assert found is not None
        return found


def later(found: Run) -> Run:
    """The same a day later."""
    moved = [
        replace(r, values={k: v + 86_400 if k == "newest" else v for k, v in r.values.items()})
        for r in found.results
    ]
    return replace(found, started=found.started + DAY, finished=found.finished + DAY, results=tuple(moved))


def unusual(found: Run) -> dict[str, Result]:
    return {i: r for i, r in results(found).items() if r.check.kind in ANOMALIES}


def test_after_two_weeks_half_the_rows_are_told_by_each_figure_that_shows_it(
    tmp_path: Path, store: DatabaseStore
) -> None:
    table = Table(tmp_path, store)
    first = table.days(1)
    said = unusual(first)
    assert {r.outcome for r in said.values()} == {Outcome.SKIPPED}
    assert said[ROWS].reason == "its history is too short: 0 of 14 runs to learn from"
    assert said[ROWS].values["value"] == 100
    assert {r.outcome for r in unusual(table.days(14)).values()} == {Outcome.PASSED, Outcome.SKIPPED}
    # There is one figure less of new files: the first run did not know what is new.
    assert {r.outcome for r in unusual(table.days(1)).values()} == {Outcome.PASSED}

    table.rows, table.nulls, table.different = 50, 25, 1
    bad = unusual(table.days(1))
    assert {i for i, r in bad.items() if r.outcome is Outcome.WARNED} == {
        ROWS,
        "t.unusual-volume",
        "t.x.unusual-nulls",
        "t.x.unusual-distinct",
    }
    assert bad[ROWS].expected == "as many rows as usual, by its own history"
    assert bad[ROWS].found.startswith("50 rows; usually 90 to 110 (the median of 16 runs")
    assert bad["t.x.unusual-nulls"].found.startswith("50.00 %; usually 0 to 1 %")
    opened = {i.check for i in store.incidents()}
    assert opened == {i for i, r in bad.items() if r.outcome is Outcome.WARNED}
    assert table.incident("t.x.unusual-nulls").columns == ("x",)


def test_data_that_is_late_is_told_by_its_age_alone(tmp_path: Path, store: DatabaseStore) -> None:
    table = Table(tmp_path, store)
    table.days(16)
    table.now += DAY
    late = unusual(table.check())
    assert late["t.unusual-age"].outcome is Outcome.WARNED
    assert late["t.unusual-age"].found.startswith("1 day since the newest file; usually up to 1.25 hours")
    assert late["t.unusual-volume"].outcome is Outcome.WARNED
    assert late["t.unusual-volume"].found.startswith("0.000 MB in new files; usually ")
    assert late[ROWS].outcome is Outcome.PASSED


def test_failed_runs_teach_nothing(tmp_path: Path, store: DatabaseStore) -> None:
    """Two weeks in which another check failed are not learned from, and neither is an anomaly that fails."""
    table = Table(tmp_path, store, required=True, nulls=1)
    said = unusual(table.days(20))
    assert said[ROWS].reason == "its history is too short: 0 of 14 runs to learn from"

    fails = Table(tmp_path, store, level="fail", now=table.now + 100 * DAY)
    fails.days(16)
    fails.rows = 300
    assert results(fails.days(20))[ROWS].outcome is Outcome.FAILED
    assert results(fails.days(1))[ROWS].values["median"] == 100


def test_warnings_are_learned_from_and_those_that_are_acknowledged_are_not(
    tmp_path: Path, store: DatabaseStore
) -> None:
    table = Table(tmp_path, store)
    table.days(15)
    table.rows = 300
    table.days(1)
    moved = acknowledge(table.incident(), "mia", None, table.now)
    store.put_incidents([moved.incident], [moved])
    said = results(table.days(30))[ROWS]
    assert said.outcome is Outcome.WARNED
    assert said.values["median"] == 100

    other = Table(tmp_path, store, now=table.now + 100 * DAY)
    other.days(15)
    other.rows = 300
    assert results(other.days(40))[ROWS].outcome is Outcome.PASSED


def test_silenced_runs_are_not_learned_from(tmp_path: Path, store: DatabaseStore) -> None:
    table = Table(tmp_path, store)
    table.days(15)
    quiet = silence(
        ["contract=c"], author="mia", reason="backfill", begins=table.now, ends=table.now + 40 * DAY,
        now=table.now,
    )  # fmt: skip
    store.put_silence(quiet, table.now)
    table.now += timedelta(minutes=1)
    table.rows = 300
    said = results(table.days(39))[ROWS]
    assert (said.outcome, said.values["median"]) == (Outcome.WARNED, 100)


def test_what_is_resolved_by_hand_is_the_new_usual(tmp_path: Path, store: DatabaseStore) -> None:
    table = Table(tmp_path, store)
    table.days(16)
    table.rows = 300
    assert results(table.days(2))[ROWS].outcome is Outcome.WARNED
    moved = resolve(table.incident(), "mia", "a second country is loaded now", table.now)
    store.put_incidents([moved.incident], [moved])
    said = results(table.days(1))[ROWS]
    assert said.reason == "its history is too short: 2 of 14 runs to learn from"
    assert results(table.days(12))[ROWS].outcome is Outcome.PASSED
    table.rows = 100
    assert results(table.days(1))[ROWS].outcome is Outcome.WARNED


def test_partitions_are_compared_with_other_partitions_of_the_same_keys(
    tmp_path: Path, store: DatabaseStore
) -> None:
    given = contract(tmp_path, {"name": "t", "customProperties": asks("fail"), "properties": [COLUMNS[0]]})
    for day in range(1, 18):
        rows = 10 if day == 17 else 100 + day % 3
        write(tmp_path / f"t/day={day:02}/a.parquet", {"id": ["BIGINT", *range(rows)]})
        at = NOW + day * DAY
        for hour in range(2):  # each of them twice, of which one counts
            clock = FixedClock(at + timedelta(hours=hour))
            history = StoredHistory(store)
            found = run(given, clock=clock, history=history, partition={"day": f"{day:02}"})
            store.put_run(found)
    said = results(found)
    assert said[ROWS].outcome is Outcome.FAILED
    assert said[ROWS].values["runs"] == 16
    assert said["t.unusual-age"].outcome is Outcome.SKIPPED
    assert "whole table" in said["t.unusual-age"].reason


def test_without_a_store_of_runs_nothing_is_compared(tmp_path: Path, store: DatabaseStore) -> None:
    table = Table(tmp_path, store)
    table.publish()
    said = unusual(table.check(learn=False))
    assert {r.reason for r in said.values()} == {
        "it compares with earlier runs, and there is no history of them here"
    }


def test_the_nearest_property_holds(tmp_path: Path) -> None:
    columns = [
        COLUMNS[0] | {"customProperties": asks("fail")},
        COLUMNS[1] | {"customProperties": asks(False)},  # how YAML reads a bare ``off``
        {"name": "y", "logicalType": "object", "properties": [COLUMNS[0]]},
        {"name": "z", "logicalType": "string", "customProperties": asks("often")},
    ]
    given = contract(
        tmp_path, {"name": "t", "properties": columns}, {"name": "u", "properties": [COLUMNS[0]]},
        customProperties=asks("warn"),
    )  # fmt: skip
    planned = plan(given, given.tables[0], target_of=resolver(given, {}))
    found = {c.id: c.severity.value for c in planned.checks if c.kind in ANOMALIES}
    assert found == {
        ROWS: "warning",
        "t.unusual-volume": "warning",
        "t.unusual-age": "warning",
        "t.id.unusual-nulls": "error",
        "t.id.unusual-distinct": "error",
        "t.y.unusual-nulls": "warning",
    }
    assert [(u.what, u.reason) for u in planned.unsupported] == [
        ("t.z: customProperties anomalies", "often is none of off, warn, fail")
    ]
    off = contract(tmp_path, {"name": "t", "properties": columns[2:3], "customProperties": asks("off")})
    planned = plan(off, off.tables[0], target_of=resolver(off, {}))
    assert not any(c.kind in ANOMALIES for c in planned.checks)


def test_rows_and_nulls_come_from_the_footers(tmp_path: Path, store: DatabaseStore) -> None:
    table = Table(tmp_path, store)
    table.contract = contract(
        tmp_path, {"name": "t", "properties": [COLUMNS[0]]}, customProperties=asks("warn")
    )
    path = table.folder / "t/a.parquet"
    write(path, {"id": ["BIGINT", 1, 2, None]})
    found = table.check()
    assert found.scans == 1  # of the different values
    said = results(found)
    assert said["t.id.unusual-nulls"].values["value"] == 1 / 3
