"""The part of the stored lineage that a change reaches, with the readers that are known there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from contracts_svc.errors import CouldNotCheck
from contracts_svc.flows.lineage import Lineage, consumers_in
from contracts_svc.lineage.declared import Reads
from contracts_svc.lineage.declared import Subscription as Declared
from contracts_svc.lineage.declared_edges import declared, relationships
from contracts_svc.lineage.graph import ColumnRef, DatasetId, Edge, Graph
from contracts_svc.lineage.identity import Identities
from contracts_svc.lineage.names import normal
from contracts_svc.lineage.reach import Extent
from contracts_svc.lineage.resolve import resolved, settled
from contracts_svc.lineage.servers import places_of
from contracts_svc.lineage.tenancy import scoped, unscoped_edges
from contracts_svc.model import NOWHERE, Contract
from contracts_svc.ports_store import LineageStore, Subscription
from contracts_svc.waivers import Waiver

MOST_COLUMNS = 100_000
"""Columns that a change is followed to; beyond that there is no verdict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredLineage:
    """Implements :class:`contracts_svc.flows.preflight.LineageParts` over a store.

    ``contracts`` are the tenant's as they are, ``promised`` as they will be. Subscriptions to others
    than these are left out.
    """

    store: LineageStore
    contracts: Sequence[Contract]
    promised: Sequence[Contract]
    subscriptions: Sequence[Subscription]
    tenant: str = ""

    def part(
        self, starts: Sequence[ColumnRef], names: Iterable[DatasetId], fingerprints: Iterable[str]
    ) -> tuple[Lineage, tuple[Waiver, ...]]:
        """What the store knows downstream; of waivers, none. Raises CouldNotCheck."""
        identities = Identities.of(self.contracts)
        found = self.store.impact_part(_asked(starts, identities, self.tenant), limit=MOST_COLUMNS)
        if not found.complete:
            raise CouldNotCheck(
                "whom the change reaches",
                f"more than {MOST_COLUMNS:,} columns are downstream of it",
                "change less at once",
                retryable=False,
            )
        said = declared(
            declarations_of(self.subscriptions, {c.id for c in self.contracts}), self.contracts, identities
        )
        keys = relationships(self.promised, self.contracts, identities)
        stored = resolved(unscoped_edges(found.graph.edges), identities)
        graph = Graph.of(settled((*stored, *said.heard.edges, *keys.edges)))
        fed = {e.target.dataset for e in graph.edges}
        told = [*said.heard.consumers, *keys.consumers]
        lineage = Lineage(
            graph=graph,
            consumers=consumers_in(fed, identities, told, {}),
            problems=said.heard.problems,
            identities=identities,
            extent=Extent(
                datasets=self.store.dataset_count(),
                named=graph.flowing.__contains__,
                fed=fed.__contains__,
                leaving=_Leaving(self.store, graph, identities, self.tenant).of,
            ),
        )
        return lineage, ()


def declarations_of(subscriptions: Iterable[Subscription], known: set[str]) -> tuple[Declared, ...]:
    """Subscriptions to known contracts, as lineage takes them."""
    return tuple(
        Declared(
            consumer=s.consumer,
            reads=Reads(contract=s.contract, version=s.version),
            team=s.team,
            channels=s.channels,
            columns=tuple((c, NOWHERE) for c in s.columns),
        )
        for s in subscriptions
        if s.contract in known
    )


def downstream_of(
    store: LineageStore, starts: Sequence[ColumnRef], identities: Identities, tenant: str
) -> tuple[Edge, ...]:
    """The stored edges that an effect on these columns can travel along, under the names known here."""
    reached = store.downstream(_asked(starts, identities, tenant), limit=MOST_COLUMNS)
    return resolved(unscoped_edges(reached.graph.edges), identities)


def _asked(starts: Iterable[ColumnRef], identities: Identities, tenant: str) -> list[ColumnRef]:
    return [ColumnRef(scoped(d, tenant), r.column) for r in starts for d in _names(r.dataset, identities)]


def _names(dataset: DatasetId, identities: Identities) -> tuple[DatasetId, ...]:
    """Every name that lineage may have been kept under before the contract was known."""
    found = identities.contract_of(dataset)
    places = places_of(*found) if found else ()
    return tuple(dict.fromkeys((dataset, normal(dataset), *map(normal, places))))


class _Leaving:
    """The edges out of datasets that a change touches, whichever columns they read: read once."""

    def __init__(self, store: LineageStore, graph: Graph, identities: Identities, tenant: str) -> None:
        self._store, self._graph, self._identities, self._tenant = store, graph, identities, tenant
        self._found: dict[DatasetId, list[Edge]] | None = None

    def of(self, dataset: DatasetId) -> Sequence[Edge]:
        """Those out of one dataset."""
        if self._found is None:
            self._found = self._read()
        return self._found.get(dataset, ())

    def _read(self) -> dict[DatasetId, list[Edge]]:
        starts = [ColumnRef(dataset, None) for dataset in sorted(self._graph.datasets)]
        stored = downstream_of(self._store, starts, self._identities, self._tenant)
        found: defaultdict[DatasetId, list[Edge]] = defaultdict(list)
        for edge in Graph.of(settled((*stored, *self._graph.edges))).edges:
            found[edge.source.dataset].append(edge)
        return found
