"""The output columns of a SELECT, and names in SQL."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlglot import exp

from contracts_svc.lineage.graph import DatasetId
from contracts_svc.lineage.sql_made import Gap, Made, Trace, text_of
from contracts_svc.lineage.sql_relations import Relation


@dataclass(frozen=True)
class Output:
    """One output column; ``name`` None is a star over a relation whose columns are not known."""

    name: str | None
    make: Callable[[], Made]
    relation: Relation | None = None
    excluded: frozenset[str] = frozenset()
    star: str = ""
    """How such a star is written."""


@dataclass(frozen=True, eq=False)
class NoSource:
    """Stands for a source that is not there."""

    open: frozenset[DatasetId]
    names: Sequence[str] = ()

    @property
    def tables(self) -> frozenset[DatasetId]:
        return self.open

    def may_have(self, name: str) -> bool:
        return True

    def column(self, name: str) -> Made | None:
        return Made.unknown(Gap(self.open, f"which source `{name}` comes from is not known"))

    def at(self, index: int) -> Made:
        return Made()

    def effects(self, trace: Trace) -> None:
        """Nothing is known of it."""


def star_of(projection: exp.Expr) -> exp.Star | None:
    if isinstance(projection, exp.Star):
        return projection
    if isinstance(projection, exp.Column) and isinstance(projection.this, exp.Star):
        return projection.this
    return None


def pattern_of(star: exp.Star) -> re.Pattern[str]:
    """What the names that a star gives look like: Snowflake's ``* ILIKE '%name%'``."""
    like = star.args.get("ilike")
    if not isinstance(like, exp.Literal):
        return re.compile(".*", re.DOTALL)
    words = re.escape(like.name).replace("%", ".*").replace("_", ".")
    return re.compile(words, re.IGNORECASE | re.DOTALL)


def named(projection: exp.Expr, position: int) -> str:
    """A name for an output column without one: what engines make of the text, or a number."""
    if len(list(projection.walk())) < 40:
        return text_of(projection).lower() or f"_col_{position}"
    return f"_col_{position}"


def path_of(column: exp.Column | exp.Dot) -> list[str]:
    fields: list[str] = []
    node: exp.Expr = column
    while isinstance(node, exp.Dot):
        fields.append(node.expression.name)
        node = node.this
    first = [p.name for p in node.parts] if isinstance(node, exp.Column) else [node.name]
    return [*first, *reversed(fields)]
