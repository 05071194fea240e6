"""Digests of what SQL means: two columns, or two filters, of the same digest come to the same.

A digest is taken over the text of an expression in which every column is replaced by the digest of
what it is made of, down to the columns of tables. So it does not change with the names of CTEs and
aliases, with the spelling of key words or with comments. "" is the digest of what is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from sqlglot import exp

from contracts_svc.lineage.sql_inline import is_leaf, leaves_and_nodes
from contracts_svc.lineage.sql_made import Made, digest, text_of

__all__ = ["conjuncts", "digest", "digest_of", "digest_set"]

LookUp = Callable[["exp.Column | exp.Dot"], Made]


def digest_of(
    node: exp.Expr,
    look_up: LookUp,
    query: Callable[[exp.Expr], str],
    every_column: Callable[[], Iterable[Made]],
) -> str:
    """The digest of an expression. ``query`` gives that of a subquery, ``every_column`` what a bare
    star stands for."""
    node = node.unnest()
    if is_leaf(node):
        return _leaf(node, look_up, query)
    leaves: list[str] = []
    for part in leaves_and_nodes(node):
        if isinstance(part, exp.Star) and not isinstance(part.parent, exp.Count):
            leaves += [made.digest for made in every_column()]
        elif isinstance(part, (exp.Columns, exp.Comprehension)):
            return ""
        elif is_leaf(part):
            leaves.append(_leaf(part, look_up, query))
    if not all(leaves):
        return ""
    try:
        return digest(_shape(node), *leaves)
    except RecursionError:
        return ""


def _leaf(node: exp.Expr, look_up: LookUp, query: Callable[[exp.Expr], str]) -> str:
    return look_up(node).digest if isinstance(node, (exp.Column, exp.Dot)) else query(node)


def _shape(node: exp.Expr) -> str:
    """The text with a mark in place of each column and subquery."""
    copied = node.copy()
    for part in [p for p in leaves_and_nodes(copied) if is_leaf(p)]:
        part.replace(exp.Placeholder())
    return text_of(copied)


def digest_set(parts: Sequence[str]) -> str:
    """One digest of several whose order means nothing; "" when one of them is not known."""
    return digest(*sorted(parts)) if all(parts) else ""


def conjuncts(condition: exp.Expr) -> list[exp.Expr]:
    """The parts of a condition that all must hold."""
    found: list[exp.Expr] = []
    todo = [condition]
    while todo:
        node = todo.pop().unnest()
        if isinstance(node, exp.And):
            todo += [node.this, node.expression]
        else:
            found.append(node)
    return found
