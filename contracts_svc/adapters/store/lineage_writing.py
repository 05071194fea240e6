"""Edges into the database, a batch at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import TypeAlias

from sqlalchemy import Connection, and_, case, or_, select, update

from contracts_svc.adapters.store import tables
from contracts_svc.adapters.store.dataset_edges import put_latest
from contracts_svc.adapters.store.lineage_keys import ancestors, column_key, dataset_key
from contracts_svc.adapters.store.part import (
    KEYS_AT_ONCE,
    Insert,
    add_tuples,
    among,
    batches,
    digest,
    ids_of,
    known_ids,
    rows_with,
)
from contracts_svc.lineage.graph import ColumnRef, DatasetId, Edge
from contracts_svc.lineage.tenancy import tenant_of

_UNIQUE = ("source_id", "target_id", "kind", "type", "detail_id")
"""What makes an edge the same edge."""

_Detail: TypeAlias = tuple[str, str, str, str]
"""Origin, expression, dialect, reason."""
_Keys: TypeAlias = tuple[bytes, bytes, str, str, bytes]
"""Source, target, kind, type, detail."""
_Seen: TypeAlias = tuple[datetime | None, datetime | None]
"""The first and the last time."""


def put(connection: Connection, batch: Iterable[Edge]) -> None:
    """Add edges; one that is there already only gets the first and the last time that it was seen."""
    columns: dict[ColumnRef, bytes] = {}
    details: dict[_Detail, bytes] = {}
    seen = _merged(batch, columns, details)
    if not seen:
        return
    refs = {key: ref for ref, key in columns.items()}
    column_ids = _column_ids(connection, refs)
    detail_ids = _detail_ids(connection, details)
    rows = sorted(
        ((column_ids[s], column_ids[t], kind, type_, detail_ids[d]), keys)
        for keys in seen
        for s, t, kind, type_, d in (keys,)
    )
    names = (*_UNIQUE, "first_seen", "last_seen")
    add_tuples(connection, tables.edges, names, [row + seen[keys] for row, keys in rows], _take_later)
    origins = {key: detail[0] for detail, key in details.items()}
    of_columns = (((refs[k[0]], refs[k[1]], origins[k[4]]), (*row, seen[k][1])) for row, k in rows)
    put_latest(
        connection,
        (((s.dataset, t.dataset, o), row) for (s, t, o), row in of_columns if s.column is not None),
    )
    read = {dataset_key(d) for d in {refs[keys[0]].dataset for keys in seen}}
    fed = {dataset_key(d) for d in {refs[keys[1]].dataset for keys in seen}}
    _mark(connection, read, fed)


def mark_anew(connection: Connection, datasets: Collection[DatasetId]) -> None:
    """See again whether these datasets are read and fed: edges were taken away."""
    table, column, edge = tables.datasets, tables.columns, tables.edges
    for flag, end in (("read", edge.c.source_id), ("fed", edge.c.target_id)):
        edges = select(edge.c.id).join(column, column.c.id == end).where(column.c.dataset_id == table.c.id)
        change = update(table).values({flag: case((edges.exists(), 1), else_=0)})
        for keys in batches(sorted(map(dataset_key, datasets)), KEYS_AT_ONCE):
            connection.execute(change.where(among(connection, table.c.key, keys)))


def _mark(connection: Connection, read: Collection[bytes], fed: Collection[bytes]) -> None:
    table = tables.datasets
    for flag, keys in ((table.c.read, read), (table.c.fed, fed)):
        new = [
            row.id for row in rows_with(connection, select(table.c.id).where(flag == 0), table.c.key, keys)
        ]
        for some in batches(sorted(new), KEYS_AT_ONCE):
            change = update(table).values({flag.name: 1})
            connection.execute(change.where(among(connection, table.c.id, some)))


def _merged(
    batch: Iterable[Edge], columns: dict[ColumnRef, bytes], details: dict[_Detail, bytes]
) -> Mapping[_Keys, _Seen]:
    """The edges without repeats, each with the first and the last time that it was seen; fills in the keys
    of what they name."""
    found: dict[_Keys, _Seen] = {}
    for edge in batch:
        ends = []
        for ref in (edge.source, edge.target):
            key = columns.get(ref)
            if key is None:
                key = columns[ref] = column_key(ref.dataset, ref.column or "")
            ends.append(key)
        detail = (edge.origin, edge.expression, edge.dialect, edge.reason)
        of_detail = details.get(detail)
        if of_detail is None:
            of_detail = details[detail] = digest(*detail)
        keys = (ends[0], ends[1], edge.kind.value, edge.type.value, of_detail)
        first, last = found.get(keys, (None, None))
        if edge.seen is not None:
            first = edge.seen if first is None else min(first, edge.seen)
            last = edge.seen if last is None else max(last, edge.seen)
        found[keys] = (first, last)
    return found


def _take_later(statement: Insert) -> Insert:
    """An edge that is there stays, with the first and the last time that it was seen."""
    there, given = tables.edges, statement.excluded
    earlier = or_(there.c.first_seen.is_(None), given.first_seen < there.c.first_seen)
    later = or_(there.c.last_seen.is_(None), given.last_seen > there.c.last_seen)
    return statement.on_conflict_do_update(
        index_elements=_UNIQUE,
        set_={
            "first_seen": case((earlier, given.first_seen), else_=there.c.first_seen),
            "last_seen": case((later, given.last_seen), else_=there.c.last_seen),
        },
        # An edge that says nothing new is not written again.
        where=and_(given.last_seen.is_not(None), or_(earlier, later)),
    )


def _column_ids(connection: Connection, refs: Mapping[bytes, ColumnRef]) -> dict[bytes, int]:
    """The numbers of these columns; those that are not there are added, their parents before them."""
    found = known_ids(connection, tables.columns, refs)
    new = {key: ref for key, ref in refs.items() if key not in found}
    if not new:
        return found
    datasets = _dataset_ids(connection, {ref.dataset for ref in new.values()})
    levels: defaultdict[int, dict[bytes, tuple[DatasetId, str, bytes | None]]] = defaultdict(dict)
    for key, ref in new.items():
        parent: bytes | None = None
        path = ref.column or ""
        above = ancestors(path)
        for depth, outer in enumerate(above):
            around = column_key(ref.dataset, outer)
            levels[depth].setdefault(around, (ref.dataset, outer, parent))
            parent = around
        levels[len(above)][key] = (ref.dataset, path, parent)
    for _, level in sorted(levels.items()):
        rows = {
            key: {
                "dataset_id": datasets[dataset],
                "path": path,
                "parent_id": found[parent] if parent else None,
            }
            for key, (dataset, path, parent) in level.items()
            if key not in found
        }
        found |= ids_of(connection, tables.columns, rows)
    return found


def _dataset_ids(connection: Connection, datasets: Iterable[DatasetId]) -> dict[DatasetId, int]:
    keys = {dataset_key(d): d for d in datasets}
    rows = {
        key: {"namespace": d.namespace, "name": d.name, "tenant": tenant_of(d), "read": 0, "fed": 0}
        for key, d in keys.items()
    }
    return {keys[key]: id_ for key, id_ in ids_of(connection, tables.datasets, rows).items()}


def _detail_ids(connection: Connection, details: Mapping[_Detail, bytes]) -> dict[bytes, int]:
    rows = {
        key: {
            "origin": origin,
            "origin_key": digest(origin),
            "expression": expression,
            "dialect": dialect,
            "reason": reason,
        }
        for (origin, expression, dialect, reason), key in details.items()
    }
    return ids_of(connection, tables.edge_details, rows)
