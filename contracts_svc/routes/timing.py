"""When a group is looked at next, and by which route and receiver."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from contracts_svc.routes.groups import Entry, Group
from contracts_svc.routes.read import CONTRACT
from contracts_svc.routes.tree import Escalation, ReceiverSpec, Route, RouteFile

DEFAULT_ROUTES = RouteFile(
    root=Route(key="{}", receiver=CONTRACT, group_by=("dataset",)),
    receivers={CONTRACT: ReceiverSpec(name=CONTRACT, kind=CONTRACT)},
)
"""Without a route file the contract's own channels decide, and a team hears once per dataset."""


def timed(group: Group, routes: RouteFile) -> Group:
    """With the time of the next look at it. A message on its way is waited for."""
    if group.pending:
        return replace(group, due=None)
    due = earlier(group.ready, group.update_at if group.updates else None)
    if group.told_at is not None and any(repeats(e, group, routes) for e in group.entries):
        due = earlier(due, group.told_at + route_of(group, routes).repeat_interval)
    escalation = escalation_of(group, routes)
    for entry in group.entries:
        if escalation is not None:
            due = earlier(due, escalates(entry, escalation))
    return replace(group, due=due)


REFRESHED = frozenset({"alertmanager"})
"""Kinds of receivers where an alert ends by itself unless it is told again, whoever is on it."""


def kind_of(group: Group, routes: RouteFile) -> str:
    """The kind of receiver that tells a group."""
    spec = routes.receivers.get(group.receiver)
    return spec.kind if spec is not None and spec.kind != CONTRACT else group.kind


def repeats(entry: Entry, group: Group, routes: RouteFile) -> bool:
    """Whether an incident is told again after a while."""
    refreshed = entry.firing and not entry.moved and kind_of(group, routes) in REFRESHED
    return entry.is_open or refreshed


def ready(group: Group, route: Route, now: datetime) -> Group:
    """With news: told after the wait, and not before the interval since the last message is over."""
    at = now + route.group_wait
    if group.told_at is not None:
        at = max(at, group.told_at + route.group_interval)
    return replace(group, ready=earlier(group.ready, at))


def escalates(entry: Entry, escalation: Escalation) -> datetime | None:
    """When an incident goes to the next receiver, as it stands; None: not at all."""
    if entry.tried is None or entry.escalated or not entry.is_open:
        return None
    return entry.tried + escalation.after


def earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    """The earlier of two moments, where there are two."""
    return min((t for t in (one, other) if t is not None), default=None)


def route_of(group: Group, routes: RouteFile) -> Route:
    """The group's route; the root where the file has changed and has it no more."""
    return next((r for r in routes.root.walk() if r.key == group.route), routes.root)


def escalation_of(group: Group, routes: RouteFile) -> Escalation | None:
    """Where its receiver hands on to what nobody acknowledges."""
    spec = routes.receivers.get(group.receiver)
    return spec.escalation if spec else None
