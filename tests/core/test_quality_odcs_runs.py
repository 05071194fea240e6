"""Runs of datacontract-cli's own tests over Parquet, CSV and JSON files have the same outcome here.

Rows with options of that program (filters, metadata only) are not ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import yaml

from contracts_svc.errors import ExitCode
from contracts_svc.model import Contract, Server
from contracts_svc.odcs.read import read
from contracts_svc.runs import Run
from tests.core.quality import SCHEMAS, run
from tests.support import case_rows, shared

OUTCOMES = {"passed": ExitCode.OK, "failed": ExitCode.BROKEN, "error": ExitCode.COULD_NOT_CHECK}
OPTIONS = {"data_contract_file", "server"}


def rows() -> Iterator[tuple[dict[str, Any], Contract, Server]]:
    """The rows that can be run here, each with the one server that it is about."""
    for row in case_rows("odcs_runs"):
        document = yaml.safe_load(row["contract"])
        wanted = row["options"].get("server")
        server = next(s for s in document["servers"] if wanted in (None, s["server"]))
        if row["options"].keys() <= OPTIONS:
            # A key of S3 servers, here on a local one.
            server.pop("delimiter", None)
            if any("metric" in rule for table in document["schema"] for rule in table.get("quality", ())):
                # ODCS 3.0 calls it ``rule``; the message of the error names the version that fits.
                document["apiVersion"] = "v3.1.0"
            text = yaml.safe_dump({**document, "servers": [server]}).encode()
            found = read(text, "case.yaml", SCHEMAS.schema)
            yield row, found, found.servers[0]


def checked(found: Contract, server: Server) -> list[Run]:
    base = shared("cases/odcs_runs_fixtures")
    here = replace(server, fields={**server.fields, "path": str(base / str(server.fields["path"]))})
    only = replace(found, servers=(here,))
    return [run(only, table.name) for table in only.tables]


def test_the_same_outcome() -> None:
    differ = []
    count = 0
    for row, found, server in rows():
        count += 1
        runs = checked(found, server)
        if {r.exit_code for r in runs} != {OUTCOMES[row["expected"]["outcome"]]}:
            bad = [
                (x.check.id, x.outcome.value, x.found, x.reason)
                for r in runs
                for x in r.results
                if x.bad or x.reason
            ]
            differ.append((row["id"], row["source"]["test"], row["expected"], bad))
    assert differ == []
    others = sum(not r["options"].keys() <= OPTIONS for r in case_rows("odcs_runs"))
    assert count + others == len(list(case_rows("odcs_runs")))
    assert count >= 12


@pytest.mark.parametrize("name", ["test_nested_type_error_detail_message"])
def test_nested_types_are_named_where_they_differ(name: str) -> None:
    _, found, server = next(r for r in rows() if r[0]["source"]["test"] == name)
    (done,) = checked(found, server)
    assert any("." in r.check.columns[0] for r in done.results if r.bad and r.check.kind == "logical-type")
