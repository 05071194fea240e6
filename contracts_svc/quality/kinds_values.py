"""Check kinds that look at each row by itself: all of a table share one query.

NULL keeps every promise but ``required``, ``nullValues`` and ``missingValues``. NaN is a value and no
NULL; it is neither at least nor at most anything, so it breaks every bound (IEEE 754; the engine's own
order, in which NaN is the greatest, is not used), and it is no multiple of anything.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from sqlglot import exp

from contracts_svc.model import Json
from contracts_svc.quality import literals, text_values
from contracts_svc.quality.kind import (
    CheckKind,
    Merge,
    Origin,
    Promises,
    Reads,
    RuleAt,
    Terms,
    call,
    column_check,
    is_number,
    option_checks,
    where,
)
from contracts_svc.quality.kinds_text import does_not_match, pattern_problem
from contracts_svc.quality.layout import Stored
from contracts_svc.quality.literals import NotComparable
from contracts_svc.quality.types import Family
from contracts_svc.runs import Check

# --- what is promised -----------------------------------------------------------------------------


def _required(promises: Promises) -> Iterator[Check]:
    listed = {
        child.path
        for parent in promises.table.walk()
        for name in parent.logical_type_options.get("required") or ()
        for child in parent.columns
        if child.name == name
    }
    for column in promises.table.walk():
        if column.required or column.path in listed:
            yield column_check(
                "required",
                promises.table,
                column,
                at=column.place("required"),
                title=f"{column.path} is never NULL",
            )


def _enum(promises: Promises) -> Iterator[Check]:
    for column in promises.table.walk():
        if column.enum:
            yield column_check(
                "enum",
                promises.table,
                column,
                at=column.place("enum"),
                title=f"{column.path} is one of {_some(column.enum)}",
                values=list(column.enum),
            )


def _limit_problem(value: Json) -> str | None:
    if is_number(value) and math.isfinite(value):
        return None
    return None if isinstance(value, str) else f"{value!r} is neither a number nor a date or time"


def _step_problem(value: Json) -> str | None:
    return None if is_number(value) and 0 < value < math.inf else f"{value!r} is not a number above 0"


# --- what quality rules say -----------------------------------------------------------------------


def _of_column(at: RuleAt) -> Terms | str:
    if at.column is None:
        return f"{at.rule.metric} is a metric of a column, and this rule stands at a table"
    return Terms(columns=(at.column.path,))


def _missing_terms(at: RuleAt) -> Terms | str:
    if at.column is None:
        return _of_column(at)
    listed = at.rule.arguments.get("missingValues")
    if not isinstance(listed, list | tuple):
        return "missingValues needs arguments.missingValues, the list of values that count as missing"
    return Terms(columns=(at.column.path,), arguments={"values": list(listed)})


def _invalid_terms(at: RuleAt) -> Terms | str:
    if at.column is None:
        return _of_column(at)
    valid, pattern = at.rule.arguments.get("validValues"), at.rule.arguments.get("pattern")
    if valid is None and pattern is None:
        return "invalidValues needs arguments.validValues or arguments.pattern"
    if valid is not None and not isinstance(valid, list | tuple):
        return "arguments.validValues is not a list"
    problem = None if pattern is None else pattern_problem(pattern)
    if problem:
        return problem
    arguments: dict[str, Json] = {}
    if valid is not None:
        arguments["values"] = list(valid)
    if pattern is not None:
        arguments["pattern"] = str(pattern)
    return Terms(columns=(at.column.path,), arguments=arguments)


def _row_count_terms(at: RuleAt) -> Terms | str:
    if at.column is not None:
        return "rowCount is a metric of a table, and this rule stands at a column"
    return Terms()


# --- which rows fail ------------------------------------------------------------------------------


def _is_null(reads: Reads) -> exp.Expr:
    null = reads.is_null
    parent = reads.column.parent
    # A field of a struct that is NULL as a whole is not there, so it cannot be NULL itself.
    return null if parent is None else exp.and_(_null(parent.copy()).not_(), null)


def _is_missing(reads: Reads) -> exp.Expr:
    listed = reads.check.arguments["values"]
    tests: list[exp.Expr] = []
    if any(v is None for v in listed):
        tests.append(reads.is_null)
    if reads.column.raw is not None:
        tests += _is_text(listed, reads.column)
    found = literals.members(listed, reads.column)
    if found:
        tests.append(exp.In(this=reads.value, expressions=list(found)))
    return exp.or_(*tests) if tests else exp.false()


def _is_text(listed: Sequence[Json], stored: Stored) -> Iterator[exp.Expr]:
    """In a text file, N/A is found in a column of numbers too."""
    if stored.raw is None:
        return
    text = text_values.json_text(stored.raw) if stored.json else stored.raw.copy()
    wanted = [exp.Literal.string(literals.text(v)) for v in listed if v is not None]
    if wanted:
        yield exp.In(this=text, expressions=wanted)


def _is_not_listed(reads: Reads) -> exp.Expr:
    found = literals.members(reads.check.arguments["values"], reads.column)
    if not found:
        return _null(reads.value).not_()
    if all(v.type == "VARCHAR" for v in reads.column.variants):
        # DuckDB asks a function once for each entry of a dictionary, and IN for each row.
        return exp.not_(call("list_contains", exp.Array(expressions=list(found)), reads.value))
    return exp.In(this=reads.value, expressions=list(found)).not_()


def _is_invalid(reads: Reads) -> exp.Expr:
    tests: list[exp.Expr] = []
    if "values" in reads.check.arguments:
        tests.append(_is_not_listed(reads))
    if "pattern" in reads.check.arguments:
        tests.append(does_not_match(reads))
    return exp.or_(*tests)


def _is_outside(reads: Reads, *, comparison: type[exp.Binary], upward: bool) -> exp.Expr:
    limit = literals.bound(reads.check.arguments["value"], reads.column, upward=upward)
    outside = comparison(this=reads.value, expression=limit)
    return exp.or_(outside, _nan(reads)) if reads.column.family is Family.FLOAT else outside


def _is_no_multiple(reads: Reads) -> exp.Expr:
    step = literals.number(reads.check.arguments["value"])
    family = reads.column.family
    if not family.numeric:
        raise NotComparable(f"a column of {family} has no multiples")
    if family is not Family.FLOAT:
        divisor = literals.common_multiple(step, reads.column)
        rest = reads.value if divisor is None else exp.Mod(this=reads.value, expression=divisor)
        return exp.NEQ(this=rest, expression=exp.Literal.number(0))
    # Binary floats hold no 0.1: a multiple is what is within the rounding of its width of one.
    rounding = "2.4e-7" if reads.column.single else "1e-15"
    ratio = exp.Div(this=reads.value, expression=exp.cast(exp.Literal.string(str(step)), "DOUBLE"))
    off = exp.Abs(this=exp.Sub(this=ratio, expression=call("round", ratio.copy())))
    allowed = exp.Mul(
        this=exp.Literal.number(rounding),
        expression=call("greatest", exp.Literal.number(1), exp.Abs(this=ratio.copy())),
    )
    finite = call("isfinite", reads.value)
    return exp.or_(exp.GT(this=off, expression=allowed), exp.not_(finite))


def _null(value: exp.Expr) -> exp.Is:
    return exp.Is(this=value, expression=exp.null())


def _nan(reads: Reads) -> exp.Expr:
    return call("isnan", reads.value)


def _count_rows(reads: Reads) -> Mapping[str, exp.Expr]:
    return {"value": exp.Count(this=exp.Star())}


# --- for a person ---------------------------------------------------------------------------------


def _some(values: tuple[Json, ...] | list[Json]) -> str:
    shown = ", ".join("NULL" if v is None else str(v) for v in values[:5])
    return shown + (", ..." if len(values) > 5 else "")


def _where_missing(check: Check) -> str:
    return f"where {check.columns[0]} is {_some(check.arguments['values']) or 'nothing'}"


def _where_not_listed(check: Check) -> str:
    return f"where {check.columns[0]} is not one of {_some(check.arguments['values'])}"


def _where_invalid(check: Check) -> str:
    values, pattern = check.arguments.get("values"), check.arguments.get("pattern")
    parts = [f"is not one of {_some(values)}"] if values is not None else []
    parts += [f"does not match {pattern}"] if pattern is not None else []
    return f"where {check.columns[0]} " + " or ".join(parts)


def _bound_kind(
    *, key: str, option: str, comparison: type[exp.Binary], upward: bool, says: str, fails: str
) -> CheckKind:
    return CheckKind(
        key=key,
        purpose=f"Checks that every value is {says} the {option} (NaN never is).",
        source=f"schema.properties.logicalTypeOptions.{option}",
        origin=Origin.SCAN,
        promised=partial(
            option_checks,
            kind=key,
            option=option,
            problem=_limit_problem,
            title=f"{{column}} is {says} {{value}}",
        ),
        subject=partial(where, text=f"where {{column}} is {fails} {{value}}"),
        failing=partial(_is_outside, comparison=comparison, upward=upward),
        typed=True,
        footer="where all values of a file are on one side of the limit, and are no floats or texts",
    )


KINDS: tuple[CheckKind, ...] = (
    CheckKind(
        key="required",
        purpose="Checks that no value is NULL.",
        source="schema.properties.required, logicalTypeOptions.required of an object",
        origin=Origin.SCAN,
        promised=_required,
        subject=partial(where, text="where {column} is NULL"),
        failing=_is_null,
        footer="where the NULLs of a column outside of structs are counted",
    ),
    CheckKind(
        key="null-values",
        purpose="Checks that the number or percentage of NULLs keeps the rule's thresholds.",
        source="quality.metric nullValues",
        origin=Origin.SCAN,
        metric="nullValues",
        terms=_of_column,
        subject=partial(where, text="where {column} is NULL"),
        failing=_is_null,
        footer="where the NULLs of a column outside of structs are counted",
    ),
    CheckKind(
        key="missing-values",
        purpose="Checks that values listed as missing (NULL, '', N/A, ...) keep the rule's thresholds.",
        source="quality.metric missingValues with arguments.missingValues",
        origin=Origin.SCAN,
        metric="missingValues",
        terms=_missing_terms,
        subject=_where_missing,
        failing=_is_missing,
        typed=True,
        footer="where NULLs are counted and all values of a file are on one side of the listed ones",
    ),
    CheckKind(
        key="invalid-values",
        purpose="Checks that values outside a list, or not matching a pattern, keep the rule's thresholds.",
        source="quality.metric invalidValues with arguments.validValues, arguments.pattern",
        origin=Origin.SCAN,
        metric="invalidValues",
        terms=_invalid_terms,
        subject=_where_invalid,
        failing=_is_invalid,
        typed=True,
        footer="where all values of a file are on one side of the listed ones, or the same one",
    ),
    CheckKind(
        key="enum",
        purpose="Checks that every value is one of the listed ones.",
        source="schema.properties.enum",
        origin=Origin.SCAN,
        promised=_enum,
        subject=_where_not_listed,
        failing=_is_not_listed,
        typed=True,
        footer="where all values of a file are on one side of the listed ones, or the same one",
    ),
    _bound_kind(
        key="minimum", option="minimum", comparison=exp.LT, upward=True, says="at least", fails="not at least"
    ),
    _bound_kind(
        key="maximum", option="maximum", comparison=exp.GT, upward=False, says="at most", fails="not at most"
    ),
    _bound_kind(
        key="exclusive-minimum",
        option="exclusiveMinimum",
        comparison=exp.LTE,
        upward=False,
        says="above",
        fails="not above",
    ),
    _bound_kind(
        key="exclusive-maximum",
        option="exclusiveMaximum",
        comparison=exp.GTE,
        upward=True,
        says="below",
        fails="not below",
    ),
    CheckKind(
        key="multiple-of",
        purpose="Checks that every value is a multiple of a number (floats: within rounding).",
        source="schema.properties.logicalTypeOptions.multipleOf",
        origin=Origin.SCAN,
        promised=partial(
            option_checks,
            kind="multiple-of",
            option="multipleOf",
            problem=_step_problem,
            title="{column} is a multiple of {value}",
        ),
        subject=partial(where, text="where {column} is no multiple of {value}"),
        failing=_is_no_multiple,
        typed=True,
    ),
    CheckKind(
        key="row-count",
        purpose="Checks that the number of rows keeps the rule's thresholds.",
        source="quality.metric rowCount",
        origin=Origin.SCAN,
        metric="rowCount",
        terms=_row_count_terms,
        subject=lambda check: "rows",
        aggregates=_count_rows,
        merge={"value": Merge.SUM},
        whole_table=lambda check: True,
        footer="always",
    ),
)
