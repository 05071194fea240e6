"""Files that polars and Spark wrote, with values at the edges: what is counted is what plain Python counts,
with their footers and without."""

from __future__ import annotations

import importlib.util
import math
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from contracts_svc.runs import Outcome
from tests.core.quality import contract, results, run
from tests.support import DATA

FOLDER = DATA / "parquet_written"
WRITTEN = sorted(FOLDER.glob("*.parquet"))
_spec = importlib.util.spec_from_file_location("written", FOLDER / "write.py")
assert _spec is not None
assert _spec.loader is not None
_written = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_written)
ROWS: dict[str, list[Any]] = _written.ROWS
LOGICAL = {
    "i": "integer", "small": "integer", "f": "number", "d": "number", "big": "number", "day": "date",
    "at": "timestamp", "tz": "timestamp", "s": "string", "b": "boolean",
}  # fmt: skip

# column, option, its value -> which values break it
LIMITS: list[tuple[str, str, Any, Callable[[Any], bool]]] = [
    ("i", "minimum", 0, lambda v: v < 0),
    ("i", "maximum", 2**63 - 2, lambda v: v > 2**63 - 2),
    ("i", "exclusiveMinimum", -(2**63), lambda v: v <= -(2**63)),
    ("i", "multipleOf", 5, lambda v: v % 5 != 0),
    ("small", "exclusiveMaximum", 127, lambda v: v >= 127),
    ("f", "maximum", 1, lambda v: math.isnan(v) or v > 1),
    ("f", "minimum", 0, lambda v: math.isnan(v) or v < 0),
    ("f", "exclusiveMinimum", 0, lambda v: math.isnan(v) or v <= 0),
    ("d", "minimum", 0.005, lambda v: v < _decimal("0.005")),
    ("d", "exclusiveMaximum", 5, lambda v: v >= 5),
    ("big", "minimum", 0, lambda v: v < 0),
    ("big", "maximum", 5.01, lambda v: v > _decimal("5.01")),
    ("day", "minimum", "2026-01-01", lambda v: v < date(2026, 1, 1)),
    ("day", "exclusiveMaximum", "9999-12-31", lambda v: v >= date(9999, 12, 31)),
    ("at", "minimum", "2026-01-01T00:00:00", lambda v: v < datetime(2026, 1, 1)),
    ("at", "exclusiveMinimum", "2026-01-01T00:00:00", lambda v: v <= datetime(2026, 1, 1)),
    ("tz", "maximum", "2026-03-02T01:00:00+01:00", lambda v: v > datetime(2026, 3, 2, tzinfo=UTC)),
    ("s", "minLength", 1, lambda v: len(v) < 1),
    ("s", "maxLength", 20, lambda v: len(v) > 20),
    ("s", "pattern", "^[a-z]*$", lambda v: not (v.isascii() and (v.islower() or v == ""))),
]


def _decimal(text: str) -> Any:
    from decimal import Decimal

    return Decimal(text)


def test_there_are_files_of_both() -> None:
    assert {p.stem.partition("_")[0] for p in WRITTEN} == {"polars", "spark"}
    assert len(WRITTEN) >= 6


@pytest.mark.parametrize("file", WRITTEN, ids=lambda p: p.stem)
@pytest.mark.parametrize("footers", [True, False])
def test_what_is_counted(tmp_path: Path, file: Path, footers: bool) -> None:
    (tmp_path / "t").mkdir()
    shutil.copy(file, tmp_path / "t")
    columns = {n: {"name": n, "logicalType": k, "required": True, "unique": True} for n, k in LOGICAL.items()}
    for name, option, value, _ in LIMITS:
        columns[name].setdefault("logicalTypeOptions", {})[option] = value  # type: ignore[attr-defined]
    found = run(
        contract(tmp_path, {"name": "t", "properties": list(columns.values())}, version="v3.2.0"),
        footers=footers,
    )
    said = results(found)
    assert [r.reason for r in said.values() if r.outcome in (Outcome.ERRORED, Outcome.SKIPPED)] == []
    assert [r.check.id for r in said.values() if r.bad and r.check.kind == "logical-type"] == []
    for name, values in ROWS.items():
        there = [v for v in values if v is not None]
        assert said[f"t.{name}.required"].failing == len(values) - len(there), name
        # 0.0 and -0.0 are one value, and so is NaN.
        different = {"nan" if isinstance(v, float) and math.isnan(v) else v for v in there}
        assert said[f"t.{name}.unique"].failing == len(there) - len(different), name
    for name, option, _, breaks in LIMITS:
        kind = "".join(f"-{c.lower()}" if c.isupper() else c for c in option)
        expected = sum(breaks(v) for v in ROWS[name] if v is not None)
        assert said[f"t.{name}.{kind}"].failing == expected, (name, option)
    assert found.rows == 8


def test_files_of_both_are_one_table(tmp_path: Path) -> None:
    """Written by two, read as one: eight rows each, and every key twice."""
    (tmp_path / "t").mkdir()
    for name in ("polars", "spark"):
        shutil.copy(FOLDER / f"{name}.parquet", tmp_path / "t")
    columns = [{"name": n, "logicalType": k, "unique": True} for n, k in LOGICAL.items()]
    found = run(contract(tmp_path, {"name": "t", "properties": columns}, version="v3.2.0"))
    said = results(found)
    assert found.rows == 16
    assert [r.reason for r in said.values() if r.outcome in (Outcome.ERRORED, Outcome.SKIPPED)] == []
    for name in ("i", "s", "day", "at", "tz"):
        there = [v for v in ROWS[name] if v is not None]
        assert said[f"t.{name}.unique"].failing == len(there), name
