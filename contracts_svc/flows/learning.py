"""The history that checks compare with, out of the store: without failed, acknowledged and silenced runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from contracts_svc.alerts import Audience, IncidentState
from contracts_svc.findings import Severity
from contracts_svc.incidents_learning import lessons
from contracts_svc.lineage.identity import Identities
from contracts_svc.model import Contract, Table
from contracts_svc.ports_outbox import SilenceStore
from contracts_svc.ports_store import IncidentStore, RunStore
from contracts_svc.quality.anomalies import Past, PastFigure
from contracts_svc.quality.kinds_anomaly import AGE, VOLUME
from contracts_svc.quality.service_history import WINDOW, ServiceHistory, of_levels, seen, taken
from contracts_svc.routing import owner_of
from contracts_svc.runs import WHOLE_TABLE

LEARN_FROM = timedelta(weeks=10)
"""How far back is looked: what was usual before says little of now."""
_MOST_RUNS = 2_000
"""Runs of a month that are looked at: one each 20 minutes."""
_LATEST = 50
"""Runs among which the last one over the whole table is looked for."""


class LearningStore(RunStore, IncidentStore, SilenceStore, Protocol):
    """What a history is kept in."""


@dataclass(frozen=True, slots=True)
class StoredHistory:
    """:class:`contracts_svc.ports_history.History` over a store."""

    store: LearningStore

    def past(self, contract: Contract, table: Table, checks: Collection[str], now: datetime) -> Past:
        """What may be learned of these checks. Three queries, and one where files are looked at."""
        since = now - LEARN_FROM
        learned = self.store.learned(contract.id, table.name, checks, "value", since=since)
        taught = lessons(
            self.store.table_transitions(contract.id, table.name, since=since),
            self.store.silences(since),
            _labels(contract, table),
        )
        figures = {
            check: tuple(
                PastFigure(p.at, p.scope, p.value) for p in taught.kept(check, points, lambda p: p.at)
            )
            for check, points in learned.items()
        }
        return Past(figures=figures, newest=self._newest(contract, table, checks, since))

    def service(self, contract: Contract, table: Table, now: datetime) -> ServiceHistory:
        """What earlier runs of a table saw, and how long its incidents took."""
        since = now - WINDOW
        runs = self.store.runs(contract.id, table.name, limit=_MOST_RUNS)
        mine = [
            i
            for i in self.store.incidents(resolved_since=since)
            if (i.contract, i.table) == (contract.id, table.name) and not of_levels(i.check)
        ]
        told = self.store.told([i.fingerprint for i in mine])
        return ServiceHistory(
            runs=tuple(seen(r) for r in runs if r.started >= since and r.scope == WHOLE_TABLE),
            taken=tuple(taken(i, told.get(i.fingerprint, {}), now) for i in mine),
        )

    def _newest(
        self, contract: Contract, table: Table, checks: Collection[str], since: datetime
    ) -> float | None:
        """Of failed runs too: a file that they saw is not new."""
        asked = next((c for c in checks if c in (f"{table.name}.{VOLUME}", f"{table.name}.{AGE}")), None)
        if asked is None:
            return None
        points = self.store.measurements(contract.id, table.name, asked, "newest", since=since, limit=_LATEST)
        return next((p.value for p in reversed(points) if p.scope == WHOLE_TABLE), None)


def _labels(contract: Contract, table: Table) -> list[Mapping[str, str]]:
    """The labels that the owner's alerts about a table have."""
    owner = owner_of(contract, contract.id, "slack")
    identities = Identities.of([contract])
    dataset = identities.resolve(identities.dataset(contract, table))
    common = {
        "audience": Audience.OWNER.value,
        "squad": owner.team,
        "tribe": owner.tribe,
        "dataset": dataset.name,
        "contract": contract.id,
        "state": IncidentState.OPEN.value,
    }
    return [common | {"severity": s.value} for s in (Severity.WARNING, Severity.ERROR)]
