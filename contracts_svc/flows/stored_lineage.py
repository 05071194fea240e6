"""Lineage that is kept in a store: the part that a question needs.

What a question costs grows with what it reaches, not with the lineage: the store finds the reachable edges,
and what is said of the whole is counted once until edges are added or taken away. How events come in is in
:mod:`contracts_svc.flows.lineage_intake`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Protocol

from contracts_svc.errors import Problem
from contracts_svc.findings import Finding
from contracts_svc.flows.lineage import Lineage, consumers_in, described
from contracts_svc.flows.lineage_intake import Known, LineageIntake, described_in, rank_of
from contracts_svc.flows.stored_declarations import declarations
from contracts_svc.flows.stored_parts import Used, names_asked, renamed
from contracts_svc.impact import Assessment, DatasetOf, assess, starts_of
from contracts_svc.impact_age import assess_by_age
from contracts_svc.lineage.age import Ages
from contracts_svc.lineage.declared_edges import Declared, declared, relationships
from contracts_svc.lineage.graph import ColumnRef, Consumer, ConsumerKind, DatasetId, Edge, Graph
from contracts_svc.lineage.heard import Pin
from contracts_svc.lineage.reach import Extent
from contracts_svc.lineage.resolve import DECLARED, settled
from contracts_svc.lineage.tenancy import scoped, unscoped, unscoped_edges
from contracts_svc.model import Contract, Table
from contracts_svc.ports_lineage import Told
from contracts_svc.ports_store import Reached
from contracts_svc.routing_reach import Affected, affected

LIMIT = 100_000
"""Most columns that one question looks at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a tenant's lineage, and what is known of the whole."""

    lineage: Lineage
    complete: bool = True
    """False when it was cut at :data:`LIMIT`."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What is known of a tenant's contracts, and what people wrote down about who reads them."""

    known: Known
    said: Declared


@dataclass(frozen=True, slots=True)
class _Asked:
    """See :meth:`StoredLineage.part`."""

    starts: tuple[ColumnRef, ...]
    names: tuple[DatasetId, ...]
    also: Mapping[DatasetId, Iterable[DatasetId]]
    promised: Mapping[str, Contract | None]


class _Walk(Protocol):
    def __call__(self, starts: Iterable[ColumnRef], *, limit: int) -> Reached: ...


class StoredLineage(LineageIntake):
    """The lineage in a store: takes events, and gives the part that a question needs."""

    # --- out ---

    def find(self, text: str, tenant: str) -> tuple[DatasetId | None, tuple[str, ...]]:
        """The dataset that a text names, else None and what may have been meant."""
        identities = self.refresh(tenant).identities
        found = identities.find(text)
        if found is None:
            found = next(map(unscoped, self._store.datasets_called(tenant, text)), None)
        return found, () if found else identities.suggest(text)

    def downstream(self, ref: ColumnRef, tenant: str) -> Part:
        """The edges that an effect on a column (or, column None, a dataset) can travel along."""
        return self._walked(ref, tenant, self._store.downstream)

    def upstream(self, ref: ColumnRef, tenant: str) -> Part:
        """The edges that a column (or, column None, a dataset) is made along."""
        return self._walked(ref, tenant, self._store.upstream)

    def readers_of(self, ref: ColumnRef, tenant: str) -> tuple[tuple[Affected, ...], bool]:
        """Who reads a column (or, column None, a dataset), and whether that is all of them; by name."""
        part = self.part([ref], tenant=tenant, names=[ref.dataset])
        columns = [ref.column] if ref.column else []
        found = affected(columns, ref.dataset, part.lineage.graph, part.lineage.consumers)
        return tuple(sorted(found, key=lambda a: (a.consumer.name, a.consumer.dataset))), part.complete

    def _walked(self, ref: ColumnRef, tenant: str, walk: _Walk) -> Part:
        self.refresh(tenant)
        reached = walk([ColumnRef(scoped(ref.dataset, tenant), ref.column)], limit=LIMIT)
        edges = settled(unscoped_edges(reached.graph.edges))
        return Part(lineage=Lineage(graph=Graph(edges)), complete=reached.complete)

    def made_of(self, datasets: Iterable[DatasetId], tenant: str) -> tuple[Edge, ...]:
        """The stored edges that these datasets are made along, from wherever they come."""
        identities = self.refresh(tenant).identities
        begin = [ColumnRef(scoped(identities.resolve(d), tenant), None) for d in sorted(datasets)]
        return settled(unscoped_edges(self._store.upstream(begin, limit=LIMIT).graph.edges))

    def datasets_from(self, starts: Iterable[ColumnRef], tenant: str) -> frozenset[DatasetId]:
        """The datasets that an effect on these columns (or, column None, datasets) can come to."""
        identities = self.refresh(tenant).identities
        begin = [ColumnRef(scoped(identities.resolve(r.dataset), tenant), r.column) for r in starts]
        reached = self._store.downstream(begin, limit=LIMIT)
        return frozenset(e.target.dataset for e in settled(unscoped_edges(reached.graph.edges)))

    def part(
        self,
        starts: Iterable[ColumnRef],
        *,
        tenant: str,
        names: Iterable[DatasetId] = (),
        also: Mapping[DatasetId, Iterable[DatasetId]] | None = None,
        promised: Mapping[str, Contract | None] = MappingProxyType({}),
        ground: Ground | None = None,
    ) -> Part:
        """What an assessment of changes at ``starts`` can look at.

        The datasets of ``starts`` and ``names`` keep these names in it, whatever they are called here;
        ``also`` are further names that lineage may have for them. ``promised`` are contracts by id (None: it
        will be gone) whose relationships count instead of those that are registered. ``ground`` is what was
        known when the question came up, else what is known now.
        """
        ground = ground or self.ground(tenant)
        asked = _Asked(tuple(starts), tuple(names), also or {}, promised)
        return self._store.at_once(lambda: self._part(asked, ground, tenant))

    def _part(self, asked: _Asked, ground: Ground, tenant: str) -> Part:
        known, also = ground.known, asked.also
        resolve = known.identities.resolve
        names = names_asked((*(r.dataset for r in asked.starts), *asked.names), also, resolve)
        extra = _extra(ground, asked.promised)
        begin = [
            ColumnRef(resolve(name), r.column)
            for r in asked.starts
            for name in dict.fromkeys((r.dataset, *also.get(r.dataset, ())))
        ]
        edges, touched, complete = self._reached(begin, extra.edges, tenant)
        lineage = self._lineage(known, extra, edges, touched, tenant)
        return Part(lineage=renamed(lineage, names), complete=complete)

    def ground(self, tenant: str) -> Ground:
        """What questions about a tenant's lineage are answered by, as it is now."""
        known = self.refresh(tenant)
        kept = self._store.at_once(lambda: (self._store.subscriptions(), self._store.products(tenant)))
        said = declarations(*kept, known.contracts)
        return Ground(known, declared(said, known.contracts.several, known.identities))

    def pins(self, tenant: str) -> tuple[Pin, ...]:
        """Who is declared to read which contract at which version."""
        return self.ground(tenant).said.pins

    def _reached(
        self, starts: Sequence[ColumnRef], extra: Sequence[Edge], tenant: str
    ) -> tuple[tuple[Edge, ...], set[DatasetId], bool]:
        """The edges to look at, the datasets that an effect may come to, and whether that is all."""
        begin = dict.fromkeys(starts)
        whole = any(r.column is None for r in starts)
        while True:
            asked = [ColumnRef(scoped(r.dataset, tenant), r.column) for r in begin]
            reached = self._store.impact_part(asked, limit=LIMIT)
            found = tuple(unscoped_edges(reached.graph.edges))
            touched = {r.dataset for r in begin} | {e.target.dataset for e in found}
            onward = [e.target for e in extra if e.source.dataset in touched]
            onward += [ColumnRef(r.dataset, None) for r in onward if whole]
            if all(r in begin for r in onward):
                break
            begin |= dict.fromkeys(onward)
        # What an edge without columns tells is known only with the others out of the same dataset.
        sure = [e for e in found if e.source.column is not None or e.source.dataset in touched]
        edges = tuple(dict.fromkeys((*sure, *unscoped_edges(reached.leaving), *extra)))
        return settled(edges, self._flows(edges, touched, tenant)), touched, reached.complete

    def _flows(self, edges: Iterable[Edge], touched: set[DatasetId], tenant: str) -> tuple[Edge, ...]:
        """All that is downstream of datasets that people say to be read, to see whether more is known."""
        sources = {
            e.source.dataset for e in edges if e.origin.startswith(DECLARED) and e.source.dataset in touched
        }
        if not sources:
            return ()
        asked = [ColumnRef(scoped(d, tenant), None) for d in sorted(sources)]
        return tuple(unscoped_edges(self._store.downstream(asked, limit=LIMIT).graph.edges))

    def _lineage(
        self,
        known: Known,
        extra: _Extra,
        edges: Sequence[Edge],
        touched: set[DatasetId],
        tenant: str,
    ) -> Lineage:
        identities = known.identities
        told = [
            replace(t.consumer, dataset=identities.resolve(t.consumer.dataset))
            for t in _latest(self._store.readers(tenant))
        ]
        told += extra.consumers
        fed = Used(self._store, tenant, extra.edges, {*touched, *(c.dataset for c in told)})
        told = [c for c in told if c.kind is not ConsumerKind.JOB or c.dataset in fed]
        datasets = described(described_in(self._store.facets(tenant, datasets=touched)), identities)
        shown = consumers_in(
            {d for d in touched if d in fed},
            identities,
            [c for c in told if c.dataset in touched or c.dataset not in fed],
            datasets,
        )
        # What makes columns there says what types they have.
        near = touched | {e.source.dataset for e in edges if e.target.dataset in touched}
        leaving: defaultdict[DatasetId, list[Edge]] = defaultdict(list)
        for edge in edges:
            leaving[edge.source.dataset].append(edge)
        return Lineage(
            graph=Graph(tuple(edges)),
            consumers=shown,
            problems=extra.problems,
            pins=extra.pins,
            datasets=tuple(datasets.values()),
            identities=identities,
            extent=Extent(
                datasets=fed.datasets,
                named=fed.names,
                fed=fed.__contains__,
                leaving=lambda dataset: leaving.get(dataset, ()),
                consumers=len({(c.dataset, c.kind) for c in told}) + fed.but({c.dataset for c in told}),
            ),
            contracts=tuple(
                {c.id: c for d in sorted(near) if (ct := identities.contract_of(d)) for c in ct[:1]}.values()
            ),
        )


def assess_stored(
    stored: StoredLineage,
    findings: Sequence[Finding],
    *,
    tenant: str,
    dataset_of: DatasetOf,
    promises: Mapping[DatasetId, tuple[Contract, Table]],
    ages: Ages,
) -> Assessment:
    """Judge every finding against everybody downstream of it, by the lineage of a store.

    Costs what is reachable, and says the same as :func:`contracts_svc.impact.assess` of the whole.
    """
    starts = starts_of(findings, dataset_of=dataset_of, promises=promises)
    part = stored.part(starts, tenant=tenant, names=promises)
    return assess_part(part.lineage, findings, dataset_of=dataset_of, promises=promises, ages=ages)


def assess_part(
    lineage: Lineage,
    findings: Sequence[Finding],
    *,
    dataset_of: DatasetOf,
    promises: Mapping[DatasetId, tuple[Contract, Table]],
    ages: Ages,
) -> Assessment:
    """Judge findings by a lineage that may be a part of the whole."""
    return assess_by_age(
        lambda graph: assess(
            findings,
            dataset_of=dataset_of,
            graph=graph,
            consumers=lineage.consumers,
            promises=promises,
            ages=ages,
            extent=lineage.extent,
        ),
        lineage.graph,
        ages,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Extra:
    """What is no flow that a tool reports."""

    edges: tuple[Edge, ...]
    consumers: tuple[Consumer, ...]
    problems: tuple[Problem, ...]
    pins: tuple[Pin, ...]


def _extra(ground: Ground, promised: Mapping[str, Contract | None]) -> _Extra:
    """What people wrote down, and the keys that contracts promise."""
    known, heard = ground.known, ground.said.heard
    relating = {**known.contracts.relating, **promised}
    promising = [contract for contract in relating.values() if contract is not None]
    keys = relationships(promising, known.contracts.by_file, known.identities)
    return _Extra(
        edges=(*heard.edges, *keys.edges),
        consumers=(*heard.consumers, *keys.consumers),
        problems=heard.problems,
        pins=ground.said.pins,
    )


def _latest(readers: Iterable[Told]) -> list[Told]:
    """One word on each reader: the last, or the greater of one time; by their names."""
    found: dict[DatasetId, Told] = {}
    for told in readers:
        before = found.get(told.consumer.dataset)
        if before is None or rank_of(told) > rank_of(before):
            found[told.consumer.dataset] = told
    return [found[d] for d in sorted(found)]
