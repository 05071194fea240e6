"""Scheduled runs, publish events and pauses in the database.

An attempt at a run is known by its worker and its number: every statement that ends one names both, so
that a worker that was believed dead changes nothing when it comes back.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, func, or_, select
from sqlalchemy.sql.elements import ColumnElement

from contracts_svc.adapters.store import tables_jobs as tables
from contracts_svc.adapters.store.part import Part, digest, insert, note
from contracts_svc.adapters.store.tables import contracts
from contracts_svc.ports_store import Actor
from contracts_svc.schedules_runs import (
    LONGEST_PAUSE,
    Planned,
    PublishEvent,
    Reason,
    RunState,
    ScheduledRun,
)

_RUNS, _EVENTS = tables.scheduled_runs, tables.publish_events
_PAUSED = tables.paused_contracts
_SHOWN = [c for c in _RUNS.c if c.name not in ("key", "priority")]
_WAITING = _RUNS.c.state == RunState.WAITING.value
_RUNNING = _RUNS.c.state == RunState.RUNNING.value


class ScheduledRuns(Part):
    """:class:`contracts_svc.ports_jobs.JobStore`"""

    def plan_runs(self, planned: Iterable[Planned], now: datetime) -> int:
        """Keep runs that are due, and that their events are answered; how many were new."""
        # In one order, so that two writers wait for one another and do not lock one another out.
        rows = sorted(((_key(p), p) for p in planned), key=lambda pair: pair[0])
        return self.database.write(lambda c: sum(_plan(c, key, each) for key, each in rows)) if rows else 0

    def waiting_runs(self, now: datetime, *, per_group: int) -> tuple[ScheduledRun, ...]:
        """Runs to be handed over now: of each tenant and bucket the most urgent and oldest ones."""
        # A pause from the future, of a clock that was set back since, is over.
        later = and_(_RUNS.c.not_before > now, _RUNS.c.not_before <= now + LONGEST_PAUSE)
        number = func.row_number().over(
            partition_by=(_RUNS.c.tenant, _RUNS.c.bucket),
            order_by=(_RUNS.c.priority, _RUNS.c.scheduled_for, _RUNS.c.id),
        )
        open_ = select(*_SHOWN, number.label("number")).where(
            _WAITING, _RUNS.c.handed.is_(None), or_(_RUNS.c.not_before.is_(None), ~later)
        )
        first = open_.subquery()
        query = select(*(first.c[c.name] for c in _SHOWN)).where(first.c.number <= per_group)
        return self._scheduled(query)

    def runs_in_flight(self) -> tuple[ScheduledRun, ...]:
        """Runs that were handed over or are running."""
        handed = and_(_WAITING, _RUNS.c.handed.is_not(None))
        return self._scheduled(select(*_SHOWN).where(or_(handed, _RUNNING)).order_by(_RUNS.c.id))

    def mark_handed(self, ids: Sequence[int], now: datetime) -> None:
        """These are with the queue now."""
        if ids:
            statement = _RUNS.update().where(_RUNS.c.id.in_(ids), _WAITING).values(handed=now)
            self.database.write(lambda c: c.execute(statement))

    def take_back(self, runs: Iterable[ScheduledRun]) -> int:
        """Runs that were handed over and that nobody began are to be handed over anew; how many."""
        return sum(
            self._change_run(
                and_(_RUNS.c.id == run.id, _WAITING, _RUNS.c.handed == run.handed), {"handed": None}
            )
            for run in runs
        )

    def claim(self, run_id: int, worker: str, now: datetime) -> ScheduledRun | None:
        """Begin a run that waits; None when another has, or it is over."""
        values = {"state": RunState.RUNNING.value, "worker": worker, "heartbeat": now, "not_before": None}
        statement = (
            _RUNS.update()
            .where(_RUNS.c.id == run_id, _WAITING)
            .values(**values, attempts=_RUNS.c.attempts + 1)
            .returning(*_SHOWN)
        )
        row = self.database.write(lambda c: c.execute(statement).first())
        return None if row is None else _run(row)

    def beat(self, worker: str, ids: Sequence[int], now: datetime) -> None:
        """The worker lives, and is at these."""
        if ids:
            statement = _RUNS.update().where(_RUNS.c.id.in_(ids), _RUNNING, _RUNS.c.worker == worker)
            self.database.write(lambda c: c.execute(statement.values(heartbeat=now)))

    def finish(
        self, run: ScheduledRun, state: RunState, now: datetime, *, run_id: str = "", error: str = ""
    ) -> bool:
        """End the attempt ``run``; False when it is not under way any more."""
        values = {"state": state.value, "finished": now, "run_id": run_id, "error": error}
        return self._change_run(_attempt(run), values)

    def wait_again(
        self, run: ScheduledRun, *, attempts: int, not_before: datetime | None = None, error: str = ""
    ) -> bool:
        """The attempt ``run`` is over and another is to come; False when it is not under way any more."""
        values: dict[str, Any] = {"state": RunState.WAITING.value, "handed": None, "worker": ""}
        values |= {"heartbeat": None, "attempts": attempts, "not_before": not_before, "error": error}
        return self._change_run(_attempt(run), values)

    def cancel_run(self, run_id: int, now: datetime) -> bool:
        """Call off a run that waits; False when it does not."""
        values = {"state": RunState.CANCELLED.value, "finished": now}
        return self._change_run(and_(_RUNS.c.id == run_id, _WAITING), values)

    def scheduled_run(self, run_id: int) -> ScheduledRun | None:
        """The scheduled run of that number."""
        found = self._scheduled(select(*_SHOWN).where(_RUNS.c.id == run_id))
        return found[0] if found else None

    def scheduled_runs(
        self, contract_id: str, *, table: str | None = None, state: RunState | None = None, limit: int = 100
    ) -> tuple[ScheduledRun, ...]:
        """Scheduled runs of a contract, the latest time first."""
        query = select(*_SHOWN).where(_RUNS.c.contract == contract_id)
        if table is not None:
            query = query.where(_RUNS.c.table == table)
        if state is not None:
            query = query.where(_RUNS.c.state == state.value)
        return self._scheduled(query.order_by(_RUNS.c.scheduled_for.desc(), _RUNS.c.id).limit(limit))

    def open_scheduled(self, tenant: str, *, after: int = 0, limit: int = 100) -> tuple[ScheduledRun, ...]:
        """Runs of a tenant that wait or run, by number, those after the number ``after``."""
        mine = (_RUNS.c.tenant == tenant, _RUNS.c.id > after, or_(_WAITING, _RUNNING))
        return self._scheduled(select(*_SHOWN).where(*mine).order_by(_RUNS.c.id).limit(limit))

    def count_scheduled(self) -> Mapping[RunState, int]:
        """How many runs wait and run."""
        query = select(_RUNS.c.state, func.count()).where(or_(_WAITING, _RUNNING)).group_by(_RUNS.c.state)
        rows = self.database.read(lambda c: c.execute(query).all())
        return {RunState.WAITING: 0, RunState.RUNNING: 0} | {RunState(state): n for state, n in rows}

    # --- publish events ------------------------------------------------------------------------

    def put_events(self, events: Iterable[PublishEvent]) -> tuple[PublishEvent, ...]:
        """Keep publish events, all or none; those that were not there before."""
        # In one order, so that two writers wait for one another and do not lock one another out.
        keyed = sorted(((digest(e.contract, e.table, e.key), e) for e in events), key=lambda pair: pair[0])
        return self.database.write(lambda c: tuple(e for key, e in keyed if _put_event(c, key, e)))

    def open_events(self, limit: int = 10_000) -> tuple[PublishEvent, ...]:
        """Events of contracts that are not paused and that no run answers yet, oldest first."""
        held = _EVENTS.c.contract.in_(select(_PAUSED.c.contract))
        wanted = and_(_EVENTS.c.scheduled_run_id.is_(None), ~held)
        query = select(_EVENTS).where(wanted).order_by(_EVENTS.c.at, _EVENTS.c.id).limit(limit)
        rows = self.database.read(lambda c: c.execute(query).all())
        return tuple(
            PublishEvent(
                key=bytes(r.key).hex(), tenant=r.tenant, contract=r.contract, table=r.table, at=r.at, id=r.id
            )
            for r in rows
        )

    # --- contracts and pauses ------------------------------------------------------------------

    def in_use(self, contract_id: str) -> bool:
        """Whether a contract is registered and not retired."""
        there = select(contracts.c.id).where(
            contracts.c.contract == contract_id, contracts.c.retired.is_(None)
        )
        return self.database.read(lambda c: c.scalar(there)) is not None

    def pause(self, contract_id: str, now: datetime, by: Actor) -> bool:
        """Start no scheduled run of a contract from now on; False when it is paused already."""

        def work(connection: Connection) -> bool:
            statement = insert(connection, _PAUSED).on_conflict_do_nothing(index_elements=["contract"])
            row = {"contract": contract_id, "since": now}
            if connection.execute(statement.returning(_PAUSED.c.contract), row).scalar() is None:
                return False
            note(connection, now, by, "paused", "contract", contract_id)
            return True

        return self.database.write(work)

    def resume(self, contract_id: str, now: datetime, by: Actor) -> bool:
        """End a pause; False when there is none."""

        def work(connection: Connection) -> bool:
            gone = connection.execute(_PAUSED.delete().where(_PAUSED.c.contract == contract_id)).rowcount
            if gone:
                note(connection, now, by, "resumed", "contract", contract_id)
            return bool(gone)

        return self.database.write(work)

    def paused(self) -> Mapping[str, datetime]:
        """The paused contracts, and since when."""
        rows = self.database.read(lambda c: c.execute(select(_PAUSED)).all())
        return {r.contract: r.since for r in rows}

    # --- statements ----------------------------------------------------------------------------

    def _scheduled(self, query: Select[Any]) -> tuple[ScheduledRun, ...]:
        return tuple(_run(row) for row in self.database.read(lambda c: c.execute(query).all()))

    def _change_run(self, which: ColumnElement[bool], values: Mapping[str, Any]) -> bool:
        statement = _RUNS.update().where(which).values(**values)
        return bool(self.database.write(lambda c: c.execute(statement).rowcount))


def _key(planned: Planned) -> bytes:
    time = planned.scheduled_for.astimezone(UTC).isoformat()
    # An event may be of the very moment that a schedule is due, and come when that run is over.
    event = [str(max(planned.events))] if planned.events else []
    return digest(planned.tenant, planned.contract, planned.table, time, *event)


def _plan(connection: Connection, key: bytes, planned: Planned) -> bool:
    row = {
        "key": key,
        "tenant": planned.tenant,
        "contract": planned.contract,
        "table": planned.table,
        "bucket": planned.bucket,
        "server": planned.server,
        "partition": json.dumps(dict(planned.partition)),
        "scheduled_for": planned.scheduled_for,
        "reason": planned.reason.value,
        "trace": planned.trace,
        "priority": planned.priority,
        "state": RunState.WAITING.value,
        "attempts": 0,
        "worker": "",
        "run_id": "",
        "error": "",
    }
    statement = insert(connection, _RUNS).on_conflict_do_nothing(index_elements=["key"])
    added: int | None = connection.execute(statement.returning(_RUNS.c.id), row).scalar()
    if planned.events:
        run_id = added or connection.scalar(select(_RUNS.c.id).where(_RUNS.c.key == key))
        answered = _EVENTS.update().where(_EVENTS.c.id.in_(planned.events))
        connection.execute(answered.values(scheduled_run_id=run_id))
    return added is not None


def _put_event(connection: Connection, key: bytes, event: PublishEvent) -> bool:
    row: dict[str, Any] = {"key": key, "tenant": event.tenant, "contract": event.contract}
    row |= {"table": event.table, "at": event.at}
    statement = insert(connection, _EVENTS).on_conflict_do_nothing(index_elements=["key"])
    return connection.execute(statement.returning(_EVENTS.c.id), row).scalar() is not None


def _attempt(run: ScheduledRun) -> ColumnElement[bool]:
    same = and_(_RUNS.c.worker == run.worker, _RUNS.c.attempts == run.attempts)
    return and_(_RUNS.c.id == run.id, _RUNNING, same)


def _run(row: Row[Any]) -> ScheduledRun:
    values = dict(row._mapping) | {"partition": json.loads(row.partition)}
    return ScheduledRun(**values | {"state": RunState(row.state), "reason": Reason(row.reason)})
