"""Sources other than files, measured for real: a PostgreSQL server, a database file of DuckDB."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from contracts_svc.adapters.engines.datacontract_cli import DataContractCli
from contracts_svc.errors import CouldNotCheck, ExitCode, UserMistake
from contracts_svc.runs import Outcome, Run
from tests.core.quality import contract, results, run
from tests.fixtures_store import Postgres

pytest.importorskip("ibis")

TABLE: dict[str, Any] = {
    "name": "orders",
    "quality": [
        {"id": "enough", "metric": "rowCount", "mustBeGreaterThan": 2},
        {"id": "between", "metric": "rowCount", "mustBeBetween": [5, 9]},
        {"id": "paid", "type": "sql", "query": "SELECT COUNT(*) FROM {object} WHERE amount IS NULL", "mustBe": 1},
        {"id": "evil", "type": "sql", "query": "SELECT COUNT(*) FROM pg_catalog.pg_authid", "mustBe": 0},
    ],
    "properties": [
        {"name": "id", "logicalType": "integer", "primaryKey": True},
        {"name": "code", "logicalType": "string", "required": True, "unique": True, "logicalTypeOptions": {"pattern": "^[A-Z]+$", "maxLength": 3}},
        {"name": "amount", "logicalType": "number", "logicalTypeOptions": {"minimum": 0, "exclusiveMaximum": 100},
         "quality": [{"id": "few", "metric": "nullValues", "mustBeLessThan": 30, "unit": "percent"}]},
        {"name": "state", "logicalType": "string", "quality": [{"id": "states", "metric": "invalidValues", "arguments": {"validValues": ["new", "done"]}, "mustBe": 0}]},
        {"name": "made", "logicalType": "timestamp"},
        {"name": "gone", "logicalType": "string", "required": True},
    ],
}  # fmt: skip
SLA = [{"property": "latency", "value": 2, "unit": "d", "element": "orders.made"}]
ROWS = (
    "(1, 'AB', 5.0, 'new', TIMESTAMP '2026-11-24 10:00:00')",
    "(2, 'AB', -1.0, 'done', TIMESTAMP '2026-11-20 10:00:00')",
    "(3, 'abcd', 100.0, 'lost', NULL)",
    "(4, NULL, NULL, NULL, NULL)",
    "(4, 'X', 1.0, 'new', NULL)",
)
COLUMNS = "id INTEGER, code VARCHAR, amount DOUBLE PRECISION, state VARCHAR, made TIMESTAMP"
EXPECTED = {
    "orders.gone.missing-column": ("failed", None),
    "orders.primary-key": ("failed", None),
    "orders.code.required": ("failed", 1),
    "orders.code.unique": ("failed", None),
    "orders.code.pattern": ("failed", 1),
    "orders.code.max-length": ("failed", 1),
    "orders.amount.minimum": ("failed", 1),
    "orders.amount.exclusive-maximum": ("failed", 1),
    "orders.state.states": ("failed", 1),
    # Strict on both sides: there are five rows.
    "orders.between": ("failed", None),
}


def statements() -> list[str]:
    return [f"CREATE TABLE orders ({COLUMNS})", f"INSERT INTO orders VALUES {', '.join(ROWS)}"]


def checked(server: dict[str, Any], table: dict[str, Any] = TABLE, **more: Any) -> Run:
    given = contract(Path("/nowhere"), table, servers=[{"server": "s", **server}], slaProperties=SLA)
    more.setdefault("elsewhere", DataContractCli(seconds=120))
    return run(given, table["name"], **more)


@pytest.fixture
def warehouse(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    url = make_url(postgres.url(postgres.create()))
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in statements():
            connection.execute(text(statement))
    engine.dispose()
    monkeypatch.setenv("DATACONTRACT_POSTGRES_USERNAME", url.username or "postgres")
    monkeypatch.setenv("DATACONTRACT_POSTGRES_PASSWORD", url.password or "none")
    host = url.host or url.query["host"]
    return {
        "type": "postgres",
        "host": host,
        "port": url.port or 5432,
        "database": url.database,
        "schema": "public",
    }


def bad(found: Run) -> dict[str, tuple[str, int | None]]:
    return {r.check.id: (r.outcome.value, r.failing) for r in found.results if r.bad}


def test_a_table_of_postgresql(warehouse: dict[str, Any]) -> None:
    found = checked(warehouse)
    errored = {r.check.id: r.reason for r in found.results if r.outcome is Outcome.ERRORED}
    assert errored == {}
    assert bad(found) == EXPECTED
    said = results(found)
    assert {
        i: said[i].outcome
        for i in ("orders.enough", "orders.paid", "orders.amount.few", "orders.made.freshness")
    } == dict.fromkeys(
        ("orders.enough", "orders.paid", "orders.amount.few", "orders.made.freshness"), Outcome.PASSED
    )
    assert said["orders.amount.few"].found == "1 of 5 rows (20.00 %)"
    assert [u.what for u in found.unsupported if "pg_catalog" in u.reason or "refused" in u.reason] == [
        "orders: evil"
    ]
    assert (found.exit_code, found.rows) == (ExitCode.BROKEN, 5)


def test_a_database_file_of_duckdb(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "lake.duckdb")) as connection:
        for statement in statements():
            connection.execute(statement)
    found = checked({"type": "duckdb", "database": str(tmp_path / "lake.duckdb"), "schema": "main"})
    assert {r.check.id: r.reason for r in found.results if r.outcome is Outcome.ERRORED} == {}
    assert bad(found) == EXPECTED


def test_a_table_that_is_not_there(warehouse: dict[str, Any]) -> None:
    found = checked(warehouse, {**TABLE, "name": "customers"})
    assert bad(found) == {"customers.table-present": ("failed", None)}
    assert {r.outcome for r in found.results} == {Outcome.FAILED, Outcome.SKIPPED}


@pytest.mark.parametrize("wrong", [{"port": 1, "host": "127.0.0.1"}, {"database": "nothing"}])
def test_a_server_that_cannot_be_reached_is_no_verdict(
    warehouse: dict[str, Any], wrong: dict[str, Any]
) -> None:
    found = checked(warehouse | wrong)
    assert {r.outcome for r in found.results} == {Outcome.ERRORED}
    assert found.results[0].reason.startswith("the postgres server s: ")


def test_what_is_missing_is_told() -> None:
    found = checked({"type": "snowflake", "account": "a", "database": "d", "schema": "s", "warehouse": "w"})
    assert {r.outcome for r in found.results} == {Outcome.ERRORED}
    assert "pip install 'datacontract-cli[snowflake]'" in found.results[0].reason


def test_without_an_engine_the_reason_is_told(warehouse: dict[str, Any]) -> None:
    found = checked(warehouse, elsewhere=None)
    assert {r.reason for r in found.results} == {"postgres servers: are not set up here"}


def test_only_whole_tables_are_checked(warehouse: dict[str, Any]) -> None:
    with pytest.raises(UserMistake, match="of a postgres server the whole table is checked"):
        checked(warehouse, partition={"day": "1"})


TASK: dict[str, Any] = {"servers": [{"server": "s", "type": "postgres"}]}


@pytest.mark.parametrize(
    ("body", "seconds", "message"),
    [
        ("import time; time.sleep(60)", 0.5, "it took longer than 0.5 s"),
        ("import os; os.kill(os.getpid(), 9)", 60, "the process was killed by signal 9"),
        ("raise SystemExit('no driver')", 60, "the process ended with 1: no driver"),
    ],
)
def test_the_child_is_bounded(tmp_path: Path, body: str, seconds: float, message: str) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{body}"\n')
    python.chmod(0o755)
    with pytest.raises(CouldNotCheck, match=message):
        DataContractCli(seconds=seconds, python=str(python)).measure(TASK, "s", "t")


def test_the_child_sees_no_secrets_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "CONTRACTS_DATABASE_URL", "DATACONTRACT_POSTGRES_PASSWORD"):
        monkeypatch.setenv(name, "secret")
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nenv | cut -d= -f1 | sort | tr '\\n' ' ' >&2\nexit 3\n")
    python.chmod(0o755)
    with pytest.raises(CouldNotCheck) as raised:
        DataContractCli(python=str(python)).measure(TASK, "s", "t")
    assert "DATACONTRACT_POSTGRES_PASSWORD" in str(raised.value)
    assert "AWS_" not in str(raised.value)
    assert "CONTRACTS_" not in str(raised.value)
