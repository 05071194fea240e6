"""Figures of alerting: how long incidents took, under documented names (:data:`NAMES`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Histogram

from contracts_svc.alerts import IncidentState, Transition
from contracts_svc.incidents_times import times

NAMES: Mapping[str, str] = {
    "contracts_incidents_opened_total": "Incidents that opened, by severity",
    "contracts_incident_detect_seconds": "Seconds from when bad data was published to when a run saw it",
    "contracts_incident_notify_seconds": "Seconds from then to when somebody of an audience was first told",
    "contracts_incident_repair_seconds": "Seconds from when a run saw it to when it was over",
}
"""Name of each figure -> what it tells."""

_SECONDS = (1, 5, 15, 60, 300, 900, 3_600, 14_400, 86_400, 604_800)

_ANOTHER_DID = timedelta(minutes=5)


class AlertMetrics:
    """The figures of one process, in a registry of the caller's."""

    def __init__(self, registry: CollectorRegistry) -> None:
        opened = "contracts_incidents_opened"
        self._opened = Counter(opened, NAMES[f"{opened}_total"], ["severity"], registry=registry)
        self._detect, self._notify, self._repair = (
            Histogram(name, NAMES[name], buckets=_SECONDS, registry=registry)
            for name in (f"contracts_incident_{step}_seconds" for step in ("detect", "notify", "repair"))
        )

    def moved(self, transitions: Iterable[Transition]) -> None:
        """Take in what happened to incidents, once it is kept."""
        for transition in transitions:
            incident = transition.incident
            taken = times(incident, {})
            if transition.before is None:
                self._opened.labels(incident.severity.value).inc()
                if taken.detect is not None:
                    self._detect.observe(taken.detect.total_seconds())
            ends = incident.state is IncidentState.RESOLVED and transition.before is not incident.state
            if ends and taken.repair is not None:
                self._repair.observe(taken.repair.total_seconds())

    def heard(self, delays: Iterable[timedelta]) -> None:
        """Take in how long it took until somebody of an audience first heard of each incident."""
        for delay in delays:
            self._notify.observe(max(0.0, delay.total_seconds()))


class Moves(Protocol):
    """Where transitions are kept."""

    def moves(self, after: int | None, *, limit: int = 1_000) -> tuple[int, tuple[Transition, ...]]:
        """As :meth:`contracts_svc.ports_store.IncidentStore.moves`."""
        ...


class CountedMoves:
    """Takes in what happens to incidents, from when this process begins to: each transition once.

    For one process at a time. One that has not done it for a while begins anew, since another did.
    """

    def __init__(self, store: Moves, metrics: AlertMetrics, now: Callable[[], datetime]) -> None:
        self._store, self._metrics, self._now = store, metrics, now
        self._last: int | None = None
        self._at: datetime | None = None

    def step(self) -> int:
        """Take in what is new; how many transitions. Raises CouldNotCheck."""
        now = self._now()
        if self._at is None or now - self._at > _ANOTHER_DID:
            self._last, _ = self._store.moves(None)
        count = 0
        while True:
            self._last, moved = self._store.moves(self._last)
            self._metrics.moved(moved)
            count += len(moved)
            if not moved:
                self._at = now
                return count
