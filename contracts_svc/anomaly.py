"""What is unusual, without a threshold: a figure against its own history.

Robust and seasonal: the usual value is the median, the spread the median of absolute deviations (MAD), of
past figures from the same hour of the week where there are enough, else the same hour of the day, else
all. Hours are those on the clock of the wall, so that a load at six stays one at six when clocks are set
forward. What grows steadily is compared with where it should be by now. A history that is too short says
nothing. What a failed or silenced run measured is not history: the caller leaves it out.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from statistics import median

_MAD_TO_SIGMA = 1.4826
"""The standard deviation of a normal distribution is so many MADs."""
_HOURS_OF_WEEK, _HOURS_OF_DAY = 168, 24
_LEAST_RESIDUALS = 3
"""Figures of one hour of the week from which one deviation is taken: of one or two it would be nothing."""

_TREND_OF = 40
"""The last figures that a trend is looked for in."""
_EXPLAINED = 0.4
"""A trend leaves less than this part of the spread, or it is none."""


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
    """Figures that it takes to say anything."""
    least_weeks: int = 5
    """Figures of the same hour of the week that it takes to compare with them alone."""
    only_above: bool = False
    """Whether less than usual is always fine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """What would be usual now. ``low`` is minus infinity where less is always fine."""

    low: float
    high: float
    median: float
    season: Season
    points: int

    def unusual(self, value: float) -> bool:
        """Whether a figure lies outside. NaN does."""
        return not self.low <= value <= self.high

    def told(self, unit: str = "") -> str:
        """As in ``1,200 to 1,800 (the median of 21 runs in the same hour of the day is 1,500)``."""
        span = f"{_number(self.low)} to {_number(self.high)}"
        if self.low == -math.inf:
            span = f"up to {_number(self.high)}"
        middle = f"{_number(self.median)}{unit}"
        return f"{span}{unit} (the median of {self.points} runs in {self.season.value} is {middle})"


USUALLY = Sensitivity()


def usual(
    history: Iterable[Point], now: datetime, sensitivity: Sensitivity = USUALLY, zone: tzinfo = UTC
) -> Usual | None:
    """What the figure should be now, by its history before ``now``; None when that is too short.

    ``zone`` is where the clock hangs by which the data is loaded. Until there are enough figures of the
    same hour of the week, what there are of them widen what is usual: the second Sunday is no surprise.
    """
    past = [p for p in history if p.at < now and p.value == p.value]
    if len(past) < sensitivity.least_points:
        return None
    hours = _hours(past, now, zone)
    weekly = hours.get(0, [])
    if len(weekly) >= sensitivity.least_weeks:
        season, points = Season.HOUR_OF_WEEK, weekly
    else:
        season = Season.HOUR_OF_DAY
        points = [p for hour, some in hours.items() if hour % _HOURS_OF_DAY == 0 for p in some]
        if len(points) < sensitivity.least_points:
            season, points = Season.ALL, past
    grown = _grown(points, now)
    values = [grown(p) for p in points]
    spread, also = _deviation(values), [grown(p) for p in weekly]
    if season is Season.HOUR_OF_WEEK:
        also = []
        if len(values) < sensitivity.least_points:
            # A few figures may happen to lie close together.
            spread = max(spread, _residual([[grown(p) for p in some] for some in hours.values()]))
    return _range(values, spread, season, sensitivity, also)


def _hours(past: Iterable[Point], now: datetime, zone: tzinfo) -> dict[int, list[Point]]:
    """The figures by how many hours of the week they are away from now; 0: half an hour at most."""
    here = _minute_of_week(now, zone)
    found: defaultdict[int, list[Point]] = defaultdict(list)
    for point in past:
        away = _minute_of_week(point.at, zone) - here
        found[(away + 30) // 60 % _HOURS_OF_WEEK].append(point)
    return dict(found)


def _minute_of_week(at: datetime, zone: tzinfo) -> int:
    local = at.astimezone(zone)
    return (local.weekday() * 24 + local.hour) * 60 + local.minute


def _grown(points: Sequence[Point], now: datetime) -> Callable[[Point], float]:
    """What a past figure would be by now, if there is a trend: it must explain most of the spread.

    The trend is the median of the slopes between all pairs (Theil and Sen), which outliers do not move.
    Where a level shifted once there is none, since a line through it explains little.
    """
    recent = sorted(points, key=lambda p: p.at)[-_TREND_OF:]
    slopes = [
        (b.value - a.value) / (b.at - a.at).total_seconds()
        for n, a in enumerate(recent)
        for b in recent[n + 1 :]
        if b.at > a.at
    ]
    slope = median(slopes) if slopes else 0.0

    def grown(point: Point) -> float:
        return point.value + slope * (now - point.at).total_seconds()

    before, after = _deviation([p.value for p in recent]), _deviation([grown(p) for p in recent])
    return grown if after < _EXPLAINED * before else lambda point: point.value


def _deviation(values: Sequence[float]) -> float:
    middle = median(values)
    return _MAD_TO_SIGMA * median(abs(v - middle) for v in values)


def _residual(hours: Iterable[Sequence[float]]) -> float:
    """The deviation of all figures, each from the median of its own hour of the week."""
    away = []
    for values in hours:
        if len(values) >= _LEAST_RESIDUALS:
            middle = median(values)
            away += [abs(v - middle) for v in values]
    return _MAD_TO_SIGMA * median(away) if away else 0.0


def _range(
    values: Sequence[float],
    spread: float,
    season: Season,
    sensitivity: Sensitivity,
    also: Sequence[float],
) -> Usual:
    middle = median(values)
    width = max(
        sensitivity.deviations * spread,
        sensitivity.least_share * abs(middle),
        sensitivity.least_amount,
    )
    low, high = min([middle - width, *also]), max([middle + width, *also])
    return Usual(
        low=-math.inf if sensitivity.only_above else low,
        high=high,
        median=middle,
        season=season,
        points=len(values),
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
