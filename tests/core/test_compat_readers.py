"""Findings on types name the readers that keep or break, where readers differ."""

from __future__ import annotations

import pytest

from contracts_svc.compat.diff import diff
from contracts_svc.compat.modes import Mode
from contracts_svc.compat.physical import parse
from contracts_svc.compat.readers import differing, keeps, readers_of
from contracts_svc.compat.rules import judge
from contracts_svc.findings import Severity
from contracts_svc.model import Column, Contract, Server, Table

ALL = ("DuckDB", "pyarrow", "Spark")


def contract(type_: str, *formats: str, server: str = "s3") -> Contract:
    servers = tuple(Server(server=f, type=server, fields={"format": f}) for f in formats)
    table = Table(name="t", columns=(Column(name="c", path="c", physical_type=type_),))
    return Contract(api_version="v3.1.0", id="c", version="1.0.0", tables=(table,), servers=servers)


def told(
    old: str, new: str, *formats: str, mode: Mode = Mode.BACKWARD, server: str = "s3"
) -> dict[str, tuple[str, str]]:
    before, after = contract(old, *formats, server=server), contract(new, *formats, server=server)
    found = judge(diff(before, after), before, after, mode)
    return {f.rule: (f.severity.value, f.message) for f in found if f.change and f.change.table}


@pytest.mark.parametrize(
    ("formats", "expected"),
    [
        ((), ()),
        (("csv",), ()),
        (("parquet",), ALL),
        (("Parquet", "csv"), ALL),
        (("avro",), ("fastavro",)),
        (("avro", "parquet"), (*ALL, "fastavro")),
    ],
)
def test_readers_are_those_of_the_formats(formats: tuple[str, ...], expected: tuple[str, ...]) -> None:
    assert readers_of(contract("INT", *formats)) == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("INT", "BIGINT", ""),
        ("BIGINT", "INT", ""),
        ("INT", "VARCHAR", ""),
        ("frob", "INT", ""),
        ("DECIMAL(15,0)", "BIGINT", "DuckDB and pyarrow keep every value, Spark breaks"),
        ("UINTEGER[]", "DOUBLE[]", "DuckDB and pyarrow keep every value, Spark breaks"),
        ("STRUCT(a INT)", "MAP(VARCHAR, INT)", "DuckDB keeps every value, pyarrow and Spark break"),
    ],
)
def test_readers_are_told_where_they_do_not_all_do_as_the_lattice_says(
    old: str, new: str, expected: str
) -> None:
    assert differing(ALL, parse(old, "duckdb"), parse(new, "duckdb")) == expected


def test_where_all_agree_nobody_is_named() -> None:
    assert told("INT", "BIGINT", "parquet") == {"type-widened": ("info", "t.c: type INT -> BIGINT (widened)")}


def test_a_widening_that_a_reader_cannot_read_is_an_error_backward_only() -> None:
    found = told("SMALLINT", "DECIMAL(9,0)", "parquet")
    assert found["widening-not-read"][0] == "error"
    assert "DuckDB and pyarrow keep every value, Spark breaks" in found["widening-not-read"][1]
    assert told("SMALLINT", "DECIMAL(9,0)", "parquet", mode=Mode.FORWARD)["widening-not-read"][0] == "info"
    assert "widening-not-read" not in told("SMALLINT", "DECIMAL(9,0)", "csv")


@pytest.mark.parametrize(
    ("old", "new"), [("fixed(4)", "bytes"), ("enum", "string"), ("int", "decimal(12,2)"), ("null", "string")]
)
def test_what_avro_does_not_promote_is_an_error(old: str, new: str) -> None:
    found = told(old, new, "avro", server="kafka")
    assert found["widening-not-read"] == (
        "error",
        f"t.c: reading old data of type {old} as {new}, fastavro breaks",
    )


def test_a_reader_that_keeps_what_others_would_lose_is_named_too() -> None:
    severity, message = told("timestamp-millis", "timestamp-micros", "avro", server="kafka")[
        "type-reinterpreted"
    ]
    assert severity == "error"
    assert message.endswith(
        "(reinterpreted); reading old data as timestamp-micros, fastavro keeps every value; "
        "reading new data as timestamp-millis, fastavro keeps every value"
    )


def test_an_unknown_type_is_never_silent() -> None:
    assert told("frob", "INT", "parquet") == {
        "type-unknown": ("warning", "t.c: type frob -> INT (unknown type, compared by name)")
    }
    spelt = contract("frob", "parquet"), contract("FROB", "parquet")
    (finding,) = (f for f in judge(diff(*spelt), *spelt) if f.rule == "physical-type-changed")
    assert finding.severity is Severity.INFO
    assert finding.why.startswith("unknown type, compared by name")


def test_a_reader_nobody_measured_does_as_the_lattice_says() -> None:
    assert keeps("Impala", parse("INT", "duckdb"), parse("BIGINT", "duckdb"))
    assert not keeps("Impala", parse("BIGINT", "duckdb"), parse("INT", "duckdb"))
