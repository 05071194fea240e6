"""What a digest says of contracts: versions that came, what they deprecate, and what ends soon."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from contracts_svc.compat import service_levels
from contracts_svc.compat.thresholds import as_date
from contracts_svc.model import Contract
from contracts_svc.policy import SINCE

SOON = timedelta(days=30)
"""What ends within so long is told of in each digest."""

_ENDS = {"endofsupport": "support ends", "endoflife": "the data is given up"}


def changed(old: Contract | None, new: Contract) -> str:
    """That a version came, and what it says is deprecated that the one before did not."""
    if old is None:
        return f"version {new.version} is the first"
    fresh = sorted(set(_deprecated(new)) - set(_deprecated(old)))
    text = f"version {new.version} took the place of {old.version}"
    return f"{text} and deprecates {', '.join(fresh)}" if fresh else text


def coming(contract: Contract, since: datetime, now: datetime) -> Iterator[str]:
    """What ends within the next time, and what is deprecated from a day between ``since`` and then."""
    last = now + SOON
    for level in contract.sla:
        words = _ENDS.get(service_levels.known_as(level.property))
        found = service_levels.amount(level) if words else None
        if found is None or found[1] != "moment":
            continue
        end = datetime.fromtimestamp(found[0], UTC)
        if now <= end <= last:
            of = f" for {level.element}" if level.element else ""
            yield f"{words}{of} on {end:%Y-%m-%d}"
    for path, day in _dated(contract):
        if since < day <= last:
            yield f"{path} is deprecated {'since' if day <= now else 'from'} {day:%Y-%m-%d}"


def _deprecated(contract: Contract) -> Iterator[str]:
    if (contract.status or "").lower() == "deprecated":
        yield "the contract"
    for table in contract.tables:
        if table.deprecated:
            yield table.name
        yield from (f"{table.name}.{c.path}" for c in table.walk() if c.deprecated)


def _dated(contract: Contract) -> Iterator[tuple[str, datetime]]:
    for table in contract.tables:
        named = [(table.name, table.custom), *((f"{table.name}.{c.path}", c.custom) for c in table.walk())]
        for path, custom in named:
            day = next((as_date(c.value) for c in custom if c.property == SINCE), None)
            if day is not None:
                yield path, datetime(day.year, day.month, day.day, tzinfo=UTC)
