"""Values of a contract as expressions that compare exactly with a stored column.

Numbers are compared in the column's own type, never through a cast that may overflow or round: a
bound on integers becomes the next integer, a bound on decimals the next value the column can hold.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation, localcontext
from fractions import Fraction

from sqlglot import exp

from contracts_svc.model import Json
from contracts_svc.quality.kind import is_number
from contracts_svc.quality.layout import Stored
from contracts_svc.quality.types import Family

_HUGE = Decimal(10) ** 38
"""The exact types of engines hold 38 digits: what they store is smaller than this."""


_FIRST_NS, _LAST_NS = datetime(1677, 9, 21, 0, 12, 44), datetime(2262, 4, 11, 23, 47, 16)


class NotComparable(ValueError):
    """The contract's value cannot be compared with what is stored; the message says why."""


def number(value: Json) -> Decimal:
    """A JSON number, exactly as it was written."""
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)


def bound(value: Json, stored: Stored, *, upward: bool) -> exp.Expr:
    """A limit to compare the column with.

    ``upward`` says which way to round when the column cannot hold the limit itself: up for
    ``column < limit`` and ``column >= limit``, down for ``column > limit`` and ``column <= limit``.
    """
    if stored.family.numeric:
        if not is_number(value) or not math.isfinite(value):
            raise NotComparable(f"the limit {value!r} is not a number")
        return _number(number(value), stored, upward=upward)
    if stored.family is Family.DATE:
        return _cast(_day(value, upward=upward).isoformat(), "DATE")
    return _moment(value, stored)


def members(values: Iterable[Json], stored: Stored) -> tuple[exp.Expr, ...]:
    """The values of a list that can occur in the column, null left out.

    A text column holds numbers and booleans as their text (``1``, ``true``). A value that the column
    cannot hold, such as a text in a column of integers, can match no row and is left out.
    """
    found = (_member(v, stored) for v in values if v is not None)
    return tuple(f for f in found if f is not None)


def common_multiple(step: Decimal, stored: Stored) -> exp.Expr | None:
    """The smallest multiple of ``step`` that an exact column can hold.

    A value of the column is a multiple of the one just when it is of the other (0.5 and 2 on integers:
    1 and 2), and this one has no more digits than the column. None when only 0 is a multiple.
    """
    digits = Fraction(step) * 10**stored.scale
    if digits.numerator >= _HUGE:
        return None
    return exp.Literal.number(f"{Decimal(digits.numerator).scaleb(-stored.scale):f}")


def _member(value: Json, stored: Stored) -> exp.Expr | None:
    family = stored.family
    if family is Family.TEXT:
        return exp.Literal.string(text(value))
    if family is Family.BOOLEAN:
        return exp.convert(value) if isinstance(value, bool) else None
    if family.numeric:
        return _number_member(value, stored)
    try:
        return _moment(value, stored)
    except NotComparable:
        return None


def _number_member(value: Json, stored: Stored) -> exp.Expr | None:
    if isinstance(value, str):
        try:
            exact = Decimal(value)
        except InvalidOperation:
            return None
    elif is_number(value):
        exact = number(value)
    else:
        return None
    if not exact.is_finite():
        return _cast(str(exact), "DOUBLE") if stored.family is Family.FLOAT else None
    if stored.family is not Family.FLOAT and exact != _rounded(exact, stored.scale, upward=True):
        return None
    return _number(exact, stored, upward=True)


def text(value: Json) -> str:
    """A value as a column of text holds it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _number(value: Decimal, stored: Stored, *, upward: bool) -> exp.Expr:
    if stored.family is Family.FLOAT:
        return _cast(str(value), "FLOAT" if stored.single else "DOUBLE")
    exact = _rounded(value, stored.scale, upward=upward)
    # Past what exact types hold, all values of the column are on one side of the limit anyway.
    if abs(exact) >= _HUGE.scaleb(-stored.scale):
        return _cast("1e300" if exact > 0 else "-1e300", "DOUBLE")
    return _signed(exact)


def _rounded(value: Decimal, digits: int, *, upward: bool) -> Decimal:
    with localcontext() as context:
        context.prec = 800
        step = Decimal(1).scaleb(-digits)
        return value.quantize(step, rounding=ROUND_CEILING if upward else ROUND_FLOOR)


def _signed(value: Decimal) -> exp.Expr:
    digits = exp.Literal.number(f"{abs(value):f}")
    return exp.Neg(this=digits) if value < 0 else digits


def _moment(value: Json, stored: Stored) -> exp.Expr:
    """A date, time or timestamp. Where zones differ, ``defaultTimezone`` (UTC) says the missing one."""
    family = stored.family
    try:
        if family is Family.DATE:
            return _cast(date.fromisoformat(str(value)).isoformat(), "DATE")
        if family is Family.TIME:
            return _cast(time.fromisoformat(str(value)).replace(tzinfo=None).isoformat(), "TIME")
        if family in (Family.TIMESTAMP, Family.TIMESTAMP_TZ):
            return _timestamp(datetime.fromisoformat(str(value)), stored)
    except ValueError as error:
        raise NotComparable(f"{value!r} is not a {family} in ISO 8601") from error
    raise NotComparable(f"{value!r} cannot be compared with a column of {family}")


def _day(value: Json, *, upward: bool) -> date:
    """The day of a limit; one with a time in the day lies between two days."""
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError as error:
        raise NotComparable(f"{value!r} is not a date in ISO 8601") from error
    return moment.date() + timedelta(days=1 if upward and moment.time() != time() else 0)


def _timestamp(value: datetime, stored: Stored) -> exp.Expr:
    zone = str(stored.column.logical_type_options.get("defaultTimezone") or "UTC")
    aware = value.tzinfo is not None
    if not aware and any(v.type == "TIMESTAMP_NS" for v in stored.variants):
        # Nanoseconds since 1970 in 64 bits end in the year 2262: beyond, every value is on one side.
        beyond = "infinity" if value > _LAST_NS else "-infinity" if value < _FIRST_NS else None
        return _cast(beyond or value.isoformat(sep=" "), "TIMESTAMP_NS")
    literal = _cast(value.isoformat(sep=" "), "TIMESTAMPTZ" if aware else "TIMESTAMP")
    if aware is (stored.family is Family.TIMESTAMP_TZ):
        return literal
    return exp.AtTimeZone(this=literal, zone=exp.Literal.string(zone))


def _cast(text: str, kind: str) -> exp.Expr:
    return exp.cast(exp.Literal.string(text), kind, dialect="duckdb")
