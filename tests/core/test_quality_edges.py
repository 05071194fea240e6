"""Values at the edges of their types, in files as other writers leave them: what each check counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts_svc.runs import Outcome, Result
from tests.core.quality import contract, results, run


def checked(folder: Path, stored: pa.Array, column: dict[str, Any], **more: Any) -> dict[str, Result]:
    (folder / "t").mkdir()
    other = pa.array(range(len(stored)))
    pq.write_table(pa.table({"x": stored, "id": other}), folder / "t" / "a.parquet")
    columns = [{"name": "x", **column}, {"name": "id", "logicalType": "integer", "required": True}]
    found = results(run(contract(folder, {"name": "t", "properties": columns}, version="v3.2.0", **more)))
    assert found["t.id.required"].outcome is Outcome.PASSED
    return found


def counted(found: dict[str, Result]) -> dict[str, int | None]:
    """Kind -> failing rows, of what is wrong with x."""
    assert not [r for r in found.values() if r.outcome in (Outcome.ERRORED, Outcome.SKIPPED)]
    return {r.check.kind: r.failing for r in found.values() if r.bad and "x" in r.check.columns}


def options(**given: Any) -> dict[str, Any]:
    return {"logicalTypeOptions": given}


def test_text_that_is_not_utf_8_cannot_be_checked_and_takes_no_other_column_with_it(tmp_path: Path) -> None:
    raw = pa.array([b"\xff\xfe", b"ok", b"\xc3\xa9", b""], pa.binary())
    text = pa.Array.from_buffers(pa.string(), len(raw), raw.buffers())
    found = checked(tmp_path, text, {"logicalType": "string", "required": True, **options(maxLength=1)})
    # The footer counts the NULLs, whatever the texts are.
    assert found["t.x.required"].outcome is Outcome.PASSED
    assert found["t.x.max-length"].outcome is Outcome.ERRORED
    assert "text that is not UTF-8" in found["t.x.max-length"].reason
    assert "a.parquet" in found["t.x.max-length"].reason


FLOATS = [float("nan"), float("nan"), -0.0, 0.0, float("inf"), float("-inf"), None]


@pytest.mark.parametrize("kind", [pa.float64(), pa.float32()])
def test_nan_infinities_and_negative_zero(tmp_path: Path, kind: pa.DataType) -> None:
    column = {
        "logicalType": "number",
        "required": True,
        "unique": True,
        "enum": [{"value": 0}],
        **options(minimum=0, exclusiveMinimum=0, maximum=0, multipleOf=1),
    }
    assert counted(checked(tmp_path, pa.array(FLOATS, kind), column)) == {
        "required": 1,  # NaN is a value
        "unique": 2,  # one NaN and one zero more than one
        "enum": 4,  # neither NaN nor an infinity is 0
        "minimum": 3,  # NaN twice, -inf
        "exclusive-minimum": 5,  # and both zeros
        "maximum": 3,  # NaN twice, inf
        "multiple-of": 4,
    }


def test_empty_text_is_a_value(tmp_path: Path) -> None:
    rules = [
        {"metric": "missingValues", "mustBe": 0, "arguments": {"missingValues": [""]}},
        {"metric": "nullValues", "mustBe": 0},
    ]
    column = {"logicalType": "string", "unique": True, "quality": rules, **options(minLength=1, pattern="^$")}
    found = checked(tmp_path, pa.array(["", "", None, " ", "\u200b"]), column)
    assert counted(found) == {
        "missing-values": 2,
        "null-values": 1,
        "unique": 1,
        "min-length": 2,
        "pattern": 2,
    }


@pytest.mark.parametrize(
    ("stored", "limits", "wrong"),
    [
        (pa.array([2**63 - 1, -(2**63), None]), {"minimum": -(2**63) + 1, "maximum": 2**63 - 2}, 1),
        (pa.array([2**64 - 1, 0], pa.uint64()), {"maximum": 2**64 - 2, "minimum": 1}, 1),
        (pa.array([127, -128], pa.int8()), {"maximum": 126.5, "minimum": -127.5}, 1),
        (pa.array([2**63 - 1, -(2**63)]), {"maximum": 9.3e18, "minimum": -1e300}, None),
    ],
)
def test_integers_at_the_ends_of_their_range(
    tmp_path: Path, stored: pa.Array, limits: dict[str, Any], wrong: int | None
) -> None:
    found = counted(checked(tmp_path, stored, {"logicalType": "integer", **options(**limits)}))
    assert found == ({} if wrong is None else {"minimum": wrong, "maximum": wrong})


def test_decimals_of_38_digits(tmp_path: Path) -> None:
    from decimal import Decimal

    nines = "9" * 38
    stored = pa.array([Decimal(nines), Decimal(f"-{nines}"), Decimal(0), None], pa.decimal128(38, 0))
    column = {"logicalType": "integer", "unique": True, **options(maximum=1e37, exclusiveMinimum=-1e38)}
    assert counted(checked(tmp_path, stored, column)) == {"maximum": 1}


@pytest.mark.parametrize("unit", ["us", "ns"])
def test_timestamps_at_the_ends_of_their_range(tmp_path: Path, unit: str) -> None:
    stored = pa.array([-(2**63) + 2**10, 2**63 - 2**10, None, 0], pa.timestamp(unit))
    limits = options(minimum="0001-01-01T00:00:00", maximum="9999-12-31T23:59:59")
    level = {"property": "latency", "value": 365_000, "element": "t.x"}
    found = checked(
        tmp_path, stored, {"logicalType": "timestamp", "unique": True, **limits}, slaProperties=[level]
    )
    # 64 bits of microseconds reach from before the calendar to the year 294247, of nanoseconds to 2262.
    assert counted(found) == ({"minimum": 1, "maximum": 1} if unit == "us" else {})
    assert found["t.x.freshness"].found.startswith("1970" if unit == "us" else "2262")


def test_infinite_and_far_dates(tmp_path: Path) -> None:
    days = pa.array([2**31 - 1, -(2**31) + 1, 0, 5_000_000, None], pa.int32()).cast(pa.date32())
    column = {"logicalType": "date", **options(minimum="1970-01-01", maximum="2100-01-01")}
    levels = [
        {"property": p, "value": 100, "unit": "y", "element": "t.x"} for p in ("latency", "retention", "frequency")
    ]  # fmt: skip
    found = checked(tmp_path, days, column, slaProperties=levels)
    assert counted(found) == {"minimum": 1, "maximum": 2}
    # What is outside of the calendar tells no time.
    assert found["t.x.freshness"].found.startswith("1970-01-01")
    assert found["t.x.retention"].found.startswith("1970-01-01")


@pytest.mark.parametrize(
    ("zone", "default", "limit", "wrong"),
    [
        ("Europe/Berlin", None, "2026-07-01T00:00:00+02:00", 1),
        ("Europe/Berlin", None, "2026-07-01T00:00:00", 2),  # UTC, where nothing else is said
        (None, None, "2026-07-01T00:00:00", 2),
        (None, "Europe/Berlin", "2026-07-01T00:00:00Z", 3),
    ],
)
def test_time_zones(tmp_path: Path, zone: str | None, default: str | None, limit: str, wrong: int) -> None:
    # In UTC: June 30th at 21:59, 22:30 and July 1st at 00:30.
    seconds = [1782856740, 1782858600, 1782865800]
    stored = pa.array([s * 10**6 for s in seconds], pa.timestamp("us", tz=zone))
    given = options(minimum=limit, **({"defaultTimezone": default} if default else {}))
    assert counted(checked(tmp_path, stored, {"logicalType": "timestamp", **given})) == {"minimum": wrong}
