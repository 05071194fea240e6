"""Keys without a match that are found by their hashes, against the join of both tables."""

from __future__ import annotations

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
from contracts_svc.quality import orphans
from contracts_svc.runs import Outcome, Run
from tests.core.quality import contract, results, run
from tests.core.test_quality_bitsets import Counting

NUMBERS = st.none() | st.integers(-3, 3)
TEXTS = st.none() | st.sampled_from(["", "a", "A", "ä", "a" * 40, "\x00"])
ROWS = st.lists(st.tuples(NUMBERS, TEXTS), max_size=12)
T: dict[str, Any] = {
    "name": "t",
    "properties": [{"name": "a", "logicalType": "integer"}, {"name": "b", "logicalType": "string"}],
    "relationships": [
        {"type": "foreignKey", "from": "t.a", "to": "o.a"},
        {"type": "foreignKey", "from": ["t.a", "t.b"], "to": ["o.a", "o.b"]},
    ],
}
O = {"name": "o", "properties": T["properties"]}  # noqa: E741


def lay(folder: Path, rows: Sequence[tuple[Any, Any]], kind: pa.DataType, files: int = 2) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(files):
        some = rows[number::files]
        columns = {
            "a": pa.array([a for a, _ in some], kind),
            "b": pa.array([b for _, b in some], pa.string()),
        }
        pq.write_table(pa.table(columns), folder / f"{number}.parquet")


def found(folder: Path, engine: Counting | None = None) -> Run:
    engines = {} if engine is None else {"engine": engine}
    return run(contract(folder, T, O), table="t", samples=9, **engines)


def told(done: Run) -> list[Any]:
    """All that is told; of orphans of as many rows, the order is nobody's."""
    return [
        (r.check.id, r.outcome, r.failing, r.values.get("distinct"), r.samples, r.breakdown)
        for r in done.results
    ]


@pytest.mark.parametrize("kinds", [("int64", "int64"), ("int32", "int64"), ("int8", "uint32")])
def test_hashes_find_what_a_join_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kinds: tuple[str, str]
) -> None:
    monkeypatch.setattr(sorting, "IN_A_FILE", 3)
    monkeypatch.setattr(sorting, "AT_ONCE", 4)
    one, other = (getattr(pa, k)() for k in kinds)
    hashed = 0

    @settings(max_examples=12, deadline=None)
    @given(ROWS, ROWS)
    def compare(rows: list[tuple[Any, Any]], others: list[tuple[Any, Any]]) -> None:
        nonlocal hashed
        if "uint" in kinds[1]:
            others = [(None if a is None else abs(a), b) for a, b in others]
        lay(tmp_path / "t", rows, one)
        lay(tmp_path / "o", others, other)
        monkeypatch.setattr(orphans, "FEW_ROWS", 10**9)
        joined = found(tmp_path)
        monkeypatch.setattr(orphans, "FEW_ROWS", -1)
        engine = Counting()
        assert told(found(tmp_path, engine)) == told(joined), (rows, others)
        hashed += sum("BETWEEN" in q for q in engine.asked)
        of_python = sum(a is not None and a not in {o for o, _ in others} for a, _ in rows)
        assert results(joined)["t.relationship.a->o.a"].failing == of_python

    compare()
    assert hashed


def test_of_keys_whose_types_differ_hashes_say_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orphans, "FEW_ROWS", -1)
    lay(tmp_path / "t", [(1, "x"), (2, "x"), (3, "y")], pa.int64())
    lay(tmp_path / "o", [(1, "x"), (2, "x")], pa.float64())
    engine = Counting()
    said = results(found(tmp_path, engine))["t.relationship.a->o.a"]
    assert (said.outcome, said.failing) == (Outcome.FAILED, 1)
    assert not any("BETWEEN" in q for q in engine.asked)


def test_very_many_orphans_are_looked_at_range_by_range(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orphans, "FEW_ROWS", -1)
    monkeypatch.setattr(sorting, "IN_A_FILE", 16)
    monkeypatch.setattr(sorting, "IN_A_RANGE", 1)
    rows = [(n, str(n)) for n in [*range(120), 5, 5, 5, 7]]
    lay(tmp_path / "t", rows, pa.int64())
    lay(tmp_path / "o", [(n, "") for n in range(0, 120, 2)], pa.int64())
    said = results(found(tmp_path))["t.relationship.a->o.a"]
    assert (said.failing, said.values["distinct"]) == (64, 60)
    assert said.values["orphans"][:2] == [{"value": 5, "rows": 4}, {"value": 7, "rows": 2}]
    assert len(said.values["orphans"]) == 20


@given(st.lists(st.integers(0, 9)), st.lists(st.integers(0, 9)), st.integers(1, 40))
@settings(deadline=None)
def test_numbers_that_are_not_among_others(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[int], others: list[int], expected: int
) -> None:
    folder = tmp_path_factory.mktemp("lacking")
    step = 2**64 // 10

    def batches(given: list[int]) -> list[sorting.Numbers]:
        return [np.array([n * step], dtype=np.uint64) for n in given]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sorting, "IN_A_FILE", 3)
        ranges = list(sorting.lacking(batches(numbers), batches(others), expected, folder))
    lost = [int(n) // step for _, _, some in ranges for n in some]
    assert lost == sorted(set(numbers) - set(others))
    assert all(least <= int(n) <= most for least, most, some in ranges for n in some)
    assert not list(folder.iterdir())
