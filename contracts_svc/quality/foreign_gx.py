"""Expectations of Great Expectations as checks of ours: one row each.

https://greatexpectations.io/expectations/. Per-value expectations leave NULLs out, as our kinds do;
``mostly`` is a share of the values that are not NULL, which our percentages (of all rows) are not, so
only a share of all of them is translated, except where the expectation is about NULLs itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType

from sqlglot import exp

from contracts_svc.model import Json
from contracts_svc.quality import foreign, foreign_gx_rows
from contracts_svc.quality.foreign import NotTranslated, Translated
from contracts_svc.quality.kind import RuleAt
from contracts_svc.runs import Operator, Threshold, Unit

Arguments = Mapping[str, Json]
_IGNORED = {"column", "result_format", "include_config", "catch_exceptions", "meta", "severity", "notes"}


def translate(at: RuleAt, written: Json) -> tuple[Translated, ...]:
    """The checks that say what the expectation says. Raises NotTranslated."""
    if not isinstance(written, Mapping):
        raise NotTranslated("its implementation names no expectation")
    name = _snake(
        str(written.get("type") or written.get("expectation_type") or written.get("expectation") or "")
    )
    given = written.get("kwargs")
    given = given if isinstance(given, Mapping) else {k: v for k, v in written.items() if k not in _NAMES}
    arguments = {_snake(str(k)): v for k, v in given.items()}
    row = EXPECTATIONS.get(name)
    if row is None:
        raise NotTranslated(f"the expectation {name or '(none)'} is not one that is translated")
    make, known = row
    others = arguments.keys() - known - _IGNORED - {"mostly"}
    if others:
        raise NotTranslated(f"{name} with {', '.join(sorted(others))} is not translated")
    if arguments.get("mostly", 1) != 1 and name != "expect_column_values_to_not_be_null":
        raise NotTranslated(
            "mostly is a share of the values that are not NULL, and percentages are of all rows"
        )
    return make(at, arguments)


_NAMES = ("type", "expectation_type", "expectation", "kwargs")


def _snake(name: str) -> str:
    """``ExpectColumnToExist`` and ``minValue`` as the snake_case names."""
    parts = "".join(f"_{c.lower()}" if c.isupper() else c for c in name)
    return parts.removeprefix("_").replace("__", "_")


def _column(at: RuleAt, arguments: Arguments) -> tuple[str, ...]:
    return (foreign.column(at, arguments.get("column")),)


def _simple(kind: str) -> Callable[[RuleAt, Arguments], tuple[Translated, ...]]:
    return lambda at, arguments: (Translated(kind=kind, columns=_column(at, arguments)),)


def _not_null(at: RuleAt, arguments: Arguments) -> tuple[Translated, ...]:
    mostly = arguments.get("mostly", 1)
    if not foreign.is_amount(mostly) or not 0 <= mostly <= 1:
        raise NotTranslated(f"mostly is {mostly!r}, and not a share")
    most = float(100 * (1 - Decimal(repr(mostly))))
    limit = Threshold(Operator.LESS_OR_EQUAL, most)
    return (
        Translated(
            kind="null-values", columns=_column(at, arguments), thresholds=(limit,), unit=Unit.PERCENT
        ),
    )


def _limits(arguments: Arguments) -> tuple[Threshold, ...]:
    found = []
    for name, strict, open_, closed in (
        ("min_value", "strict_min", Operator.GREATER_THAN, Operator.GREATER_OR_EQUAL),
        ("max_value", "strict_max", Operator.LESS_THAN, Operator.LESS_OR_EQUAL),
    ):
        value = arguments.get(name)
        if value is None:
            continue
        if not foreign.is_amount(value):
            raise NotTranslated(f"{name} {value!r} is not a number")
        found.append(Threshold(open_ if arguments.get(strict) else closed, value))
    if not found:
        raise NotTranslated("it has neither min_value nor max_value")
    return tuple(found)


def _between(at: RuleAt, arguments: Arguments) -> tuple[Translated, ...]:
    kinds = (
        ("min_value", "exclusive-minimum" if arguments.get("strict_min") else "minimum"),
        ("max_value", "exclusive-maximum" if arguments.get("strict_max") else "maximum"),
    )
    found = tuple(
        Translated(kind=kind, columns=_column(at, arguments), arguments={"value": arguments[name]})
        for name, kind in kinds
        if arguments.get(name) is not None
    )
    if not found:
        raise NotTranslated("it has neither min_value nor max_value")
    return found


def _lengths(at: RuleAt, arguments: Arguments) -> tuple[Translated, ...]:
    exact = arguments.get("value")
    limits = (
        ("min-length", arguments.get("min_value", exact)),
        ("max-length", arguments.get("max_value", exact)),
    )
    found = tuple(
        Translated(kind=kind, columns=_column(at, arguments), arguments={"value": value})
        for kind, value in limits
        if value is not None
    )
    if not found or any(not isinstance(t.arguments["value"], int) for t in found):
        raise NotTranslated("it gives no length in whole characters")
    return found


def _listed(kind: str) -> Callable[[RuleAt, Arguments], tuple[Translated, ...]]:
    def make(at: RuleAt, arguments: Arguments) -> tuple[Translated, ...]:
        values = arguments.get("value_set")
        if not isinstance(values, list | tuple):
            raise NotTranslated("value_set is not a list")
        kept = [v for v in values if v is not None]
        return (Translated(kind=kind, columns=_column(at, arguments), arguments={"values": kept}),)

    return make


def _regex(at: RuleAt, arguments: Arguments) -> tuple[Translated, ...]:
    written = foreign.pattern(arguments.get("regex"))
    return (Translated(kind="pattern", columns=_column(at, arguments), arguments={"value": written}),)


def _together(at: RuleAt, arguments: Arguments) -> tuple[Translated, ...]:
    listed = arguments.get("column_list")
    if not isinstance(listed, list | tuple) or not listed:
        raise NotTranslated("column_list is not a list of columns")
    return (Translated(kind="duplicate-values", columns=tuple(foreign.column(at, n) for n in listed)),)


def _rows(at: RuleAt, arguments: Arguments) -> tuple[Translated, ...]:
    return (Translated(kind="row-count", thresholds=_limits(arguments)),)


def _row_count(at: RuleAt, arguments: Arguments) -> tuple[Translated, ...]:
    value = arguments.get("value")
    if not foreign.is_amount(value):
        raise NotTranslated(f"value {value!r} is not a number")
    return (Translated(kind="row-count", thresholds=(Threshold(Operator.MUST_BE, value),)),)


def _figure(name: str) -> Callable[[RuleAt, Arguments], tuple[Translated, ...]]:
    def make(at: RuleAt, arguments: Arguments) -> tuple[Translated, ...]:
        (path,) = _column(at, arguments)
        return (foreign.aggregate(at, path, foreign.AGGREGATES[name], _limits(arguments)),)

    return make


def _proportion(at: RuleAt, arguments: Arguments) -> tuple[Translated, ...]:
    return foreign_gx_rows.proportion(_limits(arguments), at, arguments)


def _equal_set(at: RuleAt, arguments: Arguments) -> tuple[Translated, ...]:
    return *_listed("enum")(at, arguments), *foreign_gx_rows.contains(at, arguments)


def _eq(one: exp.Expr, other: exp.Expr) -> exp.Expr:
    return exp.EQ(this=one, expression=other)


def _greater(at: RuleAt, arguments: Arguments) -> tuple[Translated, ...]:
    operator = exp.GTE if arguments.get("or_equal") else exp.GT
    return foreign_gx_rows.pair(lambda a, b: operator(this=a, expression=b))(at, arguments)


_PAIR = {"column_a", "column_b", "ignore_row_if"}
_SUM = {"column_list", "sum_total", "ignore_row_if"}
_RANGE = {"min_value", "max_value", "strict_min", "strict_max"}
_Row = tuple[Callable[[RuleAt, Arguments], tuple[Translated, ...]], set[str]]

EXPECTATIONS: Mapping[str, _Row] = MappingProxyType(
    {
        "expect_column_to_exist": (_simple("missing-column"), set()),
        "expect_column_values_to_not_be_null": (_not_null, set()),
        "expect_column_values_to_be_unique": (_simple("unique"), set()),
        "expect_compound_columns_to_be_unique": (_together, {"column_list"}),
        "expect_column_values_to_be_in_set": (_listed("enum"), {"value_set"}),
        "expect_column_distinct_values_to_be_in_set": (_listed("enum"), {"value_set"}),
        "expect_column_values_to_not_be_in_set": (_listed("missing-values"), {"value_set"}),
        "expect_column_values_to_be_between": (_between, _RANGE),
        "expect_column_values_to_match_regex": (_regex, {"regex"}),
        "expect_column_value_lengths_to_be_between": (_lengths, {"min_value", "max_value"}),
        "expect_column_value_lengths_to_equal": (_lengths, {"value"}),
        "expect_table_row_count_to_be_between": (_rows, _RANGE),
        "expect_table_row_count_to_equal": (_row_count, {"value"}),
        "expect_column_min_to_be_between": (_figure("min"), _RANGE),
        "expect_column_max_to_be_between": (_figure("max"), _RANGE),
        "expect_column_mean_to_be_between": (_figure("avg"), _RANGE),
        "expect_column_sum_to_be_between": (_figure("sum"), _RANGE),
        "expect_column_median_to_be_between": (_figure("median"), _RANGE),
        "expect_column_stdev_to_be_between": (_figure("stddev"), _RANGE),
        "expect_column_unique_value_count_to_be_between": (_figure("distinct"), _RANGE),
        "expect_column_proportion_of_unique_values_to_be_between": (_proportion, _RANGE),
        "expect_column_values_to_be_null": (foreign_gx_rows.null, set()),
        "expect_column_values_to_not_match_regex": (foreign_gx_rows.not_regex, {"regex"}),
        "expect_column_distinct_values_to_contain_set": (foreign_gx_rows.contains, {"value_set"}),
        "expect_column_distinct_values_to_equal_set": (_equal_set, {"value_set"}),
        "expect_column_pair_values_to_be_equal": (foreign_gx_rows.pair(_eq), _PAIR),
        "expect_column_pair_values_a_to_be_greater_than_b": (_greater, _PAIR | {"or_equal"}),
        "expect_multicolumn_sum_to_equal": (foreign_gx_rows.row_sum, _SUM),
    }
)
"""Expectation -> what makes checks of it, and the arguments that it reads."""
