"""Rules for the contract as a whole: identity, version, status, people, price, relationships."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeAlias

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
from contracts_svc.compat.thresholds import is_number
from contracts_svc.findings import Change, ChangeKind
from contracts_svc.model import Json, Relationship, Team

_STATUS = {"proposed": 0, "draft": 1, "active": 2, "deprecated": 3, "retired": 4}
"""The statuses of the standard, in the order of a contract's life."""
_Version: TypeAlias = tuple[int, int, int]


def id_changed(change: Change, scope: Scope) -> Draft | None:
    return Draft(
        message=f"the contract's id {shown(change.old)} -> {shown(change.new)}",
        why="subscriptions, lineage and approvals are bound to the id and are lost",
        fix="keep the id for as long as it is the same contract; the name may change",
    )


def name_changed(change: Change, scope: Scope) -> Draft | None:
    return Draft(
        message=f"the contract's name {shown(change.old)} -> {shown(change.new)}",
        why="readers know it by its name; what is bound to the id goes on",
        fix="tell readers",
    )


def placement_changed(change: Change, scope: Scope) -> Draft | None:
    return Draft(
        message=f"the contract's {change.field} {shown(change.old)} -> {shown(change.new)}",
        why="others may answer for it, and rules of another domain may apply",
        fix="tell readers",
    )


def api_version_changed(change: Change, scope: Scope) -> Draft | None:
    return Draft(
        message=f"apiVersion {change.old} -> {change.new}",
        why="the contract is written in another version of the standard; the data is what it was",
        fix="make sure that the tools which read the contract know that version",
    )


def status_deprecated(change: Change, scope: Scope) -> Draft | None:
    if _status(change.new) != "deprecated" or _status(change.old) == "retired":
        return None
    return Draft(
        message=f"status {shown(change.old)} -> {shown(change.new)}",
        why="the data still comes, but will end: readers should plan to move",
        fix="say what replaces it and until when it stays (endOfSupport, endOfLife)",
    )


def status_retired(change: Change, scope: Scope) -> Draft | None:
    if _status(change.new) != "retired":
        return None
    return Draft(
        message=f"status {shown(change.old)} -> {shown(change.new)}",
        why="nobody keeps the promises of a retired contract, and the data may end any time",
        fix="deprecate it first, and retire it when nobody reads it",
    )


def status_demoted(change: Change, scope: Scope) -> Draft | None:
    old, new = _STATUS.get(_status(change.old)), _STATUS.get(_status(change.new))
    if old is None or new is None or not (new < 2 <= old):
        return None
    return Draft(
        message=f"status {shown(change.old)} -> {shown(change.new)}",
        why="a contract that is not active yet promises nothing that readers can rely on",
        fix="keep it active, and draft the new version beside it",
    )


def status_promoted(change: Change, scope: Scope) -> Draft | None:
    if _status(change.new) in ("deprecated", "retired") and _status(change.old) != "retired":
        return None
    old, new = _STATUS.get(_status(change.old)), _STATUS.get(_status(change.new))
    if _status(change.new) == "retired" or (old is not None and new is not None and new < 2 <= old):
        return None
    return Draft(
        message=f"status {shown(change.old)} -> {shown(change.new)}",
        why="readers can rely on it as much as before, or more",
        fix="nothing to do",
    )


def _status(value: Json) -> str:
    return str(value or "").lower()


def team_added(change: Change, scope: Scope) -> Draft | None:
    return Draft(
        message=f"a team is named: {_people(change.new)}",
        why="readers know whom to ask",
        fix="nothing to do",
    )


def team_removed(change: Change, scope: Scope) -> Draft | None:
    return Draft(
        message=f"the team is no longer named, before {_people(change.old)}",
        why="readers do not know whom to ask, and nobody is told when something breaks",
        fix="name the team that answers for the data",
    )


def team_changed(change: Change, scope: Scope) -> Draft | None:
    return Draft(
        message=f"the team {_people(change.old)} -> {_people(change.new)}",
        why="others may answer for the data; the data is what it was",
        fix="tell readers when the owner changes",
    )


def _people(team: Team) -> str:
    names = [m.username for m in team.members]
    return shown(
        " ".join(filter(None, [team.name, f"({shown(names)})" if names else ""])) or "without a name"
    )


def support_added(change: Change, scope: Scope) -> Draft | None:
    return Draft(
        message=f"support channel {change.key} is added",
        why="readers have one more way to ask",
        fix="nothing to do",
    )


def support_removed(change: Change, scope: Scope) -> Draft | None:
    return Draft(
        message=f"support channel {change.key} is removed",
        why="readers that ask or listen there are not heard, and hear nothing",
        fix="keep the channel until its readers use another one",
    )


def support_changed(change: Change, scope: Scope) -> Draft | None:
    if change.field:
        return None
    return Draft(
        message=f"support channel {change.key} is described otherwise",
        why="readers may have to ask in another way",
        fix="tell readers",
    )


def role_added(change: Change, scope: Scope) -> Draft | None:
    return Draft(
        message=f"role {change.key} is added",
        why="there is one more way to get access",
        fix="nothing to do",
    )


def role_removed(change: Change, scope: Scope) -> Draft | None:
    return Draft(
        message=f"role {change.key} is removed",
        why="readers that have access through it lose it",
        fix="keep the role until its readers have another one",
    )


def role_changed(change: Change, scope: Scope) -> Draft | None:
    if change.field:
        return None
    old, new = change.old, change.new
    parts = [f"{k} {shown(old.get(k))} -> {shown(new.get(k))}" for k in _differing(old, new)]
    return Draft(
        message=f"role {change.key}: {', '.join(parts)}",
        why="readers that have access through it may be able to do less, or more",
        fix="have those who approve access confirm it",
    )


def _differing(old: Mapping[str, Json], new: Mapping[str, Json]) -> list[str]:
    return sorted(k for k in {*old, *new} if old.get(k) != new.get(k))


def price_raised(change: Change, scope: Scope) -> Draft | None:
    return _price(change, 1, "readers pay more than they have planned", "announce the price with notice")


def price_lowered(change: Change, scope: Scope) -> Draft | None:
    return _price(change, -1, "readers pay less", "nothing to do")


def price_changed(change: Change, scope: Scope) -> Draft | None:
    return _price(change, None, "whether readers pay more or less cannot be told", "tell readers")


def _price(change: Change, wanted: int | None, why: str, fix: str) -> Draft | None:
    old, new = change.old or {}, change.new or {}
    amounts = [0 if not p else p.get("priceAmount", 0) for p in (old, new)]
    same_unit = not old or not new or all(old.get(k) == new.get(k) for k in ("priceCurrency", "priceUnit"))
    comparable = same_unit and all(map(is_number, amounts)) and amounts[0] != amounts[1]
    found = (1 if amounts[1] > amounts[0] else -1) if comparable else None
    if found != wanted:
        return None
    return Draft(message=f"the price {_spelt(old)} -> {_spelt(new)}", why=why, fix=fix)


def _spelt(price: Mapping[str, Json]) -> str:
    parts = [price.get(k) for k in ("priceAmount", "priceCurrency")]
    unit = f" per {price['priceUnit']}" if price.get("priceUnit") else ""
    return (" ".join(str(p) for p in parts if p is not None) + unit) or "none"


def relationship_added(change: Change, scope: Scope) -> Draft | None:
    return Draft(
        message=f"{subject(change)}: a relationship is promised, {_ends(change, change.new)}",
        why="readers can rely on finding the other row; data written before has not been held to it",
        fix="check old data for values without a counterpart first",
    )


def relationship_removed(change: Change, scope: Scope) -> Draft | None:
    return Draft(
        message=f"{subject(change)}: the relationship {_ends(change, change.old)} is no longer promised",
        why="values may have no counterpart now, so inner joins lose rows",
        fix="keep the relationship, or have readers use outer joins",
    )


def relationship_changed(change: Change, scope: Scope) -> Draft | None:
    if change.field:
        return None
    return Draft(
        message=f"{subject(change)}: relationship {_ends(change, change.old)} -> {_ends(change, change.new)}",
        why="joins that follow the old relationship no longer find the right rows",
        fix="offer the new reference as a new column beside the old one",
    )


def _ends(change: Change, relation: Relationship) -> str:
    source = ", ".join(relation.source) or change.column or change.table or ""
    return f"{source} -> {', '.join(relation.target)} ({relation.type})"


def version_not_raised(change: Change, scope: Scope) -> Draft | None:
    """Semantic Versioning 2.0.0: breaking -> major, addition -> minor, else patch.

    Below 1.0.0 anything may change, so a part less is asked for.
    """
    old, new = _semver(change.old), _semver(change.new)
    if not scope.found or (new is None and change.old != change.new):
        return None
    if old is None or new is None:
        if change.old != change.new:
            return None
        return _not_raised(change, "another version", "something changed")
    if new < old:
        return None
    wanted, reason = _demand(scope, old)
    return None if new >= wanted else _not_raised(change, f"at least {_dotted(wanted)}", reason)


def _not_raised(change: Change, wanted: str, reason: str) -> Draft:
    return Draft(
        message=f"version {change.old} -> {change.new}, but {reason}, which asks for {wanted}",
        why="readers that pin a version or watch for new ones are not warned",
        fix=f"set `version` to {wanted.removeprefix('at least ')}",
    )


def _demand(scope: Scope, old: _Version) -> tuple[_Version, str]:
    breaking = [f for f in scope.found if f.severity is ERROR]
    added = [f for f in scope.found if f.change and f.change.kind is ChangeKind.ADDED]
    part = 0 if breaking else (1 if added else 2)
    reason = breaking[0].message if breaking else (added[0].message if added else "something changed")
    if old[0] == 0:
        part = min(part + 1, 2)
    raised = (old[0] + 1, 0, 0) if part == 0 else (old[0], old[1] + 1, 0)
    return (old[0], old[1], old[2] + 1) if part == 2 else raised, reason


def version_lowered(change: Change, scope: Scope) -> Draft | None:
    old, new = _semver(change.old), _semver(change.new)
    if old is None or new is None or new >= old:
        return None
    return Draft(
        message=f"version {change.old} -> {change.new} goes back",
        why="readers that take the highest version never see this one",
        fix=f"set `version` to one above {change.old}",
    )


def version_unclear(change: Change, scope: Scope) -> Draft | None:
    if change.old == change.new or (_semver(change.old) and _semver(change.new)):
        return None
    return Draft(
        message=f"version {change.old} -> {change.new}: not both are semantic versions",
        why="readers cannot tell from the version whether they break",
        fix="write versions as MAJOR.MINOR.PATCH",
    )


def _semver(text: Json) -> _Version | None:
    match = re.fullmatch(r"v?(\d{1,9})(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?(?:[-+].*)?", str(text).strip())
    return (int(match[1]), int(match[2] or 0), int(match[3] or 0)) if match else None


def _dotted(version: _Version) -> str:
    return ".".join(map(str, version))


_ITSELF = "the opposite is the same change the other way round"

RULES = (
    Rule(
        id="id-changed",
        purpose="Checks that a contract keeps its id.",
        on=("contract.id",),
        severities=both_ways(ERROR),
        handler=id_changed,
        mirror=_ITSELF,
    ),
    Rule(
        id="name-changed",
        purpose="Checks that a contract keeps its name.",
        on=("contract.name",),
        severities=both_ways(WARNING),
        handler=name_changed,
        mirror=_ITSELF,
    ),
    Rule(
        id="placement-changed",
        purpose="Checks that readers hear when a contract moves to another domain, tenant or product.",
        on=("contract.domain", "contract.tenant", "contract.dataProduct"),
        severities=both_ways(INFO),
        handler=placement_changed,
        mirror=_ITSELF,
    ),
    Rule(
        id="api-version-changed",
        purpose="Checks that tools can read the version of the standard.",
        on=("contract.apiVersion",),
        severities=both_ways(INFO),
        handler=api_version_changed,
        mirror=_ITSELF,
    ),
    Rule(
        id="status-deprecated",
        purpose="Checks that readers hear of a contract's deprecation.",
        on=("contract.status",),
        severities=severities(INFO, WARNING),
        handler=status_deprecated,
        mirror="status-promoted",
    ),
    Rule(
        id="status-retired",
        purpose="Checks that no contract is retired that somebody reads.",
        on=("contract.status",),
        severities=both_ways(ERROR),
        handler=status_retired,
        mirror="status-promoted",
    ),
    Rule(
        id="status-demoted",
        purpose="Checks that an active contract does not become a draft again.",
        on=("contract.status",),
        severities=both_ways(WARNING),
        handler=status_demoted,
        mirror="status-promoted",
    ),
    Rule(
        id="status-promoted",
        purpose="Checks that readers hear of any other change of status.",
        on=("contract.status",),
        severities=both_ways(INFO),
        handler=status_promoted,
        mirror="status-demoted",
    ),
    Rule(
        id="team-added",
        purpose="Checks that a team named for the first time is known.",
        on=("team.added",),
        severities=both_ways(INFO),
        handler=team_added,
        mirror="team-removed",
    ),
    Rule(
        id="team-removed",
        purpose="Checks that readers know whom to ask.",
        on=("team.removed",),
        severities=both_ways(WARNING),
        handler=team_removed,
        mirror="team-added",
    ),
    Rule(
        id="team-changed",
        purpose="Checks that readers hear when others answer for the data.",
        on=("team.changed",),
        severities=both_ways(INFO),
        handler=team_changed,
        mirror=_ITSELF,
    ),
    Rule(
        id="support-added",
        purpose="Checks that an added support channel is known.",
        on=("support.added",),
        severities=both_ways(INFO),
        handler=support_added,
        mirror="support-removed",
    ),
    Rule(
        id="support-removed",
        purpose="Checks that readers can still ask where they are used to.",
        on=("support.removed",),
        severities=loosens(WARNING),
        handler=support_removed,
        mirror="support-added",
    ),
    Rule(
        id="support-changed",
        purpose="Checks that readers hear when a support channel changes.",
        on=("support.changed",),
        severities=both_ways(INFO),
        handler=support_changed,
        mirror=_ITSELF,
    ),
    Rule(
        id="role-added",
        purpose="Checks that an added role is known.",
        on=("role.added",),
        severities=both_ways(INFO),
        handler=role_added,
        mirror="role-removed",
    ),
    Rule(
        id="role-removed",
        purpose="Checks that nobody loses access with a role.",
        on=("role.removed",),
        severities=loosens(WARNING),
        handler=role_removed,
        mirror="role-added",
    ),
    Rule(
        id="role-changed",
        purpose="Checks that a role gives the access that it gave.",
        on=("role.changed",),
        severities=both_ways(WARNING),
        handler=role_changed,
        mirror=_ITSELF,
    ),
    Rule(
        id="price-raised",
        purpose="Checks that the price is not raised without notice.",
        on=("price.added", "price.removed", "price.changed"),
        severities=loosens(WARNING),
        handler=price_raised,
        mirror="price-lowered",
    ),
    Rule(
        id="price-lowered",
        purpose="Checks that readers hear of a lower price.",
        on=("price.added", "price.removed", "price.changed"),
        severities=both_ways(INFO),
        handler=price_lowered,
        mirror="price-raised",
    ),
    Rule(
        id="price-changed",
        purpose="Checks that a price in another currency or unit is reviewed.",
        on=("price.added", "price.removed", "price.changed"),
        severities=both_ways(WARNING),
        handler=price_changed,
        mirror=_ITSELF,
    ),
    Rule(
        id="relationship-added",
        purpose="Checks that a relationship promised for the first time is kept by old data.",
        on=("relationship.added",),
        severities=tightens(WARNING),
        handler=relationship_added,
        mirror="relationship-removed",
    ),
    Rule(
        id="relationship-removed",
        purpose="Checks that a promised relationship stays promised.",
        on=("relationship.removed",),
        severities=loosens(WARNING),
        handler=relationship_removed,
        mirror="relationship-added",
    ),
    Rule(
        id="relationship-changed",
        purpose="Checks that a relationship keeps its two ends.",
        on=("relationship.changed",),
        severities=both_ways(WARNING),
        handler=relationship_changed,
        mirror=_ITSELF,
    ),
    Rule(
        id="version-not-raised",
        purpose="Checks that the version is raised as the changes ask (breaking: major, addition: minor).",
        on=("contract.version",),
        severities=both_ways(WARNING),
        handler=version_not_raised,
        mirror="a version raised further than the changes ask misleads nobody",
    ),
    Rule(
        id="version-lowered",
        purpose="Checks that the version does not go back.",
        on=("contract.version",),
        severities=both_ways(ERROR),
        handler=version_lowered,
        mirror="a version that goes up is what is asked for",
    ),
    Rule(
        id="version-unclear",
        purpose="Checks that versions are semantic versions.",
        on=("contract.version",),
        severities=both_ways(INFO),
        handler=version_unclear,
        mirror=_ITSELF,
    ),
)
