"""What is unusual over recorded weeks: clocks that are set, holidays, growth, levels that shift."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from contracts_svc.anomaly import Point, Season, Sensitivity, usual

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
DAY = timedelta(days=1)

# Bookings in ten weeks, Monday to Sunday, in thousands.
WEEKS = (
    (412, 398, 405, 431, 502, 611, 574),
    (407, 401, 399, 442, 511, 598, 580),
    (419, 395, 411, 428, 497, 620, 569),
    (401, 404, 408, 437, 508, 605, 591),
    (415, 392, 402, 440, 520, 617, 577),
    (409, 407, 397, 429, 499, 602, 585),
    (422, 399, 413, 446, 515, 625, 588),
    (405, 396, 401, 433, 506, 609, 572),
    (418, 408, 409, 441, 518, 614, 590),
    (411, 402, 404, 438, 509, 621, 583),
)


def mornings(first: datetime, count: int) -> Iterator[datetime]:
    """Six o'clock on the clock of the wall, day after day."""
    wall = first.replace(hour=6, minute=0, tzinfo=None)
    return ((wall + DAY * n).replace(tzinfo=AMSTERDAM) for n in range(count))


def recorded(first: datetime, change: Callable[[int, float], float | None] = lambda n, v: v) -> list[Point]:
    """The weeks from a Monday on; ``change`` is asked of each day's number, None is no run that day."""
    values = [float(v) for week in WEEKS for v in week]
    days = zip(mornings(first, len(values)), values, strict=True)
    changed = [(at, change(n, value)) for n, (at, value) in enumerate(days)]
    return [Point(at, value) for at, value in changed if value is not None]


def alarms(points: list[Point], sensitivity: Sensitivity | None = None) -> list[int]:
    """The days (by number) whose figure is unusual by those before it; what is unusual is learned too."""
    found = []
    for n, point in enumerate(points):
        known = usual(points[:n], point.at, sensitivity or Sensitivity(), AMSTERDAM)
        if known is not None and known.unusual(point.value):
            found.append(n)
    return found


MONDAY = datetime(2026, 6, 1, tzinfo=AMSTERDAM)
BEFORE_WINTER = datetime(
    2026, 9, 21, tzinfo=AMSTERDAM
)  # clocks are set back on 25 October, in the fifth week
BEFORE_SUMMER = datetime(2026, 2, 16, tzinfo=AMSTERDAM)  # and forward on 29 March, in the sixth


@pytest.mark.parametrize("first", [MONDAY, BEFORE_WINTER, BEFORE_SUMMER])
def test_usual_weeks_are_never_unusual_whatever_the_clocks_do(first: datetime) -> None:
    assert first.weekday() == 0
    assert alarms(recorded(first)) == []


def test_the_weekend_before_there_are_weeks_to_compare_with_is_no_surprise() -> None:
    """After two weeks there are two Saturdays: no season yet, and yet it is known that they are high."""
    points = recorded(MONDAY)
    saturday = usual(points[:19], points[19].at, zone=AMSTERDAM)
    assert saturday is not None
    assert saturday.season is Season.HOUR_OF_DAY
    assert not saturday.unusual(611)
    assert saturday.unusual(1_400)


def test_a_saturday_with_the_figures_of_a_tuesday_is_unusual() -> None:
    points = recorded(MONDAY)
    saturday = usual(points[:-2], points[-2].at, zone=AMSTERDAM)
    assert saturday is not None
    assert saturday.season is Season.HOUR_OF_WEEK
    assert saturday.unusual(402)
    assert not saturday.unusual(598)


def test_across_a_change_of_clocks_the_same_hour_of_the_week_is_that_on_the_wall() -> None:
    """In UTC the load of Monday is an hour later from the end of October on, and would be compared with
    nothing of its own."""
    points = recorded(BEFORE_WINTER)
    after = usual(points[:42], points[42].at, zone=AMSTERDAM)
    in_utc = usual(points[:42], points[42].at)
    assert after is not None
    assert in_utc is not None
    assert (after.season, after.points) == (Season.HOUR_OF_WEEK, 6)
    assert in_utc.season is not Season.HOUR_OF_WEEK


def test_a_load_that_comes_some_minutes_early_or_late_is_of_the_same_hour() -> None:
    points = [
        Point(p.at + timedelta(minutes=(n * 7) % 31 - 15), p.value) for n, p in enumerate(recorded(MONDAY))
    ]
    last = usual(points[:-1], points[-1].at, zone=AMSTERDAM)
    assert last is not None
    assert (last.season, last.points) == (Season.HOUR_OF_WEEK, 9)


def test_a_holiday_is_told_and_the_days_after_it_are_not() -> None:
    holiday = 7 * 6 + 3  # a Thursday
    assert alarms(recorded(MONDAY, lambda n, v: v / 10 if n == holiday else v)) == [holiday]


def test_after_a_gap_of_a_week_the_same_is_usual_as_before() -> None:
    assert alarms(recorded(MONDAY, lambda n, v: None if 42 <= n < 49 else v)) == []


def test_a_level_that_shifts_is_told_until_most_of_the_past_is_of_the_new_one() -> None:
    """Warnings are learned from: the new level becomes usual by itself, for each day of the week once
    more than half of what is compared is of it."""
    shifted = recorded(MONDAY, lambda n, v: v * 2 if n >= 35 else v)
    found = alarms(shifted)
    assert found[:7] == list(range(35, 42))
    again = [Point(p.at + DAY * 70, p.value * 2) for p in recorded(MONDAY)]
    assert [n for n in alarms(shifted + again) if n >= 35 + 6 * 7] == []


def test_slow_growth_is_no_alarm_and_a_sudden_loss_is() -> None:
    grown = recorded(MONDAY, lambda n, v: v * (1 + n / 100))
    assert alarms(grown) == []
    lost = [*grown[:-1], Point(grown[-1].at, grown[-1].value / 2)]
    assert alarms(lost) == [len(lost) - 1]


def test_less_than_usual_is_fine_where_only_more_is_not() -> None:
    points = recorded(MONDAY)
    age = usual(points, points[-1].at + DAY, Sensitivity(only_above=True), AMSTERDAM)
    assert age is not None
    assert not age.unusual(0)
    assert age.unusual(5_000)
    assert age.told(" hours").startswith("up to ")
