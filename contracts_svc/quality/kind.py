"""What a check kind is: one row that says where a promise stands, how it is measured and told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sqlglot import exp

from contracts_svc.errors import Location
from contracts_svc.files import PARQUET, Reading
from contracts_svc.findings import Severity
from contracts_svc.model import Column, Contract, Json, QualityRule, Table
from contracts_svc.quality.layout import Layout, Stored
from contracts_svc.runs import Check, Operator, Threshold, Unit, Unsupported

TargetOf = Callable[[str], tuple[Contract, Table, str] | None]
"""A relationship's reference as written -> the contract, table and column path it names."""

Values = Mapping[str, Json]
"""A measurement's figures."""


FEW = 5
"""How many examples a figure keeps."""


class Origin(StrEnum):
    """Where a measurement comes from."""

    FOOTER = "footer"
    """The footers of the files: no row is read."""
    SCAN = "scan"
    """An aggregate that shares one query with all other aggregates of the table."""
    GROUP = "group"
    """A query of its own, since it groups or joins rows, or is written by the user."""
    CUSTOM = "custom"
    """Code of the deployment, run outside the engine."""
    HISTORY = "history"
    """What happened over time: incidents, earlier runs. A single run skips it."""


class Merge(StrEnum):
    """How two partial states of one figure (of two sets of files) become the state of both."""

    SUM = "sum"
    MIN = "min"
    MAX = "max"
    EACH = "each"
    """The sums by name."""
    FIRST = "first"
    """The first few, in the order of the files."""
    APART = "apart"
    """The sum, where no value of the check's columns is in both sets: the footers tell."""
    NEVER = "never"
    """Both sets have to be read together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promises:
    """Where a kind looks for what is promised."""

    contract: Contract
    table: Table
    target_of: TargetOf
    reading: Reading = PARQUET
    """How the files are read that the promises are checked on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleAt:
    """A quality rule and where it stands; ``column`` is None for a rule of the table."""

    rule: QualityRule
    contract: Contract
    table: Table
    column: Column | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a kind makes of a quality rule: which columns it reads, and with what arguments."""

    columns: tuple[str, ...] = ()
    arguments: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reads:
    """What a kind may use to write its expressions: the check's columns as they are stored."""

    check: Check
    columns: tuple[Stored, ...]
    layout: Layout

    @property
    def column(self) -> Stored:
        """The only column."""
        return self.columns[0]

    @property
    def values(self) -> tuple[exp.Expr, ...]:
        """Each column as a fresh expression."""
        return tuple(c.expression.copy() for c in self.columns if c.expression is not None)

    @property
    def value(self) -> exp.Expr:
        """The only column as a fresh expression."""
        return self.values[0]

    @property
    def is_null(self) -> exp.Expr:
        """True where the only column has no value."""
        found = self.column.is_null
        assert found is not None, "the column cannot be read"
        return found

    @property
    def source(self) -> exp.Table:
        """The table that is checked."""
        return table_named(self.layout.table.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """A query of a check's own: what to ask, and which tables it names."""

    query: exp.Query
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckKind:
    """One row of the table of check kinds.

    A kind that counts failing rows gives ``failing``; its figures are then ``failing`` and ``rows``.
    A kind that measures one figure gives ``aggregates`` with ``value``.
    """

    key: str
    purpose: str
    """``Checks that ...``"""
    source: str
    """The ODCS field or fields that state it."""
    origin: Origin
    promised: Callable[[Promises], Iterator[Check | Unsupported]] | None = None
    """Reads the promises that stand in fields of the schema or the SLA."""
    metric: str = ""
    """The metric of a library quality rule that states it."""
    rule_type: str = ""
    """The type of quality rule that states it, where that is not ``library``."""
    terms: Callable[[RuleAt], Terms | str] | None = None
    """Reads a quality rule; text says why it cannot be checked."""
    subject: Callable[[Check], str]
    """What is counted, after the word rows: ``where dep_delay is NULL``."""
    failing: Callable[[Reads], exp.Expr] | None = None
    """True for a row that does not keep the promise."""
    aggregates: Callable[[Reads], Mapping[str, exp.Expr]] | None = None
    """Figures that are measured in the shared scan."""
    own: Callable[[Reads], Own | None] | None = None
    """The query of a GROUP kind; None where the shared scan measures all of its figures."""
    read: Callable[[Check, Sequence[Mapping[str, Json]]], Values] | None = None
    """Figures from the rows of the own query."""
    beside: bool = False
    """Whether its own query names no table, and tells by ``file_path`` what scans of the files left out."""
    measure: Callable[[Check, Layout], Values] | None = None
    """Figures of a FOOTER kind."""
    expected: Callable[[Check], str] | None = None
    """What is expected, where it is not a count or figure under thresholds."""
    found: Callable[[Check, Values, datetime], str] | None = None
    """What was found, for a person."""
    figure: Callable[[Check, Values, datetime], Json] | None = None
    """The number that the thresholds judge; by default ``failing``, else ``value``."""
    merge: Mapping[str, Merge] = field(default_factory=lambda: {"failing": Merge.SUM, "rows": Merge.SUM})
    """How each figure of two sets of files becomes that of both."""
    footer: str = ""
    """When the statistics in the footer of a file say its figures, so that the file is not read."""
    typed: bool = False
    """Whether it compares values, so that every file must store the promised kind of value."""
    judged: str = ""
    """Why a single run skips a HISTORY kind."""
    inside: bool = True
    """Whether it can be asked of values inside arrays and maps; a row then fails once, however many of
    its values do."""
    whole_table: Callable[[Check], bool] = lambda check: False
    """Whether the promise is such that a part of the table says nothing about it."""


def only_upper_bounds(check: Check) -> bool:
    """Whether its thresholds only limit a count from above: what breaks a part then breaks the whole."""
    upper = (Operator.LESS_THAN, Operator.LESS_OR_EQUAL)
    return all(t.operator in upper or t == Threshold(Operator.MUST_BE, 0) for t in check.thresholds)


def table_named(name: str) -> exp.Table:
    """A table of a query."""
    return exp.Table(this=exp.to_identifier(name, quoted=True))


def column_check(
    kind: str, table: Table, column: Column, *, at: Location, title: str, **arguments: Json
) -> Check:
    """A check that a field of a column states; its id is ``table.column.kind``."""
    return Check(
        id=f"{table.name}.{column.path}.{kind}",
        kind=kind,
        table=table.name,
        columns=(column.path,),
        arguments=arguments,
        severity=Severity.ERROR,
        title=title,
        at=at,
    )


def option_checks(
    promises: Promises, *, kind: str, option: str, problem: Callable[[Json], str | None], title: str
) -> Iterator[Check | Unsupported]:
    """The checks that one field of ``logicalTypeOptions`` states, on every column that has it."""
    for column in promises.table.walk():
        value = column.logical_type_options.get(option)
        if value is None:
            continue
        at = column.place("logicalTypeOptions")
        reason = problem(value)
        if reason:
            yield Unsupported(what=f"{promises.table.name}.{column.path}: {option}", reason=reason, at=at)
            continue
        text = title.format(column=column.path, value=value)
        yield column_check(kind, promises.table, column, at=at, title=text, value=value)


def where(check: Check, text: str) -> str:
    """A subject in which {column} and {value} are filled in."""
    return text.format(column=check.columns[0], value=check.arguments.get("value"))


def call(function: str, *arguments: exp.Expr) -> exp.Expr:
    """A call of an engine's function that sqlglot has no class of its own for."""
    return exp.Anonymous(this=function, expressions=list(arguments))


def count_where(condition: exp.Expr) -> exp.Expr:
    """The number of rows for which it is true; 0 of an empty table, of which COUNT_IF says NULL."""
    return exp.Coalesce(this=exp.CountIf(this=condition), expressions=[exp.Literal.number(0)])


def thresholds_of(rule: QualityRule) -> tuple[Threshold, ...] | str:
    """The thresholds of a rule, or why they cannot be used."""
    found: list[Threshold] = []
    for name, value in rule.operators.items():
        try:
            operator = Operator(name)
        except ValueError:
            return f"the operator {name} is not one of the standard's"
        pair = operator in (Operator.BETWEEN, Operator.NOT_BETWEEN)
        if pair and not (isinstance(value, list | tuple) and len(value) == 2 and all(map(is_number, value))):
            return f"{name} needs two numbers, the smaller one first"
        if not pair and not (is_number(value) or isinstance(value, bool)):
            return f"{name} needs a number"
        found.append(Threshold(operator, tuple(value) if pair else value))
    return tuple(found) or "it names no operator (mustBe, mustBeLessThan, ...) to compare with"


def unit_of(rule: QualityRule) -> Unit | str:
    """The unit of a rule (``rows`` by default), or why it cannot be used."""
    try:
        return Unit((rule.unit or "rows").strip().lower())
    except ValueError:
        return f"the unit {rule.unit} is neither rows nor percent"


_SEVERITIES = {
    "error": Severity.ERROR, "critical": Severity.ERROR, "high": Severity.ERROR,
    "warning": Severity.WARNING, "warn": Severity.WARNING, "medium": Severity.WARNING,
    "low": Severity.WARNING, "info": Severity.INFO,
}  # fmt: skip


def severity_of(text: str | None) -> Severity:
    """The severity that a rule's free text means; ERROR when it says none that is known."""
    return _SEVERITIES.get((text or "").strip().lower(), Severity.ERROR)


def is_number(value: Json) -> bool:
    """Whether a JSON value is a number; a boolean is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)
