"""PostgreSQL is stopped and started while the API and a worker run: they say so, lose nothing, and go on."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

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
from tests.acceptance.test_serve_disk import ROUTES, Told, contract, ready
from tests.fixtures_store import Postgres, read_contract
from tests.serving import Process, Server
from tests.support import wait_for


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    """A server that may be stopped."""
    folder = Path(tempfile.mkdtemp(prefix="contracts-pg-"))
    server = Postgres(folder)
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture
def url(postgres: Postgres) -> str:
    found = postgres.url(postgres.create())
    database = Database(found)
    schema.upgrade(database)
    prepare(database.url.set(drivername="postgresql").render_as_string(hide_password=False))
    database.close()
    return found


def missing_parts(client: httpx.Client) -> set[str]:
    return {said.partition(":")[0] for said in ready(client)[1]["not_ready"]}


@pytest.mark.slow
def test_a_database_that_is_stopped_is_told_and_everything_goes_on_with_it(
    postgres: Postgres, url: str, tmp_path: Path
) -> None:
    pq.write_table(pa.table({"a": pa.array([1, None], pa.int64())}), tmp_path / "x.parquet")
    (tmp_path / "routes.yaml").write_text(ROUTES)
    server = Server(tmp_path, url, CONTRACTS_ROUTES="routes.yaml")
    worker = Process(tmp_path, url, "worker", CONTRACTS_ROUTES="routes.yaml")
    client = server.client("admin", "squad:menu")
    told = Told(client)
    try:
        assert client.post("/api/v1/contracts", content=contract("orders", 10, tmp_path)).status_code == 201
        for number in range(20):
            told.tell(number, 10, tmp_path)
        assert told.refused == []

        postgres.halt()
        # The scheduler is not: whoever cannot reach the database leaves the lead to others.
        wait_for(lambda: missing_parts(client) >= {"database", "queue"}, "what is not ready")
        assert ready(client)[0] == 503
        assert client.get("/health").status_code == 200
        for answer in (
            client.get("/api/v1/contracts"),
            client.post("/api/v1/contracts", content=contract("late", 10, tmp_path)),
            client.get("/api/v1/contracts", headers={"Authorization": "Bearer contracts_none"}),
        ):
            is_problem(answer, 503)
            assert answer.headers["Retry-After"]
        code, said = server.run(
            "gate",
            "orders",
            CONTRACTS_SERVICE_URL=server.url,
            CONTRACTS_SERVICE_TOKEN=client.headers["Authorization"].removeprefix("Bearer "),
        )
        assert code == 3, said

        postgres.go_on()
        wait_for(lambda: ready(client)[0] == 200, "readiness")
        for number in range(20, 40):
            told.tell(number, 10, tmp_path)
        assert told.refused == []
        database = Database(url)
        store = DatabaseStore(database, read_contract)
        wait_for(lambda: not any(store.count_scheduled().values()), "the end of all checks", 120)
        wait_for(lambda: (tmp_path / "told.jsonl").exists(), "what is told")
        server.stop()
        worker.process.terminate()
        assert worker.process.wait(60) == 0
    finally:
        server.kill()
        worker.kill()
    registered = Counter(e.subject for e in store.audit(limit=10_000) if e.action == "registered")
    assert registered == Counter(["orders", *told.contracts])
    assert Counter(e.target.dataset.name for e in store.edges()) == Counter(f"out1-{n}" for n in told.events)
    runs = store.scheduled_runs("orders", limit=1_000)
    assert told.jobs == {r.id for r in runs}
    assert {r.state for r in runs} == {RunState.DONE}
    assert len({r.run_id for r in runs}) == len(runs) == len(store.runs("orders", "t", limit=1_000))
    assert len((tmp_path / "told.jsonl").read_text().splitlines()) == 1, "people are told of it once"
    store.close()
