"""Lineage over HTTP: as OpenLineage's own client sends it, to a server that runs."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import (
    DatasetEvent,
    InputDataset,
    Job,
    JobEvent,
    OutputDataset,
    Run,
    RunEvent,
    RunState,
    StaticDataset,
)
from openlineage.client.facet_v2 import column_lineage_dataset, schema_dataset, sql_job, symlinks_dataset
from openlineage.client.serde import Serde
from openlineage.client.transport.http import ApiKeyTokenProvider, HttpCompression, HttpConfig, HttpTransport

from contracts_svc.adapters.store.store import DatabaseStore
from contracts_svc.api.lineage import MOST_EVENTS
from tests.acceptance.test_api import World, is_problem
from tests.adapters.test_stored_lineage import EVENTS, ORDERS, REVENUE, columns, contract, dataset, event
from tests.schema_documents import must_be_openlineage


@pytest.fixture
def world(store: DatabaseStore) -> World:
    world = World(store)
    for text in (ORDERS, REVENUE):
        world.put(text)
    return world


def send(world: World, body: Any, path: str = "", token: str | None = None, **headers: str) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    secret = world.token("lineage") if token is None else token
    sent = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"} | headers
    return world.client.post(f"/api/v1/lineage{path}", content=content, headers=sent)


@contextmanager
def served(world: World) -> Iterator[str]:
    """The application on a port of loopback."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(world.app, log_level="error", lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


# --- the public client ------------------------------------------------------------------------------


def sent_by_the_client(url: str, token: str, compression: HttpCompression | None) -> list[dict[str, Any]]:
    auth = ApiKeyTokenProvider({"api_key": token})
    transport = HttpTransport(HttpConfig(url=url, auth=auth, compression=compression))
    client = OpenLineageClient(transport=transport)
    sent: list[dict[str, Any]] = []

    def emit(event: Any) -> None:
        client.emit(event)
        sent.append(json.loads(Serde.to_json(event)))

    inputs = column_lineage_dataset.InputField(
        namespace="s3://lake",
        name="orders",
        field="amount",
        transformations=[column_lineage_dataset.Transformation(type="DIRECT", subtype="AGGREGATION")],
    )
    facet = column_lineage_dataset.ColumnLineageDatasetFacet(
        fields={"total": column_lineage_dataset.Fields(inputFields=[inputs])}
    )
    when = "2026-11-20T10:00:00Z"
    job, run = Job(namespace="airflow", name="revenue"), Run(runId=str(uuid.UUID(int=1)))
    output = OutputDataset(namespace="s3://lake", name="revenue", facets={"columnLineage": facet})
    source = InputDataset(namespace="s3://lake", name="orders")
    emit(RunEvent(eventType=RunState.START, eventTime=when, run=run, job=job, inputs=[source]))
    emit(
        RunEvent(
            eventType=RunState.COMPLETE, eventTime=when, run=run, job=job, inputs=[source], outputs=[output]
        )
    )
    sql = sql_job.SQLJobFacet(query="INSERT INTO late SELECT total AS t FROM revenue", dialect="spark")
    static = Job(namespace="airflow", name="late", facets={"sql": sql})
    emit(
        JobEvent(
            eventTime=when,
            job=static,
            inputs=[InputDataset(namespace="s3://lake", name="revenue")],
            outputs=[OutputDataset(namespace="s3://lake", name="late")],
        )
    )
    names = [symlinks_dataset.Identifier(namespace="hive://host", name="shop.late", type="TABLE")]
    fields = [schema_dataset.SchemaDatasetFacetFields(name="t", type="bigint")]
    facets: Any = {
        "symlinks": symlinks_dataset.SymlinksDatasetFacet(identifiers=names),
        "schema": schema_dataset.SchemaDatasetFacet(fields=fields),
    }
    emit(DatasetEvent(eventTime=when, dataset=StaticDataset("s3://lake", "late", facets=facets)))
    return sent


@pytest.mark.parametrize("compression", [None, HttpCompression.GZIP])
def test_the_public_client_needs_only_the_address(world: World, compression: HttpCompression | None) -> None:
    with served(world) as url:
        sent = sent_by_the_client(url, world.token("lineage"), compression)
    assert sum(map(must_be_openlineage, sent)) >= 4
    answer = world.get(
        "/api/v1/lineage/downstream?dataset=orders&column=amount", world.token("viewer")
    ).json()
    steps = [
        (i["source"]["name"], i["source_column"], i["target"]["name"], i["target_column"], i["type"])
        for i in answer["items"]
    ]
    assert ("orders", "amount", "revenue", "total", "AGGREGATION") in steps
    assert ("revenue", "total", "late", "t", "IDENTITY") in steps
    assert answer["complete"] is True


# --- what is sent ------------------------------------------------------------------------------------


def test_bad_input_gets_a_clear_answer_and_stops_nothing(world: World) -> None:
    assert send(world, EVENTS[0]).status_code == 201
    for body, status, words in (
        (b"\xff{}", 400, "UTF-8 at byte 1"),
        (b"{", 400, "not JSON"),
        (b"[" * 100_000, 400, "cannot be read"),
        (b'{"a": "\\u0000"}', 400, "character"),
        ([], 422, "no JSON object"),
        ({}, 422, "neither a job nor a dataset"),
        (b" " * 10_000_001, 413, "10,000,000"),
    ):
        assert words in is_problem(send(world, body), status)["detail"], body[:20]
    bomb = gzip.compress(b" " * 50_000_000)
    assert "unpacks" in is_problem(send(world, bomb, **{"Content-Encoding": "gzip"}), 413)["detail"]
    assert is_problem(send(world, b"{}", **{"Content-Encoding": "gzip"}), 400)
    assert is_problem(send(world, gzip.compress(b"{}")[:-5], **{"Content-Encoding": "gzip"}), 400)
    assert is_problem(send(world, b"{}", **{"Content-Encoding": "br"}), 415)
    is_problem(send(world, EVENTS[0], token=world.token("viewer")), 403)
    is_problem(send(world, EVENTS[0], token=""), 401)
    assert send(world, EVENTS[5]).status_code == 201


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"eventTime": "2030-01-01T00:00:00Z"}, "in the future"),
        ({"eventTime": None}, "no eventTime"),
        ({"eventTime": "yesterday"}, "is no time"),
        ({"inputs": {"a": 1}}, "inputs is no list"),
        ({"inputs": [{"name": "x"}, dataset("orders")]}, "no namespace and name"),
        ({"outputs": [dataset("out", columnLineage=[1])]}, "columnLineage is no object"),
        ({"outputs": [dataset("out", columnLineage={"fields": {"a": 7}})]}, "is no object"),
        ({"outputs": [dataset("out", schema="text")]}, "schema facet"),
        ({"producer": None}, ""),
        ({"producer": {"of": "nobody"}, "schemaURL": 7}, ""),
        ({"job": {"namespace": "a", "name": "b", "facets": {"sql": {"query": "SELECT FROM WHERE ((("}}}}, ""),
    ],
)
def test_what_is_wrong_in_a_part_is_told_and_the_rest_is_taken(
    world: World, wrong: dict[str, Any], words: str
) -> None:
    good = event("job", [dataset("orders")], [dataset("out")])
    answer = send(world, good | wrong)
    assert answer.status_code == 201, answer.text
    assert words in " ".join(p["message"] for p in answer.json()["problems"])
    assert bool(answer.json()["problems"]) is bool(words) or "SELECT" in str(wrong)


def test_a_batch_tells_of_each_event(world: World) -> None:
    answer = send(world, [EVENTS[0], {"no": "event"}, EVENTS[4]], "/batch")
    assert answer.status_code == 200
    assert [e["kept"] for e in answer.json()["events"]] == [True, False, True]
    assert (answer.json()["received"], answer.json()["kept"]) == (3, 2)
    is_problem(send(world, EVENTS[0], "/batch"), 422)
    assert "at most" in is_problem(send(world, [{}] * (MOST_EVENTS + 1), "/batch"), 422)["detail"]
    assert send(world, [], "/batch").json()["received"] == 0


def test_a_facet_of_100_000_fields(world: World) -> None:
    fields = [{"name": f"c{i}"} for i in range(100_000)]
    answer = send(world, event("wide", [], [dataset("wide", schema={"fields": fields})]))
    assert (answer.status_code, answer.json()["problems"]) == (201, [])


def test_columns_that_become_known_later_are_followed(world: World) -> None:
    """The SQL of a job that was sent before anybody told the columns of what it reads."""
    sql = {"sql": {"query": "INSERT INTO mart SELECT * FROM raw", "dialect": "spark"}}
    send(world, event("sql", [dataset("raw")], [dataset("mart")], **sql))
    reads = "/api/v1/lineage/downstream?dataset=s3://lake/raw"
    viewer = world.token("viewer")
    assert [i["source_column"] for i in world.get(reads, viewer).json()["items"]] == [None]
    schema = {"fields": [{"name": "x", "type": "int"}]}
    send(world, event("other", [dataset("raw", schema=schema)], []))
    assert "x" in [i["source_column"] for i in world.get(reads, viewer).json()["items"]]


# --- what is asked -----------------------------------------------------------------------------------


def test_who_reads_page_by_page(world: World) -> None:
    made = [
        event(f"j{n}", [], [dataset(f"r{n:02}", columnLineage=columns(t=["orders.amount"]))])
        for n in range(7)
    ]
    send(world, made, "/batch")
    viewer = world.token("viewer")
    for what in ("impact", "downstream"):
        names: list[str] = []
        cursor = ""
        while True:
            url = f"/api/v1/lineage/{what}?dataset=orders&column=amount&limit=3&cursor={cursor}"
            page = world.get(url, viewer).json()
            assert len(page["items"]) <= 3
            names += [i["consumer"] if what == "impact" else i["target"]["name"] for i in page["items"]]
            cursor = page["next"]
            if cursor is None:
                break
        assert names == [f"r{n:02}" for n in range(7)]
    up = world.get("/api/v1/lineage/upstream?dataset=s3://lake/r03", viewer).json()
    assert [(i["source"]["name"], i["source_column"]) for i in up["items"]] == [("orders", "amount")]
    nobody = world.get("/api/v1/lineage/impact?dataset=orders&column=status", viewer).json()
    assert nobody["items"] == []
    assert "orders" in is_problem(world.get("/api/v1/lineage/impact?dataset=order", viewer), 404)["detail"]
    is_problem(world.get("/api/v1/lineage/impact?dataset=orders&cursor=!", viewer), 422)
    is_problem(world.get("/api/v1/lineage/impact?dataset=orders", world.token("lineage")), 403)


def test_tenants_see_nothing_of_one_another(world: World) -> None:
    send(world, EVENTS[0])
    world.put(contract("orders", "id", "amount", extra="tenant: acme\n").replace(b"urn:orders", b"urn:acme"))
    acme = world.token("viewer", "lineage", tenant="acme")
    ask = "/api/v1/lineage/impact?dataset=orders&column=amount"
    assert world.get(ask, acme).json()["items"] == []
    forged = event(
        "x",
        [],
        [
            {
                **dataset("revenue", columnLineage=columns(total=["orders.id"])),
                "namespace": "acme\x1fs3://lake",
            }
        ],
    )
    send(world, forged)
    own = event("build", [], [dataset("stolen", columnLineage=columns(t=["orders.amount"]))])
    assert send(world, own, token=acme).status_code == 201
    assert [i["consumer"] for i in world.get(ask, acme).json()["items"]] == ["stolen"]
    others = world.get(ask, world.token("viewer")).json()["items"]
    assert [i["consumer"] for i in others] == ["revenue"]
    is_problem(world.get("/api/v1/lineage/impact?dataset=revenue", acme), 404)


def test_many_at_once(world: World) -> None:
    with served(world) as url:
        token = world.token("lineage")

        def post(body: Any) -> int:
            sent = httpx.post(
                f"{url}/api/v1/lineage",
                json=body,
                headers={"Authorization": f"Bearer {token}"},
                timeout=60,
            )
            return sent.status_code

        with ThreadPoolExecutor(6) as pool:
            assert set(pool.map(post, [*EVENTS, *EVENTS])) == {201}
