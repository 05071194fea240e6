"""From alerts to messages that are due: grouping, waiting, repeating, quiet times, silences, escalation.

The timing is Alertmanager's (https://prometheus.io/docs/alerting/latest/configuration/#route): a new
group waits ``group_wait`` for more, news of a group that was told waits ``group_interval``, and what
has not changed is told again after ``repeat_interval``. Where this differs, it is because people read it:

- A group is of one team and one receiver, since each team has words of its own.
- What opened and was over within ``group_wait`` is not told: there is nothing to do about it, and nobody
  was told that it is wrong. What could not be told because of a quiet time or a receiver that was down
  is told when it can be, in one message, and also when it is over by then.
- Who was told that something is wrong is told that it is over, whatever was silenced or changed since.
- What is acknowledged is not repeated and does not escalate.
- An alert is inhibited only by what the same team is told: a team does not go without because another
  one was told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from contracts_svc.routes.dispatch import key_of, new_group
from contracts_svc.routes.groups import Entry, Group, Message, message, update_message
from contracts_svc.routes.intervals import TimeInterval, next_change
from contracts_svc.routes.silences import Silence, silenced
from contracts_svc.routes.timing import (
    DEFAULT_ROUTES,
    earlier,
    escalates,
    escalation_of,
    repeats,
    route_of,
    timed,
)
from contracts_svc.routes.tree import Labels, Route, RouteFile
from contracts_svc.routes.updates import told_before


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What decides whether something is told, beside the group itself."""

    routes: RouteFile = DEFAULT_ROUTES
    silences: tuple[Silence, ...] = ()
    firing: Mapping[str, tuple[Labels, ...]] = field(default_factory=dict)
    """Recipient -> the labels of what is firing for them; needed where there are inhibit rules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flushed:
    """What looking at a group gave."""

    group: Group
    """As it is now; without entries it is to be forgotten."""
    message: Message | None = None
    escalated: Group | None = None
    """What goes to the next receiver, to be joined with that group if it is there (:func:`joined`)."""


def flush(group: Group, world: World, now: datetime) -> Flushed:
    """Look at a group that is due (or not: then nothing happens), and say what is to be sent."""
    if group.pending or group.due is None or group.due > now:
        return Flushed(group=group)
    route = route_of(group, world.routes)
    if group.updates and group.update_at is not None and group.update_at <= now:
        # Neither quiet times nor silences keep back who is on it: only what was told before is changed.
        if told_before(group):
            again = (group.told_at or now) + route.repeat_interval
            made = update_message(group, now, dict(route.labels), again)
            return Flushed(group=_update_on_its_way(group, made), message=made)
        group = replace(group, updates=(), update_at=None)
    group = group.with_entries((e for e in group.entries if _matters(group, e, world, now)), group.texts)
    if world.routes.quiet(route, now):
        held = [replace(e, held=e.held or e.is_news) for e in group.entries]
        due = next_change(_intervals(route, world.routes), now) if held else None
        due = earlier(due, group.update_at if group.updates else None)
        return Flushed(group=replace(group.with_entries(held, group.texts), due=due))
    kept_back = {e.incident for e in group.entries if e.firing and _kept_back(group, e, world, now)}
    free = [e for e in group.entries if e.incident not in kept_back and not (e.firing and e.moved)]
    group, escalated = _escalate(group, free, route, world, now)
    told = _due(group, free, route, world.routes, now)
    if told:
        made = message(group, told, now, dict(route.labels), now + route.repeat_interval)
        return Flushed(group=_on_its_way(group, told, made, now), message=made, escalated=escalated)
    waiting = group.ready if group.ready is not None and group.ready > now else None
    group = timed(replace(group, ready=waiting), world.routes)
    if kept_back:
        # A silence can be ended, and what inhibits can be over: both are found out by looking again.
        again = now + route.group_interval
        due = again if group.due is None or group.due <= now else min(group.due, again)
        group = replace(group, ready=earlier(waiting, again), due=due)
    return Flushed(group=group, escalated=escalated)


def sent(group: Group, now: datetime, thread: str = "", routes: RouteFile = DEFAULT_ROUTES) -> Group:
    """The group when its message has arrived. ``thread`` as in Delivery."""
    group = replace(group, updates=group.updates[group.telling :], telling=0)
    if _says_update(group):
        group = replace(group, pending="", thread=thread or group.thread, attempts=0, failing_since=None)
        return timed(group, routes)
    entries = [
        replace(e, told=group.saying[e.incident], heard=True, held=False) if e.incident in group.saying else e
        for e in group.entries
        if e.firing or group.saying.get(e.incident) != e.version
    ]
    return _settled(replace(group, thread=thread or group.thread), entries, now, routes)


def given_up(group: Group, now: datetime, routes: RouteFile = DEFAULT_ROUTES) -> Group:
    """The group when its message cannot be sent. What is still wrong is tried again as a repeat."""
    group = replace(group, updates=group.updates[group.telling :], telling=0)
    if _says_update(group):
        return timed(replace(group, pending="", attempts=0, failing_since=None), routes)
    entries = [
        replace(e, told=group.saying[e.incident], held=False) if e.incident in group.saying else e
        for e in group.entries
        if e.firing or group.saying.get(e.incident) != e.version
    ]
    return _settled(group, entries, now, routes)


def failed(
    group: Group, again: datetime, now: datetime, *, tried: bool, routes: RouteFile = DEFAULT_ROUTES
) -> Group:
    """The group when its message was not taken, and may be later. What is told then is what is so then.

    ``tried`` False: it was not even tried, since the receiver is known to be down.
    """
    since, attempts = group.failing_since or now, group.attempts + tried
    group = replace(group, telling=0)
    if _says_update(group):
        later = replace(group, pending="", update_at=again, attempts=attempts, failing_since=since)
        return timed(later, routes)
    entries = [replace(e, held=e.held or e.incident in group.saying) for e in group.entries]
    return timed(
        replace(
            group.with_entries(entries, group.texts),
            pending="",
            saying={},
            ready=again,
            attempts=attempts,
            failing_since=since,
        ),
        routes,
    )


def asked_again(group: Group, now: datetime, routes: RouteFile = DEFAULT_ROUTES) -> Group:
    """The group when somebody wants what was given up to be told: all that is still wrong, at once."""
    entries = [replace(e, told="" if e.firing and not e.heard else e.told) for e in group.entries]
    return timed(replace(group.with_entries(entries, group.texts), ready=now), routes)


def _settled(group: Group, entries: Iterable[Entry], now: datetime, routes: RouteFile) -> Group:
    group = replace(
        group.with_entries(entries, group.texts),
        pending="",
        saying={},
        attempts=0,
        failing_since=None,
        told_at=now,
        ready=None,
    )
    if any(e.is_news for e in group.entries):
        # It changed while its message was on its way.
        group = replace(group, ready=now + route_of(group, routes).group_interval)
    return timed(group, routes)


def _due(group: Group, free: Sequence[Entry], route: Route, routes: RouteFile, now: datetime) -> list[Entry]:
    """What is to be told now: the news, or all that is still wrong when it is time to repeat it."""
    if (
        group.told_at is not None
        and now >= group.told_at + route.repeat_interval
        and any(repeats(e, group, routes) for e in free)
    ):
        return [e for e in free if e.firing or e.is_news]
    if group.ready is None or group.ready > now:
        return []
    return [e for e in free if e.is_news]


def _on_its_way(group: Group, told: Sequence[Entry], made: Message, now: datetime) -> Group:
    names = {e.incident for e in told}
    entries = [replace(e, tried=e.tried or now) if e.incident in names else e for e in group.entries]
    return replace(
        group.with_entries(entries, group.texts),
        pending=made.key,
        saying={e.incident: e.version for e in told},
        # The message shows how all stands, and so what people did.
        telling=len(group.updates),
        ready=None,
        due=None,
    )


def _update_on_its_way(group: Group, made: Message) -> Group:
    return replace(group, pending=made.key, saying={}, telling=len(group.updates), due=None)


def _says_update(group: Group) -> bool:
    """Whether the message on its way only says what people did."""
    return bool(group.pending) and not group.saying


def _matters(group: Group, entry: Entry, world: World, now: datetime) -> bool:
    """Whether it is wrong, or somebody has to hear that it is over."""
    if entry.firing or entry.heard:
        return True
    return entry.held and not silenced(group.labels_of(entry), world.silences, now)


def _kept_back(group: Group, entry: Entry, world: World, now: datetime) -> bool:
    labels = group.labels_of(entry)
    if silenced(labels, world.silences, now):
        return True
    return world.routes.inhibited(labels, world.firing.get(group.recipient, ()))


# --- escalation ---------------------------------------------------------------------------------


def _escalate(
    group: Group, free: Sequence[Entry], route: Route, world: World, now: datetime
) -> tuple[Group, Group | None]:
    """The group, and what of it goes to the next receiver."""
    escalation = escalation_of(group, world.routes)
    if escalation is None:
        return group, None
    due = [e for e in free if (at := escalates(e, escalation)) is not None and at <= now]
    if not due:
        return group, None
    names = {e.incident for e in due}
    entries = [replace(e, escalated=True) if e.incident in names else e for e in group.entries]
    first = group.texts[due[0].version]
    key = key_of(first, route, escalation.receiver, world.routes)
    other = replace(new_group(key, first, route, escalation.receiver), escalation=True, ready=now)
    handed_on = [Entry(incident=e.incident, version=e.version, firing=True) for e in due]
    return group.with_entries(entries, group.texts), other.with_entries(handed_on, group.texts)


def _intervals(route: Route, routes: RouteFile) -> list[TimeInterval]:
    return [i for name in (*route.mute, *route.active) for i in routes.intervals[name]]
