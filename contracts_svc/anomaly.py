"""What is unusual, without a threshold: a figure against its own history.

Robust and seasonal: the usual value is the median, the spread the median of absolute deviations (MAD), of
past figures from the same hour of the week where there are enough, else the same hour of the day, else
all. A history that is too short says nothing. What a failed or silenced run measured is not history: the
caller leaves it out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from statistics import median

_MAD_TO_SIGMA = 1.4826
"""The standard deviation of a normal distribution is so many MADs."""


class Season(StrEnum):
    """With which past figures one is compared."""

    HOUR_OF_WEEK = "the same hour of the week"
    HOUR_OF_DAY = "the same hour of the day"
    ALL = "all of the history"


@dataclass(frozen=True, slots=True)
class Point:
    """A figure and when it was measured (with its zone)."""

    at: datetime
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """How unusual something must be, and how much history it takes to say so."""

    deviations: float = 5.0
    """So many standard deviations from the median, as the MAD estimates them."""
    least_share: float = 0.1
    """Never less than this share of the median: a table that hardly varies may still grow."""
    least_amount: float = 0.0
    """Never less than this, in the figure's own unit."""
    least_points: int = 14
    """Figures that a season needs; with fewer a wider one is looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """What would be usual now."""

    low: float
    high: float
    median: float
    season: Season
    points: int

    def unusual(self, value: float) -> bool:
        """Whether a figure lies outside. NaN does."""
        return not self.low <= value <= self.high

    def told(self) -> str:
        """As in ``1,200 to 1,800 (the median of 21 runs at the same hour of the day is 1,500)``."""
        return (
            f"{_number(self.low)} to {_number(self.high)} (the median of {self.points} runs in "
            f"{self.season.value} is {_number(self.median)})"
        )


USUALLY = Sensitivity()


def usual(history: Iterable[Point], now: datetime, sensitivity: Sensitivity = USUALLY) -> Usual | None:
    """What the figure should be now, by its history before ``now``; None when that is too short."""
    past = [p for p in history if p.at < now and p.value == p.value]
    for season in Season:
        values = [p.value for p in past if _alike(p.at, now, season)]
        if len(values) >= sensitivity.least_points:
            return _range(values, season, sensitivity)
    return None


def _alike(one: datetime, other: datetime, season: Season) -> bool:
    if season is Season.ALL:
        return True
    a, b = one.astimezone(UTC), other.astimezone(UTC)
    return a.hour == b.hour and (season is Season.HOUR_OF_DAY or a.weekday() == b.weekday())


def _range(values: Sequence[float], season: Season, sensitivity: Sensitivity) -> Usual:
    middle = median(values)
    spread = _MAD_TO_SIGMA * median(abs(v - middle) for v in values)
    width = max(
        sensitivity.deviations * spread,
        sensitivity.least_share * abs(middle),
        sensitivity.least_amount,
    )
    return Usual(low=middle - width, high=middle + width, median=middle, season=season, points=len(values))


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
