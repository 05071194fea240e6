"""Lineage in the database: writing edges in batches, and finding what a column reaches.

Datasets, columns and the details of edges are kept once each under numbers, and an edge is a row of
numbers. The dataset as a whole is a column with an empty path: the parent of the top-level columns,
which are the parents of the fields inside them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Row, Table, and_, case, exists, func, or_, select

from contracts_svc.adapters.store import tables
from contracts_svc.adapters.store.part import Insert, Part, add, batches, digest, ids_of, rows_with
from contracts_svc.adapters.store.reach import EDGE, EdgeRow, Starts, Wanted, reached
from contracts_svc.lineage.graph import ColumnRef, DatasetId, Edge, EdgeKind, EdgeType, Graph
from contracts_svc.ports_store import Reached

BATCH = 5_000
"""Edges written in one transaction."""
STARTS_AT_ONCE = 200
"""Columns that one query starts at."""
DEEPEST = 32
"""How deep fields lie inside one another as far as is known; what lies deeper counts as lying there."""

UNIQUE = ("source_id", "target_id", "kind", "type", "detail_id")
"""What makes an edge the same edge."""

Seen = tuple[datetime | None, datetime | None]


class LineageEdges(Part):
    """:class:`contracts_svc.ports_store.LineageStore`"""

    def put_edges(self, edges: Iterable[Edge]) -> None:
        """Add lineage, in transactions of at most :data:`BATCH` edges each."""
        for batch in batches(edges, BATCH):
            self.database.write(lambda c, batch=batch: _put(c, batch))  # type: ignore[misc]

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
        """What an assessment needs: downstream, what makes the columns there, and one edge of every
        dataset that it starts at, so that it is known to be known."""
        return self._reached(starts, Wanted.IMPACT, limit)

    def fed(self, datasets: Iterable[DatasetId]) -> frozenset[DatasetId]:
        """Those of these datasets that the lineage knows a source of."""
        keys = {dataset_key(d): d for d in datasets}

        def work(connection: Connection) -> frozenset[DatasetId]:
            into = select(tables.edges.c.id).join(
                tables.columns, tables.columns.c.id == tables.edges.c.target_id
            )
            into = into.where(tables.columns.c.dataset_id == tables.datasets.c.id)
            query = select(tables.datasets.c.key).where(exists(into))
            found = rows_with(connection, query, tables.datasets.c.key, keys)
            return frozenset(keys[bytes(row.key)] for row in found)

        return self.database.read(work)

    def dataset_count(self) -> int:
        """How many datasets the lineage names."""
        query = select(func.count()).select_from(tables.datasets)
        return self.database.read(lambda c: c.scalar(query) or 0)

    def _reached(self, starts: Iterable[ColumnRef], wanted: Wanted, limit: int) -> Reached:
        refs = tuple(dict.fromkeys(starts))

        def work(connection: Connection) -> Reached:
            rows: set[EdgeRow] = set()
            complete = True
            for some in batches(refs, STARTS_AT_ONCE):
                found, all_of_it = reached(connection, _starts(some), wanted, limit)
                rows |= found
                complete = complete and all_of_it
            return Reached(graph=Graph(read_edges(connection, rows)), complete=complete)

        return self.database.read(work)


def _starts(refs: Sequence[ColumnRef]) -> Starts:
    around = {column_key(r.dataset, a): None for r in refs for a in ancestors(r.column or "")}
    return Starts(
        exact=[column_key(r.dataset, r.column or "") for r in refs],
        around=list(around),
        datasets=[column_key(d, "") for d in {r.dataset for r in refs}],
    )


# --- names --------------------------------------------------------------------------------------


def dataset_key(dataset: DatasetId) -> bytes:
    """The key of a dataset."""
    return digest(dataset.namespace, dataset.name)


@lru_cache(maxsize=20_000)
def column_key(dataset: DatasetId, path: str) -> bytes:
    """The key of a column, or with an empty path of the dataset as a whole."""
    return digest(dataset.namespace, dataset.name, path)


def ancestors(path: str) -> tuple[str, ...]:
    """What a column lies in, the outermost (the dataset as a whole, the empty path) first.

    >>> ancestors("orders[].price")
    ('', 'orders', 'orders[]')
    """
    if not path:
        return ()
    found = [""]
    segments = path.split(".", DEEPEST)
    for n, segment in enumerate(segments[:DEEPEST]):
        before = ".".join((*segments[:n], ""))
        name = segment
        stems = [name]
        while name.endswith(_PARTS):
            name = next(name[: -len(p)] for p in _PARTS if name.endswith(p))
            stems.append(name)
        found += [before + s for s in reversed(stems[:DEEPEST]) if s]
    return tuple(a for a in found if a != path)


_PARTS = ("[]", "{key}", "{value}")
"""The parts of arrays and maps: see :class:`contracts_svc.model.Column`."""


# --- writing ------------------------------------------------------------------------------------


def _put(connection: Connection, batch: Sequence[Edge]) -> None:
    seen = _merged(batch)
    columns = _column_ids(connection, {r for e in seen for r in (e.source, e.target)})
    details = _detail_ids(connection, seen)
    rows: list[dict[str, Any]] = [
        {
            "source_id": columns[column_key(edge.source.dataset, edge.source.column or "")],
            "target_id": columns[column_key(edge.target.dataset, edge.target.column or "")],
            "kind": edge.kind.value,
            "type": edge.type.value,
            "detail_id": details[_detail_key(edge)],
            "first_seen": first,
            "last_seen": last,
        }
        for edge, (first, last) in seen.items()
    ]
    rows.sort(key=lambda row: tuple(row[name] for name in UNIQUE))
    if rows:
        add(connection, tables.edges, rows, _take_later)


def _take_later(statement: Insert) -> Insert:
    """An edge that is there stays, with the first and the last time that it was seen."""
    there, given = tables.edges, statement.excluded
    earlier = or_(there.c.first_seen.is_(None), given.first_seen < there.c.first_seen)
    later = or_(there.c.last_seen.is_(None), given.last_seen > there.c.last_seen)
    return statement.on_conflict_do_update(
        index_elements=UNIQUE,
        set_={
            "first_seen": case((earlier, given.first_seen), else_=there.c.first_seen),
            "last_seen": case((later, given.last_seen), else_=there.c.last_seen),
        },
        # An edge that says nothing new is not written again.
        where=and_(given.last_seen.is_not(None), or_(earlier, later)),
    )


def _merged(batch: Sequence[Edge]) -> dict[Edge, Seen]:
    """The edges without repeats, each with the first and the last time that it was seen."""
    found: dict[Edge, Seen] = {}
    for edge in batch:
        first, last = found.get(edge, (None, None))
        if edge.seen is not None:
            first = min(first or edge.seen, edge.seen)
            last = max(last or edge.seen, edge.seen)
        found[edge] = (first, last)
    return found


def _column_ids(connection: Connection, refs: set[ColumnRef]) -> dict[bytes, int]:
    """The numbers of these columns; those that are not there are added, their parents before them."""
    by_dataset = {dataset_key(d): d for d in {r.dataset for r in refs}}
    datasets = ids_of(
        connection,
        tables.datasets,
        {k: {"namespace": d.namespace, "name": d.name} for k, d in by_dataset.items()},
    )
    levels: list[dict[bytes, tuple[DatasetId, str, bytes | None]]] = []
    for ref in refs:
        parent: bytes | None = None
        for depth, path in enumerate((*ancestors(ref.column or ""), ref.column or "")):
            if depth == len(levels):
                levels.append({})
            key = column_key(ref.dataset, path)
            levels[depth][key] = (ref.dataset, path, parent)
            parent = key
    found: dict[bytes, int] = {}
    for level in levels:
        rows = {
            key: {
                "dataset_id": datasets[dataset_key(dataset)],
                "path": path,
                "parent_id": found[parent] if parent else None,
            }
            for key, (dataset, path, parent) in level.items()
        }
        found |= ids_of(connection, tables.columns, rows)
    return found


def _detail_key(edge: Edge) -> bytes:
    return digest(edge.origin, edge.expression, edge.dialect, edge.reason)


def _detail_ids(connection: Connection, edges: Iterable[Edge]) -> dict[bytes, int]:
    rows = {
        _detail_key(e): {
            "origin": e.origin,
            "origin_key": digest(e.origin),
            "expression": e.expression,
            "dialect": e.dialect,
            "reason": e.reason,
        }
        for e in edges
    }
    return ids_of(connection, tables.edge_details, rows)


# --- reading ------------------------------------------------------------------------------------


def read_edges(
    connection: Connection, rows: Collection[EdgeRow], *, ordered: bool = True
) -> tuple[Edge, ...]:
    """Edges with their names, in an order that does not depend on when or how they came, or in that of
    the rows.

    Names are read table by table, each once: no join whose plan could go wrong.
    """
    columns = _by_id(connection, tables.columns, {id_ for row in rows for id_ in row[:2]})
    datasets = _by_id(connection, tables.datasets, {c.dataset_id for c in columns.values()})
    details = _by_id(connection, tables.edge_details, {row[4] for row in rows})
    named = {d.id: DatasetId(d.namespace, d.name) for d in datasets.values()}
    refs = {c.id: ColumnRef(named[c.dataset_id], c.path or None) for c in columns.values()}
    found = [
        Edge(
            source=refs[source],
            target=refs[target],
            kind=EdgeKind(kind),
            type=EdgeType(type_),
            origin=details[detail].origin,
            expression=details[detail].expression,
            dialect=details[detail].dialect,
            reason=details[detail].reason,
            seen=seen,
        )
        for source, target, kind, type_, detail, seen in rows
    ]
    return tuple(sorted(found, key=_content) if ordered else found)


def _by_id(connection: Connection, table: Table, ids: Collection[int]) -> dict[int, Row[Any]]:
    return {row.id: row for row in rows_with(connection, select(table), table.c.id, ids)}


def _content(edge: Edge) -> tuple[str, ...]:
    ends = (edge.source, edge.target)
    names = (part for r in ends for part in (r.dataset.namespace, r.dataset.name, r.column or ""))
    return (*names, edge.kind, edge.type, edge.origin, edge.expression, edge.dialect, edge.reason)
