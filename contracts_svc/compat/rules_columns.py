"""Rules for columns that come, go, move or change their names."""

from __future__ import annotations

from contracts_svc.compat.rule import (
    ERROR,
    INFO,
    WARNING,
    Draft,
    Rule,
    Scope,
    both_ways,
    loosens,
    no_longer_deprecated,
    now_deprecated,
    removal_date,
    severities,
    shown,
    subject,
    tightens,
)
from contracts_svc.findings import Change
from contracts_svc.model import Column

_KEEP_COLUMN = (
    "keep the column for a deprecation period: set `deprecated: true`, offer the new column beside it, "
    "and remove it when nobody reads it"
)


def column_added(change: Change, scope: Scope) -> Draft | None:
    if _demanded(change.new):
        return None
    return Draft(
        message=f"column {subject(change)} is added" + _type_of(change.new),
        why="readers that name their columns do not notice; old data reads as "
        f"{'its default' if _has_default(change.new) else 'NULL'} there",
        fix="nothing to do; readers that use SELECT * get one more column",
    )


def required_column_added(change: Change, scope: Scope) -> Draft | None:
    if not _demanded(change.new):
        return None
    return Draft(
        message=f"required column {subject(change)} is added" + _type_of(change.new),
        why="data written before has no value there, so it does not keep the new contract",
        fix="add the column without `required`, fill it for old data, then make it required",
    )


def column_removed(change: Change, scope: Scope) -> Draft | None:
    if change.old.deprecated:
        return None
    hint = f"; it {change.hint}" if change.hint else ""
    return Draft(
        message=f"column {subject(change)} is removed" + _type_of(change.old) + hint,
        why="every query that names the column fails once it is gone",
        fix=_KEEP_COLUMN,
    )


def deprecated_column_removed(change: Change, scope: Scope) -> Draft | None:
    if not change.old.deprecated or removal_date(change, scope):
        return None
    return Draft(
        message=f"column {subject(change)}, deprecated before, is removed" + _type_of(change.old),
        why="it was announced, but a query that still names the column fails once it is gone",
        fix="make sure that nobody reads it any more",
    )


def deprecation_period_not_kept(change: Change, scope: Scope) -> Draft | None:
    day = removal_date(change, scope)
    if day is None:
        return None
    return Draft(
        message=f"{change.element} {subject(change)} is removed before {day}, its announced removal date",
        why="readers that plan to move by that day fail once it is gone",
        fix=f"keep it until {day}",
    )


def column_renamed(change: Change, scope: Scope) -> Draft | None:
    if change.old.stored_name == change.new.stored_name:
        return None
    return Draft(
        message=f"column {subject(change)} is renamed to {change.new_column}",
        why="readers ask for the column by its old name and do not find it",
        fix=_KEEP_COLUMN,
    )


def column_relabelled(change: Change, scope: Scope) -> Draft | None:
    if change.old.stored_name != change.new.stored_name:
        return None
    return Draft(
        message=f"column {subject(change)} is called {change.new_column} now; "
        f"it is stored as {change.new.stored_name} as before",
        why="queries go on, but whoever looks the column up by the contract's name does not find it",
        fix="tell readers that refer to the contract by column name",
    )


def column_physical_name_changed(change: Change, scope: Scope) -> Draft | None:
    old, new = scope.columns(change)
    if old is None or new is None or old.stored_name == new.stored_name or old.name != new.name:
        return None
    return Draft(
        message=f"column {subject(change)} is stored as {new.stored_name}, before as {old.stored_name}",
        why="readers ask for the column by its stored name and do not find it",
        fix=_KEEP_COLUMN,
    )


def column_moved(change: Change, scope: Scope) -> Draft | None:
    return Draft(
        message=f"column {subject(change)} is moved to {change.new_column}",
        why="readers ask for the column at its old path and do not find it",
        fix="keep the column at its old path for a deprecation period beside the new one",
    )


def column_reordered(change: Change, scope: Scope) -> Draft | None:
    if _by_position(scope):
        return None
    return Draft(
        message=f"the columns of {subject(change)} are in another order: {shown(change.new)}",
        why="readers that name their columns do not notice; INSERT and UNION without names do",
        fix="append new columns at the end",
    )


def csv_columns_reordered(change: Change, scope: Scope) -> Draft | None:
    if not _by_position(scope):
        return None
    return Draft(
        message=f"the columns of {subject(change)} are in another order: {shown(change.new)}",
        why="CSV without a header is read by position, so values end up in the wrong columns",
        fix="append new columns at the end, or write a header and say so (custom property `header: true`)",
    )


def column_deprecated(change: Change, scope: Scope) -> Draft | None:
    return now_deprecated(change, f"column {subject(change)}")


def column_undeprecated(change: Change, scope: Scope) -> Draft | None:
    return no_longer_deprecated(change, f"column {subject(change)}")


_DEFAULTS = ("default", "defaultValue", "avroDefault")
"""Custom properties that say what readers take where data has no value. ODCS has no field for it;
datacontract-cli keeps the default of an Avro field in the last one."""


def _demanded(column: Column) -> bool:
    """Whether data without the column breaks the contract. A default fills it, but no key can be one."""
    return column.primary_key or (column.required and not _has_default(column))


def _has_default(column: Column) -> bool:
    return any(c.property in _DEFAULTS for c in column.custom)


def _type_of(column: Column) -> str:
    type_ = column.physical_type or column.logical_type
    return f" ({type_})" if type_ else ""


def _by_position(scope: Scope) -> bool:
    """Whether some server hands out CSV that does not say it has a header."""
    for server in scope.new.servers:
        headers = [c.value for c in server.custom if c.property.lower() in ("header", "hasheader")]
        text = str(server.fields.get("format") or "").lower()
        if text in ("csv", "tsv", "delimited") and not any(h is True or h == "true" for h in headers):
            return True
    return False


_NO_OPPOSITE = "the opposite is the same change the other way round"

RULES = (
    Rule(
        id="column-added",
        purpose="Checks that an added column is known.",
        on=("column.added",),
        severities=both_ways(INFO),
        handler=column_added,
        mirror="column-removed",
    ),
    Rule(
        id="required-column-added",
        purpose="Checks that no required column is added that old data lacks.",
        on=("column.added",),
        severities=tightens(ERROR),
        handler=required_column_added,
        mirror="column-removed",
    ),
    Rule(
        id="column-removed",
        purpose="Checks that no column is removed without having been deprecated.",
        on=("column.removed",),
        severities=loosens(ERROR),
        handler=column_removed,
        mirror="column-added",
    ),
    Rule(
        id="deprecated-column-removed",
        purpose="Checks that a deprecated column is removed only when nobody reads it.",
        on=("column.removed",),
        severities=loosens(WARNING),
        handler=deprecated_column_removed,
        mirror="a column that is added as deprecated is like any added column",
    ),
    Rule(
        id="deprecation-period-not-kept",
        purpose="Checks that nothing is removed before its announced day (custom property removalDate).",
        on=("column.removed", "table.removed"),
        severities=loosens(ERROR),
        handler=deprecation_period_not_kept,
        mirror="what stays beyond its removal date harms nobody",
    ),
    Rule(
        id="column-renamed",
        purpose="Checks that a column keeps the name that readers ask for.",
        on=("column.renamed",),
        severities=both_ways(ERROR),
        handler=column_renamed,
        mirror=_NO_OPPOSITE,
    ),
    Rule(
        id="column-relabelled",
        purpose="Checks that a column keeps its name in the contract.",
        on=("column.renamed",),
        severities=both_ways(WARNING),
        handler=column_relabelled,
        mirror=_NO_OPPOSITE,
    ),
    Rule(
        id="column-physical-name-changed",
        purpose="Checks that a column keeps its physical name.",
        on=("column.physicalName",),
        severities=both_ways(ERROR),
        handler=column_physical_name_changed,
        mirror=_NO_OPPOSITE,
    ),
    Rule(
        id="column-moved",
        purpose="Checks that a column stays in the object that it is nested in.",
        on=("column.moved",),
        severities=both_ways(ERROR),
        handler=column_moved,
        mirror=_NO_OPPOSITE,
    ),
    Rule(
        id="column-reordered",
        purpose="Checks that columns keep their order.",
        on=("column.order",),
        severities=severities(INFO, INFO),
        handler=column_reordered,
        mirror=_NO_OPPOSITE,
    ),
    Rule(
        id="csv-columns-reordered",
        purpose="Checks that columns of CSV without a header keep their order.",
        on=("column.order",),
        severities=both_ways(ERROR),
        handler=csv_columns_reordered,
        mirror=_NO_OPPOSITE,
    ),
    Rule(
        id="column-deprecated",
        purpose="Checks that readers hear of a column's deprecation.",
        on=("column.deprecated",),
        severities=both_ways(INFO),
        handler=column_deprecated,
        mirror="column-undeprecated",
    ),
    Rule(
        id="column-undeprecated",
        purpose="Checks that readers hear when a column is no longer deprecated.",
        on=("column.deprecated",),
        severities=both_ways(INFO),
        handler=column_undeprecated,
        mirror="column-deprecated",
    ),
)
