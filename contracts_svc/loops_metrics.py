"""Figures of what a process does again and again, under documented names (:data:`NAMES`)."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

NAMES: dict[str, str] = {
    "contracts_loop_rounds_total": "Rounds of each loop, by outcome: done, could_not, bug",
    "contracts_loop_done_total": "What each loop did, by its own words (messages that were sent ...)",
    "contracts_loop_failing": "Rounds of each loop that failed one after the other, up to now",
    "contracts_loop_seconds": "Seconds that a round of each loop took",
}
"""Name of each figure -> what it tells."""

_SECONDS = (0.01, 0.1, 0.5, 1, 5, 15, 60, 300)


class LoopMetrics:
    """The figures of one process, in a registry of the caller's."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._rounds = Counter(
            "contracts_loop_rounds",
            NAMES["contracts_loop_rounds_total"],
            ["loop", "outcome"],
            registry=registry,
        )
        self._done = Counter(
            "contracts_loop_done", NAMES["contracts_loop_done_total"], ["loop", "what"], registry=registry
        )
        self._failing = Gauge(
            "contracts_loop_failing", NAMES["contracts_loop_failing"], ["loop"], registry=registry
        )
        self._seconds = Histogram(
            "contracts_loop_seconds",
            NAMES["contracts_loop_seconds"],
            ["loop"],
            buckets=_SECONDS,
            registry=registry,
        )

    def round(self, loop: str, outcome: str, seconds: float, done: Mapping[str, int]) -> None:
        """Count a round."""
        self._rounds.labels(loop, outcome).inc()
        self._seconds.labels(loop).observe(seconds)
        for what, count in done.items():
            self._done.labels(loop, what).inc(count)

    def failing(self, loop: str, rounds: int) -> None:
        """So many rounds failed one after the other."""
        self._failing.labels(loop).set(rounds)
