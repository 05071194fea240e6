"""Delta and Iceberg tables, written by their own libraries, checked where they lie."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("deltalake")
pytest.importorskip("pyiceberg")

from deltalake import DeltaTable, write_deltalake
from pyiceberg.catalog.memory import InMemoryCatalog
from pyiceberg.manifest import (
    DataFile as Entry,
)
from pyiceberg.manifest import (
    DataFileContent,
    FileFormat,
    ManifestContent,
    ManifestEntry,
    ManifestEntryStatus,
    ManifestWriterV2,
)
from pyiceberg.table import Table
from pyiceberg.table.update.snapshot import _FastAppendFiles
from pyiceberg.typedef import Record
from pyiceberg.types import LongType, StringType
from pyroaring import BitMap

from contracts_svc.adapters.engines.duckdb import DuckDBEngine
from contracts_svc.adapters.storage import ArrowStorage
from contracts_svc.adapters.tables_delta import DeltaTables
from contracts_svc.adapters.tables_iceberg import IcebergTables
from contracts_svc.demo.lake import Lake
from contracts_svc.demo.publish import make_bucket
from contracts_svc.ports import S3Access
from contracts_svc.runs import Outcome, Run
from tests.core.quality import contract, results, run
from tests.core.test_flow_states import Kept

D = date
T: dict[str, Any] = {
    "name": "t",
    "properties": [
        {"name": "id", "logicalType": "integer", "physicalType": "BIGINT", "required": True, "unique": True},
        {"name": "day", "logicalType": "date"},
        {"name": "v", "logicalType": "number", "logicalTypeOptions": {"maximum": 9}},
    ],
}


def checked(
    format_: str,
    location: str | Path,
    table: Mapping[str, Any] = T,
    access: S3Access | None = None,
    **more: Any,
) -> Run:
    storage = ArrowStorage(access)
    kind = "s3" if access else "local"
    server = {"server": "s", "type": kind, "format": format_, "location" if access else "path": str(location)}
    return run(
        contract(Path("/nowhere"), table, servers=[server]),
        storage=storage,
        engine=DuckDBEngine(access),
        snapshots={"delta": DeltaTables(access), "iceberg": IcebergTables(storage.files, access)},
        **more,
    )


def bad(found: Run) -> dict[str, int | None]:
    """What did not pass, with the failing rows."""
    assert not [r.reason for r in found.results if r.outcome is Outcome.ERRORED]
    return {r.check.id: r.failing for r in found.results if r.bad}


def rows(*found: tuple[Any, ...]) -> pa.Table:
    ids, days, values = zip(*found, strict=True)
    return pa.table(
        {
            "id": pa.array(ids, pa.int64()),
            "day": pa.array(days, pa.date32()),
            "v": pa.array(values, pa.float64()),
        }
    )


FIRST = [(1, D(2026, 1, 1), 1.0), (2, D(2026, 1, 1), 99.0), (3, D(2026, 1, 2), None), (None, None, 2.0)]


@pytest.fixture(params=["disk", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path, s3_server: Lake) -> tuple[str, S3Access | None]:
    if request.param == "disk":
        return str(tmp_path / "lake"), None
    bucket = "lake-" + tmp_path.name.replace("_", "-")[:40].lower().strip("-")
    make_bucket(s3_server.access, bucket)
    return f"s3://{bucket}", s3_server.access


def options(access: S3Access | None) -> dict[str, str] | None:
    return DeltaTables(access)._options("s3://any") if access else None


# --- Delta -------------------------------------------------------------------------------------------


def test_a_delta_table(place: tuple[str, S3Access | None]) -> None:
    root, access = place
    at, how = f"{root}/t", options(access)
    write_deltalake(at, rows(*FIRST), partition_by=["day"], storage_options=how)
    found = checked("delta", at, access=access)
    assert bad(found) == {"t.id.required": 1, "t.v.maximum": 1}
    assert (found.rows, found.files) == (4, 3)
    said = results(found)["t.v.maximum"]
    assert said.samples == ({"id": 2, "day": "2026-01-01", "v": 99.0},)
    assert [b.where for b in said.breakdown] == ["day=2026-01-01"]
    # What is deleted is no row of the table, though its file is still there.
    DeltaTable(at, storage_options=how).delete("id = 2 OR id IS NULL")
    found = checked("delta", at, access=access)
    assert (bad(found), found.rows) == ({}, 2)
    # Only what a partition holds is asked for.
    found = checked("delta", at, access=access, partition={"day": "2026-01-02"})
    assert (found.files, found.rows) == (1, 1)
    kept = DeltaTable(at, storage_options=how)
    published = datetime.fromtimestamp(kept.history(1)[0]["timestamp"] / 1000, UTC)
    assert checked("delta", at, access=access).published == published


def test_a_delta_table_whose_schema_grew(tmp_path: Path) -> None:
    at = tmp_path / "t"
    write_deltalake(at, rows(*FIRST[:2]).drop(["v"]))
    write_deltalake(at, rows((5, D(2026, 1, 5), 10.0)), mode="append", schema_mode="merge")
    found = checked("delta", at)
    assert bad(found) == {"t.v.maximum": 1}
    assert results(found)["t.v.missing-column"].outcome is Outcome.PASSED
    required = {**T, "properties": [*T["properties"][:2], {**T["properties"][2], "required": True}]}
    assert bad(checked("delta", at, required)) == {"t.v.maximum": 1, "t.v.required": 2}


def test_a_delta_table_with_odd_partition_values(tmp_path: Path) -> None:
    odd = ["a b", "x/y", "ü=1", "a%20b", "'quoted'", None]
    write_deltalake(tmp_path / "t", pa.table({"k": odd, "n": range(6)}), partition_by=["k"])
    table = {
        "name": "t",
        "properties": [
            {
                "name": "k",
                "logicalType": "string",
                "required": True,
                "logicalTypeOptions": {"pattern": "^[a-z]"},
            },
            {"name": "n", "logicalType": "integer"},
        ],
    }
    found = checked("delta", tmp_path / "t", table)
    assert bad(found) == {"t.k.required": 1, "t.k.pattern": 2}
    assert sorted(s["n"] for s in results(found)["t.k.pattern"].samples) == [2, 4]


def test_a_delta_table_is_read_once(tmp_path: Path) -> None:
    kept = Kept()
    write_deltalake(tmp_path / "t", rows(*FIRST), partition_by=["day"])
    later = {"states": kept, "samples": 0, "clock": Later()}
    assert checked("delta", tmp_path / "t", **later).files_read == 3
    assert checked("delta", tmp_path / "t", **later).files_read == 0
    write_deltalake(tmp_path / "t", rows((9, D(2026, 1, 9), 1.0)), mode="append")
    assert checked("delta", tmp_path / "t", **later).files == 4


class Later:
    """A clock by which every file has been there for a day."""

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(days=1)


def _vector(*positions: int) -> bytes:
    """Deletion vectors as PROTOCOL.md of Delta has them: magic, then a 64-bit roaring bitmap."""
    bitmap = BitMap(positions).serialize()
    return struct.pack("<IQI", 1681511377, 1, 0) + bitmap


_Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"


def _z85(content: bytes) -> str:
    out = ""
    for (number,) in struct.iter_unpack(">I", content):
        out += "".join(_Z85[number // 85**power % 85] for power in (4, 3, 2, 1, 0))
    return out


def hand_written(root: Path, *, inline: bool = True, mapped: bool = False) -> None:
    """A Delta table with a deletion vector, and with other names in its files, as Spark writes them."""
    (root / "_delta_log").mkdir(parents=True)
    names = ["col-1", "col-2", "col-3"] if mapped else ["id", "day", "v"]
    content = rows(
        (1, D(2026, 1, 1), 1.0), (2, D(2026, 1, 1), 99.0), (3, D(2026, 1, 2), 2.0), (2, None, 98.0)
    )
    pq.write_table(content.rename_columns(names), root / "a.parquet")
    vector = _vector(1, 3)
    described: dict[str, Any] = {"sizeInBytes": len(vector), "cardinality": 2}
    if inline:
        padded = vector + b"\0" * (-len(vector) % 4)
        described |= {"storageType": "i", "pathOrInlineDv": _z85(padded)}
    else:
        body = b"\1" + struct.pack(">I", len(vector)) + vector + struct.pack(">I", zlib.crc32(vector))
        (root / "vector.bin").write_bytes(body)
        described |= {"storageType": "p", "pathOrInlineDv": (root / "vector.bin").as_uri(), "offset": 1}
    fields = [
        {
            "name": n,
            "type": kind,
            "nullable": True,
            "metadata": {"delta.columnMapping.id": i, "delta.columnMapping.physicalName": p}
            if mapped
            else {},
        }
        for i, (n, p, kind) in enumerate(
            zip(["id", "day", "v"], names, ["long", "date", "double"], strict=True), 1
        )
    ]
    features = ["deletionVectors"] + (["columnMapping"] if mapped else [])
    actions = [
        {
            "protocol": {
                "minReaderVersion": 3,
                "minWriterVersion": 7,
                "readerFeatures": features,
                "writerFeatures": features,
            }
        },
        {
            "metaData": {
                "id": "0",
                "format": {"provider": "parquet", "options": {}},
                "schemaString": json.dumps({"type": "struct", "fields": fields}),
                "partitionColumns": [],
                "configuration": {"delta.enableDeletionVectors": "true"}
                | (
                    {"delta.columnMapping.mode": "name", "delta.columnMapping.maxColumnId": "3"}
                    if mapped
                    else {}
                ),
                "createdTime": 0,
            }
        },
        {
            "add": {
                "path": "a.parquet",
                "partitionValues": {},
                "size": (root / "a.parquet").stat().st_size,
                "modificationTime": 1_790_000_000_000,
                "dataChange": True,
                "stats": '{"numRecords": 4}',
                "deletionVector": described,
            }
        },
    ]
    (root / "_delta_log" / f"{0:020}.json").write_text("\n".join(map(json.dumps, actions)))


@pytest.mark.parametrize("inline", [True, False])
def test_rows_that_a_vector_deletes_are_none(tmp_path: Path, inline: bool) -> None:
    hand_written(tmp_path / "t", inline=inline)
    found = checked("delta", tmp_path / "t")
    assert (bad(found), found.rows) == ({}, 2)


def test_columns_that_have_other_names_in_their_files(tmp_path: Path) -> None:
    hand_written(tmp_path / "t", mapped=True)
    found = checked("delta", tmp_path / "t")
    assert (bad(found), found.rows) == ({}, 2)
    assert results(found)["t.v.missing-column"].outcome is Outcome.PASSED


def test_what_a_delta_table_needs_and_is_not_known(tmp_path: Path) -> None:
    hand_written(tmp_path / "t")
    log = tmp_path / "t/_delta_log" / f"{0:020}.json"
    log.write_text(
        log.read_text().replace(
            '"readerFeatures": ["deletionVectors"]', '"readerFeatures": ["deletionVectors", "newest"]'
        )
    )
    found = checked("delta", tmp_path / "t")
    assert {r.outcome for r in found.results} == {Outcome.ERRORED}
    assert "newest" in found.results[0].reason


@pytest.mark.parametrize(
    "path", ["../other.parquet", "/etc/passwd", "s3://other/x.parquet", "file:///etc/hosts"]
)
def test_a_delta_table_reads_no_files_of_others(tmp_path: Path, path: str) -> None:
    hand_written(tmp_path / "t")
    log = tmp_path / "t/_delta_log" / f"{0:020}.json"
    log.write_text(log.read_text().replace('"path": "a.parquet"', f'"path": "{path}"'))
    found = checked("delta", tmp_path / "t")
    assert {r.outcome for r in found.results} == {Outcome.ERRORED}


@pytest.mark.parametrize("format_", ["delta", "iceberg"])
def test_no_table_is_no_files(place: tuple[str, S3Access | None], format_: str) -> None:
    root, access = place
    found = checked(format_, f"{root}/t", access=access)
    assert found.results[0].outcome is Outcome.FAILED
    assert found.results[0].check.kind == "table-present"


@pytest.mark.parametrize("format_", ["delta", "iceberg"])
def test_a_damaged_log_is_no_verdict(tmp_path: Path, format_: str) -> None:
    for name in ("_delta_log/00000000000000000000.json", "metadata/v1.metadata.json"):
        (tmp_path / "t" / name).parent.mkdir(parents=True)
        (tmp_path / "t" / name).write_text('{"add": {"path": 7')
    found = checked(format_, tmp_path / "t")
    assert {r.outcome for r in found.results} == {Outcome.ERRORED}
    assert "cannot be read" in found.results[0].reason


@pytest.mark.parametrize("format_", ["delta", "iceberg"])
def test_without_a_reader_the_reason_is_told(tmp_path: Path, format_: str) -> None:
    server = {"server": "s", "type": "local", "path": str(tmp_path), "format": format_}
    found = run(contract(tmp_path, T, servers=[server]))
    assert {r.reason for r in found.results} == {
        f"tables of the format {format_}: no reader of them is set up here"
    }


# --- Iceberg -----------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _plain_uploads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The S3 server of the tests does not take uploads in chunks with a checksum at the end."""
    monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")


def catalog(root: str, access: S3Access | None) -> InMemoryCatalog:
    named = IcebergTables(lambda _: (), access)._properties(root)
    found = InMemoryCatalog("c", warehouse=root if access else f"file://{root}", **named)
    found.create_namespace("n")
    return found


def created(root: str, access: S3Access | None = None, schema: pa.Schema | None = None) -> Table:
    return catalog(root, access).create_table("n.t", schema=schema or rows(*FIRST).schema)


def test_an_iceberg_table(place: tuple[str, S3Access | None]) -> None:
    root, access = place
    table = created(root, access)
    with table.update_spec() as spec:
        spec.add_identity("day")
    table.append(rows(*FIRST))
    at = f"{root}/n/t"
    found = checked("iceberg", at, access=access)
    assert bad(found) == {"t.id.required": 1, "t.v.maximum": 1}
    assert (found.rows, found.files) == (4, 3)
    assert [b.where for b in results(found)["t.v.maximum"].breakdown] == ["day=2026-01-01"]
    table.delete("id = 2 OR id IS NULL")
    found = checked("iceberg", at, access=access)
    assert (bad(found), found.rows) == ({}, 2)
    found = checked("iceberg", at, access=access, partition={"day": "2026-01-02"})
    assert (found.files, found.rows) == (1, 1)
    snapshot = table.current_snapshot()
    assert snapshot is not None
    assert found.published is not None
    published = checked("iceberg", at, access=access).published
    assert published == datetime.fromtimestamp(snapshot.timestamp_ms / 1000, UTC)
    # A location may name the metadata itself, as a catalog does.
    assert checked("iceberg", table.metadata_location, access=access).rows == 2


def test_an_iceberg_table_whose_columns_were_renamed(tmp_path: Path) -> None:
    table = created(
        str(tmp_path),
        schema=pa.schema(
            [("id", pa.int32()), ("day", pa.date32()), ("w", pa.float32()), ("v", pa.float32())]
        ),
    )
    old = pa.table(
        {"id": [1, 2], "day": [D(2026, 1, 1)] * 2, "w": [1.0, 99.0], "v": [50.0, 50.0]},
        table.schema().as_arrow(),
    )
    table.append(old)
    with table.update_schema() as update:
        update.delete_column("v")
    with table.update_schema() as update:
        update.rename_column("w", "v")
        update.update_column("id", LongType())
    with table.update_schema() as update:
        update.add_column("w", StringType())
    new = pa.table(
        {"id": [2**40, 2**40], "day": [None, None], "v": [1.0, 2.0], "w": ["a", "b"]},
        table.schema().as_arrow(),
    )
    table.append(new)
    wanted = {**T, "properties": [*T["properties"], {"name": "w", "logicalType": "string", "required": True}]}
    found = checked("iceberg", tmp_path / "n/t", wanted)
    # The old column v is gone with its 50s; what is v now was w, and nobody wrote into today's w then.
    assert bad(found) == {"t.id.unique": 1, "t.v.maximum": 1, "t.w.required": 2}
    assert results(found)["t.id.physical-type"].outcome is Outcome.PASSED
    assert found.rows == 4


class _Deletes(ManifestWriterV2):
    def content(self) -> ManifestContent:
        return ManifestContent.DELETES


def delete_positions(
    table: Table, folder: Path, positions: Mapping[str, list[int]], content: DataFileContent
) -> None:
    """Commit a file of deletes, as engines do that merge on read."""
    file = folder / "deletes.parquet"
    pairs = [(path, at) for path, found in positions.items() for at in found]
    pq.write_table(
        pa.table({"file_path": [p for p, _ in pairs], "pos": pa.array([at for _, at in pairs], pa.int64())}),
        file,
    )
    commit_deletes(table, file, len(pairs), content, FileFormat.PARQUET)


def puffin(vectors: Mapping[str, list[int]]) -> bytes:
    """A file of deletion vectors, as the specification of Puffin has it (blobs deletion-vector-v1)."""
    content, blobs = b"PFA1", []
    for path, positions in vectors.items():
        body = b"\xd1\xd3\x39\x64" + struct.pack("<QI", 1, 0) + BitMap(positions).serialize()
        blob = struct.pack(">I", len(body)) + body + struct.pack(">I", zlib.crc32(body))
        about = {"referenced-data-file": path, "cardinality": str(len(positions))}
        blobs.append(
            {
                "type": "deletion-vector-v1",
                "fields": [2147483645],
                "snapshot-id": -1,
                "sequence-number": -1,
                "offset": len(content),
                "length": len(blob),
                "properties": about,
            }
        )
        content += blob
    footer = json.dumps({"blobs": blobs, "properties": {}}).encode()
    return content + b"PFA1" + footer + struct.pack("<I", len(footer)) + b"\0\0\0\0" + b"PFA1"


def commit_deletes(
    table: Table, file: Path, count: int, content: DataFileContent, file_format: FileFormat
) -> None:
    """Make a file of deletes part of a table."""
    folder = file.parent

    class Append(_FastAppendFiles):
        def _manifests(self) -> Any:
            entry = Entry.from_args(
                content=content,
                file_path=file.as_uri(),
                file_format=file_format,
                partition=Record(),
                record_count=count,
                file_size_in_bytes=file.stat().st_size,
                equality_ids=[1] if content is DataFileContent.EQUALITY_DELETES else None,
            )
            output = table.io.new_output((folder / "deletes-m0.avro").as_uri())
            with _Deletes(table.spec(), table.schema(), output, self.snapshot_id, "deflate") as writer:
                writer.add_entry(
                    ManifestEntry.from_args(
                        status=ManifestEntryStatus.ADDED, snapshot_id=self.snapshot_id, data_file=entry
                    )
                )
            return [*super()._manifests(), writer.to_manifest_file()]

    transaction = table.transaction()
    from pyiceberg.table.snapshots import Operation

    append = Append(operation=Operation.DELETE, transaction=transaction, io=table.io)
    append.commit()
    transaction.commit_transaction()


def test_rows_that_a_file_of_deletes_names_are_none(tmp_path: Path) -> None:
    table = created(str(tmp_path))
    table.append(rows(*FIRST))
    [task] = table.scan().plan_files()
    delete_positions(
        table, tmp_path / "n/t/data", {task.file.file_path: [1, 3]}, DataFileContent.POSITION_DELETES
    )
    found = checked("iceberg", tmp_path / "n/t")
    assert (bad(found), found.rows) == ({}, 2)


@pytest.mark.parametrize("version", ["2", "3"])
def test_rows_that_a_deletion_vector_names_are_none(tmp_path: Path, version: str) -> None:
    """A file of vectors is of several data files, each with its own."""
    table = created(str(tmp_path))
    table.append(rows(*FIRST))
    table.append(rows((7, D(2026, 1, 7), 99.0), (8, D(2026, 1, 8), 1.0), (9, D(2026, 1, 9), 98.0)))
    first, second = sorted((t.file for t in table.scan().plan_files()), key=lambda f: -f.record_count)
    file = tmp_path / "n/t/data/vectors.puffin"
    vectors = {first.file_path: [1, 3], second.file_path: [0], "file:///gone.parquet": [0, 1, 2]}
    file.write_bytes(puffin(vectors))
    commit_deletes(table, file, 3, DataFileContent.POSITION_DELETES, FileFormat.PUFFIN)
    # pyiceberg reads version 3 and does not write it.
    metadata = Path(table.metadata_location.removeprefix("file://"))
    document = json.loads(metadata.read_text()) | {"format-version": int(version), "next-row-id": 7}
    metadata.write_text(json.dumps(document))
    found = checked("iceberg", tmp_path / "n/t")
    assert (bad(found), found.rows) == ({"t.v.maximum": 1}, 4)
    assert results(found)["t.v.maximum"].samples == ({"id": 9, "day": "2026-01-09", "v": 98.0},)
    file.write_bytes(file.read_bytes()[:-9])
    found = checked("iceberg", tmp_path / "n/t")
    assert {r.outcome for r in found.results} == {Outcome.ERRORED}


def test_rows_that_are_deleted_by_their_values_are_told(tmp_path: Path) -> None:
    table = created(str(tmp_path))
    table.append(rows(*FIRST))
    delete_positions(table, tmp_path / "n/t/data", {"x": [1]}, DataFileContent.EQUALITY_DELETES)
    found = checked("iceberg", tmp_path / "n/t")
    assert {r.outcome for r in found.results} == {Outcome.ERRORED}
    assert "equality delet" in found.results[0].reason.lower()


TYPES = pa.schema(
    [
        ("a", pa.int32()), ("b", pa.int64()), ("c", pa.float32()), ("d", pa.float64()), ("e", pa.bool_()),
        ("f", pa.date32()), ("g", pa.time64("us")), ("h", pa.timestamp("us")), ("i", pa.timestamp("us", "UTC")),
        ("j", pa.string()), ("k", pa.binary()), ("l", pa.decimal128(38, 10)), ("m", pa.list_(pa.int32())),
        ("n", pa.map_(pa.string(), pa.int64())), ("o", pa.struct([("p", pa.int32())])),
    ]
)  # fmt: skip


@pytest.mark.parametrize("format_", ["delta", "iceberg"])
def test_values_of_every_type(tmp_path: Path, format_: str) -> None:
    moment = datetime(2026, 1, 1, 12)
    row = [
        1,
        2**40,
        0.5,
        0.25,
        True,
        D(2026, 1, 1),
        moment.time(),
        moment,
        moment.replace(tzinfo=UTC),
        "ä",
        b"\0",
        Decimal("1.5"),
        [1],
        [("k", 1)],
        {"p": 3},
    ]
    schema = TYPES if format_ == "iceberg" else TYPES.remove(TYPES.get_field_index("g"))
    kept = [v for f, v in zip(TYPES, row, strict=True) if f.name in schema.names]
    content = pa.table([pa.array([v, None], f.type) for f, v in zip(schema, kept, strict=True)], schema)
    if format_ == "delta":
        write_deltalake(tmp_path / "n/t", content)
    else:
        created(str(tmp_path), schema=schema).append(content)
    table = {"name": "t", "properties": [{"name": n, "required": True} for n in schema.names]}
    found = checked(format_, tmp_path / "n/t", table, footers=False)
    assert bad(found) == {f"t.{n}.required": 1 for n in schema.names}


@pytest.mark.parametrize("name", ["manifest", "data"])
def test_an_iceberg_table_reads_no_files_of_others(tmp_path: Path, name: str) -> None:
    table = created(str(tmp_path))
    table.append(rows(*FIRST))
    (tmp_path / "elsewhere").mkdir()
    metadata = Path(table.metadata_location.removeprefix("file://"))
    if name == "manifest":
        metadata.write_text(
            metadata.read_text().replace(f"{tmp_path}/n/t/metadata/snap", f"{tmp_path}/elsewhere/snap")
        )
        found = checked("iceberg", metadata)
    else:
        moved = tmp_path / "elsewhere/metadata" / metadata.name
        moved.parent.mkdir()
        moved.write_bytes(metadata.read_bytes())
        found = checked("iceberg", moved)
    assert {r.outcome for r in found.results} == {Outcome.ERRORED}
    assert "lies elsewhere" in found.results[0].reason


def test_names_that_iceberg_writes_otherwise(tmp_path: Path) -> None:
    """Of the column ``p q``, a file has ``p_x20q``: its name proves nothing, its id does."""
    created(str(tmp_path), schema=pa.schema([("p q", pa.int64())])).append(pa.table({"p q": [1, None, 3]}))
    table = {"name": "t", "properties": [{"name": "p q", "logicalType": "integer", "required": True}]}
    assert bad(checked("iceberg", tmp_path / "n/t", table)) == {"t.p q.required": 1}


def test_files_without_ids_are_not_taken_for_empty_columns(tmp_path: Path) -> None:
    table = created(str(tmp_path))
    table.append(rows(*FIRST))
    [task] = table.scan().plan_files()
    pq.write_table(rows(*FIRST), task.file.file_path.removeprefix("file://"))
    found = checked("iceberg", tmp_path / "n/t")
    assert {r.outcome for r in found.results} == {Outcome.ERRORED}
    assert "its columns have no ids" in found.results[0].reason
