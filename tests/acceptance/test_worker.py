"""``contracts worker`` and ``contracts schedule``, and how a worker stops."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from contracts_svc import app, app_work, settings
from contracts_svc.adapters.queue.inprocess import InProcessQueue
from contracts_svc.adapters.store.store import DatabaseStore
from contracts_svc.alerts import IncidentState
from contracts_svc.cli.main import main
from contracts_svc.errors import UserMistake
from contracts_svc.flows.run_check import Checking
from contracts_svc.incidents import COULD_NOT_CHECK, Handling
from contracts_svc.model import Contract, Server, Table
from contracts_svc.quality.kind import TargetOf
from contracts_svc.runs import WHOLE_TABLE, Run
from contracts_svc.scheduler import Worker
from contracts_svc.scheduler_metrics import NAMES, SchedulerMetrics
from contracts_svc.schedules_runs import Planned, Reason, RunState
from tests.fixtures_store import read_contract
from tests.support import ROOT, wait_for

CLOCK = app.SystemClock()


def text_of(folder: Path, id_: str = "urn:c") -> bytes:
    return (
        f"apiVersion: v3.1.0\nkind: DataContract\nstatus: active\nversion: 1.0.0\nid: {id_}\nname: Things\n"
        f"servers: [{{server: s, type: local, path: {folder}/*.parquet, format: parquet}}]\n"
        "schema:\n"
        "  - name: t\n"
        "    quality: [{type: text, schedule: 'CRON_TZ=Europe/Berlin 0 6 * * *'}]\n"
        "    properties: [{name: a, logicalType: integer, required: true}]\n"
        "  - name: u\n"
    ).encode()


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONTRACTS_DATABASE_URL", f"sqlite:///{tmp_path}/contracts.db")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DatabaseStore]:
    opened = app.store(settings.load())
    text = text_of(tmp_path / "data")
    opened.put_contract(read_contract(text, "c.yaml"), text, CLOCK.now() - timedelta(minutes=1))
    yield opened
    opened.close()


def ask(store: DatabaseStore, table: str = "t") -> None:
    now = CLOCK.now()
    store.plan_runs(
        [Planned(tenant="", contract="urn:c", table=table, scheduled_for=now, reason=Reason.MANUAL)], now
    )


def states(store: DatabaseStore) -> list[RunState]:
    return [r.state for r in store.scheduled_runs("urn:c", state=None)]


# --- the commands -------------------------------------------------------------------------------


def test_a_worker_checks_what_is_due_until_it_is_told_to_stop(store: DatabaseStore, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    pq.write_table(pa.table({"a": [1, None, 3]}), tmp_path / "data" / "f.parquet")
    ask(store)
    command = [sys.executable, "-c", "from contracts_svc.cli.main import run; run()", "worker"]
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as worker:
        wait_for(lambda: states(store) == [RunState.DONE])
        worker.send_signal(signal.SIGTERM)
        said, logged = worker.communicate(timeout=60)
    assert worker.returncode == 0
    assert "0 runs handed back" in said
    (done,) = store.scheduled_runs("urn:c")
    (over,) = [line for line in map(json.loads, logged.splitlines()) if line["event"] == "run over"]
    assert over | {"run": done.id, "contract": "urn:c", "table": "t", "outcome": "done"} == over
    assert {"at", "level", "logger"} <= over.keys()
    (run,) = store.runs("urn:c", "t")
    assert {r.check.kind for r in run.results if r.bad} == {"required"}
    (incident,) = store.incidents()
    assert (incident.table, incident.state) == ("t", IncidentState.OPEN)
    assert incident.evidence.check.at.file == "c.yaml", "whoever is told finds the promise by its file"


def test_a_table_whose_check_cannot_be_carried_out_is_told_at_once(store: DatabaseStore) -> None:
    """It was tried as often as it may be: no further runs are waited for."""
    text = text_of(Path("/nowhere"), "urn:d").replace(b"servers: ", b"servers: [] #")
    store.put_contract(read_contract(text, "d.yaml"), text, CLOCK.now())
    now = CLOCK.now()
    store.plan_runs(
        [Planned(tenant="", contract="urn:d", table="t", scheduled_for=now, reason=Reason.MANUAL)], now
    )
    process = app_work.scheduled(settings.load(), CollectorRegistry())
    process.start()
    wait_for(lambda: [r.state for r in store.scheduled_runs("urn:d")] == [RunState.ERRORED])
    process.stop()
    (incident,) = store.incidents()
    assert (incident.check, incident.state) == (COULD_NOT_CHECK, IncidentState.OPEN)
    assert "has no server" in incident.evidence.reason


def test_one_partition_on_the_server_that_is_named(store: DatabaseStore, tmp_path: Path) -> None:
    for day, values in (("1", [1, 2]), ("2", [None])):
        (tmp_path / "data" / f"day={day}").mkdir(parents=True)
        pq.write_table(
            pa.table({"a": pa.array(values, pa.int64())}), tmp_path / "data" / f"day={day}" / "f.parquet"
        )
    text = text_of(tmp_path / "data", "urn:p").replace(b"/*.parquet", b"/**/*.parquet")
    store.put_contract(read_contract(text, "p.yaml"), text, CLOCK.now())
    now = CLOCK.now()
    asked = Planned(tenant="", contract="urn:p", table="t", scheduled_for=now, reason=Reason.MANUAL)
    other = replace(asked, scheduled_for=now + timedelta(seconds=1), server="nope")
    store.plan_runs([replace(asked, server="s", partition={"day": "2"}), other], now)
    process = app_work.scheduled(settings.load(), CollectorRegistry())
    process.start()
    wait_for(lambda: {r.state for r in store.scheduled_runs("urn:p")} == {RunState.DONE, RunState.ERRORED})
    process.stop()
    run = next(r for r in store.runs("urn:p", "t") if r.scope == "day=2")
    assert (run.rows, {r.check.kind for r in run.results if r.bad} & {"required"}) == (1, {"required"})
    (failed,) = store.scheduled_runs("urn:p", state=RunState.ERRORED)
    assert "has no server 'nope'" in failed.error


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    code = main(["schedule", *words, "--format", "json"])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert found["exit_code"] == code
    return found


def test_the_schedule_of_a_contract_is_shown(
    store: DatabaseStore, capsys: pytest.CaptureFixture[str]
) -> None:
    ask(store)
    shown = answer(capsys, "show", "urn:c", "--count", "2")
    t, u = shown["tables"]
    assert (t["table"], t["triggers"]) == ("t", ["0 6 * * * (Europe/Berlin)"])
    assert len(t["next"]) == len(u["next"]) == 2
    assert t["next"] == sorted(t["next"])
    assert [r["state"] for r in t["runs"]] == ["waiting"]
    assert u["triggers"] == ["every day"]
    assert main(["schedule", "show", "urn:c"]) == 0
    said = capsys.readouterr().out
    assert "t: 0 6 * * * (Europe/Berlin)" in said
    assert "manual  waiting" in said
    assert re.search(r"next +\d{4}-\d\d-\d\d \d\d:\d\d, .* UTC\n", said)
    assert max(map(len, said.splitlines())) <= 80


def test_a_contract_is_paused_and_resumed(store: DatabaseStore, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(capsys, "pause", "urn:c")["changed"] is True
    assert answer(capsys, "pause", "urn:c")["changed"] is False
    assert answer(capsys, "show", "urn:c")["paused"] is not None
    assert answer(capsys, "resume", "urn:c")["changed"] is True
    assert answer(capsys, "show", "urn:c")["paused"] is None
    assert [e.action for e in store.audit(kind="contract")] == ["registered", "paused", "resumed"]


def test_an_unknown_contract_is_a_mistake(store: DatabaseStore, capsys: pytest.CaptureFixture[str]) -> None:
    for word in ("show", "pause", "resume"):
        assert answer(capsys, word, "urn:nope")["exit_code"] == 2


def test_maintenance_windows_come_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "windows.yaml"
    monkeypatch.setenv("CONTRACTS_MAINTENANCE_FILE", str(file))
    with pytest.raises(UserMistake, match="CONTRACTS_MAINTENANCE_FILE"):
        app.windows(settings.load())
    file.write_text(
        "time_intervals:\n  - weekdays: [sunday]\n    times: [{start_time: '02:00', end_time: '04:00'}]\n"
    )
    (window,) = app.windows(settings.load())
    assert (window.weekdays, window.times) == (((0, 0),), ((120, 240),))
    file.write_text("time_intervals:\n  - weekdays: [someday]\nwindows: []\n")
    with pytest.raises(UserMistake) as wrong:
        app.windows(settings.load())
    assert [p.at.line for p in wrong.value.problems if p.at] == [2, 3]


def test_every_figure_is_documented() -> None:
    registry = CollectorRegistry()
    SchedulerMetrics(registry)
    text = generate_latest(registry).decode()
    told = {line.split()[2] for line in text.splitlines() if line.startswith("# HELP")}
    assert {n for n in told if not n.endswith("_created")} == set(NAMES)


# --- stopping -----------------------------------------------------------------------------------


class Held:
    """Checks that go on until they are let go."""

    def __init__(self, store: DatabaseStore) -> None:
        self.go, self.queue, self.told = threading.Event(), InProcessQueue(), 0
        self.store = store
        self.worker = Worker(
            self.queue,
            Checking(store=store, clock=CLOCK, check=self.check, tell=self.tell),
            slots=2,
            beat=0.05,
        )

    def check(
        self,
        contract: Contract,
        table: Table,
        server: Server,
        target_of: TargetOf,
        partition: Mapping[str, str],
    ) -> Run:
        started = CLOCK.now()
        assert self.go.wait(60)
        return Run(
            contract=contract.id, version=contract.version, table=table.name, server=server.server,
            scope=WHOLE_TABLE, started=started, finished=CLOCK.now(), results=(),
        )  # fmt: skip

    def tell(self, run: Run, handling: Handling) -> None:
        self.told += 1

    def begin(self) -> None:
        for table in ("t", "u"):
            ask(self.store, table)
        self.worker.start()
        self.queue.hand(self.store.waiting_runs(CLOCK.now(), per_group=9))
        wait_for(lambda: self.worker.busy == 2)


def test_a_worker_that_is_stopped_ends_what_it_does(store: DatabaseStore) -> None:
    held = Held(store)
    held.begin()
    beats = {r.heartbeat for r in store.runs_in_flight()}
    wait_for(lambda: beats.isdisjoint({r.heartbeat for r in store.runs_in_flight()}))
    threading.Timer(0.3, held.go.set).start()
    assert held.worker.stop(within=60) == 0
    assert states(store) == [RunState.DONE, RunState.DONE]
    assert held.told == 2


def test_what_does_not_end_in_time_is_handed_back_and_adds_nothing_later(store: DatabaseStore) -> None:
    held = Held(store)
    held.begin()
    assert held.worker.stop(within=0.1) == 2
    waiting = store.waiting_runs(CLOCK.now(), per_group=9)
    assert [(r.state, r.attempts, r.worker) for r in waiting] == [(RunState.WAITING, 0, "")] * 2
    held.go.set()
    wait_for(lambda: held.worker.busy == 0)
    assert held.told == 0
    assert store.runs("urn:c", "t") == ()
    again = Held(store)
    again.go.set()
    again.worker.start()
    again.queue.hand(waiting)
    wait_for(lambda: states(store) == [RunState.DONE, RunState.DONE])
    again.worker.stop()
    assert again.told == 2


def test_a_defect_in_one_run_does_not_end_the_worker(store: DatabaseStore) -> None:
    held = Held(store)
    held.go.set()
    checked: list[str] = []

    def check(
        contract: Contract, table: Table, server: Server, target_of: TargetOf, partition: Mapping[str, str]
    ) -> Run:
        checked.append(table.name)
        if table.name == "t":
            raise ZeroDivisionError("a defect")
        return Held.check(held, contract, table, server, target_of, partition)

    parts = Checking(store=store, clock=CLOCK, check=check, tell=held.tell)
    worker = Worker(held.queue, parts, slots=1)
    for table in ("t", "u"):
        ask(store, table)
    worker.start()
    held.queue.hand(store.waiting_runs(CLOCK.now(), per_group=9))
    wait_for(lambda: RunState.DONE in states(store))
    worker.stop()
    assert checked == ["t", "u"]
    (failed,) = store.scheduled_runs("urn:c", state=RunState.WAITING)
    assert failed.error == "a defect of the service: ZeroDivisionError: a defect"
    assert failed.not_before is not None
