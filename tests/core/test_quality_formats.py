"""What has a format, compared with other readers of it and with the examples of its standard."""

from __future__ import annotations

import base64
import ipaddress
import json
import uuid
from collections.abc import Callable
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts_svc.quality import date_formats, formats
from contracts_svc.runs import Outcome
from tests.core.quality import contract, results, run, write
from tests.support import DATA

EXAMPLES = json.loads((DATA / "quality" / "formats.json").read_text(encoding="utf-8"))


def failing(folder: Path, column: dict[str, Any], kind: str, values: list[str | None]) -> list[str | None]:
    """The values that the check finds wrong."""
    write(folder / "t" / "a.parquet", {"x": [kind, *values]})
    given_contract = contract(
        folder, {"name": "t", "properties": [{"name": "x", **column}]}, version="v3.2.0"
    )
    result = results(run(given_contract, samples=1000))["t.x.format"]
    assert result.outcome in (Outcome.PASSED, Outcome.FAILED), result.reason
    found = [s["x"] for s in result.samples]
    assert len(found) == result.failing
    return found


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_the_examples_of_each_format(tmp_path: Path, name: str) -> None:
    good, bad = EXAMPLES[name]["good"], EXAMPLES[name]["bad"]
    column = {"logicalType": "string", "logicalTypeOptions": {"format": name}}
    assert failing(tmp_path, column, "VARCHAR", [*good, *bad, None]) == bad
    assert len(good) >= 3
    assert len(bad) >= 3


def test_every_format_has_examples() -> None:
    assert formats.FORMATS.keys() <= EXAMPLES.keys()


def reads(reader: Callable[[str], object]) -> Callable[[str], bool]:
    def read(text: str) -> bool:
        try:
            reader(text)
        except ValueError:
            return False
        return True

    return read


def canonical(text: str) -> None:
    if str(uuid.UUID(text)) != text.lower():
        raise ValueError(text)


PEERS: dict[str, tuple[st.SearchStrategy[str], Callable[[str], bool]]] = {
    "ipv4": (st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){2,4}", fullmatch=True), reads(ipaddress.IPv4Address)),
    "ipv6": (
        st.from_regex(r"[0-9a-f:]{2,24}(:[0-9]{1,3}(\.[0-9]{1,3}){3})?", fullmatch=True)
        | st.ip_addresses(v=6).map(str),
        reads(ipaddress.IPv6Address),
    ),
    "uuid": (
        st.uuids().map(str) | st.text("0af-", min_size=36, max_size=36),
        lambda text: text.count("-") == 4 and reads(canonical)(text),
    ),
    "date": (st.from_regex(r"(2024|1900)-[01][0-9]-[0-3][0-9]", fullmatch=True), reads(date.fromisoformat)),
    "byte": (
        st.binary(max_size=9).map(lambda b: base64.b64encode(b).decode()) | st.text("aB+/=", max_size=9),
        lambda text: len(text) % 4 == 0 and reads(partial(base64.b64decode, validate=True))(text),
    ),
    "date-time": (
        st.datetimes().map(lambda d: d.isoformat() + "Z")
        | st.from_regex(r"2023-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:00\+0[0-9]:[0-5]0", fullmatch=True),
        reads(datetime.fromisoformat),
    ),
}


@pytest.mark.parametrize("name", sorted(PEERS))
def test_the_same_as_the_standard_library(name: str) -> None:
    texts, peer = PEERS[name]
    known = formats.FORMATS[name]
    query = "SELECT regexp_full_match($t, $p) AND ($d = '' OR TRY_CAST(regexp_extract($t, $d, 1) AS DATE) IS NOT NULL)"
    verdicts = set()
    with duckdb.connect() as connection:

        @settings(max_examples=150, deadline=None)
        @given(texts)
        def compare(text: str) -> None:
            found = connection.execute(query, {"t": text, "p": known.pattern, "d": known.day}).fetchone()
            assert found is not None
            verdicts.add(found[0])
            assert found[0] is peer(text)

        compare()
    assert verdicts == {True, False}


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        ("yyyy-MM-dd", ["2026-02-28"], ["2026-02-30", "2026-2-3", "26-02-03", "2026-02-28 "]),
        ("dd.MM.yyyy", ["28.02.2026"], ["2026-02-28", "30.02.2026"]),
        ("M/d/yyyy", ["2/3/2026", "12/31/2026"], ["02/03/2026", "2/30/2026"]),
        ("yyyyMMdd", ["20260228"], ["20260230", "2026-02-28"]),
        ("dd-MMM-yyyy", ["28-Feb-2026"], ["28-02-2026", "28-FEB-2026"]),
        ("yyyy-MM-dd'T'HH:mm:ssXXX", ["2026-02-28T23:59:59Z", "2026-02-28T23:59:59+02:00"], ["2026-02-28T23:59:59"]),
        ("yyyy-MM-dd HH:mm:ss.SSS", ["2026-02-28 00:00:00.123"], ["2026-02-28 24:00:00.000", "2026-02-28 00:00:00.1"]),
        ("HH:mm:ss", ["23:59:59"], ["24:00:00", "7:00:00"]),
    ],
)  # fmt: skip
def test_strings_that_are_dates_in_a_java_pattern(
    tmp_path: Path, pattern: str, good: list[str], bad: list[str]
) -> None:
    column = {"logicalType": "string", "logicalTypeOptions": {"format": pattern}}
    assert failing(tmp_path, column, "VARCHAR", [*good, *bad, None]) == bad


@pytest.mark.parametrize("pattern", ["yyyy-QQ", "yyyy[-MM]", "yyyy'", ""])
def test_patterns_that_cannot_be_checked_say_why(pattern: str) -> None:
    assert isinstance(date_formats.read(pattern), str)


@pytest.mark.parametrize(
    ("name", "kind", "good", "bad"),
    [
        ("i8", "BIGINT", ["-128", "127"], ["-129", "128"]),
        ("u8", "INTEGER", ["0", "255"], ["-1", "256"]),
        ("i32", "BIGINT", ["-2147483648", "2147483647"], ["-2147483649", "2147483648"]),
        ("i64", "HUGEINT", ["9223372036854775807"], ["9223372036854775808"]),
        ("u64", "HUGEINT", ["18446744073709551615"], ["18446744073709551616", "-1"]),
        ("i128", "BIGINT", ["-9223372036854775808"], []),
    ],
)
def test_integers_fit_their_bits(
    tmp_path: Path, name: str, kind: str, good: list[str], bad: list[str]
) -> None:
    column = {"logicalType": "integer", "logicalTypeOptions": {"format": name}}
    # Parquet has no 128-bit integers: DuckDB stores them as DOUBLE, which is another promise broken.
    stored = "DECIMAL(38,0)" if kind == "HUGEINT" else kind
    found = failing(tmp_path, column, stored, [*good, *bad, None])
    assert [str(v) for v in found] == bad


def test_numbers_that_a_single_cannot_hold(tmp_path: Path) -> None:
    column = {"logicalType": "number", "logicalTypeOptions": {"format": "f32"}}
    values = ["1.5", "3.4e38", "nan", "inf", "3.5e38", "-1e300"]
    assert failing(tmp_path, column, "DOUBLE", values) == [3.5e38, -1e300]


def test_what_is_not_checked_is_said(tmp_path: Path) -> None:
    columns = [
        {"name": "a", "logicalType": "string", "logicalTypeOptions": {"format": "isbn"}},
        {"name": "b", "logicalType": "string", "logicalTypeOptions": {"format": "password"}},
        {"name": "c", "logicalType": "date", "logicalTypeOptions": {"format": "yyyy-QQ"}},
        {"name": "d", "logicalType": "date", "logicalTypeOptions": {"format": "yyyy-MM-dd"}},
    ]
    write(tmp_path / "t/a.parquet", {"a": ["VARCHAR", "1"], "b": ["VARCHAR", "1"]})
    found = run(contract(tmp_path, {"name": "t", "properties": columns}))
    assert [(u.what, u.reason) for u in found.unsupported] == [
        ("t.a: format isbn", "isbn is not a format that is known"),
        (
            "t.c: format yyyy-QQ",
            "the format yyyy-QQ cannot be read: its part QQ is not one that can be checked",
        ),
    ]
    assert not [r for r in found.results if r.check.kind == "format"]
