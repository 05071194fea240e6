"""``contracts db``"""

from __future__ import annotations

from datetime import timedelta

from contracts_svc import app, settings
from contracts_svc.adapters.store import schema
from contracts_svc.cli.output import count, print_json
from contracts_svc.errors import ExitCode


def upgrade(format: str) -> ExitCode:
    """Bring the tables up to date."""
    loaded = settings.load()
    database = app.database(loaded)
    before = schema.upgrade(database)
    queue_made = app.prepare_queue(loaded)
    if format == "json":
        body = {"database": database.name, "before": before.current, "now": before.wanted}
        print_json(ExitCode.OK, {**body, "applied": list(before.pending)})
        return ExitCode.OK
    for step in before.pending:
        print(f"applied {step}")
    if queue_made:
        print("made the tables of the job queue")
    print(f"{database.name} is at revision {before.wanted}")
    return ExitCode.OK


def status(format: str) -> ExitCode:
    """Tell how the tables stand."""
    database = app.database(settings.load())
    found = schema.status(database)
    if format == "json":
        body = {"database": database.name, "current": found.current, "wanted": found.wanted}
        print_json(ExitCode.OK, {**body, "pending": list(found.pending), "newer": found.newer})
        return ExitCode.OK
    print(f"{database.name} {_stands(found)}")
    for step in found.pending:
        print(f"to be applied: {step}")
    return ExitCode.OK


def prune(format: str) -> ExitCode:
    """Forget old figures."""
    loaded = settings.load()
    now = app.SystemClock().now()
    before = now - timedelta(days=loaded.keep_measurements_days)
    store = app.store(loaded)
    forgotten = store.prune_measurements(before)
    store.close()
    if format == "json":
        print_json(ExitCode.OK, {"forgotten": forgotten, "before": before.isoformat()})
    else:
        print(f"{count(forgotten, 'figure')} from before {before:%Y-%m-%d} forgotten")
    return ExitCode.OK


def _stands(found: schema.Status) -> str:
    if found.newer:
        return f"is at revision {found.current}, which is newer than this version of contracts"
    if found.current is None:
        return "has no tables yet: run `contracts db upgrade`"
    if found.pending:
        return f"is at revision {found.current}: run `contracts db upgrade`"
    return f"is at revision {found.current}, up to date"
