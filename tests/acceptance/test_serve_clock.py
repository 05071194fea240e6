"""The clock of the machine jumps while `contracts serve` runs: forwards, back by an hour, and on."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts_svc.adapters.store.database import Database
from contracts_svc.adapters.store.store import DatabaseStore
from contracts_svc.schedules_runs import Reason, RunState, ScheduledRun
from tests.acceptance.test_serve_faults import event
from tests.fixtures_store import BACKENDS, read_contract
from tests.serving import Server
from tests.support import missing, wait_for

EVERY = timedelta(minutes=10)
HOUR = timedelta(hours=1)
ROUTES = """
route: {receiver: told, group_wait: 0s, group_interval: 1s}
receivers: [{name: told, type: file, path: told.jsonl}]
"""


class Clock:
    """The clock on the wall as a process sees it; the one that nobody sets goes on as it is."""

    def __init__(self, folder: Path) -> None:
        libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
        if not libraries:
            missing("libfaketime", "apt-get install faketime")
        self._file = folder / "clock"
        self._ahead = timedelta()
        self.environment = {
            "LD_PRELOAD": str(libraries[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        self.jump(timedelta())

    def jump(self, by: timedelta) -> None:
        """Set it, once and for all processes at once."""
        self._ahead += by
        new = self._file.with_suffix(".new")
        new.write_text(f"{self._ahead.total_seconds():+.0f}")
        os.replace(new, self._file)


def contract(name: str, folder: Path) -> bytes:
    return (
        f"apiVersion: v3.1.0\nkind: DataContract\nstatus: active\nversion: 1.0.0\nid: {name}\n"
        f"servers: [{{server: s, type: local, path: {folder}/*.parquet, format: parquet}}]\n"
        "team: {name: menu}\n"
        f"schema: [{{name: {name}, quality: [{{type: text, schedule: '*/10 * * * *'}}],"
        " properties: [{name: a, logicalType: integer, required: true}]}]\n"
    ).encode()


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock(tmp_path)


@pytest.fixture
def server(service_url: str, tmp_path: Path, clock: Clock) -> Iterator[Server]:
    pq.write_table(pa.table({"a": pa.array([1, None], pa.int64())}), tmp_path / "x.parquet")
    (tmp_path / "routes.yaml").write_text(ROUTES)
    found = Server(tmp_path, service_url, "--demo", CONTRACTS_ROUTES="routes.yaml", **clock.environment)
    yield found
    found.kill()


@pytest.mark.slow
@pytest.mark.parametrize("empty_url", BACKENDS, indirect=True)
def test_a_clock_that_jumps_back_an_hour_loses_and_doubles_nothing(
    server: Server, clock: Clock, service_url: str, tmp_path: Path
) -> None:
    client = httpx.Client(base_url=server.url, timeout=60)
    store = DatabaseStore(Database(service_url), read_contract)

    def runs(name: str) -> tuple[ScheduledRun, ...]:
        return store.scheduled_runs(name, limit=1_000)

    def scheduled(name: str) -> list[datetime]:
        return sorted(r.scheduled_for for r in runs(name) if r.reason is not Reason.MANUAL)

    def done_since(name: str, after: datetime) -> bool:
        late = [r for r in runs(name) if r.scheduled_for > after and r.reason is not Reason.MANUAL]
        return bool(late) and {r.state for r in late} == {RunState.DONE}

    def register(name: str) -> None:
        assert client.post("/api/v1/contracts", content=contract(name, tmp_path)).status_code == 201

    def ask(name: str) -> int:
        answer = client.post(f"/api/v1/contracts/{name}/runs", json={})
        assert answer.status_code == 202
        return int(answer.json()["items"][0]["id"])

    def is_done(number: int) -> bool:
        run = store.scheduled_run(number)
        return run is not None and run.state is RunState.DONE

    def next_ones(name: str, count: int) -> None:
        for _ in range(count):
            before = max(scheduled(name), default=datetime.fromtimestamp(0, UTC))
            clock.jump(EVERY)
            wait_for(partial(done_since, name, before), f"the next check of {name}")

    register("before")
    next_ones("before", 3)
    known = scheduled("before")
    asked = [ask("before")]

    clock.jump(-HOUR)
    wait_for(lambda: any(line["event"] == "the clock was set back" for line in server.logged()))
    asked.append(ask("before"))
    wait_for(lambda: all(map(is_done, asked)), "what was asked for before and after the jump")
    register("meanwhile")
    assert client.post("/api/v1/lineage", json=event(1, 1)).status_code == 201
    next_ones("meanwhile", 2)
    assert scheduled("before") == known, "times that come again are not checked again"
    assert client.get("/ready").status_code == 200

    clock.jump(HOUR)
    wait_for(lambda: done_since("meanwhile", known[-1]), "the checks of the contract that came meanwhile")
    next_ones("before", 2)
    assert scheduled("before")[: len(known)] == known
    wait_for(lambda: not any(store.count_scheduled().values()), "the end of all checks")
    server.stop()

    for name in ("before", "meanwhile"):
        every = runs(name)
        assert len({r.scheduled_for for r in every}) == len(every)
        assert {r.state for r in every} == {RunState.DONE}
        assert len({r.run_id for r in every}) == len(every) == len(store.runs(name, name, limit=1_000))
    assert [(e.source.dataset.name, e.target.dataset.name) for e in store.edges()] == [("in1-1", "out1-1")]
    told = [json.loads(line) for line in (tmp_path / "told.jsonl").read_text().splitlines()]
    assert len(told) == 2, Counter(map(str, told))
    store.close()
