"""Traces reach a collector that speaks OTLP over HTTP, under the trace of whoever asked, and hold no data."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from contracts_svc.errors import UserMistake
from contracts_svc.tracing import configure, wanted
from tests.serving import Server
from tests.support import wait_for

SERVE = [
    sys.executable,
    "-c",
    "from contracts_svc.cli.main import run; run()",
    "serve",
    "--demo",
    "--port",
    "0",
]
TRACE = "0af7651916cd43dd8448eb211c80319c"


@dataclass
class Collector:
    """What was exported, by the names of spans."""

    url: str
    raw: list[bytes] = field(default_factory=list)

    def take(self, request: Request) -> Response:
        body = request.get_data()
        self.raw.append(gzip.decompress(body) if request.headers.get("Content-Encoding") == "gzip" else body)
        return Response(b"", content_type="application/x-protobuf")

    @property
    def spans(self) -> dict[str, Any]:
        return {
            span.name: span
            for raw in self.raw
            for resource in ExportTraceServiceRequest.FromString(raw).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        }


@pytest.fixture
def collector(httpserver: HTTPServer) -> Collector:
    found = Collector(httpserver.url_for(""))
    httpserver.expect_request("/v1/traces").respond_with_handler(found.take)
    return found


def attributes(span: Any) -> dict[str, Any]:
    return {a.key: a.value.string_value or a.value.int_value or a.value.bool_value for a in span.attributes}


def test_a_request_is_a_span_under_the_trace_of_whoever_asks(collector: Collector, tmp_path: Path) -> None:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("CONTRACTS_", "OTEL_"))}
    env = kept | {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
    server = subprocess.Popen(SERVE, cwd=tmp_path, env=env, stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    url = json.loads(server.stderr.readline())["url"]
    try:
        headers = {
            "traceparent": f"00-{TRACE}-b7ad6b7169203331-01",
            "Authorization": "Bearer contracts_secret",
        }
        assert httpx.get(f"{url}/api/v1/contracts?owner=ada", headers=headers).status_code == 401
        assert httpx.get(f"{url}/health").status_code == 200
    finally:
        server.terminate()
        told = server.communicate(timeout=60)[1]
    # What is left is sent at the end.
    span = collector.spans["GET /api/v1/contracts"]
    assert span.trace_id.hex() == TRACE
    assert span.parent_span_id.hex() == "b7ad6b7169203331"
    shown = attributes(span)
    assert shown["http.route"] == "/api/v1/contracts"
    assert shown["http.response.status_code"] == 401
    logged = next(
        line for line in map(json.loads, told.splitlines()) if line.get("route") == "/api/v1/contracts"
    )
    assert logged["trace_id"] == TRACE
    assert logged["request_id"]
    assert not any("/health" in name for name in collector.spans)
    assert not any(secret in raw for raw in collector.raw for secret in (b"contracts_secret", b"Bearer"))


ROUTES = """
route: {receiver: told, group_wait: 0s, group_interval: 1s}
receivers: [{name: told, type: file, path: told.jsonl}]
"""


def test_a_check_that_is_asked_for_and_what_is_told_of_it_are_spans(
    collector: Collector, tmp_path: Path
) -> None:
    """The check is a span under the request that asked for it, with one for each of its phases."""
    pq.write_table(pa.table({"a": pa.array([1, None], pa.int64())}), tmp_path / "secret-name.parquet")
    (tmp_path / "routes.yaml").write_text(ROUTES)
    contract = (
        "apiVersion: v3.1.0\nkind: DataContract\nstatus: active\nversion: 1.0.0\nid: orders\nname: orders\n"
        f"servers: [{{server: s, type: local, path: {tmp_path}/*.parquet, format: parquet}}]\n"
        "team: {name: menu}\n"
        "schema: [{name: orders, properties: [{name: a, logicalType: integer, required: true}]}]\n"
    )
    server = Server(
        tmp_path,
        f"sqlite:///{tmp_path}/contracts.db",
        "--demo",
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        CONTRACTS_ROUTES="routes.yaml",
    )
    headers = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
    client = httpx.Client(base_url=server.url, timeout=60)
    assert client.post("/api/v1/contracts", content=contract.encode()).status_code == 201
    asked = client.post("/api/v1/contracts/orders/runs", json={"table": "orders"}, headers=headers)
    job = int(asked.json()["items"][0]["id"])
    wait_for(lambda: (tmp_path / "told.jsonl").exists(), "what is told")
    logged = server.stop()
    check, send = collector.spans["check"], collector.spans["send"]
    request = collector.spans["POST /api/v1/contracts/{contract_id}/runs"]
    assert check.trace_id.hex() == TRACE
    assert check.parent_span_id == request.span_id
    assert attributes(check) == {
        "contracts.run": job,
        "contracts.contract": "orders",
        "contracts.table": "orders",
        "contracts.attempt": 1,
        "contracts.outcome": "done",
    }
    for phase in ("footers", "scans", "samples"):
        assert collector.spans[phase].parent_span_id == check.span_id
    assert attributes(send) == {"contracts.receiver": "told", "contracts.attempt": 1, "contracts.sent": 1}
    assert not any(secret in raw for raw in collector.raw for secret in (b"secret-name", b"told.jsonl"))
    (over,) = [line for line in logged if line["event"] == "run over"]
    assert (over["run"], over["contract"], over["trace_id"]) == (job, "orders", TRACE)
    assert not any("color_message" in line for line in logged)


@pytest.mark.parametrize(
    ("env", "asked"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_the_variables_of_opentelemetry_decide(env: dict[str, str], asked: bool) -> None:
    assert wanted(env) is asked


def test_without_its_packages_the_way_out_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.resources", None)
    with pytest.raises(UserMistake, match=r"OpenTelemetry is not installed") as told:
        configure({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"})
    assert "contracts-svc[tracing]" in str(told.value.problems[0].hint)
