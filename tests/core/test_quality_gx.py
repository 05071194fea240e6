"""Great Expectations' own cases, as far as ODCS can say them, give the same counts and verdicts.

A share of the values (``mostly``) is not ODCS's percentage, which is of all rows; such rows are compared
by their count. What ODCS cannot say at all is listed with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from contracts_svc.errors import UserMistake
from contracts_svc.runs import Outcome, Result
from tests.core.quality import contract, results, run, write
from tests.support import case_rows

Row = dict[str, Any]
Kwargs = Mapping[str, Any]

CANNOT_BE_SAID = {
    "expect_column_distinct_values_to_contain_set": "ODCS has no rule that a value must occur",
    "expect_column_distinct_values_to_equal_set": "ODCS has no rule that a value must occur",
    "expect_column_most_common_value_to_be_in_set": "ODCS has no rule about frequencies",
    "expect_column_pair_values_to_be_in_set": "ODCS has no lists of combinations",
    "expect_column_values_to_be_dateutil_parseable": "a parser of Python's",
    "expect_column_values_to_be_decreasing": "a table of files has no order of rows",
    "expect_column_values_to_be_increasing": "a table of files has no order of rows",
    "expect_column_values_to_be_in_type_list": "type names of vendors; types are checked by footers here",
    "expect_column_values_to_be_json_parseable": "ODCS has no such format",
    "expect_column_values_to_be_of_type": "type names of vendors; types are checked by footers here",
    "expect_column_values_to_match_json_schema": "ODCS has no such format",
    "expect_column_values_to_match_like_pattern": "T-SQL's LIKE with classes",
    "expect_column_values_to_match_like_pattern_list": "T-SQL's LIKE with classes",
    "expect_column_values_to_match_regex_list": "several patterns in one expectation",
    "expect_column_values_to_match_strftime_format": "formats of Python's",
    "expect_column_values_to_not_match_like_pattern": "T-SQL's LIKE with classes",
    "expect_column_values_to_not_match_regex_list": "several patterns in one expectation",
    "expect_select_column_values_to_be_unique_within_record": "ODCS compares rows, not columns of a row",
    "expect_table_column_count_to_be_between": "ODCS names columns and does not count them",
    "expect_table_column_count_to_equal": "ODCS names columns and does not count them",
    "expect_table_columns_to_match_ordered_list": "the order of columns is no promise in ODCS",
    "expect_table_row_count_to_equal_other_table": "needs a second table, which the case does not have",
}


class Unsayable(Exception):
    """This row asks for what ODCS cannot say; the message says what."""


def between(kwargs: Kwargs) -> dict[str, Any]:
    """The operators for an inclusive (or strict) range: each becomes a rule, as ODCS asks."""
    names = (
        ("min_value", "strict_min", "mustBeGreaterThan", "mustBeGreaterOrEqualTo"),
        ("max_value", "strict_max", "mustBeLessThan", "mustBeLessOrEqualTo"),
    )
    found = {}
    for limit, strict, open_, closed in names:
        if kwargs.get(limit) is not None:
            if not isinstance(kwargs[limit], int | float):
                raise Unsayable("a limit that is no number")
            found[open_ if kwargs.get(strict) else closed] = kwargs[limit]
    if not found:
        raise Unsayable("no limit at all")
    return found


def options(kwargs: Kwargs) -> dict[str, Any]:
    names = {"min_value": ("minimum", "exclusiveMinimum"), "max_value": ("maximum", "exclusiveMaximum")}
    found = {
        names[k][bool(kwargs.get(s))]: kwargs[k]
        for k, s in (("min_value", "strict_min"), ("max_value", "strict_max"))
        if kwargs.get(k) is not None
    }
    if not found:
        raise Unsayable("no limit at all")
    return {"logicalTypeOptions": found}


def lengths(kwargs: Kwargs) -> dict[str, Any]:
    low, high = kwargs.get("value", kwargs.get("min_value")), kwargs.get("value", kwargs.get("max_value"))
    if kwargs.get("strict_min") or kwargs.get("strict_max"):
        raise Unsayable("a strict bound on a length")
    found = {k: v for k, v in (("minLength", low), ("maxLength", high)) if v is not None}
    if not all(isinstance(v, int) for v in found.values()):
        raise Unsayable("a length that is no integer")
    return {"logicalTypeOptions": found}


def rule(metric: str, operators: Mapping[str, Any], **arguments: Any) -> dict[str, Any]:
    given = {"metric": metric, "arguments": arguments}
    return {"quality": [{"id": name, name: limit, **given} for name, limit in operators.items()]}


def sql(query: str, operators: Mapping[str, Any]) -> dict[str, Any]:
    given = {"type": "sql", "query": query}
    return {"quality": [{"id": name, name: limit, **given} for name, limit in operators.items()]}


def aggregate(expression: str) -> Callable[[Kwargs], dict[str, Any]]:
    return lambda k: sql(f"SELECT {expression.format(c=quoted(k['column']))} FROM {{object}}", between(k))


def quoted(name: str) -> str:
    return f'"{name}"'


def values(kwargs: Kwargs) -> list[Any]:
    listed: list[Any] = kwargs["value_set"]
    if listed is None:
        raise Unsayable("no list at all")
    return listed


ZERO = {"mustBe": 0}
OF_COLUMN: dict[str, Callable[[Kwargs], dict[str, Any]]] = {
    "expect_column_values_to_be_between": options,
    "expect_column_value_lengths_to_be_between": lengths,
    "expect_column_value_lengths_to_equal": lengths,
    "expect_column_values_to_match_regex": lambda k: {"logicalTypeOptions": {"pattern": k["regex"]}},
    "expect_column_values_to_not_match_regex": lambda k: sql(
        f"SELECT COUNT(*) FROM {{object}} WHERE regexp_matches(CAST({quoted(k['column'])} AS VARCHAR), '{k['regex']}')",
        ZERO,
    ),
    "expect_column_values_to_not_be_null": lambda k: {"required": True},
    "expect_column_values_to_be_null": lambda k: sql(
        f"SELECT COUNT({quoted(k['column'])}) FROM {{object}}", ZERO
    ),
    "expect_column_values_to_be_in_set": lambda k: rule("invalidValues", ZERO, validValues=values(k)),
    "expect_column_distinct_values_to_be_in_set": lambda k: rule(
        "invalidValues", ZERO, validValues=values(k)
    ),
    "expect_column_values_to_not_be_in_set": lambda k: rule(
        "missingValues", ZERO, missingValues=[v for v in values(k) if v is not None]
    ),
    "expect_column_values_to_be_unique": lambda k: {"unique": True},
    "expect_column_to_exist": lambda k: {},
    "expect_column_max_to_be_between": aggregate("MAX({c})"),
    "expect_column_min_to_be_between": aggregate("MIN({c})"),
    "expect_column_mean_to_be_between": aggregate("AVG({c})"),
    "expect_column_median_to_be_between": aggregate("MEDIAN({c})"),
    "expect_column_sum_to_be_between": aggregate("SUM({c})"),
    "expect_column_stdev_to_be_between": aggregate("STDDEV_SAMP({c})"),
    "expect_column_unique_value_count_to_be_between": aggregate("COUNT(DISTINCT {c})"),
    "expect_column_proportion_of_unique_values_to_be_between": aggregate("COUNT(DISTINCT {c}) / COUNT({c})"),
}
OF_TABLE: dict[str, Callable[[Kwargs], dict[str, Any]]] = {
    "expect_table_row_count_to_be_between": lambda k: rule("rowCount", between(k)),
    "expect_table_row_count_to_equal": lambda k: rule("rowCount", {"mustBe": k["value"]}),
    "expect_compound_columns_to_be_unique": lambda k: rule(
        "duplicateValues", ZERO, properties=k["column_list"]
    ),
    "expect_column_pair_values_to_be_equal": lambda k: sql(
        f"SELECT COUNT(*) FROM {{object}} WHERE {quoted(k['column_A'])} "
        f"{'<>' if k.get('ignore_row_if') == 'either_value_is_missing' else 'IS DISTINCT FROM'} "
        f"{quoted(k['column_B'])}",
        ZERO,
    ),
    "expect_multicolumn_sum_to_equal": lambda k: sql(
        f"SELECT COUNT(*) FROM {{object}} WHERE {' + '.join(map(quoted, k['column_list']))} <> {k['sum_total']}",
        ZERO,
    ),
    "expect_table_columns_to_match_set": lambda k: {},
}


def kind_of(values: list[Any], declared: str | None) -> tuple[str, str]:
    """The DuckDB type and the logical type of a column of a case."""
    there = [v for v in values if v is not None]
    if declared in ("TIMESTAMP", "DATETIME") or (
        there and all(is_moment(v) for v in there) and declared == "DATE"
    ):
        return "TIMESTAMP", "timestamp"
    if not there:
        return "BIGINT", "integer"
    if all(isinstance(v, bool) for v in there):
        return "BOOLEAN", "boolean"
    if all(isinstance(v, int) and not isinstance(v, bool) for v in there):
        return "BIGINT", "integer"
    if all(isinstance(v, int | float) and not isinstance(v, bool) for v in there):
        return "DOUBLE", "number"
    if all(isinstance(v, str) for v in there):
        return "VARCHAR", "string"
    raise Unsayable("a column of several types")


def is_moment(value: Any) -> bool:
    try:
        datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return False
    return True


def judged(row: Row, folder: Path) -> list[Result]:
    """Our results of what the row asks, those that it is about."""
    expectation, kwargs = row["expectation"], row["kwargs"]
    kinds = {n: kind_of(v, (row["sql_types"] or {}).get(n)) for n, v in row["columns"].items()}
    columns = {n: {"name": n, "logicalType": logical} for n, (_, logical) in kinds.items()}
    table: dict[str, Any] = {"name": "t"}
    if expectation in OF_COLUMN:
        columns.setdefault(kwargs["column"], {"name": kwargs["column"]}).update(
            OF_COLUMN[expectation](kwargs)
        )
    else:
        table |= OF_TABLE[expectation](kwargs)
    if expectation == "expect_table_columns_to_match_set":
        columns = {n: {"name": n} for n in kwargs["column_set"] or ()}
    write(folder / "t/a.parquet", {n: [kinds[n][0], *v] for n, v in row["columns"].items()})
    try:
        given = contract(folder, {**table, "properties": list(columns.values())})
    except UserMistake as error:
        raise Unsayable(error.problems[0].message) from error
    found = run(given)
    if found.unsupported:
        raise Unsayable(found.unsupported[0].reason)
    said = results(found)
    of_types = {"table-present", "missing-column", "logical-type", "extra-column"}
    if expectation in ("expect_column_to_exist", "expect_table_columns_to_match_set"):
        of_types -= {"missing-column"}
        of_types -= {"extra-column"} if kwargs.get("exact_match", True) and "column_set" in kwargs else set()
    return [r for r in said.values() if r.check.kind not in of_types]


def mapped() -> Iterator[Row]:
    for row in case_rows("quality_gx"):
        usable = row["portable"] and not row["reference"].startswith("DISAGREES")
        if usable and row["expectation"] not in CANNOT_BE_SAID and row["expected"]["outcome"] != "error":
            yield row


def test_cases(tmp_path: Path) -> None:
    agree, wrong, unsayable = 0, [], []
    for number, row in enumerate(mapped()):
        try:
            found = judged(row, tmp_path / str(number))
        except Unsayable as error:
            unsayable.append((row["id"], row["title"], str(error)))
            continue
        problem = differs(row, found)
        if problem:
            wrong.append((row["id"], row["expectation"], row["title"], problem))
        else:
            agree += 1
    assert wrong == []
    # So that a mistake in this file cannot empty the test.
    assert agree >= 100
    assert len(unsayable) <= 10, unsayable


def translated(row: Row, folder: Path) -> list[Result]:
    """Our results of the row as a rule of the engine greatExpectations, as a contract may have it."""
    kinds = {n: kind_of(v, (row["sql_types"] or {}).get(n)) for n, v in row["columns"].items()}
    rule = {"type": row["expectation"], "kwargs": row["kwargs"]}
    table = {
        "name": "t",
        "quality": [{"type": "custom", "engine": "greatExpectations", "implementation": rule}],
        "properties": [{"name": n, "logicalType": logical} for n, (_, logical) in kinds.items()],
    }
    write(folder / "t/a.parquet", {n: [kinds[n][0], *v] for n, v in row["columns"].items()})
    found = run(contract(folder, table))
    if found.unsupported:
        raise Unsayable(found.unsupported[0].reason)
    of_types = {"table-present", "missing-column", "logical-type", "extra-column"}
    return [r for r in found.results if r.check.kind not in of_types]


def test_rules_of_their_engine_give_their_verdicts(tmp_path: Path) -> None:
    """What is translated agrees in every row; what is not is told, and never guessed at."""
    agree, wrong, told, skipped = 0, [], 0, []
    for number, row in enumerate(case_rows("quality_gx")):
        if not row["portable"] or row["reference"].startswith("DISAGREES"):
            continue
        try:
            found = translated(row, tmp_path / str(number))
        except Unsayable:
            told += 1
            continue
        if any(r.outcome in (Outcome.ERRORED, Outcome.SKIPPED) for r in found):
            skipped.append(row["title"])
            continue
        bad = any(r.bad for r in found)
        if row["expected"]["outcome"] == "error" or bad is not (row["expected"]["outcome"] == "fail"):
            wrong.append(
                (row["id"], row["expectation"], row["title"], [(r.expected, r.found) for r in found])
            )
        else:
            agree += 1
    assert wrong == []
    assert agree >= 90
    # Parameters of Python's, and a pattern of a column without a single value.
    assert len(skipped) <= 4, skipped


def differs(row: Row, found: list[Result]) -> str | None:
    """How our results are not what the row expects, or None."""
    expected = row["expected"]
    bad = any(r.outcome in (Outcome.FAILED, Outcome.WARNED) for r in found)
    if any(r.outcome in (Outcome.ERRORED, Outcome.SKIPPED) for r in found):
        return f"not measured: {[r.reason for r in found]}"
    mostly = row["kwargs"].get("mostly", 1)
    count = expected.get("unexpected_count")
    if mostly == 1 and bad is not (expected["outcome"] == "fail"):
        return f"expected {expected}, found {[(r.check.kind, r.found) for r in found]}"
    if count is None or not found:
        return None
    # Of a row that breaks both bounds there is one, since bounds do not cross in these cases.
    ours = sum(r.values.get("involved", r.values.get("failing", r.values.get("value"))) for r in found)
    return None if ours == count else f"expected {count} failing rows, found {ours}"


def test_every_expectation_of_the_cases_is_mapped_or_listed() -> None:
    named = {row["expectation"] for row in case_rows("quality_gx")}
    assert named - CANNOT_BE_SAID.keys() - OF_COLUMN.keys() - OF_TABLE.keys() == set()


@pytest.mark.parametrize("name", sorted(CANNOT_BE_SAID))
def test_what_cannot_be_said_has_a_reason_and_no_mapping(name: str) -> None:
    assert CANNOT_BE_SAID[name]
    assert name not in OF_COLUMN.keys() | OF_TABLE.keys()
