"""Lineage of several tenants in one store: each has namespaces of its own, so that no walk leaves them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from contracts_svc.lineage.graph import ColumnRef, DatasetId, Edge

BETWEEN = "\x1f"
"""Stands between a tenant and a namespace (U+001F, the unit separator); in no namespace that is kept."""


def scoped(dataset: DatasetId, tenant: str) -> DatasetId:
    """The name under which a tenant's dataset is kept."""
    namespace = dataset.namespace.replace(BETWEEN, " ")
    return DatasetId(f"{tenant}{BETWEEN}{namespace}" if tenant else namespace, dataset.name)


def unscoped(dataset: DatasetId) -> DatasetId:
    """The name as the tenant knows it."""
    return DatasetId(dataset.namespace.rpartition(BETWEEN)[2], dataset.name)


def tenant_of(dataset: DatasetId) -> str:
    """Whose a kept dataset is."""
    return dataset.namespace.rpartition(BETWEEN)[0]


def scoped_edges(edges: Iterable[Edge], tenant: str) -> Iterator[Edge]:
    """The edges as they are kept."""
    return _renamed(edges, lambda d: scoped(d, tenant))


def unscoped_edges(edges: Iterable[Edge]) -> Iterator[Edge]:
    """The edges as the tenant knows them."""
    return _renamed(edges, unscoped)


def _renamed(edges: Iterable[Edge], name: Callable[[DatasetId], DatasetId]) -> Iterator[Edge]:
    names: dict[DatasetId, DatasetId] = {}
    for edge in edges:
        source, target = edge.source, edge.target
        for dataset in (source.dataset, target.dataset):
            if dataset not in names:
                names[dataset] = name(dataset)
        if names[source.dataset] == source.dataset and names[target.dataset] == target.dataset:
            yield edge
            continue
        yield replace(
            edge,
            source=ColumnRef(names[source.dataset], source.column),
            target=ColumnRef(names[target.dataset], target.column),
        )
