"""Rules for required, unique, keys, partitions and allowed values."""

from __future__ import annotations

from collections.abc import Sequence

from contracts_svc.compat.promised import outside, values_of
from contracts_svc.compat.rule import (
    ERROR,
    INFO,
    WARNING,
    Draft,
    Rule,
    Scope,
    both_ways,
    loosens,
    shown,
    subject,
    tightens,
)
from contracts_svc.findings import Change
from contracts_svc.model import Column, Json


def required_added(change: Change, scope: Scope) -> Draft | None:
    if not change.new:
        return None
    return Draft(
        message=f"{subject(change)}: required false -> true",
        why="data written before may hold NULL there, so it does not keep the new contract",
        fix="fill the NULLs of old data first",
    )


def required_removed(change: Change, scope: Scope) -> Draft | None:
    if change.new:
        return None
    return Draft(
        message=f"{subject(change)}: required true -> false",
        why="NULL may come now: inner joins lose rows, sums and comparisons turn to NULL, readers that "
        "insist on a value fail",
        fix="keep the column required, with a value that stands for unknown",
    )


def unique_added(change: Change, scope: Scope) -> Draft | None:
    if not change.new:
        return None
    return Draft(
        message=f"{subject(change)}: unique false -> true",
        why="data written before may hold a value twice, so it does not keep the new contract",
        fix="remove the duplicates of old data first",
    )


def unique_removed(change: Change, scope: Scope) -> Draft | None:
    if change.new:
        return None
    return Draft(
        message=f"{subject(change)}: unique true -> false",
        why="a value may come twice now, so joins on the column multiply rows and sums count double",
        fix="keep the column unique, or offer a unique column beside it",
    )


def primary_key_added(change: Change, scope: Scope) -> Draft | None:
    if change.old:
        return None
    return Draft(
        message=f"{change.table}: a primary key is stated, {_key(change.new)}",
        why="readers can rely on one row per key; data written before may hold a key twice or none",
        fix="check old data for duplicates and NULLs first",
    )


def primary_key_removed(change: Change, scope: Scope) -> Draft | None:
    if change.new:
        return None
    return Draft(
        message=f"{change.table}: the primary key {_key(change.old)} is no longer stated",
        why="a key may come twice now, so joins multiply rows and upserts by key go wrong",
        fix="keep a primary key, or state `unique` on what still identifies a row",
    )


def primary_key_extended(change: Change, scope: Scope) -> Draft | None:
    if not change.old or not set(change.old) < set(change.new):
        return None
    return Draft(
        message=f"{change.table}: primary key {_key(change.old)} -> {_key(change.new)}",
        why="there may be several rows for what was one key before, so joins on it multiply rows",
        fix="offer the finer rows as a table of its own",
    )


def primary_key_shrunk(change: Change, scope: Scope) -> Draft | None:
    if not change.new or not set(change.new) < set(change.old):
        return None
    return Draft(
        message=f"{change.table}: primary key {_key(change.old)} -> {_key(change.new)}",
        why="what was unique stays unique; data written before may hold the shorter key several times",
        fix="check old data for duplicates of the shorter key first",
    )


def primary_key_replaced(change: Change, scope: Scope) -> Draft | None:
    old, new = set(change.old), set(change.new)
    if not old or not new or old <= new or new <= old:
        return None
    return Draft(
        message=f"{change.table}: primary key {_key(change.old)} -> {_key(change.new)}",
        why="rows are identified by something else: the old key may repeat, and references to it dangle",
        fix="keep the old key `unique` beside the new one",
    )


def primary_key_reordered(change: Change, scope: Scope) -> Draft | None:
    if set(change.old) != set(change.new):
        return None
    return Draft(
        message=f"{change.table}: primary key order {_key(change.old)} -> {_key(change.new)}",
        why="rows are identified as before; positional key look-ups and sort orders change",
        fix="name key columns instead of relying on their position",
    )


def partitioning_changed(change: Change, scope: Scope) -> Draft | None:
    return Draft(
        message=f"{change.table}: partitioned by {_key(change.old)} -> {_key(change.new)}",
        why="paths and partition filters of readers no longer match, so they read too much or nothing",
        fix="publish the new layout at another location until readers have moved",
    )


def enum_added(change: Change, scope: Scope) -> Draft | None:
    if change.old or not change.new or not _enum_move(change, scope)[0]:
        return None
    return Draft(
        message=f"{subject(change)}: only these values are allowed now: {shown(change.new)}",
        why="readers know what can come; data written before may hold other values",
        fix="check old data against the list first",
    )


def enum_removed(change: Change, scope: Scope) -> Draft | None:
    if change.new or not change.old or not _enum_move(change, scope)[1]:
        return None
    return Draft(
        message=f"{subject(change)}: any value is allowed now, before only {shown(change.old)}",
        why="readers that handle every listed value meet values that they do not know",
        fix="keep the list, and extend it value by value with notice",
    )


def enum_extended(change: Change, scope: Scope) -> Draft | None:
    added = _enum_move(change, scope)[1] if change.old and change.new else ()
    if not added:
        return None
    return Draft(
        message=f"{subject(change)}: values added to enum: {shown(added)} (before: {shown(change.old)})",
        why="readers that handle every listed value meet values that they do not know",
        fix="announce the values first and have readers treat unknown ones",
    )


def enum_shrunk(change: Change, scope: Scope) -> Draft | None:
    gone = _enum_move(change, scope)[0] if change.old and change.new else ()
    if not gone:
        return None
    return Draft(
        message=f"{subject(change)}: values removed from enum: {shown(gone)} (left: {shown(change.new)})",
        why="data written before may hold the removed values, so it does not keep the new contract",
        fix="replace the removed values in old data first",
    )


def enum_rewritten(change: Change, scope: Scope) -> Draft | None:
    if any(_enum_move(change, scope)):
        return None
    return Draft(
        message=f"{subject(change)}: enum {shown(change.old)} is written {shown(change.new)} now",
        why="everything that the column says lets through the same values as before",
        fix="nothing to do",
    )


def _enum_move(change: Change, scope: Scope) -> tuple[tuple[Json, ...], tuple[Json, ...]]:
    """Values that may have come and no longer may, and the other way round; ``any other`` for what
    no list names."""
    old, new = scope.columns(change)
    if old is None or new is None:
        return (), ()
    return scope.once(("enum", id(old)), lambda: (_beyond(old, new.enum), _beyond(new, old.enum)))


def _beyond(column: Column, allowed: Sequence[Json]) -> tuple[Json, ...]:
    if not allowed:
        return ()
    values = values_of(column, most=len(allowed))
    return ("any other",) if values is None else outside(values, allowed)


def _key(columns: Sequence[str]) -> str:
    return f"({', '.join(columns)})" if columns else "none"


_ITSELF = "the opposite is the same change the other way round"

RULES = (
    Rule(
        id="required-added",
        purpose="Checks that a column becomes required only when old data has no NULL there.",
        on=("column.required",),
        severities=tightens(ERROR),
        handler=required_added,
        mirror="required-removed",
    ),
    Rule(
        id="required-removed",
        purpose="Checks that a required column does not become nullable.",
        on=("column.required",),
        severities=loosens(ERROR),
        handler=required_removed,
        mirror="required-added",
    ),
    Rule(
        id="unique-added",
        purpose="Checks that a column becomes unique only when old data has no duplicates there.",
        on=("column.unique",),
        severities=tightens(ERROR),
        handler=unique_added,
        mirror="unique-removed",
    ),
    Rule(
        id="unique-removed",
        purpose="Checks that a unique column stays unique.",
        on=("column.unique",),
        severities=loosens(ERROR),
        handler=unique_removed,
        mirror="unique-added",
    ),
    Rule(
        id="primary-key-added",
        purpose="Checks that a primary key stated for the first time is kept by old data.",
        on=("table.primaryKey",),
        severities=tightens(ERROR),
        handler=primary_key_added,
        mirror="primary-key-removed",
    ),
    Rule(
        id="primary-key-removed",
        purpose="Checks that a table keeps its primary key.",
        on=("table.primaryKey",),
        severities=loosens(ERROR),
        handler=primary_key_removed,
        mirror="primary-key-added",
    ),
    Rule(
        id="primary-key-extended",
        purpose="Checks that no column is added to the primary key.",
        on=("table.primaryKey",),
        severities=loosens(ERROR),
        handler=primary_key_extended,
        mirror="primary-key-shrunk",
    ),
    Rule(
        id="primary-key-shrunk",
        purpose="Checks that no column leaves the primary key while old data needs it.",
        on=("table.primaryKey",),
        severities=tightens(ERROR),
        handler=primary_key_shrunk,
        mirror="primary-key-extended",
    ),
    Rule(
        id="primary-key-replaced",
        purpose="Checks that the primary key is not replaced by another.",
        on=("table.primaryKey",),
        severities=both_ways(ERROR),
        handler=primary_key_replaced,
        mirror=_ITSELF,
    ),
    Rule(
        id="primary-key-reordered",
        purpose="Checks that the columns of the primary key keep their positions.",
        on=("table.primaryKey",),
        severities=both_ways(INFO),
        handler=primary_key_reordered,
        mirror=_ITSELF,
    ),
    Rule(
        id="partitioning-changed",
        purpose="Checks that a table keeps its partition columns and their order.",
        on=("table.partitioning",),
        severities=both_ways(WARNING),
        handler=partitioning_changed,
        mirror=_ITSELF,
    ),
    Rule(
        id="enum-added",
        purpose="Checks that a list of allowed values stated for the first time is kept by old data.",
        on=("column.enum",),
        severities=tightens(ERROR),
        handler=enum_added,
        mirror="enum-removed",
    ),
    Rule(
        id="enum-removed",
        purpose="Checks that a list of allowed values is not given up.",
        on=("column.enum",),
        severities=loosens(ERROR),
        handler=enum_removed,
        mirror="enum-added",
    ),
    Rule(
        id="enum-extended",
        purpose="Checks that no value is added to a list of allowed values.",
        on=("column.enum",),
        severities=loosens(ERROR),
        handler=enum_extended,
        mirror="enum-shrunk",
    ),
    Rule(
        id="enum-shrunk",
        purpose="Checks that no value is removed from a list of allowed values that old data holds.",
        on=("column.enum",),
        severities=tightens(ERROR),
        handler=enum_shrunk,
        mirror="enum-extended",
    ),
    Rule(
        id="enum-rewritten",
        purpose="Checks that a list of allowed values written another way still allows the same.",
        on=("column.enum",),
        severities=both_ways(INFO),
        handler=enum_rewritten,
        mirror=_ITSELF,
    ),
)
