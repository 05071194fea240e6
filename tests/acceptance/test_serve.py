"""A newcomer's way: `contracts serve` as a process, a token, the demo's contracts over real HTTP, the gate."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from contracts_svc.adapters.openlineage import read_events
from contracts_svc.adapters.store.database import Database
from contracts_svc.adapters.store.store import DatabaseStore
from contracts_svc.demo import files
from contracts_svc.flows.lineage import gather
from contracts_svc.flows.preflight import preflight, read_sides
from contracts_svc.policy_read import read_policy
from contracts_svc.render.json import verdict_json
from contracts_svc.runs import Run
from tests.core.test_docs import FIGURES
from tests.fixtures_store import read_contract
from tests.serving import CONTRACTS, Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("serve")
    (folder / "policy.yaml").write_bytes(files.policy()["contracts-policy.yaml"])
    found = Server(folder, f"sqlite:///{folder}/contracts.db", CONTRACTS_POLICY="policy.yaml")
    yield found
    if found.process.poll() is None:
        found.stop()


def put_lineage(server: Server) -> None:
    """What the demo's SQL says, as it is kept once it has come in."""
    store = DatabaseStore(Database(server.environment["CONTRACTS_DATABASE_URL"]), read_contract)
    heard = [read_events(t.splitlines(), n) for n, t in files.lineage_events().items()]
    store.put_edges(
        gather(store.contracts(), sql=files.sql(), heard=heard, seen=datetime.now(UTC)).graph.edges
    )
    store.close()


def by_the_whole_lineage() -> dict[str, Any]:
    """What `contracts preflight` says of the demo's pull request."""
    base = {f"contracts/{n}": t for n, t in files.contracts().items()}
    sides = read_sides(
        base, base | {f"contracts/{n}": t for n, t in files.pull_request().items()}, read=read_contract
    )
    heard = [read_events(t.splitlines(), n) for n, t in files.lineage_events().items()]
    whole = gather(sides.base.values(), sql=files.sql(), heard=heard, promised=sides.head.values())
    policies = read_policy(files.policy()["contracts-policy.yaml"], "policy.yaml")
    return verdict_json(preflight(sides, whole, now=datetime.now(UTC), policies=policies).verdict)


def told(findings: list[dict[str, Any]]) -> set[tuple[str, str, str, str]]:
    return {
        (f["rule"], f["message"], i["consumer"]["dataset"]["name"], i["level"])
        for f in findings
        for i in f["impacts"]
    }


def put_run(server: Server) -> None:
    store = DatabaseStore(Database(server.environment["CONTRACTS_DATABASE_URL"]), read_contract)
    now = datetime.now(UTC)
    run = Run(contract="flights", version="1.0.0", table="flights", server="lake",
              scope="whole table", started=now, finished=now, results=())  # fmt: skip
    store.put_run(run)
    store.close()


def test_from_a_token_to_a_refused_pull_request_and_the_gate(server: Server) -> None:
    code, said = server.run("token", "create", "--owner", "ada", "--scope", "admin", "--format", "json")
    assert code == 0, said
    token = json.loads(said)["token"]
    client = httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {token}"}, timeout=60)
    assert httpx.get(f"{server.url}/api/v1/contracts").status_code == 401

    ids: dict[str, str] = {}
    for name, text in files.contracts().items():
        answer = client.post("/api/v1/contracts", params={"file": f"contracts/{name}"}, content=text)
        assert answer.status_code == 201, answer.text
        ids[name] = answer.json()["contract"]
    listed = client.get("/api/v1/contracts").json()["items"]
    assert sorted(c["id"] for c in listed) == sorted(ids.values())

    put_lineage(server)
    ((name, proposal),) = files.pull_request().items()
    refused = client.post("/api/v1/contracts", params={"file": f"contracts/{name}"}, content=proposal)
    assert refused.status_code == 409, refused.text
    problem = refused.json()
    assert problem["detail"].startswith("BLOCK: ")
    # The part of the lineage that the store finds says what the whole says, as the command line has it.
    assert told(problem["findings"]) == told(by_the_whole_lineage()["findings"])
    assert "carrier_scorecard" in {
        consumer for *_, consumer, level in told(problem["findings"]) if level == "BREAKS"
    }
    dry = client.post("/api/v1/contracts", params={"dry_run": True}, content=proposal)
    assert dry.status_code == 409

    gate = f"/api/v1/datasets/{ids['flights.odcs.yaml']}/gate"
    assert client.get(gate).json()["unknown"] is True
    put_run(server)
    assert client.get(gate).json()["open"] is True
    here = {"CONTRACTS_SERVICE_URL": server.url, "CONTRACTS_SERVICE_TOKEN": token}
    assert server.run("gate", "flights", **here)[0] == 0
    assert server.run("gate", "flights")[0] == 0, "without a service, of the database itself"
    assert server.run("gate", "planes", **here)[0] == 3
    code, said = server.run("gate", "fligths", **here)
    assert code == 2
    assert "did you mean" in said
    code, said = server.run("gate", "flights", CONTRACTS_SERVICE_URL=server.url)
    assert code == 3
    assert "set CONTRACTS_SERVICE_TOKEN" in said
    code, said = server.run("gate", "flights", **here | {"CONTRACTS_SERVICE_TOKEN": f"{token}x"})
    assert code == 3
    assert "does not know the token" in said
    assert "contracts token create" in said
    _, made = server.run("token", "create", "--owner", "p", "--scope", "publisher", "--format", "json")
    publisher = json.loads(made)["token"]
    code, said = server.run("gate", "flights", **here | {"CONTRACTS_SERVICE_TOKEN": publisher})
    assert code == 3
    assert "needs the scope viewer" in said

    code, said = server.run("token", "list")
    assert token not in said
    token_id = said.split()[0]
    assert server.run("token", "revoke", token_id)[0] == 0
    assert "revoked" in client.get("/api/v1/contracts").json()["detail"]

    logged = server.stop()
    assert server.process.returncode == 0
    requests = [entry for entry in logged if entry["event"] == "request"]
    assert {"request_id", "method", "route", "status", "caller", "at", "level"} <= requests[0].keys()
    assert [r["status"] for r in requests if r["route"] == "/api/v1/contracts" and r["method"] == "POST"][
        -2:
    ] == [409, 409]
    assert token.removeprefix("contracts_") not in json.dumps(logged)
    assert logged[-1]["event"] == "stopped"


def test_it_refuses_what_it_cannot_serve(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CONTRACTS_")}

    def refused(*arguments: str, **more: str) -> str:
        done = subprocess.run(
            [*CONTRACTS, "serve", *arguments],
            cwd=tmp_path,
            env=environment | more,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 2, done.stderr
        return done.stderr

    assert "can be reached from other machines" in refused("--demo", "--host", "0.0.0.0")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert "cannot listen" in refused("--port", str(taken.getsockname()[1]))
    (tmp_path / "policy.yaml").write_text("version: 1\nbreaks: explode\n")
    assert "policy.yaml:2" in refused("--port", "0", CONTRACTS_POLICY="policy.yaml")
    assert "cannot be read" in refused("--port", "0", CONTRACTS_POLICY="none.yaml")
    with sqlite3.connect(tmp_path / ".contracts" / "contracts.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    assert "install that version of contracts" in refused("--port", "0")


def test_in_the_demo_no_token_is_asked_for_on_loopback(tmp_path: Path) -> None:
    server = Server(tmp_path, f"sqlite:///{tmp_path}/contracts.db", "--demo")
    try:
        assert server.started["tokens"] == "none needed"
        assert httpx.get(f"{server.url}/api/v1/contracts").status_code == 200
        page = {"Origin": "https://evil.example"}
        assert httpx.get(f"{server.url}/api/v1/contracts", headers=page).status_code == 403
        helps = [line.split() for line in httpx.get(f"{server.url}/metrics").text.splitlines()]
        figures = {words[2] for words in helps if words[:2] == ["#", "HELP"]}
        assert {f for f in figures if not f.endswith("_created")} == set(FIGURES), "the README has them all"
    finally:
        server.stop()
