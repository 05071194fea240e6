"""Who is told of a check: an endpoint of OpenLineage, Prometheus's text file, the terminal."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from contracts_svc.adapters import openlineage_endpoint
from contracts_svc.check_metrics import NAMES
from contracts_svc.cli.check import progress_line
from contracts_svc.cli.main import main
from contracts_svc.errors import ExitCode
from contracts_svc.flows.check_progress import Step
from contracts_svc.lineage.servers import dataset_of
from tests.core.quality import write
from tests.core.test_render_run_event import validate
from tests.fixtures_store import read_contract
from tests.serving import Server
from tests.support import wait_for

CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: numbers
version: 1.0.0
status: active
servers: [{server: lake, type: local, path: "data/*.parquet", format: parquet}]
schema:
  - name: numbers
    properties:
      - {name: n, logicalType: integer, required: true}
      - {name: at, logicalType: timestamp}
slaProperties: [{property: latency, value: 100, unit: y, element: numbers.at}]
"""


class Endpoint:
    """Takes events; answers with these codes first, then with 200."""

    def __init__(self, *codes: int) -> None:
        self.codes = list(codes)
        self.events: list[tuple[str, str, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.events.append((self.path, self.headers.get("Authorization", ""), json.loads(body)))
                self.send_response(outer.codes.pop(0) if outer.codes else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(openlineage_endpoint, "PAUSE_SECONDS", 0.01)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.odcs.yaml").write_text(CONTRACT)
    write(
        tmp_path / "data/a.parquet",
        {"n": ["BIGINT", 1, None], "at": ["TIMESTAMP", "2026-01-01", "2026-01-02"]},
    )
    return tmp_path


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    found = Endpoint()
    monkeypatch.setenv("CONTRACTS_OPENLINEAGE_URL", found.url)
    monkeypatch.setenv("CONTRACTS_OPENLINEAGE_API_KEY", "a-key")
    yield found
    found.close()


def test_the_endpoint_hears_what_a_check_found(folder: Path, endpoint: Endpoint) -> None:
    endpoint.codes = [503]
    assert main(["check", "c.odcs.yaml"]) == ExitCode.BROKEN
    (path, key, event), again = endpoint.events
    assert (path, key, again[2]) == ("/api/v1/lineage", "Bearer a-key", event)
    validate(event)
    assert event["job"]["name"] == "check.numbers.numbers"
    assert event["inputs"][0]["inputFacets"]["dataQualityMetrics"]["rowCount"] == 2


@pytest.mark.parametrize("codes", [[503, 503, 503], [400]])
def test_an_endpoint_that_refuses_changes_no_verdict(
    folder: Path, endpoint: Endpoint, codes: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    endpoint.codes = list(codes)
    assert main(["check", "c.odcs.yaml", "--format", "json"]) == ExitCode.BROKEN
    out, err = capsys.readouterr()
    json.loads(out)
    assert f"it answered {codes[0]}" in err
    assert "a-key" not in err
    assert len(endpoint.events) == len(codes)


def test_an_address_that_is_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTRACTS_OPENLINEAGE_URL", "marquez:5000")
    assert main(["check", "c.odcs.yaml"]) == ExitCode.MISTAKE


def test_a_published_table_is_checked_and_told_of(folder: Path, endpoint: Endpoint) -> None:
    """From the message that data came, through the queue and a worker, to the endpoint and the figures."""
    (folder / "c.odcs.yaml").write_text(CONTRACT.replace("data/*", f"{folder}/data/*"))
    contract = read_contract((folder / "c.odcs.yaml").read_bytes(), "c.odcs.yaml")
    dataset = dataset_of(contract, contract.tables[0])
    given = {
        "CONTRACTS_OPENLINEAGE_URL": endpoint.url,
        "CONTRACTS_OPENLINEAGE_API_KEY": "a-key",
        "CONTRACTS_PUBLISH_QUIET_SECONDS": "0",
    }
    endpoint.codes = [503]
    server = Server(folder, f"sqlite:///{folder}/contracts.db", **given)
    try:
        with server.client("admin", "publisher") as client:
            answer = client.post("/api/v1/contracts", content=(folder / "c.odcs.yaml").read_bytes())
            assert answer.status_code == 201, answer.text
            published = {
                "eventType": "COMPLETE",
                "eventTime": "2026-11-24T12:00:00Z",
                "run": {"runId": "0195f0f4-0000-7000-8000-000000000000"},
                "outputs": [{"namespace": dataset.namespace, "name": dataset.name}],
            }
            heard = client.post("/api/v1/events/publish", json=published)
            assert heard.json()["checks"] == [{"contract": "numbers", "table": "numbers"}], heard.text
            wait_for(lambda: len(endpoint.events) >= 2, "the event of the check", 60)
            families = {f.name: f for f in text_string_to_metric_families(client.get("/metrics").text)}
    finally:
        logged = server.stop()
    (path, key, event), again = endpoint.events
    assert (path, key, again[2]) == ("/api/v1/lineage", "Bearer a-key", event)
    validate(event)
    assert event["inputs"][0]["inputFacets"]["dataQualityMetrics"]["rowCount"] == 2
    told = {
        a["assertion"]: a["success"]
        for a in event["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"]
    }
    assert told["not_null"] is False
    outcomes = {s.labels["outcome"]: s.value for s in families["contracts_check_results"].samples}
    assert (outcomes["failed"], outcomes["errored"]) == (1, 0)
    assert families["contracts_check_rows"].samples[0].value == 2
    assert "a-key" not in json.dumps(logged)


def test_figures_for_a_text_file(folder: Path) -> None:
    assert main(["check", "c.odcs.yaml", "--metrics", "checks.prom"]) == ExitCode.BROKEN
    families = {f.name: f for f in text_string_to_metric_families((folder / "checks.prom").read_text())}
    assert {n.removesuffix("_total") for n in NAMES} <= families.keys()
    outcomes = {s.labels["outcome"]: s.value for s in families["contracts_check_results"].samples}
    assert (outcomes["failed"], outcomes["errored"]) == (1, 0)
    assert families["contracts_check_rows"].samples[0].value == 2
    (age,) = families["contracts_check_freshness_seconds"].samples
    assert (age.labels, age.value > 0) == ({"contract": "numbers", "table": "numbers", "column": "at"}, True)
    sizes = {
        s.labels["what"]: s.value
        for s in families["contracts_check_bytes"].samples
        if s.name.endswith("_total")
    }
    assert sum(sizes.values()) == (folder / "data/a.parquet").stat().st_size


def test_figures_that_cannot_be_written(folder: Path) -> None:
    assert main(["check", "c.odcs.yaml", "--metrics", "no/such/folder/checks.prom"]) == ExitCode.MISTAKE


def test_a_line_of_progress() -> None:
    step = Step(
        phase="scans",
        done=1,
        total=4,
        files=3,
        all_files=12,
        bytes=1_500_000,
        all_bytes=6_000_000,
        rows=10,
        all_rows=4_000,
    )
    assert progress_line(step) == (
        "scans   [#####---------------] 1/4  3 of 12 files, 1.5 of 6.0 MB, 10 of 4,000 rows"
    )
    assert progress_line(Step(phase="footers", done=0, total=0)) == "footers [--------------------] 0/0"


def test_files_that_cannot_be_read_are_counted_and_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("junk", "more"):
        (folder / "data" / f"{name}.parquet").write_bytes(b"no parquet")
    assert main(["check", "c.odcs.yaml"]) == ExitCode.COULD_NOT_CHECK
    said = capsys.readouterr().out
    files = len(list((folder / "data").iterdir()))
    assert f"whole table: {files} files, " in said
    assert (
        f"junk.parquet: not a Parquet file, or a damaged one: it does not end with PAR1; 2 of {files} "
        in said
    )
    assert "not needed" not in said
