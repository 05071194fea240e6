"""What those are told who read a dataset whose contract has a new version."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from datetime import datetime

from contracts_svc.alerts import Audience, Notification, Section
from contracts_svc.findings import Severity
from contracts_svc.impact import Impact, Level
from contracts_svc.lineage.graph import Consumer
from contracts_svc.model import Contract
from contracts_svc.render import clean
from contracts_svc.routing_words import UNROUTED
from contracts_svc.verdict import Verdict

_MOST = 20
_SEVERITY = {Level.BREAKS: Severity.ERROR, Level.MAY_BREAK: Severity.WARNING, Level.UNKNOWN: Severity.WARNING}


def announcements(contract: Contract, verdict: Verdict, now: datetime) -> tuple[Notification, ...]:
    """One message to each team that a change of this version concerns. The same again has the same keys."""
    teams: defaultdict[str, list[Impact]] = defaultdict(list)
    for impact in verdict.impacts:
        if impact.level is not Level.UNAFFECTED:
            teams[_team(impact.consumer)].append(impact)
    return tuple(_message(contract, team, impacts, now) for team, impacts in sorted(teams.items()))


def _message(contract: Contract, team: str, impacts: list[Impact], now: datetime) -> Notification:
    channel = next((c for i in impacts for c in i.consumer.channels), None)
    severity = min((_SEVERITY.get(i.level, Severity.INFO) for i in impacts), key=lambda s: s.rank)
    lines = list(dict.fromkeys(f"{i.consumer.name}: {i.finding.message}" for i in impacts))
    more = [f"and {len(lines) - _MOST} more"] if len(lines) > _MOST else []
    key = json.dumps(["announced", contract.tenant or "", contract.id, contract.version, team])
    return Notification(
        key=hashlib.sha256(key.encode()).hexdigest(),
        audience=Audience.STAKEHOLDER,
        team=team,
        receiver=(channel.tool or "slack").lower() if channel else UNROUTED,
        channel=channel.address if channel else "",
        title=clean(f"{contract.title} has version {contract.version}"),
        severity=severity,
        sections=(Section("What changes for you", tuple(map(clean, (*lines[:_MOST], *more)))),),
        labels={
            "severity": severity.value,
            "audience": Audience.STAKEHOLDER.value,
            "squad": team,
            "tribe": next((i.consumer.tribe for i in impacts if i.consumer.tribe), ""),
            "contract": contract.id,
            "dataset": next((i.finding.table or "" for i in impacts), ""),
        },
        created=now,
    )


def _team(consumer: Consumer) -> str:
    return consumer.team or consumer.owner or f"owner of {consumer.name}"
