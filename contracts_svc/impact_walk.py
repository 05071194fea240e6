"""Walks one effect downstream, edge by edge, and keeps what it does and where it ends."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TypeAlias

from contracts_svc.impact_effects import Effect, Late, Noted, Retyped, Shaken, Unclear
from contracts_svc.impact_nested import copied_part, part_effect, whole_effect
from contracts_svc.impact_types import stored_type
from contracts_svc.lineage.column_names import lineage_names
from contracts_svc.lineage.graph import ColumnRef, DatasetId, Edge, EdgeKind, EdgeType, Graph
from contracts_svc.model import Column, Contract, Table

ResultType: TypeAlias = Callable[[str, str, Mapping[tuple[str, str], str]], str | None]
"""(expression, dialect, types by (dataset name, column)) -> the type it gives; None: not known."""

Path: TypeAlias = tuple[Edge, ...]

_DEEPEST_TYPE = 50
"""How many steps back a type is worked out through datasets that no contract describes."""


class Level(StrEnum):
    """What a change means to one consumer."""

    BREAKS = "BREAKS"
    MAY_BREAK = "MAY_BREAK"
    UNKNOWN = "UNKNOWN"
    NOTIFY = "NOTIFY"
    UNAFFECTED = "UNAFFECTED"

    @property
    def rank(self) -> int:
        """0 is the worst; for sorting."""
        return _LEVELS.index(self)


_LEVELS = tuple(Level)


@dataclass(frozen=True, slots=True)
class Hit:
    """An effect that reaches a column (or a dataset) at some level."""

    at: ColumnRef
    level: Level
    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Stop:
    """A place where an effect ends, and why."""

    at: ColumnRef
    path: Path
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What an effect does at the far end of one edge, and what travels on from there."""

    level: Level = Level.UNAFFECTED
    reason: str = ""
    absorbed: str = ""
    onward: Effect | None = None


@dataclass(frozen=True)
class World:
    """What judging looks at: who reads what, who promises what, and what type an expression gives.

    What it works out from these it keeps, for the length of one assessment.
    """

    graph: Graph
    promises: Mapping[DatasetId, tuple[Contract, Table]]
    result_type: ResultType
    _columns: dict[DatasetId, dict[str, Column]] = field(default_factory=dict)
    _types: dict[ColumnRef, str | None] = field(default_factory=dict)

    def contract(self, dataset: DatasetId) -> Contract | None:
        """The contract that promises this dataset, or None."""
        found = self.promises.get(dataset)
        return found[0] if found else None

    def column(self, ref: ColumnRef) -> Column | None:
        """The promise for this column (by its stored name), or None."""
        if ref.dataset not in self._columns:
            found = self.promises.get(ref.dataset)
            columns = list(found[1].walk()) if found else []
            named = {c.path: c for c in columns}
            self._columns[ref.dataset] = named | (dict(lineage_names(found[1])) if found else {})
        return self._columns[ref.dataset].get(ref.column or "")

    def type_of(self, ref: ColumnRef, depth: int = 0) -> str | None:
        """The stored type: as promised, else worked out from what makes the column."""
        if ref not in self._types:
            self._types[ref] = None  # What is made from itself has no type that can be worked out.
            self._types[ref] = self._type_of(ref, depth)
        return self._types[ref]

    def _type_of(self, ref: ColumnRef, depth: int) -> str | None:
        column = self.column(ref)
        if column is not None:
            return stored_type(column)
        makers = [e for e in self.graph.feeds(ref) if e.kind is EdgeKind.DIRECT]
        if not makers or depth == _DEEPEST_TYPE:
            return None
        edge = makers[0]
        if edge.type is EdgeType.IDENTITY:
            return self.type_of(edge.source, depth + 1)
        return self.result_of(edge, lambda r: self.type_of(r, depth + 1))

    def result_of(self, edge: Edge, type_of: Callable[[ColumnRef], str | None]) -> str | None:
        """The type that the edge's expression gives when its sources have these types."""
        if not edge.expression:
            return None
        sources = {e.source for e in self.graph.feeds(edge.target) if e.expression == edge.expression} | {
            edge.source
        }
        types = {(s.dataset.name, s.column): type_of(s) for s in sources if s.column}
        known = {k: t for k, t in types.items() if t is not None}
        if len(known) < len(types):
            return None
        return self.result_type(edge.expression, edge.dialect, known)


@dataclass
class Walk:
    """One effect on its way. ``retyped`` is what is known so far of types that changed."""

    world: World
    hits: list[Hit] = field(default_factory=list)
    stops: list[Stop] = field(default_factory=list)
    retyped: dict[ColumnRef, Retyped] = field(default_factory=dict)
    walked: dict[Edge, None] = field(default_factory=dict)
    """Every edge that was looked at."""
    parts: dict[ColumnRef, set[ColumnRef]] = field(default_factory=dict)
    """The parts that are followed through copies of their wholes, by where the whole goes."""


Judge: TypeAlias = Callable[[Walk, Edge, Effect, bool], Step]
"""(walk, edge, effect at the edge's source, whether the edge is the first) -> Step."""


def walk(world: World, starts: Iterable[ColumnRef], effect: Effect, judge: Judge) -> Walk:
    """Follow an effect from the columns (or the dataset) it starts at, shortest paths first.

    A place is passed once per kind of effect, so cycles end. Two effects may come to a place again:
    a type that changes once more through another source, at most once per edge that feeds the column,
    and a greater delay on a longer way, which never passes one dataset twice.
    """
    found = Walk(world)
    passed: Counter[tuple[ColumnRef, type[Effect]]] = Counter()
    latest: dict[tuple[ColumnRef, type[Effect]], Effect] = {}
    queue: deque[tuple[ColumnRef, Effect, Path]] = deque()

    def send(ref: ColumnRef, effect: Effect, path: Path) -> None:
        key = (ref, type(effect))
        if passed[key] >= _most(world, ref, effect) or not _is_news(effect, latest.get(key)):
            return
        if isinstance(effect, Late) and any(e.source.dataset == ref.dataset for e in path):
            return
        passed[key] += 1
        latest[key] = effect
        if isinstance(effect, Retyped):
            found.retyped[ref] = effect
        queue.append((ref, effect, path))

    for start in starts:
        send(start, effect, ())
    while queue:
        ref, effect, path = queue.popleft()
        for edge in _ways(world, ref, effect):
            found.walked.setdefault(edge)
            step, seen = _judged(found, ref, edge, effect, not path, judge)
            here = (*path, edge)
            at = _reached(seen, effect)
            if step.level is not Level.UNAFFECTED:
                found.hits.append(Hit(at, step.level, here, step.reason))
            if step.absorbed:
                found.stops.append(Stop(at, here, step.absorbed))
            if step.onward is not None:
                send(at, step.onward, here)
    return found


_MOST_DELAYS = 64
"""How many growing delays are followed on from one dataset."""
_MOST_PARTS = 16
"""How many parts of one column are followed: a cycle through ``x -> x.p`` makes ever deeper ones."""


def _most(world: World, ref: ColumnRef, effect: Effect) -> int:
    if isinstance(effect, Retyped):
        return max(1, len(world.graph.feeds(ref)))
    return _MOST_DELAYS if isinstance(effect, Late) else 1


def _is_news(effect: Effect, before: Effect | None) -> bool:
    if isinstance(effect, Late) and isinstance(before, Late):
        return effect.exceeds(before)
    return effect != before


def _ways(world: World, ref: ColumnRef, effect: Effect) -> Path:
    """The edges to follow: to what comes late, one of a dataset's edges is as good as another."""
    edges = world.graph.readers(ref)
    if isinstance(effect, Late):
        return tuple({e.target.dataset: e for e in reversed(edges)}.values())[::-1]
    return edges


def _judged(
    found: Walk, ref: ColumnRef, edge: Edge, effect: Effect, first: bool, judge: Judge
) -> tuple[Step, Edge]:
    """The step, and the edge as it concerns what is affected: the edge of a part, where it is one."""
    if ref.column is None or edge.source == ref:
        return judge(found, edge, effect, first), edge
    if edge.source.column is None:
        return _blind(found, edge, effect, first, judge), edge
    if len(edge.source.column) > len(ref.column):
        inner = part_effect(effect, ref, edge.source, edge.dialect)
        return (judge(found, edge, inner, first) if inner else Step()), edge
    copied = copied_part(edge, ref)
    parts = found.parts.setdefault(edge.target, set())
    if copied is None or (copied.target not in parts and len(parts) == _MOST_PARTS):
        outer = whole_effect(effect, ref, edge)
        return (judge(found, edge, outer, first) if outer else Step()), edge
    parts.add(copied.target)
    step = judge(found, copied, effect, first)
    if step.level is Level.BREAKS and found.world.column(copied.target) is None:
        # Nobody promises the part there, so whether anybody misses it shows further down.
        step = replace(step, level=Level.MAY_BREAK)
    return step, copied


def _blind(found: Walk, edge: Edge, effect: Effect, first: bool, judge: Judge) -> Step:
    # An effect on one column, and a reader of whom it is not known which columns it reads. What is
    # only to be told is told all the same.
    if isinstance(effect, Shaken) or (isinstance(effect, Noted) and not effect.may_break):
        return judge(found, edge, effect, first)
    why = edge.reason or f"{edge.origin or 'the lineage'} does not say"
    reads = f"which columns of {edge.source.dataset.name} {edge.target.dataset.name} reads"
    return Step(level=Level.UNKNOWN, reason=f"it is not known {reads}: {why}", onward=Unclear())


def _reached(edge: Edge, effect: Effect) -> ColumnRef:
    """Where the effect stands after the edge: what comes late is late as a whole."""
    return ColumnRef(edge.target.dataset, None) if isinstance(effect, Late) else edge.target


_QUALIFIED = re.compile(r'"(?P<dataset>(?:[^"]|"")+)"\."(?P<column>(?:[^"]|"")+)"')
_SHOWN, _LOOKED_AT = 80, 2_000


def made(edge: Edge) -> str:
    """How the target of a DIRECT edge is made: ``mean_dep_delay is AVG(dep_delay)``."""
    name = edge.target.column or edge.target.dataset.name
    if edge.type is EdgeType.IDENTITY:
        return f"{name} is {edge.source}"
    if edge.rows_only:
        return f"{name} depends on which rows {edge.source} has"
    if not edge.expression:
        return f"{name} is made from {edge.source}"
    # Some of it is shown; who wrote it may have written anything.
    expression = edge.expression[:_LOOKED_AT]
    datasets = {m["dataset"] for m in _QUALIFIED.finditer(expression)}
    keep = r"\g<column>" if len(datasets) <= 1 else r"\g<dataset>.\g<column>"
    text = " ".join(_QUALIFIED.sub(keep, expression).split())
    return f"{name} is {text if len(text) <= _SHOWN else text[: _SHOWN - 3] + '...'}"


_VERBS = {
    EdgeType.FILTER: "filters by",
    EdgeType.JOIN: "joins on",
    EdgeType.GROUP_BY: "groups by",
    EdgeType.SORT: "sorts by",
    EdgeType.WINDOW: "opens a window over",
    EdgeType.CONDITIONAL: "decides by",
}


def used(edge: Edge) -> str:
    """How an INDIRECT edge uses its source: ``carrier_scorecard joins on flights.carrier``."""
    return f"{edge.target} {_VERBS.get(edge.type, 'depends on')} {edge.source}"


def relation(edge: Edge) -> str:
    """How the edge's target depends on its source, in words."""
    return made(edge) if edge.kind is EdgeKind.DIRECT else used(edge)
