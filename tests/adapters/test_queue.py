"""Queues and leadership: what is urgent first, nothing twice, one leader."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url

from contracts_svc.adapters.queue import procrastinate as over_postgres
from contracts_svc.adapters.queue.inprocess import InProcessQueue
from contracts_svc.adapters.queue.procrastinate import ProcrastinateQueue
from contracts_svc.adapters.store.database import Database
from contracts_svc.adapters.store.leader import LOCK, PostgresLeadership
from contracts_svc.errors import CouldNotCheck, UserMistake
from contracts_svc.ports_jobs import Queue
from contracts_svc.schedules_runs import Reason, ScheduledRun
from tests.fixtures_store import Postgres

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def run(number: int, reason: Reason = Reason.SCHEDULE) -> ScheduledRun:
    return ScheduledRun(
        id=number, tenant="", contract="c", table=f"t{number}", scheduled_for=NOW, reason=reason
    )


@pytest.fixture(scope="module")
def database_url(postgres: Postgres) -> Iterator[str]:
    name = postgres.create()
    yield postgres.url(name)
    postgres.drop(name)


@pytest.fixture(scope="module")
def conninfo(database_url: str) -> str:
    address = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with pytest.raises(UserMistake, match="contracts db upgrade"):
        over_postgres.ready(address)
    assert over_postgres.prepare(address) is True
    assert over_postgres.prepare(address) is False
    over_postgres.ready(address)
    return address


@pytest.fixture(params=["in process", "postgresql"])
def queue(request: pytest.FixtureRequest) -> Iterator[Queue]:
    made: Queue = (
        InProcessQueue()
        if request.param == "in process"
        else ProcrastinateQueue(request.getfixturevalue("conninfo"))
    )
    yield made
    made.close()


def worked(queue: Queue, count: int, slots: int = 1) -> list[int]:
    """The jobs that a worker does until there are so many, in their order."""
    done: list[int] = []
    enough = threading.Event()

    def do(number: int) -> None:
        done.append(number)
        if len(done) >= count:
            enough.set()

    worker = threading.Thread(target=queue.work, args=(do, slots))
    worker.start()
    assert enough.wait(60)
    queue.stop()
    worker.join(60)
    assert not worker.is_alive()
    return done


def test_what_is_urgent_is_done_first_and_nothing_twice(queue: Queue) -> None:
    queue.hand([run(1, Reason.CATCH_UP), run(2)])
    queue.hand([run(2), run(3, Reason.PUBLISH), run(4, Reason.MANUAL)])
    assert worked(queue, 4) == [4, 3, 2, 1]


def test_a_slow_job_leaves_the_other_slots_to_the_rest(queue: Queue) -> None:
    queue.hand([run(n) for n in range(10, 16)])
    release, quick = threading.Event(), threading.Event()
    done: list[int] = []

    def do(number: int) -> None:
        if number == 10:
            release.wait(60)
        done.append(number)
        if len(done) == 5:
            quick.set()

    worker = threading.Thread(target=queue.work, args=(do, 2))
    worker.start()
    assert quick.wait(60)
    assert 10 not in done
    queue.stop()
    worker.join(60)
    assert not worker.is_alive(), "it does not wait for what is being done"
    release.set()


def test_a_queue_that_is_stopped_before_it_works_returns(queue: Queue) -> None:
    queue.stop()
    worker = threading.Thread(target=queue.work, args=(print, 1))
    worker.start()
    worker.join(60)
    assert not worker.is_alive()


def test_nothing_is_left_in_the_tables_when_all_is_done(conninfo: str) -> None:
    queue = ProcrastinateQueue(conninfo)
    queue.hand([run(30)])
    assert worked(queue, 1) == [30]
    queue.close()
    with psycopg.connect(conninfo) as connection:
        left: Any = connection.execute("SELECT count(*) FROM procrastinate_jobs WHERE status <> 'doing'")
        assert left.fetchone() == (0,)


def test_a_server_that_is_away_is_told_without_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(over_postgres, "_CONNECT_SECONDS", 1)
    queue = ProcrastinateQueue("postgresql://ada:geheim@127.0.0.1:1/x")
    for work in (
        lambda: over_postgres.prepare("postgresql://ada:geheim@127.0.0.1:1/x"),
        lambda: queue.hand([run(1)]),
        lambda: queue.work(print, 1),
    ):
        with pytest.raises(CouldNotCheck) as told:
            work()
        assert "geheim" not in str(told.value)


def test_there_is_one_leader_and_another_when_it_is_gone(database_url: str) -> None:
    database = Database(database_url)
    first, second = PostgresLeadership(database), PostgresLeadership(database)
    assert (first.held(), second.held(), first.held()) == (True, False, True)
    with psycopg.connect(
        make_url(database_url).set(drivername="postgresql").render_as_string(False)
    ) as admin:
        # As the server sees it when the leader dies: its session ends.
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s::oid",
            (LOCK % 2**32,),
        )
        while admin.execute(
            "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = %s::oid", (LOCK % 2**32,)
        ).fetchone():
            pass
    assert second.held() is True
    assert first.held() is False
    assert first.held() is False
    second.release()
    assert first.held() is True
    first.release()
    database.close()


def test_nobody_leads_without_the_database() -> None:
    assert PostgresLeadership(Database("postgresql://ada@127.0.0.1:1/x")).held() is False
