"""Durations as Prometheus writes them."""

from __future__ import annotations

import re
from datetime import timedelta

LONGEST = timedelta(days=3_650)
"""A time that is waited for."""

_DURATION = re.compile(
    r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?", re.ASCII
)
_UNITS = ("years", "weeks", "days", "hours", "minutes", "seconds", "milliseconds")


def duration(text: str) -> timedelta | None:
    """``30s``, ``5m``, ``1h30m``, ``4h``, ``2d``, ``1w``, ``1y``, ``0``, as Prometheus writes them (a year
    has 365 days); None for others, and for more than :data:`LONGEST`."""
    if text == "0":
        return timedelta()
    found = _DURATION.fullmatch(text)
    if not found or not text or any(len(part or "") > 9 for part in found.groups()):
        return None
    try:
        given = {u: int(n) for u, n in zip(_UNITS, found.groups(), strict=True) if n}
        given["days"] = given.get("days", 0) + 365 * given.pop("years", 0)
        span = timedelta(**given)
    except OverflowError:
        return None
    return span if span <= LONGEST else None
