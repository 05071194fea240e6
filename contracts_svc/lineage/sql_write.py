"""One write of a statement, and the parts that every kind of statement builds its queries of."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

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
    set_apart: tuple[str, ...] = ()
    """Target columns that the statement gives a value of their own: no output column is theirs."""
    last: tuple[str, ...] = ()
    """Target columns that the last output columns go to, whatever their place in the table."""
    forgets: bool = False
    """What was known of the target's columns is so no more."""
    renames: tuple[tuple[str, str], ...] = ()
    """Columns of the target that change, (former, new): "" where one is added, or dropped."""


def name_of(table: exp.Expr | None) -> str:
    """A table's name as written (``db.schema.table``), "" where there is none."""
    while isinstance(table, exp.Schema):
        table = table.this
    if isinstance(table, exp.Table):
        return str(table.meta.get(WRITTEN) or _as_written([_part(p) for p in table.parts]))
    if isinstance(table, (exp.Directory, exp.Literal)):
        return table.name
    return ""


def _part(part: exp.Expr) -> str:
    """A part of a name; T-SQL's ``#temporary`` tables are no others."""
    sign = "#" if part.args.get("temporary") else "##" if part.args.get("global_") else ""
    return sign + part.name


def _as_written(parts: list[str]) -> str:
    """Spark reads files by ``parquet.`path```: the format is no part of the path."""
    return parts[-1] if len(parts) == 2 and "/" in parts[1] else ".".join(parts)


def file_table(name: str) -> exp.Table:
    """A file, or all files at an address, as a table."""
    source = exp.Table(this=exp.to_identifier(name, quoted=True))
    source.meta[WRITTEN] = name
    return source


def everything(table: exp.Expr) -> exp.Select:
    """All columns of a table."""
    return exp.Select(expressions=[exp.Star()], from_=exp.From(this=table.copy()))


def from_(select: exp.Select, source: exp.Expr) -> None:
    select.set("from_", exp.From(this=source))


def join(
    select: exp.Select, source: exp.Expr, on: exp.Expr | None = None, using: list[exp.Expr] | None = None
) -> None:
    found = exp.Join(this=source, on=on.copy() if isinstance(on, exp.Expr) else None)
    if using:
        found.set("using", [u.copy() for u in using])
    select.append("joins", found)


def listed(target: exp.Expr) -> tuple[str, ...]:
    """The columns written after a table's name."""
    if not isinstance(target, exp.Schema):
        return ()
    return tuple(
        e.name for e in target.expressions if isinstance(e, (exp.Identifier, exp.ColumnDef, exp.Column))
    )


def with_ctes(tree: exp.Expr, query: exp.Query) -> exp.Query:
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
