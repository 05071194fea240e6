"""``contracts routes``: is the route file right, and where does an alert go?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from contracts_svc.adapters.receivers import KINDS
from contracts_svc.app import SystemClock
from contracts_svc.cli.output import count, paint, print_json
from contracts_svc.cli.workspace import content
from contracts_svc.errors import ExitCode, UserMistake
from contracts_svc.routes.read import read
from contracts_svc.routes.tree import ReceiverSpec, Route, RouteFile


def check(file: Path, format: str) -> ExitCode:
    """Read a route file and say what is in it. Raises UserMistake with every problem."""
    routes = _read(file)
    found = {
        "routes": sum(1 for _ in routes.root.walk()),
        "receivers": len(routes.receivers) - 1,
        "time_intervals": len(routes.intervals),
        "inhibit_rules": len(routes.inhibit),
        "channels": len(routes.channels),
    }
    if format == "json":
        warnings = [{"at": str(w.at), "message": w.message, "hint": w.hint} for w in routes.warnings]
        print_json(ExitCode.OK, {"file": str(file), **found, "warnings": warnings})
        return ExitCode.OK
    for warning in routes.warnings:
        print(f"{paint('warning', 'yellow')}: {warning.at}: {warning.message}; {warning.hint}")
    parts = ", ".join(count(n, name.removesuffix("s").replace("_", " ")) for name, n in found.items())
    print(f"{paint('ok', 'green')}: {file} has {parts}")
    return ExitCode.OK


def test(file: Path, labels: Sequence[str], at: str, format: str) -> ExitCode:
    """Show the way an alert with these labels takes, and who gets it."""
    routes = _read(file)
    given = _labels(labels)
    moment = _moment(at)
    taken = routes.routes(given)
    if format == "json":
        body = {"file": str(file), "labels": given, "at": moment.isoformat()}
        print_json(ExitCode.OK, {**body, "routes": [_route_json(r, routes, moment) for r in taken]})
        return ExitCode.OK
    for route in taken:
        quiet = routes.quiet(route, moment)
        print(f"{route.key}")
        print(f"    receiver: {_receiver(routes.receivers[route.receiver])}")
        by = "every label" if route.group_by_all else ", ".join(route.group_by) or "nothing: one group"
        print(f"    grouped by: {by}")
        print(
            f"    waits {_short(route.group_wait)}, tells news after {_short(route.group_interval)}, "
            f"repeats after {_short(route.repeat_interval)}"
        )
        for step in _escalations(routes, route.receiver):
            print(f"    {step}")
        if quiet:
            print(f"    {paint('quiet', 'yellow')} at {moment:%Y-%m-%d %H:%M %Z}: {quiet}")
    return ExitCode.OK


def _read(file: Path) -> RouteFile:
    return read(content(file), str(file), KINDS)


def _labels(given: Sequence[str]) -> dict[str, str]:
    labels: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UserMistake.of(f"{text!r} is no label", "write name=value, as in severity=error")
        labels[name.strip()] = value.strip().strip('"')
    return labels


def _moment(text: str) -> datetime:
    if not text:
        return SystemClock().now()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UserMistake.of(f"{text!r} is no time", "write it as 2026-11-24T09:30+01:00") from None
    return moment if moment.tzinfo else moment.astimezone()


def _receiver(spec: ReceiverSpec) -> str:
    if spec.kind == spec.name:
        return f"{spec.name} (the support channels of the contract)"
    where = ", ".join(f"{k} {v}" for k, v in spec.options.items() if k in ("channel", "url"))
    return f"{spec.name} ({spec.kind}{f', {where}' if where else ''})"


def _escalations(routes: RouteFile, receiver: str) -> list[str]:
    steps: list[str] = []
    spec = routes.receivers[receiver]
    while spec.escalation:
        after, spec = spec.escalation.after, routes.receivers[spec.escalation.receiver]
        steps.append(f"not acknowledged after {_short(after)}: {_receiver(spec)}")
    return steps


def _short(span: Any) -> str:
    seconds = int(span.total_seconds())
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _route_json(route: Route, routes: RouteFile, at: datetime) -> dict[str, Any]:
    return {
        "route": route.key,
        "receiver": route.receiver,
        "kind": routes.receivers[route.receiver].kind,
        "group_by": ["..."] if route.group_by_all else list(route.group_by),
        "group_wait_seconds": route.group_wait.total_seconds(),
        "group_interval_seconds": route.group_interval.total_seconds(),
        "repeat_interval_seconds": route.repeat_interval.total_seconds(),
        "quiet": routes.quiet(route, at) or None,
    }
