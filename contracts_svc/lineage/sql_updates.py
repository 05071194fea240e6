"""Statements that change rows of a table in place, as the queries that give what they put there."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from contracts_svc.lineage.sql_write import Write, from_, join, name_of, with_ctes

_EXCLUDED = "excluded"


def update_writes(tree: exp.Update) -> Iterator[Write]:
    """An UPDATE, also of several tables at once (MySQL)."""
    if not isinstance(tree.this, exp.Table):
        return
    select = exp.Select()
    sources = tree.args.get("from_")
    target = tree.this
    if isinstance(sources, exp.From):
        from_(select, sources.this.copy())
        named = [t for t in sources.find_all(exp.Table) if t.alias_or_name == target.name]
        if named and not target.db:
            # T-SQL: ``UPDATE t ... FROM orders AS t``
            target = named[0]
        else:
            join(select, target.copy())
    else:
        from_(select, target.copy())
    if where := tree.args.get("where"):
        select.set("where", where.copy())
    joined = {t.alias_or_name: t for t in tree.this.find_all(exp.Table)}
    by_target: dict[str, list[exp.Expr]] = {}
    for assignment in tree.expressions:
        column = assignment.this if isinstance(assignment, exp.EQ) else None
        of = joined.get(column.table) if isinstance(column, exp.Column) and column.table else None
        by_target.setdefault(name_of(target if of in (None, tree.this) else of), []).append(assignment)
    for name, assignments in by_target.items():
        yield from _assigned(tree, name, select.copy(), assignments)


def delete_writes(tree: exp.Delete) -> Iterator[Write]:
    """No value comes from anywhere: only what decides which rows stay."""
    if not isinstance(tree.this, exp.Table):
        return
    select = _rows_of(tree)
    select.set("expressions", [_nothing()])
    yield Write(target=name_of(tree.this), query=with_ctes(tree, select), by_name=True, in_place=True)


def returned(tree: exp.Expr) -> exp.Expr:
    """What a CTE that writes gives (``WITH gone AS (DELETE FROM a RETURNING id)``), as a query over the
    table that it writes: of deleted rows what they were, of others what they are now."""
    returning = tree.args.get("returning")
    if not isinstance(returning, exp.Returning) or not isinstance(tree, exp.Delete | exp.Update | exp.Insert):
        return tree
    select = _rows_of(tree)
    select.set("expressions", [e.copy() for e in returning.expressions])
    return select


def _rows_of(tree: exp.Delete | exp.Update | exp.Insert) -> exp.Select:
    """The rows of the table that a statement is about."""
    select = exp.Select()
    target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    from_(select, target.copy())
    if isinstance(tree, exp.Insert):
        return select
    sources = tree.args.get("from_")
    for source in [*(tree.args.get("using") or ()), *([sources.this] if sources else ())]:
        join(select, source.copy())
    if where := tree.args.get("where"):
        select.set("where", where.copy())
    return select


def merge_writes(tree: exp.Merge) -> Iterator[Write]:
    """Each WHEN is a query over the source joined with the target."""
    whens = tree.args["whens"].expressions if isinstance(tree.args.get("whens"), exp.Whens) else ()
    for when in whens:
        select = exp.Select()
        from_(select, tree.args["using"].copy())
        join(select, tree.this.copy(), tree.args.get("on"), tree.args.get("using_cond") or None)
        action = when.args.get("then")
        inner = action.args.get("where") if isinstance(action, exp.Expr) else None
        for condition in (when.args.get("condition"), inner and inner.this):
            if condition:
                select.where(condition.copy(), copy=False)
        target = name_of(tree.this)
        if isinstance(action, exp.Update):
            given = action.args.get("expressions")
            yield from _assigned(tree, target, select, given if isinstance(given, list) else [exp.Star()])
        elif isinstance(action, exp.Insert):
            yield _merge_insert(tree, target, select, action)
        else:
            select.set("expressions", [_nothing()])
            yield Write(target=target, query=with_ctes(tree, select), by_name=True, in_place=True)


def _merge_insert(tree: exp.Merge, target: str, select: exp.Select, action: exp.Insert) -> Write:
    source = tree.args["using"].alias_or_name
    columns = action.this.expressions if isinstance(action.this, exp.Tuple) else []
    values = action.expression.expressions if isinstance(action.expression, exp.Tuple) else []
    if not values:
        select.set("expressions", [exp.column(exp.Star(), source)])
        return Write(target=target, query=with_ctes(tree, select), by_name=True, in_place=True)
    # Where no row of the target matches, only the source's columns can be meant.
    select.set("expressions", [_of_source(v.copy(), source) for v in values])
    names = tuple(c.name for c in columns)
    return Write(target=target, query=with_ctes(tree, select), columns=names, in_place=True)


def _of_source(value: exp.Expr, source: str) -> exp.Expr:
    for column in list(value.find_all(exp.Column)):
        if source and not column.table and column.find_ancestor(exp.Query) is None:
            column.set("table", exp.to_identifier(source))
    return value


def upsert_writes(tree: exp.Insert, rows: exp.Query, columns: tuple[str, ...]) -> Iterator[Write]:
    """What ON CONFLICT DO UPDATE and ON DUPLICATE KEY UPDATE set, over the rows that were to be inserted
    (``excluded``, in MySQL ``VALUES(column)``) and those that are there."""
    conflict = tree.args.get("conflict")
    if not isinstance(conflict, exp.OnConflict) or not conflict.expressions:
        return
    target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    name = tree.expression.alias if isinstance(tree.expression, exp.Values) else ""
    alias = exp.TableAlias(
        this=exp.to_identifier(name or _EXCLUDED),
        columns=[exp.to_identifier(c, quoted=True) for c in columns],
    )
    select = exp.Select()
    from_(select, exp.Subquery(this=rows.copy(), alias=alias))
    join(select, target.copy())
    if where := conflict.args.get("where"):
        select.set("where", where.copy())
    yield from _assigned(tree, name_of(target), select, [_given(e, target) for e in conflict.expressions])


def _given(assignment: exp.Expr, target: exp.Expr) -> exp.Expr:
    """MySQL's ``VALUES(y)`` as ``excluded.y``; a bare name is a column of the target."""
    copied = assignment.copy()
    value = copied.args.get("expression")
    if not isinstance(copied, exp.EQ) or value is None:
        return copied
    holder = exp.Paren(this=value)
    for call in list(holder.find_all(exp.Anonymous)):
        if call.name.upper() == "VALUES" and len(call.expressions) == 1:
            call.replace(exp.column(call.expressions[0].name, _EXCLUDED, quoted=True))
    for column in list(holder.find_all(exp.Column)):
        if not column.table and column.find_ancestor(exp.Query) is None:
            column.set("table", exp.to_identifier(target.alias_or_name))
    copied.set("expression", holder.this)
    return copied


def _assigned(
    tree: exp.Expr, target: str, select: exp.Select, assignments: list[exp.Expr]
) -> Iterator[Write]:
    """``SET column = value, ...`` as a SELECT list."""
    values = []
    for assignment in assignments:
        if isinstance(assignment, exp.EQ):
            values += [exp.alias_(value, name, quoted=True) for name, value in _pairs(assignment)]
        elif isinstance(assignment, exp.Star) and isinstance(tree, exp.Merge):
            values.append(exp.column(exp.Star(), tree.args["using"].alias_or_name))
    if not assignments and isinstance(tree, exp.Merge):  # WHEN MATCHED THEN UPDATE: by name
        values.append(exp.column(exp.Star(), tree.args["using"].alias_or_name))
    if values:
        select.set("expressions", values)
        yield Write(target=target, query=with_ctes(tree, select), by_name=True, in_place=True)


def _pairs(assignment: exp.EQ) -> Iterator[tuple[str, exp.Expr]]:
    """The column and the value; of ``(y, k) = (SELECT x, ts FROM a)`` each column with its own."""
    column, value = assignment.this, assignment.expression
    if not isinstance(column, exp.Tuple):
        yield column.name, value.copy()
        return
    query = value.unnest()
    for position, each in enumerate(column.expressions):
        if isinstance(query, exp.Select) and len(query.expressions) == len(column.expressions):
            picked = query.copy()
            picked.set("expressions", [picked.expressions[position]])
            yield each.name, exp.Subquery(this=picked)
        elif not isinstance(query, exp.Query) and len(value.expressions) == len(column.expressions):
            yield each.name, value.expressions[position].copy()
        else:
            yield each.name, value.copy()


def _nothing() -> exp.Expr:
    """A SELECT list that gives no column of the target."""
    return exp.alias_(exp.Null(), "_")
