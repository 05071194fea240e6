"""One running service: what is registered is checked, and who has to hear of it does."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts_svc.demo.lake import Lake
from tests.fixtures_s3 import put
from tests.fixtures_store import BACKENDS
from tests.serving import Process, Server
from tests.support import wait_for

ROUTES = """
route: {receiver: told, group_wait: 0s, group_interval: 1s}
receivers: [{name: told, type: file, path: told.jsonl}]
"""


SERVER = "servers: [{{server: lake, type: s3, location: 's3://{bucket}/{name}/*.parquet', format: parquet}}]"


def contract(name: str, squad: str, column: str, bucket: str) -> bytes:
    return (
        f"apiVersion: v3.1.0\nkind: DataContract\nstatus: active\nversion: 1.0.0\nid: {name}\nname: {name}\n"
        f"{SERVER.format(bucket=bucket, name=name)}\n"
        f"team: {{name: {squad}, customProperties: [{{property: squad, value: {squad}}}]}}\n"
        "schema:\n"
        f"  - name: {name}\n"
        "    quality: [{type: text, schedule: '0 0 30 2 *'}]\n"
        f"    properties: [{{name: {column}, logicalType: integer, required: true}}]\n"
    ).encode()


def write(lake: Lake, bucket: str, name: str, column: str, *values: int | None) -> None:
    buffer = pa.BufferOutputStream()
    pq.write_table(pa.table({column: pa.array(values, pa.int64())}), buffer)
    put(lake, bucket, f"{name}/a.parquet", buffer.getvalue().to_pybytes())


def created(bucket: str, key: str, sequencer: str) -> dict[str, Any]:
    """What S3 sends."""
    thing = {"bucket": {"name": bucket}, "object": {"key": key, "sequencer": sequencer}}
    return {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": thing}]}


def completed(run: str, bucket: str, *, inputs: Sequence[str] = (), outputs: Sequence[str]) -> dict[str, Any]:
    """What OpenLineage sends of a job that made its outputs of its inputs."""
    source = {"namespace": f"s3://{bucket}", "name": "orders", "field": "id"}
    facet = {"fields": {"total": {"inputFields": [source]}}}
    return {
        "eventType": "COMPLETE",
        "eventTime": datetime.now(UTC).isoformat(),
        "producer": "https://etl.example",
        "run": {"runId": run},
        "job": {"namespace": "etl", "name": "-".join(outputs)},
        "inputs": [{"namespace": f"s3://{bucket}", "name": n} for n in inputs],
        "outputs": [
            {"namespace": f"s3://{bucket}", "name": n, "facets": {"columnLineage": facet} if inputs else {}}
            for n in outputs
        ],
    }


def told(folder: Path) -> list[dict[str, Any]]:
    file = folder / "told.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


Serve = Callable[..., Server]


@pytest.fixture
def start(service_url: str, tmp_path: Path, s3_server: Lake) -> Iterator[Serve]:
    """Starts servers on one database, which read the test's S3 server."""
    running: list[Process] = []
    access = s3_server.access
    settings = {
        "CONTRACTS_ROUTES": "routes.yaml",
        "CONTRACTS_PUBLISH_QUIET_SECONDS": "0.5",
        "CONTRACTS_S3_ENDPOINT": access.endpoint,
        "CONTRACTS_S3_ACCESS_KEY": access.access_key,
        "CONTRACTS_S3_SECRET_KEY": access.secret_key,
        "CONTRACTS_S3_REGION": access.region,
        "CONTRACTS_S3_PATH_STYLE": "true",
    }

    def begin(*arguments: str, **environment: str) -> Server:
        (tmp_path / "routes.yaml").write_text(ROUTES)
        found = Server(tmp_path, service_url, *arguments, **settings | environment)
        running.append(found)
        return found

    yield begin
    for each in running:
        each.kill()


@pytest.mark.slow
@pytest.mark.parametrize("empty_url", BACKENDS, indirect=True)
def test_from_a_published_file_to_everybody_it_concerns(
    start: Serve, tmp_path: Path, s3_server: Lake
) -> None:
    bucket = f"service-{os.urandom(4).hex()}"
    server = start()
    client = server.client("admin", "publisher", "lineage")
    for text in (contract("orders", "shop", "id", bucket), contract("revenue", "finance", "total", bucket)):
        assert client.post("/api/v1/contracts", content=text).status_code == 201
    write(s3_server, bucket, "revenue", "total", 3)
    made = completed("r1", bucket, inputs=["orders"], outputs=["revenue"])
    assert client.post("/api/v1/lineage", json=made).json()["problems"] == []

    write(s3_server, bucket, "orders", "id", 1, None)
    message = created(bucket, "orders/a.parquet", "1")
    published = client.post("/api/v1/events/publish", json=message)
    assert published.json()["checks"] == [{"contract": "orders", "table": "orders"}]
    assert client.post("/api/v1/events/publish", json=message).json()["heard_before"] == 1
    wait_for(lambda: len(told(tmp_path)) == 2, "the messages")
    assert {m["team"]: m["audience"] for m in told(tmp_path)} == {"shop": "owner", "finance": "stakeholder"}
    incidents = client.get("/api/v1/incidents?contract=orders").json()["items"]
    assert [(i["table"], i["state"]) for i in incidents] == [("orders", "open")]
    (run,) = client.get("/api/v1/contracts/orders/runs").json()["items"]
    assert (run["rows"], run["counts"]["failed"], run["counts"]["errored"]) == (2, 1, 0)

    write(s3_server, bucket, "orders", "id", 1, 2)
    assert client.post("/api/v1/lineage", json=completed("r2", bucket, outputs=["orders"])).status_code == 201
    wait_for(lambda: len(told(tmp_path)) == 4, "the messages that it is over")
    assert Counter(m["labels"]["state"] for m in told(tmp_path)) == {"open": 2, "resolved": 2}

    asked = client.post("/api/v1/contracts/orders/runs", json={})
    assert asked.status_code == 202, asked.text
    wait_for(lambda: len(client.get("/api/v1/contracts/orders/runs").json()["items"]) == 3, "the third run")
    wait_for(lambda: client.get("/api/v1/jobs").json()["items"] == [], "the end of all checks")
    assert client.get("/ready").json() == {"ready": True, "not_ready": [], "warnings": []}
    figures = client.get("/metrics").text
    assert 'contracts_loop_done_total{loop="sending",what="sent"} 4.0' in figures
    assert "contracts_scheduler_leader 1.0" in figures
    assert server.stop()[-1]["event"] == "stopped"
    assert len(told(tmp_path)) == 4, "nobody was told twice"
