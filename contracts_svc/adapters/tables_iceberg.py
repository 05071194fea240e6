"""Iceberg tables: the files of the current snapshot, by its manifests, with the pyiceberg library.

There is no catalog to ask: the newest metadata file of the table's folder is the table, or the one that
the location names.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from contracts_svc.adapters.tables_failures import no_package, unreadable
from contracts_svc.errors import CouldNotCheck
from contracts_svc.files import NO_VALUE, S3_SCHEMES, DataFile, Snapshot, TableColumn
from contracts_svc.ports import S3Access, reached

if TYPE_CHECKING:
    from pyiceberg.manifest import DataFile as Entry
    from pyiceberg.schema import Schema
    from pyiceberg.table import FileScanTask, StaticTable
    from pyiceberg.types import IcebergType

MOST_DELETED = 5_000_000
"""Deleted rows that are told to the engine one by one."""
METADATA = ".metadata.json"
_VERSION = re.compile(r"v?([0-9]+)")


class IcebergTables:
    """Implements :class:`contracts_svc.ports.Snapshots`.

    ``listed`` lists files (see ``Storage.files``), ``access`` is how S3 is reached.
    """

    def __init__(self, listed: Callable[[str], tuple[DataFile, ...]], access: S3Access | None = None) -> None:
        self._listed = listed
        self._access = access

    def files(self, location: str) -> tuple[DataFile, ...]:
        """The files of the current snapshot; none where there is no table. Raises CouldNotCheck."""
        try:
            from pyiceberg.exceptions import NotInstalledError, ValidationError
            from pyiceberg.table import StaticTable
        except ImportError as error:
            raise no_package("Iceberg", error) from error

        metadata = location if location.endswith(METADATA) else self._newest(location)
        if metadata is None:
            return ()
        try:
            table = StaticTable.from_metadata(metadata, self._properties(metadata))
            return tuple(sorted(_files(table, metadata), key=lambda f: f.path))
        # What it raises for a damaged file is of many kinds: pydantic's, Avro's, Arrow's, its own.
        except (OSError, ValueError, TypeError, KeyError, IndexError, EOFError, NotImplementedError,
                AttributeError, AssertionError, ValidationError, NotInstalledError) as error:  # fmt: skip
            lasts = not isinstance(error, OSError)
            raise unreadable("Iceberg", location, error, self._access, retryable=not lasts) from error

    def _newest(self, location: str) -> str | None:
        """The metadata file of the highest version; of several, the one that was written last."""
        found = [
            (int(version[1]), f.modified, f.path)
            for f in self._listed(f"{location.rstrip('/')}/metadata/*{METADATA}")
            if (version := _VERSION.match(f.path.rpartition("/")[2]))
        ]
        return max(
            found, default=(0, None, None), key=lambda v: (v[0], v[1] or datetime.min.replace(tzinfo=UTC))
        )[2]

    def _properties(self, location: str) -> dict[str, str]:
        properties = {"py-io-impl": "pyiceberg.io.pyarrow.PyArrowFileIO"}
        scheme, _, rest = location.partition("://")
        if scheme not in S3_SCHEMES:
            return properties
        access = reached(self._access).of(rest.partition("/")[0])
        named = {
            "s3.endpoint": access.endpoint,
            "s3.region": access.region,
            "s3.access-key-id": access.access_key,
            "s3.secret-access-key": access.secret_key,
            "s3.session-token": access.session_token,
            "s3.anonymous": "" if access.access_key else "true",
            "s3.connect-timeout": "3",
            "s3.request-timeout": "10",
            "s3.force-virtual-addressing": "" if access.path_style or not access.endpoint else "true",
        }
        return properties | {k: v for k, v in named.items() if v}


def _files(table: StaticTable, metadata: str) -> Iterator[DataFile]:
    current = table.metadata.current_snapshot()
    if current is None:
        return
    root = _root(metadata)
    _within(current.manifest_list, root)
    for manifest in current.manifests(table.io):
        _within(manifest.manifest_path, root)
    _refuse_renamed_nested(table.metadata.schemas, root)
    for field in table.schema().fields:
        if getattr(field, "initial_default", None) is not None:
            what = f"its column {field.name} has a value for rows from before it was added"
            raise CouldNotCheck(root, what, "rewrite the files from before", retryable=False)
    columns = tuple(
        TableColumn(name=f.name, type=_type(f.field_type, root), stored=f.name, id=f.field_id)
        for f in table.schema().fields
    )
    snapshot = Snapshot(
        version=str(current.snapshot_id),
        published=datetime.fromtimestamp(current.timestamp_ms / 1000, UTC),
        columns=columns,
        by_id=True,
    )
    shape = blake2b(repr(columns).encode(), digest_size=8).hexdigest()
    tasks = list(table.scan().plan_files())
    deleted = _Deleted(table, root)
    for task in tasks:
        path = _within(task.file.file_path, root)
        if task.file.file_format != "PARQUET":
            what = f"its file {path} is {task.file.file_format}"
            raise CouldNotCheck(root, what, "Parquet files are read", retryable=False)
        gone = deleted.of(task)
        yield DataFile(
            path=path,
            size=task.file.file_size_in_bytes,
            version=f"{shape}-{blake2b(gone.encode(), digest_size=8).hexdigest() if gone else ''}",
            modified=snapshot.published,
            partition=_partition(task.file, table),
            snapshot=snapshot,
            deleted=gone,
        )


def _root(metadata: str) -> str:
    """The folder of the table, or its bucket: where its files may lie."""
    path = _plain(metadata)
    if path.startswith("s3://"):
        return "/".join(path.split("/")[:3])
    return path.rpartition("/metadata/")[0] or os.path.dirname(path)


def _plain(address: str) -> str:
    scheme, separator, rest = address.partition("://")
    if separator and scheme in S3_SCHEMES:
        return f"s3://{rest}"
    if address.startswith("file:"):
        return os.path.abspath("/" + address.removeprefix("file:").lstrip("/"))
    return address if separator else os.path.abspath(address)


def _within(address: str, root: str) -> str:
    """The address, if it is one of the table's own files. Anybody may write a manifest that names others."""
    path = _plain(address)
    if not path.startswith(f"{root}/") or "/../" in path:
        what = f"a file of the table lies elsewhere: {address}"
        raise CouldNotCheck(
            root, what, "its files must lie under its folder or in its bucket", retryable=False
        )
    return path


class _Deleted:
    """The positions of deleted rows."""

    def __init__(self, table: StaticTable, root: str) -> None:
        self._table = table
        self._root = root
        self._read: dict[str, dict[str, list[int]]] = {}
        self._count = 0

    def of(self, task: FileScanTask) -> str:
        """Of the file of a task, in order, as a text."""
        positions: set[int] = set()
        for each in task.delete_files:
            if each.content.name == "EQUALITY_DELETES":
                what = "rows of it are deleted by their values (equality deletes)"
                hint = "compact the table (rewrite_data_files)"
                raise CouldNotCheck(self._root, what, hint, retryable=False)
            positions.update(self._positions(each).get(task.file.file_path, ()))
        return ",".join(map(str, sorted(positions)))

    def _positions(self, entry: Entry) -> dict[str, list[int]]:
        path = _within(entry.file_path, self._root)
        if path not in self._read:
            self._read[path] = self._load(entry)
            self._count += sum(map(len, self._read[path].values()))
            if self._count > MOST_DELETED:
                what = f"more than {MOST_DELETED:,} of its rows are marked as deleted"
                hint = "compact the table (rewrite_data_files)"
                raise CouldNotCheck(self._root, what, hint, retryable=False)
        return self._read[path]

    def _load(self, entry: Entry) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        with self._table.io.new_input(entry.file_path).open() as stream:
            if entry.file_format == "PUFFIN":
                from pyiceberg.table.deletion_vector import deletion_vectors_from_puffin_file
                from pyiceberg.table.puffin import PuffinFile

                vectors = deletion_vectors_from_puffin_file(PuffinFile(stream.read()))
                return {v.referenced_data_file: v.to_vector().to_pylist() for v in vectors}
            if entry.file_format != "PARQUET":
                what = f"its deletes are {entry.file_format} files"
                raise CouldNotCheck(self._root, what, "compact the table", retryable=False)
            import pyarrow.parquet as pq

            rows = pq.read_table(stream, columns=["file_path", "pos"])
        for path, position in zip(rows["file_path"].to_pylist(), rows["pos"].to_pylist(), strict=True):
            found.setdefault(path, []).append(position)
        return found


def _partition(file: Entry, table: StaticTable) -> dict[str, str]:
    """The values of the columns that the table is partitioned by as they are."""
    from pyiceberg.transforms import IdentityTransform

    spec, schema = table.specs()[file.spec_id], table.schema()
    found: dict[str, str] = {}
    for number, field in enumerate(spec.fields):
        name = schema.find_column_name(field.source_id)
        if not isinstance(field.transform, IdentityTransform) or name is None:
            continue
        value: Any = file.partition[number]
        kind = schema.find_type(field.source_id)
        found[name] = NO_VALUE if value is None else field.transform.to_human_string(kind, value)
    return found


def _refuse_renamed_nested(schemas: list[Schema], root: str) -> None:
    """Columns are found by their ids; those inside of others by their names, which must be the same ever."""
    names: dict[int, str] = {}
    for schema in schemas:
        top = {f.field_id for f in schema.fields}
        for number, field in schema._lazy_id_to_field.items():
            if number not in top and names.setdefault(number, field.name) != field.name:
                what = f"the nested column {names[number]} was renamed to {field.name}"
                raise CouldNotCheck(root, what, "nested columns are read by their names", retryable=False)


_NAMED = {
    "boolean": "BOOLEAN",
    "int": "INTEGER",
    "long": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "date": "DATE",
    "time": "TIME",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMP WITH TIME ZONE",
    "timestamp_ns": "TIMESTAMP_NS",
    "string": "VARCHAR",
    "uuid": "UUID",
    "binary": "BLOB",
}


def _type(kind: IcebergType, root: str) -> str:
    from pyiceberg.types import DecimalType, FixedType, ListType, MapType, StructType

    match kind:
        case DecimalType():
            return f"DECIMAL({kind.precision},{kind.scale})"
        case FixedType():
            return "BLOB"
        case ListType():
            return f"{_type(kind.element_type, root)}[]"
        case MapType():
            return f"MAP({_type(kind.key_type, root)}, {_type(kind.value_type, root)})"
        case StructType():
            quoted = ((f.name.replace('"', '""'), _type(f.field_type, root)) for f in kind.fields)
            inner = ", ".join(f'"{name}" {part}' for name, part in quoted)
            return f"STRUCT({inner})"
    found = _NAMED.get(str(kind))
    if found is None:
        raise CouldNotCheck(root, f"its type {kind} is not read here", retryable=False)
    return found
