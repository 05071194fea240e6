"""Delta and Iceberg tables where files are expected: one snapshot, and what its log says of its files."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from contracts_svc.errors import CouldNotCheck
from contracts_svc.files import (
    ALL,
    PARQUET,
    Bounds,
    DataFile,
    Footer,
    Partitions,
    Reading,
    Snapshot,
    StoredColumn,
)
from contracts_svc.ports import Snapshots, Storage

NONE: Mapping[str, Snapshots] = {}


def storage_of(reading: Reading, storage: Storage, snapshots: Mapping[str, Snapshots]) -> Storage:
    """Where the files of a table that is read in this way are found. Raises CouldNotCheck."""
    if not reading.table:
        return storage
    found = snapshots.get(reading.format)
    if found is None:
        what = f"tables of the format {reading.format}"
        raise CouldNotCheck(what, "no reader of them is set up here", retryable=False)
    return TableStorage(storage, found)


class TableStorage:
    """Implements :class:`contracts_svc.ports.Storage` for tables whose log says which files there are.

    A table is read in the snapshot in which it is first asked for: what is committed meanwhile is of no
    concern to who reads it, and no file of it changes.
    """

    def __init__(self, storage: Storage, snapshots: Snapshots) -> None:
        self._storage = storage
        self._snapshots = snapshots
        self._found: dict[str, tuple[DataFile, ...]] = {}

    def files(self, location: str, partitions: Partitions = ALL) -> tuple[DataFile, ...]:
        """The files of the snapshot, all of them. Raises CouldNotCheck."""
        if location not in self._found:
            self._found[location] = self._snapshots.files(location)
        return self._found[location]

    def footers(
        self, files: Sequence[DataFile], reading: Reading = PARQUET, columns: Collection[str] = ()
    ) -> tuple[Footer, ...]:
        """What these files say, in the words of the table. Raises CouldNotCheck."""
        if not files:
            return ()
        snapshot = files[0].snapshot
        assert snapshot is not None, "the files are of a snapshot"
        wanted = {c.casefold() for c in columns}
        stored = [c.stored for c in snapshot.columns if c.name.casefold() in wanted]
        read = self._storage.footers(files, PARQUET, stored)
        return tuple(_footer(f, snapshot) for f in read)


def _footer(read: Footer, snapshot: Snapshot) -> Footer:
    deleted = read.file.deleted.count(",") + 1 if read.file.deleted else 0
    if snapshot.by_id and any(c.id is None for c in read.columns):
        # Read by their ids, they would be nothing but NULL.
        raise CouldNotCheck(
            read.file.path,
            "its columns have no ids, as those of files that were imported into an Iceberg table",
            "rewrite the files (rewrite_data_files)",
            retryable=False,
        )
    return Footer(
        file=read.file,
        rows=None if read.rows is None else read.rows - deleted,
        columns=tuple(StoredColumn(name=c.name, type=c.type) for c in snapshot.columns),
        bounds={} if deleted else _bounds(read, snapshot),
    )


def _bounds(read: Footer, snapshot: Snapshot) -> dict[str, Bounds]:
    """What the footer proves, of the columns that the file has as the table does, or has not at all."""
    there = {c.id if snapshot.by_id else c.name: c for c in read.columns}
    found: dict[str, Bounds] = {}
    for column in snapshot.columns:
        stored = there.get(column.id if snapshot.by_id else column.stored)
        if stored is None:
            found[column.name] = Bounds(nulls=read.rows)
        elif stored.type == column.type and stored.name in read.bounds:
            found[column.name] = read.bounds[stored.name]
    return found
