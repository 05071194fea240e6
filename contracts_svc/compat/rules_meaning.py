"""Rules for what data means and how it may be used: classification, lineage in words, descriptions."""

from __future__ import annotations

from contracts_svc.compat.fields import ORDER, freeze
from contracts_svc.compat.rule import (
    ERROR,
    INFO,
    WARNING,
    Draft,
    Rule,
    Scope,
    both_ways,
    loosens,
    severities,
    shown,
    subject,
    tightens,
)
from contracts_svc.findings import Change
from contracts_svc.model import Json

_LEVELS = (
    ("none", "public", "open", "unclassified"),
    ("internal",),
    ("private", "confidential", "proprietary"),
    ("sensitive", "restricted", "pii", "personal", "personaldata", "phi", "pci"),
    ("highlyrestricted", "highlyconfidential", "secret", "strictlyconfidential", "topsecret"),
)
_LEVEL = {word: level for level, words in enumerate(_LEVELS) for word in words}


def classification_raised(change: Change, scope: Scope) -> Draft | None:
    old, new = _level(change.old), _level(change.new)
    if old is None or new is None or new <= old:
        return None
    return Draft(
        message=f"{subject(change)}: classification {shown(change.old)} -> {shown(change.new)} (raised)",
        why="whoever copies the column on now holds data that they may not be allowed to hold or to show",
        fix="have every reader confirm that they may use it, and mask it for the others",
    )


def classification_lowered(change: Change, scope: Scope) -> Draft | None:
    old, new = _level(change.old), _level(change.new)
    if old is None or new is None or new >= old:
        return None
    return Draft(
        message=f"{subject(change)}: classification {shown(change.old)} -> {shown(change.new)} (lowered)",
        why="protections fall away from data that readers and those it is about took for protected",
        fix="have whoever answers for the data's protection approve it",
    )


def classification_changed(change: Change, scope: Scope) -> Draft | None:
    old, new = _level(change.old), _level(change.new)
    if old is not None and new is not None and old != new:
        return None
    return Draft(
        message=f"{subject(change)}: classification {shown(change.old)} -> {shown(change.new)}",
        why="whether the new class asks for more or less care than the old one is not known here",
        fix="have whoever answers for the data's protection approve it",
    )


def _level(value: Json) -> int | None:
    if value is None:
        return 0
    return _LEVEL.get("".join(c for c in str(value).lower() if c.isalnum()))


def critical_added(change: Change, scope: Scope) -> Draft | None:
    if not change.new:
        return None
    return Draft(
        message=f"{subject(change)} is a critical data element now",
        why="it is watched more closely; readers do not notice",
        fix="nothing to do",
    )


def critical_removed(change: Change, scope: Scope) -> Draft | None:
    if change.new:
        return None
    return Draft(
        message=f"{subject(change)} is no critical data element any more",
        why="it is watched less closely than readers may count on",
        fix="tell readers that report on critical data",
    )


def transform_changed(change: Change, scope: Scope) -> Draft | None:
    return Draft(
        message=f"{subject(change)}: {change.field} {shown(change.old)} -> {shown(change.new)}",
        why="the column may mean something else under the same name, and figures are not comparable",
        fix="offer the new meaning as a new column beside the old one",
    )


def granularity_changed(change: Change, scope: Scope) -> Draft | None:
    return Draft(
        message=f"{subject(change)}: one row is {shown(change.new)}, before {shown(change.old)}",
        why="counts and sums over rows may mean something else",
        fix="offer the new granularity as a table of its own",
    )


def encrypted_name_changed(change: Change, scope: Scope) -> Draft | None:
    return Draft(
        message=f"{subject(change)}: the encrypted column is {shown(change.new)}, before {shown(change.old)}",
        why="readers of the encrypted value ask for the column by its old name and do not find it",
        fix="keep the old encrypted column for a deprecation period",
    )


def documentation_changed(change: Change, scope: Scope) -> Draft | None:
    if change.element == "contract" and _terms(change.old) != _terms(change.new):
        return None
    return Draft(
        message=f"{subject(change)}: {(change.field or '').removeprefix('extra.')} is written otherwise",
        why="the data is what it was; the words about it changed",
        fix="nothing to do",
    )


def terms_changed(change: Change, scope: Scope) -> Draft | None:
    if _terms(change.old) == _terms(change.new):
        return None
    return Draft(
        message="the terms of use (description.usage, description.limitations) changed",
        why="what readers do with the data may not be meant, or not be allowed, any more",
        fix="have readers read the new terms",
        values=(_terms(change.old), _terms(change.new)),
    )


def _terms(description: Json) -> Json:
    terms = description if isinstance(description, dict) else {}
    return freeze({k: v for k, v in terms.items() if k in ("usage", "limitations")})


def tags_changed(change: Change, scope: Scope) -> Draft | None:
    gone = sorted(set(change.old) - set(change.new))
    come = sorted(set(change.new) - set(change.old))
    if not gone and not come:
        return None
    return Draft(
        message=f"{subject(change)}: tags added: {shown(come)}; removed: {shown(gone)}",
        why="readers find and filter data by tags; the data is what it was",
        fix="nothing to do",
    )


def custom_property_changed(change: Change, scope: Scope) -> Draft | None:
    if _removal_date(change):
        return None
    old, new = (None if side is None else side.value for side in (change.old, change.new))
    where = ".".join(p for p in (change.table, change.column) if p)
    return Draft(
        message=f"{where + ': ' if where else ''}custom property {change.key} {change.kind}: "
        f"{shown(old)} -> {shown(new)}",
        why="the standard gives it no meaning; tools of your own may",
        fix="nothing to do, unless a tool reads it",
        values=(old, new),
    )


def deprecation_shortened(change: Change, scope: Scope) -> Draft | None:
    old, new = _dates(change)
    if not _removal_date(change) or (new or _NEVER) >= (old or _NEVER):
        return None
    return Draft(
        message=f"{subject(change)}: removal date {shown(old)} -> {shown(new)}",
        why="it goes earlier than readers plan for",
        fix="keep the announced date",
        values=(old, new),
    )


def deprecation_extended(change: Change, scope: Scope) -> Draft | None:
    old, new = _dates(change)
    if not _removal_date(change) or (new or _NEVER) <= (old or _NEVER):
        return None
    return Draft(
        message=f"{subject(change)}: removal date {shown(old)} -> {shown(new)}",
        why="it stays for longer than was announced",
        fix="nothing to do",
        values=(old, new),
    )


_NEVER = "9999"


def _removal_date(change: Change) -> bool:
    return change.key == "removalDate"


def _dates(change: Change) -> tuple[str | None, str | None]:
    old, new = (None if side is None else str(side.value) for side in (change.old, change.new))
    return old, new


def identifier_changed(change: Change, scope: Scope) -> Draft | None:
    return Draft(
        message=f"{subject(change)}: id {shown(change.old)} -> {shown(change.new)}",
        why="the data is what it was, but a later rename can no longer be told from remove and add",
        fix="keep the id; it is what makes a rename recognisable",
    )


def field_changed(change: Change, scope: Scope) -> Draft | None:
    """What no other rule is for, so that no change is silent."""
    if change.field == "contractCreatedTs" or (change.field or "").split(".")[-1] == ORDER:
        return None
    if change.field in _TOLD_OF_THE_TABLE and "." not in (change.column or ""):
        return None
    return Draft(
        message=f"{subject(change)}: {change.field} {shown(change.old)} -> {shown(change.new)}",
        why="no rule says what this means to readers",
        fix="review it",
    )


_TOLD_OF_THE_TABLE = frozenset({"primaryKey", "primaryKeyPosition", "partitioned", "partitionKeyPosition"})
"""Of a top-level column: the keys and partitions of its table have rules of their own."""
_WORDS = (
    "description",
    "businessName",
    "synonyms",
    "authoritativeDefinitions",
    "examples",
    "transformDescription",
    "context",
    "extra.enum",
)
_ITSELF = "the opposite is the same change the other way round"

RULES = (
    Rule(
        id="classification-raised",
        purpose="Checks that readers may hold data that is classified higher than before.",
        on=("column.classification",),
        severities=severities(WARNING, ERROR),
        handler=classification_raised,
        mirror="classification-lowered",
    ),
    Rule(
        id="classification-lowered",
        purpose="Checks that data is not classified lower without approval.",
        on=("column.classification",),
        severities=both_ways(WARNING),
        handler=classification_lowered,
        mirror="classification-raised",
    ),
    Rule(
        id="classification-changed",
        purpose="Checks that a change between classes without a known order is reviewed.",
        on=("column.classification",),
        severities=both_ways(WARNING),
        handler=classification_changed,
        mirror=_ITSELF,
    ),
    Rule(
        id="critical-added",
        purpose="Checks that readers hear of new critical data elements.",
        on=("column.criticalDataElement",),
        severities=both_ways(INFO),
        handler=critical_added,
        mirror="critical-removed",
    ),
    Rule(
        id="critical-removed",
        purpose="Checks that readers hear when an element is no longer critical.",
        on=("column.criticalDataElement",),
        severities=both_ways(INFO),
        handler=critical_removed,
        mirror="critical-added",
    ),
    Rule(
        id="transform-changed",
        purpose="Checks that a column is computed as before.",
        on=("column.transformLogic", "column.transformSourceObjects", "column.semanticType"),
        severities=both_ways(WARNING),
        handler=transform_changed,
        mirror=_ITSELF,
    ),
    Rule(
        id="granularity-changed",
        purpose="Checks that a row stays what it was.",
        on=("table.dataGranularityDescription",),
        severities=both_ways(WARNING),
        handler=granularity_changed,
        mirror=_ITSELF,
    ),
    Rule(
        id="encrypted-name-changed",
        purpose="Checks that the encrypted form of a column keeps its name.",
        on=("column.encryptedName",),
        severities=both_ways(WARNING),
        handler=encrypted_name_changed,
        mirror=_ITSELF,
    ),
    Rule(
        id="terms-changed",
        purpose="Checks that readers hear of new terms of use.",
        on=("contract.description",),
        severities=both_ways(WARNING),
        handler=terms_changed,
        mirror=_ITSELF,
    ),
    Rule(
        id="documentation-changed",
        purpose="Checks that what is written about the data is up to date.",
        on=tuple(f"{e}.{f}" for e in ("contract", "table", "column") for f in _WORDS),
        severities=both_ways(INFO),
        handler=documentation_changed,
        mirror=_ITSELF,
    ),
    Rule(
        id="tags-changed",
        purpose="Checks that readers who look for tags hear of changes.",
        on=("contract.tags", "table.tags", "column.tags"),
        severities=both_ways(INFO),
        handler=tags_changed,
        mirror=_ITSELF,
    ),
    Rule(
        id="custom-property-changed",
        purpose="Checks that tools which read custom properties hear of changes.",
        on=("custom.added", "custom.removed", "custom.changed"),
        severities=both_ways(INFO),
        handler=custom_property_changed,
        mirror=_ITSELF,
    ),
    Rule(
        id="deprecation-shortened",
        purpose="Checks that an announced removal date (custom property removalDate) is not brought forward.",
        on=("custom.added", "custom.removed", "custom.changed"),
        severities=loosens(WARNING),
        handler=deprecation_shortened,
        mirror="deprecation-extended",
    ),
    Rule(
        id="deprecation-extended",
        purpose="Checks that readers hear when an announced removal is put off.",
        on=("custom.added", "custom.removed", "custom.changed"),
        severities=tightens(INFO),
        handler=deprecation_extended,
        mirror="deprecation-shortened",
    ),
    Rule(
        id="identifier-changed",
        purpose="Checks that tables and columns keep their stable id.",
        on=("table.id", "column.id"),
        severities=both_ways(INFO),
        handler=identifier_changed,
        mirror=_ITSELF,
    ),
    Rule(
        id="field-changed",
        purpose="Checks that fields without a rule of their own are reviewed.",
        on=("contract.*", "table.*", "column.*"),
        severities=both_ways(INFO),
        handler=field_changed,
        mirror=_ITSELF,
    ),
)
