"""SQL that other sources of lineage tell of -> column edges between the datasets that they name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from contracts_svc.errors import Problem
from contracts_svc.lineage.graph import ColumnRef, DatasetId, Edge, EdgeKind, EdgeType
from contracts_svc.lineage.heard import Query
from contracts_svc.lineage.names import kind_of, normal, parts_of
from contracts_svc.lineage.resolve import JOBS, merged
from contracts_svc.lineage.servers import dataset_at
from contracts_svc.lineage.sql import SqlLineage, lineage_of

ColumnsOf = Callable[[DatasetId], Mapping[str, str]]
"""The columns of a dataset (as stored -> type), all of them or none."""

_ALONE = "\0output"
"""Stands for what a SELECT makes that stands alone; no SQL can write it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """What queries do. ``columns`` are those of the outputs, where all of them came to be known."""

    edges: tuple[Edge, ...] = ()
    problems: tuple[Problem, ...] = ()
    columns: Mapping[DatasetId, Mapping[str, str]] = field(default_factory=dict)


def follow(
    queries: Iterable[Query],
    columns_of: ColumnsOf,
    other_names: Mapping[DatasetId, Iterable[DatasetId]] | None = None,
) -> Followed:
    """The edges of these queries, each after those that it builds on. Never raises for their texts.

    What a query makes is known to those after it. Inputs that the SQL does not name, and all inputs of SQL
    that cannot be followed, get table-level edges with the reason.
    """
    edges: dict[Edge, Edge] = {}
    problems: dict[Problem, None] = {}
    made: dict[DatasetId, Mapping[str, str]] = {}
    for query in queries:
        names = _Names(query, other_names or {})
        known = {d: columns_of(d) or made.get(d, {}) for d in names.datasets}
        found = _followed(query, names, known)
        for dataset, columns in found.columns.items():
            made[dataset] = dict.fromkeys(columns, "")
        for edge in (*found.edges, *_left_out(query, found)):
            before = edges.setdefault(edge, edge)
            if edge.seen is not None and (before.seen is None or edge.seen > before.seen):
                edges[edge] = edge
        # A query that fills nothing (a check, a report) is no gap.
        if query.outputs or found.edges:
            problems.update(dict.fromkeys(_placed(p, query) for p in found.problems))
    return Followed(edges=tuple(edges.values()), problems=tuple(problems), columns=made)


def merged_queries(parts: Iterable[Followed]) -> Followed:
    """What several queries do that were followed one by one."""
    parts = tuple(parts)
    return Followed(
        edges=merged(e for p in parts for e in p.edges),
        problems=tuple(dict.fromkeys(problem for p in parts for problem in p.problems)),
        columns={dataset: columns for p in parts for dataset, columns in p.columns.items()},
    )


def unfollowed(query: Query, reason: str) -> Followed:
    """What is known of a query that could not be followed: that its outputs are made of its inputs."""
    name = query.origin.partition(":")[2] or query.origin
    edges = tuple(
        replace(edge, reason=reason) for edge in _left_out(query, SqlLineage(edges=(), problems=()))
    )
    problem = Problem(query.at, f"{name}: {reason}", "split it, or send its column lineage")
    return Followed(edges=edges, problems=(problem,))


def _followed(query: Query, names: _Names, known: Mapping[DatasetId, Mapping[str, str]]) -> SqlLineage:
    keys = {f"\0{number}": dataset for number, dataset in enumerate(known)}
    alone = query.outputs[0] if len(query.outputs) == 1 else None
    if alone is not None:
        keys[_ALONE] = alone
    return lineage_of(
        query.sql,
        dialect=query.dialect,
        schemas={key: known[d] for key, d in keys.items() if key != _ALONE and known[d]},
        name_of=lambda written: keys.get(written) or names.find(written),
        origin=query.origin,
        seen=query.seen,
        target=_ALONE if alone is not None else None,
    )


def _left_out(query: Query, found: SqlLineage) -> Iterable[Edge]:
    linked = {(e.source.dataset, e.target.dataset) for e in found.edges}
    for output in query.outputs:
        for source in query.inputs:
            if source != output and (source, output) not in linked:
                yield Edge(
                    source=ColumnRef(source, None),
                    target=ColumnRef(output, None),
                    kind=EdgeKind.INDIRECT,
                    type=EdgeType.UNKNOWN,
                    origin=query.origin,
                    seen=query.seen,
                    reason="an input that its SQL does not name",
                )


def _placed(problem: Problem, query: Query) -> Problem:
    """The place of a problem is in the SQL, which nobody has as a file."""
    where = f" at line {problem.at.line} of its SQL" if problem.at else ""
    name = query.origin.partition(":")[2] or query.origin
    return Problem(query.at, f"{name}: {problem.message}{where}", problem.hint)


class _Names:
    """The datasets of a query by the names that its SQL may write for them."""

    def __init__(self, query: Query, other_names: Mapping[DatasetId, Iterable[DatasetId]]) -> None:
        self.datasets = tuple(dict.fromkeys((*query.inputs, *query.outputs)))
        self._parts = [
            (tuple(p.lower() for p in parts_of(name)), dataset)
            for dataset in self.datasets
            for name in (dataset, *other_names.get(dataset, ()))
        ]
        self._places = {
            normal(name): dataset
            for dataset in self.datasets
            for name in (dataset, *other_names.get(dataset, ()))
        }
        namespaces = {d.namespace for d in self.datasets if not kind_of(d.namespace).files} - {JOBS}
        self._namespace = next(iter(namespaces)) if len(namespaces) == 1 else ""

    def find(self, written: str) -> DatasetId:
        """The dataset whose name ends so, or that the SQL's name ends with; else a dataset of that name in
        the one namespace of the query, where there is just one."""
        if "/" in written:  # a file or a folder of files
            place = normal(dataset_at(written))
            return self._places.get(place, place)
        parts = tuple(written.lower().split("."))
        exact = {d for own, d in self._parts if own == parts}
        found = exact or {d for own, d in self._parts if _end_alike(own, parts)}
        return next(iter(found)) if len(found) == 1 else DatasetId(self._namespace, written)


def _end_alike(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    shorter, longer = sorted((one, other), key=len)
    return bool(shorter) and longer[-len(shorter) :] == shorter
