"""``contracts worker`` and ``contracts schedule``"""

from __future__ import annotations

import getpass
import signal
import threading
from datetime import UTC, datetime
from typing import Any

from contracts_svc import app, app_work, settings, tracing
from contracts_svc.adapters.store.store import DatabaseStore
from contracts_svc.api.logs import for_people, log_as_json, log_for_people
from contracts_svc.cli.output import count as counted
from contracts_svc.cli.output import print_json
from contracts_svc.errors import ExitCode, UserMistake
from contracts_svc.model import Contract, Table
from contracts_svc.ports_store import Actor
from contracts_svc.render import clean
from contracts_svc.schedules import next_due, triggers
from contracts_svc.schedules_runs import ScheduledRun

_SHOWN_RUNS = 5


def run(metrics_port: int | None) -> ExitCode:
    """Schedule and work until a signal comes."""
    from prometheus_client import CollectorRegistry, start_http_server

    end_traces = tracing.configure()
    registry = CollectorRegistry()
    loaded = settings.load()
    process = app_work.scheduled(loaded, registry)
    if metrics_port is not None:
        try:
            start_http_server(metrics_port, registry=registry)
        except OSError as error:
            raise UserMistake.of(f"port {metrics_port} cannot be used: {error}", "give another") from None
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    (log_for_people if for_people(loaded.log_format) else log_as_json)()
    process.start()
    print(f"worker {process.worker.name} is at work", flush=True)
    stop.wait()
    back = process.stop()
    end_traces()
    print(f"stopped; {counted(back, 'run')} handed back", flush=True)
    return ExitCode.OK


def show(contract_id: str, count: int, format: str) -> ExitCode:
    """The next times of each table of a contract."""
    store = app.store(settings.load())
    contract = _contract(store, contract_id)
    now = app.SystemClock().now()
    paused = store.paused().get(contract_id)
    tables = [_table(store, contract, table, now, count) for table in contract.tables]
    body = {"contract": contract_id, "paused": paused.isoformat() if paused else None, "tables": tables}
    if format == "json":
        print_json(ExitCode.OK, body)
        return ExitCode.OK
    print(f"{clean(contract.title)}" + (f"  paused since {paused:%Y-%m-%d %H:%M} UTC" if paused else ""))
    for shown in tables:
        print(f"  {clean(shown['table'])}: {', '.join(shown['triggers'])}")
        print(f"    next  {_said(*shown['next']) if shown['next'] else 'never'}")
        for done in shown["runs"]:
            why = f": {clean(done['error'])}" if done["error"] else ""
            print(f"    run   {_said(done['scheduled_for'])}  {done['reason']}  {done['state']}{why}")
    return ExitCode.OK


def hold(contract_id: str, pause: bool, format: str) -> ExitCode:
    """Pause or resume a contract."""
    store = app.store(settings.load())
    _contract(store, contract_id)
    change = store.pause if pause else store.resume
    changed = change(contract_id, app.SystemClock().now(), Actor(who=getpass.getuser(), where="cli"))
    state = "paused" if pause else "not paused"
    if format == "json":
        print_json(ExitCode.OK, {"contract": contract_id, "paused": pause, "changed": changed})
    else:
        print(f"{contract_id} is {state}" + ("" if changed else ", as it was"))
    return ExitCode.OK


def _contract(store: DatabaseStore, contract_id: str) -> Contract:
    contract = store.contract(contract_id) if store.in_use(contract_id) else None
    if contract is None:
        raise UserMistake.of(
            f"no contract {contract_id!r} is registered", "check the id; a retired contract has no schedule"
        )
    return contract


def _table(
    store: DatabaseStore, contract: Contract, table: Table, now: datetime, count: int
) -> dict[str, Any]:
    given = triggers(contract, table)
    times: list[str] = []
    moment = next_due(given, now)
    while moment is not None and len(times) < count:
        times.append(moment.isoformat())
        moment = next_due(given, moment)
    runs = store.scheduled_runs(contract.id, table=table.name, limit=_SHOWN_RUNS)
    return {
        "table": table.name,
        "triggers": [str(t) for t in given],
        "next": times,
        "runs": [_run(r) for r in runs],
    }


def _said(*moments: str) -> str:
    """Moments in ISO 8601, as people read them: the zone once."""
    read = (datetime.fromisoformat(m).astimezone(UTC) for m in moments)
    return ", ".join(f"{m:%Y-%m-%d %H:%M}" for m in read) + " UTC"


def _run(run: ScheduledRun) -> dict[str, Any]:
    return {
        "id": run.id,
        "scheduled_for": run.scheduled_for.isoformat(),
        "reason": run.reason.value,
        "state": run.state.value,
        "attempts": run.attempts,
        "run": run.run_id or None,
        "error": run.error,
    }
