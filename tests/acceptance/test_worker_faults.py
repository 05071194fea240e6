"""Whatever dies: processes that schedule and check are killed, over and over, and the database is away.

Each scheduled run gives one Run, and people are told of it once (``told``, which stands for the outbox
of messages, is written in the same transaction). Times are a minute a second: see tests.worker_process.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

import pytest
from sqlalchemy import func, select

from contracts_svc.adapters.queue.procrastinate import prepare
from contracts_svc.adapters.store import schema, tables
from contracts_svc.adapters.store.database import Database
from contracts_svc.adapters.store.store import DatabaseStore
from contracts_svc.adapters.store.tables_jobs import scheduled_runs
from contracts_svc.errors import CouldNotCheck
from contracts_svc.schedules_runs import Planned, PublishEvent, Reason, RunState
from tests.fixtures_store import BACKENDS, NewUrl, Postgres, read_contract
from tests.support import ROOT, wait_for
from tests.worker_process import QuickClock

MINUTELY, ASKED, PUBLISHED = 8, 60, 40
ALL_RUNS, KILLED = 200, 20
PATIENCE = 60.0
"""Seconds after which what does not come is given up: no measure of anything."""


class Processes:
    """Processes of one kind, of which some die."""

    def __init__(self, url: str, start: float, count: int) -> None:
        self.mother = subprocess.Popen(
            [sys.executable, "-m", "tests.worker_process", url, str(start)],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.numbers = [self.born() for _ in range(count)]
        self.killed = 0

    def born(self) -> int:
        assert self.mother.stdin is not None
        assert self.mother.stdout is not None
        self.mother.stdin.write("\n")
        self.mother.stdin.flush()
        return int(self.mother.stdout.readline())

    def kill(self, which: int) -> None:
        """Kill one, in the middle of whatever it does, and begin another."""
        os.kill(self.numbers[which], signal.SIGKILL)
        self.numbers[which] = self.born()
        self.killed += 1

    def end(self, number: signal.Signals) -> None:
        for each in self.numbers:
            with suppress(ProcessLookupError):
                os.kill(each, number)

    def close(self) -> None:
        self.end(signal.SIGKILL)
        assert self.mother.stdin is not None
        self.mother.stdin.close()
        self.mother.wait()


@contextmanager
def processes(url: str, start: float, count: int) -> Iterator[Processes]:
    running = Processes(url, start, count)
    try:
        yield running
    finally:
        running.close()


NEVER = "0 0 30 2 *"


def text_of(contract: str, tables: int, schedule: str, version: str = "1.0.0") -> bytes:
    quality = f"quality: [{{type: text, schedule: '{schedule}'}}]"
    schema = ", ".join(f"{{name: {contract}{n}, {quality}}}" for n in range(tables))
    return (
        f"apiVersion: v3.1.0\nkind: DataContract\nstatus: active\nversion: {version}\nid: {contract}\n"
        f"servers: [{{server: s, type: local, path: /nowhere, format: parquet}}]\nschema: [{schema}]\n"
    ).encode()


def filled(url: str, clock: QuickClock) -> DatabaseStore:
    """A store with three contracts: of tables checked every minute, on demand, and when published."""
    store = DatabaseStore(Database(url), read_contract)
    for name, count, schedule in (("m", MINUTELY, "* * * * *"), ("a", ASKED, NEVER), ("p", PUBLISHED, NEVER)):
        text = text_of(name, count, schedule)
        store.put_contract(read_contract(text, "c.yaml"), text, clock.now())
    return store


def no_more(store: DatabaseStore, clock: QuickClock) -> None:
    """End the schedule of every minute."""
    text = text_of("m", MINUTELY, NEVER, "1.1.0")
    store.put_contract(read_contract(text, "c.yaml"), text, clock.now())


def ask(store: DatabaseStore, clock: QuickClock, n: int) -> None:
    planned = Planned(tenant="", contract="a", table=f"a{n}", scheduled_for=clock.now(), reason=Reason.MANUAL)
    store.plan_runs([planned], clock.now())


def publish(store: DatabaseStore, clock: QuickClock, n: int) -> None:
    for part in range(3):
        event = PublishEvent(key=f"{n}.{part}", tenant="", contract="p", table=f"p{n}", at=clock.now())
        store.put_events([event])


def planned_runs(store: DatabaseStore) -> int:
    return store.database.read(lambda c: c.scalar(select(func.count()).select_from(scheduled_runs))) or 0


def over(store: DatabaseStore) -> bool:
    return not store.open_events() and not any(store.count_scheduled().values())


def exactly_once(store: DatabaseStore) -> Counter[str]:
    """Every scheduled run is over, with one Run of its own, told once; how many there are by table."""
    shown = scheduled_runs.c
    columns = (shown.table, shown.scheduled_for, shown.state, shown.run_id)
    rows = store.database.read(lambda c: c.execute(select(*columns)).all())
    assert {r.state for r in rows} == {RunState.DONE.value}
    assert len({(r.table, r.scheduled_for) for r in rows}) == len(rows)
    kept = store.database.read(lambda c: set(c.scalars(select(tables.runs.c.id))))
    assert kept == {r.run_id for r in rows}, "each has a Run, and there is no other"
    assert len(kept) == len(rows), "and none is of two"
    told = store.database.read(
        lambda c: Counter(c.scalars(select(tables.audit.c.subject).where(tables.audit.c.action == "told")))
    )
    assert told == Counter(r.table for r in rows)
    return told


def everything_was_done(store: DatabaseStore) -> None:
    counts = exactly_once(store)
    assert {n: counts[f"a{n}"] for n in range(ASKED)} == dict.fromkeys(range(ASKED), 1)
    assert all(1 <= counts[f"p{n}"] <= 3 for n in range(PUBLISHED)), "events of a burst are checked together"
    for n in range(MINUTELY):
        times = [r.scheduled_for for r in store.scheduled_runs("m", table=f"m{n}", limit=10_000)]
        assert all(t.second == t.microsecond == 0 for t in times)


@pytest.mark.slow
@pytest.mark.parametrize("empty_url", BACKENDS, indirect=True)
def test_killed_at_random_points_of_200_runs_none_is_lost_and_none_doubled(empty_url: NewUrl) -> None:
    url, start = empty_url(), time.time()
    clock = QuickClock(start)
    database = Database(url)
    schema.upgrade(database)
    if not database.is_sqlite:
        prepare(database.url.set(drivername="postgresql").render_as_string(hide_password=False))
    database.close()
    store = filled(url, clock)
    rng = random.Random(7)
    with processes(url, start, 1 if url.startswith("sqlite") else 3) as running:
        asking, publishing = iter(range(ASKED)), iter(range(PUBLISHED))
        end = time.monotonic() + PATIENCE
        while running.killed < KILLED or planned_runs(store) < ALL_RUNS:
            assert time.monotonic() < end
            for n in islice(asking, 3):
                ask(store, clock, n)
            for n in islice(publishing, 2):
                publish(store, clock, n)
            time.sleep(rng.uniform(0.1, 1.4))
            running.kill(rng.randrange(len(running.numbers)))
        no_more(store, clock)
        wait_for(lambda: over(store), "the end of all runs")
    everything_was_done(store)
    again = store.database.read(lambda c: c.scalar(select(func.sum(scheduled_runs.c.attempts)))) or 0
    assert again > planned_runs(store), "some attempts were killed"
    store.close()


@pytest.fixture
def own_server() -> Iterator[Postgres]:
    """A server that a test may stop."""
    folder = Path(tempfile.mkdtemp(prefix="contracts-pg-"))
    server = Postgres(folder)
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.mark.slow
def test_a_server_that_is_stopped_and_started_loses_and_doubles_nothing(own_server: Postgres) -> None:
    url, start = own_server.url(own_server.create()), time.time()
    clock = QuickClock(start)
    database = Database(url)
    schema.upgrade(database)
    prepare(database.url.set(drivername="postgresql").render_as_string(hide_password=False))
    database.close()
    store = filled(url, clock)
    with processes(url, start, 2):
        for n in range(ASKED // 2):
            ask(store, clock, n)
        wait_for(lambda: planned_runs(store) > ASKED // 2, "the first runs")
        own_server.restart()
        for n in range(ASKED // 2, ASKED):
            trying(lambda n=n: ask(store, clock, n))  # type: ignore[misc]
        for n in range(PUBLISHED):
            publish(store, clock, n)
        wait_for(lambda: planned_runs(store) >= ALL_RUNS, "further runs")
        no_more(store, clock)
        wait_for(lambda: over(store), "the end of all runs")
    everything_was_done(store)
    store.close()


def trying(work: Callable[[], None]) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return work()
        except CouldNotCheck:
            assert time.monotonic() < end
            time.sleep(0.1)
