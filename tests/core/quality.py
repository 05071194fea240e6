"""What the tests of checks share: small real Parquet files, and contracts written as YAML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import yaml

from contracts_svc.adapters.engines.duckdb import DuckDBEngine
from contracts_svc.adapters.odcs_schemas import PackagedSchemas
from contracts_svc.adapters.storage import ArrowStorage
from contracts_svc.flows.check import check
from contracts_svc.model import Contract
from contracts_svc.odcs.read import read
from contracts_svc.ports import Engine, Storage
from contracts_svc.quality.references import resolver
from contracts_svc.runs import Result, Run

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SCHEMAS = PackagedSchemas()

Columns = Mapping[str, Sequence[Any]]
"""Column -> its DuckDB type, then its values as text (None is NULL)."""


@dataclass(frozen=True)
class FixedClock:
    """Always says the same time."""

    time: datetime = NOW

    def now(self) -> datetime:
        return self.time


def contract(folder: Path, *tables: Mapping[str, Any], version: str = "v3.1.0", **more: Any) -> Contract:
    """A contract of these ``schema`` objects whose data is under the folder."""
    document = {
        "apiVersion": version,
        "kind": "DataContract",
        "id": "c",
        "version": "1.0.0",
        "status": "active",
        "servers": [
            {
                "server": "local",
                "type": "local",
                "path": f"{folder}/{{table}}/**/*.parquet",
                "format": "parquet",
            }
        ],
        "schema": list(tables),
        **more,
    }
    return read(yaml.safe_dump(document, sort_keys=False).encode(), "c.odcs.yaml", SCHEMAS.schema)


def write(path: Path, columns: Columns) -> Path:
    """One Parquet file with these columns, written by DuckDB."""
    path.parent.mkdir(parents=True, exist_ok=True)
    names = ", ".join(f'"{n}" {kind}' for n, (kind, *_) in columns.items())
    marks = ", ".join(f"CAST(? AS {kind})" for kind, *_ in columns.values())
    rows = list(zip(*(values for _, *values in columns.values()), strict=True))
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"CREATE TABLE t ({names})")
        if rows:
            connection.executemany(f"INSERT INTO t VALUES ({marks})", rows)
        connection.execute(f"COPY t TO '{path}' (FORMAT parquet)")
    return path


def run(
    given: Contract,
    table: str = "t",
    *,
    others: Mapping[str, Contract] | None = None,
    engine: Engine | None = None,
    storage: Storage | None = None,
    **more: Any,
) -> Run:
    """Check one table with the real adapters."""
    found = given.table(table)
    assert found is not None
    return check(
        given,
        found,
        given.servers[0],
        storage=storage or ArrowStorage(),
        engine=engine or DuckDBEngine(),
        clock=more.pop("clock", FixedClock()),
        target_of=resolver(given, others or {}),
        **more,
    )


def results(found: Run) -> dict[str, Result]:
    """The results by the id of their check."""
    return {r.check.id: r for r in found.results}
