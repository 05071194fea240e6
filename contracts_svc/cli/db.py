"""``contracts db``"""

from __future__ import annotations

from contracts_svc import app, settings
from contracts_svc.adapters.store import schema
from contracts_svc.cli.output import print_json
from contracts_svc.errors import ExitCode
from contracts_svc.flows import retention as flow


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
    """Forget what is older than the settings say."""
    loaded = settings.load()
    store = app.store(loaded)
    forgotten = flow.prune(store, app.lineage(store), app.keep(loaded), app.SystemClock().now())
    store.close()
    if format == "json":
        print_json(ExitCode.OK, {"forgotten": dict(forgotten)})
    else:
        print("forgotten: " + ", ".join(f"{number} {name}" for name, number in forgotten.items()))
    return ExitCode.OK


def _stands(found: schema.Status) -> str:
    if found.newer:
        return f"is at revision {found.current}, which is newer than this version of contracts"
    if found.current is None:
        return "has no tables yet: run `contracts db upgrade`"
    if found.pending:
        return f"is at revision {found.current}: run `contracts db upgrade`"
    return f"is at revision {found.current}, up to date"
