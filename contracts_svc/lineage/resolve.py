"""Edges as sources of lineage report them -> the edges of one graph.

Every step gives the same edges whatever the order and number of the reports, so that events may come
twice, late, or from several jobs at once.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

from contracts_svc.lineage.graph import ColumnRef, DatasetId, Edge, EdgeType
from contracts_svc.lineage.identity import Identities
from contracts_svc.lineage.sql_text import dialect_of

DECLARED = "declared:"
"""How the origin of an edge begins that people wrote down, in a data product or a subscription."""
NO_COLUMNS = "no column lineage in the event"
"""The reason of an edge from an input to an output of which an event tells no columns."""
LEFT_OUT = "an input that its column lineage leaves out"
JOBS = "jobs"
"""The namespace of jobs that read and are not known to write: the job itself is then the reader."""
SAME_RUN = timedelta(days=1)
"""A job that says nothing of columns at its start and tells them at its end, up to so much later or
earlier, has told them."""


def merged(edges: Iterable[Edge]) -> tuple[Edge, ...]:
    """Every edge once, last seen when its latest report was; in the order of the first reports."""
    found: dict[Edge, Edge] = {}
    for edge in edges:
        before = found.setdefault(edge, edge)
        if edge.seen is not None and (before.seen is None or edge.seen > before.seen):
            found[edge] = edge
    return tuple(found.values())


def settled(edges: Iterable[Edge], also: Iterable[Edge] = ()) -> tuple[Edge, ...]:
    """Without the table-level edges that say no more than others do.

    These are a job's edges from a time when it had not told the columns (Spark's START events, say),
    where it tells columns of the same two datasets at about the same time (:data:`SAME_RUN`) or later;
    and what people declared without columns, where columns are known to lead from the one dataset to the
    other, at once or through others. What a job that names no output reads is told by its outputs, once it
    names any that are made of the same. A job that has stopped telling its columns keeps both: that its
    columns are known no more is not hidden by what they were.

    ``also`` are further edges of the same lineage, where ``edges`` are a part of it: what leads from one
    dataset to another through others.
    """
    edges = tuple(edges)
    told: dict[tuple[str, DatasetId, DatasetId], datetime | None] = {}
    reads: defaultdict[DatasetId, set[DatasetId]] = defaultdict(set)
    writers: set[tuple[str, DatasetId]] = set()
    for edge in edges:
        if edge.target.dataset.namespace != JOBS:
            writers.add((edge.origin, edge.source.dataset))
        if _is_table_level(edge) or edge.source.column is None:
            continue
        pair = (edge.origin, edge.source.dataset, edge.target.dataset)
        told[pair] = _latest(told.get(pair), edge.seen)
        if not edge.origin.startswith(DECLARED):
            reads[edge.source.dataset].add(edge.target.dataset)
    for edge in also:
        if edge.source.column is not None and not edge.origin.startswith(DECLARED):
            reads[edge.source.dataset].add(edge.target.dataset)
    return tuple(
        e
        for e in edges
        if not _is_told(e, told, reads)
        and not (e.target.dataset.namespace == JOBS and (e.origin, e.source.dataset) in writers)
    )


def told_since(told: datetime | None, asked: datetime | None) -> bool:
    """Whether what was told last at one time still counts for an event of another."""
    return told is None or asked is None or told >= asked - SAME_RUN


def _is_told(
    edge: Edge,
    told: Mapping[tuple[str, DatasetId, DatasetId], datetime | None],
    reads: Mapping[DatasetId, set[DatasetId]],
) -> bool:
    if not _is_table_level(edge):
        return False
    if edge.origin.startswith(DECLARED):
        return _leads(edge.source.dataset, edge.target.dataset, reads)
    pair = (edge.origin, edge.source.dataset, edge.target.dataset)
    if pair not in told or edge.reason not in (NO_COLUMNS, LEFT_OUT):
        return False
    return told_since(told[pair], edge.seen)


def _leads(source: DatasetId, target: DatasetId, reads: Mapping[DatasetId, set[DatasetId]]) -> bool:
    seen = {source}
    todo = deque([source])
    while todo:
        for reader in reads.get(todo.popleft(), ()):
            if reader == target:
                return True
            if reader not in seen:
                seen.add(reader)
                todo.append(reader)
    return False


def _is_table_level(edge: Edge) -> bool:
    whole = edge.source.column is None and edge.target.column is None
    return whole and edge.type is EdgeType.UNKNOWN


def _latest(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((t for t in (one, other) if t is not None), default=None)


def resolved(edges: Iterable[Edge], identities: Identities) -> tuple[Edge, ...]:
    """The edges between datasets as they are known here, and columns as their contracts spell them
    (:mod:`contracts_svc.lineage.column_names`).

    What leads from a thing to itself once names are joined is left out.
    """
    resolver = _Resolver(identities, tuple(edges))
    return merged(edge for edge in resolver.edges() if edge.source != edge.target)


_Made = tuple[ColumnRef, str]
"""A target as it is reported, and the expression that makes it."""


class _Resolver:
    def __init__(self, identities: Identities, edges: tuple[Edge, ...]) -> None:
        self._identities = identities
        self._edges = edges
        self._refs: dict[ColumnRef, ColumnRef] = {}
        self._renamed: dict[_Made, dict[tuple[str, str | None], ColumnRef]] = {}
        """Of expressions that name something in another way: (dataset's name, column) -> what it is."""
        for edge in edges:
            if edge.expression and _written(self._ref(edge.source)) != _written(edge.source):
                self._renamed[edge.target, edge.expression] = {}
        for edge in edges:
            columns = self._renamed.get((edge.target, edge.expression))
            if columns is not None:
                columns[_written(edge.source)] = self._ref(edge.source)
        self._expressions: dict[_Made, str] = {}

    def edges(self) -> Iterator[Edge]:
        for edge in self._edges:
            source, target = self._ref(edge.source), self._ref(edge.target)
            expression = self._expression(edge)
            if (source, target, expression) == (edge.source, edge.target, edge.expression):
                yield edge
            else:
                yield replace(edge, source=source, target=target, expression=expression)

    def _ref(self, ref: ColumnRef) -> ColumnRef:
        found = self._refs.get(ref)
        if found is None:
            dataset = self._identities.resolve(ref.dataset)
            column = self._identities.column(dataset, ref.column) if ref.column else ref.column
            found = self._refs[ref] = ColumnRef(dataset, column)
        return found

    def _expression(self, edge: Edge) -> str:
        made = (edge.target, edge.expression)
        columns = self._renamed.get(made)
        if columns is None:
            return edge.expression
        if made not in self._expressions:
            self._expressions[made] = _rewritten(edge.expression, edge.dialect, columns)
        return self._expressions[made]


def _written(ref: ColumnRef) -> tuple[str, str | None]:
    """How an expression writes a column."""
    return ref.dataset.name, ref.column


def _rewritten(expression: str, dialect: str, columns: Mapping[tuple[str, str | None], ColumnRef]) -> str:
    """The expression with its columns renamed; "" (not known) where it cannot be read."""
    found = dialect_of(dialect)
    try:
        tree = parse_one(expression, dialect=found)
        for column in tree.find_all(exp.Column):
            ref = columns.get((column.table, column.name))
            if ref is not None:
                column.set("this", exp.to_identifier(ref.column, quoted=True))
                column.set("table", exp.to_identifier(ref.dataset.name, quoted=True))
        return tree.sql(dialect=found, comments=False)
    except (SqlglotError, RecursionError):
        return ""
