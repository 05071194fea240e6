"""What a statement writes, and from which query: every kind of statement brought into one form."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from contracts_svc.lineage.sql_forms import single_inserts
from contracts_svc.lineage.sql_moves import renamed
from contracts_svc.lineage.sql_updates import (
    delete_writes,
    merge_writes,
    returned,
    update_writes,
    upsert_writes,
)
from contracts_svc.lineage.sql_write import Write, everything, file_table, listed, name_of, with_ctes


def writes(tree: exp.Expr) -> Iterator[Write]:
    """Every write of a statement; nothing for statements that move no data."""
    for cte in list(tree.find_all(exp.CTE)):
        if isinstance(cte.this, exp.DML):
            yield from writes(cte.this.copy())
            cte.set("this", returned(cte.this))
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
        yield from merge_writes(tree)
    elif isinstance(tree, exp.Update):
        yield from update_writes(tree)
    elif isinstance(tree, exp.Delete):
        yield from delete_writes(tree)
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
        yield Write(target=name_of(tree.this), query=everything(file_table(tree.args["inpath"].name)))
    elif isinstance(tree, exp.Pivot):
        yield Write(target=None, unfollowed=tree)
    elif isinstance(tree, exp.Declare):
        yield from _declared(tree)
    elif isinstance(tree, (exp.Drop, exp.TruncateTable, exp.Alter)):
        yield from _changed(tree)


def _create(tree: exp.Create) -> Iterator[Write]:
    kind = (tree.kind or "").upper()
    # A model or a sink is made of rows as a table is; a function is no rows.
    rows = isinstance(tree.expression, exp.Query) and not kind.endswith(("FUNCTION", "PROCEDURE"))
    if kind not in ("TABLE", "VIEW") and not rows:
        return
    target, columns = name_of(tree.this), listed(tree.this)
    query = tree.expression
    clone = tree.args.get("clone")
    if isinstance(query, exp.Query):
        yield Write(target=target, query=with_ctes(tree, query), columns=columns, defines=True)
        if (to := tree.find(exp.ToTableProperty)) is not None:  # ClickHouse: the view only feeds this table
            yield Write(target=name_of(to.this), query=everything(tree.this), by_name=True)
    elif isinstance(query, exp.Expr):
        yield Write(target=target, unfollowed=query)
    elif isinstance(clone, exp.Clone) and isinstance(clone.this, exp.Table):
        yield Write(target=target, query=everything(clone.this), defines=True)
    elif (like := tree.find(exp.LikeProperty)) is not None and isinstance(like.this, exp.Table):
        yield Write(target=target, query=everything(like.this), defines=True)
    else:
        yield Write(target=target, columns=columns, defines=bool(columns))


def _declared(tree: exp.Declare) -> Iterator[Write]:
    """T-SQL's ``DECLARE @rows TABLE (id INT)``."""
    for item in tree.expressions:
        if isinstance(columns := item.args.get("kind"), exp.Schema):
            for name in item.this:
                yield Write(target=f"@{name.name}", columns=listed(columns), defines=True)


def _insert(tree: exp.Insert) -> Iterator[Write]:
    query = tree.expression or tree.args.get("source")
    if isinstance(query, exp.Table):
        query = everything(query)
    elif isinstance(query, exp.Values):
        query = _valued(query)
    elif not isinstance(query, exp.Query):
        query = None
    columns = listed(tree.this)
    partition = tree.this.args.get("partition") if isinstance(tree.this, exp.Table) else None
    parts = partition.expressions if isinstance(partition, exp.Partition) else []
    yield Write(
        target=_address_of(tree.this) or name_of(tree.this),
        query=None if query is None else with_ctes(tree, query),
        columns=columns,
        by_name=bool(tree.args.get("by_name")),
        # Hive and Spark: a partition is written by a constant, or by the last columns of the query.
        set_apart=tuple(p.this.name for p in parts if isinstance(p, exp.EQ)),
        last=tuple(p.name for p in parts if isinstance(p, exp.Column)),
    )
    rows = query if isinstance(query, exp.Query) else exp.Select(expressions=[exp.Null() for _ in columns])
    yield from upsert_writes(tree, rows, columns)


def _address_of(target: exp.Expr) -> str:
    """Where ``INSERT INTO FUNCTION s3('address')`` writes."""
    given = next(iter(target.expressions), None) if isinstance(target, exp.Anonymous) else None
    return str(given.name) if isinstance(given, exp.Literal) else ""


_OUTPUT = "what OUTPUT puts into a table is not followed"


def _put_into(into: exp.Expr) -> str:
    """The table of ``OUTPUT ... INTO log(id)``, which looks like a call."""
    if isinstance(into, exp.Func) and not isinstance(into, exp.Anonymous):
        return into.sql_name().lower()
    return name_of(into) or into.name


def _copy(tree: exp.Copy) -> Iterator[Write]:
    """``COPY (query) TO 'file'`` and ``COPY table FROM 'file'``."""
    given = tree.args.get("files") or ()
    files = [name for f in given if (name := f.name if isinstance(f, exp.Identifier) else name_of(f))]
    inner = tree.this
    into_table = bool(tree.args.get("kind"))
    if into_table:
        for query in (f.unnest() for f in given if isinstance(f, exp.Subquery)):
            if isinstance(query, exp.Query):
                yield Write(target=name_of(inner), query=query, columns=listed(inner))
        for file in files:
            yield Write(target=name_of(inner), query=everything(file_table(file)), columns=listed(inner))
        if not given:  # Snowflake: from the stage of the table itself
            yield Write(target=name_of(inner))
    elif files:
        query = inner.unnest() if isinstance(inner, exp.Subquery) else everything(inner)
        if isinstance(query, exp.Query):
            yield Write(target=files[0], query=query, defines=True)


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
    columns = tuple(c for action in tree.args.get("actions") or () for c in _column_changes(action))
    for table in tables:
        if isinstance(table, exp.Table):
            yield Write(target=name_of(table), forgets=isinstance(tree, exp.Drop), renames=columns)
            if (swap := tree.find(exp.SwapTable)) is not None:
                yield Write(target=name_of(table), query=everything(swap.this), by_name=True)
                yield Write(target=name_of(swap.this), query=everything(table), by_name=True)
            if (rename := tree.find(exp.AlterRename)) is not None:
                yield from writes(renamed(name_of(table), name_of(rename.this)))


def _column_changes(action: exp.Expr) -> Iterator[tuple[str, str]]:
    """The columns that ALTER TABLE changes: (former name, new name)."""
    if isinstance(action, exp.ColumnDef):
        yield "", action.name
    elif isinstance(action, exp.Schema):
        for column in action.expressions:
            yield from _column_changes(column)
    elif isinstance(action, exp.RenameColumn):
        yield action.name, action.args["to"].name
    elif isinstance(action, exp.ModifyColumn) and isinstance(action.args.get("rename_from"), exp.Identifier):
        yield action.args["rename_from"].name, action.this.name
    elif isinstance(action, exp.Drop) and str(action.args.get("kind")).upper() == "COLUMN":
        yield from ((column.name, "") for column in action.args.get("tables") or ())


def _valued(values: exp.Values) -> exp.Query | None:
    """VALUES with subqueries in it, as SELECTs; constants come from nowhere."""
    rows = [row for row in values.expressions if isinstance(row, exp.Tuple) and row.find(exp.Query)]
    selects = [exp.Select(expressions=[v.copy() for v in row.expressions]) for row in rows]
    found: exp.Query | None = None
    for select in selects:
        found = select if found is None else exp.Union(this=found, expression=select, distinct=False)
    return found
