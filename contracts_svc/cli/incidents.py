"""``contracts incidents``"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from contracts_svc import app, settings
from contracts_svc.adapters.store.store import DatabaseStore
from contracts_svc.alerts import Audience, Incident
from contracts_svc.cli.output import count, paint, print_json
from contracts_svc.errors import ExitCode, UserMistake
from contracts_svc.incidents_times import ServiceTime, Times, judged, times
from contracts_svc.quality import texts
from contracts_svc.render import clean
from contracts_svc.render.run import result_json
from contracts_svc.routes.durations import duration

_LONGEST = timedelta(days=3650)
Told = Mapping[Audience, datetime]


def incidents_list(contract: str, resolved_within: str, format: str) -> ExitCode:
    """What is wrong now, and what was until lately."""
    store, now = app.store(settings.load()), app.SystemClock().now()
    within = duration(resolved_within) if resolved_within else timedelta()
    if within is None or within > _LONGEST:
        raise UserMistake.of(f"{resolved_within!r} is no duration", "write for instance 2h, 1d or 1w")
    found = store.incidents(now - within if within else None)
    found = tuple(i for i in found if contract in ("", i.contract))
    told = store.told(i.fingerprint for i in found)
    if format == "json":
        rows = [_json(i, times(i, told.get(i.fingerprint, {}))) for i in found]
        print_json(ExitCode.OK, {"incidents": rows})
        return ExitCode.OK
    for incident in found:
        _print(incident, times(incident, told.get(incident.fingerprint, {})))
    print(count(len(found), "incident"))
    return ExitCode.OK


def incidents_show(begin: str, format: str) -> ExitCode:
    """One incident, and all that happened to it."""
    store, now = app.store(settings.load()), app.SystemClock().now()
    incident = named(store, begin, now)
    taken = times(incident, store.told([incident.fingerprint]).get(incident.fingerprint, {}))
    versions = store.versions(incident.contract)
    promised = judged(incident, taken, versions[-1], now) if versions else ()
    moved = store.transitions(incident.fingerprint)
    if format == "json":
        document = _json(incident, taken) | {
            "service_levels": [_level_json(s) for s in promised],
            "evidence": result_json(incident.evidence),
            "transitions": [
                {"at": t.at.isoformat(), "state": t.incident.state.value, "reason": t.reason} for t in moved
            ],
        }
        print_json(ExitCode.OK, {"incident": document})
        return ExitCode.OK
    _print(incident, taken)
    print(f"    expected {clean(incident.evidence.expected)}")
    print(f"    found    {clean(incident.evidence.found or incident.evidence.reason)}")
    for level in promised:
        print(f"    {_level(level)}")
    for t in moved:
        print(f"    {t.at:%Y-%m-%d %H:%M %Z} {t.incident.state.value}: {clean(t.reason)}")
    return ExitCode.OK


def named(store: DatabaseStore, begin: str, now: datetime) -> Incident:
    """The incident whose id begins so. Raises UserMistake when there is none, or more than one."""
    exact = store.incident(begin)
    if exact is not None:
        return exact
    found = [i for i in store.incidents(now - _LONGEST) if begin and i.fingerprint.startswith(begin)]
    if len(found) != 1:
        stands = f"{len(found)} incidents begin so" if found else "there is none"
        raise UserMistake.of(f"no incident is called {begin!r}: {stands}", "see `contracts incidents list`")
    return found[0]


def _print(incident: Incident, taken: Times) -> None:
    colour = "green" if incident.resolved else "red"
    what = clean(incident.evidence.check.title or incident.check)
    state = paint(incident.state.value, colour)
    print(f"{incident.fingerprint[:12]} {state} {incident.severity.value} {incident.table}: {what}")
    print(f"    since {incident.opened:%Y-%m-%d %H:%M %Z}, {incident.since}")
    if said := _times(taken):
        print(f"    {said}")


def _times(taken: Times) -> str:
    each = (("detected", taken.detect), ("told", taken.notify), ("mended", taken.repair))
    return ", ".join(f"{name} within {texts.duration(t)}" for name, t in each if t is not None)


def _level(level: ServiceTime) -> str:
    kept = {True: "kept", False: paint("not kept", "red"), None: "not over yet"}[level.kept]
    return f"{level.name} of {texts.duration(level.promised)}: {texts.duration(level.taken)}, {kept}"


def _seconds(length: timedelta | None) -> float | None:
    return length.total_seconds() if length is not None else None


def _level_json(level: ServiceTime) -> dict[str, Any]:
    return {
        "property": level.name,
        "promised_seconds": level.promised.total_seconds(),
        "taken_seconds": level.taken.total_seconds(),
        "kept": level.kept,
    }


def _json(incident: Incident, taken: Times) -> dict[str, Any]:
    return {
        "id": incident.fingerprint,
        "contract": incident.contract,
        "table": incident.table,
        "check": incident.check,
        "state": incident.state.value,
        "severity": incident.severity.value,
        "opened": incident.opened.isoformat(),
        "resolved": incident.resolved.isoformat() if incident.resolved else None,
        "since": incident.since,
        "detect_seconds": _seconds(taken.detect),
        "notify_seconds": _seconds(taken.notify),
        "repair_seconds": _seconds(taken.repair),
    }
