"""Forgetting what is old, in small transactions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, Table, and_, exists, or_, select, tuple_

from contracts_svc.adapters.store.part import Part, digest
from contracts_svc.adapters.store.tables import contracts, measurements, results, runs
from contracts_svc.adapters.store.tables_jobs import publish_events, scheduled_runs
from contracts_svc.adapters.store.tables_lineage import (
    lineage_report_names,
    lineage_reports,
    lineage_states,
)
from contracts_svc.adapters.store.tables_outbox import outbox_messages
from contracts_svc.adapters.store.tables_states import state_places, states
from contracts_svc.ports_outbox import MessageState
from contracts_svc.ports_retention import BATCH
from contracts_svc.schedules_runs import Reason

_BY_SCHEDULE = (Reason.SCHEDULE.value, Reason.CATCH_UP.value)
_TOLD = (MessageState.SENT.value, MessageState.REPLACED.value)


class Retention(Part):
    """:class:`contracts_svc.ports_retention.RetentionStore`, and of reports of lineage."""

    def prune_measurements(self, before: datetime, *, batch: int = BATCH) -> int:
        """Figures of checks from before that moment."""
        shown = measurements.c
        key = (shown.run_id, shown.number, shown.figure_key)
        old = select(*key).where(shown.at < before).limit(batch)
        statement = measurements.delete().where(tuple_(*key).in_(old))
        return self.database.write(lambda c: c.execute(statement).rowcount)

    def prune_runs(self, before: datetime, *, batch: int = BATCH) -> int:
        """Runs that began before that moment, but the last one of each table."""
        newer = runs.alias()
        later = and_(newer.c.table_key == runs.c.table_key, newer.c.started > runs.c.started)
        old = select(runs.c.id).where(runs.c.started < before, exists().where(later))
        old = old.order_by(runs.c.started).limit(batch)

        def work(connection: Connection) -> int:
            ids = list(connection.scalars(old))
            if ids:
                for table in (measurements, results):
                    connection.execute(table.delete().where(table.c.run_id.in_(ids)))
                connection.execute(runs.delete().where(runs.c.id.in_(ids)))
            return len(ids)

        return self.database.write(work)

    def prune_scheduled(self, before: datetime, *, batch: int = BATCH) -> int:
        """Scheduled runs that were over before that moment, but the last one of each table's schedule."""
        newer, mine = scheduled_runs.alias(), scheduled_runs.c
        later = and_(
            newer.c.contract == mine.contract,
            newer.c.table == mine.table,
            newer.c.scheduled_for > mine.scheduled_for,
            newer.c.reason.in_(_BY_SCHEDULE),
        )
        old = select(mine.id).where(
            mine.finished < before,
            or_(mine.reason.not_in(_BY_SCHEDULE), exists().where(later)),
            ~exists().where(publish_events.c.scheduled_run_id == mine.id),
        )
        return self._forget(scheduled_runs, old, batch)

    def prune_events(self, before: datetime, *, batch: int = BATCH) -> int:
        """Publish events from before that moment that a run has answered."""
        shown = publish_events.c
        old = select(shown.id).where(shown.at < before, shown.scheduled_run_id.is_not(None))
        return self._forget(publish_events, old, batch)

    def prune_states(self, *, batch: int = BATCH) -> int:
        """What is known of the files of contracts that are retired."""
        of = and_(contracts.c.contract == state_places.c.contract, contracts.c.retired.is_not(None))
        gone = select(state_places.c.place).join(contracts, of)
        key = (states.c.place, states.c.unit)
        old = select(*key).where(states.c.place.in_(gone)).limit(batch)

        def work(connection: Connection) -> int:
            some = connection.execute(states.delete().where(tuple_(*key).in_(old))).rowcount
            if some < batch:
                connection.execute(state_places.delete().where(state_places.c.place.in_(gone)))
            return some

        return self.database.write(work)

    def prune_messages(self, before: datetime, *, batch: int = BATCH) -> int:
        """Messages that were sent or replaced before that moment."""
        shown = outbox_messages.c
        old = select(shown.id).where(shown.settled < before, shown.state.in_(_TOLD))
        return self._forget(outbox_messages, old, batch)

    def old_origins(self, before: datetime, limit: int) -> tuple[tuple[str, str], ...]:
        """Tenant and job of some of those with reports that were last seen before that moment."""
        shown = lineage_reports.c
        query = select(shown.origin, shown.origin_key).where(shown.last_seen < before).distinct().limit(limit)

        def work(connection: Connection) -> tuple[tuple[str, str], ...]:
            tenants = list(connection.scalars(select(lineage_states.c.tenant)))
            keys = {bytes(row.origin_key): row.origin for row in connection.execute(query)}
            found = ((t, o) for t in tenants for k, o in keys.items() if digest(t, o) == k)
            return tuple(found)

        return self.database.read(work)

    def drop_reports(self, tenant: str, origin: str, before: datetime) -> int:
        """Forget the reports of a job that were last seen before that moment; how many there were."""
        shown = lineage_reports.c
        old = select(shown.id).where(shown.origin_key == digest(tenant, origin), shown.last_seen < before)
        named = lineage_report_names

        def work(connection: Connection) -> int:
            connection.execute(named.delete().where(named.c.report_id.in_(old)))
            return connection.execute(lineage_reports.delete().where(shown.id.in_(old))).rowcount

        return self.database.write(work)

    def _forget(self, table: Table, old: Select[Any], batch: int) -> int:
        statement = table.delete().where(table.c.id.in_(old.limit(batch)))
        return self.database.write(lambda c: c.execute(statement).rowcount)
