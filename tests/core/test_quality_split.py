"""Parts of a table: what is measured of each, and that they merge into the whole."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts_svc.adapters.storage import ArrowStorage
from contracts_svc.flows import check_measure
from contracts_svc.quality import split
from contracts_svc.quality.kinds import KIND_OF, KINDS, Merge, Origin
from contracts_svc.quality.layout import layout
from contracts_svc.quality.plan import plan
from contracts_svc.quality.references import resolver
from contracts_svc.quality.split import Apart
from tests.core.quality import contract, results, run

KEYS = {
    "name": "t",
    "quality": [
        {"id": "pair", "metric": "duplicateValues", "arguments": {"properties": ["k", "s"]}, "mustBe": 0},
        {"id": "simple", "type": "sql", "query": "SELECT count(*) FROM t WHERE k > 4", "mustBe": 0},
        {"id": "share", "type": "sql", "query": "SELECT sum(k) FROM t", "mustBe": 0},
    ],
    "properties": [
        {"name": "k", "logicalType": "integer", "primaryKey": True, "logicalTypeOptions": {"minimum": 2}},
        {"name": "s", "logicalType": "string", "unique": True, "logicalTypeOptions": {"pattern": "^a"}},
        {"name": "f", "logicalType": "number", "required": True, "logicalTypeOptions": {"maximum": 2}},
        {"name": "at", "logicalType": "timestamp"},
    ],
}
LEVELS = [
    {"property": "latency", "value": 1, "unit": "d", "element": "t.at"},
    {"property": "retention", "value": 1, "unit": "d", "element": "t.at"},
]
MOMENTS = [datetime(2026, 11, 24, 11), datetime(2026, 11, 24, 11, 0, 0, 5), datetime(1999, 12, 31, 23)]
ROWS = st.lists(
    st.tuples(
        st.none() | st.integers(0, 6),
        st.none() | st.sampled_from(["a", "b", "ab", "a" * 80]),
        st.none() | st.sampled_from([1.5, 2.5, float("nan")]),
        st.none() | st.sampled_from(MOMENTS),
    ),
    max_size=12,
)
TYPES = {"k": pa.int64(), "s": pa.string(), "f": pa.float64(), "at": pa.timestamp("us")}


def lay(folder: Path, files: list[list[Any]]) -> None:
    shutil.rmtree(folder / "t", ignore_errors=True)
    (folder / "t").mkdir()
    for number, rows in enumerate(files):
        columns = {n: pa.array([r[i] for r in rows], kind) for i, (n, kind) in enumerate(TYPES.items())}
        pq.write_table(pa.table(columns), folder / f"t/{number}.parquet")


@pytest.mark.parametrize("at_once", [1, 2, 2_000])
def test_any_split_into_files_merges_to_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(check_measure, "FILES_AT_ONCE", at_once)

    @settings(max_examples=25, deadline=None)
    @given(ROWS, st.lists(st.integers(0, 3), min_size=12, max_size=12), st.booleans())
    def compare(rows: list[Any], into: list[int], footers: bool) -> None:
        given_ = contract(tmp_path, KEYS, slaProperties=LEVELS)
        lay(tmp_path, [rows])
        whole = results(run(given_, footers=False, samples=0))
        lay(tmp_path, [[r for r, i in zip(rows, into, strict=False) if i == n] for n in range(4)])
        parts = results(run(given_, footers=footers, samples=0))
        for check, result in whole.items():
            if KIND_OF[result.check.kind].origin is not Origin.FOOTER:
                assert (parts[check].values, parts[check].found) == (result.values, result.found), check

    compare()


VALUES = {
    Merge.SUM: st.integers(-5, 10**20),
    Merge.APART: st.integers(0, 10),
    Merge.MIN: st.none() | st.integers(-5, 5),
    Merge.MAX: st.none() | st.datetimes(datetime(1, 1, 2)).map(datetime.isoformat),
}


@pytest.mark.parametrize("how", VALUES)
def test_merging_knows_no_order_and_no_grouping(how: Merge) -> None:
    @settings(max_examples=60)
    @given(
        st.lists(VALUES[how], max_size=6).flatmap(lambda v: st.tuples(st.just(v), st.permutations(v))),
        st.data(),
    )
    def compare(values: tuple[list[Any], list[Any]], data: st.DataObject) -> None:
        ordered, shuffled = values
        cut = data.draw(st.integers(0, len(ordered)))
        nested = [split.merged(how, shuffled[:cut]), split.merged(how, shuffled[cut:])]
        assert split.merged(how, nested) == split.merged(how, ordered)

    compare()


def test_every_kind_says_how_its_figures_merge() -> None:
    for kind in KINDS:
        assert set(kind.merge.values()) <= set(Merge), kind.key
        if kind.own is None and kind.failing is not None:
            assert kind.merge["failing"] is Merge.SUM, kind.key


def units(folder: Path, column: str = "t.s.unique") -> list[list[str]]:
    given_ = contract(folder, KEYS)
    table, storage = given_.tables[0], ArrowStorage()
    found = layout(table, storage.footers(storage.files(str(folder / "t")), columns=list(TYPES)))
    planned = plan(given_, table, target_of=resolver(given_, {}))
    (each,) = (a for a in split.apart(planned, found) if a.check.id == column)
    assert isinstance(each, Apart)
    return [[Path(f.path).stem for f in unit] for unit in each.units]


def test_only_files_whose_ranges_overlap_are_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(split, "UNIT_ROWS", 0)
    lay(
        tmp_path,
        [
            [(1, "a", 1.0, None), (3, "b", 1.0, None)],
            [(2, "b", 1.0, None), (4, "c", 1.0, None)],
            [(5, "d", 1.0, None)],
            [(None, "e", 1.0, None)],
        ],
    )
    # By texts, 0 and 1 meet in "b"; by numbers too, and file 3 has no key at all.
    assert units(tmp_path) == [["0", "1"], ["2"], ["3"]]
    assert units(tmp_path, "t.primary-key") == [["0", "1"], ["2"]]
    # Of several columns, the one that tells the most apart.
    assert units(tmp_path, "t.pair") == [["0", "1"], ["2"], ["3"]]
    monkeypatch.setattr(split, "UNIT_ROWS", 3)
    assert units(tmp_path) == [["0", "1"], ["2", "3"]]


def test_few_queries_read_what_is_missing(tmp_path: Path) -> None:
    lay(tmp_path, [[(1, "a", 1.0, None)]] * 7)
    given_ = contract(tmp_path, KEYS)
    table, storage = given_.tables[0], ArrowStorage()
    found = layout(table, storage.footers(storage.files(str(tmp_path / "t")), columns=list(TYPES)))
    figures = split.figures(plan(given_, table, target_of=resolver(given_, {})), found)[:6]
    missing = {f.path: figures[:n] for n, f in enumerate(found.files)}
    groups = split.groups(missing, found.files, most=3)
    assert len(groups) == 3
    covered = {(f.path, x.key) for files, some in groups for f in files for x in some}
    assert covered >= {(path, x.key) for path, some in missing.items() for x in some}
    assert found.files[0] not in [f for files, _ in groups for f in files]
