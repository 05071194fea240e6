"""Rules for what values are: formats, zones, what an object must have."""

from __future__ import annotations

from contracts_svc.compat.fields import OPTION
from contracts_svc.compat.options import ITSELF, on, pair
from contracts_svc.compat.promised import lacking
from contracts_svc.compat.rule import ERROR, WARNING, Draft, Rule, Scope, both_ways, shown, subject
from contracts_svc.findings import Change


def object_required_added(change: Change, scope: Scope) -> Draft | None:
    old, _ = scope.columns(change)
    added = lacking(old, change.new) if old else ()
    if not added:
        return None
    return Draft(
        message=f"{subject(change)}: these properties must exist now: {shown(added)}",
        why="objects written before may lack them, so they do not keep the new contract",
        fix="fill the properties in old data first",
    )


def object_required_removed(change: Change, scope: Scope) -> Draft | None:
    _, new = scope.columns(change)
    gone = lacking(new, change.old) if new else ()
    if not gone:
        return None
    return Draft(
        message=f"{subject(change)}: these properties need not exist any more: {shown(gone)}",
        why="readers that take the properties for granted meet objects without them",
        fix="keep them required, with a value that stands for unknown",
    )


def format_added(change: Change, scope: Scope) -> Draft | None:
    if change.old is not None or _numeric(change, scope):
        return None
    return Draft(
        message=f"{subject(change)}: a format is stated, {shown(change.new)}",
        why="readers learn how values are written; data written before may be written otherwise",
        fix="check old data against the format first",
    )


def format_removed(change: Change, scope: Scope) -> Draft | None:
    if change.new is not None or _numeric(change, scope):
        return None
    return Draft(
        message=f"{subject(change)}: the format {shown(change.old)} is no longer stated",
        why="values may be written in any way now, so readers that parse them fail",
        fix="keep stating the format",
    )


def format_changed(change: Change, scope: Scope) -> Draft | None:
    if change.old is None or change.new is None or _numeric(change, scope):
        return None
    return Draft(
        message=f"{subject(change)}: format {shown(change.old)} -> {shown(change.new)}",
        why="readers that parse values in the old format fail, or read another value",
        fix="offer the new format as a new column beside the old one, and deprecate the old one",
    )


def timezone_changed(change: Change, scope: Scope) -> Draft | None:
    name = (change.field or "").removeprefix(OPTION)
    if name == "timezone" and None not in (change.old, change.new):
        return None  # A timestamp with and one without a zone are two types, which have their rules.
    return Draft(
        message=f"{subject(change)}: {name} {shown(change.old)} -> {shown(change.new)}",
        why="the same stored value may be another moment now",
        fix="state the zone that values have always had, or offer a new column",
    )


def embedding_changed(change: Change, scope: Scope) -> Draft | None:
    name = (change.field or "").removeprefix(OPTION)
    return Draft(
        message=f"{subject(change)}: {name} {shown(change.old)} -> {shown(change.new)}",
        why="vectors of two models have nothing to do with each other, so distances are meaningless",
        fix="offer the new vectors as a new column beside the old ones",
    )


def _numeric(change: Change, scope: Scope) -> bool:
    """The format of a number is its type."""
    _, new = scope.columns(change)
    return new is not None and new.logical_type in ("integer", "number")


RULES = (
    *pair(object_required_removed, object_required_added, on("required"), "what an object must have"),
    *pair(format_removed, format_added, on("format"), "how values are written"),
    Rule(
        id="format-changed",
        purpose="Checks that values keep the format that readers parse.",
        on=on("format"),
        severities=both_ways(ERROR),
        handler=format_changed,
        mirror=ITSELF,
    ),
    Rule(
        id="timezone-changed",
        purpose="Checks that the time zone of values stays what it was.",
        on=on("timezone", "defaultTimezone"),
        severities=both_ways(WARNING),
        handler=timezone_changed,
        mirror=ITSELF,
    ),
    Rule(
        id="embedding-changed",
        purpose="Checks that vectors keep the model that made them.",
        on=on("embeddingModel", "embeddingModelVersion", "normalized"),
        severities=both_ways(ERROR),
        handler=embedding_changed,
        mirror=ITSELF,
    ),
)
