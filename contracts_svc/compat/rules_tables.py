"""Rules for tables that come, go or change their names."""

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
    shown,
    tightens,
)
from contracts_svc.findings import Change
from contracts_svc.model import Table


def table_added(change: Change, scope: Scope) -> Draft | None:
    return Draft(
        message=f"table {change.table} is added",
        why="nobody reads it yet; data written before the change has no such table",
        fix="publish the first data of the table together with this version",
    )


def table_removed(change: Change, scope: Scope) -> Draft | None:
    if change.old.deprecated:
        return None
    return Draft(
        message=f"table {change.table} is removed",
        why="every query on the table fails once it is gone",
        fix="keep the table for a deprecation period: set `deprecated: true` and name its replacement",
    )


def deprecated_table_removed(change: Change, scope: Scope) -> Draft | None:
    if not change.old.deprecated or removal_date(change, scope):
        return None
    return Draft(
        message=f"table {change.table}, deprecated before, is removed",
        why="it was announced, but whoever has not moved yet fails once the table is gone",
        fix="make sure that nobody reads it any more",
    )


def table_renamed(change: Change, scope: Scope) -> Draft | None:
    if _stored(change.old) == _stored(change.new):
        return None
    return Draft(
        message=f"table {change.old.name} is renamed to {change.new.name}",
        why="readers ask for the table by its old name and do not find it",
        fix=f"keep `physicalName: {_stored(change.old)}`, or offer a view with the old name for a while",
    )


def table_relabelled(change: Change, scope: Scope) -> Draft | None:
    if _stored(change.old) != _stored(change.new):
        return None
    return Draft(
        message=f"table {change.old.name} is called {change.new.name} now; it is stored under its old name",
        why="queries go on, but whoever looks the table up by the contract's name does not find it",
        fix="tell readers that refer to the contract by table name",
    )


def table_physical_name_changed(change: Change, scope: Scope) -> Draft | None:
    old, new = scope.tables(change)
    if old is None or new is None or _stored(old) == _stored(new) or old.name != new.name:
        return None
    return Draft(
        message=f"table {change.table} is stored as {_stored(new)}, before as {_stored(old)}",
        why="readers ask for the table by its stored name and do not find it",
        fix="keep the stored name, or offer a view with the old name for a while",
    )


def table_kind_changed(change: Change, scope: Scope) -> Draft | None:
    return Draft(
        message=f"table {change.table} is a {shown(change.new)} now, before a {shown(change.old)}",
        why="a table, a view and a topic differ in how they are read, how fast and how fresh",
        fix="offer the new kind under a name of its own until readers have moved",
    )


def table_deprecated(change: Change, scope: Scope) -> Draft | None:
    return now_deprecated(change, f"table {change.table}")


def table_undeprecated(change: Change, scope: Scope) -> Draft | None:
    return no_longer_deprecated(change, f"table {change.table}")


def _stored(table: Table) -> str:
    return table.physical_name or table.name


_NO_OPPOSITE = "the opposite is the same change the other way round"

RULES = (
    Rule(
        id="table-added",
        purpose="Checks that an added table is known.",
        on=("table.added",),
        severities=tightens(WARNING),
        handler=table_added,
        mirror="table-removed",
    ),
    Rule(
        id="table-removed",
        purpose="Checks that no table is removed without having been deprecated.",
        on=("table.removed",),
        severities=loosens(ERROR),
        handler=table_removed,
        mirror="table-added",
    ),
    Rule(
        id="deprecated-table-removed",
        purpose="Checks that a deprecated table is removed only when nobody reads it.",
        on=("table.removed",),
        severities=loosens(WARNING),
        handler=deprecated_table_removed,
        mirror="a table that is added as deprecated is like any added table",
    ),
    Rule(
        id="table-renamed",
        purpose="Checks that a table keeps the name that readers ask for.",
        on=("table.renamed",),
        severities=both_ways(ERROR),
        handler=table_renamed,
        mirror=_NO_OPPOSITE,
    ),
    Rule(
        id="table-relabelled",
        purpose="Checks that a table keeps its name in the contract.",
        on=("table.renamed",),
        severities=both_ways(WARNING),
        handler=table_relabelled,
        mirror=_NO_OPPOSITE,
    ),
    Rule(
        id="table-physical-name-changed",
        purpose="Checks that a table keeps its physical name.",
        on=("table.physicalName",),
        severities=both_ways(ERROR),
        handler=table_physical_name_changed,
        mirror=_NO_OPPOSITE,
    ),
    Rule(
        id="table-kind-changed",
        purpose="Checks that a table stays a table, and a view a view.",
        on=("table.physicalType", "table.logicalType"),
        severities=both_ways(WARNING),
        handler=table_kind_changed,
        mirror=_NO_OPPOSITE,
    ),
    Rule(
        id="table-deprecated",
        purpose="Checks that readers hear of a table's deprecation.",
        on=("table.deprecated",),
        severities=both_ways(INFO),
        handler=table_deprecated,
        mirror="table-undeprecated",
    ),
    Rule(
        id="table-undeprecated",
        purpose="Checks that readers hear when a table is no longer deprecated.",
        on=("table.deprecated",),
        severities=both_ways(INFO),
        handler=table_undeprecated,
        mirror="table-deprecated",
    ),
)
