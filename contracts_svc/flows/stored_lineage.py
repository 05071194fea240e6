"""Lineage that is kept in a store: the part that a question needs.

What a question costs grows with what it reaches, not with the lineage: the store finds the reachable edges,
and what is said of the whole is counted once until edges are added or taken away. How events come in is in
:mod:`contracts_svc.flows.lineage_intake`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Protocol

from contracts_svc.errors import CouldNotCheck, Problem
from contracts_svc.findings import Finding
from contracts_svc.flows.lineage import Lineage, consumers_in, described
from contracts_svc.flows.lineage_intake import Known, LineageIntake, described_in, rank_of
from contracts_svc.impact import Assessment, DatasetOf, assess, starts_of
from contracts_svc.impact_age import assess_by_age
from contracts_svc.lineage.age import Ages
from contracts_svc.lineage.declared import Reads
from contracts_svc.lineage.declared import Subscription as Declared
from contracts_svc.lineage.declared_edges import declared, relationships
from contracts_svc.lineage.graph import PROMISED, ColumnRef, Consumer, ConsumerKind, DatasetId, Edge, Graph
from contracts_svc.lineage.heard import Pin
from contracts_svc.lineage.identity import Identities
from contracts_svc.lineage.names import normal
from contracts_svc.lineage.reach import Extent
from contracts_svc.lineage.resolve import DECLARED, settled
from contracts_svc.lineage.servers import places_of
from contracts_svc.lineage.tenancy import scoped, unscoped, unscoped_edges
from contracts_svc.model import NOWHERE, Contract, Table
from contracts_svc.ports_lineage import StoredGraph, Told
from contracts_svc.ports_store import Reached, Subscription
from contracts_svc.routing_reach import Affected, affected
from contracts_svc.waivers import Waiver

LIMIT = 100_000
"""Most columns that one question looks at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a tenant's lineage, and what is known of the whole."""

    lineage: Lineage
    complete: bool = True
    """False when it was cut at :data:`LIMIT`."""


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
        promised: Sequence[Contract] | None = None,
    ) -> Part:
        """What an assessment of changes at ``starts`` can look at.

        The datasets of ``starts`` and ``names`` keep these names in it, whatever they are called here;
        ``also`` are further names that lineage may have for them. ``promised`` are the contracts whose
        relationships count, where these are not those that are registered.
        """
        known = self.refresh(tenant)
        starts = tuple(starts)
        also = also or {}
        resolve = known.identities.resolve
        asked = _asked((*(r.dataset for r in starts), *names), also, resolve)
        extra = self._declared(known, known.contracts if promised is None else promised)
        begin = [
            ColumnRef(resolve(name), r.column)
            for r in starts
            for name in dict.fromkeys((r.dataset, *also.get(r.dataset, ())))
        ]
        edges, touched, complete = self._reached(begin, extra.edges, tenant)
        lineage = self._lineage(known, extra, edges, touched, tenant)
        return Part(lineage=_renamed(lineage, asked), complete=complete)

    def _declared(self, known: Known, promised: Sequence[Contract]) -> _Extra:
        """What people wrote down, and the keys that contracts promise."""
        said = declarations_of(self._store.subscriptions(), {c.id for c in known.contracts})
        found = declared(said, known.contracts, known.identities)
        keys = relationships(promised, known.contracts, known.identities)
        return _Extra(
            edges=(*found.heard.edges, *keys.edges),
            consumers=(*found.heard.consumers, *keys.consumers),
            problems=found.heard.problems,
            pins=found.pins,
        )

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
        leaving = tuple(unscoped_edges(self._store.leaving([scoped(d, tenant) for d in sorted(touched)])))
        # What an edge without columns tells is known only with the others out of the same dataset.
        sure = [e for e in found if e.source.column is not None or e.source.dataset in touched]
        edges = tuple(dict.fromkeys((*sure, *leaving, *extra)))
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
        fed = _Used(self._store, tenant, extra.edges, {*touched, *(c.dataset for c in told)})
        told = [c for c in told if c.kind is not ConsumerKind.JOB or c.dataset in fed]
        datasets = described(described_in(self._store.facets(tenant, datasets=touched)), identities)
        shown = consumers_in(
            {d for d in touched if d in fed},
            identities,
            [c for c in told if c.dataset in touched or c.dataset not in fed],
            datasets,
        )
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
                {c.id: c for d in sorted(touched) if (ct := identities.known.get(d)) for c in ct[:1]}.values()
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
class TenantLineage:
    """A tenant's part of the stored lineage: :class:`contracts_svc.flows.preflight.LineageParts`.

    ``contracts`` are the tenant's as they are, of which some may not be registered; ``promised`` as they
    will be.
    """

    stored: StoredLineage
    tenant: str
    contracts: Sequence[Contract]
    promised: Sequence[Contract]

    def part(
        self, starts: Sequence[ColumnRef], names: Iterable[DatasetId], fingerprints: Iterable[str]
    ) -> tuple[Lineage, tuple[Waiver, ...]]:
        """What the store knows downstream; of waivers, none. Raises CouldNotCheck."""
        identities = Identities.of(self.contracts)
        also = {r.dataset: _places(r.dataset, identities) for r in starts}
        found = self.stored.part(starts, tenant=self.tenant, names=names, also=also, promised=self.promised)
        if not found.complete:
            raise CouldNotCheck(
                "whom the change reaches",
                f"more than {LIMIT:,} columns are downstream of it",
                "change less at once",
                retryable=False,
            )
        return found.lineage, ()


def _places(dataset: DatasetId, identities: Identities) -> tuple[DatasetId, ...]:
    """The names that lineage may be kept under where the contract of a dataset is not registered."""
    found = identities.contract_of(dataset)
    return tuple(map(normal, places_of(*found))) if found else ()


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Extra:
    """What is no flow that a tool reports."""

    edges: tuple[Edge, ...]
    consumers: tuple[Consumer, ...]
    problems: tuple[Problem, ...]
    pins: tuple[Pin, ...]


class _Used:
    """The datasets that edges start or end at, of the store and beside it; holds those that an edge ends at.

    What is asked of one that is not among ``asked`` costs a question to the store.
    """

    def __init__(
        self, store: StoredGraph, tenant: str, extra: Sequence[Edge], asked: AbstractSet[DatasetId]
    ) -> None:
        self._store, self._tenant = store, tenant
        flows = [e for e in extra if not e.origin.startswith(PROMISED)]
        self._named = {r.dataset for e in flows for r in (e.source, e.target)}
        self._ends = {e.target.dataset for e in extra}
        self._known: dict[DatasetId, bool | None] = {}
        self._look_up({*asked, *self._named, *self._ends})
        datasets, fed = store.datasets_used(tenant)
        self.datasets = datasets + sum(self._known[d] is None for d in self._named)
        """How many there are."""
        self._fed = fed + sum(not self._known[d] for d in self._ends)

    def _look_up(self, datasets: AbstractSet[DatasetId]) -> None:
        kept = {scoped(d, self._tenant): d for d in datasets}
        found = self._store.uses_of(kept)
        self._known |= {d: found.get(at) for at, d in kept.items()}

    def _use(self, dataset: DatasetId) -> bool | None:
        if dataset not in self._known:
            self._look_up({dataset})
        return self._known[dataset]

    def __contains__(self, dataset: object) -> bool:
        assert isinstance(dataset, DatasetId)
        return dataset in self._ends or bool(self._use(dataset))

    def names(self, dataset: DatasetId) -> bool:
        """Whether an edge starts or ends at a dataset."""
        return dataset in self._named or self._use(dataset) is not None

    def but(self, others: AbstractSet[DatasetId]) -> int:
        """How many an edge ends at, without the others."""
        return self._fed - sum(d in self for d in others)


def _latest(readers: Iterable[Told]) -> list[Told]:
    """One word on each reader: the last, or the greater of one time; by their names."""
    found: dict[DatasetId, Told] = {}
    for told in readers:
        before = found.get(told.consumer.dataset)
        if before is None or rank_of(told) > rank_of(before):
            found[told.consumer.dataset] = told
    return [found[d] for d in sorted(found)]


def _asked(
    datasets: Iterable[DatasetId],
    also: Mapping[DatasetId, Iterable[DatasetId]],
    resolve: Callable[[DatasetId], DatasetId],
) -> dict[DatasetId, DatasetId]:
    """Dataset as it is called here -> as it was called by who asks, where that differs."""
    found: dict[DatasetId, DatasetId] = {}
    datasets = tuple(dict.fromkeys(datasets))
    for dataset in datasets:
        found.setdefault(resolve(dataset), dataset)
    for dataset in datasets:
        for name in also.get(dataset, ()):
            found.setdefault(resolve(name), dataset)
    return {meant: asked for meant, asked in found.items() if meant != asked}


def _renamed(lineage: Lineage, names: Mapping[DatasetId, DatasetId]) -> Lineage:
    if not names:
        return lineage
    former: dict[DatasetId, DatasetId] = {}
    for meant, asked in names.items():
        former.setdefault(asked, meant)
    whole = lineage.extent
    assert whole is not None
    edges = _renamed_edges(lineage.graph.edges, names)
    return replace(
        lineage,
        graph=Graph(edges),
        consumers=tuple(replace(c, dataset=names.get(c.dataset, c.dataset)) for c in lineage.consumers),
        datasets=tuple(replace(d, dataset=names.get(d.dataset, d.dataset)) for d in lineage.datasets),
        extent=replace(
            whole,
            named=lambda d: whole.named(former.get(d, d)),
            fed=lambda d: whole.fed(former.get(d, d)),
            leaving=lambda d: _renamed_edges(whole.leaving(former.get(d, d)), names),
        ),
    )


def _renamed_edges(edges: Iterable[Edge], names: Mapping[DatasetId, DatasetId]) -> tuple[Edge, ...]:
    def ref(at: ColumnRef) -> ColumnRef:
        return ColumnRef(names.get(at.dataset, at.dataset), at.column)

    return tuple(replace(e, source=ref(e.source), target=ref(e.target)) for e in edges)
