"""Figures of scheduling and of the workers, under documented names (:data:`NAMES`)."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from contracts_svc.flows.scheduling import Ticked

NAMES: dict[str, str] = {
    "contracts_scheduler_leader": "1 in the process that schedules, 0 in the others",
    "contracts_scheduler_rounds_total": "Rounds of the leader, by outcome: done, could_not, bug",
    "contracts_scheduler_tables": "Tables with a schedule, in the leader",
    "contracts_scheduled_runs_planned_total": "Runs that became due",
    "contracts_scheduled_runs_handed_total": "Runs given to the queue, again ones too",
    "contracts_scheduled_runs_died_total": "Attempts whose worker was found dead",
    "contracts_scheduled_runs_waiting": "Runs that are due and not begun, in the leader",
    "contracts_scheduled_runs_running": "Runs under way in all workers, in the leader",
    "contracts_worker_slots": "Checks that this worker can do at once",
    "contracts_worker_busy": "Checks that this worker is doing",
    "contracts_worker_attempts_total": "Attempts of this worker, by how they ended: done, waiting (to be "
    "tried again), errored, cancelled, superseded, lost (the store was away)",
    "contracts_worker_seconds": "Seconds that an attempt took",
    "contracts_worker_late_seconds": "Seconds from when a run was due to when it was begun",
}
"""Name of each figure -> what it tells."""

_SECONDS = (0.1, 0.5, 1, 5, 15, 60, 300, 900, 3_600, 14_400)


class SchedulerMetrics:
    """The figures of one process, in a registry of the caller's."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._leader = self._gauge("contracts_scheduler_leader")
        self._rounds = self._counter("contracts_scheduler_rounds", ["outcome"])
        self._tables = self._gauge("contracts_scheduler_tables")
        self._planned = self._counter("contracts_scheduled_runs_planned")
        self._handed = self._counter("contracts_scheduled_runs_handed")
        self._died = self._counter("contracts_scheduled_runs_died")
        self._waiting = self._gauge("contracts_scheduled_runs_waiting")
        self._running = self._gauge("contracts_scheduled_runs_running")
        self.slots = self._gauge("contracts_worker_slots")
        self.busy = self._gauge("contracts_worker_busy")
        self.attempts = self._counter("contracts_worker_attempts", ["outcome"])
        self.seconds = self._histogram("contracts_worker_seconds")
        self.late = self._histogram("contracts_worker_late_seconds")

    def round(self, outcome: str, done: Ticked | None = None) -> None:
        """Count a round of the leader."""
        self._rounds.labels(outcome).inc()
        if done is not None:
            self._planned.inc(done.planned)
            self._handed.inc(done.handed)
            self._died.inc(done.died)
            self._tables.set(done.tables)
            self._waiting.set(done.waiting)
            self._running.set(done.running)

    def leads(self, held: bool) -> None:
        """Whether this process schedules; what only the leader knows is 0 in the others."""
        self._leader.set(held)
        if not held:
            for gauge in (self._tables, self._waiting, self._running):
                gauge.set(0)

    def _gauge(self, name: str) -> Gauge:
        return Gauge(name, NAMES[name], registry=self._registry)

    def _counter(self, name: str, labels: list[str] | None = None) -> Counter:
        return Counter(name, NAMES[f"{name}_total"], labels or [], registry=self._registry)

    def _histogram(self, name: str) -> Histogram:
        return Histogram(name, NAMES[name], buckets=_SECONDS, registry=self._registry)
