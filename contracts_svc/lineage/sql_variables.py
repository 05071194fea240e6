"""Tables that are named by text or by a variable, and values that a SELECT puts into one."""

from __future__ import annotations

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect

_NO_SELECT_INTO = ("MySQL", "Oracle", "Snowflake")
"""Dialects in which SELECT ... INTO fills variables and makes no table."""


def plain_tables(tree: exp.Expr, dialect: Dialect) -> exp.Expr | None:
    """Write ``IDENTIFIER('db.b')`` and the like as names, in place. Gives what names a table by a variable
    whose value is not known, None where all are known."""
    if type(dialect).__name__ in _NO_SELECT_INTO:
        for select in tree.find_all(exp.Select):
            select.set("into", None)
    for node in list(tree.find_all(exp.Table, exp.TableFromRows)):
        name = _named_by(node)
        if isinstance(name, exp.Literal) and name.is_string:
            table = exp.to_table(name.name, dialect=dialect)
            for key in ("alias", "joins", "pivots", "laterals"):
                table.set(key, node.args.get(key))
            node.replace(table)
        elif isinstance(name, exp.Parameter) and type(dialect).__name__ == "TSQL":
            # A table that is a variable.
            node.set("this", exp.to_identifier(f"@{name.name}", quoted=True))
        elif name is not None:
            return node
    return None


def _named_by(node: exp.Expr) -> exp.Expr | None:
    """What stands for the name of a table; None where that is a name."""
    inner = node.this
    if isinstance(inner, exp.DynamicIdentifier):
        return inner.this if isinstance(inner.this, exp.Expr) else inner
    if isinstance(inner, exp.Anonymous) and inner.name.upper() == "IDENTIFIER":
        return inner.expressions[0] if inner.expressions else inner
    if isinstance(node, exp.TableFromRows):
        return inner if isinstance(inner, (exp.Literal, exp.Parameter, exp.Placeholder)) else None
    parts = (inner, node.args.get("db"), node.args.get("catalog"))
    return next((p for p in parts if isinstance(p, (exp.Parameter, exp.Placeholder))), None)
