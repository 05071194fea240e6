"""Scans on DuckDB over files on a real S3 server and on disk."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlglot
from sqlglot import exp

from contracts_svc.adapters.engines.duckdb import DuckDBEngine, share_of
from contracts_svc.adapters.engines.duckdb import connection as engine_module
from contracts_svc.adapters.engines.duckdb.connection import httpfs_file
from contracts_svc.adapters.storage import ArrowStorage
from contracts_svc.demo.lake import Lake
from contracts_svc.errors import CouldNotCheck
from contracts_svc.files import Reading
from contracts_svc.ports import DataFile, Session, Source
from tests.fixtures_s3 import put


def query(sql: str) -> exp.Query:
    parsed = sqlglot.parse_one(sql, dialect="duckdb")
    assert isinstance(parsed, exp.Query)
    return parsed


def parquet(path: Path, **columns: list[object]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path


def failure(session: Session, sql: str) -> CouldNotCheck:
    with pytest.raises(CouldNotCheck) as caught:
        session.rows(query(sql))
    return caught.value


@pytest.fixture
def trips(s3_server: Lake, tmp_path: Path) -> Source:
    """Two partitions on S3; the second lacks a column and has another type in one."""
    put(s3_server, "engine", "trips/m=1/a.parquet", parquet(tmp_path / "a.parquet", x=[1, 2], y=["a", "b"]))
    put(s3_server, "engine", "trips/m=2/b.parquet", parquet(tmp_path / "b.parquet", x=[2.5]))
    files = ArrowStorage(s3_server.access).files("s3://engine/trips/**/*.parquet")
    return Source(name="trips", files=files, partition_types={"m": "SMALLINT"})


def test_reads_partitions_in_place(s3_server: Lake, trips: Source) -> None:
    with DuckDBEngine(s3_server.access).open([trips]) as session:
        assert session.rows(query("SELECT * FROM trips ORDER BY x")) == [
            {"x": 1.0, "y": "a", "m": 1, "filename": "s3://engine/trips/m=1/a.parquet"},
            {"x": 2.0, "y": "b", "m": 1, "filename": "s3://engine/trips/m=1/a.parquet"},
            {"x": 2.5, "y": None, "m": 2, "filename": "s3://engine/trips/m=2/b.parquet"},
        ]
        typed = "SELECT typeof(m) AS m, count(*) AS n FROM trips WHERE m = 2 GROUP BY 1"
        assert session.rows(query(typed)) == [{"m": "SMALLINT", "n": 1}]
        assert session.rows(query("SELECT x FROM trips WHERE false")) == []


def test_a_source_is_just_its_files(s3_server: Lake, trips: Source) -> None:
    first = replace(trips, files=trips.files[:1])
    with DuckDBEngine(s3_server.access).open([first]) as session:
        assert session.rows(query("SELECT count(*) AS n FROM trips")) == [{"n": 2}]


def test_partition_values_come_decoded(tmp_path: Path) -> None:
    parquet(tmp_path / "place=New%20York%2FNY" / "a.parquet", x=[1])
    source = Source(
        name="t",
        files=ArrowStorage().files(str(tmp_path)),
        partition_types={"place": "VARCHAR", "none": "DATE"},
    )
    with DuckDBEngine().open([source]) as session:
        assert session.rows(query("SELECT place FROM t")) == [{"place": "New York/NY"}]


NAMES = ("a [1].parquet", "a*b.parquet", "q?x.parquet", "pl+us.parquet", "eq=é.parquet", "ap'os\"t.parquet")


@pytest.mark.parametrize("name", NAMES)
def test_names_of_files_are_no_patterns(s3_server: Lake, tmp_path: Path, name: str) -> None:
    here = parquet(tmp_path / "odd" / name, x=[1])
    parquet(tmp_path / "odd" / "aXb.parquet", x=[2])
    there = put(s3_server, "odd-names", name, here)
    put(s3_server, "odd-names", "aXb.parquet", tmp_path / "odd" / "aXb.parquet")
    for path in (str(here), there):
        source = Source(name="t", files=(DataFile(path=path, size=1),))
        with DuckDBEngine(s3_server.access).open([source]) as session:
            assert session.rows(query("SELECT x, filename FROM t")) == [{"x": 1, "filename": path}]


def test_the_name_of_a_source_may_be_anything(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", x=[1])
    name = 'a.b "c"; select'
    source = Source(name=name, files=(DataFile(path=str(path), size=1),))
    with DuckDBEngine().open([source]) as session:
        wanted = exp.select("x").from_(exp.Table(this=exp.to_identifier(name, quoted=True)))
        assert session.rows(wanted) == [{"x": 1}]


def test_a_column_called_filename_stays_the_files_own(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", filename=["mine"])
    with DuckDBEngine().open([Source(name="t", files=(DataFile(path=str(path), size=1),))]) as session:
        assert session.rows(query("SELECT * FROM t")) == [{"filename": "mine"}]


def test_values_are_those_of_json(tmp_path: Path) -> None:
    with duckdb.connect() as writer:
        writer.execute("SET TimeZone = 'America/New_York'")
        writer.from_query(
            """SELECT NULL::INTEGER AS nothing, true AS truth, 1.50::DECIMAL(9, 2) AS part,
            2.00::DECIMAL(9, 2) AS whole, DATE '2013-01-02' AS day, TIME '01:02:03' AS clock,
            TIMESTAMP '2013-01-02 03:04:05' AS wall, TIMESTAMPTZ '2013-01-02 03:04:05+01' AS instant,
            '00000000-0000-0000-0000-000000000001'::UUID AS uuid, '\\x00\\xFF'::BLOB AS bytes,
            {'a': [1, 2], 'b': DATE '2013-01-02'} AS nested, MAP {1: 'x'} AS keyed, 9e18::BIGINT AS n"""
        ).write_parquet(str(tmp_path / "a.parquet"))
    files = ArrowStorage().files(str(tmp_path))
    with DuckDBEngine().open([Source(name="t", files=files)]) as session:
        [row] = session.rows(query("SELECT * EXCLUDE (filename, n), n::HUGEINT * 10 AS huge FROM t"))
    assert row == {
        "nothing": None,
        "truth": True,
        "huge": 90_000_000_000_000_000_000,
        "part": 1.5,
        "whole": 2,
        "day": date(2013, 1, 2).isoformat(),
        "clock": time(1, 2, 3).isoformat(),
        "wall": datetime(2013, 1, 2, 3, 4, 5).isoformat(),
        "instant": datetime(2013, 1, 2, 2, 4, 5, tzinfo=UTC).isoformat(),
        "uuid": str(UUID(int=1)),
        "bytes": "00ff",
        "nested": {"a": [1, 2], "b": "2013-01-02"},
        "keyed": {"1": "x"},
    }
    assert not any(isinstance(value, Decimal) for value in row.values())


def test_a_session_reads_its_sources_and_nothing_else(s3_server: Lake, tmp_path: Path, trips: Source) -> None:
    secret = parquet(tmp_path / "secret.parquet", x=[1])
    other = put(s3_server, "engine", "other/a.parquet", secret)
    text = tmp_path / "secret.txt"
    text.write_text("secret")
    local = "a local variable"  # DuckDB's Python client would read variables as tables
    with DuckDBEngine(s3_server.access).open([trips]) as session:
        for sql in (
            f"SELECT * FROM read_parquet('{secret}')",
            f"SELECT * FROM read_parquet('{other}')",
            f"SELECT * FROM read_parquet('{secret.parent}/*.parquet')",
            "SELECT * FROM read_parquet('s3://engine/trips/m=*/*.parquet')",
            f"SELECT * FROM read_text('{text}')",
            f"SELECT * FROM glob('{tmp_path}/*')",
            f"SELECT * FROM '{secret}'",
        ):
            assert "the query reads what its contract does not name" in str(failure(session, sql)), sql
        assert "does not fit the data" in str(failure(session, "SELECT * FROM local"))
        assert s3_server.access.secret_key not in str(session.rows(query("SELECT * FROM duckdb_secrets()")))
    assert local


def test_the_configuration_is_locked(trips: Source, s3_server: Lake) -> None:
    with DuckDBEngine(s3_server.access).open([trips]) as session:
        settings = query(
            "SELECT name, value FROM duckdb_settings() WHERE name IN ('lock_configuration',"
            " 'enable_external_access', 'autoload_known_extensions', 'autoinstall_known_extensions')"
        )
        assert {r["name"]: r["value"] for r in session.rows(settings)} == {
            "lock_configuration": "true",
            "enable_external_access": "false",
            "autoload_known_extensions": "false",
            "autoinstall_known_extensions": "false",
        }


@pytest.mark.parametrize("wrong", [{"secret_key": "not-the-secret"}, {"access_key": "not-the-key"}])
def test_wrong_credentials_are_access_denied_and_do_not_show(
    s3_server: Lake, trips: Source, wrong: dict[str, str]
) -> None:
    access = replace(s3_server.access, **wrong)
    with DuckDBEngine(access).open([trips]) as session:
        error = failure(session, "SELECT * FROM trips")
    assert error.cause.startswith("access denied")
    assert error.what == "trips"
    assert not error.retryable
    assert access.secret_key not in str(error)
    assert access.access_key not in str(error)


def test_one_source_that_cannot_be_read_leaves_the_others(
    s3_server: Lake, trips: Source, tmp_path: Path
) -> None:
    damaged = put(s3_server, "engine", "bad/x.parquet", b"this is no Parquet file")
    sources = [
        trips,
        Source(name="gone", files=(DataFile(path="s3://engine/gone.parquet", size=1),)),
        Source(name="gone_here", files=(DataFile(path=f"{tmp_path}/gone.parquet", size=1),)),
        Source(name="damaged", files=(DataFile(path=damaged, size=1),)),
        Source(name="empty", files=()),
        Source(name="table_format", files=trips.files, reading=Reading(format="orc")),
    ]
    with DuckDBEngine(s3_server.access).open(sources) as session:
        assert session.rows(query("SELECT count(*) AS n FROM trips")) == [{"n": 3}]
        for name, cause, retryable in (
            ("gone", "not found: .*s3://engine/gone.parquet", True),
            ("gone_here", "not found: .*gone.parquet", True),
            ("damaged", f"not a Parquet file, or a damaged one: .*{damaged}", False),
            ("empty", "there are no files", True),
            ("table_format", "not used for the format orc", False),
        ):
            error = failure(session, f"SELECT * FROM trips WHERE x IN (SELECT x FROM {name})")
            assert error.what == name
            assert re.search(cause, error.cause), error.cause
            assert error.retryable is retryable


def test_a_file_that_is_damaged_inside_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(
        pa.table({"x": [str(n) * 50 for n in range(1000)]}), path, compression="zstd", use_dictionary=False
    )
    content = bytearray(path.read_bytes())
    content[200:2000] = b"\xff" * 1800
    path.write_bytes(content)
    with DuckDBEngine().open([Source(name="t", files=ArrowStorage().files(str(path)))]) as session:
        error = failure(session, "SELECT max(x) AS x FROM t")
    assert not error.retryable


def test_an_endpoint_that_is_down(s3_server: Lake, trips: Source) -> None:
    access = replace(s3_server.access, endpoint="http://127.0.0.1:1")
    with DuckDBEngine(access).open([trips]) as session:
        error = failure(session, "SELECT * FROM trips")
    assert error.cause.startswith("reading failed: IO Error: Could not connect")
    assert error.retryable


def test_s3_without_access_is_not_tried(trips: Source) -> None:
    with pytest.raises(CouldNotCheck, match="no access to S3 is configured"), DuckDBEngine().open([trips]):
        pass


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT nothing FROM t",
        "SELECT x::INTEGER AS x FROM t",
        "SELECT nothing(x) FROM t",
        "SELECT * FROM missing",
    ],
)
def test_a_query_that_does_not_fit(tmp_path: Path, sql: str) -> None:
    path = parquet(tmp_path / "a.parquet", x=["text"])
    with DuckDBEngine().open([Source(name="t", files=(DataFile(path=str(path), size=1),))]) as session:
        error = failure(session, sql)
        assert error.cause.startswith("the query does not fit the data")
        assert not error.retryable
        assert session.rows(query("SELECT x FROM t")) == [{"x": "text"}], "the session goes on"


def test_a_query_that_takes_too_long(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", x=[1])
    source = Source(name="t", files=(DataFile(path=str(path), size=1),))
    with DuckDBEngine(timeout=0.2).open([source]) as session:
        error = failure(session, "SELECT count(*) FROM range(1000000000) AS a, range(1000000) AS b, t")
        assert "took longer than 0.2 s" in error.cause
        assert error.retryable
        assert session.rows(query("SELECT x FROM t")) == [{"x": 1}], "the session goes on"


def test_too_little_memory(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", x=[1])
    source = Source(name="t", files=(DataFile(path=str(path), size=1),))
    with DuckDBEngine(memory_limit="20MB").open([source]) as session:
        error = failure(session, "SELECT list(r.range) FROM range(50000000) AS r, t")
    assert error.cause.startswith("out of memory")
    assert "memory limit" in error.hint


def test_what_does_not_fit_in_memory_is_spilled(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", x=[1])
    source = Source(name="t", files=(DataFile(path=str(path), size=1),))
    spill = tmp_path / "spill"
    engine = DuckDBEngine(memory_limit="80MB", threads=1, temp_directory=str(spill))
    distinct = "SELECT count(DISTINCT md5(r.range::VARCHAR)) AS n FROM range(2000000) AS r, t"
    with engine.open([source]) as session:
        assert session.rows(query(distinct)) == [{"n": 2000000}]


def test_the_extension_comes_from_the_wheel() -> None:
    assert httpfs_file().name == "httpfs.duckdb_extension"
    assert duckdb.__version__ in str(httpfs_file())


def test_a_missing_wheel_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "find_spec", lambda name: None)
    with pytest.raises(CouldNotCheck, match="the package duckdb-extension-httpfs is not installed") as caught:
        httpfs_file()
    assert caught.value.hint == f"pip install 'duckdb-extension-httpfs=={duckdb.__version__}'"


def test_a_wheel_of_another_version_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "extensions" / "v1.0.0").mkdir(parents=True)
    there = importlib.util.find_spec("duckdb_extension_httpfs")
    assert there is not None
    wheel = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(engine_module, "find_spec", lambda name: wheel)
    with pytest.raises(CouldNotCheck, match=r"for v1.0.0, but duckdb is v"):
        httpfs_file()


def test_a_broken_wheel_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, s3_server: Lake, trips: Source
) -> None:
    broken = tmp_path / "httpfs.duckdb_extension"
    broken.write_bytes(b"not an extension")
    monkeypatch.setattr(engine_module, "httpfs_file", lambda: broken)
    engine = DuckDBEngine(s3_server.access)
    with pytest.raises(CouldNotCheck, match="DuckDB refuses the extension"), engine.open([trips]):
        pass


def test_no_progress_bar_is_drawn_into_the_output(tmp_path: Path) -> None:
    with engine_module.connect(memory_limit="100MB", temp_directory=str(tmp_path)) as connection:
        assert connection.execute("SELECT current_setting('enable_progress_bar')").fetchall() == [(False,)]


_KILLED = """
import os, signal, sys
from contracts_svc.adapters.engines.duckdb import DuckDBEngine
with DuckDBEngine(temp_directory=sys.argv[1]).open([]):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_spill_folders_of_killed_processes_are_removed(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", _KILLED, str(tmp_path)], check=False)
    (lock,) = tmp_path.glob("*.lock")
    folder = tmp_path / lock.stem
    assert folder.is_dir()
    with DuckDBEngine(temp_directory=str(tmp_path)).open([]):
        # So young, it may be one that is just being made.
        assert folder.is_dir()
    os.utime(lock, (0, 0))
    with DuckDBEngine(temp_directory=str(tmp_path)).open([]):
        mine = set(tmp_path.iterdir())
        assert folder not in mine
        for each in tmp_path.glob("*.lock"):
            os.utime(each, (0, 0))
        with DuckDBEngine(temp_directory=str(tmp_path)).open([]):
            # One that is in use stays, however old.
            assert mine < set(tmp_path.iterdir())
    assert list(tmp_path.iterdir()) == []


def test_a_temporary_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    engine = DuckDBEngine(temp_directory=str(tmp_path / "file" / "spill"))
    with pytest.raises(CouldNotCheck, match="the temporary folder"), engine.open([]):
        pass


def test_duplicates_among_more_keys_than_fit_into_memory(tmp_path: Path) -> None:
    """Spilled, and counted exactly; what is in the way in memory is a sixth of what is compared."""
    path = tmp_path / "keys.parquet"
    with duckdb.connect() as connection:
        keys = "SELECT md5((i % 1999990)::VARCHAR) AS k FROM range(2000000) t(i)"
        connection.execute(f"COPY ({keys}) TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE 20000)")
    sql = "SELECT sum(n - 1) AS d, count(*) AS g FROM (SELECT k, count(*) n FROM t GROUP BY k HAVING count(*) > 1)"
    source = Source(name="t", files=ArrowStorage().files(str(path)))
    with DuckDBEngine(memory_limit="40MB", threads=1, temp_directory=str(tmp_path / "spill")).open(
        [source]
    ) as s:
        assert s.rows(query(sql)) == [{"d": 10, "g": 10}]
    assert list((tmp_path / "spill").iterdir()) == []


@pytest.mark.parametrize(
    ("limit", "share"),
    [
        ("512MB", "320MB"),
        ("1GB", "808MB"),
        ("1 GiB", "882MB"),
        ("100mb", "50MB"),
        ("2000000000", "1808MB"),
        ("80%", "80%"),
        ("much", "much"),
    ],
)
def test_the_engine_gets_what_the_process_does_not_need(limit: str, share: str) -> None:
    assert share_of(limit) == share


@pytest.mark.parametrize(("most", "kept"), [(2, True), (1, False)])
def test_of_many_files_nothing_is_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, kept: bool
) -> None:
    monkeypatch.setattr(engine_module, "MANY_FILES", most)
    files = []
    for n in range(2):
        pq.write_table(pa.table({"n": [n]}), tmp_path / f"{n}.parquet")
        files.append(DataFile(path=str(tmp_path / f"{n}.parquet"), size=1))
    settings = ("parquet_metadata_cache", "enable_external_file_cache")
    asked = ", ".join(f"current_setting('{name}') AS {name}" for name in settings)
    with DuckDBEngine().open([Source(name="t", files=tuple(files))]) as session:
        assert session.rows(query("SELECT sum(n) AS n FROM t")) == [{"n": 1}]
        assert session.rows(query(f"SELECT {asked}")) == [dict.fromkeys(settings, kept)]


def test_of_many_files_their_folder_may_be_read_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "MANY_FILES", 1)
    for name in ("a[1]/x-1", "a[1]/x-2", "a[1]2/x-1", "b"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        pq.write_table(pa.table({"n": [1]}), tmp_path / f"{name}.parquet")
    files = tuple(DataFile(path=str(tmp_path / f"a[1]/x-{n}.parquet"), size=1) for n in (1, 2))
    with DuckDBEngine().open([Source(name="t", files=files)]) as session:
        assert session.rows(query("SELECT sum(n) AS n FROM t")) == [{"n": 2}]
        for name in ("a[[]1]2/x-1", "b"):
            other = query(f"SELECT * FROM read_parquet('{tmp_path}/{name}.parquet')")
            with pytest.raises(CouldNotCheck, match=r"file system operations are disabled|may not read"):
                session.rows(other)


def test_a_source_that_was_let_go_of_is_not_there(tmp_path: Path) -> None:
    for n in range(3):
        pq.write_table(pa.table({"n": [n]}), tmp_path / f"{n}.parquet")
    files = tuple(DataFile(path=str(tmp_path / f"{n}.parquet"), size=1) for n in range(3))
    asked = query('SELECT sum(n) AS n FROM "t / 1"')
    with DuckDBEngine().open([Source(name="t", files=files)]) as session:
        session.forget("t / 1")
        for some in (files[:2], files[2:]):
            session.add(Source(name="t / 1", files=some))
            assert session.rows(asked) == [{"n": sum(int(Path(f.path).stem) for f in some)}]
            session.forget("t / 1")
        with pytest.raises(CouldNotCheck):
            session.rows(asked)


def test_more_threads_wait_for_s3_than_compute(s3_server: Lake, trips: Source, tmp_path: Path) -> None:
    asked = query("SELECT current_setting('threads') AS n")
    with DuckDBEngine(s3_server.access).open([trips]) as session:
        assert session.rows(asked)[0]["n"] >= 8
    with DuckDBEngine(s3_server.access, threads=3).open([trips]) as session:
        assert session.rows(asked) == [{"n": 3}]
    with DuckDBEngine(threads=3).open([]) as session:
        assert session.rows(asked) == [{"n": 3}]
