"""What of a SELECT decides which rows it has, and in which order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlglot import exp
from sqlglot.optimizer.scope import Scope

from contracts_svc.lineage.graph import EdgeType
from contracts_svc.lineage.sql_joins import Merged
from contracts_svc.lineage.sql_made import Made, Trace
from contracts_svc.lineage.sql_outputs import Output
from contracts_svc.lineage.sql_sources import Item


@dataclass(frozen=True)
class Place:
    """Where in a query a column stands: which of its own aliases and sources can be seen there."""

    aliases: int = 0
    """How many of the query's output columns may be named by alias."""
    alias_first: bool = False
    sources: int | None = None
    """How many of the sources can be seen (a lateral source sees those before it); None is all."""
    in_join: bool = False
    """Whether the right side of a semi or anti join can be seen."""
    projected: bool = False
    """Whether it is in the SELECT list, where not every dialect can name an alias before it."""


ANYWHERE = Place()


class Query(Protocol):
    """A SELECT that is resolved."""

    select: exp.Select
    scope: Scope

    @property
    def items(self) -> Sequence[Item]: ...

    @property
    def names(self) -> Sequence[str]: ...

    @property
    def open_stars(self) -> Sequence[Output]: ...

    @property
    def merged(self) -> Merged: ...

    def at(self, index: int) -> Made: ...

    def trace(self, trace: Trace, node: exp.Expr, usage: EdgeType, place: Place) -> None: ...


def add_effects(query: Query, trace: Trace) -> None:
    """Add what its sources, joins, filters, grouping and sorting say about rows."""
    for item in query.items:
        item.relation.effects(trace)
    _join_effects(query, trace)
    everything = len(query.select.expressions)
    for key in ("prewhere", "where", "having", "qualify"):
        if node := query.select.args.get(key):
            query.trace(trace, node, EdgeType.FILTER, Place(aliases=everything))
    if group := query.select.args.get("group"):
        _positional(query, trace, group.iter_expressions(), EdgeType.GROUP_BY, Place(everything))
        if group.args.get("all"):
            plain = [p for p in query.select.expressions if not p.find(exp.AggFunc)]
            _positional(query, trace, plain, EdgeType.GROUP_BY, Place())
    for key in ("order", "sort", "cluster", "distribute"):
        if order := query.select.args.get(key):
            ordered = [o.this if isinstance(o, exp.Ordered) else o for o in order.expressions]
            _positional(query, trace, ordered, EdgeType.SORT, Place(everything, alias_first=True))
    distinct = query.select.args.get("distinct")
    if isinstance(distinct, exp.Distinct):
        if on := distinct.args.get("on"):
            _positional(query, trace, on.expressions, EdgeType.GROUP_BY, Place(everything))
        else:  # which rows are repeats depends on every column
            for index in range(len(query.names)):
                trace.take(query.at(index), EdgeType.GROUP_BY)
    for key in ("limit", "offset"):
        if (limit := query.select.args.get(key)) and not isinstance(limit, exp.Fetch):
            query.trace(trace, limit.expression, EdgeType.FILTER, ANYWHERE)
            for each in limit.expressions:  # ClickHouse: LIMIT 1 BY key
                query.trace(trace, each, EdgeType.GROUP_BY, Place(aliases=everything))
    if connect := query.select.args.get("connect"):
        query.trace(trace, connect, EdgeType.JOIN, ANYWHERE)


def _positional(
    query: Query, trace: Trace, nodes: Iterator[exp.Expr] | list[exp.Expr], usage: EdgeType, place: Place
) -> None:
    """Trace grouping or sorting keys; a whole number names an output column by its position."""
    for node in nodes:
        if isinstance(node, exp.Literal) and node.is_int:
            index = int(node.name) - 1
            if 0 <= index < len(query.names) and not query.open_stars:
                trace.take(query.at(index), usage)
        else:
            query.trace(trace, node, usage, place)


def _join_effects(query: Query, trace: Trace) -> None:
    for join in query.scope.find_all(exp.Join):
        if on := join.args.get("on"):
            query.trace(trace, on, EdgeType.JOIN, Place(in_join=True))
    query.merged.effects(trace)
