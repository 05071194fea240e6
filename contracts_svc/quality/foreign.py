"""Custom quality rules in the words of other engines, as checks of ours.

The common rules of Soda and Great Expectations mean what kinds of ours mean; their engines are not run.
What is not translated is told with the reason, never guessed at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from sqlglot import exp

from contracts_svc.errors import UserMistake
from contracts_svc.model import Json
from contracts_svc.odcs.yaml_nodes import parse
from contracts_svc.quality.kind import RuleAt, table_named
from contracts_svc.quality.kinds_text import pattern_problem
from contracts_svc.runs import Operator, Threshold, Unit

NONE = (Threshold(Operator.MUST_BE, 0),)
LARGEST_TEXT = 20_000
"""Characters of an implementation."""


class NotTranslated(ValueError):
    """The rule says what no kind of ours says; the message says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Translated:
    """A rule of another engine as a check of ours."""

    kind: str
    columns: tuple[str, ...] = ()
    arguments: Mapping[str, Json] = field(default_factory=dict)
    thresholds: tuple[Threshold, ...] = NONE
    unit: Unit = Unit.ROWS


Translation = Callable[[RuleAt, Json], tuple[Translated, ...]]
"""Reads an implementation. Raises NotTranslated."""


def read(at: RuleAt) -> Json:
    """The implementation as data, whether it was written as YAML in a text or in the contract itself.

    Raises NotTranslated. A text that is no mapping and no list is given back as it is.
    """
    written = at.rule.implementation
    if not isinstance(written, str):
        return written
    text = written.strip()
    if not text or len(text) > LARGEST_TEXT:
        raise NotTranslated("its implementation is empty" if not text else "its implementation is too long")
    # The reader of contracts wants a mapping; the name around it says nothing.
    lines = "\n".join(f"  {line}" for line in text.splitlines())
    try:
        return parse(f"rule:\n{lines}\n".encode(), "implementation").value["rule"]
    except UserMistake as error:
        raise NotTranslated(f"its implementation is not YAML: {error.problems[0].message}") from error


def column(at: RuleAt, name: Json) -> str:
    """The path of a column that a rule names, by its name or physical name. Raises NotTranslated."""
    if name is None and at.column is not None:
        return at.column.path
    wanted = str(name).casefold()
    for found in at.table.walk():
        if wanted in (found.path.casefold(), found.stored_name.casefold()):
            return found.path
    missing = "it names no column" if name is None else f"{at.table.name} has no column {name}"
    raise NotTranslated(missing)


def pattern(written: Json) -> str:
    """A regular expression that can be run. Raises NotTranslated."""
    problem = pattern_problem(str(written))
    if problem:
        raise NotTranslated(problem)
    return str(written)


def aggregate(
    at: RuleAt, path: str, function: Callable[[exp.Expr], exp.Expr], thresholds: tuple[Threshold, ...]
) -> Translated:
    """One figure of a column, as a check of the kind ``sql``. Raises NotTranslated."""
    found = at.table.column(path)
    if found is None or path != found.name:
        raise NotTranslated(f"a figure of {path}, which is inside another column")
    value = exp.column(exp.to_identifier(found.stored_name, quoted=True))
    query = exp.select(function(value)).from_(table_named(at.table.name))
    return Translated(
        kind="sql",
        columns=(path,),
        arguments={
            "query": query.sql(dialect="duckdb"),
            "tables": [at.table.name],
            "counts_rows": False,
        },
        thresholds=thresholds,
    )


AGGREGATES: Mapping[str, Callable[[exp.Expr], exp.Expr]] = MappingProxyType(
    {
        "min": lambda c: exp.Min(this=c),
        "max": lambda c: exp.Max(this=c),
        "avg": lambda c: exp.Avg(this=c),
        "sum": lambda c: exp.Sum(this=c),
        "median": lambda c: exp.Median(this=c),
        "stddev": lambda c: exp.StddevSamp(this=c),
        "distinct": lambda c: exp.Count(this=exp.Distinct(expressions=[c])),
    }
)


def is_amount(value: Json) -> bool:
    """Whether a limit is a number; a boolean is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)
