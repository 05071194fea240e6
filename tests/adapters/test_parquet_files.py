"""Files of apache/parquet-testing: read in full, or refused with the cause; never a crash, never a bug.

Each file is checked under a contract made of its own footer, so that every column is read.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest

from contracts_svc.adapters.storage import ArrowStorage
from contracts_svc.errors import CouldNotCheck
from contracts_svc.files import Footer
from contracts_svc.quality import types
from contracts_svc.quality.types import Family
from contracts_svc.runs import Outcome, Run
from tests.core.quality import contract, run
from tests.support import case_rows, shared

LOGICAL = {
    Family.TEXT: "string",
    Family.INTEGER: "integer",
    Family.DECIMAL: "number",
    Family.FLOAT: "number",
    Family.BOOLEAN: "boolean",
    Family.DATE: "date",
    Family.TIMESTAMP: "timestamp",
    Family.TIMESTAMP_TZ: "timestamp",
    Family.TIME: "time",
    Family.LIST: "array",
    Family.STRUCT: "object",
    Family.MAP: "map",
}
NO_CAUSE = re.compile(r"Traceback|INTERNAL|assert", re.IGNORECASE)


def column(name: str, kind: str) -> dict[str, Any]:
    logical = LOGICAL.get(types.family(types.parse(kind)))
    found: dict[str, Any] = {"name": name, "required": True, "unique": True}
    if logical is None:
        return found
    found["logicalType"] = logical
    if logical == "string":
        found["logicalTypeOptions"] = {"minLength": 1}
    if logical == "array":
        found["items"] = {"required": True}
        found["logicalTypeOptions"] = {"uniqueItems": True}
    if logical == "map":
        found["map"] = {"key": {"required": True}, "value": {"required": True}}
    return found


def checked(path: Path) -> tuple[Run, Footer | None]:
    storage = ArrowStorage()
    try:
        (footer,) = storage.footers(storage.files(str(path)))
        columns = [column(c.name, c.type) for c in footer.columns]
    except CouldNotCheck:
        footer, columns = None, [{"name": "x"}]
    rows = {"metric": "rowCount", "mustBe": footer.rows if footer else 0}
    server = {"server": "local", "type": "local", "path": str(path), "format": "parquet"}
    table = {"name": "t", "properties": columns, "quality": [rows]}
    return run(contract(path.parent, table, version="v3.2.0", servers=[server])), footer


def hadoop_lz4(path: Path) -> bool:
    return any(codec == "LZ4" for codec, _ in chunks(path))


def larger_than_memory(path: Path) -> bool:
    """A column chunk, which cannot be read in parts, of more bytes than a run may use."""
    return any(size > 512_000_000 for _, size in chunks(path))


def chunks(path: Path) -> list[tuple[str, int]]:
    """Compression and uncompressed size of every column chunk."""
    query = "SELECT compression, total_uncompressed_size FROM parquet_metadata(?)"
    with duckdb.connect() as connection:
        return connection.execute(query, [str(path)]).fetchall()


REFUSED: Mapping[str, Callable[[Path], bool]] = {
    "a compression that is not read": hadoop_lz4,
    "out of memory": larger_than_memory,
}
"""Readable files that are refused on purpose: the cause -> which files these are."""


def test_every_file_is_read_or_refused_with_the_cause() -> None:
    differ = []
    counts: Counter[str] = Counter()
    for row in case_rows("parquet_files"):
        path = shared("cases") / row["file"]
        found, footer = checked(path)
        errors = [r.reason for r in found.results if r.outcome is Outcome.ERRORED]
        if any(NO_CAUSE.search(e) for e in errors):
            differ.append((row["file"], "an error without its cause", errors[:2]))
        if row["expected"]["outcome"] != "readable":
            counts["refused" if errors else "read in part"] += 1
            if any(path.name not in e for e in errors):
                differ.append((row["file"], "an error that does not name the file", errors[:2]))
            continue
        refused = {cause for cause in REFUSED if errors and all(cause in e for e in errors)}
        if {cause for cause, test in REFUSED.items() if test(path)} != refused or bool(errors) != bool(
            refused
        ):
            differ.append((row["file"], "is readable", errors[:2]))
        if footer is None or found.rows != footer.rows:
            differ.append((row["file"], "other rows", found.rows))
        counts["refused on purpose" if errors else "read"] += 1
    assert differ == []
    print(dict(counts))
    assert counts["refused on purpose"] == len(REFUSED)
    assert sum(counts.values()) == len(list(case_rows("parquet_files")))


@pytest.mark.parametrize("name", ["truncated", "empty", "garbage"])
def test_what_is_no_parquet_file_is_refused(tmp_path: Path, name: str) -> None:
    whole = (shared("cases") / "parquet/data__binary.parquet").read_bytes()
    path = tmp_path / "a.parquet"
    path.write_bytes({"truncated": whole[: len(whole) // 2], "empty": b"", "garbage": b"PAR1" * 99}[name])
    found, footer = checked(path)
    assert footer is None
    assert {r.outcome for r in found.results} == {Outcome.ERRORED}
    assert "not a Parquet file, or a damaged one" in found.results[0].reason
