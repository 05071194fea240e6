"""Findings on changed SQL: what a changed job no longer gives, or gives otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from contracts_svc.errors import Location
from contracts_svc.findings import Change, ChangeKind, Finding, PlainRule, Severity, ordered
from contracts_svc.lineage.graph import DatasetId
from contracts_svc.lineage.sql_change import ColumnChange, ColumnFate, RowChange, SqlChange
from contracts_svc.lineage.sql_rows import RowKind
from contracts_svc.model import Column, Contract, Table

PromiseOf = Callable[[DatasetId], "tuple[Contract, Table] | None"]


REMOVED = PlainRule(
    id="SQL_COLUMN_REMOVED",
    purpose="Checks that a changed job still makes every column that it made.",
    severity=Severity.ERROR,
)
RENAMED = PlainRule(
    id="SQL_COLUMN_RENAMED",
    purpose="Checks that a changed job calls its columns what it called them.",
    severity=Severity.ERROR,
)
REDEFINED = PlainRule(
    id="SQL_COLUMN_REDEFINED",
    purpose="Checks that a changed job makes its columns of what it made them of.",
    severity=Severity.WARNING,
)
RETYPED = PlainRule(
    id="SQL_COLUMN_RETYPED",
    purpose="Checks that a changed job gives its columns the types that it gave them.",
    severity=Severity.ERROR,
)
ADDED = PlainRule(
    id="SQL_COLUMN_ADDED",
    purpose="Tells which columns a changed job makes that it did not make.",
    severity=Severity.INFO,
)
ROWS = PlainRule(
    id="SQL_ROWS_CHANGED",
    purpose="Checks that a changed job gives the same rows: sources, joins, filters, grouping, limits.",
    severity=Severity.WARNING,
)
ORDER = PlainRule(
    id="SQL_ORDER_CHANGED",
    purpose="Tells that a changed job sorts its rows otherwise.",
    severity=Severity.INFO,
)
NOT_COMPARED = PlainRule(
    id="SQL_NOT_COMPARED",
    purpose="Checks that it is known what a changed job does to its columns and rows.",
    severity=Severity.WARNING,
)
SQL_RULES = (REMOVED, RENAMED, REDEFINED, RETYPED, ADDED, ROWS, ORDER, NOT_COMPARED)

_BY_FATE = {
    ColumnFate.REMOVED: REMOVED,
    ColumnFate.RENAMED: RENAMED,
    ColumnFate.REDEFINED: REDEFINED,
    ColumnFate.ADDED: ADDED,
    ColumnFate.UNKNOWN: NOT_COMPARED,
}


def sql_findings(changes: Iterable[SqlChange], promise_of: PromiseOf) -> tuple[Finding, ...]:
    """A finding per column, kind of row change and doubt. ``promise_of`` gives the contract of what
    the job makes, where it has one: the finding is about that contract then."""
    return ordered(f for change in changes for f in _findings(change, promise_of(change.dataset)))


def _findings(change: SqlChange, promise: tuple[Contract, Table] | None) -> Iterator[Finding]:
    table = promise[1].name if promise else change.dataset.name
    at = change.at or Location(table, 1, 1)
    for column in change.columns:
        yield _of_column(column, table, promise, column.at or at)
        if column.type_before and column.type_after and column.type_before != column.type_after:
            yield _of_type(column, table, promise, column.at or at)
    for kind in RowKind:
        if rows := [r for r in change.rows if r.kind is kind]:
            yield _of_rows(kind, rows, table, promise, at)
    for doubt in change.unknown:
        what = Change(kind=ChangeKind.CHANGED, element="table", table=table, field="unknown", new=doubt)
        yield _finding(NOT_COMPARED, f"what becomes of {table} is not known: {doubt}", at, promise, what)


def _of_column(
    column: ColumnChange, table: str, promise: tuple[Contract, Table] | None, at: Location
) -> Finding:
    rule = _BY_FATE[column.fate]
    name = f"{table}.{column.name}"
    old = Column(name=column.name, path=column.name)
    match column.fate:
        case ColumnFate.REMOVED:
            message = f"{name} is no longer made by this job"
            what = Change(kind=ChangeKind.REMOVED, element="column", table=table, column=column.name, old=old)
        case ColumnFate.RENAMED:
            message = f"{name} is called {column.new_name} now"
            new = Column(name=column.new_name, path=column.new_name)
            what = Change(
                kind=ChangeKind.RENAMED,
                element="column",
                table=table,
                column=column.name,
                new_column=column.new_name,
                old=old,
                new=new,
            )
        case ColumnFate.ADDED:
            message = f"{name} is new"
            what = Change(kind=ChangeKind.ADDED, element="column", table=table, column=column.name, new=old)
        case fate:
            known = fate is ColumnFate.REDEFINED
            message = _redefined(name, column) if known else f"whether {name} changes is not known"
            what = Change(
                kind=ChangeKind.CHANGED,
                element="column",
                table=table,
                column=column.name,
                field="expression" if known else "unknown",
                old=column.before,
                new=column.after,
            )
    promised = promise is not None and promise[1].column(column.name) is not None
    return _finding(rule, message, at, promise, what, promised=promised)


def _of_type(
    column: ColumnChange, table: str, promise: tuple[Contract, Table] | None, at: Location
) -> Finding:
    what = Change(
        kind=ChangeKind.CHANGED,
        element="column",
        table=table,
        column=column.name,
        field="physicalType",
        old=column.type_before,
        new=column.type_after,
    )
    message = f"{table}.{column.name} is {column.type_after} now, where it was {column.type_before}"
    return _finding(RETYPED, message, at, promise, what)


def _redefined(name: str, column: ColumnChange) -> str:
    if column.before and column.after and column.before != column.after:
        return f"{name} is {column.after} now, where it was {column.before}"
    return f"{name} is made of something else now"


def _of_rows(
    kind: RowKind,
    rows: list[RowChange],
    table: str,
    promise: tuple[Contract, Table] | None,
    at: Location,
) -> Finding:
    before = "; ".join(r.before for r in rows if r.before)
    after = "; ".join(r.after for r in rows if r.after)
    if kind is RowKind.SORT:
        words, rule = f"the order of the rows of {table} changes", ORDER
    else:
        words, rule = f"which rows {table} has changes", ROWS
    parts = f"{kind}: {after or 'none'} now" + (f", where it was {before}" if before else "")
    what = Change(
        kind=ChangeKind.CHANGED,
        element="table",
        table=table,
        key=kind.value,
        field="rows",
        old=before,
        new=after,
    )
    return _finding(rule, f"{words} ({parts})", at, promise, what)


def _finding(
    rule: PlainRule,
    message: str,
    at: Location,
    promise: tuple[Contract, Table] | None,
    change: Change,
    *,
    promised: bool = False,
) -> Finding:
    lost = rule in (REMOVED, RENAMED)
    contract = promise[0].id if promise else ""
    why = "Whoever reads this column finds it missing." if lost else ""
    if promised and lost:
        why = f"The contract {contract} promises this column, and its readers find it missing."
    elif rule in (REDEFINED, ROWS):
        why = "Whoever reads it gets other values than before, under the same name."
    fix = (
        "Keep it until its readers have moved, or change the contract and its readers with it."
        if lost
        else ""
    )
    return Finding(
        rule=rule.id,
        severity=rule.severity,
        message=message,
        at=at,
        why=why,
        fix=fix,
        contract=contract,
        change=change,
    )
