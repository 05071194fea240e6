"""Keys that are compared by their hashes first, against Python's counting, and the sorting of very many numbers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts_svc.adapters.engines.duckdb import repeats as sorting
from contracts_svc.quality import repeats, split
from tests.core.quality import contract, results, run
from tests.core.test_quality_bitsets import Counting, duplicates

KEYS = {
    "name": "t",
    "quality": [
        {"id": "pair", "metric": "duplicateValues", "arguments": {"properties": ["a", "b"]}, "mustBe": 0}
    ],
    "properties": [
        {"name": "a", "logicalType": "string", "unique": True},
        {"name": "b", "logicalType": "number", "primaryKey": True},
        {"name": "c", "logicalType": "timestamp", "unique": True},
    ],
}
TEXTS = st.none() | st.sampled_from(["", "a", "A", "ä", "a" * 40, "\x00"])
NUMBERS = st.none() | st.sampled_from([0.0, -0.0, 1.5, math.nan, -math.nan, math.inf, -math.inf, 5e-324])
TIMES = st.none() | st.integers(-3, 3)


def equal(value: Any) -> Any:
    """As SQL groups: all NaN are one value, and zero has no sign."""
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else value + 0.0
    return value


def lay(folder: Path, files: Sequence[Sequence[tuple[Any, Any, Any]]]) -> None:
    (folder / "t").mkdir(exist_ok=True)
    for old in (folder / "t").iterdir():
        old.unlink()
    for number, rows in enumerate(files):
        kinds = {"a": pa.string(), "b": pa.float64(), "c": pa.timestamp("us")}
        columns = {n: pa.array([r[i] for r in rows], kind) for i, (n, kind) in enumerate(kinds.items())}
        pq.write_table(pa.table(columns), folder / f"t/{number}.parquet", row_group_size=4)


def test_hashes_find_what_counting_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "FEW_ROWS", -1)
    monkeypatch.setattr(split, "UNIT_ROWS", 2)
    monkeypatch.setattr(sorting, "IN_A_FILE", 3)
    monkeypatch.setattr(sorting, "IN_A_RANGE", 1)
    monkeypatch.setattr(sorting, "AT_ONCE", 4)
    many = 0

    @settings(max_examples=40, deadline=None)
    @given(
        st.lists(st.lists(st.tuples(TEXTS, NUMBERS, TIMES), max_size=9), min_size=1, max_size=3),
    )
    def compare(files: list[list[tuple[Any, Any, Any]]]) -> None:
        nonlocal many
        lay(tmp_path, files)
        engine = Counting()
        found = results(run(contract(tmp_path, KEYS), engine=engine, samples=0))
        many = max(many, sum("BETWEEN" in q for q in engine.asked))
        assert all("BETWEEN" in q or "FALSE" in q for q in engine.grouped), (files, engine.grouped)
        rows = [tuple(map(equal, row)) for some in files for row in some]
        for check, keys in (
            ("t.a.unique", [(a,) for a, _, _ in rows]),
            ("t.primary-key", [(b,) for _, b, _ in rows]),
            ("t.c.unique", [(c,) for _, _, c in rows]),
            ("t.pair", [(a, b) for a, b, _ in rows]),
        ):
            wanted = duplicates(keys)
            got = found[check]
            assert {n: got.values.get(n) for n in wanted} == wanted, (check, got.reason, files)

    compare()
    assert many > 4, "some had to be looked at in more than one range"


def test_what_is_shown_of_failures_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(split, "UNIT_ROWS", 2)
    failing = 0

    @settings(max_examples=30, deadline=None)
    @given(st.lists(st.lists(st.tuples(TEXTS, NUMBERS, TIMES), max_size=9), min_size=2, max_size=3))
    def compare(files: list[list[tuple[Any, Any, Any]]]) -> None:
        nonlocal failing
        lay(tmp_path, files)
        given_ = contract(tmp_path, KEYS)
        plain = results(run(given_))
        with monkeypatch.context() as patched:
            patched.setattr(repeats, "FEW_ROWS", -1)
            hashed = results(run(given_))
        assert hashed == plain
        failing += sum(bool(r.samples) and bool(r.breakdown) for r in plain.values())

    compare()
    assert failing > 0


def test_keys_that_share_a_hash_are_not_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the hash: here all keys have one."""
    monkeypatch.setattr(repeats, "FEW_ROWS", -1)
    found = repeats.call
    monkeypatch.setattr(repeats, "call", lambda name, *values: found("hash", found("least", values[0], "")))
    rows = [("a", 1.0, 1), ("b", 2.0, 2), ("b", 3.0, 3)]
    lay(tmp_path, [rows])
    engine = Counting()
    (wanted,) = (duplicates([(a,) for a, _, _ in rows]),)
    got = results(run(contract(tmp_path, KEYS), engine=engine, samples=0))["t.a.unique"].values
    assert {n: got[n] for n in wanted} == wanted


@pytest.mark.parametrize("files", [1, 3, 40])
def test_numbers_that_come_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: int) -> None:
    monkeypatch.setattr(sorting, "IN_A_FILE", 40 // files or 1)
    monkeypatch.setattr(sorting, "AT_ONCE", 7)

    @settings(max_examples=50, deadline=None)
    @given(
        st.lists(
            st.lists(st.integers(0, 5) | st.integers(0, 2**64 - 1) | st.just(2**64 - 1), max_size=20),
            max_size=4,
        )
    )
    def compare(batches: list[list[int]]) -> None:
        arrays = [np.array(b, dtype=np.uint64) for b in batches]
        found = list(sorting.repeated(arrays, 40, tmp_path))
        counts = Counter(n for b in batches for n in b)
        assert [n for _, _, some in found for n in some.tolist()] == sorted(
            n for n, c in counts.items() if c > 1
        )
        assert all(least <= n <= most for least, most, some in found for n in some.tolist())
        assert list(tmp_path.iterdir()) == []

    compare()


def test_one_number_everywhere_fills_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorting, "AT_ONCE", 1_000)
    written: list[int] = []
    write = sorting._write
    monkeypatch.setattr(
        sorting, "_write", lambda file, data: (written.append(len(data)), write(file, data))[1]
    )
    numbers = np.full(50_000, 7, dtype=np.uint64)
    assert [n for _, _, some in sorting.repeated([numbers], 50_000, tmp_path) for n in some] == [7]
    assert sum(written) == 50 * 2 * 8


def test_ranges_are_put_together_while_there_are_few_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorting, "IN_A_RANGE", 10)
    ranges = sorting.Ranges()
    for least, count in ((0, 4), (10, 6), (20, 1), (30, 50), (40, 2)):
        ranges.add(least, least + 9, count)
    assert ranges.joined() == ((0, 19), (20, 29), (30, 39), (40, 49))
