"""A process that schedules and checks at a quick pace, made to be killed.

``python -m tests.worker_process URL START`` imports everything once, and then forks a process for each
line on its standard input; it tells the number of each.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import structlog
from prometheus_client import CollectorRegistry

from contracts_svc.adapters.queue.inprocess import InProcessQueue
from contracts_svc.adapters.queue.procrastinate import ProcrastinateQueue
from contracts_svc.adapters.store.database import Database
from contracts_svc.adapters.store.leader import Alone, PostgresLeadership
from contracts_svc.adapters.store.part import note
from contracts_svc.adapters.store.store import DatabaseStore
from contracts_svc.flows.run_check import Checking, failed
from contracts_svc.flows.scheduling import Pace, Scheduling
from contracts_svc.incidents import Handling
from contracts_svc.loops import Loops
from contracts_svc.model import Contract, Server, Table
from contracts_svc.ports_jobs import Leadership, Queue
from contracts_svc.ports_store import SERVICE
from contracts_svc.quality.kind import TargetOf
from contracts_svc.runs import WHOLE_TABLE, Run
from contracts_svc.scheduler import Embedded, Scheduler, Worker
from contracts_svc.scheduler_metrics import SchedulerMetrics
from tests.fixtures_store import read_contract

SPEED = 60
"""Seconds that go by in one: a schedule of every minute is due every second."""


class QuickClock:
    """A clock that runs SPEED times as fast as others, the same in every process."""

    def __init__(self, start: float) -> None:
        self._start = start

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=(time.time() - self._start) * SPEED)


def queue_of(database: Database) -> Queue:
    if database.is_sqlite:
        return InProcessQueue()
    address = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    return ProcrastinateQueue(address)


def process(url: str, start: float, seconds: float = 0.05) -> Embedded:
    """A scheduler and a worker whose checks take up to so many seconds and find nothing."""
    store = DatabaseStore(Database(url), read_contract)
    clock = QuickClock(start)

    def check(
        contract: Contract, table: Table, server: Server, target_of: TargetOf, partition: Mapping[str, str]
    ) -> Run:
        started = clock.now()
        time.sleep(random.uniform(0, seconds))
        return Run(
            contract=contract.id, version=contract.version, table=table.name, server=server.server,
            scope=WHOLE_TABLE, started=started, finished=clock.now(), results=(),
        )  # fmt: skip

    def tell(run: Run, handling: Handling) -> None:
        store.database.write(lambda c: note(c, run.finished, SERVICE, "told", "run", run.table))

    checking = Checking(store=store, clock=clock, check=check, tell=tell, most_attempts=1_000)
    jobs = queue_of(store.database)
    scheduling = Scheduling(
        store=store,
        queue=jobs,
        read=read_contract,
        died=lambda run: failed(run, "its worker died", checking),
        pace=Pace(refresh=0.5, patience=1.5, unclaimed=2),
    )
    leadership: Leadership = Alone() if store.database.is_sqlite else PostgresLeadership(store.database)
    metrics = SchedulerMetrics(CollectorRegistry())

    def close() -> None:
        jobs.close()
        store.close()

    return Embedded(
        Scheduler(scheduling, leadership, clock, metrics=metrics, every=0.1),
        Worker(jobs, checking, slots=4, metrics=metrics, beat=0.25),
        Loops([]),
        close,
    )


def run(url: str, start: float) -> None:
    stop, mother = threading.Event(), os.getppid()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    running = process(url, start)
    running.start()
    while not stop.wait(0.5) and os.getppid() == mother:
        pass  # nobody is left to end it when the test itself is killed
    running.stop(within=5)


def main(url: str, start: float) -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(file=sys.stderr))
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for _ in sys.stdin:
        number = os.fork()
        if number == 0:
            run(url, start)
            os._exit(0)
        print(number, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
