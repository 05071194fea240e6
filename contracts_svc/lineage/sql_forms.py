"""Forms that only some dialects have, brought into the ones that all have."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect

from contracts_svc.lineage.sql_write import name_of

MOST_INLINED = 10_000
"""Nodes of a statement up to which expressions that have names are written out."""


_DUMMIES = {"dual", "sysibm.sysdummy1"}
"""Tables of one row that some engines want in every SELECT."""


def common_form(tree: exp.Expr, dialect: Dialect) -> None:
    """Rewrite a statement in place, once its names are folded."""
    for query in list(tree.find_all(exp.Query)):
        if isinstance(query.args.get("with_"), exp.With):
            _name_values(query)
    for dot in list(tree.find_all(exp.Dot)):
        _field_of_row(dot)
    for cast in tree.find_all(exp.Cast):
        if isinstance(cast.this, exp.Identifier):  # ``CAST(s AS XML).value(...)``
            cast.set("this", exp.column(cast.this.copy()))
    for parameter in list(tree.find_all(exp.Parameter)):
        _column_of_file(parameter)
    for select in list(tree.find_all(exp.Select)):
        _sources(select)
        _fields_as_columns(select)
    if dialect.PSEUDOCOLUMNS:
        _without_pseudocolumns(tree, dialect.PSEUDOCOLUMNS)
    if type(dialect).__name__ == "ClickHouse":
        _name_inner(tree)
    for lateral in list(tree.find_all(exp.Lateral)):
        _rows_of_values(lateral)


def _sources(select: exp.Select) -> None:
    """What stands in FROM and JOIN, as tables and unnested lists."""
    source = select.args.get("from_")
    alone = source.this if source is not None and not select.args.get("joins") else None
    if isinstance(alone, exp.Table) and name_of(alone).lower() in _DUMMIES:
        select.set("from_", None)
        return
    joins: list[exp.Join] = []
    for join in select.args.get("joins") or ():
        if str(join.args.get("kind")).upper() == "ARRAY":
            joins += _array_join(select, join)
            continue
        if (condition := join.args.get("match_condition")) is not None:  # Snowflake: ASOF
            join.set("match_condition", None)
            join.set("on", exp.and_(join.args.get("on"), condition))
        if isinstance(join.this, exp.Pivot) and isinstance(join.this.this, exp.AtIndex):
            _object_unpivoted(join)
        joins.append(join)
    if joins:
        select.set("joins", joins)
    for nested in [source, *joins]:
        inner = nested.this if nested is not None else None
        if isinstance(inner, exp.Subquery) and isinstance(inner.this, exp.Table) and inner.alias:
            table = inner.this  # ``(b JOIN p ON ...) AS j``
            whole = exp.Select(expressions=[exp.Star()], joins=table.args.get("joins"))
            table.set("joins", None)
            whole.set("from_", exp.From(this=table.copy()))
            inner.set("this", whole)


def _array_join(select: exp.Select, join: exp.Join) -> list[exp.Join]:
    """ClickHouse's ``ARRAY JOIN list AS e``: an unnested list, whose name hides all others."""
    made: list[exp.Join] = []
    for entry in [join.this, *join.expressions]:
        name, source = entry.alias_or_name, f"array join {len(made)} of {entry.alias_or_name}"
        for column in list(select.find_all(exp.Column)):
            if (
                column.name == name
                and not column.table
                and column.find_ancestor(exp.Join, exp.Select) is select
            ):
                column.set("table", exp.to_identifier(source, quoted=True))
        columns = [exp.to_identifier(name, quoted=True)]
        alias = exp.TableAlias(this=exp.to_identifier(source, quoted=True), columns=columns)
        made.append(
            exp.Join(this=exp.Unnest(expressions=[entry.unalias().copy()], alias=alias), kind="CROSS")
        )
    return made


def _object_unpivoted(join: exp.Join) -> None:
    """Redshift's ``UNPIVOT object AS value AT name``."""
    at = join.this.this
    columns = [exp.to_identifier(at.this.alias), exp.to_identifier(at.expression.name)]
    alias = exp.TableAlias(
        this=exp.to_identifier(f"unpivot of {at.this.alias}", quoted=True), columns=columns
    )
    join.set("this", exp.Unnest(expressions=[at.this.this.copy()], alias=alias))


def _fields_as_columns(select: exp.Select) -> None:
    """BigQuery's ``SELECT AS VALUE STRUCT(x AS f)`` gives the columns of the struct."""
    struct = select.expressions[0] if len(select.expressions) == 1 else None
    if str(select.args.get("kind")).upper() == "VALUE" and isinstance(struct, exp.Struct):
        select.set("kind", None)
        select.set(
            "expressions",
            [
                exp.alias_(e.expression.copy(), e.this.copy()) if isinstance(e, exp.PropertyEQ) else e.copy()
                for e in struct.expressions
            ],
        )


def _without_pseudocolumns(tree: exp.Expr, names: Collection[str]) -> None:
    """Oracle's LEVEL and ROWNUM, BigQuery's _TABLE_SUFFIX: what the engine says of a row."""
    for column in list(tree.find_all(exp.Column)):
        if column.name.upper() in names and not column.table and column.parent is not None:
            value = exp.Anonymous(this=column.name)
            in_list = column.arg_key == "expressions" and isinstance(column.parent, exp.Select)
            column.replace(exp.alias_(value, column.this.copy()) if in_list else value)


def _column_of_file(parameter: exp.Parameter) -> None:
    """Snowflake's ``$1``, the first column of a staged file."""
    if not (isinstance(parameter.this, exp.Literal) and parameter.this.is_int):
        return
    name = exp.to_identifier(f"${parameter.name}", quoted=True)
    if isinstance(parameter.parent, exp.Column):
        parameter.replace(name)
    else:
        parameter.replace(exp.column(name))


def _name_inner(tree: exp.Expr) -> None:
    """ClickHouse: a name inside of an expression (``(x + 1 AS p) * 2``) can be used everywhere."""
    left = MOST_INLINED - len(list(tree.walk()))
    named: dict[str, list[exp.Column]] = {}
    for column in tree.find_all(exp.Column):
        if not column.table:
            named.setdefault(column.name, []).append(column)
    for alias in list(tree.find_all(exp.Alias)):
        select = alias.find_ancestor(exp.Select)
        if select is None or isinstance(alias.parent, (exp.Select, exp.Join, exp.PropertyEQ)):
            continue
        used = [c for c in named.get(alias.alias, ()) if c.find_ancestor(exp.Select) is select]
        left -= len(list(alias.walk())) * len(used)
        if left < 0:
            return
        value = alias.this.copy()
        alias.replace(value.copy())
        for column in used:
            whole = column.arg_key == "expressions" and column.parent is select
            column.replace(exp.alias_(value.copy(), column.this.copy()) if whole else exp.paren(value.copy()))


def _rows_of_values(lateral: exp.Lateral) -> None:
    """``LATERAL (VALUES (a.x), (a.y)) AS u (v)``, as SELECTs that see what stands before."""
    inner = lateral.this
    values = inner.this if isinstance(inner, exp.Subquery) else None
    if not isinstance(values, exp.Values):
        return
    rows = [row for row in values.expressions if isinstance(row, exp.Tuple)]
    names = lateral.alias_column_names or [f"column{i + 1}" for i in range(len(rows[0].expressions))]
    found: exp.Query | None = None
    for row in rows:
        cells = [exp.alias_(v.copy(), n, quoted=True) for v, n in zip(row.expressions, names, strict=False)]
        one = exp.Select(expressions=cells)
        found = one if found is None else exp.Union(this=found, expression=one, distinct=False)
    if found is not None:
        lateral.set("this", exp.Subquery(this=found))


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
