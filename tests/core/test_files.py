"""The words of stored files."""

from __future__ import annotations

import pytest

from contracts_svc.files import natural


@pytest.mark.parametrize(
    "ordered",
    [
        ["month=2", "month=10", "month=12"],
        ["a/part-9.parquet", "a/part-10.parquet", "b/part-1.parquet"],
        # Digits of other scripts and superscripts are text: they must not be read as numbers.
        ["day=1", "day=1²", "day=²"],
    ],
)
def test_names_sort_as_people_do(ordered: list[str]) -> None:
    upside_down = ordered[::-1]
    assert sorted(upside_down, key=natural) == ordered
