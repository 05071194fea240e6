"""What is told together to one team by one receiver: its state, and the one message made of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from contracts_svc.alerts import (
    Audience,
    Head,
    IncidentState,
    Notification,
    OnIt,
    Section,
    Update,
    UpdateKind,
)

MOST_TEXTS = 20
"""Texts that one message is made of; of the others it gives the titles."""
MOST_TITLES = 50
WHO_IS_ON_IT, NEXT_UPDATE = "Who is on it", "Next update"
"""Headings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An incident in a group: how it is, and what was told of it."""

    incident: str
    """Its fingerprint."""
    version: str
    """Key of the notification that tells of it as it is now."""
    firing: bool
    on_it: OnIt | None = None
    """Who acknowledged it."""
    told: str = ""
    """The version that was told, or given up, last."""
    heard: bool = False
    """Whether a message about it arrived."""
    held: bool = False
    """Whether it was due and could not be told: a quiet time, or a receiver that was down."""
    tried: datetime | None = None
    """When a message about it was first made."""
    escalated: bool = False
    moved: bool = False
    """Another group tells of it now, by its labels or by its cause; this one still tells its end."""
    cause: str = ""
    """The incident that it is told with, if it is."""

    @property
    def is_open(self) -> bool:
        """Whether it is wrong, is told of here, and nobody is on it."""
        return self.firing and self.on_it is None and not self.moved

    @property
    def is_news(self) -> bool:
        """Whether there is something to tell (quiet times and silences aside)."""
        if self.firing:
            return not self.moved and self.told != self.version
        return self.heard or self.held


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Incidents that one team hears of together. Known by route, labels in common, receiver and team."""

    key: str
    route: str
    """Key of the route."""
    receiver: str
    """Name of the receiver in the route file."""
    audience: Audience
    team: str
    kind: str
    """Where the contract's own channels decide: the kind of receiver."""
    channel: str
    url: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    """The labels in common."""
    entries: tuple[Entry, ...] = ()
    texts: Mapping[str, Notification] = field(default_factory=dict)
    """Version -> what to say."""
    ready: datetime | None = None
    """When news may be told."""
    due: datetime | None = None
    """When to look at it next."""
    told_at: datetime | None = None
    """When a message was last sent, or given up."""
    pending: str = ""
    """Key of the message that is on its way."""
    saying: Mapping[str, str] = field(default_factory=dict)
    """What that message says: incident -> version."""
    attempts: int = 0
    """How often in a row a message could not be sent."""
    failing_since: datetime | None = None
    thread: str = ""
    """What the receiver wants to be given with the next message (see Delivery)."""
    escalation: bool = False
    updates: tuple[Update, ...] = ()
    """What people did about it since it was told, and the receiver does not know yet."""
    telling: int = 0
    """How many of these the message on its way says."""
    update_at: datetime | None = None
    """When they may be told."""
    silenced: OnIt | None = None

    @property
    def recipient(self) -> str:
        """Who hears it, whatever the way."""
        return recipient(self.audience, self.team)

    def labels_of(self, entry: Entry) -> Mapping[str, str]:
        """The labels of an incident, by which it is silenced or inhibited."""
        return self.texts[entry.version].labels

    def with_entries(self, entries: Iterable[Entry], texts: Mapping[str, Notification]) -> Group:
        """These entries, and of the texts those that are needed."""
        kept = tuple(sorted(entries, key=lambda e: e.incident))
        needed = {e.version for e in kept}
        return replace(self, entries=kept, texts={k: v for k, v in sorted(texts.items()) if k in needed})


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is due to be sent."""

    key: str
    """Idempotency: the same key is the same message."""
    group: str
    receiver: str
    """Name of the receiver in the route file."""
    notification: Notification
    created: datetime
    attempts: int = 0


def recipient(audience: Audience, team: str) -> str:
    """The name of an audience and a team together."""
    return f"{audience.value}\x1f{team}"


def digest(parts: object) -> str:
    """SHA-256 of what these values are as JSON, hexadecimal."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def message(
    group: Group,
    told: Sequence[Entry],
    now: datetime,
    labels: Mapping[str, str],
    again: datetime | None = None,
) -> Message:
    """The one message about these entries. ``labels`` are added by the route; ``again`` is when what is
    not over by then is told anew."""
    said = sorted((e.incident, e.version, e.firing) for e in told)
    # The time of the last message tells a repeat from a retry, which says the same with the same key.
    key = digest([group.key, said, group.told_at.isoformat() if group.told_at else ""])
    firing = any(e.firing for e in told)
    state = state_of(group.entries) if firing else IncidentState.RESOLVED
    told_of = _texts(group, told, now)
    notification = _notification(group, told_of, now, {**labels, "state": state.value})
    notification = replace(
        notification,
        key=key,
        incidents=tuple(e.incident for e in told),
        resolved=tuple(e.incident for e in told if not e.firing),
        sections=_with_outlook(notification.sections, group, again),
        head=_head(group, told, now, again),
    )
    return _message(group, notification, now)


def update_message(
    group: Group, now: datetime, labels: Mapping[str, str], again: datetime | None = None
) -> Message:
    """The message that tells a receiver what people did about what it told before."""
    firing = [e for e in group.entries if e.firing]
    said = [f"{u.kind.value} {u.at.isoformat()} {u.by.who}" for u in group.updates]
    notification = _notification(
        group, _texts(group, firing, now), now, {**labels, "state": state_of(firing).value}
    )
    notification = replace(
        notification,
        key=digest([group.key, "update", said]),
        incidents=tuple(e.incident for e in firing),
        sections=_with_outlook(notification.sections, group, again),
        update="; ".join(dict.fromkeys(sentence(u) for u in group.updates)),
    )
    return _message(group, notification, now)


def state_of(entries: Iterable[Entry]) -> IncidentState:
    """Acknowledged when somebody is on all that is wrong."""
    acknowledged = all(e.on_it is not None for e in entries if e.firing)
    return IncidentState.ACKNOWLEDGED if acknowledged else IncidentState.OPEN


def sentence(update: Update) -> str:
    """What was done, as people say it."""
    who, reason = update.by.who, f": {update.reason}" if update.reason else ""
    until = f" until {moment(update.by.until)}" if update.by.until else ""
    if update.kind is UpdateKind.ACKNOWLEDGED:
        return f"{who} is on it{until}{reason}"
    if update.kind is UpdateKind.SILENCED:
        return f"{who} silenced this{until}{reason}. You still hear when it is over"
    return f"{who} ended the silence{reason}"


def moment(at: datetime) -> str:
    """A time to the minute, with its zone."""
    return f"{at:%Y-%m-%d %H:%M %Z}".strip()


def _texts(group: Group, entries: Iterable[Entry], now: datetime) -> list[Notification]:
    """What is said of these, what is wrong and worst first."""
    texts = [group.texts[v] for v in dict.fromkeys(e.version for e in entries)]
    return sorted(texts, key=lambda t: (_is_over(t), t.severity.rank, t.created or now, t.key))


def _notification(
    group: Group, texts: Sequence[Notification], now: datetime, labels: Mapping[str, str]
) -> Notification:
    first = texts[0]
    silenced = group.silenced if _lasts(group.silenced, now) else None
    return replace(
        first,
        receiver=group.kind,
        channel=group.channel,
        url=group.url,
        title=_title(texts),
        sections=_sections(texts),
        labels={**first.labels, **labels},
        created=now,
        group=group.key,
        thread=group.thread,
        still_open=sum(e.firing for e in group.entries),
        labels_of={
            e.incident: {**own, **labels}
            for e in group.entries
            if (own := group.labels_of(e)) != first.labels
        },
        on_it={e.incident: e.on_it for e in group.entries if e.firing and e.on_it is not None},
        silenced=silenced,
    )


def _with_outlook(sections: tuple[Section, ...], group: Group, again: datetime | None) -> tuple[Section, ...]:
    """With who is on what is wrong, and when the next message comes."""
    firing = [e for e in group.entries if e.firing]
    if not firing:
        return sections
    people = dict.fromkeys(e.on_it for e in firing if e.on_it is not None)
    who = tuple(f"{p.who}{f', until {moment(p.until)}' if p.until else ''}" for p in people)
    if who:
        there = [s.heading for s in sections]
        at = there.index(WHO_IS_ON_IT) if WHO_IS_ON_IT in there else len(sections)
        lines = sections[at].lines if at < len(sections) else ()
        sections = (*sections[:at], Section(WHO_IS_ON_IT, (*who, *lines)), *sections[at + 1 :])
    if state_of(firing) is IncidentState.ACKNOWLEDGED or again is None:
        line = "When something changes, and when it is over"
    else:
        line = f"By {moment(again)}, or earlier when something changes"
    return (*sections, Section(NEXT_UPDATE, (line,)))


def _head(group: Group, told: Sequence[Entry], now: datetime, again: datetime | None) -> Head | None:
    """How the group stands, where that is more than what is told now."""
    firing = [e for e in group.entries if e.firing]
    if not group.thread or not firing or {e.incident for e in firing} == {e.incident for e in told}:
        return None
    texts = _texts(group, firing, now)
    sections = _with_outlook(_sections(texts), group, again)
    return Head(title=_title(texts), severity=texts[0].severity, sections=sections)


def _lasts(on_it: OnIt | None, now: datetime) -> bool:
    return on_it is not None and (on_it.until is None or on_it.until > now)


def _title(texts: Sequence[Notification]) -> str:
    return texts[0].title if len(texts) == 1 else f"{texts[0].title} (and {len(texts) - 1} more)"


def _sections(texts: Sequence[Notification]) -> tuple[Section, ...]:
    return texts[0].sections if len(texts) == 1 else tuple(_joined(texts))


def _message(group: Group, notification: Notification, now: datetime) -> Message:
    return Message(
        key=notification.key,
        group=group.key,
        receiver=group.receiver,
        notification=notification,
        created=now,
        attempts=group.attempts,
    )


def _is_over(text: Notification) -> bool:
    return text.labels.get("state") == IncidentState.RESOLVED.value


def _joined(texts: Sequence[Notification]) -> Iterable[Section]:
    """Every text under its title; a part that several have in common comes once."""
    seen: set[tuple[str, tuple[str, ...]]] = set()
    for text in texts[:MOST_TEXTS]:
        yield Section(text.title)
        for section in text.sections:
            if (section.heading, section.lines) not in seen:
                seen.add((section.heading, section.lines))
                yield section
    if rest := [t.title for t in texts[MOST_TEXTS:]]:
        more = [f"and {len(rest) - MOST_TITLES} more"] if len(rest) > MOST_TITLES else []
        yield Section(f"And {len(rest)} more", (*rest[:MOST_TITLES], *more))
