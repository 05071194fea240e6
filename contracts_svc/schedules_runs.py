"""The words of scheduled runs, and which of those that wait are handed to workers next."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from contracts_svc.model import Contract


class RunState(StrEnum):
    """The life of a scheduled run."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    """There is a Run of it, whatever that says."""
    ERRORED = "errored"
    """It was given up: there is a Run of it that says why."""
    CANCELLED = "cancelled"
    """Somebody called it off, or what it is about is gone."""


class Reason(StrEnum):
    """Why a run is due."""

    MANUAL = "manual"
    PUBLISH = "publish"
    SCHEDULE = "schedule"
    CATCH_UP = "catch-up"
    """It was due while nothing was there to start it."""


_ORDER = tuple(Reason)
"""What goes first: who asks waits for it; what was just published is most likely to be wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A run that is due: one check of a table. There is one per tenant, contract, table and time."""

    tenant: str
    contract: str
    table: str
    scheduled_for: datetime
    reason: Reason
    bucket: str = ""
    """Where the data lies: runs over one bucket are limited together."""
    events: tuple[int, ...] = ()
    """The ids of the publish events that it answers."""
    server: str = ""
    """Which of the contract's servers; empty: the first."""
    partition: Mapping[str, str] = field(default_factory=dict)
    """The Hive partitions that are checked; empty: the whole table."""
    trace: str = ""
    """The span of whoever asked for it, as a ``traceparent``."""

    @property
    def priority(self) -> int:
        """The lower, the sooner."""
        return _ORDER.index(self.reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledRun(Planned):
    """A planned run as the store keeps it."""

    id: int
    state: RunState = RunState.WAITING
    attempts: int = 0
    """How often a worker began it. With the worker it tells one attempt from another."""
    not_before: datetime | None = None
    """When it may be tried again."""
    handed: datetime | None = None
    """When it was given to the queue; None: it is to be given."""
    worker: str = ""
    heartbeat: datetime | None = None
    finished: datetime | None = None
    run_id: str = ""
    """The Run that came of it."""
    error: str = ""
    """Why the last attempt failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishEvent:
    """Somebody published data of a table. The same key again is the same event."""

    key: str
    tenant: str
    contract: str
    table: str
    at: datetime
    id: int = 0
    """The store's number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many runs may be with workers (handed over, or running) at once."""

    in_all: int = 256
    per_bucket: int = 16
    per_tenant: int = 64


FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=10), timedelta(minutes=10)


def back_off(attempts: int) -> timedelta:
    """How long to wait after so many attempts that failed: twice as long each time."""
    return min(FIRST_PAUSE * (1 << min(attempts - 1, 10)), LONGEST_PAUSE)


def pick(
    waiting: Iterable[ScheduledRun], in_flight: Iterable[ScheduledRun], limits: Limits
) -> tuple[ScheduledRun, ...]:
    """Which of the waiting runs to hand over, in this order.

    What is more urgent comes first; of what is as urgent, the tenant and the bucket with the least in
    flight, so that many slow runs of one leave room for the others; then the oldest. A table is never
    checked twice at once.
    """
    busy = tuple(in_flight)
    tenants, buckets = Counter(r.tenant for r in busy), Counter(_bucket(r) for r in busy)
    tables = {_table(r) for r in busy}
    groups: defaultdict[tuple[int, str, tuple[str, str]], deque[ScheduledRun]] = defaultdict(deque)
    for run in sorted(waiting, key=_age):
        groups[run.priority, run.tenant, _bucket(run)].append(run)
    picked: list[ScheduledRun] = []
    while groups and len(busy) + len(picked) < limits.in_all:
        key = min(groups, key=lambda k: (k[0], tenants[k[1]], buckets[k[2]], *_age(groups[k][0])))
        _, tenant, bucket = key
        if tenants[tenant] >= limits.per_tenant or buckets[bucket] >= limits.per_bucket:
            del groups[key]
            continue
        run = groups[key].popleft()
        if not groups[key]:
            del groups[key]
        if _table(run) not in tables:
            picked.append(run)
            tables.add(_table(run))
            tenants[tenant] += 1
            buckets[bucket] += 1
    return tuple(picked)


def _age(run: ScheduledRun) -> tuple[datetime, int]:
    return run.scheduled_for, run.id


def _bucket(run: Planned) -> tuple[str, str]:
    # What lies nowhere in common is limited by contract.
    return ("bucket", run.bucket) if run.bucket else ("contract", run.contract)


def _table(run: Planned) -> tuple[str, str, str]:
    return run.tenant, run.contract, run.table


def bucket_of(contract: Contract) -> str:
    """What runs of a contract have in common with others: the bucket or host of its first server."""
    if not contract.servers:
        return ""
    server = contract.servers[0]
    place = server.fields.get("location") or server.fields.get("path") or server.fields.get("host")
    if not isinstance(place, str):
        return ""
    scheme, mark, rest = place.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}" if mark else ""
