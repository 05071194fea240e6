"""What type an expression has when its source columns have given types, as DuckDB decides it.

The rules are DuckDB 1.5's, and a test compares every one of them with DuckDB itself. What is not
written here has no known type: None, never a guess. Types are written as DuckDB writes them
(``DECIMAL(9,2)``, ``TIMESTAMP WITH TIME ZONE``, ``INTEGER[]``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from sqlglot import exp
from sqlglot.errors import SqlglotError

from contracts_svc.lineage.sql_text import MAX_BYTES, dialect_of
from contracts_svc.lineage.sql_type_common import NULL
from contracts_svc.lineage.sql_type_names import canonical
from contracts_svc.lineage.sql_type_rules import Typer
from contracts_svc.lineage.sql_type_table import RULES

__all__ = ["canonical", "result_type"]

# Expressions whose type follows from their parts in the same way in every dialect.
_PORTABLE = (
    exp.Column, exp.Identifier, exp.Paren, exp.Alias, exp.Cast, exp.TryCast, exp.DataType,
    exp.Min, exp.Max, exp.AnyValue, exp.Count, exp.Distinct, exp.Star, exp.Case, exp.If, exp.Coalesce,
    exp.Subquery, exp.Select, exp.Union, exp.Window, exp.Lag, exp.Lead, exp.FirstValue, exp.LastValue,
    exp.Predicate, exp.Connector, exp.Not, exp.Null, exp.Boolean, exp.Literal, exp.Order, exp.Ordered,
)  # fmt: skip


def result_type(expression: str, dialect: str, types: Mapping[tuple[str, str], str]) -> str | None:
    """The type of an edge's expression when its source columns have these types.

    ``types`` has keys (dataset name, column) and types as DuckDB writes them. None where the type
    is not known: an unknown function or column, an expression that would fail with these types, or
    one in another dialect whose rules differ from DuckDB's.
    """
    if not expression or len(expression) > MAX_BYTES:
        return None
    numbers: dict[tuple[str, str], int] = {}

    def numbered(match: re.Match[str]) -> str:
        column = (_unquoted(match["dataset"]), _unquoted(match["column"]))
        if column not in types:
            return match[0]
        parts = (_NUMBERED, str(numbers.setdefault(column, len(numbers))))
        return ".".join(f"{match['quote']}{part}{match['quote']}" for part in parts)

    # Most expressions of a lineage differ in nothing but the names of their columns.
    shape = _QUALIFIED.sub(numbered, expression)
    return _of_shape(shape, dialect, tuple(types[column] for column in numbers))


_NUMBERED = "#column"
_QUALIFIED = re.compile(
    r"""(?P<quote>["`])(?P<dataset>(?:(?!(?P=quote)).|(?P=quote){2})+)(?P=quote)\."""
    r"""(?P=quote)(?P<column>(?:(?!(?P=quote)).|(?P=quote){2})+)(?P=quote)"""
)


def _unquoted(name: str) -> str:
    return name.replace('""', '"').replace("``", "`")


@lru_cache(maxsize=8192)
def _of_shape(shape: str, dialect: str, known: tuple[str, ...]) -> str | None:
    tree = _parsed(shape, dialect)
    if tree is None:
        return None
    types = {(_NUMBERED, str(number)): type_ for number, type_ in enumerate(known)}
    try:
        if not _is_duckdb(dialect) and not all(isinstance(n, _PORTABLE) for n in tree.walk()):
            return None
        found = Typer(types, RULES, duckdb=_is_duckdb(dialect)).of(tree)
    except (SqlglotError, RecursionError):
        return None
    return None if found is None or found is NULL else found.name


@lru_cache(maxsize=2048)
def _parsed(expression: str, dialect: str) -> exp.Expr | None:
    found = dialect_of(dialect)
    if found is None:
        return None
    try:
        return found.parser().parse(found.tokenize(f"SELECT {expression}"), expression)[0]
    except (SqlglotError, RecursionError):
        return None


def _is_duckdb(dialect: str) -> bool:
    return dialect.lower() == "duckdb"
