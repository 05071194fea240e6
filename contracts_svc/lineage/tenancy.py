"""Lineage of several tenants in one store: each has namespaces of its own, so that no walk leaves them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
    for edge in edges:
        ends = (ColumnRef(scoped(r.dataset, tenant), r.column) for r in (edge.source, edge.target))
        source, target = ends
        yield replace(edge, source=source, target=target)


def unscoped_edges(edges: Iterable[Edge]) -> Iterator[Edge]:
    """The edges as the tenant knows them."""
    for edge in edges:
        ends = (ColumnRef(unscoped(r.dataset), r.column) for r in (edge.source, edge.target))
        source, target = ends
        yield replace(edge, source=source, target=target)
