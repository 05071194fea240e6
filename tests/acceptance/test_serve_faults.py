"""The API is killed at random moments while it is told things: what it has answered for is there, once."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from contracts_svc.adapters.store.database import Database
from contracts_svc.adapters.store.store import DatabaseStore
from tests.fixtures_store import BACKENDS, read_contract
from tests.serving import Server

KILLS = 4
THREADS = 3


def contract(who: int, number: int) -> str:
    return (
        f"apiVersion: v3.1.0\nkind: DataContract\nid: c{who}-{number}\nversion: 1.0.0\nstatus: active\n"
        "schema:\n  - name: t\n    properties:\n      - {name: a, logicalType: string}\n"
    )


def event(who: int, number: int) -> dict[str, Any]:
    told = {"_producer": "https://example.com", "_schemaURL": "https://example.com/schema"}
    origin = {"namespace": "s3://lake", "name": f"in{who}-{number}", "field": "a"}
    lineage = {**told, "fields": {"b": {"inputFields": [origin]}}}
    return {
        "eventType": "OTHER",
        "eventTime": "2026-01-01T00:00:00Z",
        "run": {"runId": f"01890000-0000-7000-8000-{who:04}{number:08}"},
        "job": {"namespace": "airflow", "name": f"job{who}-{number}"},
        "inputs": [{"namespace": "s3://lake", "name": f"in{who}-{number}"}],
        "outputs": [
            {"namespace": "s3://lake", "name": f"out{who}-{number}", "facets": {"columnLineage": lineage}}
        ],
        "producer": "https://example.com",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
    }


class Asker(threading.Thread):
    """Tells the service things one by one, each until it is answered for, wherever the service is now."""

    def __init__(self, who: int, url_of: Callable[[], str], token: str) -> None:
        super().__init__(daemon=True)
        self._who, self._url_of, self._token = who, url_of, token
        self._ends = threading.Event()
        self.contracts: list[str] = []
        self.jobs: list[str] = []
        self.asked_again = 0
        self.wrong: list[str] = []

    def run(self) -> None:
        number = 0
        while not self._ends.is_set():
            number += 1
            if self._until_answered("/api/v1/contracts", content=contract(self._who, number).encode()):
                self.contracts.append(f"c{self._who}-{number}")
            if self._until_answered("/api/v1/lineage", json=event(self._who, number)):
                self.jobs.append(f"{self._who}-{number}")

    def _until_answered(self, path: str, **body: Any) -> bool:
        while not self._ends.is_set():
            try:
                answer = httpx.post(
                    self._url_of() + path,
                    headers={"Authorization": f"Bearer {self._token}"},
                    timeout=30,
                    **body,
                )
            except httpx.TransportError:
                self.asked_again += 1
                self._ends.wait(0.05)
                continue
            if answer.is_success:
                return True
            self.wrong.append(f"{path}: {answer.status_code} {answer.text[:200]}")
            return False
        return False

    def end(self) -> None:
        self._ends.set()
        self.join(60)


@pytest.mark.slow
@pytest.mark.parametrize("empty_url", BACKENDS, indirect=True)
def test_what_the_api_answered_for_outlives_its_sudden_end(service_url: str, tmp_path: Path) -> None:
    url, rng = service_url, random.Random(11)
    server = [Server(tmp_path, url)]
    token = str(server[0].client("admin", "lineage").headers["Authorization"]).removeprefix("Bearer ")
    askers = [Asker(n, lambda: server[0].url, token) for n in range(THREADS)]
    for asker in askers:
        asker.start()
    pause = threading.Event()
    for _ in range(KILLS):
        pause.wait(rng.uniform(0.2, 2.0))
        server[0].kill()
        server[0] = Server(tmp_path, url)
    pause.wait(1.0)
    for asker in askers:
        asker.end()
    server[0].stop()

    assert [w for asker in askers for w in asker.wrong] == []
    assert sum(asker.asked_again for asker in askers) > 0, "somebody was cut off"
    answered = {c for asker in askers for c in asker.contracts}
    assert answered
    database = Database(url)
    store = DatabaseStore(database, read_contract)
    assert answered <= {c.id for c in store.contracts()}
    registered = [e.subject for e in store.audit(limit=10_000) if e.action == "registered"]
    assert sorted(registered) == sorted(set(registered)), "each was registered once"
    edges = [(e.source.dataset.name, e.target.dataset.name) for e in store.edges()]
    assert sorted(edges) == sorted(set(edges)), "each edge is there once"
    assert {(f"in{j}", f"out{j}") for asker in askers for j in asker.jobs} <= set(edges)
    database.close()
