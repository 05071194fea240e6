"""Which tables the queries of a check read, and from which files."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from contracts_svc.errors import CouldNotCheck, UserMistake
from contracts_svc.files import ALL, DataFile, Footer, Partitions
from contracts_svc.flows.check_places import LocationOf
from contracts_svc.flows.check_tables import storage_of
from contracts_svc.model import Contract, Server, Table
from contracts_svc.ports import Snapshots, Source, Storage
from contracts_svc.quality import fuse, split, text_sources
from contracts_svc.quality.kind import TargetOf
from contracts_svc.quality.layout import Layout, layout
from contracts_svc.quality.reading import reading_of
from contracts_svc.runs import Check, Plan

MANY_FILES = 500
"""Of more files an engine should not open all at first. Of fewer it had better: a scan of many figures takes
DuckDB a third longer when it finds out about each file on its way."""


@dataclass(frozen=True, slots=True)
class Within:
    """What a check is about, and how to find the files of other tables."""

    contract: Contract
    table: Table
    server: Server
    storage: Storage
    target_of: TargetOf
    location_of: LocationOf
    snapshots: Mapping[str, Snapshots]


@dataclass(slots=True)
class Sources:
    """The tables that the queries of a check read."""

    whole: Source
    """The one that is checked."""
    others: dict[str, Source] = field(default_factory=dict)
    """By name."""
    places: dict[str, tuple[Storage, str]] = field(default_factory=dict)
    """Name of another table -> where it is found, and its location there."""
    unreachable: dict[str, CouldNotCheck] = field(default_factory=dict)
    """Name of another table that cannot be listed -> why not."""

    def all(self) -> tuple[Source, ...]:
        """Every table that can be read, the one that is checked first."""
        return self.whole, *self.others.values()


def sources_of(scans: Sequence[fuse.Scan], planned: Plan, found: Layout, within: Within) -> Sources:
    """The tables that these scans read, and those that cannot be listed, each with the cause."""
    sources = Sources(_source(found, found.table.name))
    for scan in scans:
        asking = next(c for c in planned.checks if c.id in scan.checks)
        for name in scan.sources:
            if name in sources.unreachable or any(s.name == name for s in sources.all()):
                continue
            try:
                sources.others[name], sources.places[name] = _other_source(name, asking, within)
            except CouldNotCheck as error:
                sources.unreachable[name] = error
            except UserMistake as error:
                sources.unreachable[name] = CouldNotCheck(name, str(error), retryable=False)
    return sources


def changed(
    storage: Storage, place: str, files: Sequence[DataFile], partitions: Partitions = ALL
) -> frozenset[str]:
    """The paths of the files, of these partitions, that are gone or other ones now; new ones do not matter.

    Raises CouldNotCheck.
    """
    now = {f.path: (f.size, f.version) for f in storage.files(place, partitions)}
    return frozenset(f.path for f in files if now.get(f.path) != (f.size, f.version))


def changed_others(sources: Sources, read: Collection[str]) -> frozenset[str]:
    """The same of the other tables among those that were ``read``; of one that cannot be listed any more,
    every file."""
    paths: set[str] = set()
    for name, source in sources.others.items():
        if name not in read:
            continue
        try:
            paths |= changed(*sources.places[name], source.files)
        except CouldNotCheck:
            paths |= {f.path for f in source.files}
    return frozenset(paths)


def _other_source(name: str, asking: Check, within: Within) -> tuple[Source, tuple[Storage, str]]:
    references = asking.arguments.get("references")
    target = within.target_of(str(references[0])) if references else None
    contract, table = (target[0], target[1]) if target else (within.contract, within.contract.table(name))
    assert table is not None, "the plan named a table that its contract does not have"
    server = within.server if contract.id == within.contract.id else _server_like(contract, within.server)
    reading = reading_of(server, table)
    place = within.location_of(contract, table, server)
    storage = storage_of(reading, within.storage, within.snapshots)
    files = storage.files(place)
    # Parquet files are read as they are; of text files, the columns have to be known.
    footers = storage.footers(files, reading) if reading.text else _no_columns(files)
    known = reading.text or len(files) == 1
    return replace(_source(layout(table, footers, reading), name), alike=known), (storage, place)


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
        alike=found.alike and len(found.files) > MANY_FILES,
    )
