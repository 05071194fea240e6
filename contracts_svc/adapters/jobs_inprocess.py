"""Jobs that are done in this process, by threads of its own: what waits is lost when it ends."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace

from contracts_svc.errors import CouldNotCheck
from contracts_svc.model import Json
from contracts_svc.ports import Job

log = logging.getLogger("contracts.jobs")

Do = Callable[[Mapping[str, Json]], None]
"""Does a job, by its arguments."""
MOST_WAITING = 100_000
"""Jobs that may wait."""


class InProcessJobs:
    """Implements :class:`contracts_svc.ports.Jobs`. ``do`` maps kinds of jobs to what does them."""

    def __init__(self, do: Mapping[str, Do], *, threads: int = 1) -> None:
        self._do = dict(do)
        self._waiting: dict[str, Job] = {}
        self._running: dict[str, Job] = {}
        self._numbers = itertools.count(1)
        self._changed = threading.Condition()
        self._ends = False
        self._threads = [
            threading.Thread(target=self._work, name=f"jobs-{n}", daemon=True) for n in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def defer(self, kind: str, arguments: Mapping[str, Json], key: str, priority: int) -> str:
        """Ask for work. See the port."""
        with self._changed:
            there = next((j for j in self._waiting.values() if j.key == key), None)
            if there is not None:
                # Who asks more urgently is not to wait longer for it.
                self._waiting[there.id] = replace(there, priority=max(there.priority, priority))
                return there.id
            if len(self._waiting) >= MOST_WAITING:
                raise CouldNotCheck("a job", f"{MOST_WAITING:,} wait already", "try it again later")
            job = Job(
                id=str(next(self._numbers)), kind=kind, arguments=dict(arguments), key=key, priority=priority
            )
            self._waiting[job.id] = job
            self._changed.notify()
            return job.id

    def cancel(self, job_id: str) -> bool:
        """Take back a job that waits."""
        with self._changed:
            return self._waiting.pop(job_id, None) is not None

    def open_jobs(self) -> tuple[Job, ...]:
        """What runs, then what waits, in the order in which it is taken."""
        with self._changed:
            waiting = sorted(self._waiting.values(), key=_order)
            return (*(replace(j, running=True) for j in self._running.values()), *waiting)

    def close(self) -> None:
        """Begin no further job, and wait for those that run."""
        with self._changed:
            self._ends = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (job := self._next()) is not None:
            try:
                self._do[job.kind](job.arguments)
            except Exception:
                # One job that fails must not end the thread that does the others.
                log.exception("a job failed", extra={"job": job.id, "kind": job.kind})
            with self._changed:
                del self._running[job.id]

    def _next(self) -> Job | None:
        with self._changed:
            self._changed.wait_for(lambda: self._ends or self._waiting)
            if self._ends:
                return None
            job = min(self._waiting.values(), key=_order)
            self._running[job.id] = self._waiting.pop(job.id)
            return job


def _order(job: Job) -> tuple[int, int]:
    return -job.priority, int(job.id)
