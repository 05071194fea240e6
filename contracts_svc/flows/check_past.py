"""A check's figures against what earlier runs found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from contracts_svc.errors import CouldNotCheck
from contracts_svc.files import DataFile
from contracts_svc.flows.check_measure import errors
from contracts_svc.model import Contract, Table
from contracts_svc.ports_history import History
from contracts_svc.quality import service_history
from contracts_svc.quality.anomalies import Now, against_history, comparable
from contracts_svc.quality.kinds_anomaly import ANOMALIES
from contracts_svc.runs import Measurement, Plan


@dataclass(frozen=True, slots=True)
class Compare:
    """Compares the figures of a run with those of earlier ones."""

    contract: Contract
    table: Table
    plan: Plan
    history: History | None
    scope: str
    files: Sequence[DataFile]
    started: datetime

    def with_past(self, measured: Iterable[Measurement]) -> list[Measurement]:
        """The same measurements, with what would be usual where the contract asks for that."""
        given = list(measured)
        checks = {c.id: c for c in self.plan.checks}
        wanted = {c.id for c in self.plan.checks if c.kind in ANOMALIES}
        if not wanted:
            return given
        past = None
        if self.history is not None and comparable(self.scope):
            try:
                past = self.history.past(self.contract, self.table, wanted, self.started)
            except CouldNotCheck as error:
                others = [m for m in given if m.check not in wanted]
                return [*others, *errors(sorted(wanted), error)]
        now = Now(at=self.started, zone=_zone(self.contract), scope=self.scope, files=self.files)
        return list(against_history(given, checks, past, now))


def levels_of_past(
    contract: Contract, table: Table, plan: Plan, history: History | None, now: datetime
) -> list[Measurement]:
    """The service levels that only time tells, where somebody knows of it."""
    wanted = service_history.levels(plan)
    if not wanted or history is None:
        return []
    try:
        past = history.service(contract, table, now)
    except CouldNotCheck as error:
        return list(errors((c.id for c in wanted), error))
    return list(service_history.measurements(plan, past, now))


def _zone(contract: Contract) -> tzinfo:
    # Asked for by few, and it knows of calendars and schedules.
    from contracts_svc.schedules import zone_of

    try:
        return ZoneInfo(zone_of(contract))
    except (KeyError, ValueError, OSError):
        return UTC  # the lint rule for schedules tells of it
