"""Rules for who answers for the data, who may read it and what it costs; and for relationships."""

from __future__ import annotations

from collections.abc import Mapping

from contracts_svc.compat.rule import (
    INFO,
    WARNING,
    Draft,
    Rule,
    Scope,
    both_ways,
    loosens,
    parts,
    shown,
    subject,
    tightens,
    unordered,
)
from contracts_svc.compat.sameness import same
from contracts_svc.compat.thresholds import is_number
from contracts_svc.findings import Change
from contracts_svc.model import Json, Relationship, Team


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
    if _who(change.old) == _who(change.new):
        return None
    return Draft(
        message=f"the team {_people(change.old)} -> {_people(change.new)}",
        why="others may answer for the data; the data is what it was",
        fix="tell readers when the owner changes",
        values=(_who(change.old), _who(change.new)),
    )


def _who(team: Team) -> Json:
    """All that a team says; in which order its members stand matters only for who owns the data."""
    words = (team.name, team.description, team.owner, team.extra)
    return *words, unordered(team.members), unordered(team.custom)


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
    old, new = change.old, change.new
    differing = _differing(old, new)
    told = [f"{k} {shown(old.get(k))} -> {shown(new.get(k))}" for k in differing]
    return Draft(
        message=f"role {change.key}: {', '.join(told)}",
        why="readers that have access through it may be able to do less, or more",
        fix="have those who approve access confirm it",
        values=({k: old.get(k) for k in differing}, {k: new.get(k) for k in differing}),
    )


def _differing(old: Mapping[str, Json], new: Mapping[str, Json]) -> list[str]:
    return sorted(k for k in {*old, *new} if not same(old.get(k), new.get(k)))


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
    if not any(parts(change, _ENDS)):
        return None
    return Draft(
        message=f"{subject(change)}: relationship {_ends(change, change.old)} -> {_ends(change, change.new)}",
        why="joins that follow the old relationship no longer find the right rows",
        fix="offer the new reference as a new column beside the old one",
        values=parts(change, _ENDS),
    )


def relationship_words_changed(change: Change, scope: Scope) -> Draft | None:
    words = parts(change, ("id", "extra"))
    if not any(words):
        return None
    return Draft(
        message=f"{subject(change)}: relationship {_ends(change, change.new)} is described otherwise",
        why="the rows that belong together are the same",
        fix="nothing to do",
        values=words,
    )


_ENDS = ("type", "source", "target")


def _ends(change: Change, relation: Relationship) -> str:
    source = ", ".join(relation.source) or change.column or change.table or ""
    return f"{source} -> {', '.join(relation.target)} ({relation.type})"


_ITSELF = "the opposite is the same change the other way round"

RULES = (
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
        id="relationship-words-changed",
        purpose="Checks that a relationship described otherwise still relates the same.",
        on=("relationship.changed",),
        severities=both_ways(INFO),
        handler=relationship_words_changed,
        mirror=_ITSELF,
    ),
)
