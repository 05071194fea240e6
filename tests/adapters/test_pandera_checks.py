"""Custom checks in their child process: what is counted, what is refused, and the bounds."""

from __future__ import annotations

import importlib
import json
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from contracts_svc.adapters import pandera_child
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


POLARS = """
import polars as pl
import pandera.polars as pa

positive = pa.DataFrameSchema(
    {"x": pa.Column(pl.Float64, pa.Check.gt(0), nullable=True)},
    checks=[pa.Check(lambda rows: rows.lazyframe.select(~(pl.col("x") >= 100)), name="small")],
)

def good(rows: pl.DataFrame): return rows["x"] > 0
"""
ARROW = """
import pyarrow as arrow
import pyarrow.compute as pc
import pandera.pyarrow as pa

positive = pa.DataFrameSchema(
    {"x": pa.Column(arrow.float64(), pa.Check.gt(0), nullable=True)},
    checks=[pa.Check(lambda rows: pc.less(rows.table["x"], 100), name="small")],
)

def good(rows: arrow.Table): return pc.greater(rows["x"], 0)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks" / "mine.py").write_text(CODE)
    (tmp_path / "checks" / "of_polars.py").write_text(POLARS)
    (tmp_path / "checks" / "of_arrow.py").write_text(ARROW)
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
        ("of_polars:positive", 3, ["x: greater_than(0)", "small"]),
        ("of_polars:good", 2, ["good"]),
        ("of_arrow:positive", 3, ["x: greater_than(0)", "small"]),
        ("of_arrow:good", 2, ["good"]),
    ],
)
def test_counts(folder: Path, name: str, failing: int, reasons: list[str]) -> None:
    for form, needed in (("of_polars", "polars"), ("of_arrow", "narwhals")):
        if name.startswith(form):
            pytest.importorskip(needed)
    found = measured(folder, name)
    assert found.error is None
    assert (found.values["failing"], found.values["rows"]) == (failing, 6)
    assert [r for r in found.values["reasons"] if r not in reasons] == []


def schemas(form: str) -> dict[str, Any]:
    """The same schemas in one form of pandera."""
    p = importlib.import_module(f"pandera.{form}")
    if form == "pandas":
        number, text = "float64", object
    else:
        types = importlib.import_module(form)
        number, text = (
            (types.Float64, types.String) if form == "polars" else (types.float64(), types.string())
        )

    def column(kind: Any, *checks: Any, **more: Any) -> Any:
        return p.Column(kind, list(checks), **{"nullable": True, **more})

    one = p.DataFrameSchema
    return {
        "range": one({"x": column(number, p.Check.in_range(0, 10))}),
        "nulls": one({"x": column(number, p.Check.gt(0), nullable=False)}),
        "texts": one({"s": column(None, p.Check.str_matches("^a"), p.Check.str_length(2, 2))}),
        "listed": one({"s": column(None, p.Check.isin(["ab", "ac"]))}),
        "few told": one({"x": column(number, p.Check.gt(100, n_failure_cases=1))}),
        "missing": one({"gone": column(number)}),
        "strict": one({"x": column(number)}, strict=True),
        "type": one({"x": column(text)}),
        "key": one({"s": column(None, unique=True)}, metadata={"whole_table": True}),
        "keys": one({"s": column(None)}, unique=["s", "x"], metadata={"whole_table": True}),
        "no": one({"x": column(number, p.Check(lambda rows: False))}),
        "all well": one({"x": column(number, p.Check.lt(1_000))}),
    }


@pytest.mark.parametrize("form", ["polars", "pyarrow"])
def test_a_schema_finds_the_same_rows_in_every_form(form: str) -> None:
    pytest.importorskip("polars" if form == "polars" else "narwhals")
    chunk = pa.table(
        {"x": [1.0, -1.0, None, 50.0, 1.0, 5.0], "s": ["ab", "b", None, "ab", "ab", "ac"]},
        pa.schema([("x", pa.float64()), ("s", pa.string())]),
    )
    said = {}
    for each in (form, "pandas"):
        for name, schema in schemas(each).items():
            whole = pandera_child.is_whole(schema)
            bad, reasons = pandera_child.judge_of(schema, name, whole=whole)(chunk, 10)
            said[each, name] = list(bad), sum(reasons.values())
    for name in schemas(form):
        assert said[form, name] == said["pandas", name], name
    assert said[form, "range"] == ([1, 3], 2)
    assert said[form, "keys"] == ([0, 4], 2)
    assert said[form, "few told"][0] == [0, 1, 3, 4, 5]
    unique = schemas(form)["key"]
    with pytest.raises(pandera_child.NeedsWholeTable, match="s is unique"):
        pandera_child.judge_of(unique, "key", whole=False)


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
        ("mine:number", "neither a schema of pandera nor a function"),
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
