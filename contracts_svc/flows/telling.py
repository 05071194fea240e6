"""Tell people what runs, people and time do to incidents, by the lineage and the contracts of a store."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from contracts_svc.alerts import Incident, IncidentState, Notification, Transition
from contracts_svc.flows.neighbourhood import datasets_near, known_incidents
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

RUNS_LOOKED_AT = 10
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

    def pass_time(self) -> int:
        """What the passing of time does to incidents: acknowledgements run out, old warnings get worse; how
        many it changed."""

        def work() -> int:
            now, handling = self.clock.now(), self.routes().handling
            if not tick(self.store.incidents(), now, handling):
                return 0
            self.store.lock_outbox()
            moved = tick(self.store.incidents(), now, handling)
            for transition in moved:
                self.acted(transition)
            return len(moved)

        return self.store.atomically(work)

    def _tell(self, run: Run, handling: Handling) -> None:
        handling = self._handled(handling)
        if self._is_quiet(run, handling):
            return
        self.store.lock_outbox()
        tenant = self._tenant(run.contract)
        known, moved = self._step(run, handling)
        mine = [i for i in (*known, *moved.incidents) if (i.contract, i.table) == (run.contract, run.table)]
        world = self._world(tenant, mine)
        start = world.dataset_of(run.contract, run.table)
        notify(
            run,
            store=self.store,
            outbox=self.store,
            contracts=world.contracts,
            dataset_of=world.dataset_of,
            graph=self._with_causes(start, world.graph, tenant),
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

    def _handled(self, given: Handling) -> Handling:
        """What the route file says; a run that was given up is told at once, whatever it says."""
        said = self.routes().handling
        return said if given == USUAL else replace(said, errored_runs=given.errored_runs)

    def _step(self, run: Run, handling: Handling) -> tuple[tuple[Incident, ...], Advance]:
        """The incidents of the run's table, with the causes of these, and what the run makes of them."""
        now = self.clock.now()
        places = [(run.contract, run.table)]
        known = tuple(known_incidents(self.store, places, now - handling.reopen_within).values())
        return known, step(known, run, now, handling)

    def _is_quiet(self, run: Run, handling: Handling) -> bool:
        """Whether there is nothing to be told of a run; what it changed is then kept.

        Most runs are so. They need no lineage, and wait for nobody.
        """
        known, moved = self._step(run, handling)
        if moved.transitions or _open_of(run, (*moved.incidents, *known)):
            return False
        self.store.put_incidents(moved.incidents)
        return True

    def _with_causes(self, start: DatasetId, graph: Graph, tenant: str) -> Graph:
        """The same lineage, with all that the datasets near ``start`` are made of, where causes may be."""
        edges = dict.fromkeys(graph.edges)
        asked: set[DatasetId] = set()
        while new := datasets_near(start, Graph(tuple(edges))) - asked:
            found = self.lineage.made_of(new, tenant)
            edges |= dict.fromkeys(found)
            asked |= new | {e.source.dataset for e in found}
        return Graph(tuple(edges))

    def _tenant(self, contract_id: str) -> str:
        row = self.store.contract_rows([contract_id]).get(contract_id)
        return row.tenant if row is not None else ""

    def _world(self, tenant: str, incidents: Iterable[Incident]) -> World:
        known = self.lineage.refresh(tenant)
        contracts = known.contracts
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
