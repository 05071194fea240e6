"""Which process schedules: the one that holds a lock of PostgreSQL, for as long as its session lives."""

from __future__ import annotations

from sqlalchemy import Connection, create_engine, func, literal, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from contracts_svc.adapters.store.database import Database

LOCK = 7_236_451_910
"""The number of the lock: any, as long as it stays."""
_KEEPALIVE = {"tcp_keepalives_idle": "4", "tcp_keepalives_interval": "2", "tcp_keepalives_count": "3"}
"""Seconds, and how often: the server gives up a host that is gone after ten seconds, and its lock with it
(that of a process that died on a host that lives, at once)."""


class PostgresLeadership:
    """:class:`contracts_svc.ports_jobs.Leadership` by a session-level advisory lock.

    Its connection is its own, and must lead to the server itself: a pooler that shares sessions between
    clients would share the lock too.
    """

    def __init__(self, database: Database) -> None:
        self._engine = create_engine(
            database.url,
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            connect_args={
                "connect_timeout": 5,
                "keepalives_idle": 4,
                "keepalives_interval": 2,
                "keepalives_count": 3,
                "tcp_user_timeout": 10_000,
            },
        )
        self._connection: Connection | None = None

    def held(self) -> bool:
        """Whether this process schedules; a database that cannot be reached makes nobody the leader."""
        try:
            if self._connection is not None:
                return bool(self._connection.scalar(select(literal(True))))
            return self._try()
        except SQLAlchemyError:
            self.release()
            return False

    def release(self) -> None:
        """Let another be it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            _close(connection)

    def _try(self) -> bool:
        connection = self._engine.connect()
        try:
            for name, value in _KEEPALIVE.items():
                connection.execute(select(func.set_config(name, value, False)))
            if connection.scalar(select(func.pg_try_advisory_lock(LOCK))):
                self._connection = connection
                return True
        except SQLAlchemyError:
            _close(connection)
            raise
        _close(connection)
        return False


def _close(connection: Connection) -> None:
    try:
        connection.close()
    except SQLAlchemyError:
        # It was broken already; without a pool nobody else gets it.
        connection.invalidate()


class Alone:
    """:class:`contracts_svc.ports_jobs.Leadership` of the only process there is."""

    def held(self) -> bool:
        return True

    def release(self) -> None:
        """There is nobody else."""
