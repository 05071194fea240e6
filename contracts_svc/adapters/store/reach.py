"""What can be reached in the lineage, by one recursive query.

A place in the walk is a column and how it is affected:

- AFFECTED: the column itself is. The walk goes on along its edges, up to what it lies in, and down to
  the fields inside it (of the dataset as a whole: to every column).
- AROUND: something inside it is. Who reads it as a whole is reached, and so is who reads what it lies
  in; what else lies in it is not.
- INSIDE: what it lies in is.

The walk is bounded by the number of places, and cycles end, since a place is taken once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from sqlalchemy import (
    CTE,
    Connection,
    Row,
    Select,
    and_,
    case,
    func,
    literal,
    select,
    true,
    union,
    union_all,
)
from sqlalchemy.sql.elements import ColumnElement

from contracts_svc.adapters.store import tables
from contracts_svc.lineage.graph import EdgeKind

_AFFECTED, _AROUND, _INSIDE = 0, 1, 2

_SOURCE, _TARGET = tables.columns.alias("source"), tables.columns.alias("target")
_FROM, _TO = tables.datasets.alias("source_dataset"), tables.datasets.alias("target_dataset")
_EDGES, _DETAILS = tables.edges, tables.edge_details

EDGE: Select[Any] = (
    select(
        _FROM.c.namespace,
        _FROM.c.name,
        _SOURCE.c.path,
        _TO.c.namespace.label("target_namespace"),
        _TO.c.name.label("target_name"),
        _TARGET.c.path.label("target_path"),
        _EDGES.c.kind,
        _EDGES.c.type,
        _DETAILS.c.origin,
        _DETAILS.c.expression,
        _DETAILS.c.dialect,
        _DETAILS.c.reason,
        _EDGES.c.last_seen,
    )
    .select_from(_EDGES)
    .join(_SOURCE, _SOURCE.c.id == _EDGES.c.source_id)
    .join(_TARGET, _TARGET.c.id == _EDGES.c.target_id)
    .join(_FROM, _FROM.c.id == _SOURCE.c.dataset_id)
    .join(_TO, _TO.c.id == _TARGET.c.dataset_id)
    .join(_DETAILS, _DETAILS.c.id == _EDGES.c.detail_id)
)
"""An edge with its names, in the order that :func:`contracts_svc.adapters.store.lineage` reads."""


class Wanted(Enum):
    """Which edges are looked for."""

    DOWNSTREAM = "downstream"
    UPSTREAM = "upstream"
    IMPACT = "impact"


@dataclass(frozen=True, slots=True)
class Starts:
    """Keys of the columns to start at, of what they lie in, and of their datasets as a whole."""

    exact: Sequence[bytes]
    around: Sequence[bytes]
    datasets: Sequence[bytes]


def reached(
    connection: Connection, starts: Starts, wanted: Wanted, limit: int
) -> tuple[Sequence[Row[Any]], bool]:
    """The edges that are wanted, and whether that is all of them: at most ``limit`` places are
    looked at."""
    lateral = connection.dialect.name == "postgresql"
    here, there = _EDGES.c.source_id, _EDGES.c.target_id
    if wanted is Wanted.UPSTREAM:
        here, there = there, here
    places = _walk(_starts(starts), here, there, lateral).limit(limit + 1).cte("places")
    chosen: list[Select[Any]] = [select(_EDGES.c.id).where(here.in_(select(places.c.id)))]
    sizes: list[CTE] = [places]
    if wanted is Wanted.IMPACT:
        makers = _makers(places, lateral).limit(limit + 1).cte("makers")
        chosen.append(select(_EDGES.c.id).where(there.in_(select(makers.c.id))))
        chosen += [_one_edge(starts.datasets, end) for end in (_EDGES.c.source_id, _EDGES.c.target_id)]
        sizes.append(makers)
    ids = union(*chosen).cte("chosen") if len(chosen) > 1 else chosen[0].cte("chosen")
    counts = [select(func.count()).select_from(s).scalar_subquery() for s in sizes]
    rows = connection.execute(EDGE.add_columns(*counts).where(_EDGES.c.id.in_(select(ids.c.id)))).all()
    return rows, not rows or all(size <= limit for size in rows[0][13:])


def _starts(starts: Starts) -> Select[Any]:
    key = tables.columns.c.key
    how = case((key.in_(starts.exact), _AFFECTED), else_=_AROUND)
    return select(tables.columns.c.id, how.label("how")).where(key.in_([*starts.exact, *starts.around]))


def _walk(
    starts: Select[Any], here: ColumnElement[int], there: ColumnElement[int], lateral: bool
) -> Select[Any]:
    """Every place that is reached from ``starts``."""
    walk = starts.cte("walk", recursive=True)
    columns = tables.columns
    steps = [
        select(there.label("id"), literal(_AFFECTED).label("how")).where(here == walk.c.id),
        select(columns.c.parent_id, literal(_AROUND)).where(
            columns.c.id == walk.c.id, columns.c.parent_id.is_not(None), walk.c.how != _INSIDE
        ),
        select(columns.c.id, literal(_INSIDE)).where(columns.c.parent_id == walk.c.id, walk.c.how != _AROUND),
    ]
    walk = walk.union(*_together(walk, steps, lateral))
    return select(walk.c.id, walk.c.how)


def _makers(places: CTE, lateral: bool) -> Select[Any]:
    """The columns downstream, and all that their values are made from."""
    reached = select(_EDGES.c.target_id.label("id")).where(_EDGES.c.source_id.in_(select(places.c.id)))
    makers = reached.cte("made", recursive=True)
    direct = and_(_EDGES.c.target_id == makers.c.id, _EDGES.c.kind == EdgeKind.DIRECT.value)
    makers = makers.union(*_together(makers, [select(_EDGES.c.source_id.label("id")).where(direct)], lateral))
    return select(makers.c.id)


def _together(walk: CTE, steps: Sequence[Select[Any]], lateral: bool) -> list[Select[Any]]:
    """The steps as the recursive part of a query: PostgreSQL lets it name the walk only once."""
    if not lateral:
        return list(steps)
    step = union_all(*steps).lateral("step")
    return [select(*step.c).select_from(walk.join(step, true()))]


def _one_edge(keys: Sequence[bytes], end: ColumnElement[int]) -> Select[Any]:
    """An edge that one of the datasets of these columns has a part in, for each of them."""
    column = tables.columns.alias()
    start = tables.columns.alias()
    any_edge = (
        select(_EDGES.c.id)
        .join(column, column.c.id == end)
        .where(column.c.dataset_id == start.c.dataset_id)
        .limit(1)
        .scalar_subquery()
    )
    return select(any_edge.label("id")).select_from(start).where(start.c.key.in_(keys))
