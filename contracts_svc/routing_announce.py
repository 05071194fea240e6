"""A contract's new version announces itself to whoever reads the old one, when it breaks or may break them.

Each team downstream hears what changes, from when, and what becomes of its own columns; the channel that
the contract has for announcements hears of the whole. The same version is announced once.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime

from contracts_svc.alerts import Audience, Notification, Section
from contracts_svc.compat.thresholds import as_date
from contracts_svc.findings import Severity
from contracts_svc.impact import Impact, Level
from contracts_svc.lineage.graph import Consumer
from contracts_svc.model import Contract
from contracts_svc.render import clean
from contracts_svc.routing import owner_of, stakeholder_of, team_of
from contracts_svc.routing_words import Recipient
from contracts_svc.verdict import Verdict

SCOPE = "announcements"
"""The ODCS ``support`` scope of the channel that hears of every change."""
FROM = "effectiveFrom"
"""The custom property of a contract that says from when on data follows the version (an ISO date)."""
MOST_LINES = 20

_TOLD = (Level.BREAKS, Level.MAY_BREAK, Level.UNKNOWN)
_WORDS = {
    Level.BREAKS: "breaks",
    Level.MAY_BREAK: "may break",
    Level.UNKNOWN: "may be affected (how it reads this is not known)",
}


def announcements(
    new: Contract,
    replaced: str,
    verdict: Verdict,
    now: datetime,
    *,
    default_receiver: str = "slack",
) -> tuple[Notification, ...]:
    """One to each team that a version breaks or may break, by team, and one to the announcements channel.

    None where the version neither breaks anybody nor needed a waiver. ``replaced`` is the version before.
    The owner's team knows already. What is only more than before is in the digest. The verdict may be on
    other contracts, too.
    """
    impacts = [i for i in verdict.impacts if i.level in _TOLD and i.finding.contract == new.id]
    waived = any(finding.contract == new.id for _, finding in verdict.waived)
    if not any(i.level is not Level.UNKNOWN for i in impacts) and not waived:
        return ()
    owner = owner_of(new, new.id, default_receiver)
    teams: defaultdict[str, list[Impact]] = defaultdict(list)
    for impact in impacts:
        teams[team_of(impact.consumer)].append(impact)
    made = [
        _notification(
            new,
            stakeholder_of(team, _consumers(theirs), default_receiver),
            f"{new.title} {new.version} changes what you read{_when(new, now)}",
            (*_changes(theirs), *_effects(theirs), *_agreed(verdict, theirs), *_dates(new, replaced, now)),
            theirs,
            now,
        )
        for team, theirs in sorted(teams.items())
        if team != owner.team
    ]
    channel = next((c for c in new.support if (c.scope or "").lower() == SCOPE), None)
    if channel is not None:
        receiver = (channel.tool or default_receiver).lower()
        everybody = Recipient(team=owner.team, receiver=receiver, channel=channel.channel, tribe=owner.tribe)
        title = f"{new.title} {new.version} is a breaking change{_when(new, now)}"
        parts = (*_changes(impacts), *_readers(teams), *_agreed(verdict, impacts))
        made.append(_notification(new, everybody, title, (*parts, *_dates(new, replaced, now)), impacts, now))
    return tuple(made)


def effective(new: Contract, now: datetime) -> date:
    """From when on data follows a version: what it says, else the day of its registration."""
    stated = next((as_date(c.value) for c in new.custom if c.property == FROM), None)
    return stated or now.date()


def _when(new: Contract, now: datetime) -> str:
    day = effective(new, now)
    return f" from {day:%Y-%m-%d} on" if day > now.date() else ""


def _consumers(impacts: Iterable[Impact]) -> list[Consumer]:
    return list(dict.fromkeys(i.consumer for i in impacts))


def _changes(impacts: Iterable[Impact]) -> list[Section]:
    lines = list(dict.fromkeys(_change(i) for i in impacts))
    return [Section("What changes", _cut(lines))] if lines else []


def _change(impact: Impact) -> str:
    finding = impact.finding
    return f"{finding.message}: {finding.why}" if finding.why else finding.message


def _effects(impacts: Sequence[Impact]) -> list[Section]:
    """What becomes of each of a team's own datasets, the worst first."""
    lines = []
    for impact in sorted(impacts, key=lambda i: (i.level.rank, i.consumer.name)):
        columns = f" ({', '.join(impact.columns)})" if impact.columns else ""
        lines.append(f"{impact.consumer.name}{columns} {_WORDS[impact.level]}: {impact.reason}")
    return [Section("What it means to you", _cut(list(dict.fromkeys(lines))))]


def _readers(teams: defaultdict[str, list[Impact]]) -> list[Section]:
    lines = [
        f"{team}: {', '.join(dict.fromkeys(i.consumer.name for i in theirs))}"
        for team, theirs in sorted(teams.items())
    ]
    return [Section("Who is affected", _cut(lines))] if lines else []


def _agreed(verdict: Verdict, impacts: Iterable[Impact]) -> list[Section]:
    named = {i.finding.fingerprint for i in impacts}
    lines = [
        f"{waiver.approver} agreed to {finding.change.path if finding.change else finding.rule} until "
        f"{waiver.expires:%Y-%m-%d}: {waiver.reason}"
        for waiver, finding in verdict.waived
        if finding.fingerprint in named
    ]
    return [Section("Who agreed", _cut(list(dict.fromkeys(lines))))] if lines else []


def _dates(new: Contract, replaced: str, now: datetime) -> list[Section]:
    day = effective(new, now)
    since = "in force since" if day <= now.date() else "in force from"
    return [Section("When", (f"{new.version} takes the place of {replaced}, {since} {day:%Y-%m-%d}",))]


def _notification(
    new: Contract,
    to: Recipient,
    title: str,
    sections: Sequence[Section],
    impacts: Sequence[Impact],
    now: datetime,
) -> Notification:
    breaks = any(i.level is Level.BREAKS for i in impacts)
    severity = Severity.ERROR if breaks else Severity.WARNING
    key = json.dumps(["announcement", new.id, new.version, to.team, to.receiver, to.channel])
    labels = {
        "severity": severity.value,
        "audience": Audience.STAKEHOLDER.value,
        "squad": to.team,
        "tribe": to.tribe,
        "domain": new.domain or "",
        "tenant": new.tenant or "",
        "contract": new.id,
        "state": "announcement",
    }
    return Notification(
        key=hashlib.sha256(key.encode()).hexdigest(),
        audience=Audience.STAKEHOLDER,
        team=to.team,
        receiver=to.receiver,
        channel=to.channel,
        title=clean(title),
        severity=severity,
        sections=tuple(Section(s.heading, tuple(map(clean, s.lines))) for s in sections),
        labels={name: value for name, value in labels.items() if value},
        created=now,
    )


def _cut(lines: Sequence[str]) -> tuple[str, ...]:
    more = len(lines) - MOST_LINES
    return (*lines[:MOST_LINES], f"and {more} more") if more > 0 else tuple(lines)
