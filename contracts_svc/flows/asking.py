"""Somebody asks for checks now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from contracts_svc.model import Contract
from contracts_svc.ports_jobs import JobStore
from contracts_svc.ports_store import Store
from contracts_svc.schedules_runs import Planned, Reason, RunState, ScheduledRun, bucket_of

_NEXT = timedelta(microseconds=1)
_WAITING = 100
"""Runs of a table among which one that waits already is looked for."""


class AskingStore(Store, JobStore, Protocol):
    """What asking needs of the store."""


def ask(
    store: AskingStore,
    contract: Contract,
    tables: Iterable[str],
    *,
    server: str = "",
    partition: Mapping[str, str] = {},
    now: datetime,
    trace: str = "",
) -> tuple[ScheduledRun, ...]:
    """Have tables of a contract checked; the run of each. What waits already is not asked for twice.

    ``trace`` is the span of whoever asks (see :class:`contracts_svc.schedules_runs.Planned`).
    """

    def one(table: str) -> ScheduledRun:
        wanted = Planned(
            tenant=contract.tenant or "",
            contract=contract.id,
            table=table,
            scheduled_for=now,
            reason=Reason.MANUAL,
            bucket=bucket_of(contract),
            server=server,
            partition=dict(sorted(partition.items())),
            trace=trace,
        )
        waiting = store.scheduled_runs(contract.id, table=table, state=RunState.WAITING, limit=_WAITING)
        return next((run for run in waiting if _is_same(run, wanted)), None) or _planned(store, wanted, now)

    return store.atomically(lambda: tuple(one(table) for table in tables))


def _planned(store: AskingStore, wanted: Planned, now: datetime) -> ScheduledRun:
    # There is one run of a table and a time; another may be due at this very moment.
    while not store.plan_runs([wanted], now):
        wanted = replace(wanted, scheduled_for=wanted.scheduled_for + _NEXT)
    runs = store.scheduled_runs(wanted.contract, table=wanted.table, state=RunState.WAITING, limit=_WAITING)
    return next(r for r in runs if r.scheduled_for == wanted.scheduled_for and _is_same(r, wanted))


def _is_same(run: ScheduledRun, wanted: Planned) -> bool:
    asked = (run.reason, run.server, run.partition)
    return run.attempts == 0 and asked == (wanted.reason, wanted.server, wanted.partition)
