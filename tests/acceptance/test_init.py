"""`contracts init`: data without a contract gets one that is valid, and that the data keeps."""

from __future__ import annotations

import datetime as dt
import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from contracts_svc.cli.main import main
from contracts_svc.demo.lake import Lake
from tests.fixtures_s3 import put
from tests.support import case_rows, shared


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONTRACTS_STATES_FILE", "")
    return tmp_path


def made(path: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The contract of this data, once it was seen that it lints, and that the data keeps it."""
    assert main(["init", path, "--force", "--format", "json"]) == 0, capsys.readouterr()
    (told,) = json.loads(capsys.readouterr().out)["contracts"]
    assert main(["lint", told["file"], "--format", "json"]) == 0
    linted = json.loads(capsys.readouterr().out)
    assert {f["rule"] for f in linted["findings"]} == {"lint-owner", "lint-support"}, "only people know these"
    assert main(["check", told["file"]]) == 0, capsys.readouterr().out
    text = Path(told["file"]).read_text()
    assert main(["init", path, "--output", "-"]) == 0
    assert capsys.readouterr().out.endswith(text), "it is the same each time"
    document: dict[str, Any] = yaml.safe_load(text)
    return document | {"told": told, "text": text}


def columns(document: dict[str, Any]) -> dict[str, tuple[str | None, bool]]:
    (table,) = document["schema"]
    return {c["name"]: (c.get("logicalType"), c.get("required", False)) for c in table["properties"]}


def write_parquet(folder: Path) -> None:
    for day in (1, 2, 11):
        file = folder / f"day=2026-11-{day:02}" / "part.parquet"
        file.parent.mkdir(parents=True)
        rows = {
            "id": [day * 100 + n for n in range(60)],
            "name": ["x", None] * 30,
            "at": [dt.datetime(2026, 1, 1, tzinfo=dt.UTC)] * 60,
            "tags": [["a", None]] * 60,
            "who": [{"first name": "ada", "age": 36}] * 60,
            "pairs": pa.array([[("k", 1)]] * 60, pa.map_(pa.string(), pa.int64())),
            "raw": [b"\x00"] * 60,
            "odd: name #1": [1.5] * 60,
        }
        pq.write_table(pa.table(rows), file)


def test_a_folder_of_parquet_files(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_parquet(here / "orders")
    (here / "orders/_SUCCESS").write_text("")
    (here / "orders/readme.md").write_text("of no concern")
    found = made("orders", capsys)
    assert found["servers"][0]["path"] == "orders/day=*/*.parquet"
    assert columns(found) == {
        "id": ("integer", True),
        "name": ("string", False),
        "at": ("timestamp", True),
        "tags": ("array", False),
        "who": ("object", False),
        "pairs": (None, False),
        "raw": ("string", True),
        "odd: name #1": ("number", True),
        "day": ("date", False),
    }
    assert "- name: id  # no value comes twice in the 180 rows: is it the key?" in found["text"]
    assert (found["told"]["rows"], found["told"]["files"]) == (180, 3)


CSV = """\
id,zip,price,day,at,ok,note,nothing
1,01234,1.5,2026-01-01,2026-01-01T10:00:00Z,true,"a, b",
2,98765,2,2026-01-02,2026-01-01 10:00:00,false,,
"""


def test_csv_files_with_types_read_off_their_values(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "orders").mkdir()
    (here / "orders/a.csv").write_text(CSV)
    with gzip.open(here / "orders/b.csv.gz", "wt") as file:
        file.write(CSV.replace("1.5", "1e3"))
    found = made("orders", capsys)
    assert found["servers"][0]["path"] == "orders/*.csv*"
    assert columns(found) == {
        "id": ("integer", True),
        "zip": ("string", True),
        "price": ("number", True),
        "day": ("date", True),
        "at": ("timestamp", True),
        "ok": ("boolean", True),
        "note": ("string", False),
        "nothing": ("string", False),
    }
    assert "- name: nothing  # TODO" in found["text"]


CSV_WAYS = [
    # the bytes, the columns, what the server says besides
    (b"a;b\n1;x,y\n", {"a": ("integer", True), "b": ("string", True)}, {"csvDelimiter": ";"}),
    (b"a\tb\n1\tx\n", {"a": ("integer", True), "b": ("string", True)}, {"csvDelimiter": "\t"}),
    (b"1,2026-01-01\n2,\n", {"column0": ("integer", True), "column1": ("date", False)}, {"csvHeader": False}),
    ("straße,n\nKöln,1\n".encode("latin-1"), {"straße": ("string", True), "n": ("integer", True)}, {}),
    ("a,b\nx,1\n".encode("utf-16"), {"a": ("string", True), "b": ("integer", True)}, {}),
    (b"\xef\xbb\xbfa,b\r\nx,1\r\n", {"a": ("string", True), "b": ("integer", True)}, {}),
]


@pytest.mark.parametrize(("content", "expected", "options"), CSV_WAYS)
def test_csv_files_are_read_in_the_way_that_they_are_written(
    content: bytes,
    expected: dict[str, tuple[str, bool]],
    options: dict[str, Any],
    here: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (here / "t.csv").write_bytes(content)
    found = made("t.csv", capsys)
    assert columns(found) == expected
    custom = found["servers"][0].get("customProperties", [])
    assert {c["property"]: c["value"] for c in custom} == options


def test_json_documents_with_what_is_nested(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    documents: list[dict[str, Any]] = [
        {"id": 1, "at": "2026-01-01T00:00:00Z", "tags": ["a"], "who": {"n": "x"}, "mixed": 1, "none": None},
        {"id": 2.5, "at": "2026-01-02T00:00:00Z", "tags": [], "who": {"m": 1}, "mixed": "a", "zip": "01234"},
    ]
    (here / "events.jsonl").write_text("\n".join(map(json.dumps, documents)))
    found = made("events.jsonl", capsys)
    assert columns(found) == {
        "id": ("number", True),
        "at": ("timestamp", True),
        "tags": ("array", True),
        "who": ("object", True),
        "mixed": (None, True),
        "none": (None, False),
        "zip": ("string", False),
    }
    (here / "array.json").write_text(json.dumps(documents))
    assert columns(made("array.json", capsys)) == columns(found)


def test_of_many_rows_only_the_first_are_read_and_that_is_said(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"{n},x" for n in range(100_000)]
    (here / "t.csv").write_text("\n".join(["id,s", *rows, "last,", ""]))
    assert main(["init", "t.csv", "--format", "json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)["contracts"]
    assert (told["rows"], told["sampled"], told["required"]) == (None, 100_000, 0)
    text = Path("t.odcs.yaml").read_text()
    assert "# Types were read off the first 100,000 rows" in text
    assert "no NULL in the first 100,000 rows: is it required?; no value comes twice in the first" in text
    assert main(["check", "t.odcs.yaml"]) == 1, "what comes later is for the check to find"


@pytest.mark.parametrize("kind", ["delta", "iceberg"])
def test_tables_that_have_a_log(kind: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = pa.table({"id": [1, 2], "s": ["a", None]})
    if kind == "delta":
        from deltalake import write_deltalake

        write_deltalake(str(here / "t"), table)
    else:
        from pyiceberg.catalog.sql import SqlCatalog

        catalog = SqlCatalog("c", uri=f"sqlite:///{here}/c.db", warehouse=f"file://{here}/w")
        catalog.create_namespace("n")
        catalog.create_table("n.t", schema=table.schema, location=f"file://{here}/t").append(table)
    found = made("t", capsys)
    assert found["servers"][0]["format"] == kind
    assert columns(found) == {"id": ("integer", True), "s": ("string", False)}


def test_on_s3(
    s3_server: Lake, here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    access = s3_server.access
    for name, value in (
        ("ENDPOINT", access.endpoint),
        ("ACCESS_KEY", access.access_key),
        ("SECRET_KEY", access.secret_key),
    ):
        monkeypatch.setenv(f"CONTRACTS_S3_{name}", value)
    write_parquet(here / "local")
    for file in (here / "local").rglob("*.parquet"):
        put(s3_server, "first", f"lake/orders/{file.parent.name}/a.parquet", file)
    found = made("s3a://first/lake/orders/", capsys)
    assert found["servers"][0]["location"] == "s3a://first/lake/orders/day=*/*.parquet"
    assert (found["told"]["file"], found["told"]["rows"]) == ("orders.odcs.yaml", 180)
    assert main(["init", "s3://first/nowhere/"]) == 2


def test_nothing_is_written_over_unless_it_may_be(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "a.csv").write_text("x,y\n1,2\n")
    (here / "b.csv").write_text("z\n1\n")
    (here / "b.odcs.yaml").write_text("mine")
    assert main(["init", "a.csv", "b.csv"]) == 2
    assert "b.odcs.yaml is there already" in capsys.readouterr().err
    assert not (here / "a.odcs.yaml").exists(), "all or nothing"
    assert main(["init", "a.csv", "b.csv", "--force"]) == 0
    assert "name: z" in (here / "b.odcs.yaml").read_text()
    assert main(["init", "a.csv", "--output", "no/such/folder.yaml"]) == 2
    assert main(["init", "a.csv", "--output", "other.odcs.yaml"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("contracts check other.odcs.yaml")


def test_files_of_one_table_that_a_shell_named_one_by_one(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "data").mkdir()
    for n in (1, 2):
        (here / f"data/{n}.csv").write_text("x,y\n1,2\n")
    assert main(["init", "data/1.csv", "data/2.csv"]) == 2
    assert "contracts init 'data/*.csv'" in capsys.readouterr().err
    assert columns(made("data/*.csv", capsys)) == {"x": ("integer", True), "y": ("integer", True)}


MISTAKES = [
    (["gone"], 2, "no file at gone"),
    (["empty.csv"], 2, "has no columns"),
    (["words.json"], 2, "has no columns"),
    (["bad.parquet"], 3, "not a Parquet file"),
    (["twice.csv"], 3, "names the column a twice"),
    (["notes.txt"], 2, "no file whose format is known by its name: notes.txt"),
    (["ftp://x/y"], 2, "scheme that cannot be read"),
    (["good.csv", "bad.parquet", "--output", "x"], 2, "--output x is one file"),
    (["good.csv", "--output", "-", "--format", "json"], 2, "leave one out"),
]


@pytest.mark.parametrize(("argv", "code", "told"), MISTAKES)
def test_what_cannot_be_done_is_told(
    argv: list[str], code: int, told: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in (
        ("empty.csv", ""), ("words.json", "no documents"), ("bad.parquet", "x"), ("twice.csv", "a,a\n1,2\n"),
        ("notes.txt", "x"), ("good.csv", "a\n1\n"),
    ):  # fmt: skip
        (here / name).write_text(text)
    assert main(["init", *argv]) == code
    captured = capsys.readouterr()
    assert told in captured.err + captured.out
    assert list(here.glob("*.odcs.yaml")) == []


def test_files_of_many_writers_keep_the_contract_made_of_them(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Apache's own collection of unusual Parquet files: what can be checked, keeps its own contract."""
    ends: Counter[str] = Counter()
    for row in case_rows("parquet_files"):
        path = shared("cases") / row["file"]
        code = main(["init", str(path), "--output", "c.odcs.yaml", "--force"])
        capsys.readouterr()
        if code:
            assert code == 3, path
            ends["unreadable"] += 1
            continue
        assert main(["lint", "c.odcs.yaml"]) == 0, path
        capsys.readouterr()
        code = main(["check", "c.odcs.yaml"])
        out = capsys.readouterr().out
        assert code in (0, 3), f"{path}: {out}"
        ends["kept" if code == 0 else "not checked"] += 1
    assert ends.keys() == {"kept", "unreadable"}
    assert ends["kept"] > ends["unreadable"]
