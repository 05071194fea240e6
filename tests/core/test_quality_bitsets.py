"""Keys that are told apart by bits, against keys that are counted, and against Python's sets."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts_svc.adapters.engines.duckdb import DuckDBEngine
from contracts_svc.adapters.storage import ArrowStorage
from contracts_svc.files import PARQUET, DataFile, Footer, Reading
from contracts_svc.ports import Session, Source
from contracts_svc.quality import bitsets, split
from tests.core.quality import contract, results, run

KEYS = {
    "name": "t",
    "quality": [
        {"id": "pair", "metric": "duplicateValues", "arguments": {"properties": ["k", "j"]}, "mustBe": 0},
        {"id": "some", "metric": "duplicateValues", "arguments": {"properties": ["j", "s"]}, "mustBe": 0},
    ],
    "properties": [
        {"name": "k", "logicalType": "integer", "unique": True},
        {"name": "j", "logicalType": "integer", "primaryKey": True},
        {"name": "s", "logicalType": "string"},
    ],
}
TYPES = [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint32(), pa.uint64()]
LOW, HIGH = -(2**63), 2**63 - 1
NUMBERS = st.sampled_from([-3, -2, 0, 1, 2, 3, 40, 127])
EDGES = st.sampled_from([LOW, LOW + 1, LOW + 2, HIGH, HIGH - 1, 0])


def lay(folder: Path, files: Sequence[Sequence[tuple[Any, Any]]], kind: pa.DataType) -> None:
    shutil.rmtree(folder / "t", ignore_errors=True)
    (folder / "t").mkdir()
    for number, rows in enumerate(files):
        columns = {
            "k": pa.array([k for k, _ in rows], kind),
            "j": pa.array([j for _, j in rows], pa.int64()),
            "s": pa.array(["a"] * len(rows)),
        }
        pq.write_table(pa.table(columns), folder / f"t/{number}.parquet", row_group_size=3)


@dataclass
class Counting:
    """An engine that writes down what it is asked."""

    asked: list[str] = field(default_factory=list)

    def open(self, sources: Sequence[Source]) -> AbstractContextManager[Session]:
        return self._open(sources)

    @contextmanager
    def _open(self, sources: Sequence[Source]) -> Any:
        with DuckDBEngine().open(sources) as session:
            rows = session.rows

            def asking(query: Any) -> Any:
                self.asked.append(query.sql(dialect="duckdb"))
                return rows(query)

            session.rows = asking  # type: ignore[method-assign]
            yield session

    @property
    def grouped(self) -> list[str]:
        """The queries that count how often each key is there."""
        return [q for q in self.asked if "HAVING" in q]


def duplicates(keys: Sequence[tuple[Any, ...]]) -> dict[str, int]:
    counts = Counter(k for k in keys if None not in k)
    repeated = {k: n for k, n in counts.items() if n > 1}
    return {
        "duplicates": sum(repeated.values()) - len(repeated),
        "groups": len(repeated),
        "involved": sum(repeated.values()),
    }


@pytest.mark.parametrize("numbers", [NUMBERS, EDGES, NUMBERS | EDGES], ids=["near", "edges", "far apart"])
def test_bits_find_what_counting_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, numbers: st.SearchStrategy[int]
) -> None:
    monkeypatch.setattr(split, "UNIT_ROWS", 2)
    bits = 0

    @settings(max_examples=40, deadline=None)
    @given(
        st.lists(
            st.lists(st.tuples(st.none() | numbers, st.none() | numbers), max_size=6), min_size=1, max_size=3
        ),
        st.sampled_from(TYPES),
    )
    def compare(files: list[list[tuple[int | None, int | None]]], kind: pa.DataType) -> None:
        nonlocal bits
        try:
            pa.array([k for rows in files for k, _ in rows], kind)
        except (pa.ArrowException, OverflowError):
            kind = pa.int64()
        lay(tmp_path, files, kind)
        engine = Counting()
        found = results(run(contract(tmp_path, KEYS), engine=engine, samples=0))
        bits += sum("BITSTRING_AGG" in q for q in engine.asked)
        rows = [row for some in files for row in some]
        for check, keys in (
            ("t.k.unique", [(k,) for k, _ in rows]),
            ("t.primary-key", [(j,) for _, j in rows]),
            ("t.pair", list(rows)),
            ("t.some", [(j, "a") for _, j in rows]),
        ):
            wanted = duplicates(keys)
            assert {n: found[check].values[n] for n in wanted} == wanted, check

    compare()
    assert bits > 0


def test_keys_that_are_close_are_not_counted(tmp_path: Path) -> None:
    lay(tmp_path, [[(i, -i) for i in range(n, n + 50)] for n in (0, 50, 100)], pa.int64())
    engine = Counting()
    found = results(run(contract(tmp_path, KEYS), engine=engine, samples=0))
    assert sum("BITSTRING_AGG" in q for q in engine.asked) == 2
    # A text has no bit, and of two numbers there would be too many pairs.
    assert len(engine.grouped) == 2
    assert found["t.k.unique"].values["duplicates"] == found["t.pair"].values["duplicates"] == 0


def test_units_are_put_together_only_while_they_are_close(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(split, "UNIT_ROWS", 0)
    lay(tmp_path, [[(i, i) for i in range(n, n + 50)] for n in (0, 50, 10**15, -(10**18))], pa.int64())
    engine = Counting()
    found = results(run(contract(tmp_path, KEYS), engine=engine, samples=0))
    assert found["t.k.unique"].values["duplicates"] == 0
    assert len([q for q in engine.asked if "BITSTRING_AGG" in q and '"j"' not in q]) == 3
    assert [q for q in engine.grouped if '"s"' not in q] == []


class Wrong(ArrowStorage):
    """Reads footers whose statistics are wrong: every number is said to be 7."""

    def footers(
        self, files: Sequence[DataFile], reading: Reading = PARQUET, columns: Collection[str] = ()
    ) -> tuple[Footer, ...]:
        found = super().footers(files, reading, columns)
        return tuple(
            replace(
                f, bounds={n: replace(b, least=7, most=7) if n in "kj" else b for n, b in f.bounds.items()}
            )
            for f in found
        )


def test_statistics_that_are_wrong_cost_time_and_no_verdict(tmp_path: Path) -> None:
    lay(tmp_path, [[(1, 1), (2, 2), (2, 3)]], pa.int64())
    engine = Counting()
    found = results(run(contract(tmp_path, KEYS), engine=engine, storage=Wrong(), samples=0))
    assert any("BITSTRING_AGG" in q for q in engine.asked)
    assert found["t.k.unique"].values["duplicates"] == 1
    assert found["t.primary-key"].values["duplicates"] == 0


def test_a_batch_has_no_more_bits_than_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(split, "UNIT_ROWS", 0)
    monkeypatch.setattr(bitsets, "MOST_BITS", 100)
    lay(tmp_path, [[(i, i) for i in range(n, n + 50)] for n in (0, 50, 100)], pa.int64())
    engine = Counting()
    run(contract(tmp_path, KEYS), engine=engine, samples=0)
    sizes = [q for q in engine.asked if "BITSTRING_AGG" in q and '"j"' not in q]
    assert len(sizes) == 2, "two files of 50 numbers, and one"
