"""The digest: what a squad should know of its data without having been woken for it, once a day or week."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from contracts_svc.alerts import Audience, Incident, IncidentState, Notification, Section
from contracts_svc.findings import Severity
from contracts_svc.model import Contract
from contracts_svc.routing import owner_of
from contracts_svc.routing_words import Recipient

STALE_AFTER = timedelta(days=7)
"""What is open for so long is named as such, whoever is on it."""
MOST_LINES = 20

_Place = tuple[str, str, str]
"""Team, receiver, channel."""


def digests(
    incidents: Iterable[Incident],
    *,
    contracts: Mapping[str, Contract],
    since: datetime,
    now: datetime,
    notes: Mapping[str, Sequence[str]] = {},
    read: Iterable[tuple[Recipient, str]] = (),
    default_receiver: str = "slack",
) -> tuple[Notification, ...]:
    """One message to each team that owns something worth a line, by team.

    ``incidents`` are those that are open, and those resolved after ``since``. ``notes`` are sentences by
    contract id: changes of contracts, deprecations that come; ``read`` are sentences for teams about what
    they read of others. ``contracts`` is by id. A team about whose data there is nothing to say gets
    nothing.
    """
    owners: dict[_Place, Recipient] = {}
    theirs: defaultdict[_Place, list[Incident]] = defaultdict(list)
    said: defaultdict[_Place, list[str]] = defaultdict(list)

    def place_of(contract_id: str) -> _Place:
        owner = owner_of(contracts.get(contract_id), contract_id, default_receiver)
        place = (owner.team, owner.receiver, owner.channel)
        owners[place] = owner
        return place

    for incident in incidents:
        if incident.state is IncidentState.RESOLVED and (
            incident.resolved is None or incident.resolved <= since
        ):
            continue
        if incident.state is not IncidentState.PENDING:
            theirs[place_of(incident.contract)].append(incident)
    for contract_id, lines in notes.items():
        contract = contracts.get(contract_id)
        name = contract.title if contract else contract_id
        said[place_of(contract_id)] += [f"{name}: {line}" for line in lines]
    upstream: defaultdict[_Place, list[str]] = defaultdict(list)
    for reader, line in read:
        place = (reader.team, reader.receiver, reader.channel)
        # A team that owns something is told where it owns it, in one message.
        place = next((p for p in owners if p[0] == reader.team), place)
        owners.setdefault(place, reader)
        upstream[place].append(line)
    found = (
        _message(owners[place], _sections(theirs[place], said[place], upstream[place], now), since, now)
        for place in sorted(owners)
    )
    return tuple(message for message in found if message.sections)


def _sections(
    incidents: Sequence[Incident], notes: Sequence[str], read: Sequence[str], now: datetime
) -> tuple[Section, ...]:
    ordered = sorted(incidents, key=lambda i: (i.severity.rank, i.opened, i.fingerprint))
    going_on = [i for i in ordered if i.state is not IncidentState.RESOLVED]
    stale = [i for i in going_on if now - i.opened >= STALE_AFTER]
    fresh = [i for i in going_on if now - i.opened < STALE_AFTER]
    acknowledged = [i for i in fresh if i.state is IncidentState.ACKNOWLEDGED]
    waiting = [i for i in fresh if i.state is IncidentState.OPEN]
    parts = (
        ("Open, and nobody has acknowledged it", [_line(i) for i in waiting if i.severity is Severity.ERROR]),
        ("Warnings", [_line(i) for i in waiting if i.severity is not Severity.ERROR]),
        ("Somebody is on it", [f"{_line(i)}; {i.owner}{_until(i)}" for i in acknowledged]),
        (f"Open for more than {STALE_AFTER.days} days", [_line(i) for i in stale]),
        ("Over", [_over(i) for i in ordered if i.state is IncidentState.RESOLVED]),
        ("Contracts", list(notes)),
        ("What you read", list(read)),
    )
    return tuple(Section(heading, _cut(lines)) for heading, lines in parts if lines)


def _message(owner: Recipient, sections: tuple[Section, ...], since: datetime, now: datetime) -> Notification:
    key = json.dumps(
        ["digest", owner.team, owner.receiver, owner.channel, since.isoformat(), now.isoformat()]
    )
    return Notification(
        key=hashlib.sha256(key.encode()).hexdigest(),
        audience=Audience.OWNER,
        team=owner.team,
        receiver=owner.receiver,
        channel=owner.channel,
        url=owner.url,
        title=f"{owner.team}: your data from {since:%Y-%m-%d} to {now:%Y-%m-%d}",
        severity=Severity.INFO,
        sections=sections,
        labels={
            "severity": Severity.INFO.value,
            "audience": Audience.OWNER.value,
            "squad": owner.team,
            "tribe": owner.tribe,
            "state": "digest",
        },
        created=now,
    )


def _line(incident: Incident) -> str:
    what = incident.evidence.check.title or incident.check
    flaps = ", comes and goes" if incident.flapping else ""
    cause = ", explained by another" if incident.cause else ""
    return f"{incident.table}: {what} (since {incident.opened:%Y-%m-%d %H:%M %Z}{flaps}{cause})"


def _until(incident: Incident) -> str:
    until = incident.acknowledged_until
    return f" until {until:%Y-%m-%d %H:%M %Z}" if until else ""


def _over(incident: Incident) -> str:
    what = incident.evidence.check.title or incident.check
    untold = "" if incident.announced else ", not told"
    return f"{incident.table}: {what} ({incident.resolution}{untold})"


def _cut(lines: Sequence[str]) -> tuple[str, ...]:
    more = len(lines) - MOST_LINES
    return (*lines[:MOST_LINES], f"and {more} more") if more > 0 else tuple(lines)
