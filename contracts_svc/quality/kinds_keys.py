"""Check kinds that compare rows with each other or with another table: each has a query of its own.

As in SQL, a key of which a part is NULL equals nothing: it is never a duplicate and never an orphan.
Duplicates are counted as the rows beyond the first of each key, so that removing that many rows makes
the key unique.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from sqlglot import exp

from contracts_svc.model import Column, Json, Relationship
from contracts_svc.quality.kind import (
    CheckKind,
    Merge,
    Origin,
    Own,
    Promises,
    Reads,
    RuleAt,
    Terms,
    Values,
    call,
    column_check,
    count_where,
    table_named,
)
from contracts_svc.quality.reach import each_element
from contracts_svc.quality.texts import share
from contracts_svc.runs import Check, Unsupported

SHOWN = 20
"""How many of the values without a match are kept."""


# --- what is promised -----------------------------------------------------------------------------


def _unique(promises: Promises) -> Iterator[Check]:
    for column in promises.table.walk():
        if column.unique:
            yield column_check(
                "unique",
                promises.table,
                column,
                at=column.place("unique"),
                title=f"no two rows have the same {column.path}",
            )


def _primary_key(promises: Promises) -> Iterator[Check]:
    table = promises.table
    keys = table.primary_key
    if keys:
        names = ", ".join(k.path for k in keys)
        yield Check(
            id=f"{table.name}.primary-key",
            kind="primary-key",
            table=table.name,
            columns=tuple(k.path for k in keys),
            title=f"{names} identifies a row of {table.name}: never NULL, never twice",
            at=keys[0].place("primaryKey"),
        )


def _relationships(promises: Promises) -> Iterator[Check | Unsupported]:
    table = promises.table
    for relationship in table.relationships:
        sources = tuple(_source_column(promises, reference) for reference in relationship.source)
        yield _relationship(promises, relationship, sources)
    for column in table.walk():
        for relationship in column.relationships:
            yield _relationship(promises, relationship, (column,))


def _source_column(promises: Promises, reference: str) -> Column | None:
    table = promises.table
    found = promises.target_of(reference)
    if found is not None and found[0].id == promises.contract.id and found[1].name == table.name:
        return table.column(found[2])
    return table.column(reference.removeprefix(f"{table.name}."))


def _relationship(
    promises: Promises, relationship: Relationship, sources: tuple[Column | None, ...]
) -> Check | Unsupported:
    table = promises.table
    paths = tuple(c.path for c in sources if c is not None)
    targets = [promises.target_of(reference) for reference in relationship.target]
    found = [t for t in targets if t is not None]
    reason = None
    if len(paths) < len(sources):
        reason = f"{table.name} has no such column: {', '.join(relationship.source)}"
    elif len(found) < len(targets) or not found:
        unknown = [r for r, t in zip(relationship.target, targets, strict=True) if t is None]
        reason = f"no contract has {', '.join(unknown) or 'a target for it'}"
    elif len(paths) > 1 and any(_is_inside(p) for p in paths):
        reason = "a key of several columns cannot be inside an array or a map"
    elif any(_is_inside(path) for _, _, path in found):
        reason = "its target is inside an array or a map"
    elif len(found) != len(paths):
        reason = f"it has {len(paths)} columns on one side and {len(found)} on the other"
    elif len({(c.id, t.name) for c, t, _ in found}) > 1:
        reason = "its targets are in more than one table"
    if reason:
        to = ", ".join(relationship.target)
        return Unsupported(what=f"{table.name}: relationship to {to}", reason=reason, at=relationship.at)
    contract, target, _ = found[0]
    columns = [c for _, _, path in found if (c := target.column(path)) is not None]
    label = f"{target.name}.{', '.join(c.path for c in columns)}"
    own = contract.id == promises.contract.id
    return Check(
        id=f"{table.name}.relationship.{','.join(paths)}->{label.replace(' ', '')}",
        kind="relationship",
        table=table.name,
        columns=paths,
        arguments={
            "references": list(relationship.target),
            "source": target.name if own else f"{contract.id}/{target.name}",
            "target": label,
            "target_columns": [_stored_path(target.columns, c.path) for c in columns],
        },
        title=f"every {', '.join(paths)} is in {label}",
        at=relationship.at,
    )


def _is_inside(path: str) -> bool:
    """Whether a column is inside an array or a map, so that a row has many of its values."""
    return "[]" in path or "{" in path


def _stored_path(columns: Sequence[Column], path: str) -> list[str]:
    """The stored names that lead to a column, outermost first."""
    for column in columns:
        if column.path == path:
            return [column.stored_name]
        if path.startswith(column.path + "."):
            return [column.stored_name, *_stored_path(column.columns, path)]
    return []


def _duplicate_terms(at: RuleAt) -> Terms | str:
    if at.column is not None:
        return Terms(columns=(at.column.path,))
    listed = at.rule.arguments.get("properties")
    if not isinstance(listed, list | tuple) or not listed:
        return "duplicateValues of a table needs arguments.properties, the columns that are unique together"
    paths = tuple(str(p).removeprefix(f"{at.table.name}.") for p in listed)
    unknown = [p for p in paths if at.table.column(p) is None]
    return f"{at.table.name} has no column {', '.join(unknown)}" if unknown else Terms(columns=paths)


# --- how it is measured ---------------------------------------------------------------------------


def _duplicate_groups(reads: Reads) -> exp.Select:
    """The keys that more than one row has, with the number of rows, as ``n``."""
    count = exp.Count(this=exp.Star())
    keys = [exp.alias_(v, f"k{i}") for i, v in enumerate(reads.values)]
    return (
        exp.select(*keys, exp.alias_(count, "n"))
        .from_(reads.source)
        .where(_no_nulls(reads.values))
        .group_by(*reads.values)
        .having(exp.GT(this=count.copy(), expression=exp.Literal.number(1)))
    )


def _duplicates(reads: Reads) -> Own:
    rows = exp.column("n")
    surplus = exp.Sum(this=exp.Sub(this=rows, expression=exp.Literal.number(1)))
    query = exp.select(
        exp.alias_(surplus, "duplicates"),
        exp.alias_(exp.Count(this=exp.Star()), "groups"),
        exp.alias_(exp.Sum(this=rows.copy()), "involved"),
    ).from_(_duplicate_groups(reads).subquery("g"))
    return Own(query=query, sources=(reads.layout.table.name,))


def _is_duplicate(reads: Reads) -> exp.Expr:
    keys = exp.Tuple(expressions=list(reads.values))
    groups = _duplicate_groups(reads)
    groups.set("expressions", list(reads.values))
    return exp.In(this=keys, query=groups.subquery())


def _breaks_key(reads: Reads) -> exp.Expr:
    return exp.or_(_no_nulls(reads.values).not_(), _is_duplicate(reads))


def _count_nulls(reads: Reads) -> Mapping[str, exp.Expr]:
    return {"nulls": count_where(_no_nulls(reads.values).not_()), **_count_rows(reads)}


def _count_rows(reads: Reads) -> Mapping[str, exp.Expr]:
    return {"rows": exp.Count(this=exp.Star())}


def _orphans(reads: Reads) -> Own:
    """The distinct keys without a match, those of most rows first, with the totals on each row."""
    names = [f"k{i}" for i in range(len(reads.columns))]
    values: Sequence[exp.Expr] = reads.values
    source: exp.Table | exp.Subquery = reads.source
    if reads.columns[0].elements is not None:
        every = call("unnest", each_element(reads.columns[0].elements, reads.value))
        values, source = (exp.column("v"),), exp.select(exp.alias_(every, "v")).from_(source).subquery("v")
    keys = exp.select(
        *(exp.alias_(v.copy(), n) for v, n in zip(values, names, strict=True)),
        exp.alias_(exp.Count(this=exp.Star()), "n"),
    )
    keys = keys.from_(source).where(_no_nulls(values)).group_by(*(v.copy() for v in values))
    lost = (
        exp.select(*names, "n")
        .from_(keys.subquery("keys"))
        .where(exp.not_(_has_match(reads, [exp.column(n, table="keys") for n in names])))
    )
    # Not window functions: over an anti-join, DuckDB 1.5.5 fails with an internal error now and then.
    rows = exp.select(exp.Sum(this=exp.column("n"))).from_("lost")
    distinct = exp.select(exp.Count(this=exp.Star())).from_("lost")
    query = (
        exp.select(
            *names,
            "n",
            exp.alias_(rows.subquery(), "orphans"),
            exp.alias_(distinct.subquery(), "distinct_orphans"),
        )
        .from_("lost")
        .order_by(exp.Ordered(this=exp.column("n"), desc=True), *names)
        .limit(SHOWN)
        .with_("lost", as_=lost, materialized=True)
    )
    return Own(query=query, sources=(reads.layout.table.name, str(reads.check.arguments["source"])))


def _count_values(reads: Reads) -> Mapping[str, exp.Expr]:
    """The rows; of a column inside an array, its values, which are what may have no match."""
    elements = reads.columns[0].elements
    if elements is None:
        return _count_rows(reads)
    total = exp.Sum(this=call("len", elements.copy()))
    return {"rows": exp.cast(exp.Coalesce(this=total, expressions=[exp.Literal.number(0)]), "BIGINT")}


def _is_orphan(reads: Reads) -> exp.Expr:
    # Inside the subquery, a bare name would be the target's column where both have one of that name.
    outer = [v.transform(_qualified, reads.layout.table.name) for v in reads.values]
    return exp.and_(_no_nulls(reads.values), exp.not_(_has_match(reads, outer)))


def _qualified(node: exp.Expr, table: str) -> exp.Expr:
    return exp.column(node.this, table=exp.to_identifier(table, quoted=True)) if _bare(node) else node


def _bare(node: exp.Expr) -> bool:
    return isinstance(node, exp.Column) and not node.table


def _has_match(reads: Reads, keys: Sequence[exp.Expr]) -> exp.Expr:
    targets = [_target(path) for path in reads.check.arguments["target_columns"]]
    same = [exp.EQ(this=t, expression=k.copy()) for t, k in zip(targets, keys, strict=True)]
    target = table_named(str(reads.check.arguments["source"]))
    target.set("alias", exp.TableAlias(this=exp.to_identifier("target")))
    return exp.Exists(this=exp.select(exp.Literal.number(1)).from_(target).where(*same))


def _target(path: Sequence[str]) -> exp.Expr:
    found: exp.Expr = exp.column(exp.to_identifier(path[0], quoted=True), table="target")
    for name in path[1:]:
        found = exp.Anonymous(this="struct_extract", expressions=[found, exp.Literal.string(name)])
    return found


def _no_nulls(values: Sequence[exp.Expr]) -> exp.Expr:
    return exp.and_(*(exp.Is(this=v.copy(), expression=exp.null()).not_() for v in values))


# --- what the rows of the answer mean -------------------------------------------------------------


def _read_duplicates(check: Check, rows: Sequence[Mapping[str, Json]]) -> Values:
    row = rows[0]
    return {name: int(row[name] or 0) for name in ("duplicates", "groups", "involved")}


def _read_orphans(check: Check, rows: Sequence[Mapping[str, Json]]) -> Values:
    if not rows:
        return {"failing": 0, "distinct": 0, "orphans": []}
    keys = [[row[f"k{i}"] for i in range(len(check.columns))] for row in rows]
    return {
        "failing": int(rows[0]["orphans"]),
        "distinct": int(rows[0]["distinct_orphans"]),
        "orphans": [
            {"value": key[0] if len(key) == 1 else key, "rows": int(row["n"])}
            for key, row in zip(keys, rows, strict=True)
        ],
    }


def _key_figure(check: Check, values: Values, now: datetime) -> Json:
    return values["duplicates"] + values.get("nulls", 0)


# --- for a person ---------------------------------------------------------------------------------


def _names(check: Check) -> str:
    return ", ".join(check.columns)


def _that_repeat(check: Check) -> str:
    return f"that repeat {'a' if len(check.columns) == 1 else 'the'} {_names(check)} of another row"


def _found_duplicates(check: Check, values: Values, now: datetime) -> str:
    count, rows = _key_figure(check, values, now), values.get("rows")
    text = share(count, rows)
    if values["groups"]:
        verb = "key is" if values["groups"] == 1 else "keys are"
        text += f"; {values['groups']:,} {verb} there more than once"
    if values.get("nulls"):
        text += f"; NULL in {values['nulls']:,}"
    return text


def _found_orphans(check: Check, values: Values, now: datetime) -> str:
    inside = any(_is_inside(c) for c in check.columns)
    text = share(values["failing"], values.get("rows"), "values" if inside else "rows")
    if not values["failing"]:
        return text
    distinct = values["distinct"]
    shown = sorted(_show(o["value"]) for o in values["orphans"][:5])
    more = ", ..." if distinct > len(shown) else ""
    return f"{text}, {distinct:,} value{'s' if distinct > 1 else ''}: {', '.join(shown)}{more}"


def _show(value: Json) -> str:
    return f"({', '.join(map(str, value))})" if isinstance(value, list) else str(value)


_APART = {"duplicates": Merge.APART, "groups": Merge.APART, "involved": Merge.APART}

KINDS: tuple[CheckKind, ...] = (
    CheckKind(
        key="unique",
        inside=False,
        purpose="Checks that no value is there twice (NULLs are never equal).",
        source="schema.properties.unique",
        origin=Origin.GROUP,
        promised=_unique,
        subject=_that_repeat,
        failing=_is_duplicate,
        aggregates=_count_rows,
        own=_duplicates,
        read=_read_duplicates,
        figure=_key_figure,
        found=_found_duplicates,
        merge={**_APART, "rows": Merge.SUM},
        footer="never; files whose values are told to be apart are looked at one by one",
    ),
    CheckKind(
        key="duplicate-values",
        inside=False,
        purpose="Checks that rows that repeat a value, or a combination of columns, keep the thresholds.",
        source="quality.metric duplicateValues, of a table with arguments.properties",
        origin=Origin.GROUP,
        metric="duplicateValues",
        terms=_duplicate_terms,
        subject=_that_repeat,
        failing=_is_duplicate,
        aggregates=_count_rows,
        own=_duplicates,
        read=_read_duplicates,
        figure=_key_figure,
        found=_found_duplicates,
        merge={**_APART, "rows": Merge.SUM},
        footer="never; files whose values are told to be apart are looked at one by one",
    ),
    CheckKind(
        key="primary-key",
        inside=False,
        purpose="Checks that the key columns together identify a row: no NULL in them, no duplicates.",
        source="schema.properties.primaryKey, primaryKeyPosition",
        origin=Origin.GROUP,
        promised=_primary_key,
        subject=lambda check: f"with a NULL in {_names(check)}, or that repeat it",
        failing=_breaks_key,
        aggregates=_count_nulls,
        own=_duplicates,
        read=_read_duplicates,
        figure=_key_figure,
        found=_found_duplicates,
        merge={**_APART, "nulls": Merge.SUM, "rows": Merge.SUM},
        footer="never; files whose values are told to be apart are looked at one by one",
    ),
    CheckKind(
        key="relationship",
        purpose="Checks that every value (or combination) is in the column that it refers to.",
        source="relationships (foreignKey), of properties and of schema objects",
        origin=Origin.GROUP,
        promised=_relationships,
        subject=lambda check: f"without a match in {check.arguments['target']}",
        failing=_is_orphan,
        aggregates=_count_values,
        own=_orphans,
        read=_read_orphans,
        found=_found_orphans,
        merge={"failing": Merge.SUM, "distinct": Merge.NEVER, "rows": Merge.SUM},
    ),
)
