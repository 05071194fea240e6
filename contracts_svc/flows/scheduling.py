"""What the leader does, again and again: see what is due, hand it to workers, notice what died.

A run is planned by a row in the store, unique by contract, table and time; a row that is not handed over
yet is the outbox entry of its job. So nothing here has to happen exactly once: a leader may die after
any line, and two may be at work for a moment. Only times of the contracts' schedules come from the
clock, which may be wrong; whether a worker lives is judged by whether its heartbeat changes, measured in
seconds that go by (``elapsed``, of a clock that nobody sets).
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from contracts_svc.errors import UserMistake
from contracts_svc.flows.register import Reader
from contracts_svc.ports_jobs import JobStore, Queue
from contracts_svc.ports_store import ContractRow, ContractStore
from contracts_svc.routes.intervals import TimeInterval, any_contains
from contracts_svc.schedule import Trigger
from contracts_svc.schedules import QUIET, due_after, latest_due, next_due, triggers
from contracts_svc.schedules_runs import (
    Limits,
    Planned,
    PublishEvent,
    Reason,
    RunState,
    ScheduledRun,
    bucket_of,
    pick,
)

PAGE = 1_000
"""How many contracts are listed at once, and how many runs planned in one transaction."""
TAKEN_IN = 200
"""How many contracts are read in one round: reading one takes milliseconds, and what is known goes on."""
LATE = timedelta(minutes=5)
"""What begins so long after it was due is caught up, and waits for what is due now."""


class SchedulingStore(ContractStore, JobStore, Protocol):
    """What scheduling needs of the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often and how long, in seconds."""

    refresh: float = 15
    """After so long it is seen which contracts there are."""
    patience: float = 30
    """A worker whose heartbeat stands still for so long is dead."""
    unclaimed: float = 60
    """What nobody began so long after it was handed over is handed over anew."""


USUAL_LIMITS, USUAL_PACE = Limits(), Pace()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticked:
    """What one round did."""

    planned: int = 0
    """Runs that became due."""
    handed: int = 0
    died: int = 0
    """Attempts whose worker is dead."""
    waiting: int = 0
    """Runs that are due and not begun."""
    running: int = 0
    tables: int = 0
    """Tables with a schedule."""


@dataclass(slots=True, kw_only=True)
class _Entry:
    """The schedule of one table."""

    row: ContractRow
    table: str
    bucket: str
    triggers: tuple[Trigger, ...]
    previous: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduling:
    """The parts that a leader works with."""

    store: SchedulingStore
    queue: Queue
    read: Reader
    died: Callable[[ScheduledRun], object]
    """Ends an attempt whose worker is dead."""
    windows: tuple[TimeInterval, ...] = ()
    """Maintenance: nothing is begun in them but what somebody asks for."""
    quiet: timedelta = QUIET
    """After so long without another publish event a table is checked."""
    limits: Limits = USUAL_LIMITS
    pace: Pace = USUAL_PACE


class Leader:
    """One leadership of one process. It begins with nothing and reads what it needs from the store."""

    def __init__(self, parts: Scheduling) -> None:
        self._parts = parts
        self._entries: dict[str, dict[str, _Entry]] = {}
        self._rows: dict[str, ContractRow] = {}
        self._unread: dict[str, ContractRow] = {}
        self._due: list[tuple[datetime, str, str]] = []
        self._refreshed: float | None = None
        self._watch = _Watch(parts.pace)

    def tick(self, now: datetime, elapsed: float) -> Ticked:
        """One round. ``elapsed`` are seconds since any moment. Raises CouldNotCheck when the store or the
        queue cannot be reached; the next round then goes on where this one ended."""
        parts = self._parts
        if self._refreshed is None or elapsed - self._refreshed >= parts.pace.refresh:
            self._refresh()
            self._refreshed = elapsed
        for contract_id in list(self._unread)[:TAKEN_IN]:
            self._take_in(self._unread[contract_id])
            del self._unread[contract_id]
        held = set(parts.store.paused())
        quiet = any_contains(parts.windows, now)
        planned = 0 if quiet else self._plan_due(now, held) + self._plan_published(now, held)
        died = self._look_after(now, elapsed)
        handed = self._hand_over(now, held, quiet)
        counts = parts.store.count_scheduled()
        return Ticked(
            planned=planned,
            handed=handed,
            died=died,
            waiting=counts[RunState.WAITING],
            running=counts[RunState.RUNNING],
            tables=sum(map(len, self._entries.values())),
        )

    # --- which contracts ------------------------------------------------------------------------

    def _refresh(self) -> None:
        seen: set[str] = set()
        for row in _rows(self._parts.store):
            seen.add(row.id)
            if self._rows.get(row.id) != row:
                self._unread[row.id] = self._rows[row.id] = row
        for gone in self._rows.keys() - seen:
            del self._rows[gone]
            self._unread.pop(gone, None)
            self._entries.pop(gone, None)

    def _take_in(self, row: ContractRow) -> None:
        before = self._entries.pop(row.id, {})
        text = self._parts.store.contract_text(row.id, row.version)
        if text is None:
            return
        try:
            contract = self._parts.read(text, row.id)
        except UserMistake:
            return  # it was registered by a version of the service that could read it
        bucket = bucket_of(contract)
        entries = self._entries[row.id] = {}
        for table in contract.tables:
            # A new leader may plan again what is the latest time now: the store knows that it was.
            previous = before[table.name].previous if table.name in before else row.added
            entry = entries[table.name] = _Entry(
                row=row,
                table=table.name,
                bucket=bucket,
                triggers=triggers(contract, table),
                previous=previous,
            )
            self._wait_for(entry, previous)

    def _entry(self, contract_id: str, table: str) -> _Entry | None:
        return self._entries.get(contract_id, {}).get(table)

    def _wait_for(self, entry: _Entry, after: datetime) -> None:
        when = next_due(entry.triggers, after)
        if when is not None:
            heapq.heappush(self._due, (when, entry.row.id, entry.table))

    # --- what is due ----------------------------------------------------------------------------

    def _plan_due(self, now: datetime, held: set[str]) -> int:
        added = 0
        while some := self._take_due(now, held):
            try:
                added += self._parts.store.plan_runs([p for _, p in some], now)
            except BaseException:
                for entry, _ in some:
                    self._wait_for(entry, entry.previous)
                raise
            for entry, planned in some:
                entry.previous = planned.scheduled_for
                self._wait_for(entry, entry.previous)
        return added

    def _take_due(self, now: datetime, held: set[str]) -> list[tuple[_Entry, Planned]]:
        found: dict[tuple[str, str], tuple[_Entry, Planned]] = {}
        later: list[tuple[datetime, str, str]] = []
        while self._due and self._due[0][0] <= now and len(found) < PAGE:
            waiting = heapq.heappop(self._due)
            key = waiting[1:]
            entry = self._entry(*key)
            if entry is None or key in found:
                continue
            if entry.row.id in held:
                later.append(waiting)
                continue
            when = latest_due(entry.triggers, entry.previous, now)
            if when is not None:
                found[key] = (entry, _planned(entry, when, now))
        for waiting in later:
            heapq.heappush(self._due, waiting)
        return list(found.values())

    def _plan_published(self, now: datetime, held: set[str]) -> int:
        open_: defaultdict[tuple[str, str], list[PublishEvent]] = defaultdict(list)
        for event in self._parts.store.open_events():
            if event.contract not in held:
                open_[event.contract, event.table].append(event)
        planned = [p for k, events in open_.items() if (p := self._published(k, events, now)) is not None]
        return self._parts.store.plan_runs(planned, now)

    def _published(
        self, key: tuple[str, str], events: Sequence[PublishEvent], now: datetime
    ) -> Planned | None:
        when = due_after([e.at for e in events], now, self._parts.quiet)
        if when is None:
            return None
        entry = self._entry(*key)
        return Planned(
            tenant=events[0].tenant,
            contract=key[0],
            table=key[1],
            scheduled_for=when,
            reason=Reason.PUBLISH,
            bucket=entry.bucket if entry else "",
            events=tuple(e.id for e in events),
        )

    # --- workers --------------------------------------------------------------------------------

    def _hand_over(self, now: datetime, held: set[str], quiet: bool) -> int:
        store, limits = self._parts.store, self._parts.limits
        waiting = store.waiting_runs(now, per_group=limits.in_all)
        may = [r for r in waiting if r.reason is Reason.MANUAL or not (quiet or r.contract in held)]
        picked = pick(may, store.runs_in_flight(), limits)
        if picked:
            self._parts.queue.hand(picked)
            store.mark_handed([r.id for r in picked], now)
        return len(picked)

    def _look_after(self, now: datetime, elapsed: float) -> int:
        dead, unclaimed = self._watch.look(self._parts.store.runs_in_flight(), elapsed)
        for run in dead:
            self._parts.died(run)
        self._parts.store.take_back(unclaimed)
        return len(dead)


class _Watch:
    """Sees which runs stand still."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._since: dict[int, tuple[object, float]] = {}
        self._looked: float | None = None

    def look(
        self, in_flight: Iterable[ScheduledRun], elapsed: float
    ) -> tuple[list[ScheduledRun], list[ScheduledRun]]:
        """Those whose worker is dead, and those that were handed over and that nobody began."""
        if self._looked is not None and elapsed - self._looked > self._pace.patience / 2:
            # The store was away, or this process slept: the others could not show that they live.
            self._since.clear()
        self._looked = elapsed
        runs = tuple(in_flight)
        since: dict[int, tuple[object, float]] = {}
        dead: list[ScheduledRun] = []
        unclaimed: list[ScheduledRun] = []
        for run in runs:
            sign = (run.state, run.attempts, run.worker, run.heartbeat, run.handed)
            known = self._since.get(run.id)
            since[run.id] = known if known is not None and known[0] == sign else (sign, elapsed)
            still = elapsed - since[run.id][1]
            if run.state is RunState.RUNNING and still >= self._pace.patience:
                dead.append(run)
            elif run.state is RunState.WAITING and still >= self._pace.unclaimed:
                unclaimed.append(run)
        self._since = since
        return dead, unclaimed


def _rows(store: ContractStore) -> Iterator[ContractRow]:
    after = ""
    while rows := store.list_contracts(after=after, limit=PAGE):
        yield from rows
        after = rows[-1].id


def _planned(entry: _Entry, when: datetime, now: datetime) -> Planned:
    return Planned(
        tenant=entry.row.tenant,
        contract=entry.row.id,
        table=entry.table,
        scheduled_for=when,
        reason=Reason.CATCH_UP if now - when > LATE else Reason.SCHEDULE,
        bucket=entry.bucket,
    )
