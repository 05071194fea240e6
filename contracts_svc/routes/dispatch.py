"""Alerts come in: which groups of messages they join, change, or leave.

How a group is told is in :mod:`.flush`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from contracts_svc.alerts import IncidentState, Notification, OnIt
from contracts_svc.routes.channels import workspaces_of
from contracts_svc.routes.groups import Entry, Group, digest, recipient
from contracts_svc.routes.read import CONTRACT
from contracts_svc.routes.timing import DEFAULT_ROUTES, earlier, ready, route_of, timed
from contracts_svc.routes.tree import Route, RouteFile


class Target(NamedTuple):
    """Where a notification goes: the route, the receiver, and the group there."""

    key: str
    route: Route
    receiver: str


def targets(notification: Notification, routes: RouteFile) -> tuple[Target, ...]:
    """The groups that tell of a notification; never empty. Two routes may go to one receiver."""
    return tuple(
        Target(key_of(notification, route, route.receiver, routes), route, route.receiver)
        for route in routes.routes(notification.labels)
    )


def receive(
    groups: Iterable[Group],
    notifications: Iterable[Notification],
    *,
    now: datetime,
    routes: RouteFile = DEFAULT_ROUTES,
    over: Collection[str] = (),
    explained: Mapping[str, str] = {},
) -> tuple[Group, ...]:
    """The groups that these notifications change, as they are then.

    ``groups`` are all that hold an incident named here, and those among :func:`targets` that there are.
    ``over`` are incidents (by fingerprint) that were resolved: whoever was told of one hears it, also
    who is not among the notifications any more. ``explained`` are incidents that are told with their
    cause from now on (incident -> cause): what was not yet told of them is not, and what was is not
    repeated. Where the cause is over before a team heard of it, the team hears of the incident after all.
    """
    known = {g.key: g for g in groups}
    before = dict(known)
    ended: set[tuple[str, str]] = set()
    for notification in notifications:
        to = recipient(notification.audience, notification.team)
        if notification.labels.get("state") == IncidentState.RESOLVED.value:
            for group in [g for g in known.values() if g.recipient == to]:
                known[group.key] = _over(group, notification, notification.incidents, now, routes)
            ended |= {(to, i) for i in notification.incidents}
        else:
            _take(known, notification, to, now, routes)
    for group in tuple(known.values()):
        lost = [e for e in group.entries if e.firing and e.incident in over]
        for entry in lost:
            if (group.recipient, entry.incident) not in ended:
                text = _is_over(group.texts[entry.version], now)
                known[group.key] = _over(known[group.key], text, (entry.incident,), now, routes)
        if explained:
            known[group.key] = _withdrawn(known[group.key], explained, routes)
    if over:
        _restore(known, over, now, routes)
    return tuple(g for key, g in known.items() if g != before.get(key))


def acknowledged(
    group: Group, incidents: Collection[str], on_it: OnIt | None, routes: RouteFile = DEFAULT_ROUTES
) -> Group:
    """The group when somebody is on these incidents, or (None) nobody is any more."""
    entries = [replace(e, on_it=on_it) if e.incident in incidents else e for e in group.entries]
    return timed(group.with_entries(entries, group.texts), routes)


def joined(stored: Group | None, escalated: Group, routes: RouteFile = DEFAULT_ROUTES) -> Group:
    """A group with what was escalated to it."""
    if stored is None:
        return timed(escalated, routes)
    known = {e.incident for e in stored.entries if e.firing}
    new = [e for e in escalated.entries if e.incident not in known]
    kept = [e for e in stored.entries if e.incident not in {n.incident for n in new}]
    group = stored.with_entries([*kept, *new], {**stored.texts, **escalated.texts})
    return timed(replace(group, ready=earlier(stored.ready, escalated.ready)), routes)


def _take(
    known: dict[str, Group], notification: Notification, to: str, now: datetime, routes: RouteFile
) -> None:
    """An alert that fires: into its groups, and out of those that it does not belong to any more."""
    found = targets(notification, routes)
    for key, route, receiver in found:
        group = known.get(key) or new_group(key, notification, route, receiver)
        known[key] = _fires(group, notification, now, route, routes)
    here = {t.key for t in found}
    named = set(notification.incidents)
    for group in [g for g in known.values() if g.recipient == to and g.key not in here]:
        if group.escalation:
            held = {e.incident for e in group.entries if e.firing} & named
            text = replace(notification, incidents=tuple(sorted(held)))
            if held:
                known[group.key] = _fires(group, text, now, route_of(group, routes), routes)
        else:
            entries = [replace(e, moved=True) if e.incident in named else e for e in group.entries]
            known[group.key] = timed(group.with_entries(entries, group.texts), routes)


def _fires(group: Group, notification: Notification, now: datetime, route: Route, routes: RouteFile) -> Group:
    entries = {e.incident: e for e in group.entries}
    news = False
    for incident in notification.incidents:
        new = Entry(incident=incident, version=notification.key, firing=True)
        there = entries.get(incident, new)
        entries[incident] = replace(there, version=notification.key, firing=True, moved=False, cause="")
        news = news or entries[incident].is_news
    group = group.with_entries(entries.values(), {**group.texts, notification.key: notification})
    return timed(ready(group, route, now) if news else group, routes)


def _over(
    group: Group, text: Notification, incidents: Iterable[str], now: datetime, routes: RouteFile
) -> Group:
    named = {e.incident for e in group.entries if e.firing} & set(incidents)
    if not named:
        return group
    entries = [
        replace(e, version=text.key, firing=False, on_it=None) if e.incident in named else e
        for e in group.entries
    ]
    group = group.with_entries(entries, {**group.texts, text.key: text})
    return timed(ready(group, route_of(group, routes), now), routes)


def _is_over(text: Notification, now: datetime) -> Notification:
    """The end of what somebody was told, for whom it would not concern any more."""
    return replace(
        text,
        key=digest([text.key, "over"]),
        title=f"It is over: {text.title}",
        sections=(),
        labels={**text.labels, "state": IncidentState.RESOLVED.value},
        created=now,
    )


def _withdrawn(group: Group, explained: Mapping[str, str], routes: RouteFile) -> Group:
    """What is explained is neither told nor repeated; who was told hears the end."""
    entries = [
        replace(e, moved=True, cause=explained[e.incident]) if e.firing and e.incident in explained else e
        for e in group.entries
    ]
    return timed(group.with_entries(entries, group.texts), routes)


def _restore(known: dict[str, Group], over: Collection[str], now: datetime, routes: RouteFile) -> None:
    """Bring back what waited for a cause that is over, for teams that never heard of the cause."""
    heard = {
        (g.team, e.incident)
        for g in known.values()
        for e in g.entries
        if e.incident in over and (e.heard or e.incident in g.saying)
    }
    for group in tuple(known.values()):
        names = {
            e.incident
            for e in group.entries
            if e.cause in over and e.firing and not e.heard and (group.team, e.cause) not in heard
        }
        if names:
            entries = [replace(e, moved=False, cause="") if e.incident in names else e for e in group.entries]
            # They have waited already.
            back = replace(group.with_entries(entries, group.texts), ready=now)
            known[group.key] = timed(back, routes)


def new_group(key: str, notification: Notification, route: Route, receiver: str) -> Group:
    return Group(
        key=key,
        route=route.key,
        receiver=receiver,
        audience=notification.audience,
        team=notification.team,
        kind=notification.receiver,
        channel=notification.channel,
        url=notification.url,
        labels=route.group_of(notification.labels),
    )


def key_of(notification: Notification, route: Route, receiver: str, routes: RouteFile) -> str:
    # Where the contract says where to, a channel that changed there is another group.
    own = routes.receivers[receiver].kind == CONTRACT
    place = [notification.receiver, notification.channel] if own else []
    place += sorted(workspaces_of(notification.url)) if own else []
    common = route.group_of(notification.labels)
    # Teams of two tenants may have one name.
    place += [tenant] if (tenant := notification.labels.get("tenant", "")) else []
    return digest([route.key, receiver, notification.audience.value, notification.team, common, place])
