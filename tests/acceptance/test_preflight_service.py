"""`contracts preflight --service`: the lineage, consumers and waivers of a service that runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from contracts_svc.adapters.store.store import DatabaseStore
from contracts_svc.cli.main import main
from contracts_svc.ports_store import SERVICE, Subscription
from contracts_svc.waivers import Waiver
from tests.acceptance.test_api import NOW, World
from tests.acceptance.test_api_lineage import served
from tests.acceptance.test_preflight import History, Told, branch
from tests.acceptance.test_preflight import history as history
from tests.acceptance.test_preflight import told as told
from tests.adapters.test_stored_lineage import ORDERS, REVENUE, columns, contract, dataset, event


@pytest.fixture
def world(store: DatabaseStore) -> World:
    world = World(store)
    for text in (ORDERS, REVENUE):
        world.put(text)
    return world


def test_a_preflight_by_a_service_says_what_one_by_files_says(
    world: World, history: History, told: Told, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = event(
        "build", [dataset("orders")], [dataset("revenue", columnLineage=columns(total=["orders.amount"]))]
    )
    board = event(
        "board",
        [dataset("revenue")],
        [
            dataset(
                "board",
                columnLineage=columns(t=["revenue.total"]),
                ownership={"owners": [{"name": "team:execs"}]},
            )
        ],
        jobType={"jobType": "DASHBOARD"},
    )
    gone = contract("orders", "id", "status").decode()
    branch(history, {"orders.odcs.yaml": ORDERS.decode()}, {"orders.odcs.yaml": gone})
    events = tmp_path / "events.jsonl"
    events.write_text("".join(json.dumps(e) + "\n" for e in (made, board, {"no": "event"})))
    world.store.put_subscription(
        Subscription(consumer="model", contract="urn:orders", columns=("amount",)), NOW, SERVICE
    )
    with served(world) as url:
        assert (
            main(["lineage", "send", str(events), "--service", url, "--token", world.token("lineage")]) == 2
        )
        assert "2 events sent, 1 refused" in told.capsys.readouterr().out
        monkeypatch.setenv("CONTRACTS_SERVICE_URL", url)
        monkeypatch.setenv("CONTRACTS_SERVICE_TOKEN", world.token("viewer"))
        body = told.json()
        readers = {
            (i["consumer"]["name"], i["level"]) for f in body["verdict"]["findings"] for i in f["impacts"]
        }
        # The contract of revenue is not in this repository: the service has it.
        assert {("revenue", "BREAKS"), ("board", "BREAKS"), ("model", "BREAKS")} == readers
        assert body["exit_code"] == 1
        (fingerprint,) = {f["fingerprint"] for f in body["verdict"]["findings"] if f["outcome"] == "BLOCK"}
        agreed = [
            Waiver(
                fingerprint=fingerprint,
                contract="urn:orders",
                approver=who,
                reason="agreed",
                expires=NOW.replace(year=2099),
            )
            for who in ("revenue-team", "execs")
        ]
        for waiver in agreed:
            world.store.put_waiver(waiver, NOW, SERVICE)
        waived = told.json()
        assert waived["exit_code"] == 0
        code, said = told("--token", world.token("lineage"))
        assert (code, "may not read" in said, "CONTRACTS_SERVICE_TOKEN" in said) == (3, True, True)
        code, said = told("--service", f"{url}/nowhere")
        assert (code, "404" in said) == (3, True)
    code, said = told()
    assert (code, "could not check" in said, "CONTRACTS_SERVICE_URL" in said) == (3, True, True)
    code, said = told("--service", url, "--lineage", "x.sql")
    assert (code, "cannot both be given" in said) == (2, True)
    assert told("--service", "ftp://x")[0] == 2
    events.write_text(json.dumps(made) + "\n" + json.dumps(board) + "\n")
    by_files = told.json("--lineage", str(events))
    known = {i["consumer"]["name"]: i["level"] for f in by_files["verdict"]["findings"] for i in f["impacts"]}
    assert known == {"revenue": "BREAKS", "board": "BREAKS"}
