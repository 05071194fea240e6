"""A real S3 server for tests, and a small copy of the demo's sources.

The fixtures are known to every test: see conftest.py.
"""

from __future__ import annotations

import csv
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from contracts_svc.demo.lake import Lake
from contracts_svc.demo.publish import csv_files, make_bucket


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """A running S3 server that all tests of a process share: keep to a bucket of your own."""
    with Lake.start(tmp_path_factory.mktemp("s3")) as lake:
        yield lake


@pytest.fixture
def own_lake(tmp_path: Path) -> Iterator[Lake]:
    """A running S3 server for one test, for those that publish the demo's lake."""
    with Lake.start(tmp_path / "lake") as lake:
        yield lake


def put(lake: Lake, bucket: str, key: str, content: bytes | Path) -> str:
    """Place an object as it is, damaged files too; returns its address."""
    if not (lake.directory / bucket).is_dir():
        make_bucket(lake.access, bucket)
    target = lake.directory / bucket / key
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content if isinstance(content, bytes) else content.read_bytes())
    return f"s3://{bucket}/{key}"


Keep = Callable[[dict[str, str]], bool]


def small_source(tmp_path: Path, per_month: int = 200, keep: Keep = lambda _: True) -> Path:
    """A folder of the demo's five CSV files with only the first flights of each month.

    ``keep`` says which flights (column -> text as in the CSV) are taken at all.
    """
    folder = tmp_path / "source"
    folder.mkdir()
    with csv_files() as paths:
        for table, path in paths.items():
            if table != "flights":
                shutil.copy(path, folder / f"{table}.csv")
        _first_flights(paths["flights"], folder / "flights.csv", per_month, keep)
    return folder


def _first_flights(source: Path, target: Path, per_month: int, keep: Keep) -> None:
    taken: Counter[str] = Counter()
    with source.open(newline="") as lines, target.open("w", newline="") as out:
        rows = csv.DictReader(lines)
        writer = csv.DictWriter(out, rows.fieldnames or ())
        writer.writeheader()
        for row in rows:
            if taken[row["month"]] < per_month and keep(row):
                taken[row["month"]] += 1
                writer.writerow(row)
