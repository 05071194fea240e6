"""Service levels that only time tells: what earlier runs saw, and how long incidents took."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from contracts_svc.alerts import Audience, Incident, IncidentState
from contracts_svc.incidents_times import Times, times
from contracts_svc.quality.kind import Values
from contracts_svc.quality.kinds import KIND_OF, KINDS, Origin
from contracts_svc.runs import Check, Measurement, Outcome, Plan, Run

WINDOW = timedelta(days=30)
"""How far back is looked."""
NOTHING = "no run of the last 30 days tells"


@dataclass(frozen=True, slots=True)
class PastRun:
    """What a run over a table saw of it."""

    at: datetime
    readable: bool
    """Whether the table was there and could be read."""
    failed: bool
    """Whether a promise was broken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceHistory:
    """The last 30 days of a table."""

    runs: tuple[PastRun, ...] = ()
    taken: tuple[Times, ...] = ()
    """How long each incident took, or has taken until now."""


def seen(run: Run) -> PastRun:
    """What a run saw."""
    present = next((r for r in run.results if r.check.kind == "table-present"), None)
    told = [r for r in run.results if r.outcome not in (Outcome.ERRORED, Outcome.SKIPPED)]
    readable = bool(told) and (present is None or present.outcome is Outcome.PASSED)
    failed = any(
        r.outcome is Outcome.FAILED for r in told if KIND_OF[r.check.kind].origin is not Origin.HISTORY
    )
    return PastRun(run.started, readable, failed)


def taken(incident: Incident, told: Mapping[Audience, datetime], now: datetime) -> Times:
    """How long an incident took; what is not over has taken until now."""
    found = times(incident, told)
    if incident.state is IncidentState.RESOLVED:
        return found
    so_far = max(now - incident.opened, timedelta())
    # What is told with its cause, or by nobody's wish, may never be told: no time runs then.
    notify = found.notify or (so_far if incident.announced else None)
    return replace(found, notify=notify, repair=so_far)


def of_levels(check: str) -> bool:
    """Whether a check (by id) is one that only time tells: its own incidents say nothing of the data."""
    return check.rpartition(".")[2] in _LEVELS


_LEVELS = frozenset(k.key for k in KINDS if k.origin is Origin.HISTORY)


def levels(plan: Plan) -> tuple[Check, ...]:
    """The checks of a plan that only time tells."""
    return tuple(c for c in plan.checks if KIND_OF[c.kind].origin is Origin.HISTORY)


def measurements(plan: Plan, history: ServiceHistory, now: datetime) -> Iterator[Measurement]:
    """What the past says of these checks; the run that asks counts as one that could read the table."""
    for check in levels(plan):
        values = _values(check.kind, history, now)
        yield (
            Measurement(check=check.id, skipped=NOTHING)
            if values is None
            else Measurement(check=check.id, values=values)
        )


def _values(kind: str, history: ServiceHistory, now: datetime) -> Values | None:
    runs = [r for r in history.runs if r.at >= now - WINDOW]
    if kind == "availability":
        readable = sum(r.readable for r in runs) + 1
        return {"value": 100 * readable / (len(runs) + 1), "of": len(runs) + 1}
    if kind == "error-rate":
        told = [r for r in runs if r.readable]
        return {"value": 100 * sum(r.failed for r in told) / len(told), "of": len(told)} if told else None
    steps = {"time-to-detect": "detect", "time-to-notify": "notify", "time-to-repair": "repair"}
    return worst(getattr(t, steps[kind]) for t in history.taken)


def worst(spans: Iterable[timedelta | None]) -> Values:
    """The longest of these, in seconds, and how many are known."""
    known: Sequence[float] = [s.total_seconds() for s in spans if s is not None]
    return {"value": max(known, default=0.0), "of": len(known)}
