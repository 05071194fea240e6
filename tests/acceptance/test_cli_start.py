"""What a newcomer waits for first answers at once, since it imports none of the heavy packages."""

from __future__ import annotations

import json
import subprocess
import sys

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


def imported_by(*argv: str) -> tuple[int, set[str]]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *argv], cwd=ROOT, capture_output=True, text=True, check=True
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


def test_the_list_of_heavy_packages_names_real_ones() -> None:
    """A check of the data does import them, so the list above is not just misspelt."""
    code, modules = imported_by("check", "contracts/flights.odcs.yaml", "--server", "no-such-server")
    assert code == 2
    assert {"duckdb", "pyarrow", "sqlglot", "pydantic"} <= modules
