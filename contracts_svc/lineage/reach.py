"""The part of a graph that an impact needs: what is downstream of some columns, and what makes it.

A store that holds a large graph loads this part alone (by recursive queries), or anything between it
and the whole: an assessment says the same of either. The function here is what such a query is held
to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from contracts_svc.lineage.graph import ColumnRef, DatasetId, Edge, Graph


class Edges(Protocol):
    """Looks edges up; :class:`Graph` is one."""

    def readers(self, ref: ColumnRef) -> Sequence[Edge]:
        """The edges that an effect on this column or dataset can travel along."""
        ...

    def makers(self, ref: ColumnRef) -> Sequence[Edge]:
        """The edges that end at this column, or at one nested in it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """What is known of the whole lineage, where a graph is only a part of it.

    ``named`` says whether data is known to flow from or to a dataset, ``fed`` whether an edge ends there,
    ``leaving`` gives the edges out of it, whichever columns they read.
    """

    datasets: int
    named: Callable[[DatasetId], bool]
    fed: Callable[[DatasetId], bool]
    leaving: Callable[[DatasetId], Sequence[Edge]] = lambda dataset: ()
    consumers: int | None = None
    """How many there are, where not all of them are given."""

    @classmethod
    def of(cls, graph: Graph) -> Extent:
        """That of a graph that is the whole."""
        fed = {e.target.dataset for e in graph.edges}
        leaving: defaultdict[DatasetId, list[Edge]] = defaultdict(list)
        for edge in graph.edges:
            leaving[edge.source.dataset].append(edge)
        return cls(
            datasets=len(graph.flowing),
            named=graph.flowing.__contains__,
            fed=fed.__contains__,
            leaving=lambda dataset: leaving.get(dataset, ()),
        )


def reachable(
    edges: Edges,
    starts: Iterable[ColumnRef],
    *,
    typed: Callable[[ColumnRef], bool] = lambda ref: False,
) -> Graph:
    """What an assessment of changes at ``starts`` can look at.

    Downstream these are the edges of everything reached; from a start without a column (a table, an
    SLA) whole datasets are. Upstream these are the edges that make a reached column, and, to work out
    types, those that make their sources, up to columns that are ``typed`` (a contract has them).
    """
    found: dict[Edge, None] = {}
    reached: set[ColumnRef] = set()
    todo = [(ref, ref.column is None) for ref in starts]
    seen = set(todo)
    while todo:
        ref, whole = todo.pop()
        for edge in edges.readers(ref):
            found.setdefault(edge)
            target = ColumnRef(edge.target.dataset, None) if whole else edge.target
            reached.add(edge.target)
            if (target, whole) not in seen:
                seen.add((target, whole))
                todo.append((target, whole))
    _add_makers(edges, reached, found, typed)
    return Graph(tuple(found))


def _add_makers(
    edges: Edges,
    reached: Iterable[ColumnRef],
    found: dict[Edge, None],
    typed: Callable[[ColumnRef], bool],
) -> None:
    todo = [ref for ref in reached if ref.column is not None]
    seen = set(todo)
    while todo:
        for edge in edges.makers(todo.pop()):
            found.setdefault(edge)
            source = edge.source
            if source.column is not None and source not in seen and not typed(source):
                seen.add(source)
                todo.append(source)
