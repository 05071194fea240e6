"""One database: SQLite in WAL mode for one process, PostgreSQL for more. Connections and transactions.

Every change runs in one transaction; a change that loses against another (a deadlock, a serialization
failure, a database that stays locked) is tried again a bounded number of times. Errors come out as
:class:`CouldNotCheck`, without the password.
"""

from __future__ import annotations

import random
import select
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Dialect, create_engine, event, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    DisconnectionError,
    IntegrityError,
    InternalError,
    NotSupportedError,
    ProgrammingError,
    StatementError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry, StaticPool

from contracts_svc.errors import ContractsError, CouldNotCheck, UserMistake

T = TypeVar("T")

MEMORY = "sqlite://"
"""The URL of a database that lives as long as its :class:`Database`, for one thread."""

BUSY_SECONDS = 30
"""How long a writer of SQLite waits for the one before it."""
CACHE_KIB = 65_536
"""Memory that a connection to SQLite may keep pages of the file in, in KiB."""
ATTEMPTS = 6
"""How often a transaction that loses against another is tried in all."""
_FIRST_PAUSE = 0.02
_WRITES = "contracts_writes"
# https://www.postgresql.org/docs/current/errcodes-appendix.html: serialization failure, deadlock.
_LOST = {"40001", "40P01"}
# A server that only follows another, and files that are damaged.
_NOT_OURS = ("25006", "XX")


class Database:
    """Opens connections and runs transactions. Safe for use by many threads (not :data:`MEMORY`)."""

    def __init__(self, url: str, *, foreign_keys: bool = True) -> None:
        """``foreign_keys`` False: SQLite does not see to them, as migrations of its tables need."""
        self.url = parse(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        shown = self.url.set(drivername=self.url.get_backend_name())
        self.name = shown.render_as_string(hide_password=True)
        """The address, without the password."""
        self.in_memory = self.is_sqlite and not self.url.database
        options: dict[str, Any] = {}
        if self.in_memory:
            options = {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}}
        elif self.is_sqlite:
            options = {"connect_args": {"timeout": BUSY_SECONDS}}
        else:
            options = {"connect_args": {"connect_timeout": 10}}
        # What statements are run with may be anybody's data, which errors and logs must not tell.
        self.engine = create_engine(self.url, hide_parameters=True, **options)
        self._failed = ("", 0.0)
        self._open: ContextVar[Connection | None] = ContextVar("open transaction", default=None)
        self._reading: ContextVar[Connection | None] = ContextVar("open reading", default=None)
        self._at_last: ContextVar[dict[object, Callable[[Connection], object]]] = ContextVar("done at last")
        if self.is_sqlite:
            event.listen(self.engine, "connect", partial(_prepare_sqlite, foreign_keys))
            event.listen(self.engine, "begin", _begin_sqlite)
        else:
            event.listen(self.engine, "checkin", _used)
            event.listen(self.engine, "checkout", partial(_must_be_open, self.engine.dialect))

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a transaction that changes nothing. Raises CouldNotCheck."""
        connection = self._open.get() or self._reading.get()
        if connection is not None:
            return work(connection)
        try:
            return self._once(work, writes=False)
        except _Lost as error:
            raise self.trouble(error.cause) from error.cause

    def read_at_once(self, work: Callable[[], T]) -> T:
        """Run ``work``, all of whose readings share a connection: to get one costs more than most readings.
        It changes nothing, and does not take long. Raises CouldNotCheck."""

        def reading(connection: Connection) -> T:
            token = self._reading.set(connection)
            try:
                return work()
            finally:
                self._reading.reset(token)

        return self.read(reading)

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a transaction and commit it. Raises CouldNotCheck.

        ``work`` may run more than once, each time from the start. Inside the ``work`` of another call
        it joins that transaction.
        """
        connection = self._open.get()
        if connection is not None:
            return work(connection)
        for attempt in range(ATTEMPTS):
            try:
                return self._once(work, writes=True)
            except _Lost as error:
                if attempt == ATTEMPTS - 1:
                    raise self.trouble(error.cause) from error.cause
                time.sleep(random.uniform(0.5, 1) * _FIRST_PAUSE * 2**attempt)
        raise AssertionError("the last attempt returns or raises")

    def at_last(self, key: object, work: Callable[[Connection], object]) -> None:
        """Have this done at the end of the open transaction: others wait the less for what it locks. Of what
        has the same key, the last is done."""
        self._at_last.get()[key] = work

    @property
    def is_missing(self) -> bool:
        """Whether this is a file of SQLite that is not there yet."""
        return bool(self.is_sqlite and self.url.database and not Path(self.url.database).exists())

    def make_folder(self) -> None:
        """Make the folder that SQLite's file is to lie in. Raises CouldNotCheck."""
        if self.is_missing and self.url.database:
            try:
                Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise self.trouble(error) from error

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    def failed_within(self, seconds: float) -> str:
        """What went wrong last, when that was no longer ago; else empty."""
        why, at = self._failed
        return why if why and time.monotonic() - at < seconds else ""

    def trouble(self, cause: BaseException) -> CouldNotCheck:
        """What is told when the database cannot do what it is asked to."""
        text = " ".join(str(getattr(cause, "orig", None) or cause).split())
        if self.url.password:
            text = text.replace(str(self.url.password), "***")
        self._failed = (text, time.monotonic())
        return CouldNotCheck(
            f"the database {self.name}",
            text,
            "see that CONTRACTS_DATABASE_URL names it, that it is reachable and has space left",
        )

    def _once(self, work: Callable[[Connection], T], *, writes: bool) -> T:
        with self._errors(), self.engine.connect() as connection:
            connection = connection.execution_options(**{_WRITES: writes})
            with connection.begin():
                token = self._open.set(connection if writes else None)
                last = self._at_last.set({})
                try:
                    done = work(connection)
                    for finish in self._at_last.get().values():
                        finish(connection)
                    return done
                finally:
                    self._at_last.reset(last)
                    self._open.reset(token)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except PoolTimeout as error:
            raise self.trouble(error) from error
        except StatementError as error:
            if isinstance(error.orig, ContractsError):
                raise error.orig from None
            if isinstance(error, DBAPIError):
                raise self._told(error) from error
            raise

    def _told(self, error: DBAPIError) -> Exception:
        """The error as callers know it; what is a defect of ours stays what it is."""
        if _lost_to_another(error):
            return _Lost(error)
        return error if _is_ours(error) else self.trouble(error)


class _Lost(Exception):
    """Another transaction was in the way; trying again can help."""

    def __init__(self, cause: DBAPIError) -> None:
        self.cause = cause


def _is_ours(error: DBAPIError) -> bool:
    """Whether the statement is at fault, and not the database or the way to it."""
    if isinstance(error.orig, sqlite3.OperationalError):
        return error.orig.sqlite_errorcode == sqlite3.SQLITE_ERROR
    if (getattr(error.orig, "sqlstate", None) or "").startswith(_NOT_OURS):
        return False
    return isinstance(
        error, IntegrityError | ProgrammingError | DataError | InternalError | NotSupportedError
    )


def _lost_to_another(error: DBAPIError) -> bool:
    if isinstance(error.orig, sqlite3.OperationalError):
        return error.orig.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    return getattr(error.orig, "sqlstate", None) in _LOST


def parse(text: str) -> URL:
    """The address of a database. Raises UserMistake, which never shows the password."""
    try:
        url = make_url(text)
    except ArgumentError:
        raise UserMistake.of("the database's address cannot be read", _FORM) from None
    backend = url.get_backend_name()
    if backend in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    if url.drivername != "sqlite":
        raise UserMistake.of(f"a database of the kind {url.drivername!r} cannot be used", _FORM)
    return url


_FORM = "write sqlite:///path/to/contracts.db or postgresql://user:password@host:5432/database"


_TRUSTED = 1.0
"""Seconds after which a connection that lay idle is not taken for open any more."""


def _used(connection: object, record: ConnectionPoolEntry) -> None:
    record.info["used"] = time.monotonic()


def _must_be_open(dialect: Dialect, connection: Any, record: ConnectionPoolEntry, proxy: object) -> None:
    """The pool gives another connection for one that was closed meanwhile. One that was in use just now is
    asked only where something has come over it since, as it does when the server ends it."""
    if time.monotonic() - record.info.get("used", 0.0) < _TRUSTED and not _has_news(connection):
        return
    try:
        dialect.do_ping(connection)
    except dialect.loaded_dbapi.Error as error:
        raise DisconnectionError from error


def _has_news(connection: Any) -> bool:
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _prepare_sqlite(foreign_keys: bool, connection: sqlite3.Connection, record: object) -> None:
    # The driver must not begin transactions by itself: see _begin_sqlite.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=WAL")
    # Every commit is on the disk before it is told: what was acknowledged outlives a power failure.
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(f"PRAGMA foreign_keys={int(foreign_keys)}")
    connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes the lock at once: one that only finds out later that another came first fails at
    # once, without waiting (https://www.sqlite.org/lang_transaction.html, "database is locked").
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
