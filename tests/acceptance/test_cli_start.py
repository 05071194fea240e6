"""What a newcomer waits for first answers at once, since it imports none of the heavy packages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support import ROOT

HEAVY = {
    "alembic", "boto3", "botocore", "datacontract", "duckdb", "dulwich", "fastapi", "interegular", "jinja2", "narwhals", "numpy",
    "open_data_contract_standard", "pandas", "pandera", "polars", "psycopg", "pyarrow", "pydantic", "requests",
    "slack_sdk", "sqlalchemy", "sqlglot", "uvicorn",
}  # fmt: skip

PROGRAM = """
import json, sys
from contracts_svc.cli.main import main
code = main(sys.argv[1:])
sys.stderr.write("\\n" + json.dumps({"code": code, "modules": sorted({m.partition(".")[0] for m in sys.modules})}))
"""


def imported_by(*argv: str, folder: Path = ROOT) -> tuple[int, set[str]]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *argv], cwd=folder, capture_output=True, text=True, check=True
    )
    said = json.loads(done.stderr.splitlines()[-1])
    return said["code"], set(said["modules"])


@pytest.mark.parametrize(
    "argv",
    [
        ("--help",),
        ("check", "--help"),
        ("lint", "contracts/flights.odcs.yaml"),
        ("lint", "--format", "json", "contracts/flights.odcs.yaml"),
        ("lint", "no-such-file.yaml"),
    ],
    ids=" ".join,
)
def test_heavy_packages_stay_out(argv: tuple[str, ...]) -> None:
    _, modules = imported_by(*argv)
    assert modules & HEAVY == set()


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
      - {name: n, logicalType: integer, required: true, unique: true, logicalTypeOptions: {minimum: 0}}
      - {name: t, logicalType: string, logicalTypeOptions: {pattern: "^[a-z]+$"}}
"""
NEVER = HEAVY - {"duckdb", "numpy", "pyarrow", "pydantic", "sqlglot"} | {
    "croniter", "email_validator", "jsonschema", "procrastinate", "prometheus_client", "pydantic_settings", "rich",
}  # fmt: skip
"""What a check of Parquet files has no use for."""


def test_a_check_loads_what_it_asks(tmp_path: Path) -> None:
    """Also: the list of heavy packages names real ones, and is not just misspelt."""
    (tmp_path / "data").mkdir()
    pq.write_table(pa.table({"n": [1, 2, 3], "t": ["a", "b", "c"]}), tmp_path / "data" / "a.parquet")
    old = time.time() - 60
    os.utime(tmp_path / "data" / "a.parquet", (old, old))
    (tmp_path / "numbers.odcs.yaml").write_text(CONTRACT)

    code, modules = imported_by("check", "numbers.odcs.yaml", folder=tmp_path)
    assert code == 0
    assert {"duckdb", "pyarrow", "sqlglot", "pydantic"} <= modules
    assert modules & NEVER == set()

    code, modules = imported_by("check", "numbers.odcs.yaml", folder=tmp_path)
    assert code == 0
    assert modules & {"duckdb", "pyarrow"} == set(), "every figure is known"
    assert modules & NEVER == set()
