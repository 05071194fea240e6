"""Rules for the contract as a whole: identity, status and version."""

from __future__ import annotations

import re
from typing import TypeAlias

from contracts_svc.compat.rule import (
    ERROR,
    INFO,
    WARNING,
    Draft,
    Rule,
    Scope,
    both_ways,
    severities,
    shown,
)
from contracts_svc.findings import Change, ChangeKind
from contracts_svc.model import Json

_LIFE = {"proposed": 0, "draft": 1, "active": 2, "deprecated": 3, "retired": 4}
"""The statuses of the standard, in the order of a contract's life."""
_ACTIVE = 2
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
    return _status_step(
        change,
        "deprecated",
        why="the data still comes, but will end: readers should plan to move",
        fix="say what replaces it and until when it stays (endOfSupport, endOfLife)",
    )


def status_retired(change: Change, scope: Scope) -> Draft | None:
    return _status_step(
        change,
        "retired",
        why="nobody keeps the promises of a retired contract, and the data may end any time",
        fix="deprecate it first, and retire it when nobody reads it",
    )


def status_demoted(change: Change, scope: Scope) -> Draft | None:
    return _status_step(
        change,
        "demoted",
        why="a contract that is not active yet promises nothing that readers can rely on",
        fix="keep it active, and draft the new version beside it",
    )


def status_promoted(change: Change, scope: Scope) -> Draft | None:
    return _status_step(
        change, "promoted", why="readers can rely on it as much as before, or more", fix="nothing to do"
    )


def _status_step(change: Change, wanted: str, *, why: str, fix: str) -> Draft | None:
    old, new = str(change.old or "").lower(), str(change.new or "").lower()
    if new == "retired":
        step = "retired"
    elif new == "deprecated" and old != "retired":
        step = "deprecated"
    elif _LIFE.get(new, _ACTIVE) < _ACTIVE <= _LIFE.get(old, 0):
        step = "demoted"
    else:
        step = "promoted"
    if step != wanted:
        return None
    return Draft(message=f"status {shown(change.old)} -> {shown(change.new)}", why=why, fix=fix)


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
    match = re.fullmatch(r"v?(\d{1,9})(?:\.(\d{1,9})(?:\.(\d{1,9})(?:[-+].*)?)?)?", str(text).strip())
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
