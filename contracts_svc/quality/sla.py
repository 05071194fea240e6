"""Service levels as promises about a table: which ones it has, how long, and of which columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from contracts_svc.compat import service_levels
from contracts_svc.model import Contract, Json, SlaProperty, Table
from contracts_svc.quality.kind import Promises, is_number
from contracts_svc.runs import Check, Unsupported

_LONGEST = {
    **dict.fromkeys(("mo", "mon", "month"), timedelta(days=31)),
    **dict.fromkeys(("q", "quarter"), timedelta(days=92)),
    **dict.fromkeys(("y", "yr", "year"), timedelta(days=366)),
}
"""A calendar month has no fixed length; the longest one keeps the promise."""
_EVERY = {
    "hourly": timedelta(hours=1),
    "daily": timedelta(days=1),
    "weekly": timedelta(weeks=1),
    "monthly": timedelta(days=31),
    "quarterly": timedelta(days=92),
    "yearly": timedelta(days=366),
    "annually": timedelta(days=366),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One service level of a table, in words and with the columns that tell a row's time."""

    promise: SlaProperty
    what: str
    table: Table

    def unsupported(self, reason: str) -> Unsupported:
        """This service level as one that no check can show."""
        return Unsupported(what=self.what, reason=reason, at=self.promise.at)


def levels(promises: Promises, name: str) -> Iterator[Level]:
    """The service levels of that name (or a synonym, in any case) that are about the table."""
    for promise in promises.contract.sla:
        if service_levels.known_as(promise.property) == name:
            written = f"{promise.value} {promise.unit or ''}".strip()
            what = f"slaProperties: {promise.property} of {written}"
            yield Level(promise=promise, what=what, table=promises.table)


def length(promise: SlaProperty) -> timedelta | None:
    """The time that is promised; days where no unit is given. None when it is no length of time."""
    try:
        return _length(promise)
    except (OverflowError, ValueError):
        # NaN, or longer than any calendar.
        return None


def _length(promise: SlaProperty) -> timedelta | None:
    value: Json = promise.value
    unit = (promise.unit or "").strip().lower()
    if isinstance(value, str) and value.strip().lower() in _EVERY and not unit:
        return _EVERY[value.strip().lower()]
    if is_number(value) and not unit:
        return timedelta(days=float(value))
    longest = _LONGEST.get(unit) or _LONGEST.get(unit.removesuffix("s"))
    if longest is not None and is_number(value):
        return longest * float(value)
    found = service_levels.amount(promise)
    return timedelta(seconds=found[0]) if found is not None and found[1] == "time" else None


def of_columns(
    level: Level, promises: Promises, make: Callable[[Level, str], Check | Unsupported]
) -> Iterator[Check | Unsupported]:
    """What ``make`` makes of each column of the table that the service level names as its element."""
    element = level.promise.element or promises.contract.extra.get("slaDefaultElement")
    if not element:
        yield level.unsupported("it names no element, the column that tells a row's time")
        return
    for path in _paths(str(element), promises.contract, promises.table):
        if promises.table.column(path) is None:
            yield level.unsupported(f"{promises.table.name} has no column {path}")
        else:
            yield make(level, path)


def about(level: Level, promises: Promises) -> bool:
    """Whether a service level that may name tables is about this one; one without an element is."""
    element = level.promise.element
    if not element:
        return True
    parts = [part.strip() for part in element.split(",")]
    return promises.table.name in parts or any(_paths(element, promises.contract, promises.table))


def _paths(element: str, contract: Contract, table: Table) -> Iterator[str]:
    """The columns of this table among the elements, which are separated by commas."""
    for part in element.split(","):
        head, _, rest = part.strip().partition(".")
        if rest and head == table.name:
            yield rest
        elif len(contract.tables) == 1 and not (rest and table.column(part.strip()) is None):
            yield part.strip()
