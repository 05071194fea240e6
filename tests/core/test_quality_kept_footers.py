"""Footers that are kept say what they said."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts_svc.files import Bounds, DataFile, Footer, StoredColumn
from contracts_svc.quality.kept_footers import from_json, key, to_json

FILE = DataFile(path="s3://b/k", size=1)
PAIRS = (
    st.tuples(st.integers(), st.integers())
    | st.tuples(*[st.decimals(allow_nan=False, allow_infinity=False)] * 2)
    | st.tuples(st.dates(), st.dates())
    | st.tuples(st.datetimes(), st.datetimes())
    | st.tuples(*[st.datetimes(timezones=st.just(UTC))] * 2)
)
BOUNDS = st.builds(
    lambda nulls, pair: Bounds(nulls=nulls, least=pair[0], most=pair[1]), st.none() | st.integers(0), PAIRS
) | st.builds(
    Bounds, nulls=st.none() | st.integers(0), within=st.none() | st.tuples(st.binary(), st.binary())
)


@given(st.dictionaries(st.text(), BOUNDS, max_size=4), st.integers(0))
def test_there_and_back(bounds: dict[str, Bounds], rows: int) -> None:
    columns = tuple(StoredColumn(name=n, type="BIGINT", nullable=bool(i % 2)) for i, n in enumerate(bounds))
    footer = Footer(file=FILE, rows=rows, columns=columns, bounds=bounds)
    found = from_json(FILE, json.loads(json.dumps(to_json(footer))))
    assert found == footer
    assert [type(b.least) for b in found.bounds.values()] == [type(b.least) for b in bounds.values()]


@pytest.mark.parametrize(
    "kept",
    [None, {}, [], 1, "x", {"rows": None}, {"rows": 1, "columns": [1], "bounds": {}},
     {"rows": 1, "columns": [], "bounds": {"a": [0, "int", "x", "y"]}},
     {"rows": 1, "columns": [], "bounds": {"a": [0, "decimal", "x", "y"]}},
     {"rows": 1, "columns": [], "bounds": {"a": [0, "else", "1", "2"]}}],
)  # fmt: skip
def test_what_is_no_footer_is_none(kept: Any) -> None:
    assert from_json(FILE, kept) is None


def test_the_key_names_the_columns() -> None:
    assert key(["a", "B"]) == key(["b", "A"]) != key(["a"])


def test_kinds_of_values_are_told_apart() -> None:
    values = [1, Decimal(1), date(2026, 1, 1), datetime(2026, 1, 1)]
    texts = {json.dumps(to_json(Footer(file=FILE, rows=1, columns=(), bounds={"a": Bounds(least=v, most=v)})))
             for v in values}  # fmt: skip
    assert len(texts) == len(values)
