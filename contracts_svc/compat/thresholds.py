"""Promises as sets of permitted values: bounds of columns, thresholds of quality rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time
from enum import StrEnum
from fractions import Fraction
from typing import TypeAlias

from contracts_svc.model import Json

_End: TypeAlias = tuple[float | Fraction, int]
"""A value, and -1 just below it, 0 at it, 1 just above it."""
_Interval: TypeAlias = tuple[_End, _End]
Permitted: TypeAlias = tuple[_Interval, ...]
"""Disjoint intervals, in order."""

_LEAST: _End = (float("-inf"), 0)
_MOST: _End = (float("inf"), 0)
EVERYTHING: Permitted = ((_LEAST, _MOST),)
COUNTS: Permitted = (((0, 0), _MOST),)
"""What a count or a percentage can be."""


class Strictness(StrEnum):
    """What became of a promise."""

    SAME = "same"
    LOOSENED = "loosened"
    TIGHTENED = "tightened"
    CHANGED = "changed"
    """Neither permits all of the other, or the two cannot be compared."""


def compared(old: Permitted | None, new: Permitted | None) -> Strictness:
    """What became of a set of permitted values; None: it cannot be told what is permitted."""
    if old is None or new is None:
        return Strictness.CHANGED
    return by_sets(within(old, new), within(new, old))


def by_sets(new_holds_old: bool, old_holds_new: bool) -> Strictness:
    """LOOSENED when the new promise permits all that the old one did, and more."""
    if new_holds_old and old_holds_new:
        return Strictness.SAME
    if new_holds_old:
        return Strictness.LOOSENED
    return Strictness.TIGHTENED if old_holds_new else Strictness.CHANGED


def within(inner: Permitted, outer: Permitted) -> bool:
    """Whether the outer set holds all of the inner one."""
    return all(any(o[0] <= i[0] and i[1] <= o[1] for o in outer) for i in inner)


def both(one: Permitted, other: Permitted) -> Permitted:
    """What both sets hold."""
    met = ((max(a[0], b[0]), min(a[1], b[1])) for a in one for b in other)
    return _joined(sorted(i for i in met if i[0] <= i[1]))


def _joined(intervals: Iterable[_Interval]) -> Permitted:
    """Sorted intervals, those that meet made one."""
    found: list[_Interval] = []
    for low, high in intervals:
        if found and _meets(found[-1][1], low):
            found[-1] = (found[-1][0], max(found[-1][1], high))
        else:
            found.append((low, high))
    return tuple(found)


def _meets(high: _End, low: _End) -> bool:
    return low <= high or (low[0] == high[0] and low[1] == high[1] + 1)


def of_operators(operators: Mapping[str, Json], within: Permitted) -> Permitted | None:
    """What all the mustBe... operators of a quality rule let through; None when one is no number.

    ODCS: mustBeBetween and mustNotBeBetween are strict on both sides ("> and <").
    """
    permitted = within
    for name, value in operators.items():
        one = _of_operator(name, value)
        if one is None:
            return None
        permitted = both(permitted, one)
    return permitted


def _of_operator(name: str, value: Json) -> Permitted | None:
    if name in ("mustBeBetween", "mustNotBeBetween"):
        if not isinstance(value, list | tuple) or len(value) != 2 or not all(map(is_number, value)):
            return None
        low, high = value
        if name == "mustBeBetween":
            return (((low, 1), (high, -1)),)
        return ((_LEAST, (low, 0)), ((high, 0), _MOST))
    if not is_number(value):
        return None
    match name:
        case "mustBe":
            return (((value, 0), (value, 0)),)
        case "mustNotBe":
            return ((_LEAST, (value, -1)), ((value, 1), _MOST))
        case "mustBeGreaterThan":
            return (((value, 1), _MOST),)
        case "mustBeGreaterOrEqualTo":
            return (((value, 0), _MOST),)
        case "mustBeLessThan":
            return ((_LEAST, (value, -1)),)
        case "mustBeLessOrEqualTo":
            return ((_LEAST, (value, 0)),)
    return None


def of_bounds(lower: Iterable[tuple[Json, bool]], upper: Iterable[tuple[Json, bool]]) -> Permitted | None:
    """What bounds let through; each is a value (None: no bound) and whether the value itself is out."""
    permitted = EVERYTHING
    for value, strict in lower:
        if value is not None:
            number = as_number(value)
            if number is None:
                return None
            permitted = both(permitted, (((number, int(strict)), _MOST),))
    for value, strict in upper:
        if value is not None:
            number = as_number(value)
            if number is None:
                return None
            permitted = both(permitted, ((_LEAST, (number, -int(strict))),))
    return permitted


def is_number(value: Json) -> bool:
    """Whether it is a number, and no boolean."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def as_number(value: Json) -> float | None:
    """A number, or the seconds of an ISO 8601 date, time or both (UTC when it has no zone); else None."""
    if is_number(value):
        return value  # type: ignore[no-any-return]
    if not isinstance(value, str) or value.strip().isdigit():
        return None
    for read in (_seconds_of_moment, _seconds_of_day):
        try:
            return read(value.strip())
        except ValueError:
            continue
    return None


def _seconds_of_moment(text: str) -> float:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    # Not timestamp(): it fails before the year 1 in UTC.
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return since.total_seconds()


def _seconds_of_day(text: str) -> float:
    read = time.fromisoformat(text)
    offset = read.utcoffset()
    seconds = read.hour * 3600 + read.minute * 60 + read.second + read.microsecond / 1e6
    return seconds - (offset.total_seconds() if offset else 0)


def as_date(value: Json) -> date | None:
    """The day of an ISO 8601 date or date and time; None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        return datetime.fromisoformat(value.strip()).date()
    except ValueError:
        return None
