"""What is known of the whole of a stored lineage, and the names that somebody else has for its datasets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from contracts_svc.flows.lineage import Lineage
from contracts_svc.lineage.graph import PROMISED, ColumnRef, DatasetId, Edge, Graph
from contracts_svc.lineage.tenancy import scoped
from contracts_svc.ports_lineage import StoredGraph


class Used:
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


def names_asked(
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


def renamed(lineage: Lineage, names: Mapping[DatasetId, DatasetId]) -> Lineage:
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
