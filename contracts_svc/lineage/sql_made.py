"""What a column of a query is made of: the values that the SQL modules pass to each other."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect

from contracts_svc.lineage.graph import ColumnRef, DatasetId, EdgeType

DIRECT = (EdgeType.IDENTITY, EdgeType.TRANSFORMATION, EdgeType.AGGREGATION)
"""The types of a DIRECT edge, from the one that does least to the value to the one that does most."""

MAX_EXPRESSION = 600
"""Largest inlined expression, in nodes of its tree; a larger one is not kept."""
MAX_COLUMNS = 20_000
"""Most columns that one query may have once its stars are expanded."""
MAX_STEPS = 1_000_000
"""Most steps (nodes visited, sources passed on) spent on one statement: about four seconds."""


class TooLarge(Exception):
    """A statement needs more steps or columns than are allowed. The message says which."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A column that could not be resolved: the tables that it may come from, and why."""

    tables: frozenset[DatasetId]
    reason: str
    hint: str = ""
    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True)
class Made:
    """How one column comes about: its sources and, where it is known, its expression over them.

    ``expression`` names source columns as ``"dataset name"."column"``; None is "not known".
    """

    uses: Mapping[ColumnRef, frozenset[EdgeType]] = field(default_factory=dict)
    expression: exp.Expr | None = None
    size: int = 1
    gaps: tuple[Gap, ...] = ()
    digest: str = ""
    """See :mod:`contracts_svc.lineage.sql_digest`; only worked out where it was asked for."""

    @classmethod
    def leaf(cls, ref: ColumnRef) -> Made:
        """A column of a table."""
        return cls(
            {ref: frozenset({EdgeType.IDENTITY})}, source_column(ref), digest=f"{ref.dataset}:{ref.column}"
        )

    @classmethod
    def unknown(cls, gap: Gap) -> Made:
        """A column that could not be resolved."""
        return cls(gaps=(gap,))

    def field_of(self, path: Iterable[str]) -> Made:
        """A field of this column, when it is a struct."""
        names = ".".join(path)
        if not names:
            return self
        if len(self.uses) == 1 and isinstance(self.expression, exp.Column):
            ref = next(iter(self.uses))
            return Made.leaf(ColumnRef(ref.dataset, f"{ref.column}.{names}"))
        trace = Trace()
        trace.take(self, EdgeType.TRANSFORMATION)
        return replace(trace.made(), digest=digest("field", self.digest, names))


@dataclass(slots=True)
class Trace:
    """Gathers the sources of one column, or of one effect on all rows. ``step`` counts the work."""

    step: Callable[[int], None] = field(default=lambda count: None, repr=False)
    uses: dict[ColumnRef, set[EdgeType]] = field(default_factory=dict)
    gaps: dict[Gap, None] = field(default_factory=dict)

    def take(self, made: Made, usage: EdgeType) -> None:
        """Add a column that is used in this way."""
        self.step(len(made.uses))
        for ref, inner in made.uses.items():
            self.uses.setdefault(ref, set()).update(combined(usage, i) for i in inner)
        self.gaps.update(dict.fromkeys(made.gaps))

    def add(self, other: Trace) -> None:
        """Add everything that another trace has, as it is used there."""
        for ref, types in other.uses.items():
            self.uses.setdefault(ref, set()).update(types)
        self.gaps.update(other.gaps)

    def made(self, expression: exp.Expr | None = None, size: int = 1) -> Made:
        """What was gathered."""
        uses = {ref: frozenset(types) for ref, types in self.uses.items()}
        return Made(uses, None if self.gaps else expression, size, tuple(self.gaps))


def digest(*parts: str) -> str:
    """One digest of several; "" when one of them is not known."""
    return (
        hashlib.sha256("\x1f".join(parts).encode("utf-8", "replace")).hexdigest()[:24] if all(parts) else ""
    )


def combined(outer: EdgeType, inner: EdgeType) -> EdgeType:
    """The type of a path of two steps: what decides rows or values outweighs what makes a value."""
    if outer not in DIRECT:
        return outer
    if inner not in DIRECT:
        return inner
    return max(outer, inner, key=DIRECT.index)


def one_of(made: Iterable[Made]) -> Made:
    """A column whose rows come from several columns, as in a UNION."""
    parts = list(made)
    return replace(_one_of(parts), digest=digest("one of", *(p.digest for p in parts)))


def _one_of(parts: Sequence[Made]) -> Made:
    trace = Trace()
    for part in parts:
        trace.take(part, EdgeType.IDENTITY)
    expressions = [p.expression for p in parts if p.expression is not None]
    size = sum(p.size + 2 for p in parts)
    if len(expressions) < len(parts) or size > MAX_EXPRESSION:
        return trace.made(None, size)
    distinct = list(dict.fromkeys(expressions))
    if len(distinct) == 1:
        return trace.made(distinct[0], parts[0].size)
    # The only expression whose type is the common type of its parts without choosing between them.
    selects = [exp.Select(expressions=[e.copy()]) for e in distinct]
    union: exp.Query = selects[0]
    for select in selects[1:]:
        union = exp.Union(this=union, expression=select, distinct=False)
    return trace.made(exp.Subquery(this=union), size)


def source_column(ref: ColumnRef) -> exp.Column:
    """How an expression names a column of a table."""
    return exp.column(
        exp.to_identifier(ref.column or "", quoted=True), exp.to_identifier(ref.dataset.name, quoted=True)
    )


def text_of(node: exp.Expr, dialect: Dialect | None = None) -> str:
    """An expression as SQL; "" where it is too deep to be written, or has a part that only is read."""
    try:
        return node.sql(dialect=dialect, comments=False)
    except (RecursionError, ValueError):
        return ""


def bracketed(expression: exp.Expr) -> exp.Expr:
    """A copy that can stand anywhere in another expression."""
    copied = expression.copy()
    operator = isinstance(copied, (exp.Binary, exp.Unary, exp.Between, exp.In, exp.Window, exp.Interval))
    return exp.paren(copied, copy=False) if operator and not isinstance(copied, exp.Paren) else copied
