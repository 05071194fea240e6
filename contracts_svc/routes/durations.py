"""Durations as Prometheus writes them."""

from __future__ import annotations

import re
from datetime import timedelta

LONGEST = timedelta(days=3_650)
"""A time that is waited for."""

_DURATION = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?", re.ASCII)
_UNITS = ("weeks", "days", "hours", "minutes", "seconds", "milliseconds")


def duration(text: str) -> timedelta | None:
    """``30s``, ``5m``, ``1h30m``, ``4h``, ``2d``, ``1w``, as Prometheus writes them; None for others,
    and for more than :data:`LONGEST`."""
    found = _DURATION.fullmatch(text)
    if not found or not text or any(len(part or "") > 9 for part in found.groups()):
        return None
    try:
        span = timedelta(**{u: int(n) for u, n in zip(_UNITS, found.groups(), strict=True) if n})
    except OverflowError:
        return None
    return span if span <= LONGEST else None
