"""Changed jobs: what the changed SQL files of a pull request do to the datasets they make."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from contracts_svc.findings import Finding, ordered
from contracts_svc.lineage.graph import DatasetId
from contracts_svc.lineage.identity import Identities
from contracts_svc.lineage.sql_change import changes_of
from contracts_svc.lineage.sql_findings import sql_findings
from contracts_svc.model import Contract


def job_findings(
    base: Mapping[str, bytes],
    head: Mapping[str, bytes],
    contracts: Iterable[Contract],
    *,
    dialect: str = "duckdb",
) -> tuple[Finding, ...]:
    """What becomes of the columns and rows that the SQL files (path -> text) make.

    ``contracts`` are those of the base, by which today's readers find the data. A file that is the
    same on both sides, or only on the head, takes nothing from anybody; one that went to another folder
    under its name is the same file. A SELECT without a target
    makes the table that its file is named after.
    """
    identities = Identities.of(contracts)
    # A logical type alone does not say how values are stored, so nothing is worked out from it.
    schemas = {
        str(dataset): {c.stored_name: c.physical_type or "" for c in table.columns}
        for dataset, (_, table) in identities.known.items()
    }
    found: list[Finding] = []
    for path, old in sorted(base.items()):
        new = head[path] if path in head else _moved(path, base, head)
        if new == old:
            continue
        changes = changes_of(
            old.decode("utf-8", errors="replace"),
            new.decode("utf-8", errors="replace"),
            dialect=dialect,
            schemas=schemas,
            name_of=lambda table: identities.find(table) or DatasetId("", table),
            origin=f"sql:{path}",
            target=PurePosixPath(path).stem,
        )
        found += sql_findings(changes, identities.known.get)
    return ordered(found)


def _moved(path: str, base: Mapping[str, bytes], head: Mapping[str, bytes]) -> bytes:
    """The text of a file that went to another folder under the same name; empty where it is gone."""
    name = PurePosixPath(path).name
    found = [p for p in head if p not in base and PurePosixPath(p).name == name]
    return head[found[0]] if len(found) == 1 else b""
