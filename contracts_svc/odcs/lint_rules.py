"""The functions behind the rows of LINT_RULES: each looks at a contract and yields what it notices.

A rule is only worth having when what it finds is surely wrong, or surely missing: a false alarm costs
more than it saves.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import jsonschema_rs

from contracts_svc.errors import Location
from contracts_svc.files import S3_SCHEMES
from contracts_svc.model import Column, Contract, Element, Json, QualityRule, Relationship, Table
from contracts_svc.odcs.references import is_local, resolve

E = TypeVar("E", bound=Element)

_PASSWORD = re.compile(r"://[^/@\s:]{0,256}+:(?!\d+/)[^@\s]{1,256}+@")
"""In an address, where a number after ':' is a port."""
_SECRET_NAME = re.compile(r"(?i)(password|passwd|secret|token|(access|private|secret|api)_?key)\Z")
_COLUMN_METRICS = ("nullValues", "missingValues", "invalidValues")
_SIZE_OPTIONS = (("minLength", "maxLength"), ("minItems", "maxItems"), ("minProperties", "maxProperties"))


@dataclass(frozen=True, slots=True)
class Remark:
    """What a rule noticed: where, what, and how to put it right."""

    at: Location
    message: str
    fix: str


# -- names ------------------------------------------------------------------------------------------


def duplicate_tables(contract: Contract) -> Iterator[Remark]:
    for table, first in _repeated((t, t.name) for t in contract.tables):
        yield Remark(
            table.place("name"),
            f"a table '{table.name}' is already defined at line {first.at.line}",
            "rename one of the two, or remove it",
        )


def duplicate_columns(contract: Contract) -> Iterator[Remark]:
    for siblings in _siblings(contract):
        for column, first in _repeated((c, c.name) for c in siblings):
            yield Remark(
                column.place("name"),
                f"a column '{column.name}' is already defined at line {first.at.line}",
                "rename one of the two, or remove it",
            )


def duplicate_ids(contract: Contract) -> Iterator[Remark]:
    groups: list[Sequence[Table | Column | QualityRule]] = [contract.tables, *_siblings(contract)]
    groups += _quality(contract)
    for group in groups:
        for element, first in _repeated((e, e.id) for e in group if e.id):
            yield Remark(
                element.place("id"),
                f"the id '{element.id}' is already used at line {first.place('id').line}",
                "give each its own id",
            )


def duplicate_servers(contract: Contract) -> Iterator[Remark]:
    for server, first in _repeated((s, s.server) for s in contract.servers):
        yield Remark(
            server.place("server"),
            f"a server '{server.server}' is already defined at line {first.at.line}",
            "rename one of the two, or remove it",
        )


# -- keys -------------------------------------------------------------------------------------------


def primary_key(contract: Contract) -> Iterator[Remark]:
    for table in contract.tables:
        keys = [c for c in table.columns if c.primary_key]
        unplaced = [c for c in keys if c.primary_key_position < 1]
        if len(keys) > 1 and unplaced:
            names = ", ".join(f"'{c.name}'" for c in unplaced)
            yield Remark(
                unplaced[0].place("primaryKey"),
                f"the primary key of '{table.name}' has {len(keys)} columns, but no position for {names}",
                "add 'primaryKeyPosition: 1' (2, 3, ...) to each of its columns",
            )
        placed = ((c, str(c.primary_key_position)) for c in keys if c not in unplaced)
        for column, first in _repeated(placed):
            yield Remark(
                column.place("primaryKeyPosition"),
                f"'{column.name}' has the same position in the primary key as '{first.name}'",
                "number the columns 1, 2, 3, ...",
            )
        for column in table.columns:
            if not column.primary_key and column.primary_key_position > 0:
                yield Remark(
                    column.place("primaryKeyPosition"),
                    f"'{column.name}' has a position in a primary key that it does not belong to",
                    "add 'primaryKey: true', or remove the position",
                )


def relationship_targets(contract: Contract) -> Iterator[Remark]:
    for relationship in _relationships(contract):
        for field, references in (("from", relationship.source), ("to", relationship.target)):
            for reference in references:
                if is_local(reference) and resolve(reference, contract) is None:
                    yield Remark(
                        relationship.place(field),
                        f"there is no '{reference}' in this contract",
                        "correct it, or name the other contract: FILE.yaml#schema/TABLE/properties/COLUMN",
                    )


def relationship_lengths(contract: Contract) -> Iterator[Remark]:
    for relationship in _relationships(contract):
        source, target = len(relationship.source) or 1, len(relationship.target)
        if source != target:
            yield Remark(
                relationship.place("to"),
                f"the relationship goes from {source} to {target} columns",
                "name as many columns under 'to' as under 'from', in the same order",
            )


# -- promises ---------------------------------------------------------------------------------------


def patterns(contract: Contract) -> Iterator[Remark]:
    options = ((c.place("logicalTypeOptions"), c.logical_type_options) for _, c in _columns(contract))
    arguments = ((r.place("arguments"), r.arguments) for r in _rules(contract))
    for at, values in (*options, *arguments):
        pattern = values.get("pattern")
        if isinstance(pattern, str) and not _compiles(pattern):
            yield Remark(at, f"the pattern '{pattern}' is no regular expression", "correct the pattern")


def ranges(contract: Contract) -> Iterator[Remark]:
    for _, column in _columns(contract):
        for low, high in _crossed_options(column.logical_type_options):
            yield Remark(
                column.place("logicalTypeOptions"),
                f"no value of '{column.path}' can have {low} and {high}",
                "exchange the two, or correct one",
            )
    for rule in _rules(contract):
        crossed = _crossed_operators(rule.operators)
        if crossed:
            yield Remark(
                rule.place(crossed[0]),
                f"no value fits {' and '.join(f'{n}: {rule.operators[n]}' for n in crossed)}",
                "write the lower bound first",
            )


def quality_operator(contract: Contract) -> Iterator[Remark]:
    for rule in _rules(contract):
        if rule.type not in ("library", "sql") or rule.operators:
            continue
        name = rule.name or rule.id or rule.metric or rule.type
        if rule.type == "library" and not rule.metric:
            message, fix = f"the quality rule '{name}' has no metric", "add a metric, or write 'type: text'"
        else:
            message, fix = (
                f"the quality rule '{name}' compares with nothing",
                "add an operator, as in 'mustBe: 0'",
            )
        yield Remark(rule.at, message, fix)


def quality_level(contract: Contract) -> Iterator[Remark]:
    for table in contract.tables:
        for rule in table.quality:
            if rule.metric in _COLUMN_METRICS:
                yield Remark(
                    rule.at,
                    f"the metric {rule.metric} is about a column, but stands at the table '{table.name}'",
                    "move the rule to the column's quality",
                )


def quality_columns(contract: Contract) -> Iterator[Remark]:
    for table in contract.tables:
        known = {column.path for column in table.walk()}
        for rule in table.quality:
            named = rule.arguments.get("properties")
            for name in named if isinstance(named, list) else ():
                if isinstance(name, str) and name not in known:
                    yield Remark(
                        rule.place("arguments"),
                        f"there is no column '{name}' in '{table.name}'",
                        "correct the name",
                    )


def quality_arguments(contract: Contract) -> Iterator[Remark]:
    for _, column in _columns(contract):
        says_what_is_valid = column.logical_type_options or column.enum
        for rule in column.quality:
            if rule.metric != "invalidValues" or says_what_is_valid:
                continue
            if not {"validValues", "pattern"} & set(rule.arguments):
                yield Remark(
                    rule.at,
                    f"nothing says which values of '{column.path}' are valid",
                    "add 'arguments:' with validValues or pattern",
                )


def schedules(contract: Contract) -> Iterator[Remark]:
    # Loaded when a contract is judged: whoever only reads one needs no cron.
    from contracts_svc.schedule import ScheduleError, cron

    rules = ((r, r.schedule, r.scheduler) for r in _rules(contract))
    levels = ((s, s.schedule, s.extra.get("scheduler")) for s in contract.sla)
    for element, text, scheduler in (*rules, *levels):
        # Another scheduler has expressions of its own, and runs them itself.
        if text is None or str(scheduler or "cron").strip().lower() != "cron":
            continue
        try:
            cron(text)
        except ScheduleError as error:
            yield Remark(
                element.place("schedule"),
                f"the schedule cannot be run: {error}",
                "write for instance '0 20 * * *', or name the scheduler that it is for: 'scheduler: airflow'",
            )


# -- people and places ------------------------------------------------------------------------------


def owner(contract: Contract) -> Iterator[Remark]:
    team = contract.team
    if team is None or not (team.name or team.members):
        yield Remark(
            contract.place("team"),
            "no team owns this contract",
            "add 'team:' with a name and members",
        )


def support(contract: Contract) -> Iterator[Remark]:
    if not contract.support:
        yield Remark(
            contract.place("support"),
            "no support channel is named",
            "add 'support:' with a channel, as in '- channel: \"#orders\"' and 'tool: slack'",
        )


def server_location(contract: Contract) -> Iterator[Remark]:
    for server in contract.servers:
        location = server.fields.get("location")
        if server.type != "s3" or not isinstance(location, str):
            continue
        scheme, _, path = location.partition("://")
        if scheme not in S3_SCHEMES or not path.strip("/"):
            yield Remark(
                server.place("location"),
                f"the location of the server '{server.server}' is no S3 address",
                "write s3://BUCKET/PATH; an S3-compatible host goes to endpointUrl",
            )


def credentials(contract: Contract) -> Iterator[Remark]:
    for server in contract.servers:
        fields = [(name, value, server.place(name)) for name, value in server.fields.items()]
        custom = [(c.property, c.value, c.place("value")) for c in server.custom]
        for name, value, at in (*fields, *custom):
            if isinstance(value, str) and _is_secret(name, value):
                yield Remark(
                    at,
                    f"the field '{name}' of the server '{server.server}' holds credentials",
                    "remove them and change the password; they come from the environment",
                )


def _is_secret(name: str, value: str) -> bool:
    """Whether it is a secret, or an address with one; a placeholder as in ``${PASSWORD}`` is none."""
    named = bool(_SECRET_NAME.search(name) and value and not value.startswith(("$", "{")))
    return named or bool(_PASSWORD.search(value))


# -- helpers ----------------------------------------------------------------------------------------


def _repeated(named: Iterable[tuple[E, str | None]]) -> Iterator[tuple[E, E]]:
    """Every element whose name an earlier one has, with that one."""
    first: dict[str | None, E] = {}
    for element, name in named:
        if name in first:
            yield element, first[name]
        first.setdefault(name, element)


def _columns(contract: Contract) -> Iterator[tuple[Table, Column]]:
    return ((table, column) for table in contract.tables for column in table.walk())


def _siblings(contract: Contract) -> Iterator[tuple[Column, ...]]:
    """The columns of every table, and of every object column."""
    for table in contract.tables:
        yield table.columns
        yield from (column.columns for column in table.walk() if column.columns)


def _quality(contract: Contract) -> Iterator[tuple[QualityRule, ...]]:
    """The quality rules of every table and every column."""
    for table in contract.tables:
        yield table.quality
        yield from (column.quality for column in table.walk() if column.quality)


def _rules(contract: Contract) -> Iterator[QualityRule]:
    return (rule for rules in _quality(contract) for rule in rules)


def _relationships(contract: Contract) -> Iterator[Relationship]:
    for table in contract.tables:
        yield from table.relationships
        for column in table.walk():
            yield from column.relationships


def _compiles(pattern: str) -> bool:
    """Whether it is a regular expression of ECMAScript (what JSON Schema uses) or of Python."""
    try:
        jsonschema_rs.Draft202012Validator({"pattern": pattern})
    except ValueError:
        pass
    else:
        return True
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError):
        return False
    return True


def _crossed_options(options: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    """Pairs of a lower and an upper bound between which there is nothing."""
    for low, high in _SIZE_OPTIONS:
        if _above(options.get(low), options.get(high)):
            yield f"{low}: {options[low]}", f"{high}: {options[high]}"
    for low, low_strict in (("minimum", False), ("exclusiveMinimum", True)):
        for high, high_strict in (("maximum", False), ("exclusiveMaximum", True)):
            if _above(options.get(low), options.get(high), low_strict or high_strict):
                yield f"{low}: {options[low]}", f"{high}: {options[high]}"


def _crossed_operators(operators: Mapping[str, Json]) -> tuple[str, ...]:
    """The operators that no number fits together, or ()."""
    between = operators.get("mustBeBetween")
    if isinstance(between, list) and len(between) == 2 and _above(between[0], between[1], True):
        return ("mustBeBetween",)
    for low, low_strict in (("mustBeGreaterOrEqualTo", False), ("mustBeGreaterThan", True)):
        for high, high_strict in (("mustBeLessOrEqualTo", False), ("mustBeLessThan", True)):
            if _above(operators.get(low), operators.get(high), low_strict or high_strict):
                return low, high
    return ()


def _above(low: Json, high: Json, or_equal: bool = False) -> bool:
    """Whether the lower bound is above the upper one; False when they cannot be compared."""
    if isinstance(low, str) and isinstance(high, str):
        low, high = _moment(low), _moment(high)
    numbers = isinstance(low, (int, float)) and isinstance(high, (int, float))
    moments = isinstance(low, datetime) and isinstance(high, datetime)
    if not numbers and not (moments and (low.tzinfo is None) == (high.tzinfo is None)):
        return False
    return bool(low > high or (or_equal and low == high))


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
