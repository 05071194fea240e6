"""Figures of alerting: how long incidents took, under documented names (:data:`NAMES`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta

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
