"""Writes the files of this folder: ``python write.py polars_`` and ``spark_``, in an environment that has
polars 2.1 or pyspark 4.0 (and Java), with TZ=UTC. The values are those of ``rows`` in every file."""

from __future__ import annotations

import shutil
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
MOMENTS = [
    datetime(2026, 1, 1),
    datetime(2026, 1, 1, 0, 0, 0, 1),
    datetime(1969, 12, 31, 23, 59, 59, 999_999),
]
NINES = Decimal("-" + "9" * 36 + ".99")
ONE = Decimal("1.00")
ROWS: dict[str, list[Any]] = {
    "i": [0, 1, -1, 5, 2**63 - 1, -(2**63), None, 3],
    "small": [0, 1, -128, 127, None, 5, 6, 7],
    "f": [0.0, -0.0, 1.0, 5.0, float("nan"), float("inf"), float("-inf"), None],
    "d": [Decimal("0.00"), Decimal("0.01"), Decimal("-0.01"), Decimal("5.00"), None, ONE, 2 * ONE, 3 * ONE],
    "big": [Decimal("0.00"), Decimal("5.01"), NINES, None, ONE, ONE, ONE, ONE],
    "day": [date(2026, 1, 1), date(2025, 12, 31), date(1, 1, 1), date(9999, 12, 31), None,
            date(2026, 1, 2), date(2026, 1, 3), date(2026, 1, 4)],
    "at": [*MOMENTS, datetime(9999, 12, 31, 23, 59, 59), None, *(datetime(2026, 2, n) for n in (1, 2, 3))],
    "tz": [*(m.replace(tzinfo=UTC) for m in MOMENTS), None, *(datetime(2026, 3, n, tzinfo=UTC) for n in (1, 2, 3, 4))],
    "s": ["", "a", "b", "x" * 100, "é", None, "\U0010ffff" * 20, "z"],
    "b": [True, False, None, True, True, False, None, True],
}  # fmt: skip


def polars_() -> None:
    import polars as pl

    schema = {
        "i": pl.Int64, "small": pl.Int8, "f": pl.Float64, "d": pl.Decimal(9, 2), "big": pl.Decimal(38, 2),
        "day": pl.Date, "at": pl.Datetime("us"), "tz": pl.Datetime("us", "UTC"), "s": pl.String, "b": pl.Boolean,
    }  # fmt: skip
    table = pl.DataFrame(ROWS, schema=schema)
    table.write_parquet(HERE / "polars.parquet")
    table.write_parquet(
        HERE / "polars_groups.parquet", row_group_size=3, statistics="full", compression="snappy"
    )
    table.write_parquet(HERE / "polars_plain.parquet", statistics=False, compression="uncompressed")


def spark_() -> None:
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[1]").config("spark.sql.session.timeZone", "UTC")
    session = builder.config("spark.ui.enabled", "false").getOrCreate()
    kinds = "i bigint, small tinyint, f double, d decimal(9,2), big decimal(38,2), day date, at timestamp_ntz, tz timestamp, s string, b boolean"
    frame = session.createDataFrame(list(zip(*ROWS.values(), strict=True)), kinds).coalesce(1)
    parquet = "spark.sql.parquet."
    usual = {"outputTimestampType": "TIMESTAMP_MICROS", "datetimeRebaseModeInWrite": "CORRECTED"}
    for name, other in (
        ("spark", {}),
        ("spark_int96", {"outputTimestampType": "INT96", "int96RebaseModeInWrite": "CORRECTED"}),
        ("spark_legacy", {"writeLegacyFormat": "true"}),
    ):
        for key, value in {**usual, **other}.items():
            session.conf.set(parquet + key, value)
        frame.write.mode("overwrite").parquet(str(HERE / "tmp"))
        (part,) = (HERE / "tmp").glob("*.parquet")
        shutil.copy(part, HERE / f"{name}.parquet")
    shutil.rmtree(HERE / "tmp")
    session.stop()


if __name__ == "__main__":
    globals()[sys.argv[1]]()
