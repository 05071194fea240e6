"""Tell people what runs, people and time do to incidents, by the lineage and the contracts of a store."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from contracts_svc.alerts import Audience, Incident, IncidentState, Notification, Transition
from contracts_svc.flows.notify import acted, notify
from contracts_svc.flows.stored_lineage import StoredLineage
from contracts_svc.incidents import USUAL, Advance, Handling, step
from contracts_svc.incidents_background import Background, background
from contracts_svc.incidents_people import tick
from contracts_svc.lineage.graph import ColumnRef, Consumer, DatasetId, Graph
from contracts_svc.lineage.identity import Identities
from contracts_svc.model import Contract
from contracts_svc.ports import Clock
from contracts_svc.ports_lineage import ServiceStore
from contracts_svc.ports_outbox import OutboxStore
from contracts_svc.routes.tree import RouteFile
from contracts_svc.routing import BackgroundOf, stored_path
from contracts_svc.runs import Run

RUNS_LOOKED_AT = 20
"""Of a table, the latest, for when all was well last and what the cause may be."""

_OPEN = (IncidentState.OPEN, IncidentState.ACKNOWLEDGED)


class TellingStore(ServiceStore, OutboxStore, Protocol):
    """What telling needs of the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The contracts of a tenant, and the lineage that some incidents reach."""

    contracts: Mapping[str, Contract]
    identities: Identities
    graph: Graph
    consumers: Sequence[Consumer]

    def dataset_of(self, contract_id: str, table: str) -> DatasetId:
        """The dataset of a table, as lineage names it."""
        return _dataset_of(self.contracts, self.identities, contract_id, table)


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """Moves incidents on, and stores what is to be told in the same transaction.

    Incidents of one tenant have nothing to do with those of another. Every method joins the transaction
    that it is called in, and does nothing that cannot be repeated. Raises CouldNotCheck.
    """

    store: TellingStore
    lineage: StoredLineage
    clock: Clock
    routes: Callable[[], RouteFile]
    """The route file as it is now."""
    public_url: str = ""
    """Where people reach this service, for links."""

    def tell(self, run: Run, handling: Handling = USUAL) -> None:
        """What a run found."""
        self.store.atomically(lambda: self._tell(run, handling))

    def acted(self, transition: Transition) -> tuple[Notification, ...]:
        """What a person did to an incident (see :mod:`contracts_svc.incidents_people`)."""

        def work() -> tuple[Notification, ...]:
            # First, so that what is read is still so when it is written.
            self.store.lock_outbox()
            tenant = self._tenant(transition.incident.contract)
            world = self._world(tenant, [transition.incident])
            return acted(
                transition,
                store=self.store,
                outbox=self.store,
                contracts=world.contracts,
                dataset_of=world.dataset_of,
                graph=world.graph,
                consumers=world.consumers,
                clock=self.clock,
                routes=self.routes(),
                background=self._background(),
                public_url=self.public_url,
            )

        return self.store.atomically(work)

    def pass_time(self, handling: Handling = USUAL) -> int:
        """What the passing of time does to incidents: acknowledgements run out; how many it changed."""

        def work() -> int:
            now = self.clock.now()
            if not tick(self.store.incidents(), now, handling):
                return 0
            self.store.lock_outbox()
            moved = tick(self.store.incidents(), now, handling)
            for transition in moved:
                self.acted(transition)
            return len(moved)

        return self.store.atomically(work)

    def _tell(self, run: Run, handling: Handling) -> None:
        tenant = self._tenant(run.contract)
        mine = _OfTenant(self.store, tenant)
        if _is_quiet(_moved(mine, run, self.clock.now(), handling), mine, run):
            return
        self.store.lock_outbox()
        now = self.clock.now()
        moved = _moved(mine, run, now, handling)
        world = self._world(tenant, [*mine.incidents(), *moved.incidents])
        notify(
            run,
            store=mine,
            outbox=self.store,
            contracts=world.contracts,
            dataset_of=world.dataset_of,
            graph=world.graph,
            consumers=world.consumers,
            clock=self.clock,
            handling=handling,
            routes=self.routes(),
            background=self._background(),
            public_url=self.public_url,
        )

    def _background(self) -> BackgroundOf:
        """What the runs of tables tell; each table's are read once."""
        kept: dict[tuple[str, str], tuple[Run, ...]] = {}

        def known(incident: Incident) -> Background:
            place = (incident.contract, incident.table)
            if place not in kept:
                kept[place] = self.store.runs(*place, limit=RUNS_LOOKED_AT)
            return background(incident, kept[place])

        return known

    def _tenant(self, contract_id: str) -> str:
        row = self.store.contract_rows([contract_id]).get(contract_id)
        return row.tenant if row is not None else ""

    def _world(self, tenant: str, incidents: Iterable[Incident]) -> World:
        known = self.lineage.refresh(tenant)
        contracts = {c.id: c for c in known.contracts}
        starts: dict[ColumnRef, None] = {}
        for incident in incidents:
            dataset = _dataset_of(contracts, known.identities, incident.contract, incident.table)
            contract = contracts.get(incident.contract)
            columns = [stored_path(contract, incident.table, c) for c in incident.columns]
            starts |= dict.fromkeys(ColumnRef(dataset, c) for c in columns or (None,))
        part = self.lineage.part(starts, tenant=tenant).lineage
        return World(
            contracts=contracts,
            identities=known.identities,
            graph=part.graph,
            consumers=part.consumers,
        )


class _OfTenant:
    """The incidents of one tenant's contracts."""

    def __init__(self, store: TellingStore, tenant: str) -> None:
        self._store, self._tenant = store, tenant

    def incidents(self, resolved_since: datetime | None = None) -> tuple[Incident, ...]:
        found = self._store.incidents(resolved_since)
        rows = self._store.contract_rows({i.contract for i in found})
        return tuple(i for i in found if i.contract in rows and rows[i.contract].tenant == self._tenant)

    def put_incidents(self, incidents: Iterable[Incident], transitions: Iterable[Transition] = ()) -> None:
        self._store.put_incidents(incidents, transitions)

    def incident(self, fingerprint: str, *, to_change: bool = False) -> Incident | None:
        return self._store.incident(fingerprint, to_change=to_change)

    def transitions(self, fingerprint: str) -> tuple[Transition, ...]:
        return self._store.transitions(fingerprint)

    def put_told(
        self, fingerprints: Iterable[str], audience: Audience, at: datetime
    ) -> Mapping[str, datetime]:
        return self._store.put_told(fingerprints, audience, at)

    def told(self, fingerprints: Iterable[str]) -> Mapping[str, Mapping[Audience, datetime]]:
        return self._store.told(fingerprints)

    def table_transitions(self, contract_id: str, table: str, *, since: datetime) -> tuple[Transition, ...]:
        return self._store.table_transitions(contract_id, table, since=since)


def _moved(store: _OfTenant, run: Run, now: datetime, handling: Handling) -> Advance:
    return step(store.incidents(resolved_since=now - handling.reopen_within), run, now, handling)


def _is_quiet(moved: Advance, store: _OfTenant, run: Run) -> bool:
    """Whether there is nothing to be told of a run; what it changed is then kept.

    Most runs are so. They need no lineage, and wait for nobody.
    """
    if moved.transitions or _open_of(run, (*moved.incidents, *store.incidents())):
        return False
    store.put_incidents(moved.incidents)
    return True


def _open_of(run: Run, incidents: Collection[Incident]) -> bool:
    return any((i.contract, i.table) == (run.contract, run.table) and i.state in _OPEN for i in incidents)


def _dataset_of(
    contracts: Mapping[str, Contract], identities: Identities, contract_id: str, table: str
) -> DatasetId:
    contract = contracts.get(contract_id)
    found = contract.table(table) if contract else None
    if contract is None or found is None:
        return DatasetId("", table)
    return identities.resolve(identities.dataset(contract, found))
