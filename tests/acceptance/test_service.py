"""One running service: what is registered is checked, and who has to hear of it does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts_svc.adapters.queue.procrastinate import prepare
from contracts_svc.adapters.store import schema
from contracts_svc.adapters.store.database import Database
from contracts_svc.adapters.store.store import DatabaseStore
from contracts_svc.schedules_runs import Planned, Reason
from tests.fixtures_store import BACKENDS, NewUrl, read_contract
from tests.serving import Process, Server
from tests.support import wait_for

ROUTES = """
route: {receiver: told, group_wait: 0s, group_interval: 1s}
receivers: [{name: told, type: file, path: told.jsonl}]
"""


def contract(folder: Path) -> bytes:
    return (
        "apiVersion: v3.1.0\nkind: DataContract\nstatus: active\nversion: 1.0.0\nid: orders\nname: Orders\n"
        f"servers: [{{server: lake, type: local, path: {folder}/orders/*.parquet, format: parquet}}]\n"
        "team: {name: shop}\n"
        "schema:\n"
        "  - name: orders\n"
        "    quality: [{type: text, schedule: '0 0 30 2 *'}]\n"
        "    properties: [{name: id, logicalType: integer, required: true}]\n"
    ).encode()


def write(folder: Path, name: str, *ids: int | None) -> None:
    (folder / "orders").mkdir(exist_ok=True)
    pq.write_table(pa.table({"id": pa.array(ids, pa.int64())}), folder / "orders" / f"{name}.parquet")


def told(folder: Path) -> list[dict[str, Any]]:
    file = folder / "told.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


Serve = Callable[..., Server]


@pytest.fixture
def database(empty_url: NewUrl) -> str:
    url = empty_url()
    opened = Database(url)
    schema.upgrade(opened)
    if not opened.is_sqlite:
        prepare(opened.url.set(drivername="postgresql").render_as_string(hide_password=False))
    opened.close()
    return url


@pytest.fixture
def start(database: str, tmp_path: Path) -> Iterator[Serve]:
    running: list[Process] = []

    def begin(*arguments: str, **environment: str) -> Server:
        (tmp_path / "routes.yaml").write_text(ROUTES)
        found = Server(tmp_path, database, *arguments, CONTRACTS_ROUTES="routes.yaml", **environment)
        running.append(found)
        return found

    yield begin
    for each in running:
        each.kill()


both = pytest.mark.parametrize("empty_url", BACKENDS, indirect=True)


@both
def test_what_a_scheduled_check_finds_is_told(start: Serve, database: str, tmp_path: Path) -> None:
    write(tmp_path, "a", 1, None)
    server = start()
    client = server.client("admin")
    assert client.post("/api/v1/contracts", content=contract(tmp_path)).status_code == 201
    store = DatabaseStore(Database(database), read_contract)
    now = datetime.now(UTC)
    store.plan_runs(
        [Planned(tenant="", contract="orders", table="orders", scheduled_for=now, reason=Reason.MANUAL)], now
    )
    wait_for(lambda: len(told(tmp_path)) == 1, "the message")
    (message,) = told(tmp_path)
    assert message["team"] == "shop"
    (incident,) = client.get("/api/v1/incidents").json()["items"]
    assert (incident["table"], incident["state"]) == ("orders", "open")
    assert client.get("/ready").json() == {"ready": True, "not_ready": []}
    figures = client.get("/metrics").text
    assert 'contracts_loop_done_total{loop="sending",what="sent"} 1.0' in figures
    assert "contracts_scheduler_leader 1.0" in figures
    write(tmp_path, "a", 1, 2)
    later = datetime.now(UTC)
    store.plan_runs(
        [Planned(tenant="", contract="orders", table="orders", scheduled_for=later, reason=Reason.MANUAL)],
        later,
    )
    wait_for(lambda: len(told(tmp_path)) == 2, "the message that it is over")
    assert [m["labels"]["state"] for m in told(tmp_path)] == ["open", "resolved"]
    store.close()
    assert server.stop()[-1]["event"] == "stopped"
