"""The scheduler and the worker of a process: threads around the rounds of the leader and the queue.

``contracts worker`` runs both; the service embeds them. Rounds are paced by a clock that nobody sets: a
timer by the clock on the wall stands still for an hour when that is set back by one. What is due is told
by the contracts' schedules alone (:mod:`contracts_svc.schedule`), however late or often a round comes:
rounds that were missed are made up for by the next one.
"""

from __future__ import annotations

import os
import random
import socket
import threading
import time
from collections.abc import Callable

import structlog
from prometheus_client import CollectorRegistry

from contracts_svc.errors import CouldNotCheck
from contracts_svc.flows.run_check import Checking, failed, run_check
from contracts_svc.flows.scheduling import Leader, Scheduling
from contracts_svc.loops import Loops
from contracts_svc.ports import Clock
from contracts_svc.ports_jobs import Leadership, Queue
from contracts_svc.scheduler_metrics import SchedulerMetrics
from contracts_svc.schedules_runs import ScheduledRun
from contracts_svc.tracing import span

_log = structlog.get_logger("contracts_svc.scheduler")

ROUND_SECONDS = 1.0
BEAT_SECONDS = 5.0
"""How often a worker shows that it lives; a sixth of what makes it count as dead."""
GRACE_SECONDS = 30.0
"""How long a worker that is stopped waits for what it is doing."""
AGAIN_SECONDS = 2.0
"""After a queue that could not be reached, before the next try."""
SETTLED_SECONDS = 15.0
"""A queue that did not fail again for so long works: trying to reach it takes ten seconds at most."""


class Scheduler:
    """Schedules while this process is the leader, and tries to become it while it is not."""

    def __init__(
        self,
        parts: Scheduling,
        leadership: Leadership,
        clock: Clock,
        *,
        metrics: SchedulerMetrics | None = None,
        every: float = ROUND_SECONDS,
    ) -> None:
        """``every`` is the pace of the rounds, in seconds."""
        self._parts, self._leadership, self._clock = parts, leadership, clock
        self._metrics = metrics or SchedulerMetrics(CollectorRegistry())
        self._every = every
        self._leader: Leader | None = None
        self.trouble = ""
        """Why the last round could not be done; empty when it was."""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """End the round that is under way, and let another process lead."""
        self._stopping.set()
        self._thread.join()
        self._leadership.release()
        self._metrics.leads(False)

    @property
    def leads(self) -> bool:
        """Whether this process schedules."""
        return self._leader is not None

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._round()
            # Processes that were started together do not ask the database together.
            self._stopping.wait(self._every * random.uniform(0.8, 1.2))

    def _round(self) -> None:
        held = self._leadership.held()
        if held != self.leads:
            _log.info("leads the schedule" if held else "does not lead the schedule any more")
            # A new leader knows nothing: what the last one knew may be old.
            self._leader = Leader(self._parts) if held else None
        self._metrics.leads(held)
        if self._leader is None:
            self.trouble = ""
            return
        try:
            done = self._leader.tick(self._clock.now(), time.monotonic())
        except CouldNotCheck as error:
            self.trouble = str(error)
            self._metrics.round("could_not")
            _log.warning("could not schedule", cause=self.trouble)
        except Exception as error:
            # A defect must not end all scheduling; the next round begins with nothing.
            self.trouble = f"a defect of the service: {type(error).__name__}"
            self._metrics.round("bug")
            _log.exception("a round of the schedule failed")
            self._leader = None
        else:
            self.trouble = ""
            self._metrics.round("done", done)


class Worker:
    """Carries out the runs that it is handed, a bounded number at once."""

    def __init__(
        self,
        queue: Queue,
        parts: Checking,
        *,
        slots: int,
        metrics: SchedulerMetrics | None = None,
        beat: float = BEAT_SECONDS,
    ) -> None:
        """``beat`` is how often it shows that it lives, in seconds."""
        self.name = f"{socket.gethostname()}:{os.getpid()}:{random.randrange(16**6):06x}"
        """Never the same again: an attempt is told from others by it."""
        self._queue, self._parts, self._slots, self._beat = queue, parts, slots, beat
        self._metrics = metrics or SchedulerMetrics(CollectorRegistry())
        self._failed = ("", 0.0)
        self._running: dict[int, ScheduledRun] = {}
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=target, name=name, daemon=True)
            for name, target in (("worker", self._work), ("heartbeat", self._beats))
        ]

    def start(self) -> None:
        """Begin; returns at once."""
        self._metrics.slots.set(self._slots)
        for thread in self._threads:
            thread.start()

    def stop(self, within: float = GRACE_SECONDS) -> int:
        """Take no further runs, wait for those under way, and hand back what is not over ``within`` so
        many seconds: another worker begins it anew. Returns how many were handed back."""
        with self._changed:
            self._stopping.set()
        self._queue.stop()
        with self._changed:
            self._changed.wait_for(lambda: not self._running, within)
            left = tuple(self._running.values())
        back = sum(self._hand_back(run) for run in left)
        self._stopped.set()
        for thread in self._threads:
            # A database that is away may hold them; the process need not wait for that.
            thread.join(AGAIN_SECONDS)
        return back

    @property
    def busy(self) -> int:
        """How many runs are under way."""
        return len(self._running)

    @property
    def trouble(self) -> str:
        """Why runs cannot be taken from the queue; empty when they can."""
        cause, at = self._failed
        return cause if cause and time.monotonic() - at < SETTLED_SECONDS else ""

    def _work(self) -> None:
        while not self._stopping.is_set():
            try:
                self._queue.work(self._do, self._slots)
            except CouldNotCheck as error:
                self._failed = (str(error), time.monotonic())
                _log.warning("cannot take runs", cause=str(error))
                self._stopping.wait(AGAIN_SECONDS)

    def _do(self, number: int) -> None:
        run = self._begin(number)
        if run is None:
            return
        began = time.monotonic()
        self._metrics.late.observe(max(0.0, (self._parts.clock.now() - run.scheduled_for).total_seconds()))
        outcome = "lost"
        try:
            outcome = self._carry_out(run)
        except CouldNotCheck as error:
            _log.warning("could not keep what a run found", run=run.id, cause=str(error))
        finally:
            with self._changed:
                del self._running[run.id]
                self._metrics.busy.set(len(self._running))
                self._changed.notify_all()
            self._metrics.attempts.labels(outcome).inc()
            self._metrics.seconds.observe(time.monotonic() - began)

    def _begin(self, number: int) -> ScheduledRun | None:
        with self._changed:
            if self._stopping.is_set() or number in self._running:
                return None
            try:
                run = self._parts.store.claim(number, self.name, self._parts.clock.now())
            except CouldNotCheck as error:
                _log.warning("could not begin a run", run=number, cause=str(error))
                return None
            if run is not None:
                self._running[run.id] = run
                self._metrics.busy.set(len(self._running))
            return run

    def _carry_out(self, run: ScheduledRun) -> str:
        told: dict[str, str | int] = {
            "run": run.id,
            "contract": run.contract,
            "table": run.table,
            "attempt": run.attempts,
        }
        spanned = {f"contracts.{name}": value for name, value in told.items()}
        with structlog.contextvars.bound_contextvars(**told), span("check", spanned, run.trace) as seen:
            try:
                state = run_check(run, self._parts)
            except CouldNotCheck:
                raise
            except Exception as error:
                # A defect must not end the worker. It may depend on the moment, so that it is tried again.
                _log.exception("a run failed by a defect")
                state = failed(run, f"a defect of the service: {type(error).__name__}: {error}", self._parts)
            outcome = state.value if state else "superseded"
            seen.set_attribute("contracts.outcome", outcome)
            _log.info("run over", outcome=outcome)
            return outcome

    def _hand_back(self, run: ScheduledRun) -> bool:
        try:
            return self._parts.store.wait_again(run, attempts=run.attempts - 1)
        except CouldNotCheck as error:
            # Its heartbeat ends, so that it is begun anew all the same.
            _log.warning("could not hand back a run", run=run.id, cause=str(error))
            return False

    def _beats(self) -> None:
        while not self._stopped.wait(self._beat):
            with self._changed:
                numbers = tuple(self._running)
            try:
                self._parts.store.beat(self.name, numbers, self._parts.clock.now())
            except CouldNotCheck as error:
                _log.warning("could not show that it lives", cause=str(error))


class Embedded:
    """All that one process does by itself: it schedules, works, and does its loops."""

    def __init__(self, scheduler: Scheduler, worker: Worker, loops: Loops, close: Callable[[], None]) -> None:
        self.scheduler, self.worker, self.loops, self._close = scheduler, worker, loops, close

    def start(self) -> None:
        """Begin; returns at once."""
        self.worker.start()
        self.scheduler.start()
        self.loops.start()

    def not_ready(self) -> list[str]:
        """What of it cannot be used now, and why."""
        parts = (("scheduler", self.scheduler.trouble), ("queue", self.worker.trouble))
        return [f"{name}: {trouble}" for name, trouble in parts if trouble]

    def stop(self, within: float = GRACE_SECONDS) -> int:
        """End within a bound; how many runs were handed back."""
        end = time.monotonic() + within
        self.scheduler.stop()
        back = self.worker.stop(max(0.0, end - time.monotonic()))
        # What was under way may have put something into the outbox, which is sent while there is time.
        self.loops.stop(max(AGAIN_SECONDS, end - time.monotonic()))
        self._close()
        return back
