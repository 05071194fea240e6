"""Which tables the queries of a check read, and from which files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from contracts_svc.errors import CouldNotCheck, UserMistake
from contracts_svc.files import DataFile, Footer
from contracts_svc.model import Contract, Server, Table
from contracts_svc.ports import Source, Storage
from contracts_svc.quality import fuse, split, text_sources
from contracts_svc.quality.kind import TargetOf
from contracts_svc.quality.layout import Layout, layout
from contracts_svc.quality.reading import reading_of
from contracts_svc.runs import Check, Plan

LocationOf = Callable[[Contract, Table, Server], str]
"""Where a server keeps a table."""


@dataclass(frozen=True, slots=True)
class Within:
    """What a check is about, and how to find the files of other tables."""

    contract: Contract
    table: Table
    server: Server
    storage: Storage
    target_of: TargetOf
    location_of: LocationOf


def sources_of(
    scans: Sequence[fuse.Scan], planned: Plan, found: Layout, within: Within
) -> tuple[list[Source], dict[str, CouldNotCheck]]:
    """The tables that these scans read, and those that cannot be listed, each with the cause."""
    sources = [_source(found, found.table.name)]
    unreachable: dict[str, CouldNotCheck] = {}
    for scan in scans:
        asking = next(c for c in planned.checks if c.id in scan.checks)
        for name in scan.sources:
            if name in unreachable or any(s.name == name for s in sources):
                continue
            try:
                sources.append(_other_source(name, asking, within))
            except CouldNotCheck as error:
                unreachable[name] = error
            except UserMistake as error:
                unreachable[name] = CouldNotCheck(name, str(error), retryable=False)
    return sources, unreachable


def _other_source(name: str, asking: Check, within: Within) -> Source:
    references = asking.arguments.get("references")
    target = within.target_of(str(references[0])) if references else None
    contract, table = (target[0], target[1]) if target else (within.contract, within.contract.table(name))
    assert table is not None, "the plan named a table that its contract does not have"
    server = within.server if contract.id == within.contract.id else _server_like(contract, within.server)
    reading = reading_of(server, table)
    files = within.storage.files(within.location_of(contract, table, server))
    # Parquet files are read as they are; of text files, the columns have to be known.
    footers = within.storage.footers(files, reading) if reading.text else _no_columns(files)
    return _source(layout(table, footers, reading), name)


def _no_columns(files: Sequence[DataFile]) -> tuple[Footer, ...]:
    return tuple(Footer(file=f, rows=None, columns=()) for f in files)


def _server_like(contract: Contract, server: Server) -> Server:
    """The server of another contract that stands beside this one: same name, else same type."""
    named = (s for s in contract.servers if s.server == server.server)
    alike = (s for s in contract.servers if s.type == server.type)
    for found in (*named, *alike):
        return found
    raise CouldNotCheck(
        contract.title, f"it has no server {server.server} and none of type {server.type}", retryable=False
    )


def _source(found: Layout, name: str) -> Source:
    return Source(
        name=name,
        files=found.files,
        reading=found.reading,
        partition_types=split.partition_types(found),
        names=found.names,
        columns=text_sources.columns_of(found) if found.reading.text else {},
    )
