"""Times of the week, month and year, as Alertmanager's ``time_intervals`` describe them.

Source: https://prometheus.io/docs/alerting/latest/configuration/#time_interval. All fields of an interval
must hold; of the ranges of one field, any. A time range holds from its start up to, not including, its end.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

Range = tuple[int, int]
"""Both ends belong to it, except for minutes of the day, where the second does not."""

WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
MONTHS = tuple(name.lower() for name in calendar.month_name)[1:]


class IntervalError(ValueError):
    """A range that cannot be; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeInterval:
    """When something applies. An empty field holds always."""

    times: tuple[Range, ...] = ()
    """Minutes of the day."""
    weekdays: tuple[Range, ...] = ()
    """0 is Sunday."""
    days_of_month: tuple[Range, ...] = ()
    """Negative ones count from the end: -1 is the last day."""
    months: tuple[Range, ...] = ()
    years: tuple[Range, ...] = ()
    location: str = "UTC"
    """A name of the IANA time zone database."""

    def contains(self, at: datetime) -> bool:
        """Whether the moment ``at`` (with its zone) is in it, by the clock of its location."""
        local = at.astimezone(zone(self.location))
        minute = local.hour * 60 + local.minute
        weekday = (local.weekday() + 1) % 7
        return (
            (not self.times or any(start <= minute < end for start, end in self.times))
            and _within(self.weekdays, weekday)
            and _within(self.months, local.month)
            and _within(self.years, local.year)
            and self._has_day(local)
        )

    def _has_day(self, local: datetime) -> bool:
        if not self.days_of_month:
            return True
        last = calendar.monthrange(local.year, local.month)[1]
        for begin, end in self.days_of_month:
            first, final = (d if d > 0 else last + d + 1 for d in (begin, end))
            if first <= last and max(first, -last) <= local.day <= min(final, last):
                return True
        return False


def _within(ranges: Sequence[Range], value: int) -> bool:
    return not ranges or any(begin <= value <= end for begin, end in ranges)


def any_contains(intervals: Sequence[TimeInterval], at: datetime) -> bool:
    """Whether one of them contains the moment ``at``."""
    return any(i.contains(at) for i in intervals)


def next_change(intervals: Sequence[TimeInterval], now: datetime) -> datetime:
    """The first moment after ``now`` at which one of them may begin or end: at most an hour away.

    They begin and end at the times of the day that they name, or at midnight, where they are; no later
    than an hour so that clocks which are put forward or back are never missed by more.
    """
    found = now + timedelta(hours=1)
    for interval in intervals:
        local = now.astimezone(zone(interval.location))
        passed = local.hour * 60 + local.minute
        for minute in {0, *(m % 1440 for times in interval.times for m in times)}:
            ahead = (minute - passed - 1) % 1440 + 1
            at = now.replace(second=0, microsecond=0) + timedelta(minutes=ahead)
            found = min(found, at)
    return found


def zone(name: str) -> tzinfo:
    """The time zone of this name. Raises IntervalError."""
    if name in ("UTC", ""):
        return UTC
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        raise IntervalError(f"{name!r} is no time zone of the IANA database") from None


# --- from text ----------------------------------------------------------------------------------

_CLOCK = re.compile(r"((?:[01][0-9])|(?:2[0-3])):([0-5][0-9])|(24):(00)")


def clock_range(start: str, end: str) -> Range:
    """``09:00`` and ``17:00`` as minutes of the day; ``24:00`` ends it. Raises IntervalError."""
    begin, finish = _minutes(start), _minutes(end)
    if begin >= finish:
        raise IntervalError("start time cannot be equal or greater than end time")
    return begin, finish


def _minutes(text: str) -> int:
    found = _CLOCK.fullmatch(text)
    if found is None:
        raise IntervalError(f"couldn't parse timestamp {text}, invalid format")
    hour, minute = (int(g) for g in found.groups() if g is not None)
    return hour * 60 + minute


def weekday_range(text: str) -> Range:
    """``monday`` or ``monday:friday``. Raises IntervalError."""
    begin, end = _two(text)
    first, final = (_named(t, WEEKDAYS, 0, "weekday") for t in (begin, end))
    if final < first:
        raise IntervalError("start day cannot be before end day")
    return first, final


def month_range(text: str) -> Range:
    """``january``, ``3`` or ``january:march``. Raises IntervalError."""
    begin, end = _two(text)
    first, final = (_number_or_named(t) for t in (begin, end))
    if final < first:
        raise IntervalError(f"end month {end.lower()} is before start month {begin.lower()}")
    return first, final


def year_range(text: str) -> Range:
    """``2026`` or ``2026:2028``. Raises IntervalError."""
    begin, end = _two(text)
    first, final = (_whole(t, "year") for t in (begin, end))
    if final < first:
        raise IntervalError(f"end year {final} is before start year {first}")
    return first, final


def day_range(text: str) -> Range:
    """``1``, ``1:15`` or ``-7:-1``. Raises IntervalError."""
    begin, end = (_whole(t, "day of the month") for t in _two(text))
    for day in (begin, end):
        if day == 0 or not -31 <= day <= 31:
            raise IntervalError(f"{day} is not a valid day of the month: out of range")
    if begin < 0 < end:
        raise IntervalError("end day must be negative if start day is negative")
    # Alertmanager refuses what is no range in a month of 28 days, counted so; files mean the same here.
    first, last = (day if day > 0 else 28 + day for day in (begin, end))
    if first > last:
        raise IntervalError(f"end day {end} is always before start day {begin}")
    return begin, end


def _two(text: str) -> tuple[str, str]:
    begin, colon, end = text.strip().partition(":")
    if ":" in end:
        raise IntervalError(f"couldn't parse range {text}, invalid format")
    return begin.strip(), (end if colon else begin).strip()


def _named(text: str, names: Sequence[str], base: int, what: str) -> int:
    if text.lower() not in names:
        raise IntervalError(f"{text} is not a valid {what}")
    return names.index(text.lower()) + base


def _number_or_named(text: str) -> int:
    if text.isascii() and text.isdecimal():
        number = int(text[:9])
        if not 1 <= number <= 12:
            raise IntervalError(f"{text} is not a valid month: out of range")
        return number
    return _named(text, MONTHS, 1, "month")


def _whole(text: str, what: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,9}", text):
        raise IntervalError(f"{text} is not a valid {what}")
    return int(text)
