"""Jobs within one process: threads take the most urgent of what was handed over."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Sequence
from itertools import count

from contracts_svc.schedules_runs import ScheduledRun


class InProcessQueue:
    """:class:`contracts_svc.ports_jobs.Queue` in memory. What a process had when it died is lost, and
    handed over anew."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._todo: list[tuple[int, int, int]] = []
        self._known: set[int] = set()
        self._numbers = count()
        self._stopping = False

    def hand(self, runs: Sequence[ScheduledRun]) -> None:
        """Give these to the threads; one that still waits here is not given twice."""
        with self._changed:
            for run in runs:
                if run.id not in self._known:
                    self._known.add(run.id)
                    heapq.heappush(self._todo, (run.priority, next(self._numbers), run.id))
            self._changed.notify_all()

    def work(self, do: Callable[[int], None], slots: int) -> None:
        """Do jobs, ``slots`` at once, until :meth:`stop`."""
        for number in range(slots):
            # Daemons: a check that does not end must not keep the process from ending.
            threading.Thread(target=self._loop, args=(do,), name=f"check-{number}", daemon=True).start()
        with self._changed:
            self._changed.wait_for(lambda: self._stopping)

    def stop(self) -> None:
        """Take no further jobs."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def close(self) -> None:
        """Nothing is held open."""

    def _loop(self, do: Callable[[int], None]) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._todo or self._stopping)
                if self._stopping:
                    return
                number = heapq.heappop(self._todo)[-1]
                self._known.discard(number)
            do(number)
