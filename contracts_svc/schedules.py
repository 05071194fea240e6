"""When the tables of contracts are checked: from what a contract says to due times.

A contract says it in the ``schedule`` of its quality rules and SLA properties, a cron expression where
``scheduler`` is ``cron`` or nothing (another scheduler is somebody else's to run). A table without any is
checked as often as its data is promised to be renewed (``frequency``), else to arrive (``latency``), else
daily: not more often than every 15 minutes, and at least daily.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from contracts_svc.compat.service_levels import known_as
from contracts_svc.model import Contract, QualityRule, SlaProperty, Table
from contracts_svc.quality import sla
from contracts_svc.quality.kind import Promises
from contracts_svc.schedule import ScheduleError, Trigger, cron, due, every, next_after

CRON = "cron"
"""The ``scheduler`` whose expressions are run here."""
SHORTEST, LONGEST = timedelta(minutes=15), timedelta(days=1)
"""Bounds of a default period."""
QUIET = timedelta(seconds=30)
"""After so long without another publish event a table is checked …"""
PATIENCE = timedelta(minutes=5)
"""… and no later than so long after the first one."""
ZONE_PROPERTY = "timezone"
"""The custom property of a contract that says in which time zone its schedules are."""


def triggers(contract: Contract, table: Table) -> tuple[Trigger, ...]:
    """When a table is checked; each run checks all of it. Never empty.

    A schedule that is no cron expression counts as none: the lint rule ``lint-schedule`` tells of it.
    """
    declared = tuple(dict.fromkeys(_declared(contract, table)))
    return declared or (every(_period(contract, table), f"{contract.id}\x1f{table.name}"),)


def latest_due(given: Iterable[Trigger], previous: datetime, now: datetime) -> datetime | None:
    """The time that a run is due for since ``previous``, the last one by any of the triggers.

    Of several, by one trigger or by many, only the last is due: one run checks the whole table.
    """
    return max((t for t in (due(each, previous, now) for each in given) if t is not None), default=None)


def next_due(given: Iterable[Trigger], after: datetime) -> datetime | None:
    """The first time later than ``after`` by any of the triggers; None when there is none."""
    found = (next_after(each, after) for each in given)
    return min((t for t in found if t is not None), default=None)


def due_after(events: Sequence[datetime], now: datetime, quiet: timedelta = QUIET) -> datetime | None:
    """The time that a check of published data is due for, by the publish events not yet checked.

    That is the last event, once there has been none for ``quiet`` or the first is :data:`PATIENCE`
    old; None before that. An event from the future (a clock that was set back) is waited for no longer.
    """
    if not events:
        return None
    first, last = min(events), max(events)
    calm = now - last >= quiet or last - now > PATIENCE
    return last if calm or now - first >= PATIENCE else None


def zone_of(contract: Contract) -> str:
    """The time zone of the contract's schedules: its custom property ``timezone``, else UTC."""
    return next((str(c.value) for c in contract.custom if c.property == ZONE_PROPERTY), "UTC")


def is_cron(scheduler: object) -> bool:
    """Whether a schedule with this ``scheduler`` is a cron expression for this service to run."""
    return scheduler is None or (isinstance(scheduler, str) and scheduler.strip().lower() in ("", CRON))


# --- what a contract says ------------------------------------------------------------------------


def _declared(contract: Contract, table: Table) -> Iterator[Trigger]:
    zone = zone_of(contract)
    for text in _texts(contract, table):
        try:
            yield cron(text, zone)
        except ScheduleError:
            continue


def _texts(contract: Contract, table: Table) -> Iterator[str]:
    for rule in _rules(table):
        if rule.schedule and is_cron(rule.scheduler):
            yield rule.schedule
    for level in contract.sla:
        if level.schedule and is_cron(level.extra.get("scheduler")) and _about(level, contract, table):
            yield level.schedule


def _rules(table: Table) -> Iterator[QualityRule]:
    yield from table.quality
    for column in table.walk():
        yield from column.quality


def _period(contract: Contract, table: Table) -> timedelta:
    for name in ("frequency", "latency"):
        lengths = (
            sla.length(level)
            for level in contract.sla
            if known_as(level.property) == name and _about(level, contract, table)
        )
        found = [length for length in lengths if length is not None and length > timedelta()]
        if found:
            return min(max(min(found), SHORTEST), LONGEST)
    return LONGEST


def _about(level: SlaProperty, contract: Contract, table: Table) -> bool:
    promises = Promises(contract=contract, table=table, target_of=lambda reference: None)
    return sla.about(sla.Level(promise=level, what=level.property, table=table), promises)
