"""Jobs over PostgreSQL, by procrastinate: any process hands over, any other works.

Its tables only carry: what is to be done, by whom, and how often it was tried is in our own store. Its
queueing lock keeps a run from being queued twice, which saves work, and no more than that: it covers
jobs that wait.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any

import psycopg
from procrastinate import App, PsycopgConnector, SyncPsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from procrastinate.jobs import Status
from procrastinate.schema import SchemaManager
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from contracts_svc.errors import CouldNotCheck, UserMistake
from contracts_svc.schedules_runs import ScheduledRun

TASK, QUEUE = "contracts:run-check", "contracts"
_LOCK = 7_236_451_909
"""The number of the lock under which procrastinate's tables are made: any, as long as it stays."""
_CONNECT_SECONDS = 10
_POLL_SECONDS = 5.0
"""Jobs are announced; where an announcement is lost, they are found after so long."""
_STALLED_SECONDS = 60
"""A job whose worker shows no life for so long is removed: the store has its run handed over anew."""


def prepare(conninfo: str) -> bool:
    """Make procrastinate's tables; False when they are there. Raises CouldNotCheck."""
    try:
        with psycopg.connect(conninfo, connect_timeout=_CONNECT_SECONDS) as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            if _is_there(connection):
                return False
            connection.execute(SchemaManager.get_schema())
            return True
    except psycopg.Error as error:
        raise _trouble(error) from error


def ready(conninfo: str) -> None:
    """See that procrastinate's tables are there. Raises UserMistake with the way out, CouldNotCheck."""
    try:
        with psycopg.connect(conninfo, connect_timeout=_CONNECT_SECONDS) as connection:
            there = _is_there(connection)
    except psycopg.Error as error:
        raise _trouble(error) from error
    if not there:
        raise UserMistake.of(
            "the database has no tables for jobs yet",
            "run `contracts db upgrade` once, with a user that may make tables",
        )


def _pool_options(most: int) -> dict[str, Any]:
    options = {"connect_timeout": _CONNECT_SECONDS}
    return {"min_size": 1, "max_size": most, "timeout": _CONNECT_SECONDS, "kwargs": options, "open": False}


def _is_there(connection: psycopg.Connection) -> bool:
    row = connection.execute("SELECT to_regclass('procrastinate_jobs') IS NOT NULL").fetchone()
    return bool(row and row[0])


class ProcrastinateQueue:
    """:class:`contracts_svc.ports_jobs.Queue` over a PostgreSQL database."""

    def __init__(self, conninfo: str) -> None:
        """``conninfo`` is libpq's: an address or ``key=value`` pairs."""
        self._conninfo = conninfo
        self._handing: App | None = None
        self._pool: ConnectionPool | None = None
        self._threads: _Threads | None = None
        self._stopping = threading.Event()
        self._cancel: Callable[[], object] = lambda: None

    def hand(self, runs: Sequence[ScheduledRun]) -> None:
        """Queue these. Raises CouldNotCheck."""
        try:
            if self._handing is None:
                self._handing = self._open()
            for run in runs:
                job = self._handing.configure_task(
                    TASK, queue=QUEUE, priority=-run.priority, queueing_lock=str(run.id)
                )
                try:
                    job.defer(number=run.id)
                except AlreadyEnqueued:
                    continue
        except (ConnectorException, psycopg.Error) as error:
            raise _trouble(error) from error

    def work(self, do: Callable[[int], None], slots: int) -> None:
        """Do jobs, ``slots`` at once, until :meth:`stop`. Raises CouldNotCheck."""
        # Kept for the next call: what this one began is then still under way.
        self._threads = self._threads or _Threads(slots)
        try:
            asyncio.run(self._work(do, slots, self._threads))
        except (ConnectorException, psycopg.Error) as error:
            if not self._stopping.is_set():
                raise _trouble(error) from error
        if not self._stopping.is_set():
            raise CouldNotCheck("the queue of jobs", "the connection was lost")

    def stop(self) -> None:
        """Take no further jobs."""
        self._stopping.set()
        self._cancel()

    def close(self) -> None:
        """Close the connection that hands over."""
        if self._pool is not None:
            self._pool.close()
            self._handing = self._pool = None

    def _open(self) -> App:
        self._pool = ConnectionPool(self._conninfo, **_pool_options(1), check=ConnectionPool.check_connection)
        try:
            self._pool.open(wait=True, timeout=_CONNECT_SECONDS)
        except psycopg.Error:
            self._pool.close()
            raise
        connector = SyncPsycopgConnector()
        connector.open(self._pool)
        return App(connector=connector)

    async def _work(self, do: Callable[[int], None], slots: int, threads: _Threads) -> None:
        loop = asyncio.get_running_loop()
        app = App(connector=PsycopgConnector())

        @app.task(name=TASK, queue=QUEUE)
        async def run_check(number: int) -> None:
            done = loop.create_future()
            threads.do(lambda: _do(do, number, loop, done))
            await done

        pool = AsyncConnectionPool(
            self._conninfo, **_pool_options(4), check=AsyncConnectionPool.check_connection
        )
        async with pool:
            await pool.wait(timeout=_CONNECT_SECONDS)
            await app.connector.open_async(pool)
            for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=_STALLED_SECONDS):
                await app.job_manager.finish_job(job, status=Status.FAILED, delete_job=True)
            working = asyncio.ensure_future(
                app.run_worker_async(
                    queues=[QUEUE],
                    concurrency=slots,
                    fetch_job_polling_interval=_POLL_SECONDS,
                    shutdown_graceful_timeout=0,
                    delete_jobs="always",
                    install_signal_handlers=False,
                )
            )
            self._cancel = lambda: loop.call_soon_threadsafe(working.cancel)
            if self._stopping.is_set():
                working.cancel()
            try:
                await working
            except asyncio.CancelledError:
                if not self._stopping.is_set():
                    raise
            finally:
                self._cancel = lambda: None


class _Threads:
    """So many threads, each doing one thing at a time."""

    def __init__(self, count: int) -> None:
        self._todo: SimpleQueue[Callable[[], None]] = SimpleQueue()
        for number in range(count):
            # Daemons: a check that does not end must not keep the process from ending.
            threading.Thread(target=self._run, name=f"check-{number}", daemon=True).start()

    def do(self, work: Callable[[], None]) -> None:
        """Do this when a thread is free. ``work`` never raises."""
        self._todo.put(work)

    def _run(self) -> None:
        while True:
            self._todo.get()()


def _do(
    do: Callable[[int], None],
    number: int,
    loop: asyncio.AbstractEventLoop,
    done: asyncio.Future[None],
) -> None:
    do(number)

    def tell() -> None:
        if not done.done():
            done.set_result(None)

    if not loop.is_closed():
        loop.call_soon_threadsafe(tell)


def _trouble(error: Exception) -> CouldNotCheck:
    text = " ".join(str(error.__cause__ or error).split()) or type(error).__name__
    return CouldNotCheck("the queue of jobs", text, "see that the database is there and is reachable")
