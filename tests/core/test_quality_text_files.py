"""CSV and JSON files: what reads as a row, as a column and as a value of its type, in one scan."""

from __future__ import annotations

import gzip
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp

from contracts_svc.adapters.engines.duckdb import DuckDBEngine
from contracts_svc.adapters.storage import ArrowStorage
from contracts_svc.demo.lake import Lake
from contracts_svc.errors import UserMistake
from contracts_svc.model import Column, Contract
from contracts_svc.quality import text_values
from contracts_svc.runs import Outcome, Result, Run
from tests.core.quality import contract, results, run
from tests.fixtures_s3 import put as put_s3


def text_contract(
    folder: Path,
    kind: str,
    *tables: Mapping[str, Any],
    custom: Mapping[str, Any] | None = None,
    **server: Any,
) -> Contract:
    options = [{"property": k, "value": v} for k, v in (custom or {}).items()]
    place = {"type": "local", "path": f"{folder}/{{table}}/**/*.*"}
    found = {
        "server": "local",
        "format": kind,
        **(server if "type" in server else {**place, **server}),
        **({"customProperties": options} if options else {}),
    }
    return contract(folder, *tables, version="v3.2.0", servers=[found])


def put(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)


def figures(found: Run) -> dict[str, tuple[str, int | None]]:
    """Check -> outcome and failing rows, of what did not pass."""
    return {
        r.check.id: (r.outcome.value, r.failing) for r in found.results if r.outcome is not Outcome.PASSED
    }


ID = {"name": "id", "logicalType": "integer", "required": True, "unique": True}


def test_every_value_of_csv_files_that_does_not_read_is_counted(tmp_path: Path) -> None:
    put(
        tmp_path / "t",
        {
            "a.csv": b"id,name,day,amount\n"
            b"1,x,2026-01-01,1.50\n"
            b"x,y,2026-02-30,1.239\n"
            b'3,"",2026-01-03,2\n'
            b'4,"a,b"\n'
            b"5,q,2026-01-01,1,9\n"
            b"1.7,zz,01/02/2026,-.5\n"
            b"6.0,w,,\n",
            "b.csv.gz": b"amount,id,extra\n5,8,1\n,9,2\n",
        },
    )
    columns = [
        ID,
        {"name": "name", "logicalType": "string", "required": True},
        {"name": "day", "logicalType": "date"},
        {
            "name": "amount",
            "logicalType": "number",
            "physicalType": "DECIMAL(9,2)",
            "logicalTypeOptions": {"minimum": 0},
        },
    ]
    rule = {"type": "sql", "query": "SELECT SUM(amount) FROM t", "mustBe": 8}
    found = run(text_contract(tmp_path, "csv", {"name": "t", "properties": columns, "quality": [rule]}))
    assert figures(found) == {
        "t.extra-column": ("warned", 1),
        "t.readable-lines": ("failed", 2),
        "t.id.value-type": ("failed", 2),
        "t.name.missing-column": ("failed", 1),
        "t.name.required": ("failed", 3),
        "t.day.value-type": ("failed", 2),
        "t.amount.value-type": ("failed", 1),
        "t.amount.minimum": ("failed", 1),
    }
    said = results(found)
    assert said["t.readable-lines"].found == "2 of 9 rows (22.22 %); first line 5 of a.csv: missing columns"
    assert said["t.name.missing-column"].found == "missing from 1 of 2 files, first b.csv.gz"
    # What was written, and not the NULL that it reads as.
    assert [s["id"] for s in said["t.id.value-type"].samples] == ["x", "1.7"]
    assert (found.rows, found.files) == (7, 2)


def test_the_whole_of_a_text_table_is_read_in_one_scan(tmp_path: Path) -> None:
    put(tmp_path / "t", {"a.csv": b"id,name\n1,x\n2,y\n"})
    columns = [{"name": "id", "logicalType": "integer", "required": True}, {"name": "name", "required": True}]
    found = run(text_contract(tmp_path, "csv", {"name": "t", "properties": columns}))
    # The shared scan, and the question which lines it rejected.
    assert (figures(found), found.scans) == ({}, 2)


@pytest.mark.parametrize(
    ("content", "options", "server"),
    [
        (b"id;name\n1;x\n", {"csvDelimiter": ";"}, {}),
        (b"1\tx\n", {"csvDelimiter": "\t", "csvHeader": False}, {}),
        (b"id,name\n1,'x'\n", {"csvQuote": "'"}, {}),
        (b"id,name\n1,x\nNA,NA\n", {"csvNull": "NA"}, {}),
        ("id,name\n1,x\n".encode("utf-16"), {}, {"encoding": "UTF-16"}),
        ("id,näme\n1,x\n".encode("latin-1"), {}, {"encoding": "ISO-8859-1"}),
        (b"\xef\xbb\xbfid,name\r\n1,x\r\n", {}, {}),
        (b"ID,Name\n1,x\n", {}, {}),
    ],
)
def test_csv_as_the_server_says(
    tmp_path: Path, content: bytes, options: Mapping[str, Any], server: Mapping[str, Any]
) -> None:
    put(tmp_path / "t", {"a.csv": content})
    name = "näme" if "ISO-8859-1" in server.values() else "name"
    columns = [
        {"name": "id", "logicalType": "integer"},
        {"name": name, "logicalType": "string", "logicalTypeOptions": {"pattern": "^x$"}},
    ]
    table = {"name": "t", "properties": columns}
    found = run(text_contract(tmp_path, "csv", table, custom=options, **server))
    assert figures(found) == {}


def test_invalid_utf_8_is_a_line_that_cannot_be_read(tmp_path: Path) -> None:
    put(tmp_path / "t", {"a.csv": b"id,name\n1,\xff\xfe\n2,\xc3\xa9\n"})
    columns = [ID, {"name": "name", "logicalType": "string", "logicalTypeOptions": {"maxLength": 1}}]
    found = run(text_contract(tmp_path, "csv", {"name": "t", "properties": columns}))
    assert figures(found) == {"t.readable-lines": ("failed", 1)}
    assert results(found)["t.readable-lines"].found.endswith("line 2 of a.csv: invalid encoding")


@pytest.mark.parametrize(
    ("head", "cause"),
    [(b"id,ID\n1,2\n", "names the column ID twice"), (b'"' + b"x" * 2_000_000, "")],
)
def test_a_head_that_cannot_be_read_is_no_verdict(tmp_path: Path, head: bytes, cause: str) -> None:
    put(tmp_path / "t", {"a.csv": head})
    found = run(text_contract(tmp_path, "csv", {"name": "t", "properties": [ID]}))
    assert {r.outcome for r in found.results} == {Outcome.ERRORED}
    assert cause in found.results[0].reason


def test_a_damaged_gz_file_is_no_verdict(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "a.csv.gz").write_bytes(b"this is not compressed")
    found = run(text_contract(tmp_path, "csv", {"name": "t", "properties": [ID]}))
    assert {r.outcome for r in found.results} == {Outcome.ERRORED}
    assert "damaged" in found.results[0].reason


ADDRESS = {
    "name": "address",
    "logicalType": "object",
    "properties": [
        {"name": "zip", "logicalType": "string", "required": True},
        {"name": "n", "logicalType": "integer"},
    ],
}
TAGS = {
    "name": "tags",
    "logicalType": "array",
    "items": {"logicalType": "string", "required": True, "logicalTypeOptions": {"maxLength": 3}},
}
ITEMS = {
    "name": "items",
    "logicalType": "array",
    "items": {
        "logicalType": "object",
        "properties": [{"name": "p", "logicalType": "integer", "logicalTypeOptions": {"minimum": 0}}],
    },
}
DOCUMENTS = (
    b'{"id":1,"tags":["a",null,5],"address":{"zip":"x","n":1}}',
    b'{"id":"2","tags":null,"address":null}',
    b'{"id":3.0,"tags":"no","address":{"n":"1"},"items":[{"p":-1},{"p":"x"},null],"more":1}',
)
WRONG = {
    "t.extra-column": ("warned", 1),
    "t.id.value-type": ("failed", 1),
    "t.tags.value-type": ("failed", 1),
    "t.tags[].value-type": ("failed", 1),
    "t.tags[].required": ("failed", 1),
    "t.address.zip.required": ("failed", 1),
    "t.address.n.value-type": ("failed", 1),
    "t.items[].p.value-type": ("failed", 1),
    "t.items[].p.minimum": ("failed", 1),
}


@pytest.mark.parametrize(
    ("name", "content", "delimiter"),
    [
        ("a.json", b"\n".join(DOCUMENTS), "new_line"),
        ("a.json.gz", b"\n\n".join(DOCUMENTS), None),
        ("a.json", b"[" + b",\n".join(DOCUMENTS) + b"]", "array"),
        ("a.json", b"[" + b",\n".join(DOCUMENTS) + b"]", None),
    ],
)
def test_every_value_of_json_files_is_read_as_its_type(
    tmp_path: Path, name: str, content: bytes, delimiter: str | None
) -> None:
    put(tmp_path / "t", {name: content})
    server: dict[str, Any] = {"type": "custom", "format": "json", "path": f"{tmp_path}/t/{name}"}
    table = {"name": "t", "properties": [ID, TAGS, ADDRESS, ITEMS]}
    given = text_contract(
        tmp_path, "json", table, **({**server, "delimiter": delimiter} if delimiter else {})
    )
    assert figures(run(given)) == WRONG


def test_documents_that_are_no_objects_are_counted(tmp_path: Path) -> None:
    put(tmp_path / "t", {"a.json": b'{"id":1}\nnot json\n5\n{"id":"\xff"}\n{"id":2}\n'})
    found = run(text_contract(tmp_path, "json", {"name": "t", "properties": [{**ID, "required": False}]}))
    assert figures(found) == {"t.readable-documents": ("failed", 3)}
    assert found.rows == 5


@pytest.mark.parametrize("count", [2, 60_000])
def test_an_array_that_is_cut_off_is_no_verdict(tmp_path: Path, count: int) -> None:
    whole = b"[" + b",\n".join(b'{"id": %d, "pad": "..."}' % n for n in range(count)) + b"]\n"
    given = text_contract(tmp_path, "json", {"name": "t", "properties": [{**ID, "required": False}]})
    put(tmp_path / "t", {"a.json": whole})
    assert figures(run(given)) == {"t.extra-column": ("warned", 1)}
    put(tmp_path / "t", {"a.json": whole[:-2]})
    found = run(given)
    assert {r.outcome for r in found.results} == {Outcome.ERRORED}
    assert "its JSON array does not end" in found.results[0].reason


def test_a_key_that_a_long_json_file_may_have_further_on_is_not_missing(tmp_path: Path) -> None:
    line = b'{"id": %d, "pad": "' + b"x" * 1000 + b'"}\n'
    put(tmp_path / "t", {"a.json": b"".join(line % n for n in range(1200)) + b'{"id": 1200, "late": 7}\n'})
    columns = [ID, {"name": "late", "logicalType": "integer", "logicalTypeOptions": {"maximum": 6}}]
    found = run(text_contract(tmp_path, "json", {"name": "t", "properties": columns}))
    assert figures(found) == {"t.extra-column": ("warned", 1), "t.late.maximum": ("failed", 1)}


def test_partitions_relationships_and_missing_values_of_csv(tmp_path: Path) -> None:
    put(
        tmp_path,
        {
            "t/day=2026-01-01/a.csv": b"id,ref\n1,10\n2,11\n",
            "t/day=2026-01-02/a.csv": b"id,ref\n3,N/A\n4,\n",
            "other/a.csv": b"key,x\n10,1\n",
        },
    )
    ref = {
        "name": "ref",
        "logicalType": "integer",
        "relationships": [{"to": "other.key"}],
        "quality": [
            {"metric": "missingValues", "arguments": {"missingValues": [None, "N/A"]}, "mustBe": 0},
        ],
    }
    day = {"name": "day", "logicalType": "date", "partitioned": True}
    tables = (
        {"name": "t", "properties": [ID, ref, day]},
        {"name": "other", "properties": [{"name": "key", "logicalType": "integer"}, {"name": "x"}]},
    )
    found = run(text_contract(tmp_path, "csv", *tables))
    assert figures(found) == {
        "t.ref.value-type": ("failed", 1),
        "t.ref.missing-values": ("failed", 2),
        "t.relationship.ref->other.key": ("failed", 1),
    }
    orphan: Result = results(found)["t.relationship.ref->other.key"]
    assert orphan.values["orphans"] == [{"value": 11, "rows": 1}]
    assert [b.where for b in orphan.breakdown] == ["day=2026-01-01"]


def test_csv_on_s3(s3_server: Lake) -> None:
    put_s3(s3_server, "texts", "t/a.csv", b"id\n1\nx\n")
    put_s3(s3_server, "texts", "t/b.csv.gz", gzip.compress(b"id\n2\n"))
    server = {"type": "s3", "location": "s3://texts/t/"}
    given = text_contract(Path("unused"), "csv", {"name": "t", "properties": [ID]}, **server)
    access = s3_server.access
    found = run(given, storage=ArrowStorage(access), engine=DuckDBEngine(access))
    assert figures(found) == {"t.id.value-type": ("failed", 1)}


@pytest.mark.parametrize(
    ("kind", "custom", "server", "message"),
    [
        ("avro", {}, {}, "has the format avro, which is not checked"),
        ("csv", {"csvDelimiter": ""}, {}, "csvDelimiter '' is not 1 to 4 characters"),
        ("csv", {"csvQuote": 5}, {}, "csvQuote 5 is not"),
        ("csv", {"csvHeader": "yes"}, {}, "csvHeader 'yes' is not true or false"),
        ("csv", {}, {"encoding": "EBCDIC"}, "the encoding EBCDIC cannot be read"),
        ("json", {}, {"type": "s3", "location": "s3://b/t/", "delimiter": "tab"}, "the delimiter tab"),
    ],
)
def test_what_a_server_says_wrongly_is_the_users_mistake(
    tmp_path: Path, kind: str, custom: Mapping[str, Any], server: Mapping[str, Any], message: str
) -> None:
    given = text_contract(tmp_path, kind, {"name": "t", "properties": [ID]}, custom=custom, **server)
    with pytest.raises(UserMistake, match=message.replace("(", r"\(")):
        run(given)


def test_what_is_classified_is_masked_however_it_is_nested(tmp_path: Path) -> None:
    put(
        tmp_path / "t",
        {"a.json": b'{"p":{"mail":"secret-1"},"l":[{"mail":"secret-2","n":-1}],"m":{"secret-3":-1}}'},
    )
    mail = {"name": "mail", "logicalType": "string", "classification": "personal"}
    limit = {"logicalType": "integer", "logicalTypeOptions": {"minimum": 0}}
    columns = [
        {"name": "p", "logicalType": "object", "logicalTypeOptions": {"minProperties": 2}, "properties": [mail]},
        {"name": "l", "logicalType": "array",
         "items": {"logicalType": "object", "logicalTypeOptions": {"maxProperties": 1},
                   "properties": [mail, {"name": "n", **limit}]}},
        {"name": "m", "logicalType": "map",
         "map": {"key": {"logicalType": "string", "classification": "personal"}, "value": limit}},
    ]  # fmt: skip
    found = run(text_contract(tmp_path, "json", {"name": "t", "properties": columns}))
    bad = [r for r in found.results if r.bad]
    assert {r.check.id for r in bad} == {
        "t.p.min-properties", "t.l[].max-properties", "t.l[].n.minimum", "t.m{value}.minimum",
    }  # fmt: skip
    assert all(r.samples for r in bad)
    assert "secret" not in str(found)


def test_dates_in_the_format_of_their_column(tmp_path: Path) -> None:
    put(tmp_path / "t", {"a.csv": b"d,e\n28.02.2026,x\n30.02.2026,x\n2026-02-28,x\n,\n"})
    day = {
        "name": "d",
        "logicalType": "date",
        "logicalTypeOptions": {"format": "dd.MM.yyyy", "minimum": "2026-01-01"},
    }
    odd = {"name": "e", "logicalType": "date", "logicalTypeOptions": {"format": "QQQ yyyy"}}
    found = run(text_contract(tmp_path, "csv", {"name": "t", "properties": [day, odd]}))
    assert figures(found) == {"t.d.value-type": ("failed", 2)}
    assert [u.what for u in found.unsupported] == ["t.e: format QQQ yyyy"]


def test_keys_into_another_contract_of_another_format(tmp_path: Path) -> None:
    put(tmp_path / "people", {"a.json": b'{"who":{"id":1,"land":"de"}}\n{"who":{"id":2,"land":"at"}}\n'})
    put(tmp_path / "t", {"a.csv": b"person,land\n1,de\n2,de\n,de\n3,at\n"})
    who = {
        "name": "who",
        "logicalType": "object",
        "properties": [{"name": "id", "logicalType": "integer"}, {"name": "land", "logicalType": "string"}],
    }
    other = text_contract(tmp_path, "json", {"name": "people", "properties": [who]})
    columns = [{"name": "person", "logicalType": "integer"}, {"name": "land", "logicalType": "string"}]
    targets = [f"people.yaml#schema/people/properties/who/properties/{name}" for name in ("id", "land")]
    links = [{"type": "foreignKey", "from": ["t.person", "t.land"], "to": targets}]
    given = text_contract(tmp_path, "csv", {"name": "t", "properties": columns, "relationships": links})
    found = run(given, others={"people.yaml": replace(other, id="people")})
    assert not found.unsupported
    (orphans,) = (r for r in found.results if r.check.kind == "relationship")
    # A key of which a part is NULL refers to nothing.
    assert (orphans.outcome, orphans.failing) == (Outcome.FAILED, 2)
    assert [o["value"] for o in orphans.values["orphans"]] == [[2, "de"], [3, "at"]]
    assert {tuple(s.values()) for s in orphans.samples} == {("2", "de"), ("3", "at")}


def is_number(text: str, *, scale: int, below: int) -> bool:
    """Whether a text is a plain decimal number that a type of so many digits holds exactly."""
    try:
        value = Decimal(text.strip(" \t"))
    except InvalidOperation:
        return False
    plain = not {"e", "E", "_"} & set(text)
    return plain and -below <= value < below and value == round(value, scale)


@pytest.mark.parametrize(
    ("column", "reads"),
    [
        (Column(name="x", path="x", logical_type="integer"), partial(is_number, scale=0, below=2**63)),
        (
            Column(name="x", path="x", logical_type="integer", physical_type="TINYINT"),
            partial(is_number, scale=0, below=128),
        ),
        (
            Column(name="x", path="x", logical_type="number", physical_type="DECIMAL(5,2)"),
            lambda text: is_number(text, scale=2, below=1000) and Decimal(text) != -1000,
        ),
    ],
)
def test_the_same_texts_are_numbers_as_in_plain_python(column: Column, reads: Callable[[str], bool]) -> None:
    tests = [
        text_values.is_no_value(exp.column("x"), column, json=False),
        text_values.is_no_value(exp.column("j"), column, json=True),
    ]
    query = exp.select(*tests).from_(
        exp.select(
            exp.alias_(exp.Parameter(this=exp.to_identifier("x")), "x"),
            exp.alias_(exp.cast(exp.Parameter(this=exp.to_identifier("j")), "JSON"), "j"),
        ).subquery("given")
    )
    sql = query.sql(dialect="duckdb").replace("@", "$")
    numbers = (
        st.integers().map(str) | st.decimals(-1200, 1200, places=3).map(str) | st.integers(-200, 200).map(str)
    )
    verdicts: Counter[bool] = Counter()
    with duckdb.connect() as connection:

        @settings(max_examples=300, deadline=None)
        @given(numbers | st.text("0129.-+ex", max_size=6))
        def compare(text: str) -> None:
            is_json = re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?", text) is not None
            given_json = text if is_json else "null"
            row = connection.execute(sql, {"x": text, "j": given_json}).fetchone()
            assert row is not None
            assert row[0] is not reads(text), text
            assert row[1] is (is_json and not reads(text)), text
            verdicts[bool(row[0])] += 1

        compare()
    assert min(verdicts[True], verdicts[False]) > 20


@pytest.mark.parametrize(
    ("first_line", "extra"),
    [
        (",id,name", "column0"),
        ("id,name,", "column2"),
        ("id,name,,", "column2, column3"),
        ("id,name,column3,", "column3, column3_"),
    ],
)
def test_columns_of_csv_files_without_a_name(tmp_path: Path, first_line: str, extra: str) -> None:
    """As pandas writes an index, and spreadsheets what is beside the table."""
    cells = {"id": "1", "name": "x"}
    row = ",".join(cells.get(name, "9") for name in first_line.split(","))
    put(tmp_path / "t", {"a.csv": f"{first_line}\n{row}\n".encode()})
    columns = [{"name": "id", "logicalType": "integer", "required": True}, {"name": "name", "required": True}]
    found = run(text_contract(tmp_path, "csv", {"name": "t", "properties": columns}))
    assert figures(found) == {"t.extra-column": ("warned", extra.count(",") + 1)}
    assert results(found)["t.extra-column"].found == f"extra: {extra}"


def test_keys_of_json_documents_without_a_name(tmp_path: Path) -> None:
    put(tmp_path / "t", {"a.json": b'{"id": 1, "": 2}\n{"id": null, "": {}}\n'})
    columns = [{"name": "id", "logicalType": "integer", "required": True}]
    found = run(text_contract(tmp_path, "json", {"name": "t", "properties": columns}))
    assert figures(found) == {"t.id.required": ("failed", 1)}


def test_lines_that_end_in_different_ways_are_told(tmp_path: Path) -> None:
    put(tmp_path / "t", {"a.csv": b"id,name\r\n1,x\r\n2,y\n3,z\r"})
    columns = [{"name": "id", "logicalType": "integer", "required": True}]
    said = results(run(text_contract(tmp_path, "csv", {"name": "t", "properties": columns})))
    assert said["t.id.required"].outcome is Outcome.ERRORED
    assert {"line ends" in r.reason for r in said.values() if r.outcome is Outcome.ERRORED} == {True}
    assert said["t.id.missing-column"].outcome is Outcome.PASSED


def test_a_first_line_that_breaks_off(tmp_path: Path) -> None:
    """Where nobody says that each line is a document, it may be the first of many lines of one."""
    put(tmp_path / "t", {"a.json": b'{"id": 1,\n{"id": 2}\n{"id": 3}\n'})
    columns = [{"name": "id", "logicalType": "integer"}]
    said = results(run(text_contract(tmp_path, "json", {"name": "t", "properties": columns})))
    assert said["t.readable-documents"].outcome is Outcome.ERRORED
    assert "JSON that breaks off" in said["t.readable-documents"].reason
    assert "delimiter: new_line" in said["t.readable-documents"].reason


def test_a_first_line_that_breaks_off_is_counted_where_lines_are_documents(
    tmp_path: Path, s3_server: Lake
) -> None:
    put_s3(s3_server, "lines", "t/a.json", b'{"id": 1,\n{"id": 2}\n{"id": 3}\n')
    server = {"type": "s3", "location": "s3://lines/t/*.json", "delimiter": "new_line"}
    given = text_contract(
        tmp_path, "json", {"name": "t", "properties": [{"name": "id", "logicalType": "integer"}]}, **server
    )
    access = s3_server.access
    found = run(given, storage=ArrowStorage(access), engine=DuckDBEngine(access))
    assert figures(found) == {"t.readable-documents": ("failed", 1)}
