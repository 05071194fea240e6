"""The lattice of types against real readers: files written as one type and read as another.

For every reader and every pair of types: it keeps the values exactly when the table of readers says so, which
is what the lattice says (EQUAL or WIDENED) but for the deviations listed there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib import import_module, util
from pathlib import Path
from typing import Any

import duckdb
import pytest

from contracts_svc.compat.lattice import Shape
from contracts_svc.compat.physical import parse
from contracts_svc.compat.readers import DEVIATIONS, READERS, keeps
from contracts_svc.compat.types import Relation, relation
from tests.adapters.reading import (
    AVRO,
    PARQUET,
    all_kept,
    duckdb_keeps,
    fastavro_keeps,
    in_utc,
    pyarrow_keeps,
    write_parquet,
)
from tests.support import missing

Keeps = Callable[[Path, str, str], bool]


def shape(name: str) -> Shape:
    return parse(name, "duckdb")


def parquet_disagreements(
    reader: str, really: Keeps, folder: Path, names: list[str]
) -> Iterator[tuple[str, ...]]:
    for old in PARQUET:
        path = folder / f"{len(list(folder.iterdir()))}.parquet"
        write_parquet(path, old)
        for new in names:
            found = really(path, old, new)
            if found != keeps(reader, shape(old), shape(new)):
                yield old, new, "keeps" if found else "breaks"


@pytest.mark.parametrize(("reader", "really"), [("DuckDB", duckdb_keeps), ("pyarrow", pyarrow_keeps)])
def test_a_reader_of_parquet_keeps_what_the_table_says(reader: str, really: Keeps, tmp_path: Path) -> None:
    assert list(parquet_disagreements(reader, really, tmp_path, list(PARQUET))) == []


def test_a_reader_of_avro_keeps_what_the_table_says() -> None:
    wrong = []
    for old, values in AVRO:
        for new, others in AVRO:
            shapes = [parse(json.dumps(s), "avro") for s in (old, new)]
            found = fastavro_keeps(old, values, new, others)
            if found != keeps("fastavro", *shapes):
                wrong.append((old, new, "keeps" if found else "breaks"))
    assert wrong == []


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    if util.find_spec("pyspark") is None:
        missing("pyspark", "install it together with a Java runtime")
    builder = import_module("pyspark.sql").SparkSession.builder.master("local[1]")
    for key, value in (("ui.enabled", "false"), ("sql.session.timeZone", "UTC"), ("driver.memory", "700m")):
        builder = builder.config(f"spark.{key}", value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()


@pytest.mark.spark
def test_spark_keeps_what_the_table_says(spark: Any, tmp_path: Path) -> None:
    errors = import_module("pyspark.errors").PySparkException, import_module("py4j.protocol").Py4JJavaError

    def really(path: Path, old: str, new: str) -> bool:
        try:
            read = spark.read.schema(f"c {PARQUET[new][0]}").parquet(str(path)).toArrow()["c"]
            found = [in_utc(value) for value in read.to_pylist(maps_as_pydicts="strict")]
        except (*errors, OverflowError, UnicodeDecodeError):
            return False
        return all_kept([*PARQUET[old][2], None], found, PARQUET[new][2])

    known = [name for name, (in_spark, _, _) in PARQUET.items() if in_spark]
    assert list(parquet_disagreements("Spark", really, tmp_path, known)) == []


@pytest.mark.parametrize("deviation", DEVIATIONS, ids=lambda d: f"{d.reader}: {d.what}")
def test_a_listed_deviation_is_one(deviation: Any) -> None:
    """Some pair of the types above is of it, and there the lattice says otherwise."""
    avro = deviation.reader in READERS["avro"]
    shapes = [parse(json.dumps(s), "avro") for s, _ in AVRO] if avro else [shape(n) for n in PARQUET]
    pairs = [(o, n) for o in shapes for n in shapes if o != n and deviation.applies(o, n)]
    assert any(keeps("nobody in particular", o, n) is not deviation.keeps for o, n in pairs)


def test_a_zone_added_or_dropped_gives_another_moment() -> None:
    noon = datetime(2026, 7, 1, 12)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'Europe/Berlin'")
        read = connection.execute("SELECT CAST(CAST(? AS TIMESTAMP) AS TIMESTAMPTZ)", [noon]).fetchone()
    assert relation("TIMESTAMP", "TIMESTAMP WITH TIME ZONE") is Relation.REINTERPRETED
    assert read is not None
    assert read[0].astimezone(UTC).replace(tzinfo=None) != noon
