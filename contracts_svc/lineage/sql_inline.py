"""The SQL of an output column written over the columns of tables, CTEs and subqueries inlined."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlglot import exp

from contracts_svc.lineage.sql_made import MAX_EXPRESSION, Made, bracketed
from contracts_svc.lineage.sql_relations import Relation

_LEAVES = (exp.Column, exp.Query, exp.Subquery)


@dataclass(frozen=True)
class Inliner:
    """``look_up`` resolves a column, ``relation`` a subquery."""

    look_up: Callable[[exp.Column | exp.Dot], Made]
    relation: Callable[[exp.Expr], Relation]

    def of(self, node: exp.Expr) -> tuple[exp.Expr | None, int]:
        """A copy of ``node`` with everything inlined, and its size in nodes.

        None where a part of it cannot be written so, or where it is larger than MAX_EXPRESSION.
        """
        size = 0
        replacements: list[exp.Expr | None] = []
        for original in leaves_and_nodes(node):
            size += 1
            star = isinstance(original, exp.Star) and not isinstance(original.parent, exp.Count)
            if star or isinstance(original, (exp.Columns, exp.Comprehension)):
                return None, size
            if is_leaf(original):
                replacement, cost = self._replacement(original)
                size += cost
                if replacement is None:
                    return None, size
                replacements.append(replacement)
            if size > MAX_EXPRESSION:
                return None, size
        return _replaced(node, replacements), size

    def _replacement(self, node: exp.Expr) -> tuple[exp.Expr | None, int]:
        if isinstance(node, (exp.Column, exp.Dot)):
            made = self.look_up(node)
            return (None if made.expression is None else bracketed(made.expression)), made.size
        relation = self.relation(node)
        if relation.open or len(relation.names) != 1:
            return None, 1
        made = relation.at(0)
        if made.expression is None:
            return None, made.size
        select = exp.Select(expressions=[made.expression.copy()])
        bare = isinstance(node.parent, exp.Exists) and not isinstance(node, exp.Subquery)
        return (select if bare else exp.Subquery(this=select)), made.size + 2


def _replaced(node: exp.Expr, replacements: list[exp.Expr | None]) -> exp.Expr | None:
    copied = node.copy()
    # The copy is walked as the original was, so the leaves come in the same order.
    leaves = [leaf for leaf in leaves_and_nodes(copied) if is_leaf(leaf)]
    for leaf, replacement in zip(leaves, replacements, strict=True):
        if leaf is copied:
            return replacement
        if replacement is not None:
            leaf.replace(replacement)
    return copied


def leaves_and_nodes(node: exp.Expr) -> Iterator[exp.Expr]:
    """The nodes of an expression, without what is below a column or a subquery."""
    yield from node.walk(prune=is_leaf)


def is_leaf(node: exp.Expr) -> bool:
    """A column, a field of one, or a subquery."""
    inner = node
    while isinstance(inner, exp.Dot) and isinstance(inner.expression, exp.Identifier):
        inner = inner.this
    return isinstance(inner, exp.Column) if isinstance(node, exp.Dot) else isinstance(node, _LEAVES)
