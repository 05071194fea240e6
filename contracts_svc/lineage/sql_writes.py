"""What a statement writes, and from which query: every kind of statement brought into one form."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import exp

from contracts_svc.lineage.sql_forms import single_inserts
from contracts_svc.lineage.sql_moves import renamed

WRITTEN = "contracts_written"
"""Key in a table node's meta: its name as the statement has it, before names are folded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """``query`` gives rows to ``target``. Target None: a query that stands alone."""

    target: str | None
    query: exp.Query | None = None
    unfollowed: exp.Expr | None = None
    """What gives the rows where it is no query that can be followed."""
    reason: str = ""
    """Why it cannot."""
    columns: tuple[str, ...] = ()
    """Target columns by position, where the statement lists them."""
    by_name: bool = False
    """Output columns go to the target columns of the same name."""
    defines: bool = False
    """The target's columns are exactly what the query gives, or ``columns``."""
    in_place: bool = False
    """The target's own rows are changed: that it is read for that makes it no source."""


def name_of(table: exp.Expr | None) -> str:
    """A table's name as written (``db.schema.table``), "" where there is none."""
    while isinstance(table, exp.Schema):
        table = table.this
    if isinstance(table, exp.Table):
        return str(table.meta.get(WRITTEN) or _as_written([p.name for p in table.parts]))
    if isinstance(table, (exp.Directory, exp.Literal)):
        return table.name
    return ""


def _as_written(parts: list[str]) -> str:
    """Spark reads files by ``parquet.`path```: the format is no part of the path."""
    return parts[-1] if len(parts) == 2 and "/" in parts[1] else ".".join(parts)


def writes(tree: exp.Expr) -> Iterator[Write]:
    """Every write of a statement; nothing for statements that move no data."""
    for cte in list(tree.find_all(exp.CTE)):
        if isinstance(cte.this, exp.DML):
            yield from writes(cte.this.copy())
            cte.set("this", _returned(cte.this))
    returning = tree.args.get("returning")
    if isinstance(returning, exp.Returning) and isinstance(returning.args.get("into"), exp.Expr):
        into = returning.args["into"]
        returning.pop()
        yield Write(target=_put_into(into), unfollowed=tree, reason=_OUTPUT)
    if isinstance(tree, exp.Query):
        into = tree.args.get("into")
        tree.set("into", None)
        yield Write(target=name_of(into.this) if isinstance(into, exp.Into) else None, query=tree)
    elif isinstance(tree, exp.Create):
        yield from _create(tree)
    elif isinstance(tree, exp.Insert):
        yield from _insert(tree)
    elif isinstance(tree, exp.Merge):
        yield from _merge(tree)
    elif isinstance(tree, exp.Update):
        yield from _update(tree)
    elif isinstance(tree, exp.Delete):
        yield from _delete(tree)
    elif isinstance(tree, exp.Copy):
        yield from _copy(tree)
    elif isinstance(tree, exp.MultitableInserts):
        for single in single_inserts(tree):
            yield from writes(single)
    elif isinstance(tree, exp.Cache) and isinstance(tree.expression, exp.Query):
        yield Write(target=name_of(tree.this), query=tree.expression, defines=True)
    elif isinstance(tree, exp.Export) and isinstance(tree.this, exp.Query):
        yield Write(target=_address(tree.args.get("options")), query=tree.this, defines=True)
    elif isinstance(tree, exp.LoadData) and isinstance(tree.args.get("inpath"), exp.Expr):
        yield Write(target=name_of(tree.this), query=_everything(_file(tree.args["inpath"].name)))
    elif isinstance(tree, exp.Pivot):
        yield Write(target=None, unfollowed=tree)
    elif isinstance(tree, (exp.Drop, exp.TruncateTable, exp.Alter)):
        yield from _changed(tree)


def _create(tree: exp.Create) -> Iterator[Write]:
    if (tree.kind or "").upper() not in ("TABLE", "VIEW"):
        return
    target, columns = name_of(tree.this), _listed(tree.this)
    query = tree.expression
    clone = tree.args.get("clone")
    if isinstance(query, exp.Query):
        yield Write(target=target, query=_with(tree, query), columns=columns, defines=True)
        if (to := tree.find(exp.ToTableProperty)) is not None:  # ClickHouse: the view only feeds this table
            yield Write(target=name_of(to.this), query=_everything(tree.this), by_name=True)
    elif isinstance(query, exp.Expr):
        yield Write(target=target, unfollowed=query)
    elif isinstance(clone, exp.Clone) and isinstance(clone.this, exp.Table):
        yield Write(target=target, query=_everything(clone.this), defines=True)
    elif (like := tree.find(exp.LikeProperty)) is not None and isinstance(like.this, exp.Table):
        yield Write(target=target, query=_everything(like.this), defines=True)
    else:
        yield Write(target=target, columns=columns, defines=bool(columns))


def _insert(tree: exp.Insert) -> Iterator[Write]:
    query = tree.expression
    if isinstance(query, exp.Table):
        query = _everything(query)
    elif isinstance(query, exp.Values):
        query = _valued(query)
    elif not isinstance(query, exp.Query):
        query = None
    yield Write(
        target=name_of(tree.this),
        query=None if query is None else _with(tree, query),
        columns=_listed(tree.this),
        by_name=bool(tree.args.get("by_name")),
    )


def _update(tree: exp.Update) -> Iterator[Write]:
    if not isinstance(tree.this, exp.Table):
        return
    select = exp.Select()
    sources = tree.args.get("from_")
    target = tree.this
    if isinstance(sources, exp.From):
        _from(select, sources.this.copy())
        named = [t for t in sources.find_all(exp.Table) if t.alias_or_name == target.name]
        if named and not target.db:
            # T-SQL: ``UPDATE t ... FROM orders AS t``
            target = named[0]
        else:
            _join(select, target.copy())
    else:
        _from(select, target.copy())
    if where := tree.args.get("where"):
        select.set("where", where.copy())
    yield from _assigned(tree, name_of(target), select, tree.expressions)


def _delete(tree: exp.Delete) -> Iterator[Write]:
    """No value comes from anywhere: only what decides which rows stay."""
    if not isinstance(tree.this, exp.Table):
        return
    select = exp.Select(expressions=[exp.alias_(exp.Null(), "_")])
    _from(select, tree.this.copy())
    for source in tree.args.get("using") or ():
        _join(select, source.copy())
    if where := tree.args.get("where"):
        select.set("where", where.copy())
    yield Write(target=name_of(tree.this), query=_with(tree, select), by_name=True, in_place=True)


_OUTPUT = "what OUTPUT puts into a table is not followed"


def _put_into(into: exp.Expr) -> str:
    """The table of ``OUTPUT ... INTO log(id)``, which looks like a call."""
    if isinstance(into, exp.Func) and not isinstance(into, exp.Anonymous):
        return into.sql_name().lower()
    return name_of(into) or into.name


def _returned(tree: exp.Expr) -> exp.Expr:
    """What a CTE that writes gives (``WITH gone AS (DELETE FROM a RETURNING id)``), as a query: of
    deleted rows what they were. Of rows that are made it is not followed, and that is told."""
    returning = tree.args.get("returning")
    if not (isinstance(tree, exp.Delete) and isinstance(returning, exp.Returning)):
        return tree
    select = exp.Select(expressions=[e.copy() for e in returning.expressions])
    _from(select, tree.this.copy())
    for source in tree.args.get("using") or ():
        _join(select, source.copy())
    if where := tree.args.get("where"):
        select.set("where", where.copy())
    return select


def _merge(tree: exp.Merge) -> Iterator[Write]:
    """Each WHEN is a query over the source joined with the target."""
    whens = tree.args["whens"].expressions if isinstance(tree.args.get("whens"), exp.Whens) else ()
    for when in whens:
        select = exp.Select()
        _from(select, tree.args["using"].copy())
        _join(select, tree.this.copy(), tree.args.get("on"))
        if condition := when.args.get("condition"):
            select.set("where", exp.Where(this=condition.copy()))
        action = when.args.get("then")
        target = name_of(tree.this)
        if isinstance(action, exp.Update):
            yield from _assigned(tree, target, select, action.expressions)
        elif isinstance(action, exp.Insert):
            yield _merge_insert(tree, target, select, action)
        else:
            select.set("expressions", [exp.alias_(exp.Null(), "_")])
            yield Write(target=target, query=_with(tree, select), by_name=True, in_place=True)


def _merge_insert(tree: exp.Merge, target: str, select: exp.Select, action: exp.Insert) -> Write:
    source = tree.args["using"].alias_or_name
    listed = action.this.expressions if isinstance(action.this, exp.Tuple) else []
    values = action.expression.expressions if isinstance(action.expression, exp.Tuple) else []
    if not values:
        select.set("expressions", [exp.column(exp.Star(), source)])
        return Write(target=target, query=_with(tree, select), by_name=True, in_place=True)
    # Where no row of the target matches, only the source's columns can be meant.
    select.set("expressions", [_of_source(v.copy(), source) for v in values])
    columns = tuple(c.name for c in listed)
    return Write(target=target, query=_with(tree, select), columns=columns, in_place=True)


def _of_source(value: exp.Expr, source: str) -> exp.Expr:
    for column in list(value.find_all(exp.Column)):
        if source and not column.table and column.find_ancestor(exp.Query) is None:
            column.set("table", exp.to_identifier(source))
    return value


def _assigned(
    tree: exp.Expr, target: str, select: exp.Select, assignments: list[exp.Expr]
) -> Iterator[Write]:
    """``SET column = value, ...`` as a SELECT list."""
    values = []
    for assignment in assignments:
        if isinstance(assignment, exp.EQ):
            column = assignment.this
            values.append(exp.alias_(assignment.expression.copy(), column.name, quoted=True))
        elif isinstance(assignment, exp.Star) and isinstance(tree, exp.Merge):
            values.append(exp.column(exp.Star(), tree.args["using"].alias_or_name))
    if values:
        select.set("expressions", values)
        yield Write(target=target, query=_with(tree, select), by_name=True, in_place=True)


def _copy(tree: exp.Copy) -> Iterator[Write]:
    """``COPY (query) TO 'file'`` and ``COPY table FROM 'file'``."""
    given = tree.args.get("files") or ()
    files = [name_of(f) for f in given if name_of(f)]
    inner = tree.this
    into_table = bool(tree.args.get("kind"))
    if into_table:
        for query in (f.unnest() for f in given if isinstance(f, exp.Subquery)):
            if isinstance(query, exp.Query):
                yield Write(target=name_of(inner), query=query, columns=_listed(inner))
        for file in files:
            yield Write(target=name_of(inner), query=_everything(_file(file)), columns=_listed(inner))
    elif files:
        query = inner.unnest() if isinstance(inner, exp.Subquery) else _everything(inner)
        if isinstance(query, exp.Query):
            yield Write(target=files[0], query=query, defines=True)


def _file(name: str) -> exp.Table:
    source = exp.Table(this=exp.to_identifier(name, quoted=True))
    source.meta[WRITTEN] = name
    return source


def _address(options: exp.Expr | None) -> str | None:
    """``uri`` among the options of BigQuery's EXPORT DATA."""
    for option in options.expressions if options is not None else ():
        if isinstance(option, exp.Property) and option.name.lower() == "uri":
            return str(option.args["value"].name)
    return None


def _changed(tree: exp.Expr) -> Iterator[Write]:
    kind = str(tree.args.get("kind") or "TABLE").upper()
    if kind not in ("TABLE", "VIEW"):
        return
    tables = [tree.this, *tree.expressions, *(tree.args.get("tables") or ())]
    for table in tables:
        if isinstance(table, exp.Table):
            yield Write(target=name_of(table))
            if (swap := tree.find(exp.SwapTable)) is not None:
                yield Write(target=name_of(table), query=_everything(swap.this), by_name=True)
                yield Write(target=name_of(swap.this), query=_everything(table), by_name=True)
            if (rename := tree.find(exp.AlterRename)) is not None:
                yield from writes(renamed(name_of(table), name_of(rename.this)))


def _valued(values: exp.Values) -> exp.Query | None:
    """VALUES with subqueries in it, as SELECTs; constants come from nowhere."""
    rows = [row for row in values.expressions if isinstance(row, exp.Tuple) and row.find(exp.Query)]
    selects = [exp.Select(expressions=[v.copy() for v in row.expressions]) for row in rows]
    found: exp.Query | None = None
    for select in selects:
        found = select if found is None else exp.Union(this=found, expression=select, distinct=False)
    return found


def _everything(table: exp.Expr) -> exp.Select:
    return exp.Select(expressions=[exp.Star()], from_=exp.From(this=table.copy()))


def _from(select: exp.Select, source: exp.Expr) -> None:
    select.set("from_", exp.From(this=source))


def _join(select: exp.Select, source: exp.Expr, on: exp.Expr | None = None) -> None:
    select.append("joins", exp.Join(this=source, on=on.copy() if on is not None else None))


def _listed(target: exp.Expr) -> tuple[str, ...]:
    """The columns written after a table's name."""
    if not isinstance(target, exp.Schema):
        return ()
    return tuple(
        e.name for e in target.expressions if isinstance(e, (exp.Identifier, exp.ColumnDef, exp.Column))
    )


def _with(tree: exp.Expr, query: exp.Query) -> exp.Query:
    """The query with the CTEs that stand before the whole statement."""
    outer = tree.args.get("with_")
    if not isinstance(outer, exp.With):
        return query
    inner = query.args.get("with_")
    expressions = [c.copy() for c in outer.expressions]
    recursive = bool(outer.recursive)
    if isinstance(inner, exp.With):
        expressions += [c.copy() for c in inner.expressions]
        recursive = recursive or bool(inner.recursive)
    query.set("with_", exp.With(expressions=expressions, recursive=recursive))
    return query
