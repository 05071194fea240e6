"""The footers of Parquet files in plain Python: what Arrow reads of good ones, and no end with bad ones."""

from __future__ import annotations

import os
import random
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts_svc.adapters.storage import ArrowStorage, thrift
from contracts_svc.adapters.storage.arrow import _footer_of
from contracts_svc.adapters.storage.footers import _GROUPS
from contracts_svc.errors import CouldNotCheck
from contracts_svc.runs import Outcome
from tests.core.quality import contract, run
from tests.support import DATA

WRITTEN = sorted((DATA / "parquet_written").glob("*.parquet"))


def footer(path: Path) -> bytes:
    with pa.OSFile(str(path)) as stream:
        return _footer_of(stream)


@pytest.mark.parametrize("path", WRITTEN, ids=lambda p: p.stem)
def test_what_arrow_reads(path: Path) -> None:
    metadata = pq.ParquetFile(path).metadata
    groups = thrift.read(footer(path), _GROUPS)[4]
    assert [g[3] for g in groups] == [metadata.row_group(g).num_rows for g in range(metadata.num_row_groups)]
    told = 0
    for g, group in enumerate(groups):
        for c in range(metadata.num_columns):
            theirs = metadata.row_group(g).column(c)
            ours = group[1][c][3]
            assert b".".join(ours[3]).decode() == theirs.path_in_schema
            if theirs.statistics is not None and theirs.statistics.has_null_count:
                assert ours[12][3] == theirs.statistics.null_count
                told += 1
            if (
                theirs.physical_type in ("INT32", "INT64")
                and theirs.statistics
                and theirs.statistics.has_min_max
            ):
                ends = [int.from_bytes(ours[12][f], "little", signed=True) for f in (6, 5)]
                assert ends == [theirs.statistics.min_raw, theirs.statistics.max_raw]
    assert told or path.stem == "polars_plain"


def test_a_long_footer_and_a_short_file(tmp_path: Path) -> None:
    names = [f"column_{n:04}_{'x' * 40}" for n in range(1_500)]
    pq.write_table(pa.table({n: [1, 2] for n in names}), tmp_path / "wide.parquet")
    [found] = ArrowStorage().footers(ArrowStorage().files(str(tmp_path)), columns=names[-1:])
    assert (len(found.columns), found.bounds[names[-1]].most) == (1_500, 2)
    (tmp_path / "wide.parquet").write_bytes(b"PAR1")
    with pytest.raises(CouldNotCheck, match="a damaged one: it does not end with PAR1"):
        ArrowStorage().footers(ArrowStorage().files(str(tmp_path)))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "ends too soon"),
        (b"\x19", "ends too soon"),
        (b"\x49\xfc\xff\xff\xff\x7f", "ends too soon"),
        (b"\x4c" + b"\x1c" * 200, "nested too deeply"),
        (b"\x1c" * 5_000 + b"\0" * 5_000, "nested too deeply"),
        (b"\x45\x02\0", "another type"),
        (b"\x16" + b"\xff" * 20, "ends too soon"),
        (b"\x06" + b"\xff" * 20 + b"\0", "too long"),
        (b"\x1e\0", "a field of the type 14"),
    ],
)
def test_bytes_that_are_no_footer(data: bytes, message: str) -> None:
    with pytest.raises(thrift.Malformed, match=message):
        thrift.read(data, _GROUPS)


@given(st.binary(max_size=200))
@settings(max_examples=300)
def test_any_bytes_end(data: bytes) -> None:
    with suppress(thrift.Malformed):
        assert isinstance(thrift.read(data, _GROUPS), dict)


def test_damaged_files_end_no_process(tmp_path: Path) -> None:
    """Of files with wrong bytes in them, what cannot be read is an error, and what can is read."""
    columns = [
        {"name": n, "logicalType": k, "required": True, "unique": True}
        for n, k in {"i": "integer", "f": "number", "d": "number", "s": "string", "tz": "timestamp"}.items()
    ]
    given = contract(tmp_path, {"name": "t", "properties": columns})
    (tmp_path / "t").mkdir()
    dice = random.Random(int(os.environ.get("CONTRACTS_SEED", "7")))
    ends: list[bool] = []
    for _ in range(80):
        raw = bytearray(dice.choice(WRITTEN).read_bytes())
        start = len(raw) - 8 - int.from_bytes(raw[-8:-4], "little") if dice.random() < 0.6 else 0
        for _ in range(dice.randrange(1, 6)):
            raw[dice.randrange(start, len(raw))] = dice.randrange(256)
        if dice.random() < 0.1:
            del raw[dice.randrange(len(raw)) :]
        (tmp_path / "t/a.parquet").write_bytes(raw)
        found = run(given, samples=0)
        ends.append(all(r.outcome is Outcome.ERRORED for r in found.results))
    assert 10 < sum(ends) < 75
