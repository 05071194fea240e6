"""How figures are written for a person."""

from __future__ import annotations

import math
from datetime import timedelta

from contracts_svc.model import Json
from contracts_svc.runs import Operator, Threshold


def figure(value: Json) -> str:
    """A number with thousands separated; anything else as text."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{int(value):,}" if value.is_integer() and abs(value) < 1e15 else f"{value:,.6g}"
    return str(value)


def percent(part: int, whole: int) -> float:
    """``part`` of ``whole`` in percent. Of an empty table, nothing fails: 0 by definition."""
    return 100 * part / whole if whole else 0.0


def share(part: int, whole: int | None, noun: str = "rows") -> str:
    """``7,602 of 336,776 rows (2.26 %)``; no percentage where nothing fails."""
    if whole is None:
        return f"{part:,} {noun}"
    text = f"{part:,} of {whole:,} {noun}"
    if not part:
        return text
    value = percent(part, whole)
    return f"{text} ({'<0.01' if value < 0.005 else f'{value:.2f}'} %)"


def threshold(given: Threshold) -> str:
    """``less than 100``; the between operators are strict, as ODCS defines them."""
    value = given.value
    match given.operator:
        case Operator.BETWEEN:
            return f"more than {figure(value[0])} and less than {figure(value[1])}"
        case Operator.NOT_BETWEEN:
            return f"at most {figure(value[0])} or at least {figure(value[1])}"
        case _:
            return f"{_WORDS[given.operator]}{figure(value)}"


_WORDS = {
    Operator.MUST_BE: "",
    Operator.MUST_NOT_BE: "anything but ",
    Operator.GREATER_THAN: "more than ",
    Operator.GREATER_OR_EQUAL: "at least ",
    Operator.LESS_THAN: "less than ",
    Operator.LESS_OR_EQUAL: "at most ",
}


def duration(length: timedelta) -> str:
    """The largest unit that says it with one digit after the point: ``3.5 hours``, ``4,345 days``."""
    seconds = length.total_seconds()
    for name, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if abs(seconds) >= size:
            return _counted(seconds / size, name)
    return _counted(seconds, "second")


def _counted(amount: float, name: str) -> str:
    shown = math.floor(amount * 10) / 10
    return f"{figure(int(shown) if shown.is_integer() else shown)} {name}{'' if shown == 1 else 's'}"
