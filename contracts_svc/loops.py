"""Work that a process does again and again beside the API: sending, digests, forgetting what is old ...

APScheduler paces it: rounds that were missed are one, none begins before the one before it is over, and
processes that were started together do not ask the database together. It sleeps until a time of the clock
on the wall, so that it would stand still for an hour when that is set back by one: :class:`Loops` sees
this, and lets every round begin at once. What is due is never told by it: each loop asks the store.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from apscheduler.executors.base import BaseExecutor, run_job
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger
from prometheus_client import CollectorRegistry

from contracts_svc.errors import CouldNotCheck
from contracts_svc.loops_metrics import LoopMetrics

_log = structlog.get_logger("contracts.loops")

FIRST_PAUSE, LONGEST_PAUSE = 2.0, 60.0
"""Seconds that a loop is left alone for after it failed: twice as many each time."""
WATCH_SECONDS = 1.0
"""How often it is seen whether the clock was set back, and how much of it counts."""
LEADER_SECONDS = 2.0
"""How soon what only the leader does is begun by a process that has become it."""
JITTER = 0.2
"""By which share of its pace a round comes later, at most."""

Done = Mapping[str, int]
"""What a round did: word -> how often, for figures. The words of a loop are few and always the same."""


def _nothing() -> None:
    """Nothing has to be ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """Something that is done again and again."""

    name: str
    """One word, for logs and figures."""
    every: float
    """Seconds from the beginning of a round to that of the next."""
    work: Callable[[], Done]
    """One round; says what it did. Raises CouldNotCheck when it cannot now: it is then left alone for a
    while. It may be cut off at any line when the process ends."""
    by_leader: bool = False
    """Only the process that schedules does it: for what would otherwise be done by each of them."""
    stop: Callable[[], None] = _nothing
    """Makes a round that is under way end soon, and lets go of what it holds open. Never raises."""


class Loops:
    """The loops of one process. A loop that fails, by a defect too, goes on with its next round."""

    def __init__(
        self,
        loops: Iterable[Loop],
        *,
        leads: Callable[[], bool] = lambda: True,
        metrics: LoopMetrics | None = None,
        wall: Callable[[], float] = time.time,
        pause: float = FIRST_PAUSE,
    ) -> None:
        """``leads``: whether this process is the one that schedules; ``wall``: the clock on the wall;
        ``pause``: how long a loop is left alone for after its first failure."""
        self._metrics = metrics or LoopMetrics(CollectorRegistry())
        self._rounds = {loop.name: _Rounds(loop, leads, self._metrics, pause) for loop in loops}
        # It tells of every round; what matters of a round is told by us.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        self._scheduler = BackgroundScheduler(
            executors={"default": _Daemons()},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone=UTC,
        )
        for rounds in self._rounds.values():
            loop = rounds.loop
            every = min(loop.every, LEADER_SECONDS) if loop.by_leader else loop.every
            self._scheduler.add_job(
                rounds.do,
                IntervalTrigger(seconds=every, jitter=every * JITTER, timezone=UTC),
                id=loop.name,
                next_run_time=datetime.now(UTC),
            )
        self._wall = wall
        self._stopping = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="loops", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._scheduler.start()
        self._watcher.start()

    def stop(self, within: float) -> bool:
        """Begin no further round, and wait so many seconds for those under way; whether they ended."""
        end = time.monotonic() + within
        self._stopping.set()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        for rounds in self._rounds.values():
            rounds.loop.stop()
        return all(rounds.ended(end - time.monotonic()) for rounds in self._rounds.values())

    @property
    def failing(self) -> Mapping[str, str]:
        """Loop -> why its last round failed, of those whose did."""
        return {name: r.trouble for name, r in self._rounds.items() if r.trouble}

    def _watch(self) -> None:
        ahead = self._wall() - time.monotonic()
        while not self._stopping.wait(WATCH_SECONDS):
            before, ahead = ahead, self._wall() - time.monotonic()
            if before - ahead > WATCH_SECONDS:
                _log.warning("the clock was set back", seconds=round(before - ahead, 1))
                for job in self._scheduler.get_jobs():
                    job.modify(next_run_time=datetime.now(UTC))


class _Rounds:
    """The rounds of one loop, one after the other."""

    def __init__(self, loop: Loop, leads: Callable[[], bool], metrics: LoopMetrics, pause: float) -> None:
        self.loop, self._leads, self._metrics, self._pause = loop, leads, metrics, pause
        self.trouble = ""
        self._failed, self._not_before = 0, 0.0
        """When the next round may begin, by the clock that nobody sets."""
        self._free = threading.Lock()
        metrics.failing(loop.name, 0)

    def do(self) -> None:
        """One round, unless it is to be left alone or another process does it."""
        if time.monotonic() < self._not_before or (self.loop.by_leader and not self._leads()):
            return
        with self._free, structlog.contextvars.bound_contextvars(loop=self.loop.name):
            began = time.monotonic()
            self._not_before = began + self.loop.every if self.loop.by_leader else 0.0
            outcome, done = self._round()
            self._metrics.round(self.loop.name, outcome, time.monotonic() - began, done)
            self._metrics.failing(self.loop.name, self._failed)

    def ended(self, within: float) -> bool:
        """Whether no round is under way, or ends within so many seconds."""
        free = self._free.acquire(timeout=max(0.0, within))
        if free:
            self._free.release()
        return free

    def _round(self) -> tuple[str, Done]:
        try:
            done = self.loop.work()
        except CouldNotCheck as error:
            self._fails(str(error))
            _log.warning("a round could not be done", cause=str(error), failed=self._failed)
            return "could_not", {}
        except Exception as error:
            # A defect must not end what is done again and again. It may depend on the moment.
            self._fails(f"a defect of the service: {type(error).__name__}")
            _log.exception("a round failed by a defect", failed=self._failed)
            return "bug", {}
        self.trouble, self._failed = "", 0
        return "done", done

    def _fails(self, why: str) -> None:
        self.trouble, self._failed = why, self._failed + 1
        pause = min(self._pause * 2 ** min(self._failed - 1, 10), LONGEST_PAUSE)
        self._not_before = time.monotonic() + pause


class _Daemons(BaseExecutor):  # type: ignore[misc]
    """Does each round in a thread that does not keep the process from ending."""

    def _do_submit_job(self, job: Any, run_times: list[datetime]) -> None:
        threading.Thread(target=self._run, args=(job, run_times), name=f"loop-{job.id}", daemon=True).start()

    def _run(self, job: Any, run_times: list[datetime]) -> None:
        try:
            events = run_job(job, "default", run_times, self._logger.name)
        except BaseException:
            self._run_job_error(job.id, *sys.exc_info()[1:])
        else:
            self._run_job_success(job.id, events)
