"""Forms that only some dialects have, brought into the ones that all have."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

MOST_INLINED = 10_000
"""Nodes of a statement up to which expressions that have names are written out."""


def common_form(tree: exp.Expr) -> None:
    """Rewrite a statement in place."""
    for query in list(tree.find_all(exp.Query)):
        if isinstance(query.args.get("with_"), exp.With):
            _name_values(query)
    for dot in list(tree.find_all(exp.Dot)):
        _field_of_row(dot)


def _name_values(query: exp.Query) -> None:
    """ClickHouse's ``WITH (SELECT ...) AS name`` and ``WITH expression AS name``: a value with a name."""
    with_ = query.args["with_"]
    for cte in list(with_.expressions):
        if not cte.args.get("scalar"):
            continue
        name, value = cte.alias, cte.this
        used = [c for c in query.find_all(exp.Column) if c.name == name and not c.table]
        if isinstance(value, exp.Subquery) and isinstance(value.this, exp.Select):
            select = value.this
            if len(select.expressions) == 1:
                select.set("expressions", [exp.alias_(select.expressions[0].unalias(), name)])
            cte.set("this", select)
            cte.set("scalar", None)
            for column in used:
                column.replace(exp.select(exp.column(name)).from_(exp.to_table(name)).subquery())
            continue
        size = len(list(value.walk()))
        if size * len(used) <= MOST_INLINED - len(list(query.walk())):
            for column in used:
                column.replace(exp.paren(value.copy()))
            cte.pop()
    if not with_.expressions:
        query.set("with_", None)


def _field_of_row(dot: exp.Dot) -> None:
    """PostgreSQL's ``(o).amount``, of a row of ``orders AS o``: ``o.amount``."""
    inner = dot.this.this if isinstance(dot.this, exp.Paren) else None
    if not (isinstance(inner, exp.Column) and not inner.table and isinstance(dot.expression, exp.Identifier)):
        return
    select = dot.find_ancestor(exp.Select)
    sources = [select.args.get("from_"), *(select.args.get("joins") or ())] if select else []
    if any(s is not None and s.this.alias_or_name == inner.name for s in sources):
        dot.replace(exp.column(dot.expression.copy(), table=inner.this.copy()))


def single_inserts(tree: exp.MultitableInserts) -> Iterator[exp.Insert]:
    """``INSERT ALL WHEN ... INTO a ... SELECT`` (Snowflake, Oracle) and Hive's ``FROM t INSERT INTO a
    SELECT``, as an INSERT for each table."""
    source = tree.args["source"]
    rows = source.copy() if isinstance(source, exp.Table) else exp.Subquery(this=source.copy())
    if isinstance(rows, exp.Subquery):
        rows.set("alias", exp.TableAlias(this=exp.to_identifier("rows_given")))
    before: list[exp.Expr] = []
    for entry in tree.expressions:
        insert = entry.this.copy() if isinstance(entry, exp.ConditionalInsert) else entry.copy()
        given = insert.expression
        if not isinstance(given, exp.Select):
            listed = given.expressions[0].expressions if isinstance(given, exp.Values) else [exp.Star()]
            given = exp.Select(expressions=[value.copy() for value in listed])
        if given.args.get("from_") is None:
            given.set("from_", exp.From(this=rows.copy()))
        condition = entry.expression if isinstance(entry, exp.ConditionalInsert) else None
        first = str(tree.args.get("kind") or "").upper() == "FIRST" or entry.args.get("else_")
        decides = [*(before if first else ()), *([condition] if condition is not None else ())]
        for one in decides:
            given = given.where(one.copy(), copy=False)
        before += [condition] if condition is not None else []
        insert.set("expression", given)
        yield insert
