"""Lineage in the database: writing edges in batches, and finding what a column reaches.

Datasets, columns and the details of edges are kept once each under numbers, and an edge is a row of
numbers. The dataset as a whole is a column with an empty path: the parent of the top-level columns,
which are the parents of the fields inside them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Table, select

from contracts_svc.adapters.store import tables
from contracts_svc.adapters.store.lineage_keys import ancestors, column_key, dataset_key
from contracts_svc.adapters.store.lineage_writing import put
from contracts_svc.adapters.store.part import Part, batches, known_ids, rows_with
from contracts_svc.adapters.store.reach import EDGE, EdgeRow, Starts, Wanted, reached
from contracts_svc.lineage.graph import ColumnRef, DatasetId, Edge, EdgeKind, EdgeType, Graph
from contracts_svc.ports_store import Reached

BATCH = 25_000
"""Edges written in one transaction."""
STARTS_AT_ONCE = 200
"""Columns that one query starts at."""


class LineageEdges(Part):
    """:class:`contracts_svc.ports_store.LineageStore`"""

    def put_edges(self, edges: Iterable[Edge]) -> None:
        """Add lineage, in transactions of at most :data:`BATCH` edges each."""
        for batch in batches(edges, BATCH):
            self.database.write(lambda c, batch=batch: put(c, batch))  # type: ignore[misc]

    def edges(self) -> tuple[Edge, ...]:
        """All lineage, ordered by source and target."""

        def work(connection: Connection) -> tuple[Edge, ...]:
            return read_edges(connection, [tuple(row) for row in connection.execute(EDGE)])

        return self.database.read(work)

    def downstream(self, starts: Iterable[ColumnRef], *, limit: int = 100_000) -> Reached:
        """The edges that an effect on these columns (or, column None, datasets) can travel along."""
        return self._reached(starts, Wanted.DOWNSTREAM, limit)

    def upstream(self, starts: Iterable[ColumnRef], *, limit: int = 100_000) -> Reached:
        """The edges that these columns (or, column None, datasets) are made along."""
        return self._reached(starts, Wanted.UPSTREAM, limit)

    def impact_part(self, starts: Iterable[ColumnRef], *, limit: int = 100_000) -> Reached:
        """What an assessment needs: downstream, what makes the columns there, and what else is read of the
        datasets that are reached."""
        return self._reached(starts, Wanted.IMPACT, limit)

    def _reached(self, starts: Iterable[ColumnRef], wanted: Wanted, limit: int) -> Reached:
        refs = tuple(dict.fromkeys(starts))

        def work(connection: Connection) -> Reached:
            rows: set[EdgeRow] = set()
            complete = True
            for some in batches(refs, STARTS_AT_ONCE):
                found, all_of_it = reached(connection, _starts(some), wanted, limit)
                rows |= found
                complete = complete and all_of_it
            if wanted is not Wanted.IMPACT:
                return Reached(graph=Graph(read_edges(connection, rows)), complete=complete)
            leaving = _rows_leaving(connection, _datasets_at(connection, refs, rows))
            edges = read_named(connection, rows | leaving)
            part = in_order(edges[row] for row in rows)
            return Reached(
                graph=Graph(part), complete=complete, leaving=in_order(edges[row] for row in leaving)
            )

        return self.database.read(work)


def _starts(refs: Sequence[ColumnRef]) -> Starts:
    around = {column_key(r.dataset, a): None for r in refs for a in ancestors(r.column or "")}
    return Starts(
        exact=[column_key(r.dataset, r.column or "") for r in refs],
        around=list(around),
    )


# --- reading ------------------------------------------------------------------------------------


def read_edges(connection: Connection, rows: Collection[EdgeRow]) -> tuple[Edge, ...]:
    """Edges with their names, in an order that does not depend on when or how they came."""
    return in_order(read_named(connection, rows).values())


def read_named(connection: Connection, rows: Collection[EdgeRow]) -> dict[EdgeRow, Edge]:
    """The edges that rows stand for, with their names.

    Names are read table by table, each once: no join whose plan could go wrong.
    """
    columns = _by_id(connection, tables.columns, {id_ for row in rows for id_ in row[:2]})
    datasets = _by_id(connection, tables.datasets, {c.dataset_id for c in columns.values()})
    details = _by_id(connection, tables.edge_details, {row[4] for row in rows})
    named = {d.id: DatasetId(d.namespace, d.name) for d in datasets.values()}
    refs = {c.id: ColumnRef(named[c.dataset_id], c.path or None) for c in columns.values()}
    said = {d.id: (d.origin, d.expression, d.dialect, d.reason) for d in details.values()}
    found: dict[EdgeRow, Edge] = {}
    for row in rows:
        source, target, kind, type_, detail, seen = row
        origin, expression, dialect, reason = said[detail]
        found[row] = Edge(
            source=refs[source],
            target=refs[target],
            kind=EdgeKind(kind),
            type=EdgeType(type_),
            origin=origin,
            expression=expression,
            dialect=dialect,
            reason=reason,
            seen=seen,
        )
    return found


def in_order(edges: Iterable[Edge]) -> tuple[Edge, ...]:
    """The edges by their names."""
    return tuple(sorted(edges, key=_content))


def _rows_leaving(connection: Connection, datasets: Iterable[int]) -> set[EdgeRow]:
    """Of the edges out of columns of the datasets with these numbers, the latest of each reader and origin.
    (Those out of the datasets as a whole are reached with any of their columns.)"""
    table = tables.dataset_edges
    query = select(*(table.c[c.name] for c in EDGE.selected_columns))
    return {tuple(r) for r in rows_with(connection, query, table.c.source_dataset_id, datasets)}


def _datasets_at(
    connection: Connection, starts: Iterable[ColumnRef], rows: Iterable[EdgeRow]
) -> dict[int, None]:
    """The numbers of the datasets that a walk starts at, or comes to."""
    column = tables.columns
    ends = dict.fromkeys(row[1] for row in rows)
    found = dict.fromkeys(
        row.dataset_id
        for row in rows_with(connection, select(column.c.dataset_id).distinct(), column.c.id, ends)
    )
    keys = dict.fromkeys(dataset_key(r.dataset) for r in starts)
    return found | dict.fromkeys(known_ids(connection, tables.datasets, keys).values())


def _by_id(connection: Connection, table: Table, ids: Collection[int]) -> dict[int, Row[Any]]:
    return {row.id: row for row in rows_with(connection, select(table), table.c.id, ids)}


def _content(edge: Edge) -> tuple[str, ...]:
    ends = (edge.source, edge.target)
    names = (part for r in ends for part in (r.dataset.namespace, r.dataset.name, r.column or ""))
    return (*names, edge.kind, edge.type, edge.origin, edge.expression, edge.dialect, edge.reason)
