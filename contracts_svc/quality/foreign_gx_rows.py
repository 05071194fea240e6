"""Expectations that no kind of ours states, as queries: what they count is written out in SQL."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sqlglot import exp

from contracts_svc.model import Json
from contracts_svc.quality import foreign
from contracts_svc.quality.foreign import NotTranslated, Translated
from contracts_svc.quality.kind import RuleAt, call, table_named
from contracts_svc.runs import Operator, Threshold

Arguments = Mapping[str, Json]
_Compare = Callable[[exp.Expr, exp.Expr], exp.Expr]
_MISSING = {
    "both_values_are_missing": exp.and_,
    "all_values_are_missing": exp.and_,
    "either_value_is_missing": exp.or_,
    "any_value_is_missing": exp.or_,
}
"""``ignore_row_if`` -> how NULLs of the columns are put together; ``never`` leaves no row out."""


def null(at: RuleAt, arguments: Arguments) -> tuple[Translated, ...]:
    """Every value is NULL."""
    return (_counted(at, _is_null(_named(at, arguments.get("column"))).not_()),)


def not_regex(at: RuleAt, arguments: Arguments) -> tuple[Translated, ...]:
    """No value has the pattern in it."""
    text = exp.cast(_named(at, arguments.get("column")), "TEXT")
    found = call("regexp_matches", text, exp.Literal.string(foreign.pattern(arguments.get("regex"))))
    return (_counted(at, found),)


def pair(
    operator: Callable[[exp.Expr, exp.Expr], exp.Expr],
) -> Callable[[RuleAt, Arguments], tuple[Translated, ...]]:
    """Two columns of a row compare so."""

    def make(at: RuleAt, arguments: Arguments) -> tuple[Translated, ...]:
        given = [arguments.get("column_a"), arguments.get("column_b")]
        both = [_named(at, name) for name in given]
        if None in given:
            raise NotTranslated("it names no two columns")
        how = arguments.get("ignore_row_if", "both_values_are_missing")
        # Beside what is left out, a NULL compares with nothing.
        wrong = exp.NullSafeNEQ(this=exp.paren(operator(*both)), expression=exp.true())
        if how == "never" and isinstance(operator(*both), exp.EQ):
            wrong = exp.NullSafeNEQ(this=both[0], expression=both[1])
        return (_counted(at, exp.and_(wrong, _kept(both, how))),)

    return make


def row_sum(at: RuleAt, arguments: Arguments) -> tuple[Translated, ...]:
    """The values of some columns add up to a total in every row."""
    listed, total = arguments.get("column_list"), arguments.get("sum_total")
    if not isinstance(listed, list | tuple) or not listed or not foreign.is_amount(total):
        raise NotTranslated("it gives no list of columns and a total")
    columns = [_named(at, name) for name in listed]
    added: exp.Expr = columns[0]
    for column in columns[1:]:
        added = exp.Add(this=added, expression=column)
    how = arguments.get("ignore_row_if", "all_values_are_missing")
    wrong = exp.NEQ(this=added, expression=exp.convert(total))
    return (_counted(at, exp.and_(wrong, _kept(columns, how))),)


def proportion(limits: tuple[Threshold, ...], at: RuleAt, arguments: Arguments) -> tuple[Translated, ...]:
    """The different values are such a share of those that are not NULL."""
    path = foreign.column(at, arguments.get("column"))

    def share(column: exp.Expr) -> exp.Expr:
        different = exp.Count(this=exp.Distinct(expressions=[column]))
        return exp.Div(this=exp.cast(different, "DOUBLE"), expression=exp.Count(this=column.copy()))

    return (foreign.aggregate(at, path, share, limits),)


def contains(at: RuleAt, arguments: Arguments) -> tuple[Translated, ...]:
    """Each value of a list is there."""
    values = arguments.get("value_set")
    if not isinstance(values, list | tuple) or not all(isinstance(v, str | int | float) for v in values):
        raise NotTranslated("value_set is not a list of texts or numbers")
    different = list(dict.fromkeys(values))
    path = foreign.column(at, arguments.get("column"))
    literals = [exp.convert(v) for v in different]

    def found(column: exp.Expr) -> exp.Expr:
        listed = exp.Case(ifs=[exp.If(this=exp.In(this=column, expressions=literals), true=column.copy())])
        return exp.Count(this=exp.Distinct(expressions=[listed]))

    if not literals:
        raise NotTranslated("value_set is empty")
    return (foreign.aggregate(at, path, found, (Threshold(Operator.MUST_BE, len(different)),)),)


def _kept(columns: Sequence[exp.Expr], how: Json) -> exp.Expr:
    """True for the rows that are looked at."""
    if how == "never":
        return exp.true()
    together = _MISSING.get(str(how))
    if together is None:
        raise NotTranslated(f"ignore_row_if {how} is not known")
    return together(*(_is_null(c) for c in columns)).not_()


def _is_null(column: exp.Expr) -> exp.Is:
    return exp.Is(this=column.copy(), expression=exp.null())


def _named(at: RuleAt, name: Json) -> exp.Column:
    path = foreign.column(at, name)
    found = at.table.column(path)
    if found is None or path != found.name:
        raise NotTranslated(f"{path} is inside another column")
    return exp.column(exp.to_identifier(found.stored_name, quoted=True))


def _counted(at: RuleAt, wrong: exp.Expr) -> Translated:
    """The rows for which it is true, as a check of the kind ``sql`` that counts none."""
    query = exp.select(exp.Count(this=exp.Star())).from_(table_named(at.table.name)).where(wrong)
    text = query.sql(dialect="duckdb")
    return Translated(kind="sql", arguments={"query": text, "tables": [at.table.name], "counts_rows": True})
