"""How pages write times, numbers and states: as people do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup

_UNITS = ((31_536_000, "year"), (86_400, "day"), (3_600, "hour"), (60, "minute"))
_LONGEST_VALUE = 200


def count(number: int, one: str, many: str = "") -> str:
    """``1 table``, ``2 tables``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def span(seconds: float) -> str:
    """A length of time in its largest unit: ``3 hours``."""
    for size, name in _UNITS:
        if seconds >= size:
            return count(int(seconds // size), name)
    return (
        count(max(0, round(seconds)), "second") if seconds >= 1 or seconds <= 0 else f"{seconds:.1f} seconds"
    )


def ago(at: datetime, now: datetime) -> str:
    """``3 hours ago``, ``in 2 days``."""
    seconds = (now - at).total_seconds()
    if abs(seconds) < 60:
        return "just now" if seconds >= 0 else "in a moment"
    return f"{span(seconds)} ago" if seconds > 0 else f"in {span(-seconds)}"


@pass_context
def when(context: Context, at: datetime | str | None) -> Markup:
    """A moment: how long ago to read, and exactly to whoever points at it."""
    if at is None:
        return Markup("never")
    moment = (datetime.fromisoformat(at) if isinstance(at, str) else at).astimezone(UTC)
    exact = f"{moment:%Y-%m-%d %H:%M:%S} UTC"
    said = ago(moment, context["view"].now)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(moment.isoformat(), exact, said)


@pass_context
def exactly(context: Context, at: datetime | str) -> Markup:
    """A moment to the minute."""
    moment = (datetime.fromisoformat(at) if isinstance(at, str) else at).astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(moment.isoformat(), f"{moment:%Y-%m-%d %H:%M} UTC")


def number(value: float | None) -> str:
    """A number with its thousands apart; a fraction to what matters of it."""
    if value is None:
        return "–"
    if float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:,.2f}" if abs(value) >= 1 else f"{value:.3g}"


def percent(share: float) -> str:
    """A share of 1 as a percentage."""
    shown = 100 * share
    return f"{shown:.0f} %" if shown == round(shown) else f"{shown:.2f} %" if shown >= 0.01 else "< 0.01 %"


def size(bytes_: int) -> str:
    """Bytes in the unit that fits."""
    value = float(bytes_)
    for unit in ("B", "KB", "MB", "GB"):
        if value < 1_000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1_000
    return f"{value:,.1f} TB"


def short(value: object) -> str:
    """Any value as a text that fits into a table."""
    text = "NULL" if value is None else str(value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def listed(names: Any, most: int = 3) -> str:
    """``a, b and c``; what is more than ``most`` is a number."""
    found = list(names)
    if len(found) > most:
        return f"{', '.join(found[:most])} and {len(found) - most:,} more"
    return " and ".join(filter(None, (", ".join(found[:-1]), *found[-1:])))


def web_address(text: str | None) -> str:
    """An address that a page may link to; empty: it is none. What a contract says may be a script."""
    return text if text and text.startswith(("https://", "http://")) else ""


MARKS: Mapping[str, tuple[str, str, str]] = {
    "passed": ("good", "✓", "kept"),
    "failed": ("bad", "✕", "not kept"),
    "warned": ("warn", "!", "not kept (warning)"),
    "errored": ("unsure", "?", "could not be checked"),
    "skipped": ("quiet", "–", "not looked at"),
    "error": ("bad", "✕", "error"),
    "warning": ("warn", "!", "warning"),
    "info": ("quiet", "i", "info"),
    "open": ("bad", "●", "open"),
    "acknowledged": ("warn", "◐", "somebody is on it"),
    "resolved": ("good", "✓", "over"),
    "pending": ("unsure", "?", "not sure yet"),
    "BLOCK": ("bad", "✕", "blocked"),
    "WARN": ("warn", "!", "passed with warnings"),
    "PASS": ("good", "✓", "passed"),
    "COULD_NOT_CHECK": ("unsure", "?", "could not be checked"),
    "active": ("good", "✓", "active"),
    "retired": ("quiet", "–", "retired"),
}
"""A state -> its colour, its sign (not colour alone tells), and what people call it."""


def mark(state: str, text: str = "") -> Markup:
    """A state as a small label."""
    colour, sign, said = MARKS.get(state, ("quiet", "·", state or "unknown"))
    return Markup('<span class="mark {}"><span aria-hidden="true">{}</span> {}</span>').format(
        colour, sign, text or said
    )


FILTERS: Mapping[str, Callable[..., Any]] = {
    "ago": when,
    "count": count,
    "exactly": exactly,
    "listed": listed,
    "mark": mark,
    "number": number,
    "percent": percent,
    "short": short,
    "size": size,
    "span": span,
    "web_address": web_address,
}
