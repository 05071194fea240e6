"""Listing and footers, on a real S3 server and on disk."""

from __future__ import annotations

import os
import re
import socket
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlglot import exp

from contracts_svc.adapters.engines.duckdb import DuckDBEngine
from contracts_svc.adapters.storage import ArrowStorage, glob_pattern
from contracts_svc.adapters.storage.arrow import s3_system
from contracts_svc.demo.lake import Lake
from contracts_svc.demo.publish import make_bucket
from contracts_svc.errors import CouldNotCheck, UserMistake
from contracts_svc.files import Reading, hive_partition
from contracts_svc.ports import DataFile, S3Access, Source
from tests.fixtures_s3 import put
from tests.support import case_rows, shared

TREE = (
    "t/_SUCCESS",
    "t/.hidden.parquet",
    "t/_temporary/0/a.parquet",
    "t/a.parquet",
    "t/day=1/part=a%2Fb/b.parquet",
    "t/day=10/_part=x/c.parquet",
    "t/notes.txt",
    "tt/d.parquet",
)
LISTED = [
    ("t", ["t/a.parquet", "t/day=1/part=a%2Fb/b.parquet", "t/day=10/_part=x/c.parquet", "t/notes.txt"]),
    ("t/", ["t/a.parquet", "t/day=1/part=a%2Fb/b.parquet", "t/day=10/_part=x/c.parquet", "t/notes.txt"]),
    ("t/a.parquet", ["t/a.parquet"]),
    ("t/_SUCCESS", ["t/_SUCCESS"]),
    ("t/*.parquet", ["t/a.parquet"]),
    ("t/?.parquet", ["t/a.parquet"]),
    ("t/[ab].parquet", ["t/a.parquet"]),
    ("t/[!a].parquet", []),
    ("t/**/*.parquet", ["t/a.parquet", "t/day=1/part=a%2Fb/b.parquet", "t/day=10/_part=x/c.parquet"]),
    ("t/day=*/*/*.parquet", ["t/day=1/part=a%2Fb/b.parquet", "t/day=10/_part=x/c.parquet"]),
    ("t/day=1*/**", ["t/day=1/part=a%2Fb/b.parquet", "t/day=10/_part=x/c.parquet"]),
    ("t/day=1/**/*.parquet", ["t/day=1/part=a%2Fb/b.parquet"]),
    ("t/_temporary/0/*.parquet", ["t/_temporary/0/a.parquet"]),
    ("t*/*.parquet", ["t/a.parquet", "tt/d.parquet"]),
    ("nothing/", []),
    ("nothing/*.parquet", []),
]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree")
    for name in TREE:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"12345")
    return root


@pytest.fixture(scope="module")
def bucket(s3_server: Lake) -> str:
    for name in TREE:
        put(s3_server, "tree-bucket", name, b"12345")
    return "s3://tree-bucket"


@pytest.mark.parametrize(("location", "expected"), LISTED)
def test_files_on_disk(tree: Path, location: str, expected: list[str]) -> None:
    found = ArrowStorage().files(f"{tree}/{location}")
    assert [f.path for f in found] == [f"{tree}/{name}" for name in expected]
    assert all(f.size == 5 and f.version for f in found)
    assert ArrowStorage().files(f"file://{tree}/{location.replace('%', '%25')}") == found


@pytest.mark.parametrize(("location", "expected"), LISTED)
def test_files_on_s3(s3_server: Lake, bucket: str, location: str, expected: list[str]) -> None:
    found = ArrowStorage(s3_server.access).files(f"{bucket}/{location}")
    assert [f.path for f in found] == [f"{bucket}/{name}" for name in expected]
    assert all(f.size == 5 and f.version for f in found)


def test_a_bucket_as_a_whole_and_other_names_of_the_scheme(s3_server: Lake, bucket: str) -> None:
    storage = ArrowStorage(s3_server.access)
    assert len(storage.files(bucket)) == len(storage.files(bucket + "/")) == 5
    assert storage.files("s3a://tree-bucket/t/a.parquet") == storage.files("s3://tree-bucket/t/a.parquet")


def test_a_location_relative_to_the_working_folder(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)
    assert [f.path for f in ArrowStorage().files("t/*.parquet")] == [f"{tree}/t/a.parquet"]


def test_the_version_of_a_file_changes_with_it(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    file.write_bytes(b"1")
    [before] = ArrowStorage().files(str(file))
    assert ArrowStorage().files(str(file)) == (before,)
    file.write_bytes(b"12")
    [after] = ArrowStorage().files(str(file))
    assert before.version != after.version


def test_a_file_that_keeps_its_size_and_its_time_is_another_one_all_the_same(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    file.write_bytes(b"1")
    [before] = ArrowStorage().files(str(file))
    times = (file.stat().st_atime_ns, file.stat().st_mtime_ns)
    file.write_bytes(b"2")
    os.utime(file, ns=times)
    [after] = ArrowStorage().files(str(file))
    assert (before.size, before.modified) == (after.size, after.modified)
    assert before.version != after.version


def test_the_version_of_an_object_is_its_etag(s3_server: Lake) -> None:
    storage, client = ArrowStorage(s3_server.access), s3_system(s3_server.access)
    make_bucket(s3_server.access, "versions")
    versions = []
    for content in (b"12345", b"54321", b"12345"):
        with client.open_output_stream("versions/a.parquet") as stream:
            stream.write(content)
        [file] = storage.files("s3://versions/")
        versions.append(file.version)
    # The ETag of an upload in one part.
    assert re.fullmatch(r"[0-9a-f]{32}-1-[0-9]+", versions[0])
    # The same content again is the same file, whenever it was written.
    assert versions[0] == versions[2] != versions[1]


ODD = ("a b", "a+b", "ä🙈", "a%2Fb", "a&<b>'\"", "a\\b", "x=1/y=ü+1", "#?", "*[a]")


def test_odd_names_are_listed_as_they_are(s3_server: Lake) -> None:
    for name in ODD:
        put(s3_server, "odd-names", f"t/{name}.csv", b"a\n1\n")
    storage = ArrowStorage(s3_server.access)
    found = storage.files("s3://odd-names/t/")
    assert {f.path for f in found} == {f"s3://odd-names/t/{n}.csv" for n in ODD}
    # The server does not sign this name as the client does.
    plain = [f for f in found if "%" not in f.path]
    assert len(storage.footers(plain, Reading(format="csv"))) == len(ODD) - 1


def test_buckets_that_are_reached_otherwise(s3_server: Lake, tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), tmp_path / "a.parquet")
    address = put(s3_server, "own-way", "a.parquet", tmp_path / "a.parquet")
    other = put(s3_server, "usual-way", "a.parquet", tmp_path / "a.parquet")
    wrong = replace(s3_server.access, secret_key="of another server")
    access = replace(wrong, buckets={"own-way": s3_server.access})
    storage, engine = ArrowStorage(access), DuckDBEngine(access)
    [file] = storage.files(address)
    assert [f.rows for f in storage.footers([file])] == [1]
    with pytest.raises(CouldNotCheck, match="access denied"):
        storage.files(other)
    refused = Source(name="refused", files=(DataFile(path=other, size=file.size),))
    with engine.open([Source(name="t", files=(file,)), refused]) as session:
        assert session.rows(exp.select("a").from_("t")) == [{"a": 1}]
        with pytest.raises(CouldNotCheck, match="access denied"):
            session.rows(exp.select("a").from_("refused"))
    assert s3_server.access.secret_key not in access.scrub(f"no {s3_server.access.secret_key} here")


class Answers(BaseHTTPRequestHandler):
    """A server that says it is too busy so many times, then that it has nothing."""

    busy = 0
    status = 503
    headers_more: ClassVar[dict[str, str]] = {}
    asked = 0

    def do_GET(self) -> None:
        type(self).asked += 1
        busy = type(self).asked <= self.busy
        body = b"<Error><Code>SlowDown</Code></Error>" if busy else b"<ListBucketResult/>"
        self.send_response(self.status if busy else 200)
        for name, value in (*self.headers_more.items(), ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(
    ("busy", "status", "more", "asked", "message"),
    [
        (1, 503, {}, 3, ""),
        (9, 503, {}, 3, "could not answer: SlowDown"),
        (9, 301, {"x-amz-bucket-region": "eu-west-3"}, 1, "is in the region eu-west-3, not in us-east-1"),
        (9, 403, {}, 1, "access denied: SlowDown"),
        (9, 400, {}, 1, "could not answer: SlowDown"),
    ],
)
def test_a_busy_server_is_asked_again(
    busy: int, status: int, more: dict[str, str], asked: int, message: str
) -> None:
    answers = type("Handler", (Answers,), {"busy": busy, "status": status, "headers_more": more})
    with HTTPServer(("127.0.0.1", 0), answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            storage = ArrowStorage(
                S3Access(endpoint=f"http://127.0.0.1:{server.server_port}", path_style=True)
            )
            if message:
                with pytest.raises(CouldNotCheck, match=message) as raised:
                    storage.files("s3://bucket/t/")
                assert raised.value.retryable == (status == 503)
            else:
                # A file of that name is asked for first.
                assert storage.files("s3://bucket/t") == ()
            assert answers.asked == asked
        finally:
            server.shutdown()
            thread.join()


def test_links_on_disk_are_followed_and_circles_are_not(tmp_path: Path) -> None:
    (tmp_path / "t/day=1").mkdir(parents=True)
    (tmp_path / "t/day=1/a.csv").write_text("a\n")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/b.csv").write_text("a\n")
    (tmp_path / "t/day=2").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "t/day=1/up").symlink_to(tmp_path / "t")
    (tmp_path / "t/gone.csv").symlink_to(tmp_path / "nowhere")
    found = ArrowStorage().files(str(tmp_path / "t"))
    assert [f.path.removeprefix(f"{tmp_path}/") for f in found] == ["t/day=1/a.csv", "t/day=2/b.csv"]


def test_partitions_are_read_from_the_path_in_order() -> None:
    path = "lake/t/month=1/origin=J%46K/x=/empty/name=a.parquet"
    assert list(hive_partition(path).items()) == [("month", "1"), ("origin", "JFK"), ("x", "")]


def test_globs_keep_the_other_characters_as_they_are() -> None:
    assert glob_pattern("a+b.(x)/*.parquet") == r"a\+b\.\(x\)/[^/]*\.parquet"


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("gs://bucket/x", "has a scheme that cannot be read"),
        ("s3://", "names no bucket"),
        ("s3://*/x.parquet", "names no bucket"),
    ],
)
def test_locations_that_are_mistakes(location: str, message: str) -> None:
    with pytest.raises(UserMistake, match=message):
        ArrowStorage().files(location)


def test_s3_without_access_is_not_tried() -> None:
    with pytest.raises(CouldNotCheck, match="no access to S3 is configured"):
        ArrowStorage().files("s3://bucket/x")


def test_a_bucket_that_does_not_exist(s3_server: Lake) -> None:
    for location in ("s3://no-such-bucket/t/", "s3://no-such-bucket/t/*.parquet", "s3://no-such-bucket/a"):
        with pytest.raises(CouldNotCheck, match="the bucket no-such-bucket does not exist") as caught:
            ArrowStorage(s3_server.access).files(location)
        assert not caught.value.retryable


@pytest.mark.parametrize("wrong", [{"secret_key": "not-the-secret"}, {"access_key": "not-the-key"}])
def test_wrong_credentials_are_access_denied_and_do_not_show(
    s3_server: Lake, bucket: str, wrong: dict[str, str]
) -> None:
    access = replace(s3_server.access, **wrong)
    storage = ArrowStorage(access)
    file = DataFile(path=f"{bucket}/t/a.parquet", size=5)
    for attempt in (lambda: storage.files(f"{bucket}/t/"), lambda: storage.footers([file])):
        with pytest.raises(CouldNotCheck, match="access denied") as caught:
            attempt()
        for text in (str(caught.value), repr(access)):
            assert access.secret_key not in text
            assert access.access_key not in text
        assert not caught.value.retryable


def test_an_endpoint_that_is_down(s3_server: Lake) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        access = replace(s3_server.access, endpoint=f"http://127.0.0.1:{unused.getsockname()[1]}")
    with pytest.raises(CouldNotCheck, match="the S3 server did not answer") as caught:
        ArrowStorage(access).files("s3://bucket/t/")
    assert caught.value.retryable
    assert "Connection refused" in str(caught.value)
    assert "urlopen" not in str(caught.value)


TYPES = {
    "int8": (pa.int8(), "TINYINT"),
    "int16": (pa.int16(), "SMALLINT"),
    "int32": (pa.int32(), "INTEGER"),
    "int64": (pa.int64(), "BIGINT"),
    "uint8": (pa.uint8(), "UTINYINT"),
    "uint16": (pa.uint16(), "USMALLINT"),
    "uint32": (pa.uint32(), "UINTEGER"),
    "uint64": (pa.uint64(), "UBIGINT"),
    "half": (pa.float16(), "FLOAT"),
    "float": (pa.float32(), "FLOAT"),
    "double": (pa.float64(), "DOUBLE"),
    "decimal": (pa.decimal128(9, 2), "DECIMAL(9,2)"),
    "long_decimal": (pa.decimal256(50, 2), "DOUBLE"),
    "text": (pa.string(), "VARCHAR"),
    "large_text": (pa.large_string(), "VARCHAR"),
    "dictionary": (pa.dictionary(pa.int32(), pa.string()), "VARCHAR"),
    "json": (pa.json_(), "JSON"),
    "bytes": (pa.binary(), "BLOB"),
    "fixed": (pa.binary(3), "BLOB"),
    "uuid": (pa.uuid(), "UUID"),
    "truth": (pa.bool_(), "BOOLEAN"),
    "day": (pa.date32(), "DATE"),
    "day64": (pa.date64(), "DATE"),
    "time_ms": (pa.time32("ms"), "TIME"),
    "time_ns": (pa.time64("ns"), "TIME"),
    "ts_s": (pa.timestamp("s"), "TIMESTAMP"),
    "ts_ms": (pa.timestamp("ms"), "TIMESTAMP"),
    "ts_us": (pa.timestamp("us"), "TIMESTAMP"),
    "ts_ns": (pa.timestamp("ns"), "TIMESTAMP_NS"),
    "ts_utc": (pa.timestamp("us", "UTC"), "TIMESTAMP WITH TIME ZONE"),
    "ts_zone": (pa.timestamp("ns", "Europe/Berlin"), "TIMESTAMP WITH TIME ZONE"),
    "duration": (pa.duration("us"), "BIGINT"),
    "list": (pa.list_(pa.int16()), "SMALLINT[]"),
    "fixed_list": (pa.list_(pa.int16(), 2), "SMALLINT[]"),
    "large_list": (pa.large_list(pa.list_(pa.string())), "VARCHAR[][]"),
    "struct": (
        pa.struct({"a": pa.int8(), "b c": pa.struct({"d": pa.uuid()})}),
        'STRUCT(a TINYINT, "b c" STRUCT(d UUID))',
    ),
    "map": (pa.map_(pa.string(), pa.list_(pa.float64())), "MAP(VARCHAR, DOUBLE[])"),
    "rows": (pa.list_(pa.struct({"x": pa.int32(), "y": pa.date32()})), "STRUCT(x INTEGER, y DATE)[]"),
}


def test_every_type_is_written_as_duckdb_reads_it(tmp_path: Path) -> None:
    schema = pa.schema([pa.field(name, type_) for name, (type_, _) in TYPES.items()])
    file = tmp_path / "types.parquet"
    pq.ParquetWriter(file, schema).close()
    [footer] = ArrowStorage().footers(ArrowStorage().files(str(file)))
    assert {c.name: c.type for c in footer.columns} == {name: text for name, (_, text) in TYPES.items()}
    assert [(c.name, c.type) for c in footer.columns] == _described(file)


def test_a_time_zone_of_duckdb_and_old_timestamps(tmp_path: Path) -> None:
    file = tmp_path / "int96.parquet"
    table = pa.table({"t": pa.array([1], pa.timestamp("ns"))})
    pq.write_table(table, file, use_deprecated_int96_timestamps=True)
    [footer] = ArrowStorage().footers(ArrowStorage().files(str(file)))
    assert [(c.name, c.type) for c in footer.columns] == [("t", "TIMESTAMP")] == _described(file)


def test_footers_keep_order_rows_and_nullability(tmp_path: Path) -> None:
    for number in range(30):
        schema = pa.schema([pa.field("key", pa.int32(), nullable=False), pa.field("x", pa.string())])
        rows = {"key": list(range(number)), "x": [None] * number}
        pq.write_table(pa.table(rows, schema), tmp_path / f"{number:02}.parquet")
    files = ArrowStorage().files(str(tmp_path))
    footers = ArrowStorage().footers(files[::-1])
    assert [f.rows for f in footers] == list(range(30))[::-1]
    assert tuple(f.file for f in footers) == files[::-1]
    assert [c.nullable for c in footers[0].columns] == [False, True]
    assert ArrowStorage().footers([]) == ()


@pytest.mark.parametrize(
    "content", [b"", b"PAR1", b"no parquet at all, but long enough", b"PAR1" + b"x" * 40 + b"PAR1"]
)
def test_a_damaged_file_is_named(s3_server: Lake, tmp_path: Path, content: bytes) -> None:
    on_disk = tmp_path / "bad.parquet"
    on_disk.write_bytes(content)
    on_s3 = put(s3_server, "damaged", f"{len(content)}/bad.parquet", content)
    storage = ArrowStorage(s3_server.access)
    for path in (str(on_disk), on_s3):
        with pytest.raises(CouldNotCheck, match="not a Parquet file, or a damaged one") as caught:
            storage.footers([DataFile(path=path, size=len(content))])
        assert caught.value.what == path
        assert not caught.value.retryable


def test_several_damaged_files_are_named_and_many_are_not_all_tried(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), tmp_path / "a.parquet")
    for number in range(3):
        (tmp_path / f"bad{number}.parquet").write_bytes(b"junk")
    with pytest.raises(CouldNotCheck, match=r"3 of 4 files cannot be read, also .*bad1.*bad2") as caught:
        ArrowStorage().footers(ArrowStorage().files(str(tmp_path)))
    assert (caught.value.what, caught.value.retryable) == (str(tmp_path / "bad0.parquet"), False)
    for number in range(3, 40):
        (tmp_path / f"bad{number}.parquet").write_bytes(b"junk")
    with pytest.raises(CouldNotCheck, match="at least 5 of 41 files cannot be read") as caught:
        ArrowStorage().footers(ArrowStorage().files(str(tmp_path)))
    assert str(caught.value).count("bad") == 5


def test_a_file_that_is_gone(s3_server: Lake, tmp_path: Path, bucket: str) -> None:
    for path in (str(tmp_path / "gone.parquet"), f"{bucket}/gone.parquet"):
        with pytest.raises(CouldNotCheck, match="the file is gone") as caught:
            ArrowStorage(s3_server.access).footers([DataFile(path=path, size=1)])
        assert caught.value.retryable


def test_files_of_many_writers_have_the_types_that_duckdb_sees() -> None:
    """Apache's own collection of unusual Parquet files."""
    compared = 0
    for row in case_rows("parquet_files"):
        file = shared("cases") / row["file"]
        try:
            [footer] = ArrowStorage().footers(ArrowStorage().files(str(file)))
            seen = _described(file)
        except (CouldNotCheck, duckdb.Error):
            assert row["expected"]["outcome"] != "readable", row["file"]
            continue
        assert [(c.name, c.type) for c in footer.columns] == seen, row["file"]
        compared += 1
    assert compared >= 30


def _described(file: Path) -> list[tuple[str, str]]:
    with duckdb.connect() as connection:
        found = connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(file)]).fetchall()
    return [(row[0], row[1]) for row in found]
