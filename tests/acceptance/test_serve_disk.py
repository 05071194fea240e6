"""The disk of the database is full, really: what was answered for is there, once, and the service goes on
when there is space again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts_svc.adapters.queue.procrastinate import prepare
from contracts_svc.adapters.store import schema
from contracts_svc.adapters.store.database import Database
from contracts_svc.adapters.store.store import DatabaseStore
from contracts_svc.schedules_runs import RunState
from tests.acceptance.test_api import is_problem
from tests.acceptance.test_serve_faults import event
from tests.fixtures_store import BACKENDS, Postgres, read_contract
from tests.serving import Server
from tests.support import wait_for

SIZES = {"sqlite": 8, "postgresql": 160}
"""MiB of the disk."""
LEFT = 1_000_000
"""Bytes that are left when it becomes full."""
ROUTES = """
route: {receiver: told, group_wait: 0s, group_interval: 1s}
receivers: [{name: told, type: file, path: told.jsonl}]
"""


@pytest.fixture
def disk(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A disk of its own, of that many MiB."""
    folder = Path(tempfile.mkdtemp(prefix="contracts-disk-"))
    options = ("-t", "tmpfs", "-o", f"size={SIZES[request.param]}m", "tmpfs", str(folder))
    try:
        if os.geteuid() != 0 or subprocess.run(["mount", *options], capture_output=True).returncode != 0:
            pytest.skip("a disk cannot be mounted here; run as root, where the container may mount")
        yield folder
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def url(disk: Path) -> Iterator[str]:
    """The address of a database on it that is ready for a service."""
    with ExitStack() as stack:
        if SIZES["sqlite"] * 2**20 == shutil.disk_usage(disk).total:
            found = f"sqlite:///{disk}/contracts.db"
        else:
            server = Postgres(disk)
            stack.callback(server.stop)
            found = server.url(server.create())
        database = Database(found)
        schema.upgrade(database)
        if not database.is_sqlite:
            prepare(database.url.set(drivername="postgresql").render_as_string(hide_password=False))
        database.close()
        yield found


def contract(name: str, size: int, folder: Path) -> bytes:
    return (
        f"apiVersion: v3.1.0\nkind: DataContract\nstatus: active\nversion: 1.0.0\nid: {name}\n"
        f"servers: [{{server: s, type: local, path: {folder}/*.parquet, format: parquet}}]\n"
        f"team: {{name: menu}}\ndescription: {{purpose: x{os.urandom(size // 2).hex()}}}\n"
        "schema: [{name: t, properties: [{name: a, logicalType: integer, required: true}]}]\n"
    ).encode()


@dataclass
class Told:
    """What was answered for, and what was refused."""

    client: httpx.Client
    contracts: list[str] = field(default_factory=list)
    events: list[int] = field(default_factory=list)
    jobs: set[int] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)

    def tell(self, number: int, size: int, folder: Path) -> None:
        """A contract, an event, and a check that is asked for."""
        answer = self.client.post("/api/v1/contracts", content=contract(f"c{number}", size, folder))
        if self._taken(answer):
            self.contracts.append(f"c{number}")
        if self._taken(self.client.post("/api/v1/lineage", json=event(1, number))):
            self.events.append(number)
        answer = self.client.post("/api/v1/contracts/orders/runs", json={})
        if self._taken(answer):
            self.jobs |= {int(job["id"]) for job in answer.json()["items"]}

    def _taken(self, answer: httpx.Response) -> bool:
        if not answer.is_success:
            problem = is_problem(answer, 503)
            assert "space" in problem["detail"], "what has to be done is told"
            assert answer.headers["Retry-After"]
            self.refused.append(problem["detail"])
        return answer.is_success


def ready(client: httpx.Client) -> tuple[int, dict[str, Any]]:
    answer = client.get("/ready")
    return answer.status_code, answer.json()


@pytest.mark.slow
@pytest.mark.parametrize("disk", BACKENDS, indirect=True)
def test_a_full_disk_loses_nothing_and_the_service_goes_on_afterwards(
    disk: Path, url: str, tmp_path: Path
) -> None:
    pq.write_table(pa.table({"a": pa.array([1, None], pa.int64())}), tmp_path / "x.parquet")
    (tmp_path / "routes.yaml").write_text(ROUTES)
    server = Server(tmp_path, url, "--demo", CONTRACTS_ROUTES="routes.yaml")
    client = httpx.Client(base_url=server.url, timeout=60)
    told = Told(client)
    assert client.post("/api/v1/contracts", content=contract("orders", 10, tmp_path)).status_code == 201
    told.tell(0, 10, tmp_path)
    assert (len(told.contracts), len(told.events), len(told.jobs), told.refused) == (1, 1, 1, [])

    filler = disk / "filler"
    with filler.open("wb") as stream:
        os.posix_fallocate(stream.fileno(), 0, shutil.disk_usage(disk).free - LEFT)
    number = 0
    for size in (200_000, 10):
        before = len(told.refused)
        while len(told.refused) < before + 3 and number < 60:
            number += 1
            told.tell(number, size, tmp_path)
    assert told.refused
    status, said = ready(client)
    assert "full" in json.dumps(said) or "No space left" in json.dumps(said)
    assert status == 503 if url.startswith("sqlite") else status in (200, 503)
    assert client.get("/api/v1/contracts/orders").status_code == 200, "what is there can be read"

    filler.unlink()
    wait_for(lambda: ready(client)[0] == 200, "readiness")
    refused = len(told.refused)
    told.tell(1_000, 200_000, tmp_path)
    assert len(told.refused) == refused
    database = Database(url)
    store = DatabaseStore(database, read_contract)
    wait_for(lambda: not any(store.count_scheduled().values()), "the end of all checks", 120)
    wait_for(lambda: (tmp_path / "told.jsonl").exists(), "what is told")
    server.stop()
    registered = Counter(e.subject for e in store.audit(limit=10_000) if e.action == "registered")
    assert set(registered) >= {"orders", *told.contracts}
    assert set(registered.values()) == {1}
    assert set(registered) == {c.id for c in store.contracts()}
    edges = Counter(e.target.dataset.name for e in store.edges())
    assert set(edges) >= {f"out1-{n}" for n in told.events}
    assert set(edges.values()) == {1}
    runs = store.scheduled_runs("orders", limit=1_000)
    assert told.jobs <= {r.id for r in runs}
    assert {r.state for r in runs} == {RunState.DONE}
    assert len({r.run_id for r in runs}) == len(runs) == len(store.runs("orders", "t", limit=1_000))
    assert len((tmp_path / "told.jsonl").read_text().splitlines()) == 1, "people are told of it once"
    store.close()
