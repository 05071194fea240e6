"""What the files say before any row is read: which columns may be there, and in which folders they lie."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from contracts_svc.runs import Outcome
from tests.core.quality import contract, results, run, write

COLUMNS = [{"name": "x", "logicalType": "integer"}, {"name": "gone", "logicalType": "integer"}]


def outcomes(folder: Path, table: list[dict[str, str]], whole: list[dict[str, str]]) -> dict[str, str]:
    write(folder / "t" / "a.parquet", {"x": ["INTEGER", "1"], "more": ["INTEGER", "1"]})
    given = contract(
        folder, {"name": "t", "properties": COLUMNS, "customProperties": table}, customProperties=whole
    )
    found = run(given)
    wanted = ("extra-column", "missing-column")
    return {r.check.id: r.outcome.value for r in found.results if r.check.kind in wanted} | {
        u.what: u.reason for u in found.unsupported
    }


def policy(name: str, value: str) -> dict[str, str]:
    return {"property": name, "value": value}


BY_DEFAULT = {
    "t.extra-column": "warned",
    "t.x.missing-column": "passed",
    "t.gone.missing-column": "failed",
}


@pytest.mark.parametrize(
    ("table", "whole", "changed"),
    [
        ([], [], {}),
        ([policy("extraColumns", "forbidden")], [], {"t.extra-column": "failed"}),
        ([policy("extraColumns", "allowed")], [], {"t.extra-column": None}),
        ([], [policy("extraColumns", " Forbidden")], {"t.extra-column": "failed"}),
        (
            [policy("extraColumns", "allowed")],
            [policy("extraColumns", "forbidden")],
            {"t.extra-column": None},
        ),
        ([policy("missingColumns", "warned")], [], {"t.gone.missing-column": "warned"}),
        (
            [policy("missingColumns", "allowed")],
            [],
            {"t.gone.missing-column": None, "t.x.missing-column": None},
        ),
        (
            [policy("extraColumns", "perhaps")],
            [],
            {"t: customProperties extraColumns": "perhaps is none of allowed, warned, forbidden"},
        ),
    ],
)
def test_a_custom_property_says_which_columns_may_be_there(
    tmp_path: Path, table: list[dict[str, str]], whole: list[dict[str, str]], changed: dict[str, Any]
) -> None:
    wanted = {k: v for k, v in {**BY_DEFAULT, **changed}.items() if v is not None}
    assert outcomes(tmp_path, table, whole) == wanted


@pytest.mark.parametrize(
    ("folders", "outcome", "found"),
    [
        (["year=2026/month=1", "year=2026/month=2"], Outcome.PASSED, "all 2 files"),
        (["env=prod/year=2026/month=1"], Outcome.PASSED, "the file"),
        (["YEAR=2026/Month=1"], Outcome.PASSED, "the file"),
        (["year=2026/month=1", "month=2/year=2026"], Outcome.FAILED, "month=/year= in 1 of 2 files"),
        (["year=2026", "2026/01"], Outcome.FAILED, "no such folder and year= in all 2 files"),
    ],
)
def test_files_lie_in_the_folders_of_their_partition_keys(
    tmp_path: Path, folders: list[str], outcome: Outcome, found: str
) -> None:
    for folder in folders:
        write(tmp_path / "t" / folder / "a.parquet", {"x": ["INTEGER", "1"]})
    keys = [
        {"name": "month", "logicalType": "integer", "partitioned": True, "partitionKeyPosition": 2},
        {"name": "year", "logicalType": "integer", "partitioned": True, "partitionKeyPosition": 1},
    ]
    said = results(run(contract(tmp_path, {"name": "t", "properties": [COLUMNS[0], *keys]})))
    result = said["t.partition-layout"]
    assert (result.outcome, result.found, result.expected) == (outcome, found, "folders year=/month=")


def test_nothing_is_promised_of_folders_without_partition_keys(tmp_path: Path) -> None:
    write(tmp_path / "t" / "a.parquet", {"x": ["INTEGER", "1"]})
    assert "t.partition-layout" not in results(run(contract(tmp_path, {"name": "t", "properties": COLUMNS})))
