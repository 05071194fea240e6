"""What scheduling needs from outside: a store of scheduled runs, a queue to workers, and one leader."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from contracts_svc.ports_store import Actor
from contracts_svc.schedules_runs import Planned, PublishEvent, RunState, ScheduledRun


class JobStore(Protocol):
    """Keeps scheduled runs and publish events. Raises CouldNotCheck when it cannot be reached.

    A run that is not handed over (``handed`` None) is the outbox row of its job: it is kept first, and
    given to the queue after that.
    """

    def plan_runs(self, planned: Iterable[Planned], now: datetime) -> int:
        """Keep runs that are due, and that their events are answered; how many were new.

        There is one run per tenant, contract, table and time, however often and by whom it is planned.
        """
        ...

    def waiting_runs(self, now: datetime, *, per_group: int) -> tuple[ScheduledRun, ...]:
        """Runs to be handed over now: of each tenant and bucket the ``per_group`` most urgent, oldest."""
        ...

    def runs_in_flight(self) -> tuple[ScheduledRun, ...]:
        """Runs that were handed over or are running."""
        ...

    def mark_handed(self, ids: Sequence[int], now: datetime) -> None:
        """These are with the queue now."""
        ...

    def take_back(self, runs: Iterable[ScheduledRun]) -> int:
        """Runs that were handed over and that nobody began are to be handed over anew; how many."""
        ...

    def claim(self, run_id: int, worker: str, now: datetime) -> ScheduledRun | None:
        """Begin a run that waits; None when another has, or it is over."""
        ...

    def beat(self, worker: str, ids: Sequence[int], now: datetime) -> None:
        """The worker lives, and is at these."""
        ...

    def finish(
        self, run: ScheduledRun, state: RunState, now: datetime, *, run_id: str = "", error: str = ""
    ) -> bool:
        """End the attempt ``run``; False, and nothing is changed, when it is not under way any more."""
        ...

    def wait_again(
        self, run: ScheduledRun, *, attempts: int, not_before: datetime | None = None, error: str = ""
    ) -> bool:
        """The attempt ``run`` is over and another is to come; False when it is not under way any more."""
        ...

    def cancel_run(self, run_id: int, now: datetime) -> bool:
        """Call off a run that waits; False when it does not."""
        ...

    def scheduled_run(self, run_id: int) -> ScheduledRun | None:
        """The scheduled run of that number."""
        ...

    def scheduled_runs(
        self, contract_id: str, *, table: str | None = None, state: RunState | None = None, limit: int = 100
    ) -> tuple[ScheduledRun, ...]:
        """Scheduled runs of a contract, the latest time first."""
        ...

    def open_scheduled(self, tenant: str, *, after: int = 0, limit: int = 100) -> tuple[ScheduledRun, ...]:
        """Runs of a tenant that wait or run, by number, those after the number ``after``."""
        ...

    def count_scheduled(self) -> Mapping[RunState, int]:
        """How many runs wait and run."""
        ...

    def put_events(self, events: Iterable[PublishEvent]) -> tuple[PublishEvent, ...]:
        """Keep publish events, all or none; those that were not there before."""
        ...

    def open_events(self, limit: int = 10_000) -> tuple[PublishEvent, ...]:
        """Events of contracts that are not paused and that no run answers yet, oldest first."""
        ...

    def in_use(self, contract_id: str) -> bool:
        """Whether a contract is registered and not retired."""
        ...

    def pause(self, contract_id: str, now: datetime, by: Actor) -> bool:
        """Start no scheduled run of a contract from now on; False when it is paused already."""
        ...

    def resume(self, contract_id: str, now: datetime, by: Actor) -> bool:
        """End a pause; False when there is none. What was missed is caught up once."""
        ...

    def paused(self) -> Mapping[str, datetime]:
        """The paused contracts, and since when."""
        ...


class Queue(Protocol):
    """Carries jobs to workers; a job is the number of a scheduled run. It may lose or double some: the
    store knows what is to be done, and a job of a run that is not waiting does nothing."""

    def hand(self, runs: Sequence[ScheduledRun]) -> None:
        """Give these to whoever works next, the most urgent first. Raises CouldNotCheck."""
        ...

    def work(self, do: Callable[[int], None], slots: int) -> None:
        """Do jobs, ``slots`` at once, until :meth:`stop`; ``do`` never raises. Raises CouldNotCheck
        when the queue cannot be reached; what was begun is then still done."""
        ...

    def stop(self) -> None:
        """Take no further jobs, for good: :meth:`work` returns at once, whatever is still being done."""
        ...

    def close(self) -> None:
        """Let go of what it holds open."""
        ...


class Leadership(Protocol):
    """Says whether this process is the one that schedules."""

    def held(self) -> bool:
        """Whether it is now; tries to become it when nobody else is."""
        ...

    def release(self) -> None:
        """Let another be it."""
        ...
