"""What people do about alerts comes in: who is on it, who wants to hear no more of it for a while.

It is told to receivers that can change what they said before, as a message of its own in the order of the
group's messages. The others hear nothing of it: that somebody is on it is no reason for an e-mail.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from contracts_svc.alerts import OnIt, Update, UpdateKind
from contracts_svc.routes.groups import Group
from contracts_svc.routes.silences import Silence, silenced
from contracts_svc.routes.timing import DEFAULT_ROUTES, kind_of, timed
from contracts_svc.routes.tree import RouteFile

_ALL = frozenset(UpdateKind)

SHOWN_BY: Mapping[str, frozenset[UpdateKind]] = {
    "alertmanager": _ALL,
    "file": _ALL,
    "pagerduty": frozenset({UpdateKind.ACKNOWLEDGED}),
    "slack": _ALL,
    "webhook": _ALL,
}
"""Kind of receiver -> what it can show of what people do."""


def told_before(group: Group) -> bool:
    """Whether there is something wrong that was told, and so can be changed."""
    return any(e.heard and e.firing for e in group.entries)


def updated(group: Group, update: Update, routes: RouteFile = DEFAULT_ROUTES) -> Group:
    """The group with something that somebody did about it; it is told at once, if it can be shown."""
    if not told_before(group) or update.kind not in SHOWN_BY.get(kind_of(group, routes), ()):
        return group
    at = group.update_at if group.updates and group.update_at is not None else update.at
    return timed(replace(group, updates=(*group.updates, update), update_at=at), routes)


def with_silence(
    groups: Iterable[Group], silence: Silence, now: datetime, routes: RouteFile = DEFAULT_ROUTES
) -> tuple[Group, ...]:
    """Those of the groups that a new silence keeps quiet, as they are then."""
    by = OnIt(who=silence.author, until=silence.ends)
    update = Update(kind=UpdateKind.SILENCED, by=by, at=now, reason=silence.reason)
    return tuple(
        updated(replace(group, silenced=by), update, routes)
        for group in groups
        if _is_muted(group, (silence,), now)
    )


def without_silence(
    groups: Iterable[Group],
    ended: Silence,
    by: str,
    left: Iterable[Silence],
    now: datetime,
    routes: RouteFile = DEFAULT_ROUTES,
) -> tuple[Group, ...]:
    """Those of the groups that a silence kept quiet and none that is ``left`` does, as they are then."""
    others = tuple(s for s in left if s.id != ended.id)
    update = Update(kind=UpdateKind.UNSILENCED, by=OnIt(who=by), at=now)
    return tuple(
        updated(replace(group, silenced=None), update, routes)
        for group in groups
        if group.silenced is not None
        and _is_muted(group, (ended,), now)
        and not _is_muted(group, others, now)
    )


def _is_muted(group: Group, silences: Iterable[Silence], now: datetime) -> bool:
    """Whether all that is wrong in a group is kept back."""
    kept = tuple(silences)
    firing = [e for e in group.entries if e.firing and not e.moved]
    return bool(firing) and all(silenced(group.labels_of(e), kept, now) for e in firing)
