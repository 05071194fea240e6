"""Which datasets read which, without the columns: of each origin's edges between the columns of two
datasets, the one that was seen last."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TypeAlias

from sqlalchemy import Connection, and_, delete, or_

from contracts_svc.adapters.store import tables
from contracts_svc.adapters.store.lineage_keys import dataset_key
from contracts_svc.adapters.store.part import (
    KEYS_AT_ONCE,
    Insert,
    add_tuples,
    among,
    batches,
    digest,
    known_ids,
)
from contracts_svc.adapters.store.reach import EdgeRow
from contracts_svc.lineage.graph import DatasetId, Edge

_PAIR = ("source_dataset_id", "target_dataset_id", "origin_key")
_EDGE = ("source_id", "target_id", "kind", "type", "detail_id", "last_seen")

Between: TypeAlias = tuple[DatasetId, DatasetId, str]
"""Source, target, and the origin of edges between their columns."""


def put_latest(connection: Connection, edges: Iterable[tuple[Between, EdgeRow]]) -> None:
    """Take note of edges of columns that are kept. An earlier one makes way for one that was seen later."""
    latest: dict[Between, EdgeRow] = {}
    for between, row in edges:
        before = latest.get(between)
        if before is None or _later(row, before):
            latest[between] = row
    if not latest:
        return
    keys = {d: dataset_key(d) for between in latest for d in between[:2]}
    ids = known_ids(connection, tables.datasets, keys.values())
    rows = sorted(
        ((ids[keys[source]], ids[keys[target]], digest(origin)), row)
        for (source, target, origin), row in latest.items()
    )
    add_tuples(connection, tables.dataset_edges, (*_PAIR, *_EDGE), [p + row for p, row in rows], _take_later)


def see_anew(
    connection: Connection, origin: str, sources: Collection[DatasetId], edges: Mapping[EdgeRow, Edge]
) -> None:
    """Edges of an origin out of these datasets were taken away; ``edges`` are those that it still has."""
    table = tables.dataset_edges
    ids = known_ids(connection, tables.datasets, map(dataset_key, sources)).values()
    for some in batches(sorted(ids), KEYS_AT_ONCE):
        here = among(connection, table.c.source_dataset_id, some)
        connection.execute(delete(table).where(here, table.c.origin_key == digest(origin)))
    stay = (
        ((e.source.dataset, e.target.dataset, origin), row)
        for row, e in edges.items()
        if e.source.column is not None and e.source.dataset in sources
    )
    put_latest(connection, stay)


def _later(row: EdgeRow, than: EdgeRow) -> bool:
    seen, before = row[5], than[5]
    return seen is not None and (before is None or seen > before)


def _take_later(statement: Insert) -> Insert:
    there, given = tables.dataset_edges, statement.excluded
    return statement.on_conflict_do_update(
        index_elements=_PAIR,
        set_={name: given[name] for name in _EDGE},
        where=and_(
            given.last_seen.is_not(None),
            or_(there.c.last_seen.is_(None), given.last_seen > there.c.last_seen),
        ),
    )
