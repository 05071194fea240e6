"""Walks one expression and notes how each column in it is used."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Protocol

from sqlglot import exp

from contracts_svc.lineage.graph import EdgeType
from contracts_svc.lineage.sql_made import DIRECT, Made, Trace
from contracts_svc.lineage.sql_relations import Relation

LookUp = Callable[["exp.Column | exp.Dot"], Made]
Step = tuple[exp.Expr, EdgeType]

# sqlglot counts these among the aggregates; they pick a value of one row.
_ROW_PICKERS = (exp.Lag, exp.Lead, exp.FirstValue, exp.LastValue, exp.NthValue)
# Aggregates that sqlglot has no class for, by name.
_AGGREGATES = frozenset(
    {
        "approx_most_frequent", "arbitrary", "array_union_agg", "bitstring_agg", "bitwise_and_agg",
        "bitwise_or_agg", "checksum", "collect_list", "collect_set", "entropy", "every", "favg", "fsum",
        "geomean", "geometric_mean", "group_concat", "histogram", "hll", "hll_accumulate", "hll_combine",
        "json_agg", "json_object_agg", "jsonb_agg", "jsonb_object_agg", "kahan_sum", "kurtosis",
        "kurtosis_pop", "listagg", "mad", "map_agg", "map_union", "mode", "multimap_agg", "numeric_histogram",
        "object_agg", "product", "qdigest_agg", "range_agg", "reservoir_quantile", "set_agg", "set_union",
        "skewness", "string_agg", "sumkahan", "tdigest_agg", "wavg", "weighted_avg", "xmlagg",
    }
)  # fmt: skip
_BY_CONDITION = re.compile("If(State|OrNull|OrDefault)?$")
"""Ends the name of an aggregate whose last argument says which rows count."""
# Aggregates whose value is one of those that they sort: ``percentile_cont(0.5) WITHIN GROUP (ORDER BY x)``.
_OF_SORTED = ("percentile_cont", "percentile_disc", "mode", "approx_percentile", "median")


class Surroundings(Protocol):
    """The query that an expression stands in."""

    def window(self, name: str) -> exp.Window | None: ...

    def every_column(self) -> Iterator[Made]: ...


def trace_expression(
    trace: Trace,
    node: exp.Expr,
    usage: EdgeType,
    look_up: LookUp,
    subquery: Callable[[exp.Expr], Relation],
    step: Callable[[], None],
    around: Surroundings | None = None,
) -> None:
    """Add every column that ``node`` reads to ``trace``; ``usage`` is how ``node`` itself is used.

    Iterative, so that long chains of operators need no deep stack.
    """
    todo: list[Step] = [(node, usage)]
    while todo:
        step()
        current, used = todo.pop()
        if isinstance(current, (exp.Column, exp.Dot)) and _is_path(current):
            if _star(current):
                _take_all(trace, around, _raised(used))
            else:
                trace.take(look_up(current), used)
        elif isinstance(current, exp.Star):
            _take_star(trace, current, around, used)
        elif isinstance(current, (exp.Query, exp.Subquery)):
            _take_query(trace, subquery(current), used, isinstance(current.parent, exp.Exists))
        else:
            todo += reversed(list(_parts(current, used, around)))


def _parts(node: exp.Expr, used: EdgeType, around: Surroundings | None) -> Iterator[Step]:
    """The children of a node, each with how it is used."""
    if isinstance(node, (exp.Paren, exp.Alias)):
        yield (node.this, used)
    elif isinstance(node, exp.Case):
        yield from _case(node, used)
    elif isinstance(node, exp.DecodeCase):
        yield from _decode(node, used)
    elif isinstance(node, exp.CombinedAggFunc) and _BY_CONDITION.search(node.name):
        # ClickHouse: ``sumIf(value, condition)``
        *values, condition = node.expressions
        yield from _present(_raised(used, EdgeType.AGGREGATION), *values)
        yield (condition, _decides(used))
    elif isinstance(node, exp.Anonymous) and node.name.lower() == "multiif":
        *pairs, default = node.expressions
        yield from ((p, _raised(used) if i % 2 else _decides(used)) for i, p in enumerate(pairs))
        yield (default, _raised(used))
    elif isinstance(node, (exp.If, exp.Nvl2)):
        yield (node.this, _decides(used))
        yield from _present(_raised(used), node.args.get("true"), node.args.get("false"))
    elif isinstance(node, exp.Filter):
        yield (node.this, used)
        yield (node.expression, _decides(used))
    elif isinstance(node, exp.Window):
        yield from _window(node, used, around)
    elif isinstance(node, exp.WithinGroup):
        aggregated = _raised(used, EdgeType.AGGREGATION)
        yield (node.this, aggregated)
        name = node.this.name if isinstance(node.this, exp.Anonymous) else node.this.sql_name()
        if name.lower() in _OF_SORTED:
            yield from ((ordered.this, aggregated) for ordered in node.expression.expressions)
        else:
            yield from _present(aggregated, node.expression)
    elif isinstance(node, exp.Order):
        # The order inside of an aggregate (``array_agg(x ORDER BY y)``).
        yield from ((child, used if used not in DIRECT else EdgeType.SORT) for child in node.expressions)
        yield from _present(used, node.this)
    elif isinstance(node, (exp.PropertyEQ, exp.Kwarg)):
        yield (node.expression, _raised(used))
    elif isinstance(node, exp.Comprehension):
        yield from _present(_raised(used), node.args.get("iterator"))
        names = {node.text("expression"), node.text("position")}
        for column in node.this.find_all(exp.Column):
            if column.table or column.name not in names:
                yield (column, _raised(used))
    else:
        least = EdgeType.AGGREGATION if _aggregates(node) else EdgeType.TRANSFORMATION
        yield from ((child, _raised(used, least)) for child in node.iter_expressions())


def _case(node: exp.Case, used: EdgeType) -> Iterator[Step]:
    yield from _present(_decides(used), node.this)
    for branch in node.args["ifs"]:
        yield (branch.this, _decides(used))
        yield from _present(_raised(used), branch.args.get("true"))
    yield from _present(_raised(used), node.args.get("default"))


def _decode(node: exp.DecodeCase, used: EdgeType) -> Iterator[Step]:
    """``DECODE(value, search, result, search, result, ..., default)``"""
    value, *rest = node.expressions
    yield (value, _decides(used))
    for index, part in enumerate(rest):
        is_result = index % 2 == 1 or index == len(rest) - 1
        yield (part, _raised(used) if is_result else _decides(used))


def _window(node: exp.Window, used: EdgeType, around: Surroundings | None) -> Iterator[Step]:
    inside = used if used not in DIRECT else EdgeType.WINDOW
    yield (node.this, _raised(used))
    for window in (node, *_named_windows(node, around)):
        yield from _present(inside, *window.args.get("partition_by") or ())
        if order := window.args.get("order"):
            yield from ((ordered, inside) for ordered in order.expressions)
        yield from _present(inside, window.args.get("spec"))


def _named_windows(node: exp.Window, around: Surroundings | None) -> Iterator[exp.Window]:
    """The windows of the WINDOW clause that one builds on."""
    seen: set[str] = set()
    name = node.alias
    while around and name and name not in seen:
        seen.add(name)
        found = around.window(name)
        if found is None:
            return
        yield found
        name = found.alias


def _present(used: EdgeType, *nodes: exp.Expr | None) -> Iterator[Step]:
    yield from ((node, used) for node in nodes if node is not None)


def _raised(used: EdgeType, least: EdgeType = EdgeType.TRANSFORMATION) -> EdgeType:
    """At least this transformation, for uses that make a value."""
    return max(used, least, key=DIRECT.index) if used in DIRECT else used


def _decides(used: EdgeType) -> EdgeType:
    return EdgeType.CONDITIONAL if used in DIRECT else used


def _aggregates(node: exp.Expr) -> bool:
    if isinstance(node, exp.Anonymous):
        return node.name.lower() in _AGGREGATES
    return isinstance(node, exp.AggFunc) and not isinstance(node, _ROW_PICKERS)


def _is_path(node: exp.Expr) -> bool:
    """A column, or field names after a column."""
    while isinstance(node, exp.Dot) and isinstance(node.expression, (exp.Identifier, exp.Star)):
        node = node.this
    return isinstance(node, exp.Column)


def _star(node: exp.Expr) -> bool:
    return isinstance(node, (exp.Column, exp.Dot)) and node.is_star


def _take_star(trace: Trace, star: exp.Star, around: Surroundings | None, used: EdgeType) -> None:
    """``count(*)`` counts rows and reads no column; any other star reads them all."""
    if not isinstance(star.parent, exp.Count):
        _take_all(trace, around, _raised(used))


def _take_all(trace: Trace, around: Surroundings | None, used: EdgeType) -> None:
    for made in around.every_column() if around else ():
        trace.take(made, used)


def _take_query(trace: Trace, relation: Relation, used: EdgeType, only_rows: bool) -> None:
    """A subquery in an expression: its value, and what decides which value that is."""
    effects = Trace()
    relation.effects(effects)
    for ref, types in effects.uses.items():
        trace.uses.setdefault(ref, set()).update(types if used in DIRECT else {used})
    trace.gaps.update(effects.gaps)
    if not only_rows:
        for index in range(len(relation.names)):
            # The value of one column stays what it is.
            trace.take(relation.at(index), used if len(relation.names) == 1 else _raised(used))
