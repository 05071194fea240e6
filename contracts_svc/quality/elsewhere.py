"""Checks of data that does not lie in files: asked of another engine in its own words, judged in ours.

What is asked is written anew from the plan, so that nothing of a contract reaches the engine that the plan
does not have: no SQL that was refused, no other tables, no references to variables.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlglot
from sqlglot import exp

from contracts_svc.findings import Severity
from contracts_svc.model import Column, Contract, Json, Server, Table
from contracts_svc.quality.judge import expected, judge
from contracts_svc.quality.kinds import KIND_OF, Origin
from contracts_svc.runs import Check, Measurement, Operator, Outcome, Plan, Result, Threshold

NOTHING = "the engine of this kind of source does not measure it"
DIALECTS: Mapping[str, str] = {
    "athena": "athena", "azure": "duckdb", "bigquery": "bigquery", "clickhouse": "clickhouse",
    "databricks": "databricks", "duckdb": "duckdb", "gcs": "duckdb", "hive": "hive", "impala": "hive",
    "kafka": "duckdb", "local": "duckdb", "mysql": "mysql", "oracle": "oracle", "postgres": "postgres",
    "postgresql": "postgres", "redshift": "redshift", "s3": "duckdb", "snowflake": "snowflake",
    "sqlserver": "tsql", "trino": "trino",
}  # fmt: skip
"""Type of a server -> how its SQL is written."""

_THEIRS: Mapping[str, tuple[str, ...]] = {
    "missing-column": ("field_is_present",),
    "logical-type": ("field_type", "field_physical_type"),
    "physical-type": ("field_physical_type",),
    "required": ("field_required",),
    "unique": ("field_unique",),
    "primary-key": ("primary_key_unique", "field_primary_key_unique", "field_primary_key_required"),
    "enum": ("field_enum",),
    "minimum": ("field_minimum",),
    "maximum": ("field_maximum",),
    "min-length": ("field_min_length",),
    "max-length": ("field_max_length",),
    "min-items": ("field_min_items",),
    "max-items": ("field_max_items",),
    "unique-items": ("field_unique_items",),
    "pattern": ("field_regex",),
    "freshness": ("servicelevel_freshness",),
    "retention": ("servicelevel_retention",),
}
"""Kind of check -> what the other engine calls it, on the same column."""
_RULES = {"null-values", "missing-values", "invalid-values", "duplicate-values"}
_ARGUMENTS = {"missing-values": "missingValues", "invalid-values": "validValues"}
"""Kind of check -> what the standard calls its values."""
_BOUNDS: Mapping[str, type[exp.Binary]] = {"exclusive-minimum": exp.LTE, "exclusive-maximum": exp.GTE}
_UNREAD = "Could not read model"
_UNMEASURED = "Error evaluating check"
_CHECK = "check-"
"""How the ids of rules begin: ours have dots, which the standard does not let ids have."""
_GONE = ("does not exist", "not found", "doesn't exist", "no such table", "unknown table")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the other engine says of one of its checks."""

    type: str
    column: str = ""
    rule: str = ""
    """The id of the rule that it comes from."""
    result: str = ""
    """``passed``, ``failed``, ``warning``, ``error``, ``skipped`` ..."""
    reason: str = ""
    figures: Mapping[str, Json] = field(default_factory=dict)
    """What it measured: ``value``, ``row_count``, ``latest_timestamp`` ..."""


# --- what is asked ----------------------------------------------------------------------------------


def document(contract: Contract, table: Table, server: Server, planned: Plan) -> dict[str, Json]:
    """The contract that the other engine is given: one table, and what of it is to be measured."""
    rules: dict[str, list[Json]] = {}
    for number, check in enumerate(planned.checks):
        rule = _rule(check, table, server)
        if rule is not None:
            at = check.columns[0] if len(check.columns) == 1 and "metric" in rule else ""
            rules.setdefault(at, []).append(rule | {"id": f"{_CHECK}{number}", "mustBe": 0})
    return {
        "apiVersion": "v3.2.0",
        "kind": "DataContract",
        "id": contract.id,
        "version": contract.version,
        "status": "active",
        "servers": [{**server.fields, "server": server.server, "type": server.type}],
        "schema": [
            {
                "name": table.name,
                "physicalName": table.physical_name or table.name,
                "properties": [_property(c, rules) for c in table.columns],
                "quality": rules.get("", []),
            }
        ],
        "slaProperties": list(_levels(planned, _stored(table))),
    }


def _rule(check: Check, table: Table, server: Server) -> dict[str, Json] | None:
    if check.kind in _RULES:
        given = {_ARGUMENTS.get(check.kind, k) if k == "values" else k: v for k, v in check.arguments.items()}
        if len(check.columns) > 1:
            given["properties"] = [_stored(table)[c] for c in check.columns]
        return {"type": "library", "metric": KIND_OF[check.kind].metric, "arguments": given}
    if check.kind == "sql":
        return {"type": "sql", "query": _written(str(check.arguments["query"]), table, server)}
    counted = exp.select(exp.Count(this=exp.Star())).from_(_named(table))
    if check.kind in _BOUNDS:
        column = table.column(check.columns[0])
        if column is None or column.path != column.name:
            return None
        value = exp.column(exp.to_identifier(column.stored_name, quoted=True))
        wrong = _BOUNDS[check.kind](this=value, expression=exp.convert(check.arguments["value"]))
        counted = counted.where(wrong)
    elif check.kind != "row-count":
        return None
    return {"type": "sql", "query": counted.sql(dialect=DIALECTS.get(server.type))}


def _stored(table: Table) -> dict[str, str]:
    """Path of a column -> what it is called where it is stored."""
    names = {c.path: c.path for c in table.walk()}
    for column in table.columns:
        for nested in column.walk():
            names[nested.path] = column.stored_name + nested.path[len(column.path) :]
    return names


def _named(table: Table) -> exp.Table:
    """The table as its source knows it, where dots part schema and table."""
    names = (table.physical_name or table.name).split(".")
    parts = [exp.to_identifier(n, quoted=True) for n in names[-3:]]
    return exp.Table(
        this=parts[-1],
        db=parts[-2] if len(parts) > 1 else None,
        catalog=parts[-3] if len(parts) > 2 else None,
    )


def _written(query: str, table: Table, server: Server) -> str:
    """A query that the plan let through, in the SQL of the source."""
    tree = sqlglot.parse_one(query, dialect="duckdb")
    for node in list(tree.find_all(exp.Table)):
        if node.name == table.name:
            named = _named(table)
            own = exp.TableAlias(this=exp.to_identifier(table.name, quoted=True))
            named.set("alias", node.args.get("alias") or own)
            node.replace(named)
    return tree.sql(dialect=DIALECTS.get(server.type))


def _property(column: Column, rules: Mapping[str, list[Json]]) -> dict[str, Json]:
    # Exclusive bounds are asked for as rules; formats mean something else there.
    left_out = ("exclusiveMinimum", "exclusiveMaximum", "format")
    options = {k: v for k, v in column.logical_type_options.items() if k not in left_out}
    found: dict[str, Json] = {
        "name": column.stored_name,
        "logicalType": column.logical_type,
        "physicalType": column.physical_type,
        "logicalTypeOptions": options or None,
        "required": column.required or None,
        "unique": column.unique or None,
        "primaryKey": column.primary_key or None,
        "primaryKeyPosition": column.primary_key_position if column.primary_key else None,
        "enum": [{"value": v} for v in column.enum] or None,
        "quality": rules.get(column.path),
        "properties": [_property(c, rules) for c in column.columns] or None,
        "items": _property(column.items, rules) if column.items is not None else None,
    }
    return {k: v for k, v in found.items() if v is not None}


def _levels(planned: Plan, stored: Mapping[str, str]) -> Iterator[dict[str, Json]]:
    """How long is ours to judge: what is asked for is the time of the last row, or of the first."""
    for check in planned.checks:
        if check.kind in ("freshness", "retention"):
            element = f"{check.table}.{stored[check.columns[0]]}"
            yield {"property": check.kind, "value": 1, "unit": "d", "element": element}


# --- what is made of the answers ----------------------------------------------------------------------


def results(planned: Plan, table: Table, answers: Sequence[Answer], now: datetime) -> tuple[Result, ...]:
    """One result per check of the plan, in its order. What was measured is judged by our rules; of what
    was not, the engine's own verdict counts."""
    unread = next((a.reason for a in answers if a.reason.startswith(_UNREAD)), "")
    if unread:
        return tuple(_unread(c, unread, table) for c in planned.checks)
    stored = _stored(table)
    missing = {a.column for a in answers if a.type == "field_is_present" and a.result == "failed"}
    found: list[Result] = []
    for number, check in enumerate(planned.checks):
        names = {stored[c] for c in check.columns}
        if check.kind != "missing-column" and names & missing:
            found.append(_result(check, Outcome.SKIPPED, reason="the column is missing"))
            continue
        told = [a for a in answers if _is_about(a, check, names, f"{_CHECK}{number}")]
        found.append(_judged(check, told, now, planned))
    return tuple(found)


def _is_about(answer: Answer, check: Check, names: Collection[str], rule: str) -> bool:
    if answer.rule:
        return answer.rule == rule
    if answer.type not in _THEIRS.get(check.kind, ()):
        return False
    return answer.column in names or (check.kind == "primary-key" and not answer.column)


def _unread(check: Check, reason: str, table: Table) -> Result:
    # Some drivers say no more than its name.
    names = (table.name, table.physical_name or table.name)
    bare = reason.rpartition(": ")[2].strip("'\" ") in names
    if not bare and not any(sign in reason.lower() for sign in _GONE):
        return _result(check, Outcome.ERRORED, reason=reason)
    if check.kind == "table-present":
        return _result(check, _bad(check), found=f"no table {table.physical_name or table.name}")
    return _result(check, Outcome.SKIPPED, reason="the table is missing")


def _judged(check: Check, answers: Sequence[Answer], now: datetime, planned: Plan) -> Result:
    kind = KIND_OF[check.kind]
    if check.kind == "table-present":
        return _result(check, Outcome.PASSED, found="the table can be read")
    if kind.origin is Origin.HISTORY:
        return _result(check, Outcome.SKIPPED, reason=kind.judged)
    if kind.key in ("end-of-support", "end-of-life"):
        return _by_us(check, {"end": check.arguments["end"]}, now, planned)
    if not answers:
        return _result(check, Outcome.SKIPPED, reason=NOTHING)
    for answer in answers:
        if answer.result in ("", "error") or answer.reason.startswith(_UNMEASURED):
            return _result(check, Outcome.ERRORED, reason=answer.reason or "the engine gave no result")
        if answer.result in ("skipped", "unknown", "info", "warning") and "value" not in answer.figures:
            return _result(check, Outcome.SKIPPED, reason=answer.reason or NOTHING)
    values = _values(check, answers[0].figures)
    if values is not None and len(answers) == 1:
        return _by_us(check, values, now, planned)
    bad = [a for a in answers if a.result != "passed"]
    if check.thresholds != (Threshold(Operator.MUST_BE, 0),):
        return _result(check, Outcome.SKIPPED, reason=NOTHING)
    return _result(
        check,
        _bad(check) if bad else Outcome.PASSED,
        found="; ".join(dict.fromkeys(a.reason for a in bad)) or "as promised",
    )


def _values(check: Check, figures: Mapping[str, Json]) -> dict[str, Json] | None:
    """The figures of the kind, where the other engine counts what we count."""
    if check.kind in ("sql", "row-count"):
        return {"value": figures["value"]} if figures.get("value") is not None else None
    if check.kind in _BOUNDS:
        return {"failing": figures["value"], "rows": None} if figures.get("value") is not None else None
    if check.kind == "freshness":
        return {"latest": figures.get("latest_timestamp")}
    if check.kind == "retention":
        return {"oldest": figures.get("oldest_timestamp")}
    if KIND_OF[check.kind].origin is Origin.SCAN and figures.get("value") is not None:
        return {"failing": figures["value"], "rows": figures.get("row_count")}
    return None


def _by_us(check: Check, values: Mapping[str, Json], now: datetime, planned: Plan) -> Result:
    alone = Plan(contract=planned.contract, version=planned.version, table=planned.table, checks=(check,))
    (found,) = judge(alone, [Measurement(check=check.id, values=values)], now)
    return found


def _bad(check: Check) -> Outcome:
    return Outcome.FAILED if check.severity is Severity.ERROR else Outcome.WARNED


def _result(check: Check, outcome: Outcome, *, found: str = "", reason: str = "") -> Result:
    wanted = expected(check, KIND_OF[check.kind])
    return Result(check=check, outcome=outcome, expected=wanted, found=found, reason=reason)


def errored(planned: Plan, cause: str) -> tuple[Result, ...]:
    """Every check as one that could not be measured."""
    return tuple(_result(c, Outcome.ERRORED, reason=cause) for c in planned.checks)


def answers(found: Iterable[Mapping[str, Json]]) -> tuple[Answer, ...]:
    """What the other engine says, from JSON."""
    return tuple(
        Answer(
            type=str(each.get("type") or ""),
            column=str(each.get("field") or ""),
            rule=str(each.get("rule") or ""),
            result=str(each.get("result") or ""),
            reason=str(each.get("reason") or ""),
            figures=each.get("figures") or {},
        )
        for each in found
    )
