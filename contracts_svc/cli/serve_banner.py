"""What `contracts serve` says on a terminal before the first line of its log."""

from __future__ import annotations

import os
from pathlib import Path

from contracts_svc.render import clean
from contracts_svc.settings import Settings
from contracts_svc.settings_sources import without_password

_SQLITE = "sqlite:///"
MOST_COUNTED = 1_000
"""Contracts that are counted; more are told as so many and more."""


def banner(url: str, settings: Settings, *, demo: bool, worker: str, contracts: int) -> str:
    """Lines that say where the service is, how one gets in, what it keeps and what it does by itself.

    ``worker`` is the name of the part of it that checks, empty where another process does.
    """
    rows = [
        ("API", f"{url}/api/v1/docs"),
        ("tokens", _tokens(demo)),
        ("database", _database(settings)),
        ("contracts", _contracts(url, contracts, demo)),
        ("by itself", _by_itself(settings, worker)),
        ("alerts", _alerts(settings)),
    ]
    lines = [f"Data contracts are served at {url} (Ctrl-C stops it)", ""]
    for name, told in rows:
        first, *more = told.splitlines()
        lines += [f"  {name:<10} {first}", *(f"  {'':<10} {line}" for line in more)]
    return "\n".join([*lines, ""])


def _tokens(demo: bool) -> str:
    if demo:
        return "nobody needs one (--demo), and only this machine can reach the service"
    return "every request needs one; in another terminal, in this folder:\n" + (
        "contracts token create --owner you --scope admin"
    )


def _database(settings: Settings) -> str:
    address = settings.database_url.get_secret_value()
    if address.startswith(_SQLITE):
        file = address.removeprefix(_SQLITE).partition("?")[0]
        return clean(f"SQLite, {os.path.relpath(Path(file))}; for more than one process take PostgreSQL")
    return clean(without_password(address))


def _contracts(url: str, contracts: int, demo: bool) -> str:
    if contracts:
        return f"{contracts:,}{' or more' if contracts >= MOST_COUNTED else ''}"
    token = "" if demo else '-H "Authorization: Bearer $TOKEN" '
    return "none yet; register the first one:\n" + (
        f'curl {token}--data-binary @orders.odcs.yaml \\\n  "{url}/api/v1/contracts?file=orders.odcs.yaml"'
    )


def _by_itself(settings: Settings, worker: str) -> str:
    if not worker:
        return "nothing (CONTRACTS_EMBEDDED is false): `contracts worker` schedules, checks and tells"
    return f"schedules, checks ({settings.worker_slots} at once), sends alerts, clears up"


def _alerts(settings: Settings) -> str:
    if settings.routes:
        return clean(f"as {settings.routes} says")
    if settings.slack_token.get_secret_value():
        return "to the channels that contracts name"
    return "to the channels that contracts name; for Slack set CONTRACTS_SLACK_TOKEN"
