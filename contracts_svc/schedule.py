"""When checks are due: a pure function of a trigger and two moments, for production and simulation alike.

A cron expression is five fields (minute, hour, day of month, month, day of week), a macro such as
``@daily``, and perhaps ``CRON_TZ=Europe/Berlin`` before it. Its days of the week count from Sunday (0 and
7), and where day of month and day of week are both restricted, either of them is enough, as cron has it.

Daylight saving: an hour field of ``*`` means every real hour (23 or 25 of them on those days); any other
means a time on the clock of the wall, once a day: a time that is skipped comes as much later as the clock
was moved, one that comes twice counts the first time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from zoneinfo import ZoneInfo

from croniter import CroniterError, croniter

_LARGEST_SHIFT = timedelta(hours=3)
"""More than any clock is moved at once (Antarctica/Troll: two hours)."""
_MOST_TRIES = 2_000
"""Times on the wall that are looked at for one answer: three hours of minutes, both ways, and more."""
_EVERY_HOUR = ("*", "*/1", "0-23")
_UNITS = (("day", timedelta(days=1)), ("hour", timedelta(hours=1)), ("minute", timedelta(minutes=1)))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ScheduleError(ValueError):
    """A text that is no schedule; the message says why."""


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression in a time zone. Made by :func:`cron`."""

    expression: str
    zone: str = "UTC"

    def __str__(self) -> str:
        return f"{self.expression} ({self.zone})"


@dataclass(frozen=True, slots=True)
class Every:
    """Once in every ``period``, at ``offset`` from its beginning, counted from 1970 in UTC."""

    period: timedelta
    offset: timedelta = timedelta()

    def __str__(self) -> str:
        for name, size in _UNITS:
            if self.period % size == timedelta():
                amount = self.period // size
                return f"every {name}" if amount == 1 else f"every {amount} {name}s"
        return f"every {self.period.total_seconds():g} seconds"


Trigger = Cron | Every


def cron(text: str, zone: str = "UTC") -> Cron:
    """A cron expression; its own ``CRON_TZ=`` or ``TZ=`` wins over ``zone``. Raises ScheduleError."""
    fields = text.split()
    if fields and fields[0].startswith(("CRON_TZ=", "TZ=")):
        zone = fields.pop(0).partition("=")[2]
    expression = " ".join(fields)
    if len(fields) not in (1, 5) or (len(fields) == 1 and not expression.startswith("@")):
        raise ScheduleError(
            f"{text!r} has {len(fields)} fields; cron has five: "
            "minute, hour, day of month, month, day of week"
        )
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise ScheduleError(f"{zone!r} is no time zone of the IANA database") from None
    try:
        # With a second argument hashed expressions ("H * * * *") would depend on a name.
        croniter(expression, _EPOCH.replace(tzinfo=None))
    except (CroniterError, ValueError) as error:
        raise ScheduleError(f"{text!r} is no cron expression: {error}") from None
    return Cron(expression, zone)


def every(period: timedelta, name: str) -> Every:
    """Once in every period, at a moment that depends on ``name``: not all contracts at once."""
    seconds = int(period.total_seconds())
    digest = hashlib.sha256(name.encode()).digest()
    return Every(timedelta(seconds=seconds), timedelta(seconds=int.from_bytes(digest[:8]) % seconds))


def next_after(trigger: Trigger, after: datetime) -> datetime | None:
    """The first time later than ``after`` (with its zone), in UTC; None when there is none."""
    if isinstance(trigger, Every):
        return _latest_every(trigger, after) + trigger.period
    return _next_cron(trigger, after.astimezone(UTC))


def latest(trigger: Trigger, now: datetime) -> datetime | None:
    """The last time that is not later than ``now`` (with its zone), in UTC; None when there is none."""
    if isinstance(trigger, Every):
        return _latest_every(trigger, now)
    return _latest_cron(trigger, now.astimezone(UTC))


def due(trigger: Trigger, previous: datetime, now: datetime) -> datetime | None:
    """The time that a run is due for, in UTC; None when none has become due since ``previous``.

    ``previous`` is the time of the last run that was due, or when the schedule began. Of several that were
    missed, only the last is due: the data is checked as it is now, once. Asking again with that as
    ``previous`` gives None, and so does a clock that was set back.
    """
    found = latest(trigger, now)
    return found if found is not None and found > previous else None


def _latest_every(trigger: Every, now: datetime) -> datetime:
    return now.astimezone(UTC) - (now - _EPOCH - trigger.offset) % trigger.period


# --- cron on the clock of the wall ------------------------------------------------------------------


@lru_cache(maxsize=65_536)
def _next_cron(trigger: Cron, after: datetime) -> datetime | None:
    found: datetime | None = None
    wall = _wall(trigger, after) - _shift_near(trigger, after)
    for time in islice(_walls(trigger, wall, forward=True), _MOST_TRIES):
        if found is not None and time > _wall(trigger, found) + _shift_near(trigger, found):
            break
        later = [moment for moment in _moments(trigger, time) if moment > after]
        found = min(later if found is None else [found, *later], default=found)
    return found


@lru_cache(maxsize=65_536)
def _latest_cron(trigger: Cron, now: datetime) -> datetime | None:
    found: datetime | None = None
    # A minute more: what is asked for is not later than now, and the times before `wall` are given.
    wall = _wall(trigger, now) + _shift_near(trigger, now) + timedelta(minutes=1)
    for time in islice(_walls(trigger, wall, forward=False), _MOST_TRIES):
        if found is not None and time < _wall(trigger, found) - _shift_near(trigger, found):
            break
        earlier = [moment for moment in _moments(trigger, time) if moment <= now]
        found = max(earlier if found is None else [found, *earlier], default=found)
    return found


def _shift_near(trigger: Cron, moment: datetime) -> timedelta:
    """How far times on the wall may be out of order here: only where the clock is set forward or back."""
    zone = ZoneInfo(trigger.zone)
    around = (
        (moment + step).astimezone(zone).utcoffset() for step in (-2 * _LARGEST_SHIFT, 2 * _LARGEST_SHIFT)
    )
    return timedelta() if len(set(around)) == 1 else _LARGEST_SHIFT


def _wall(trigger: Cron, moment: datetime) -> datetime:
    return moment.astimezone(ZoneInfo(trigger.zone)).replace(tzinfo=None, fold=0)


def _walls(trigger: Cron, start: datetime, *, forward: bool) -> Iterator[datetime]:
    """The times that the expression names, from ``start`` on, as a clock on the wall shows them."""
    steps = croniter(trigger.expression, start, ret_type=datetime)
    try:
        while True:
            yield steps.get_next() if forward else steps.get_prev()
    except CroniterError:
        return


def _moments(trigger: Cron, wall: datetime) -> Iterator[datetime]:
    """When a clock on the wall shows this time: once, twice where it is set back, else never or later."""
    zone = ZoneInfo(trigger.zone)
    first = wall.replace(tzinfo=zone).astimezone(UTC)
    every_hour = _every_hour(trigger.expression)
    shown = first.astimezone(zone).replace(tzinfo=None, fold=0) == wall
    if shown or not every_hour:
        yield first
    if shown and every_hour:
        second = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
        if second != first:
            yield second


@lru_cache(maxsize=4_096)
def _every_hour(expression: str) -> bool:
    fields = expression.split()
    return fields == ["@hourly"] or (len(fields) == 5 and fields[1] in _EVERY_HOUR)
