"""When digests are due: daily (Monday to Friday) or weekly, at an hour of the clock on the wall."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from contracts_svc.schedule import Cron, cron, latest

LATE = timedelta(hours=12)
"""After an outage a digest still comes for so long; then the next one will do."""


class Every(StrEnum):
    """How often a squad hears of its data without having been woken for it."""

    DAILY = "daily"
    """On working days; that of Monday tells of the weekend too."""
    WEEKLY = "weekly"
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The section ``digest`` of a route file."""

    every: Every = Every.WEEKLY
    weekday: int = 1
    """Of weekly ones, as cron counts: 0 is Sunday."""
    hour: int = 8
    minute: int = 0
    location: str = "UTC"
    squads: Mapping[str, Every] = field(default_factory=dict)
    """Squads that want it otherwise."""

    def of(self, squad: str) -> Every:
        """How often a squad gets one."""
        return self.squads.get(squad, self.every)

    def trigger(self, every: Every) -> Cron:
        """When those are due that come so often (not NEVER)."""
        days = "1-5" if every is Every.DAILY else str(self.weekday)
        return cron(f"{self.minute} {self.hour} * * {days}", self.location)


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """What a digest tells of: from when the last one was due to when this one is."""

    every: Every
    since: datetime
    due: datetime

    @property
    def name(self) -> str:
        """Known by how often it comes and when it was due."""
        return f"{self.every.value} {self.due.isoformat()}"


DEFAULT_PLAN = Plan()


def due(plan: Plan, now: datetime) -> tuple[Period, ...]:
    """The last period of each kind that anybody wants, unless that is too long ago to tell of."""
    wanted = {plan.every, *plan.squads.values()} - {Every.NEVER}
    found = []
    for every in sorted(wanted):
        trigger = plan.trigger(every)
        at = latest(trigger, now)
        before = latest(trigger, at - timedelta(seconds=1)) if at is not None else None
        if at is not None and before is not None and now - at <= LATE:
            found.append(Period(every=every, since=before, due=at))
    return tuple(found)
