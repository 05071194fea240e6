"""What a check asks of an S3 server: as few lists and objects as it needs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from contracts_svc.adapters.engines.duckdb import DuckDBEngine
from contracts_svc.adapters.state_file import StateFile
from contracts_svc.adapters.storage import ArrowStorage
from contracts_svc.app import SystemClock
from contracts_svc.demo.lake import Lake
from contracts_svc.flows.check_memory import SETTLED
from contracts_svc.flows.check_scope import Scope
from contracts_svc.odcs.read import read
from contracts_svc.ports import S3Access
from contracts_svc.runs import Run
from tests.core.quality import SCHEMAS, run
from tests.counting import Requests, counted
from tests.fixtures_s3 import put

BUCKET = "counted"
T: dict[str, Any] = {
    "name": "t",
    "properties": [
        {"name": "day", "logicalType": "integer", "partitioned": True},
        {"name": "id", "logicalType": "integer", "required": True, "logicalTypeOptions": {"minimum": 0}},
        {"name": "s", "logicalType": "string", "logicalTypeOptions": {"pattern": "^a"}},
    ],
}


def publish(lake: Lake, folder: Path, day: int, text: str = "a") -> None:
    path = folder / "part.parquet"
    pq.write_table(pa.table({"id": [day, day + 1], "s": [text, text]}), path)
    put(lake, BUCKET, f"t/day={day}/a.parquet", path)


@pytest.fixture
def lake(s3_server: Lake, tmp_path: Path) -> Iterator[tuple[Lake, S3Access, Requests]]:
    for day in range(1, 7):
        publish(s3_server, tmp_path, day)
    with counted(s3_server.access) as (access, requests):
        yield s3_server, access, requests


def checked(access: S3Access, states: StateFile | None = None, **more: Any) -> Run:
    table = {**T, "properties": more.pop("properties", T["properties"])}
    document = {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": "c",
        "version": "1.0.0",
        "status": "active",
        "servers": [
            {"server": "s", "type": "s3", "location": f"s3://{BUCKET}/t/**/*.parquet", "format": "parquet"}
        ],
        "schema": [table],
    }
    return run(
        read(yaml.safe_dump(document).encode(), "c.odcs.yaml", SCHEMAS.schema),
        storage=ArrowStorage(access),
        engine=DuckDBEngine(access),
        clock=SystemClock(),
        samples=0,
        states=states,
        **more,
    )


def keys(*days: int) -> set[str]:
    return {f"t/day%3D{day}/a.parquet" for day in days}


def test_only_a_partition_is_asked_for(lake: tuple[Lake, S3Access, Requests]) -> None:
    _, access, requests = lake
    assert checked(access, partition={"day": "3"}).exit_code == 0
    assert requests.objects() == keys(3)
    requests.clear()
    assert checked(access, since="day=5").exit_code == 0
    assert requests.objects() == keys(5, 6)


def test_only_a_partition_is_listed(s3_server: Lake, tmp_path: Path) -> None:
    """60 days in folders of months, 40 objects each: three pages of a list."""
    pq.write_table(pa.table({"id": [1], "s": ["a"]}), tmp_path / "part.parquet")
    content = (tmp_path / "part.parquet").read_bytes()
    for n in range(2_400):
        month, day = divmod(n // 40, 30)
        put(s3_server, BUCKET, f"deep/month=0{month + 1}/day={day}/{n}.parquet", content)
    put(s3_server, BUCKET, "deep/_temporary/0/part.parquet", content)
    for location in ("deep", "deep/", "deep/month=*/*/*.parquet", "deep/**/*.parquet"):
        for partition, found, most in (
            # The months, the days of one, and what is in the one.
            ({"month": "1", "day": "7"}, 40, 3),
            ({"month": "2"}, 1_200, 3),
            # Months come first: there may be more of those than pages.
            ({"day": "7"}, 80, 4),
            ({"month": "9"}, 0, 1),
            ({"hour": "1"}, 0, 4),
        ):
            with counted(s3_server.access) as (access, requests):
                files = ArrowStorage(access).files(
                    f"s3://{BUCKET}/{location}", Scope(partition=partition).partitions
                )
            kept = [
                f for f in files if all(int(f.partition.get(k, -1)) == int(v) for k, v in partition.items())
            ]
            assert len(kept) == found
            # A location without an end may be a file: one more request tells.
            assert requests.listings() <= most + (location == "deep")
    with counted(s3_server.access) as (access, requests):
        files = ArrowStorage(access).files(
            f"s3://{BUCKET}/deep/month=01/", Scope(partition={"month": "1"}).partitions
        )
    assert (len(files), requests.listings()) == (1_200, 2)


def test_what_footers_prove_is_read_from_footers(lake: tuple[Lake, S3Access, Requests]) -> None:
    _, access, requests = lake
    found = checked(access, properties=T["properties"][:2])
    assert (found.exit_code, found.files_read) == (0, 0)
    # The footer of a small file comes with one request, after one that asks how long the file is.
    assert requests.objects() == keys(1, 2, 3, 4, 5, 6)
    assert len(requests.seen) - requests.listings() <= 2 * 6


def test_how_long_a_file_is_is_asked_once(lake: tuple[Lake, S3Access, Requests]) -> None:
    """However many queries read it; the reader of footers asks once too."""
    _, access, requests = lake
    texts = {"name": "s", "logicalType": "string", "unique": True, "logicalTypeOptions": {"pattern": "^a"}}
    found = checked(access, properties=[*T["properties"][:2], texts])
    assert (found.exit_code, found.files_read, found.scans > 1) == (1, 6, True)
    heads = [r for r in requests.seen if r.startswith("HEAD ")]
    assert len(heads) <= 2 * 6


def test_a_second_run_asks_for_new_files_only(lake: tuple[Lake, S3Access, Requests], tmp_path: Path) -> None:
    server, access, requests = lake
    states = StateFile(tmp_path / "states.db")
    time.sleep(SETTLED.total_seconds() + 1.1)
    assert checked(access, states).files_read == 6
    requests.clear()
    again = checked(access, states)
    assert (again.exit_code, again.files_read, again.files) == (0, 0, 6)
    assert requests.objects() == set()
    publish(server, tmp_path, 7, "b")
    found = checked(access, states)
    assert (found.exit_code, found.files_read) == (1, 1)
    assert requests.objects() == keys(7)


def test_a_long_list_comes_in_pages(s3_server: Lake, tmp_path: Path) -> None:
    """A thousand objects a page, and none of them is asked for by itself."""
    pq.write_table(pa.table({"id": [1]}), tmp_path / "part.parquet")
    content = (tmp_path / "part.parquet").read_bytes()
    for n in range(2_500):
        put(s3_server, BUCKET, f"many/part-{n:05}.parquet", content)
    with counted(s3_server.access) as (access, requests):
        storage = ArrowStorage(access)
        assert len(storage.files(f"s3://{BUCKET}/many/*.parquet")) == 2_500
    assert requests.listings() <= 4
    assert requests.objects() == set()
