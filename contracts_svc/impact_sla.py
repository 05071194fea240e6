"""Service levels as an impact needs them: which is the better one, and how delays add up."""

from __future__ import annotations

from dataclasses import dataclass

from contracts_svc.model import Contract, SlaProperty, Table

_GREATER_IS_WORSE = frozenset(
    {"latency", "frequency", "timetodetect", "timetonotify", "timetorepair", "errorrate"}
)
_LESS_IS_WORSE = frozenset({"retention", "availability", "throughput"})
_HOURS = {
    "s": 1 / 3600,
    "second": 1 / 3600,
    "min": 1 / 60,
    "minute": 1 / 60,
    "h": 1.0,
    "hr": 1.0,
    "hour": 1.0,
    "d": 24.0,
    "day": 24.0,
    "w": 168.0,
    "week": 168.0,
    "month": 730.0,
    "y": 8766.0,
    "yr": 8766.0,
    "year": 8766.0,
}


@dataclass(frozen=True, slots=True)
class Delay:
    """How late data is in the worst case, in hours, before and after a change; None: not known."""

    before: float | None
    after: float | None

    def plus(self, hours: float) -> Delay:
        """With this time on top."""
        return Delay(
            None if self.before is None else self.before + hours,
            None if self.after is None else self.after + hours,
        )

    def goes_beyond(self, limit: float) -> bool:
        """Whether the change made it later than the limit, which it was not before."""
        return self.after is not None and self.after > limit and (self.before is None or self.before <= limit)


UNKNOWN_DELAY = Delay(None, None)


def sla_holds(given: SlaProperty, wanted: SlaProperty) -> bool | None:
    """Whether ``given`` is at least as good as ``wanted``; None when they do not compare."""
    one, other = amount_of(given), amount_of(wanted)
    if one is None or other is None:
        return True if (given.value, given.unit) == (wanted.value, wanted.unit) else None
    name = sla_key(wanted.property)
    if name in _GREATER_IS_WORSE:
        return one <= other
    if name in _LESS_IS_WORSE:
        return one >= other
    return True if one == other else None


def sla_key(name: str) -> str:
    """An SLA property's name for comparing, with the standard's short forms spelt out."""
    key = "".join(c for c in name.lower() if c.isalnum())
    short = {"ly": "latency", "fy": "frequency", "re": "retention", "av": "availability", "er": "errorrate"}
    return short.get(key, key)


def adds_up(name: str) -> bool:
    """Whether what upstream takes of this property comes on top of one's own, as time does."""
    return sla_key(name) == "latency"


def amount_of(sla: SlaProperty) -> float | None:
    """The value in hours where it has a unit of time, else as it is."""
    try:
        value = float(str(sla.value).rstrip("%"))
    except ValueError:
        return None
    unit = (sla.unit or "").lower().strip()
    if not unit or unit in ("%", "percent"):
        return value
    hours = _HOURS.get(unit) or _HOURS.get(unit.removesuffix("s"))
    return value * hours if hours else None


def own_sla(promise: tuple[Contract, Table], name: str) -> SlaProperty | None:
    """What a contract promises of this property for this table: what names the table comes first."""
    contract, table = promise
    same = [s for s in contract.sla if sla_key(s.property) == sla_key(name)]
    named = [s for s in same if table.name in tables_of(s)]
    return next(iter([*named, *(s for s in same if not tables_of(s))]), None)


def tables_of(sla: SlaProperty | None) -> frozenset[str]:
    """The tables that an SLA property's ``element`` names; empty: all of the contract's."""
    elements = (e.strip() for e in ((sla and sla.element) or "").split(","))
    return frozenset(e.partition(".")[0] for e in elements if e)
