"""What is unusual against its own history: robust, seasonal, and silent without enough of it."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from contracts_svc.anomaly import Point, Season, Sensitivity, usual

NOW = datetime(2026, 11, 24, 6, tzinfo=UTC)  # a Tuesday
DAY = timedelta(days=1)


def days(values: list[float], until: datetime = NOW) -> list[Point]:
    """One figure a day, the last of them a day ago."""
    return [Point(until - DAY * (len(values) - n), v) for n, v in enumerate(values)]


def test_half_of_the_usual_rows_are_unusual_and_a_few_more_are_not() -> None:
    found = usual(days([1_000.0 + 10 * (n % 7) for n in range(30)]), NOW)
    assert found is not None
    assert found.unusual(500)
    assert not found.unusual(1_090)
    assert "1,030" in found.told()


def test_a_short_history_says_nothing() -> None:
    assert usual(days([1_000.0] * 13), NOW) is None
    assert usual(days([1_000.0] * 14), NOW) is not None


def test_one_bad_day_in_the_history_moves_nothing() -> None:
    good = usual(days([1_000.0 + n % 5 for n in range(30)]), NOW)
    bad = usual(days([1_000.0 + n % 5 if n != 20 else 9_000_000.0 for n in range(30)]), NOW)
    assert good is not None
    assert bad is not None
    assert abs(good.high - bad.high) < 10


def test_quiet_weekends_are_usual_on_weekends_and_unusual_on_a_weekday() -> None:
    def rows(at: datetime) -> float:
        return 100.0 if at.weekday() >= 5 else 1_000.0

    history = [Point(NOW - DAY * n, rows(NOW - DAY * n)) for n in range(1, 140)]
    tuesday = usual(history, NOW)
    assert tuesday is not None
    assert tuesday.season is Season.HOUR_OF_WEEK
    assert tuesday.unusual(100)
    saturday = usual(history, NOW + 4 * DAY)
    assert saturday is not None
    assert not saturday.unusual(100)
    assert saturday.unusual(1_000)


def test_hours_of_the_day_are_compared_before_everything_is() -> None:
    history = [
        Point(NOW - timedelta(hours=n), 5_000.0 if (NOW - timedelta(hours=n)).hour == 6 else 10.0)
        for n in range(1, 24 * 20)
    ]
    found = usual(history, NOW)
    assert found is not None
    assert found.season is Season.HOUR_OF_DAY
    assert not found.unusual(5_000)
    assert found.unusual(10)


def test_what_is_measured_now_or_later_and_what_is_no_number_is_not_history() -> None:
    history = [*days([1_000.0] * 20), Point(NOW, 1.0), Point(NOW + DAY, 1.0), Point(NOW - DAY, math.nan)]
    found = usual(history, NOW)
    assert found is not None
    assert found.points == 20
    assert found.unusual(math.nan)


def test_a_share_that_was_always_zero_has_an_absolute_least_amount() -> None:
    strict = usual(days([0.0] * 20), NOW)
    lenient = usual(days([0.0] * 20), NOW, Sensitivity(least_amount=0.01))
    assert strict is not None
    assert lenient is not None
    assert strict.unusual(0.001)
    assert not lenient.unusual(0.001)


def test_noise_is_rarely_unusual() -> None:
    """Of 10,000 normal figures, five deviations by an estimate from 60 leave at most a handful outside."""
    numbers = random.Random(7)
    history = [numbers.gauss(1_000, 50) for _ in range(60)]
    found = usual(days(history), NOW, Sensitivity(least_share=0))
    assert found is not None
    assert sum(found.unusual(numbers.gauss(1_000, 50)) for _ in range(10_000)) < 20


@given(st.lists(st.floats(-1e12, 1e12), min_size=14, max_size=60))
def test_the_median_of_any_history_is_usual_itself(values: list[float]) -> None:
    found = usual(days(values), NOW)
    assert found is not None
    assert not found.unusual(found.median)
