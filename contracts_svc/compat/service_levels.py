"""Service levels as amounts: which property is better when it is more, and units brought together."""

from __future__ import annotations

import re

from contracts_svc.compat.sameness import same
from contracts_svc.compat.thresholds import Strictness, as_number, by_sets, is_number
from contracts_svc.model import Json, SlaProperty

LESS_IS_BETTER = frozenset(
    {
        "latency",
        "frequency",
        "timetodetect",
        "timetonotify",
        "timetorepair",
        "errorrate",
        "responsetime",
        "generalavailability",
        "timeofavailability",
    }
)
"""Durations, rates of failure, and moments at which something begins to be there."""
MORE_IS_BETTER = frozenset({"availability", "throughput", "retention", "endofsupport", "endoflife"})
"""Shares and amounts, and moments until which something is there."""

SYNONYMS = {
    "av": "availability",
    "uptime": "availability",
    "th": "throughput",
    "er": "errorrate",
    "ga": "generalavailability",
    "es": "endofsupport",
    "eos": "endofsupport",
    "el": "endoflife",
    "eol": "endoflife",
    "re": "retention",
    "retentionperiod": "retention",
    "fy": "frequency",
    "frequencyofupdate": "frequency",
    "updatefrequency": "frequency",
    "refreshfrequency": "frequency",
    "ly": "latency",
    "freshness": "latency",
    "timeliness": "latency",
    "td": "timetodetect",
    "tn": "timetonotify",
    "tr": "timetorepair",
    "timetorecover": "timetorepair",
    "timetoresolve": "timetorepair",
    "ta": "timeofavailability",
    "toa": "timeofavailability",
}
"""Short forms of the Data QoS table that the standard refers to, and names in common use."""

_SECONDS = {
    "ms": 0.001,
    "millisecond": 0.001,
    "s": 1.0,
    "sec": 1.0,
    "second": 1.0,
    "m": 60.0,
    "min": 60.0,
    "minute": 60.0,
    "h": 3600.0,
    "hr": 3600.0,
    "hour": 3600.0,
    "d": 86_400.0,
    "day": 86_400.0,
    "w": 604_800.0,
    "wk": 604_800.0,
    "week": 604_800.0,
    "mo": 2_629_800.0,
    "mon": 2_629_800.0,
    "month": 2_629_800.0,
    "q": 7_889_400.0,
    "quarter": 7_889_400.0,
    "y": 31_557_600.0,
    "yr": 31_557_600.0,
    "year": 31_557_600.0,
}
_SHARES = {"%": 1.0, "percent": 1.0, "percentage": 1.0, "ratio": 100.0}
_ISO_DURATION = re.compile(
    r"P(?:(\d+(?:\.\d+)?)Y)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)W)?(?:(\d+(?:\.\d+)?)D)?"
    r"(?:T(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?)?",
    re.IGNORECASE,
)
_ISO_UNITS = ("y", "mo", "w", "d", "h", "min", "s")
_CLOSE = 0.005
"""A year of 365 days and 12 months are one promise: calendar units differ by less than this share."""


def known_as(name: str) -> str:
    """The property's name for comparing: without case and separators, short forms spelt out."""
    key = "".join(c for c in name.lower() if c.isalnum())
    return SYNONYMS.get(key, key)


def moved(old: SlaProperty, new: SlaProperty) -> Strictness:
    """What became of a service level: LOOSENED when less is promised now.

    CHANGED when the two do not compare: an unknown property, words, units of two kinds.
    """
    stated = [(s.value, s.value_ext, _unit(s)) for s in (old, new)]
    if same(stated[0], stated[1]):
        return Strictness.SAME
    name = known_as(new.property)
    one, other = amount(old), amount(new)
    same_property = known_as(old.property) == name and old.value_ext == new.value_ext
    if not same_property or one is None or other is None or one[1] != other[1]:
        return Strictness.CHANGED
    before, after = one[0], other[0]
    if before == after or (one[2] != other[2] and abs(before - after) <= _CLOSE * abs(before)):
        return Strictness.SAME
    if name in LESS_IS_BETTER:
        return by_sets(after > before, after < before)
    if name in MORE_IS_BETTER:
        return by_sets(after < before, after > before)
    return Strictness.CHANGED


def _unit(sla: SlaProperty) -> str:
    return " ".join((sla.unit or "").lower().split())


def amount(sla: SlaProperty) -> tuple[float, str, str] | None:
    """The amount in its kind's own unit, the kind, and the unit as written; None where it is none.

    Kinds: ``time`` (seconds), ``share`` (percent), ``moment`` (what a date says), ``unit ...`` (as it is).
    """
    value: Json = sla.value
    unit = _unit(sla)
    if isinstance(value, str):
        text = value.strip()
        duration = _iso_duration(text)
        if duration is not None and not unit:
            return duration, "time", "iso"
        match = re.fullmatch(r"([-+]?\d+(?:\.\d+)?)\s*(%|[a-z]+)?", text, re.IGNORECASE)
        if match is None:
            moment = as_number(text)
            return None if moment is None or unit else (moment, "moment", "")
        value, unit = float(match[1]), (match[2] or unit).lower()
    if not is_number(value):
        return None
    if unit in _SHARES:
        return value * _SHARES[unit], "share", unit
    seconds = _SECONDS.get(unit) or _SECONDS.get(unit.removesuffix("s"))
    if seconds is not None:
        return value * seconds, "time", unit
    return float(value), f"unit {unit}", unit


def _iso_duration(text: str) -> float | None:
    """Seconds of an ISO 8601 duration such as ``PT4H``."""
    match = _ISO_DURATION.fullmatch(text)
    if match is None or not any(match.groups()):
        return None
    return sum(float(n) * _SECONDS[u] for n, u in zip(match.groups(), _ISO_UNITS, strict=True) if n)
