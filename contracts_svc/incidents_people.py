"""What people and time do to incidents: acknowledge, resolve by hand, raise, and let run out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from contracts_svc.alerts import Incident, IncidentState, Transition
from contracts_svc.errors import UserMistake
from contracts_svc.findings import Severity
from contracts_svc.incidents import Handling

_OPEN = (IncidentState.OPEN, IncidentState.ACKNOWLEDGED)


def acknowledge(incident: Incident, by: str, until: datetime | None, now: datetime) -> Transition:
    """Somebody is on it, until a moment (with its zone) or until it is over.

    Raises UserMistake when it is over already, or ``until`` is past.
    """
    must_be_open(incident)
    if not by.strip():
        raise UserMistake.of("nobody is named who acknowledges it", "say who")
    if until is not None and until <= now:
        raise UserMistake.of("the time until which it is acknowledged is past", "name a later time, or none")
    after = replace(incident, state=IncidentState.ACKNOWLEDGED, owner=by, acknowledged_until=until)
    return Transition(incident=after, before=incident.state, at=now, reason=f"acknowledged by {by}")


def resolve(incident: Incident, by: str, reason: str, now: datetime) -> Transition:
    """Somebody says that it is over. Raises UserMistake when it is already, or no reason is given.

    The next run that fails opens it again.
    """
    must_be_open(incident)
    if not by.strip() or not reason.strip():
        raise UserMistake.of("an incident is resolved by hand only with a reason", "say who, and why")
    why = f"resolved by {by}: {reason}"
    after = replace(
        incident,
        state=IncidentState.RESOLVED,
        resolved=now,
        resolution=why,
        resolved_by=by,
        acknowledged_until=None,
        flapping=False,
    )
    return Transition(incident=after, before=incident.state, at=now, reason=why)


def raise_severity(incident: Incident, to: Severity, reason: str, now: datetime) -> Transition | None:
    """It is at least this bad from now on, for instance by whom it reaches; None when it was already."""
    if incident.state not in _OPEN or incident.severity.rank <= to.rank:
        return None
    after = replace(incident, severity=to, raised_to=to)
    return Transition(incident=after, before=incident.state, at=now, reason=f"is {to.value} now: {reason}")


def tick(incidents: Iterable[Incident], now: datetime, handling: Handling) -> tuple[Transition, ...]:
    """What the passing of time does: acknowledgements run out, old warnings become errors."""
    moved: list[Transition] = []
    for incident in incidents:
        until = incident.acknowledged_until
        if incident.state is IncidentState.ACKNOWLEDGED and until is not None and until <= now:
            after = replace(incident, state=IncidentState.OPEN, owner=None, acknowledged_until=None)
            why = f"acknowledged by {incident.owner} until {until:%Y-%m-%d %H:%M %Z}, and not over"
            moved.append(Transition(incident=after, before=incident.state, at=now, reason=why))
            incident = after
        limit = handling.warning_becomes_error
        if limit is not None and incident.severity is Severity.WARNING and now - incident.opened >= limit:
            raised = raise_severity(incident, Severity.ERROR, f"a warning for {limit}", now)
            if raised is not None:
                moved.append(raised)
    return tuple(moved)


def must_be_open(incident: Incident) -> None:
    """Raises UserMistake for one that is over, or not yet told."""
    if incident.state not in _OPEN:
        raise UserMistake.of(
            f"the incident of {incident.table} ({incident.check}) is {incident.state.value}",
            "only one that is open can be acknowledged or resolved",
        )
