"""The work of the GitHub App in the database.

An attempt at a piece of work is known by its worker and its number: every statement that ends one names
both, so that a worker that was believed dead changes nothing when it comes back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, case, func, or_, select
from sqlalchemy.sql.elements import ColumnElement

from contracts_svc.adapters.store import tables_github as tables
from contracts_svc.adapters.store.codec import dumps, loads
from contracts_svc.adapters.store.part import Part, digest, insert
from contracts_svc.github.names import RepositoryName
from contracts_svc.github.work import Work
from contracts_svc.ports_hub_store import Delivered, WorkRow, WorkState

_DELIVERIES, _WORK = tables.github_deliveries, tables.github_work
_WAITING = _WORK.c.state == WorkState.WAITING.value
_RUNNING = _WORK.c.state == WorkState.RUNNING.value
LONGEST_PAUSE = timedelta(hours=2)
"""A pause that seems longer is of a clock that was set back since, and is over."""
_LONGEST_ERROR = 2_000


def name_key(repository: RepositoryName) -> str:
    """A repository's name as GitHub compares it."""
    return str(repository).casefold()


class HubWork(Part):
    """The deliveries and the work of :class:`contracts_svc.ports_hub_store.HubStore`."""

    def deliver(self, delivered: Delivered, works: Iterable[Work], now: datetime) -> bool:
        """Keep a delivery and the work that it asks for, together; False when it came before."""
        row = {"id": delivered.id, "at": now, "event": delivered.event[:64], "action": delivered.action}
        asked = tuple(works)

        def work(connection: Connection) -> bool:
            statement = insert(connection, _DELIVERIES).on_conflict_do_nothing(index_elements=["id"])
            added = connection.scalar(
                statement.returning(_DELIVERIES.c.id), row | {"repository": delivered.repository}
            )
            if added is not None:
                _ask(connection, asked, now)
            return added is not None

        return self.database.write(work)

    def ask(self, works: Iterable[Work], now: datetime) -> None:
        """Ask for work. What waits already under the same key is asked for once."""
        asked = tuple(works)
        if asked:
            self.database.write(lambda c: _ask(c, asked, now))

    def claim_work(self, worker: str, now: datetime, until: datetime) -> WorkRow | None:
        """Begin the work that waits longest; None: there is none now."""
        later = and_(_WORK.c.not_before > now, _WORK.c.not_before <= now + LONGEST_PAUSE)
        due = and_(_WAITING, or_(_WORK.c.not_before.is_(None), ~later))
        left = and_(_RUNNING, _WORK.c.leased_until <= now)
        first = select(_WORK.c.id).where(or_(due, left)).order_by(_WORK.c.since, _WORK.c.id).limit(1)
        values = {"state": WorkState.RUNNING.value, "worker": worker, "leased_until": until}

        def work(connection: Connection) -> Row[Any] | None:
            found = connection.scalar(first.with_for_update(skip_locked=True))
            if found is None:
                return None
            change = _WORK.update().where(_WORK.c.id == found).returning(*_WORK.c)
            return connection.execute(change.values(**values, attempts=_WORK.c.attempts + 1)).first()

        row = self.database.write(work)
        return None if row is None else _row(row)

    def end_work(self, row: WorkRow, now: datetime) -> bool:
        """The attempt has done it; what was asked for meanwhile waits."""
        again = {"state": WorkState.WAITING.value, "attempts": 0, "since": now, "not_before": None}

        def work(connection: Connection) -> bool:
            done = _WORK.delete().where(_attempt(row), _WORK.c.asked == row.asked)
            if connection.execute(done).rowcount:
                return True
            change = _WORK.update().where(_attempt(row)).values(**again, worker="", error="")
            return bool(connection.execute(change).rowcount)

        return self.database.write(work)

    def put_off_work(self, row: WorkRow, not_before: datetime, error: str) -> bool:
        """The attempt did not do it, and another is to come."""
        return self._change(row, {"state": WorkState.WAITING.value, "not_before": not_before}, error)

    def fail_work(self, row: WorkRow, error: str, now: datetime) -> bool:
        """The attempt was the last one; what was asked for meanwhile is tried anew."""
        newer = _WORK.c.asked > row.asked
        state = case((newer, WorkState.WAITING.value), else_=WorkState.FAILED.value)
        attempts = case((newer, 0), else_=_WORK.c.attempts)
        return self._change(row, {"state": state, "attempts": attempts, "not_before": None}, error)

    def hold_back(self, installation_id: int, until: datetime) -> None:
        """Begin no work of this installation before then."""
        sooner = or_(_WORK.c.not_before.is_(None), _WORK.c.not_before < until)
        change = _WORK.update().where(_WAITING, _WORK.c.installation_id == installation_id, sooner)
        self.database.write(lambda c: c.execute(change.values(not_before=until)))

    def open_work(self, state: WorkState | None = None, limit: int = 100) -> tuple[WorkRow, ...]:
        """Work that is not done, the longest asked for first."""
        query = select(_WORK).order_by(_WORK.c.since, _WORK.c.id).limit(limit)
        if state is not None:
            query = query.where(_WORK.c.state == state.value)
        return tuple(map(_row, self.database.read(lambda c: c.execute(query).all())))

    def count_work(self) -> Mapping[WorkState, int]:
        """How many pieces of work there are in each state."""
        query = select(_WORK.c.state, func.count()).group_by(_WORK.c.state)
        rows = self.database.read(lambda c: c.execute(query).all())
        return dict.fromkeys(WorkState, 0) | {WorkState(state): n for state, n in rows}

    def prune_deliveries(self, before: datetime, *, batch: int = 1_000) -> int:
        """Forget deliveries from before that moment, in small transactions; how many there were."""
        old = select(_DELIVERIES.c.id).where(_DELIVERIES.c.at < before).limit(batch)
        statement = _DELIVERIES.delete().where(_DELIVERIES.c.id.in_(old))
        forgotten = 0
        while some := self.database.write(lambda c: c.execute(statement).rowcount):
            forgotten += some
        return forgotten

    def _change(self, row: WorkRow, values: Mapping[str, Any], error: str) -> bool:
        told = {"worker": "", "leased_until": None, "error": _storable(error)}
        change = _WORK.update().where(_attempt(row)).values(**values, **told)
        return bool(self.database.write(lambda c: c.execute(change).rowcount))


def _ask(connection: Connection, works: Iterable[Work], now: datetime) -> None:
    # In one order, so that two writers wait for one another and do not lock one another out.
    for key, work in sorted({digest(w.key): w for w in works}.items()):
        row = {
            "key": key,
            "repository": name_key(work.repository),
            "installation_id": work.installation_id,
            "document": dumps(work),
            "state": WorkState.WAITING.value,
            "asked": 1,
            "attempts": 0,
            "since": now,
            "worker": "",
            "error": "",
        }
        statement = insert(connection, _WORK)
        given_up = _WORK.c.state == WorkState.FAILED.value
        again = {
            "asked": _WORK.c.asked + 1,
            "document": statement.excluded.document,
            "installation_id": func.coalesce(statement.excluded.installation_id, _WORK.c.installation_id),
            "state": case((given_up, WorkState.WAITING.value), else_=_WORK.c.state),
            "attempts": case((given_up, 0), else_=_WORK.c.attempts),
            "since": case((given_up, now), else_=_WORK.c.since),
        }
        connection.execute(statement.on_conflict_do_update(index_elements=["key"], set_=again), row)


def _attempt(row: WorkRow) -> ColumnElement[bool]:
    same = and_(_WORK.c.worker == row.worker, _WORK.c.attempts == row.attempts)
    return and_(_WORK.c.id == row.id, _RUNNING, same)


def _row(row: Row[Any]) -> WorkRow:
    return WorkRow(
        id=row.id,
        work=loads(Work, row.document),
        state=WorkState(row.state),
        asked=row.asked,
        attempts=row.attempts,
        since=row.since,
        worker=row.worker,
        not_before=row.not_before,
        error=row.error,
    )


def _storable(text: str) -> str:
    return (
        text.encode("utf-8", "replace").decode().replace("\x00", "\N{REPLACEMENT CHARACTER}")[:_LONGEST_ERROR]
    )
