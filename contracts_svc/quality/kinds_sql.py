"""Check kinds whose measuring a contract writes out itself: SQL, and code of the deployment."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlglot
from sqlglot import exp

from contracts_svc.model import Json
from contracts_svc.quality import sql_rules, texts
from contracts_svc.quality.kind import (
    CheckKind,
    Merge,
    Origin,
    Own,
    Reads,
    RuleAt,
    Terms,
    Values,
    count_where,
    only_upper_bounds,
)
from contracts_svc.quality.sql_rules import Refused
from contracts_svc.runs import Check


class WrongAnswer(ValueError):
    """The answer of a user's query is not one value; the message says what it is."""


def _sql_terms(at: RuleAt) -> Terms | str:
    if not at.rule.query:
        return "it has no query"
    try:
        query = sql_rules.read(at.rule.query, at.contract, at.table, at.column)
    except Refused as error:
        return f"the query is refused: {error}"
    return Terms(
        columns=(at.column.path,) if at.column is not None else (),
        arguments={
            "query": query.tree.sql(dialect="duckdb"),
            "tables": list(query.tables),
            "counts_rows": query.counts_rows,
        },
    )


def _counted_rows(reads: Reads) -> Mapping[str, exp.Expr]:
    """The figure of a query that only counts rows of its table, as one more aggregate of the shared scan."""
    counted = sql_rules.condition(str(reads.check.arguments["query"]))
    if counted is None or not reads.check.arguments["counts_rows"]:
        return {}
    stored = {c.stored_name.casefold(): reads.layout.columns[c.path] for c in reads.layout.table.columns}
    names = {c.name.casefold() for c in counted.find_all(exp.Column)}
    if not all(n in stored and stored[n].variants for n in names):
        return {}
    if isinstance(counted, exp.Boolean):
        return {"value": exp.Count(this=exp.Star())}
    return {"value": count_where(counted)}


def _sql_query(reads: Reads) -> Own | None:
    if _counted_rows(reads):
        return None
    arguments = reads.check.arguments
    asked: exp.Expr = sqlglot.parse_one(str(arguments["query"]), dialect="duckdb")
    inner = asked if isinstance(asked, exp.Subquery) else exp.Subquery(this=asked)
    inner.set("alias", exp.TableAlias(this=exp.to_identifier("answer")))
    # Two rows are enough to see that it is more than one.
    query = exp.select("*").from_(inner).limit(2)
    return Own(query=query, sources=tuple(arguments["tables"]))


def _sql_answer(check: Check, rows: Sequence[Mapping[str, Json]]) -> Values:
    if len(rows) != 1 or len(rows[0]) != 1:
        columns = len(rows[0]) if rows else 0
        size = "no row" if not rows else f"{'more than one row' if len(rows) > 1 else 'one row'}"
        raise WrongAnswer(f"the query gives {size} of {columns} columns, and not one value")
    value = next(iter(rows[0].values()))
    if not (value is None or (isinstance(value, int | float) and math.isfinite(value))):
        # Not the value: it may be of a column that not everyone may see.
        what = "infinity or NaN" if isinstance(value, float) else "no number and no boolean"
        raise WrongAnswer(f"the query gives {what}")
    return {"value": value}


def _custom_terms(at: RuleAt) -> Terms | str:
    rule = at.rule
    engine = (rule.engine or "").strip()
    if engine.lower() != "pandera":
        known = "pandera does, common rules of soda and greatExpectations too"
        return f"the engine {engine or '(none)'} is not one that runs here: {known}"
    if not isinstance(rule.implementation, str) or not rule.implementation.strip():
        return "implementation must be the name of a schema in checks/"
    return Terms(
        columns=(at.column.path,) if at.column is not None else (),
        arguments={"engine": "pandera", "implementation": rule.implementation.strip()},
    )


def _found_custom(check: Check, values: Values, now: datetime) -> str:
    text = texts.share(values["failing"], values.get("rows"))
    reasons = ", ".join(str(r) for r in values.get("reasons", ())[:3])
    return f"{text}: {reasons}" if reasons else text


KINDS: tuple[CheckKind, ...] = (
    CheckKind(
        key="sql",
        inside=False,
        purpose="Checks that the one value a SELECT gives keeps the rule's thresholds.",
        source="quality type sql with query ({object}, {property}, ${table}, ${column})",
        origin=Origin.GROUP,
        rule_type="sql",
        terms=_sql_terms,
        subject=lambda check: "as the result of the query",
        aggregates=_counted_rows,
        own=_sql_query,
        read=_sql_answer,
        # Only a count of rows is in the shared scan; a query of its own is asked of all files together.
        merge={"value": Merge.SUM},
        footer="where it counts rows by comparisons with numbers and times that a footer can answer",
        whole_table=lambda check: not (check.arguments["counts_rows"] and only_upper_bounds(check)),
    ),
    CheckKind(
        key="custom",
        inside=False,
        purpose="Checks that the rows keep a pandera schema of checks/ (in a bounded child process).",
        source="quality type custom with engine pandera and implementation",
        origin=Origin.CUSTOM,
        rule_type="custom",
        terms=_custom_terms,
        subject=lambda check: f"that break {check.arguments['implementation']}",
        found=_found_custom,
        merge={"failing": Merge.NEVER},
    ),
)
