"""How long incidents took: to be detected, to be told, to be repaired, and whether that was promised."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from contracts_svc.alerts import Audience, Incident, IncidentState
from contracts_svc.model import Contract, Table
from contracts_svc.quality import sla
from contracts_svc.quality.kind import Promises

__all__ = ["ServiceTime", "Times", "judged", "times"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """How long each step took; None where it is not over, or not known. Never negative."""

    detect: timedelta | None = None
    """From when the data that shows it was published to when a run saw it."""
    notify: timedelta | None = None
    """From then to when somebody was first told: of those downstream, where any were, else its owner."""
    repair: timedelta | None = None
    """From when a run saw it to when it was over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceTime:
    """A promised time and what an incident took; ``kept`` None: it is not over, and may yet be kept."""

    name: str
    """``timeToDetect``, ``timeToNotify`` or ``timeToRepair``."""
    promised: timedelta
    taken: timedelta
    kept: bool | None


def times(incident: Incident, told: Mapping[Audience, datetime]) -> Times:
    """The times of an incident. ``told`` is when somebody of an audience was first told of it."""
    published, opened = incident.published, incident.opened
    heard = told.get(Audience.STAKEHOLDER, told.get(Audience.OWNER))
    over = incident.resolved if incident.state is IncidentState.RESOLVED else None
    return Times(
        detect=_span(published, opened) if published is not None else None,
        notify=_span(opened, heard) if heard is not None else None,
        repair=_span(opened, over) if over is not None else None,
    )


def judged(incident: Incident, taken: Times, contract: Contract, now: datetime) -> tuple[ServiceTime, ...]:
    """What the contract promises of times, against what the incident took, or has taken until now."""
    table = contract.table(incident.table)
    if table is None:
        return ()
    so_far = None if incident.state is IncidentState.RESOLVED else _span(incident.opened, now)
    each = (
        ("timeToDetect", taken.detect, None),
        # What is told with its cause, or by nobody's wish, may never be told: no time runs then.
        ("timeToNotify", taken.notify, so_far if incident.announced else None),
        ("timeToRepair", taken.repair, so_far),
    )
    return tuple(
        ServiceTime(
            name=name,
            promised=promised,
            taken=took,
            kept=False if took > promised else (True if done is not None else None),
        )
        for name, done, running in each
        if (took := done if done is not None else running) is not None
        for promised in _promised(contract, table, name)
    )


def _promised(contract: Contract, table: Table, name: str) -> Iterator[timedelta]:
    promises = Promises(contract=contract, table=table, target_of=lambda reference: None)
    for level in sla.levels(promises, name.lower()):
        length = sla.length(level.promise) if sla.about(level, promises) else None
        if length is not None:
            yield length


def _span(begins: datetime, ends: datetime) -> timedelta:
    return max(ends - begins, timedelta())
