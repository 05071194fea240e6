"""``contracts incidents acknowledge`` and ``contracts incidents resolve``"""

from __future__ import annotations

from contracts_svc import app, app_alerts, settings
from contracts_svc.alerts import Incident, OnIt
from contracts_svc.cli.alerts import actor, me
from contracts_svc.cli.incidents import named
from contracts_svc.cli.output import print_json
from contracts_svc.errors import ExitCode, UserMistake
from contracts_svc.incidents_people import must_be_open
from contracts_svc.render import clean
from contracts_svc.routes.durations import duration


def acknowledge(begin: str, lasts: str, author: str, format: str) -> ExitCode:
    """Somebody is on an incident."""
    loaded, now = settings.load(), app.SystemClock().now()
    store = app.store(loaded)
    length = duration(lasts) if lasts else None
    if lasts and length is None:
        raise UserMistake.of(f"{lasts!r} is no duration", "write for instance 4h or 1d, or leave it out")
    incident = named(store, begin, now)
    by = OnIt(who=author or me(), until=now + length if length else None)
    acting = app_alerts.acting(loaded, store)
    acting.acknowledge([incident.fingerprint], by, actor(author), allowed=must_be_open)
    return _shown(store.incident(incident.fingerprint) or incident, format)


def resolve(begin: str, reason: str, author: str, format: str) -> ExitCode:
    """Somebody says that an incident is over."""
    loaded, now = settings.load(), app.SystemClock().now()
    store = app.store(loaded)
    incident = named(store, begin, now)
    acting = app_alerts.acting(loaded, store)
    moved = acting.resolve(incident, author or me(), reason, actor(author))
    return _shown(moved.incident, format)


def _shown(incident: Incident, format: str) -> ExitCode:
    until = incident.acknowledged_until
    if format == "json":
        print_json(
            ExitCode.OK,
            {
                "id": incident.fingerprint,
                "state": incident.state.value,
                "owner": incident.owner,
                "acknowledged_until": until.isoformat() if until else None,
                "resolution": incident.resolution or None,
            },
        )
        return ExitCode.OK
    said = f"{incident.owner} is on it" if incident.owner and not incident.resolution else incident.resolution
    more = f" until {until:%Y-%m-%d %H:%M %Z}" if until else ""
    print(clean(f"{incident.table} ({incident.check}) is {incident.state.value}: {said}{more}"))
    return ExitCode.OK
