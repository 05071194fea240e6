"""A first contract from data: where it lies, how it is read, what its columns are, and how that is written."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from contracts_svc import odcs
from contracts_svc.errors import UserMistake
from contracts_svc.files import Bounds, DataFile, Footer, Reading, StoredColumn, hive_partition
from contracts_svc.model import Column
from contracts_svc.odcs.write import scalar
from contracts_svc.onboard import (
    FirstLook,
    contract_text,
    csv_reading,
    format_of,
    glob_of,
    name_of,
    of_structure,
    partition_columns,
    stored_columns,
)
from tests.core.odcs_texts import SCHEMA_OF


def files(*paths: str) -> list[DataFile]:
    return [DataFile(path=p, size=1, partition=hive_partition(p)) for p in paths]


PLACES = [
    # what was named, the files below it, the pattern
    ("orders", "/w/orders", ["a.parquet", "b.parquet"], "orders/*.parquet"),
    ("orders/", "/w/orders", ["day=1/a.parquet", "day=2/a.parquet"], "orders/day=*/*.parquet"),
    ("o", "/w/o", ["y=1/m=1/a.csv", "y=1/m=2/a.csv.gz"], "o/y=*/m=*/*.csv*"),
    ("o", "/w/o", ["a.csv", "x/b.csv"], "o/**/*.csv"),
    ("o", "/w/o", ["2024/a.json", "2025/a.json"], "o/*/*.json"),
    ("o", "/w/o", ["raw/a.json", "raw/b.json"], "o/raw/*.json"),
    ("o", "/w/o", ["a.json", "b.jsonl"], "o/*.json*"),
    ("o", "/w/o", ["a.json", "b.ndjson"], "o/*"),
    ("o", "/w/o", ["part-0", "part-1"], "o/*"),
    ("s3://b/o/", "s3://b/o", ["day=1/a.parquet"], "s3://b/o/day=*/*.parquet"),
]


@pytest.mark.parametrize(("given", "base", "names", "pattern"), PLACES)
def test_a_folder_becomes_the_pattern_of_its_files(
    given: str, base: str, names: list[str], pattern: str
) -> None:
    found = files(*(f"{base}/{n}" for n in names))
    _, endings = format_of(found, given)
    assert glob_of(given, base, found, endings) == pattern


NAMES = [
    ("/w/data/orders", "orders"),
    ("b/lake/orders/day=*/*.parquet", "orders"),
    ("/w/orders-2024_*.csv.gz", "orders_2024"),
    ("/w/Größen.csv", "Gr_en"),
    ("/w/day=1/**/*.json", "w"),
    ("/*", "table"),
]


@pytest.mark.parametrize(("address", "name"), NAMES)
def test_a_table_is_called_after_its_folder_or_file(address: str, name: str) -> None:
    assert name_of(address) == name


def test_what_is_no_table_is_a_mistake() -> None:
    for paths, told in (
        ([], "no file at data"),
        (["data/a.md", "data/b.txt"], "no file whose format is known by its name: a.md, b.txt"),
        (["data/a.csv", "data/b.parquet", "data/c.csv"], "several formats: 2 csv, 1 parquet"),
    ):
        with pytest.raises(UserMistake, match=told) as wrong:
            format_of(files(*paths), "data")
        assert wrong.value.problems[0].hint
    assert format_of(files("data/a.csv", "data/readme.md"), "data") == ("csv", (".csv",))


LINES = [
    ("a,b,c", ",", True),
    ("a;b,c;d", ";", True),
    ("a\tb", "\t", True),
    ("a|b|c", "|", True),
    ('"a,b,c";d', ";", True),
    ("alone", ",", True),
    ("1,2026-01-01,x", ",", False),
    ("id,2026,2027", ",", False),
    ("id,q1 2026", ",", True),
    ("", ",", True),
]


@pytest.mark.parametrize(("line", "delimiter", "header"), LINES)
def test_a_first_line_says_how_a_csv_file_is_read(line: str, delimiter: str, header: bool) -> None:
    found = csv_reading(line)
    assert (found.delimiter, found.header) == (delimiter, header)


def footer(rows: int, bounds: Mapping[str, int | None] = {}, **columns: str) -> Footer:
    stored = tuple(
        StoredColumn(name=n, type=t.removesuffix("!"), nullable=not t.endswith("!"))
        for n, t in columns.items()
    )
    known = {name: Bounds(nulls=nulls) for name, nulls in bounds.items()}
    return Footer(file=files("a")[0], rows=rows, columns=stored, bounds=known)


def test_required_is_what_every_file_proves() -> None:
    columns, notes = stored_columns(
        [
            footer(2, {"a": 0, "b": 0, "c": 0}, a="BIGINT", b="DATE", c="VARCHAR", d="BOOLEAN!", e="DOUBLE"),
            footer(2, {"a": 0, "b": 1, "c": 0}, a="BIGINT", b="DATE", d="BOOLEAN!", e="DOUBLE"),
            footer(0, a="BIGINT", b="DATE", d="BOOLEAN!", e="DOUBLE", f="TIME"),
        ]
    )
    assert {c.name: c.required for c in columns} == {
        "a": True, "b": False, "c": False, "d": True, "e": False, "f": False,
    }  # fmt: skip
    assert notes == {"c": "in 1 of 3 files", "f": "in 1 of 3 files"}


TYPES = [
    (("BIGINT",), "integer", "BIGINT"),
    (("BIGINT", "INTEGER"), "integer", None),
    (("BIGINT", "DECIMAL(9,2)", "DOUBLE"), "number", None),
    (("BIGINT", "VARCHAR"), None, None),
    (("DECIMAL(9,2)",), "number", "DECIMAL(9,2)"),
    (("UUID",), "string", "UUID"),
    (("BLOB",), "string", "BLOB"),
    (("INTERVAL",), None, "INTERVAL"),
    (("MAP(VARCHAR, INTEGER)",), None, "MAP(TEXT, INT)"),
    (("TIMESTAMP_NS",), "timestamp", "TIMESTAMP_NS"),
    (("STRUCT(a INTEGER, b VARCHAR[])",), "object", None),
    (("no such type (",), None, None),
]


@pytest.mark.parametrize(("kinds", "logical", "physical"), TYPES)
def test_stored_types(kinds: tuple[str, ...], logical: str | None, physical: str | None) -> None:
    ((column,), notes) = stored_columns([footer(1, a=kind) for kind in kinds])
    assert (column.logical_type, column.physical_type) == (logical, physical)
    assert ("TODO" in notes.get("a", "")) is (len(kinds) > 1)


def test_the_structure_of_json_documents() -> None:
    found = of_structure(
        "a", "a", {"x": "UBIGINT", "y": ["NULL"], "z": [{"t": "VARCHAR", "m": "JSON"}], "b": "BOOLEAN"}
    )
    x, y, z, b = found.columns
    assert (found.logical_type, x.logical_type, b.logical_type) == ("object", "integer", "boolean")
    assert (y.logical_type, y.items) == ("array", None)
    assert z.items is not None
    assert [(c.path, c.logical_type) for c in z.items.columns] == [("a.z[].t", "string"), ("a.z[].m", None)]


KEYS = [
    (("1", "12"), "integer"),
    (("01", "12"), "string"),
    (("2026-01-01", "2026-11-24"), "date"),
    (("2026-01-01", "2026-02-30"), "string"),
    (("1", "x"), "string"),
    (("1", "__HIVE_DEFAULT_PARTITION__"), "integer"),
    (("__HIVE_DEFAULT_PARTITION__",), "string"),
    (("1" * 19,), "string"),
]


@pytest.mark.parametrize(("values", "logical"), KEYS)
def test_keys_in_the_path_are_what_all_of_them_are(values: tuple[str, ...], logical: str) -> None:
    (key,) = partition_columns(files(*(f"t/k={v}/a.parquet" for v in values)))
    assert (key.logical_type, key.partitioned, key.partition_key_position) == (logical, True, 1)
    mixed = partition_columns(files("t/k=1/j=2/a.parquet", "t/j=1/a.parquet"))
    assert [c.name for c in mixed] == ["j"]


ANY_NAME = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=20
)


@given(ANY_NAME, ANY_NAME)
def test_any_name_and_note_is_written_so_that_it_is_read_back(name: str, note: str) -> None:
    assert yaml.safe_load(scalar(name)) == name
    assert "\n" not in scalar(name)
    columns = (Column(name=name, path=name, logical_type="string", required=True),)
    look = FirstLook(
        location="a b: #c/*.csv", remote=False, reading=Reading(format="csv", delimiter=";", header=False),
        files=1, rows=2, columns=columns, notes={name: note},
    )  # fmt: skip
    document = yaml.safe_load(contract_text("t", look))
    ((column,),) = (table["properties"] for table in document["schema"])
    assert column == {"name": name, "logicalType": "string", "required": True}
    assert document["servers"][0]["path"] == "a b: #c/*.csv"


def test_the_whole_of_it() -> None:
    columns = (
        Column(name="id", path="id", logical_type="integer", physical_type="BIGINT", required=True),
        Column(name="day", path="day", logical_type="date", partitioned=True, partition_key_position=1),
    )
    look = FirstLook(
        location="s3://b/t/day=*/*.parquet", remote=True, reading=Reading(), files=1_200, rows=1,
        columns=columns, notes={"id": "is it the key?"},
    )  # fmt: skip
    text = contract_text("orders", look)
    assert text == contract_text("orders", look)
    assert text.startswith("# Made by `contracts init` of 1,200 files with 1 row.\n")
    assert "      - name: id  # is it the key?\n        logicalType: integer\n" in text
    contract = odcs.read(text.encode(), "orders.odcs.yaml", SCHEMA_OF)
    assert contract.servers[0].fields["location"] == "s3://b/t/day=*/*.parquet"
    (table,) = contract.tables
    assert [(c.name, c.logical_type, c.required, c.partitioned) for c in table.columns] == [
        ("id", "integer", True, False),
        ("day", "date", False, True),
    ]
