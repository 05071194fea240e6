"""What the footer of a file proves of a figure, so that no row of the file has to be read for it.

A condition is asked of what the footer knows, as all rows of the file at once: each column is between
two values that are there, and has so many NULLs. The answer is the set of truth values that rows may
have (SQL has three). Where that leaves a doubt there is no proof, and the file is scanned.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import product

from sqlglot import exp

from contracts_svc.files import Bound, Bounds
from contracts_svc.model import Json

Truth = bool | None
_ANY: frozenset[Truth] = frozenset((True, False, None))


class Unproved(Exception):
    """The footer does not tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a file: its rows, and the bounds of columns by the case-folded name."""

    rows: int
    bounds: Mapping[str, Bounds]


def facts(rows: int, bounds: Mapping[str, Bounds]) -> Facts:
    """The facts of a footer."""
    return Facts(rows=rows, bounds={name.casefold(): found for name, found in bounds.items()})


def prove(aggregate: exp.Expr, known: Facts) -> Json:
    """The value of an aggregate over the rows of a file, as an engine gives it. Raises Unproved."""
    return prover(aggregate)(known)


def prover(aggregate: exp.Expr) -> Callable[[Facts], Json]:
    """What proves an aggregate of one file after the other; see :func:`prove`."""
    match aggregate:
        case exp.Coalesce(this=exp.CountIf(this=exp.Expr() as condition)):
            names = _names(condition)
            return lambda known: _count(condition, names, known)
        case exp.Count(this=exp.Star()):
            return lambda known: known.rows
        case exp.AtTimeZone(
            this=exp.Cast(this=exp.Filter() as found), args={"zone": exp.Literal(this="UTC")}
        ):
            return lambda known: _extreme(found, known)
        case exp.Filter():
            return lambda known: _extreme(aggregate, known)
    return _unproved


def _unproved(known: Facts) -> Json:
    raise Unproved


def _names(condition: exp.Expr) -> frozenset[str]:
    return frozenset(c.name.casefold() for c in condition.find_all(exp.Column))


def _count(condition: exp.Expr, names: frozenset[str], known: Facts) -> int:
    """How many rows meet a condition on columns of these names."""
    if len(names) != 1:
        return _of_all(_truths(condition, known), known.rows)
    # The rows with a value of the only column, and those without one, one after the other.
    (name,) = names
    found = known.bounds.get(name)
    if found is None or found.nulls is None:
        return _of_all(_truths(condition, known), known.rows)
    without, having = found.nulls, known.rows - found.nulls
    total = 0
    if without:
        part = Facts(rows=without, bounds={name: Bounds(nulls=without)})
        total += _of_all(_truths(condition, part), without)
    if having:
        part = Facts(rows=having, bounds={name: replace(found, nulls=0)})
        total += _of_all(_truths(condition, part), having)
    return total


def _of_all(truths: frozenset[Truth], rows: int) -> int:
    if True not in truths or not rows:
        return 0
    if truths == {True}:
        return rows
    raise Unproved


def _truths(node: exp.Expr, known: Facts) -> frozenset[Truth]:
    """The truth values that a condition can have in these rows; never one too few."""
    match node:
        case exp.Paren():
            return _truths(node.this, known)
        case exp.Not():
            return frozenset(None if t is None else not t for t in _truths(node.this, known))
        case exp.And() | exp.Or():
            combine = _and if isinstance(node, exp.And) else _or
            pairs = product(_truths(node.left, known), _truths(node.right, known))
            return frozenset(combine(a, b) for a, b in pairs)
        case exp.Boolean():
            return frozenset((bool(node.this),))
        case exp.Is(this=exp.Column() as column, expression=exp.Null()):
            return _nulls(column, known)
        case exp.In(this=exp.Column() as column) if not node.args.get("query"):
            return _with_null(column, known, _in(column, node.expressions, known))
        case exp.Anonymous(this="list_contains", expressions=[exp.Array() as listed, exp.Column() as column]):
            return _with_null(column, known, _in(column, listed.expressions, known))
        case exp.Between(this=exp.Column() as column):
            low = _compared(column, node.args["low"], known, _COMPARED[exp.GTE])
            high = _compared(column, node.args["high"], known, _COMPARED[exp.LTE])
            return _with_null(column, known, frozenset(_and(a, b) for a, b in product(low, high)))
    compare = _COMPARED.get(type(node))
    if compare is not None and isinstance(node, exp.Binary) and isinstance(node.this, exp.Column):
        return _with_null(node.this, known, _compared(node.this, node.expression, known, compare))
    return _ANY


def _and(a: Truth, b: Truth) -> Truth:
    if a is False or b is False:
        return False
    return None if a is None or b is None else True


def _or(a: Truth, b: Truth) -> Truth:
    if a is True or b is True:
        return True
    return None if a is None or b is None else False


def _nulls(column: exp.Column, known: Facts) -> frozenset[Truth]:
    found = known.bounds.get(column.name.casefold())
    if found is None or found.nulls is None:
        return frozenset((True, False))
    return frozenset(t for t, there in ((True, found.nulls > 0), (False, found.nulls < known.rows)) if there)


def _with_null(column: exp.Column, known: Facts, of_values: frozenset[Truth]) -> frozenset[Truth]:
    """A comparison with NULL is neither true nor false."""
    nulls = _nulls(column, known)
    found = of_values if False in nulls else frozenset[Truth]()
    return found | {None} if True in nulls else found


_Compare = Callable[[Bound, Bound, Bound], Iterable[Truth]]
_COMPARED: Mapping[type, _Compare] = {
    exp.LT: lambda least, most, limit: (least < limit, most < limit),  # type: ignore[operator]
    exp.LTE: lambda least, most, limit: (least <= limit, most <= limit),  # type: ignore[operator]
    exp.GT: lambda least, most, limit: (least > limit, most > limit),  # type: ignore[operator]
    exp.GTE: lambda least, most, limit: (least >= limit, most >= limit),  # type: ignore[operator]
    exp.EQ: lambda least, most, limit: _same(least, most, limit),
    exp.NEQ: lambda least, most, limit: [not t for t in _same(least, most, limit)],
}
"""What a comparison says of the least and of the greatest value; those between say one or the other."""


def _same(least: Bound, most: Bound, limit: Bound) -> tuple[bool, ...]:
    if least == most:
        return (least == limit,)
    inside = least <= limit <= most  # type: ignore[operator]
    return (True, False) if inside else (False,)


def _compared(column: exp.Column, limit: exp.Expr, known: Facts, compare: _Compare) -> frozenset[Truth]:
    found, value = known.bounds.get(column.name.casefold()), constant(limit)
    if value is None or found is None or found.least is None or found.most is None:
        return _ANY
    if isinstance(found.least, datetime) and not isinstance(value, datetime) and isinstance(value, date):
        # As an engine does whose time zone is UTC: a day is its midnight.
        value = datetime(value.year, value.month, value.day, tzinfo=found.least.tzinfo)
    return frozenset(compare(found.least, found.most, value)) if _alike(found.least, value) else _ANY


def _in(column: exp.Column, listed: Iterable[exp.Expr], known: Facts) -> frozenset[Truth]:
    found = frozenset[Truth]((False,))
    for each in listed:
        one = _compared(column, each, known, _COMPARED[exp.EQ])
        found = frozenset(_or(a, b) for a, b in product(found, one))
    return found


_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?([+-][0-9]{2}:[0-9]{2})?"
)
_DIGITS = re.compile(r"[0-9]{1,38}(\.[0-9]{1,37})?")


def constant(node: exp.Expr) -> Bound | None:
    """The value of a literal that is compared exactly, or None. A number with an exponent is a float."""
    match node:
        case exp.Paren():
            return constant(node.this)
        case exp.Neg():
            value = constant(node.this)
            return -value if isinstance(value, int | Decimal) else None
        case exp.Literal(is_string=False) if _DIGITS.fullmatch(node.name):
            return Decimal(node.name) if "." in node.name else int(node.name)
        case exp.Cast(this=exp.Literal(is_string=True)) if not isinstance(node, exp.TryCast):
            return _moment(node.this.name, node.to)
    return None


def _moment(text: str, kind: exp.DataType) -> Bound | None:
    try:
        if kind.this == exp.DType.DATE and _DATE.fullmatch(text):
            return date.fromisoformat(text)
        if _TIME.fullmatch(text):
            found = datetime.fromisoformat(text)
            if kind.this in (exp.DType.TIMESTAMP, exp.DType.TIMESTAMPNTZ) and found.tzinfo is None:
                return found
            if kind.this == exp.DType.TIMESTAMPTZ and found.tzinfo is not None:
                return found
    except ValueError:
        return None
    return None


def _alike(one: Bound, other: Bound) -> bool:
    """Whether two values compare as an engine compares them: numbers, dates, times of one kind."""
    if isinstance(one, int | Decimal):
        return isinstance(other, int | Decimal)
    if isinstance(one, datetime):
        return isinstance(other, datetime) and (one.tzinfo is None) is (other.tzinfo is None)
    return isinstance(other, date) and not isinstance(other, datetime)


def _extreme(filtered: exp.Filter, known: Facts) -> Json:
    """The first or last time of a column, where all of them pass the filter."""
    function, condition = filtered.this, filtered.expression.this
    column = function.this
    if not isinstance(function, exp.Min | exp.Max) or not isinstance(column, exp.Column):
        raise Unproved
    found = known.bounds.get(column.name.casefold())
    if found is not None and found.nulls == known.rows:
        return None
    if found is None or found.nulls is None or found.least is None or found.most is None:
        raise Unproved
    if _count(condition, _names(condition), known) != known.rows - found.nulls:
        raise Unproved
    value = found.least if isinstance(function, exp.Min) else found.most
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC).isoformat()
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC).isoformat()
    raise Unproved
