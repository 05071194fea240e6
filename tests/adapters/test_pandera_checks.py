"""Custom checks in their child process: what is counted, what is refused, and the bounds."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from contracts_svc.adapters.pandera_checks import PanderaChecks
from contracts_svc.adapters.storage import ArrowStorage
from contracts_svc.adapters.tables_delta import DeltaTables
from contracts_svc.model import Column, Table
from contracts_svc.runs import Check, Measurement, Outcome
from tests.core.quality import contract, results, run, write
from tests.support import ROOT

CODE = """
import os, time
import pandas as pd
import pandera.pandas as pa

positive = pa.DataFrameSchema(
    {"x": pa.Column(float, pa.Check.gt(0), nullable=True)},
    checks=[pa.Check(lambda rows: ~(rows["x"] >= 100), name="small")],
)
missing = pa.DataFrameSchema({"gone": pa.Column(float)})
unique = pa.DataFrameSchema({"x": pa.Column(float, unique=True, nullable=True)})
whole = pa.DataFrameSchema({"x": pa.Column(float, unique=True, nullable=True)}, metadata={"whole_table": True})
raises = pa.DataFrameSchema(checks=[pa.Check(lambda rows: rows["nope"] > 0)])
month = pa.DataFrameSchema({"month": pa.Column("int64", pa.Check.isin([1]))})

class Model(pa.DataFrameModel):
    x: float = pa.Field(gt=0, nullable=True)

def good(rows): return rows["x"] > 0
def scalar(rows): return bool((rows["x"] > 0).all())
def odd(rows): return 5
def boom(rows): raise RuntimeError("no")
def slow(rows): time.sleep(60)
def big(rows): return pd.Series([0] * (1 << 31)) > 0
def dies(rows): os._exit(3)
def talks(rows): print("noise"); return rows["x"] > -1000
def environment(rows): return pd.Series("SECRET" not in "".join(os.environ), index=rows.index)
def mean(rows): return bool(rows["x"].mean() > 1000)
mean.whole_table = True
number = 7
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks" / "mine.py").write_text(CODE)
    (tmp_path / "checks" / "broken.py").write_text("import no_such_module")
    return tmp_path


TABLE = Table(
    name="t",
    columns=(
        Column(name="price", path="price", physical_name="x", logical_type="number"),
        Column(name="month", path="month", logical_type="integer", partitioned=True),
    ),
)


def measured(folder: Path, name: str, **bounds: Any) -> Measurement:
    write(folder / "t/month=1/a.parquet", {"x": ["DOUBLE", 1, -1, None, 500]})
    write(folder / "t/month=2/a.parquet", {"x": ["DOUBLE", 1, -2]})
    storage = ArrowStorage()
    check = Check(id="c", kind="custom", table="t", arguments={"implementation": name})
    files = storage.files(str(folder / "t/**/*.parquet"))
    return PanderaChecks(folder / "checks", storage, **bounds).run(check, TABLE, files, 2)


@pytest.mark.parametrize(
    ("name", "failing", "reasons"),
    [
        ("mine:positive", 3, ["x: greater_than(0)", "small"]),
        ("mine:Model", 2, ["x: greater_than(0)"]),
        ("mine:missing", 6, ["column_in_dataframe"]),
        ("mine:whole", 2, ["x: field_uniqueness"]),
        ("mine:month", 2, ["month: isin([1])"]),
        ("mine:good", 3, ["good"]),
        ("mine:scalar", 6, ["scalar"]),
        ("mine:mean", 6, ["mean"]),
        ("mine:talks", 1, ["talks"]),
    ],
)
def test_counts(folder: Path, name: str, failing: int, reasons: list[str]) -> None:
    found = measured(folder, name)
    assert found.error is None
    assert (found.values["failing"], found.values["rows"]) == (failing, 6)
    assert [r for r in found.values["reasons"] if r not in reasons] == []


def test_samples_go_by_the_paths_of_the_contract(folder: Path) -> None:
    found = measured(folder, "mine:positive")
    assert found.values["samples"] == [{"price": -1.0, "month": 1}, {"price": 500.0, "month": 1}]


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("mine:raises", "a check of mine:raises raised KeyError"),
        ("mine:odd", "returned int, not a boolean Series"),
        ("mine:boom", "mine:boom raised RuntimeError (mine.py, line "),
        ("mine:dies", "the process ended with 3"),
        ("mine:nope", "mine.py has no nope"),
        ("mine:number", "neither a schema of pandera.pandas nor a function"),
        ("nope:x", "the folder of checks has no nope.py"),
        ("broken:x", "broken.py cannot be imported: ModuleNotFoundError"),
        ("../mine:x", "is not module:name"),
        ("mine", "is not module:name"),
        ("os:system", "the folder of checks has no os.py"),
    ],
)
def test_what_cannot_run_is_no_verdict(folder: Path, name: str, error: str) -> None:
    found = measured(folder, name)
    assert error in (found.error or "")
    assert not found.values


def test_the_child_sees_no_credentials(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTRACTS_S3_SECRET_KEY", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    found = measured(folder, "mine:environment")
    assert found.error is None
    assert found.values["failing"] == 0


def test_what_needs_the_whole_table_is_skipped_until_it_says_so(folder: Path) -> None:
    found = measured(folder, "mine:unique")
    assert (
        found.skipped
        == "x is unique, which needs the whole table; give it whole_table to have it run on the table at once"
    )


def test_time_is_bounded(folder: Path) -> None:
    assert measured(folder, "mine:slow", seconds=3).error == "mine:slow: it took longer than 3 s"


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is bounded where /proc is")
def test_memory_is_bounded(folder: Path) -> None:
    assert measured(folder, "mine:big", megabytes=200).error == "it needs more than 200 MB of memory"


def test_the_example_of_the_project_runs_in_a_check(tmp_path: Path) -> None:
    columns = {
        "temp": ["DOUBLE", 5, 5, None],
        "dewp": ["DOUBLE", 4, 6, 1],
        "wind_speed": ["DOUBLE", 1, 1, 1],
        "wind_gust": ["DOUBLE", 2, None, 3],
    }
    write(tmp_path / "w/a.parquet", columns)
    rule = {"id": "physics", "type": "custom", "engine": "pandera", "implementation": "weather:physics"}
    listed = [
        {"name": n, "logicalType": "number", "classification": "restricted" if n == "dewp" else "public"}
        for n in columns
    ]
    given = contract(tmp_path, {"name": "w", "quality": [rule], "properties": listed})
    found = results(run(given, "w", custom=PanderaChecks(ROOT / "checks", ArrowStorage())))["w.physics"]
    assert found.outcome is Outcome.FAILED
    assert found.found == "1 of 3 rows (33.33 %): dew_point_not_above_temperature"
    assert found.samples == ({"temp": 5.0, "dewp": "***", "wind_speed": 1.0, "wind_gust": None},)
    assert "samples" not in found.values
    skipped = results(run(given, "w"))["w.physics"]
    assert (skipped.outcome, skipped.reason) == (Outcome.SKIPPED, "custom checks are not set up here")


ROWS = (
    "x;n;day;note\n1.5;1;2026-01-01;ok\n-1;2;;ok\n;3;2026-01-03;ok\noops;4;2026-01-04;ok\n500;5;2026-01-05;\n"
)
OF_TEXT = """
import datetime
import pandera.pandas as pa

schema = pa.DataFrameSchema({
    "x": pa.Column(float, pa.Check.gt(0), nullable=True),
    "n": pa.Column("int64", pa.Check.le(4)),
    "day": pa.Column("datetime64[us]", pa.Check.ge(datetime.datetime(2026, 1, 1)), nullable=True, coerce=True),
})
def notes(rows): return rows["note"].notna()
def fails(rows): raise RuntimeError("no")
"""


@pytest.mark.parametrize("kind", ["csv", "json", "delta"])
def test_rows_of_text_files_and_of_tables_with_a_log(tmp_path: Path, kind: str) -> None:
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks/text.py").write_text(OF_TEXT)
    columns = [
        {"name": "x", "logicalType": "number"},
        {"name": "n", "logicalType": "integer"},
        {"name": "day", "logicalType": "date"},
        {"name": "note", "logicalType": "string", "classification": "restricted"},
    ]
    rules = [
        {"id": name, "type": "custom", "engine": "pandera", "implementation": f"text:{name}"}
        for name in ("schema", "notes", "fails")
    ]
    header, *lines = (line.split(";") for line in ROWS.splitlines())
    rows = [{k: v or None for k, v in zip(header, line, strict=True)} for line in lines]
    folder = tmp_path / "t"
    folder.mkdir()
    if kind == "csv":
        (folder / "a.csv").write_text(ROWS.replace(";", ","))
    elif kind == "json":
        numbers = [r | {"n": int(r["n"] or 0), "x": _number(r["x"])} for r in rows]
        (folder / "a.json").write_text("\n".join(json.dumps(r) for r in numbers))
    else:
        deltalake = pytest.importorskip("deltalake")
        days = [date.fromisoformat(r["day"]) if r["day"] else None for r in rows]
        table = pa.table({
            "x": pa.array([1.5, -1.0, None, None, 500.0]), "n": [1, 2, 3, 4, 5],
            "day": pa.array(days, pa.date32()), "note": [r["note"] for r in rows],
        })  # fmt: skip
        deltalake.write_deltalake(folder, table)
    server = {
        "server": "s",
        "type": "local",
        "format": kind,
        "path": f"{folder}/*.*" if kind != "delta" else str(folder),
    }
    found = run(
        contract(tmp_path, {"name": "t", "properties": columns, "quality": rules}, servers=[server]),
        custom=PanderaChecks(tmp_path / "checks", ArrowStorage()),
        snapshots={"delta": DeltaTables()},
    )
    said = results(found)
    assert (said["t.schema"].failing, said["t.schema"].rows) == (2, 5)
    assert (said["t.notes"].failing, said["t.notes"].samples[0]["n"]) == (1, 5)
    assert said["t.notes"].samples[0]["note"] in (None, "***")
    assert said["t.fails"].outcome is Outcome.ERRORED
    assert found.files_read == 1


def _number(text: str | None) -> Any:
    try:
        return None if text is None else float(text)
    except ValueError:
        return text
