"""Lineage that is kept in a store: the part that a question needs.

What a question costs grows with what it reaches, not with the lineage: the store finds the reachable edges,
and what is said of the whole is counted once until edges are added or taken away. How events come in is in
:mod:`contracts_svc.flows.lineage_intake`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Protocol

from contracts_svc.errors import Problem
from contracts_svc.findings import Finding
from contracts_svc.flows.lineage import Lineage, consumers_in, described
from contracts_svc.flows.lineage_intake import Known, LineageIntake, described_in, rank_of
from contracts_svc.flows.registered_lineage import declarations_of
from contracts_svc.impact import Assessment, DatasetOf, assess, starts_of
from contracts_svc.impact_age import assess_by_age
from contracts_svc.lineage.age import Ages
from contracts_svc.lineage.declared_edges import declared, relationships
from contracts_svc.lineage.graph import PROMISED, ColumnRef, Consumer, ConsumerKind, DatasetId, Edge, Graph
from contracts_svc.lineage.heard import Pin
from contracts_svc.lineage.identity import Identities
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
            found = next((d for d in sorted(self._in_use(tenant)) if text in (d.name, str(d))), None)
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

    def part(self, starts: Iterable[ColumnRef], *, tenant: str, names: Iterable[DatasetId] = ()) -> Part:
        """What an assessment of changes at ``starts`` can look at.

        The datasets of ``starts`` and ``names`` keep these names in it, whatever they are called here.
        """
        known = self.refresh(tenant)
        starts = tuple(starts)
        asked = _asked((*(r.dataset for r in starts), *names), known.identities)
        extra = self._declared(known)
        begin = [ColumnRef(known.identities.resolve(r.dataset), r.column) for r in starts]
        edges, touched, complete = self._reached(begin, extra.edges, tenant)
        lineage = self._lineage(known, extra, edges, touched, tenant)
        return Part(lineage=_renamed(lineage, asked), complete=complete)

    def _in_use(self, tenant: str) -> Mapping[DatasetId, bool]:
        """Every dataset of the stored edges -> whether one ends there."""
        stamp = self._store.edges_stamp(tenant)
        with self._lock:
            kept = self._used.get(tenant)
        if kept is None or kept[0] != stamp:
            found = {unscoped(d): fed for d, fed in self._store.datasets_in_use(tenant).items()}
            kept = (stamp, found)
            with self._lock:
                self._used[tenant] = kept
        return kept[1]

    def _declared(self, known: Known) -> _Extra:
        """What people wrote down, and the keys that contracts promise."""
        said = declarations_of(self._store.subscriptions(), {c.id for c in known.contracts})
        found = declared(said, known.contracts, known.identities)
        keys = relationships(known.contracts, known.contracts, known.identities)
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
        in_use = self._in_use(tenant)
        flows = [e for e in extra.edges if not e.origin.startswith(PROMISED)]
        more = {r.dataset for e in flows for r in (e.source, e.target)}
        fed = _Fed(in_use, {e.target.dataset for e in extra.edges})
        told = [
            replace(t.consumer, dataset=identities.resolve(t.consumer.dataset))
            for t in _latest(self._store.readers(tenant))
        ]
        told = [c for c in (*told, *extra.consumers) if c.kind is not ConsumerKind.JOB or c.dataset in fed]
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
                datasets=len(in_use) + len(more - in_use.keys()),
                named=lambda d: d in in_use or d in more,
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
class _Extra:
    """What is no flow that a tool reports."""

    edges: tuple[Edge, ...]
    consumers: tuple[Consumer, ...]
    problems: tuple[Problem, ...]
    pins: tuple[Pin, ...]


@dataclass(frozen=True, slots=True)
class _Fed:
    """The datasets that an edge ends at."""

    in_use: Mapping[DatasetId, bool]
    more: AbstractSet[DatasetId]

    def __contains__(self, dataset: object) -> bool:
        return dataset in self.more or bool(self.in_use.get(dataset, False))  # type: ignore[call-overload]

    def but(self, others: AbstractSet[DatasetId]) -> int:
        """How many they are without the others."""
        fed = sum(self.in_use.values()) + sum(not self.in_use.get(d, False) for d in self.more)
        return fed - sum(d in self for d in others)


def _latest(readers: Iterable[Told]) -> list[Told]:
    """One word on each reader: the last, or the greater of one time; by their names."""
    found: dict[DatasetId, Told] = {}
    for told in readers:
        before = found.get(told.consumer.dataset)
        if before is None or rank_of(told) > rank_of(before):
            found[told.consumer.dataset] = told
    return [found[d] for d in sorted(found)]


def _asked(datasets: Iterable[DatasetId], identities: Identities) -> dict[DatasetId, DatasetId]:
    """Dataset as it is called here -> as it was called by who asks, where that differs."""
    found: dict[DatasetId, DatasetId] = {}
    for dataset in datasets:
        found.setdefault(identities.resolve(dataset), dataset)
    return {meant: asked for meant, asked in found.items() if meant != asked}


def _renamed(lineage: Lineage, names: Mapping[DatasetId, DatasetId]) -> Lineage:
    if not names:
        return lineage
    former = {asked: meant for meant, asked in names.items()}
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
