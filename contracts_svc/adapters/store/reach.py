"""What can be reached in the lineage, by one recursive query.

A place in the walk is a column and how it is affected:

- AFFECTED: the column itself is. The walk goes on along its edges, up to what it lies in, and down to
  the fields inside it (of the dataset as a whole: to every column).
- AROUND: something inside it is. Who reads it as a whole is reached, and so is who reads what it lies
  in; what else lies in it is not.
- INSIDE: what it lies in is.

The walk is bounded by the number of places, and cycles end, since a place is taken once. The edges at
the places are then read by their numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, TypeAlias

from sqlalchemy import (
    CTE,
    Connection,
    Select,
    case,
    literal,
    select,
    true,
    union_all,
)
from sqlalchemy.sql.elements import ColumnElement

from contracts_svc.adapters.store import tables
from contracts_svc.adapters.store.part import rows_with
from contracts_svc.lineage.graph import EdgeKind

_AFFECTED, _AROUND, _INSIDE = 0, 1, 2

_EDGES = tables.edges

EdgeRow: TypeAlias = tuple[int, int, str, str, int, datetime | None]
EDGE: Select[Any] = select(
    _EDGES.c.source_id,
    _EDGES.c.target_id,
    _EDGES.c.kind,
    _EDGES.c.type,
    _EDGES.c.detail_id,
    _EDGES.c.last_seen,
)
"""An :data:`EdgeRow`."""


class Wanted(Enum):
    """Which edges are looked for."""

    DOWNSTREAM = "downstream"
    UPSTREAM = "upstream"
    IMPACT = "impact"


@dataclass(frozen=True, slots=True)
class Starts:
    """Keys of the columns to start at, and of what they lie in."""

    exact: Sequence[bytes]
    around: Sequence[bytes]


def reached(connection: Connection, starts: Starts, wanted: Wanted, limit: int) -> tuple[set[EdgeRow], bool]:
    """The edges that are wanted, and whether that is all of them: those of at most ``limit`` places
    are read. (PostgreSQL walks no further; SQLite walks to the end first, without reading edges.)"""
    here, there = _EDGES.c.source_id, _EDGES.c.target_id
    if wanted is Wanted.UPSTREAM:
        here, there = there, here
    fenced = connection.dialect.name == "postgresql"
    places = _walk(starts, here, there, fenced).limit(limit + 1).cte("places")
    queries = [select(places.c.id, literal(True))]
    if wanted is Wanted.IMPACT:
        queries.append(select(_makers(places, fenced).limit(limit + 1).subquery().c.id, literal(False)))
    forward: dict[int, None] = {}
    backward: dict[int, None] = {}
    looked_at = [0, 0]
    for id_, is_place in connection.execute(union_all(*queries)):
        (forward if is_place else backward)[id_] = None
        looked_at[is_place] += 1
    rows = {tuple(r) for r in rows_with(connection, EDGE, here, forward)}
    rows |= {tuple(r) for r in rows_with(connection, EDGE, there, backward)}
    return rows, max(looked_at) <= limit


def _walk(starts: Starts, here: ColumnElement[int], there: ColumnElement[int], fenced: bool) -> Select[Any]:
    """Every place that is reached from ``starts``."""
    columns = tables.columns
    how = case((columns.c.key.in_(starts.exact), _AFFECTED), else_=_AROUND).label("how")
    first = select(columns.c.id, how).where(columns.c.key.in_([*starts.exact, *starts.around]))
    walk = first.cte("walk", recursive=True)
    steps = [
        select(there.label("id"), literal(_AFFECTED).label("how")).where(here == walk.c.id),
        select(columns.c.parent_id, literal(_AROUND)).where(
            columns.c.id == walk.c.id, columns.c.parent_id.is_not(None), walk.c.how != _INSIDE
        ),
        select(columns.c.id, literal(_INSIDE)).where(columns.c.parent_id == walk.c.id, walk.c.how != _AROUND),
    ]
    walk = walk.union(*_steps_from(walk, steps, fenced))
    return select(walk.c.id, walk.c.how)


def _makers(places: CTE, fenced: bool) -> Select[Any]:
    """The columns downstream, and all that their values are made from."""
    down = select(_EDGES.c.target_id.label("id")).where(_EDGES.c.source_id == places.c.id)
    (first,) = _steps_from(places, [down], fenced)
    made = first.cte("made", recursive=True)
    up = select(_EDGES.c.source_id.label("id")).where(
        _EDGES.c.target_id == made.c.id, _EDGES.c.kind == EdgeKind.DIRECT.value
    )
    made = made.union(*_steps_from(made, [up], fenced))
    return select(made.c.id)


def _steps_from(walk: CTE, steps: Sequence[Select[Any]], fenced: bool) -> list[Select[Any]]:
    """The steps as parts of a query.

    PostgreSQL lets the recursive part name the walk only once, and takes a walk for much longer than
    it is: it would read whole tables to join them with it. It does not look into a subquery with an
    offset, so that each place is looked up on its own.
    """
    if not fenced:
        return list(steps)
    step = (union_all(*steps) if len(steps) > 1 else steps[0].correlate(walk)).offset(0).lateral("step")
    return [select(*step.c).select_from(walk.join(step, true()))]
