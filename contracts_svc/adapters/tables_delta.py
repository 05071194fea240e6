"""Delta tables: the files of the latest version, by its log, with the delta-rs library."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from contracts_svc.adapters.tables_failures import no_package, unreadable
from contracts_svc.errors import CouldNotCheck
from contracts_svc.files import NO_VALUE, S3_SCHEMES, DataFile, Snapshot, TableColumn
from contracts_svc.model import Json
from contracts_svc.ports import S3Access, reached

if TYPE_CHECKING:
    from deltalake import DeltaTable

MOST_DELETED = 5_000_000
"""Deleted rows that are told to the engine one by one."""
_KNOWN = frozenset(
    (
        "columnMapping",
        "deletionVectors",
        "timestampNtz",
        "typeWidening",
        "v2Checkpoint",
        "vacuumProtocolCheck",
    )
)
"""The features that a reader must know of (github.com/delta-io/delta, PROTOCOL.md) and this one does."""
_TYPES = {
    "string": "VARCHAR",
    "long": "BIGINT",
    "integer": "INTEGER",
    "short": "SMALLINT",
    "byte": "TINYINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
    "binary": "BLOB",
    "date": "DATE",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "timestamp_ntz": "TIMESTAMP",
}
_PHYSICAL = "delta.columnMapping.physicalName"


class DeltaTables:
    """Implements :class:`contracts_svc.ports.Snapshots`. ``access`` is how S3 is reached."""

    def __init__(self, access: S3Access | None = None) -> None:
        self._access = access

    def files(self, location: str) -> tuple[DataFile, ...]:
        """The files of the latest version; none where there is no table. Raises CouldNotCheck."""
        try:
            from deltalake import DeltaTable
            from deltalake.exceptions import DeltaError, TableNotFoundError
        except ImportError as error:
            raise no_package("Delta", error) from error

        root = _root(location)
        try:
            table = DeltaTable(root, storage_options=self._options(root))
            return tuple(sorted(_files(table, root), key=lambda f: f.path))
        except TableNotFoundError:
            return ()
        except (DeltaError, OSError, ValueError) as error:
            raise unreadable("Delta", location, error, self._access, retryable=True) from error

    def _options(self, location: str) -> dict[str, str] | None:
        scheme, _, rest = location.partition("://")
        if scheme not in S3_SCHEMES:
            return None
        access = reached(self._access).of(rest.partition("/")[0])
        options = {
            "aws_region": access.region,
            "aws_virtual_hosted_style_request": "false" if access.path_style else "true",
            "aws_allow_http": "true" if access.endpoint.startswith("http://") else "false",
            "timeout": "30s",
            "max_retries": "2",
        }
        if access.endpoint:
            options["aws_endpoint"] = access.endpoint
        if not access.access_key:
            return options | {"aws_skip_signature": "true"}
        options |= {"aws_access_key_id": access.access_key, "aws_secret_access_key": access.secret_key}
        return options | ({"aws_session_token": access.session_token} if access.session_token else {})


def _root(location: str) -> str:
    scheme, separator, rest = location.partition("://")
    if separator and scheme in S3_SCHEMES:
        return f"s3://{rest.rstrip('/')}"
    return os.path.abspath(unquote(rest) if separator and scheme == "file" else location)


def _files(table: DeltaTable, root: str) -> Iterator[DataFile]:
    import pyarrow as pa

    needed = set(table.protocol().reader_features or ()) - _KNOWN
    if needed:
        what = f"it needs what is not known here: {', '.join(sorted(needed))}"
        raise CouldNotCheck(root, f"the Delta table cannot be read: {what}", retryable=False)
    fields = {f["name"]: f for f in json.loads(table.schema().to_json())["fields"]}
    keys = tuple(table.metadata().partition_columns)
    columns = tuple(_column(f, root) for name, f in fields.items() if name not in keys)
    actions = pa.table(table.get_add_actions(flatten=False)).to_pylist()
    snapshot = Snapshot(version=str(table.version()), published=_published(table, actions), columns=columns)
    shape = blake2b(repr(columns).encode(), digest_size=8).hexdigest()
    deleted = _deleted(table, root)
    stored = {k: fields[k].get("metadata", {}).get(_PHYSICAL, k) for k in keys}
    for action in actions:
        path = _path(root, unquote(action["path"]))
        gone = deleted.get(path, "")
        values = action.get("partition") or {}
        yield DataFile(
            path=path,
            size=action["size_bytes"],
            version=f"{shape}-{blake2b(gone.encode(), digest_size=8).hexdigest() if gone else ''}",
            modified=datetime.fromtimestamp(action["modification_time"] / 1000, UTC),
            partition={k: _text(values[k] if k in values else values.get(stored[k])) for k in keys},
            snapshot=snapshot,
            deleted=gone,
        )


def _path(root: str, path: str) -> str:
    """The address of a file. Files that lie elsewhere (of a shallow clone) are not the table's own."""
    if "://" in path or path.startswith("/"):
        if not path.startswith(f"{root}/") or "/../" in path:
            what = f"a file of the table lies elsewhere: {path}"
            raise CouldNotCheck(root, what, "clone it deeply", retryable=False)
        return path
    if ".." in path.split("/"):
        raise CouldNotCheck(root, f"a file of the table lies elsewhere: {path}", retryable=False)
    return f"{root}/{path}"


def _published(table: DeltaTable, actions: list[dict[str, Any]]) -> datetime | None:
    newest = table.history(1)
    when = newest[0].get("timestamp") if newest else None
    when = when or max((a["modification_time"] for a in actions), default=None)
    return None if when is None else datetime.fromtimestamp(when / 1000, UTC)


def _deleted(table: DeltaTable, root: str) -> dict[str, str]:
    """Path -> positions of deleted rows."""
    found: dict[str, str] = {}
    count = 0
    if "deletionVectors" not in (table.protocol().reader_features or ()):
        return found
    import pyarrow as pa
    import pyarrow.compute as pc

    for batch in pa.RecordBatchReader.from_stream(table.deletion_vectors()):
        for path, kept in zip(batch.column("filepath"), batch.column("selection_vector"), strict=True):
            positions = pc.indices_nonzero(pc.invert(kept.values)).to_pylist()
            count += len(positions)
            if count > MOST_DELETED:
                what = f"more than {MOST_DELETED:,} of its rows are marked as deleted"
                raise CouldNotCheck(root, what, "compact the table (OPTIMIZE)", retryable=False)
            if positions:
                found[_decoded(path.as_py())] = ",".join(map(str, positions))
    return found


def _decoded(uri: str) -> str:
    return uri.removeprefix("file://")


def _column(field: Mapping[str, Json], root: str) -> TableColumn:
    mapped = str(field.get("metadata", {}).get(_PHYSICAL, field["name"]))
    return TableColumn(name=str(field["name"]), type=_type(field["type"], root), stored=mapped)


def _type(written: Json, root: str) -> str:
    if isinstance(written, str):
        if written.startswith("decimal"):
            return written.upper()
        if written not in _TYPES:
            raise CouldNotCheck(root, f"its type {written} is not read here", retryable=False)
        return _TYPES[written]
    match written["type"]:
        case "array":
            return f"{_type(written['elementType'], root)}[]"
        case "map":
            return f"MAP({_type(written['keyType'], root)}, {_type(written['valueType'], root)})"
    for field in written["fields"]:
        if field.get("metadata", {}).get(_PHYSICAL, field["name"]) != field["name"]:
            what = f"the nested column {field['name']} has another name in its files (column mapping)"
            raise CouldNotCheck(root, what, "nested columns are read by their names", retryable=False)
    inner = ", ".join(f'"{_escaped(f["name"])}" {_type(f["type"], root)}' for f in written["fields"])
    return f"STRUCT({inner})"


def _escaped(name: str) -> str:
    return name.replace('"', '""')


def _text(value: Any) -> str:
    """A partition value as folders of partitions write it."""
    match value:
        case None | "":
            return NO_VALUE
        case bool():
            return str(value).lower()
        case datetime() | date():
            return value.isoformat(sep=" ") if isinstance(value, datetime) else value.isoformat()
    return str(value)
