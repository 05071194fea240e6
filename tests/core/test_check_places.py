"""Where checks may read: a contract may name any place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from contracts_svc.errors import UserMistake
from contracts_svc.flows.check_places import is_under, within
from contracts_svc.runs import Outcome
from tests.core.quality import contract, run, write

# location, prefix -> whether it is under it
UNDER = [
    ("s3://lake/a/t/*.parquet", "s3://lake/a/", True),
    ("s3://lake/a/t", "s3://lake/a", True),
    ("s3://lake/a", "s3://lake/a/", True),
    ("s3://lake/ab/t", "s3://lake/a", False),
    ("s3://lake/a/../b", "s3://lake/a", False),
    ("s3://lake//a///t", "s3://lake/a", True),
    ("s3://lake/./a/t", "s3://lake/a", True),
    ("s3a://lake/a/t", "s3://lake/a", True),
    ("S3://lake/a/t", "s3://lake/a", True),
    ("s3://other/a/t", "s3://lake/a", False),
    ("s3://lake", "s3://lake/a", False),
    ("s3://lake/A/t", "s3://lake/a", False),
    ("/data/lake/t.parquet", "/data/lake", True),
    ("/data/lake/../secret", "/data/lake", False),
    ("/data/lake2", "/data/lake", False),
    ("/etc/passwd", "/data", False),
    ("file:///data/lake/t", "/data/lake", True),
    ("file:///data/%2e%2e/etc", "/data", False),
    ("file://host/data/lake", "/data", True),
    ("data/t.parquet", "/data", False),
    ("data/t.parquet", "data", True),
    ("../t.parquet", "data", False),
    ("postgres://db.internal/sales", "postgres://db.internal", True),
    ("postgres://db.internal/sales", "postgres://", True),
    ("mysql://db.internal/sales", "postgres://", False),
    ("s3://lake/a", "postgres://", False),
]


@pytest.mark.parametrize(("location", "prefix", "expected"), UNDER)
def test_is_under(location: str, prefix: str, expected: bool) -> None:
    assert is_under(location, prefix) is expected


T: dict[str, Any] = {"name": "t", "properties": [{"name": "x", "logicalType": "integer"}]}


def test_only_the_tenants_own_place_is_read(tmp_path: Path) -> None:
    write(tmp_path / "a/t/1.parquet", {"x": ["INTEGER", 1]})
    places = within([f"{tmp_path}/{{tenant}}/"])
    own = contract(tmp_path / "a", T, tenant="a")
    assert {r.outcome for r in run(own, location_of=places).results} == {Outcome.PASSED}
    for given in (contract(tmp_path / "a", T, tenant="b"), contract(tmp_path / "a", T)):
        with pytest.raises(UserMistake, match="is not where checks may read"):
            run(given, location_of=places)
    assert within([])(own, own.tables[0], own.servers[0]).startswith(str(tmp_path))


@pytest.mark.parametrize(
    "server",
    [
        {"type": "postgres", "host": "10.0.0.1", "port": 5432, "database": "d", "schema": "s"},
        {"type": "duckdb", "database": "/var/lib/other.duckdb"},
        {"type": "local", "path": "/etc/*.csv", "format": "csv"},
        {"type": "s3", "location": "s3://other-tenant/t/*.parquet", "format": "parquet"},
        {"type": "s3", "location": "s3://lake/t/../../other/t", "format": "delta"},
    ],
)
def test_other_places_are_refused_before_anything_is_asked(server: dict[str, Any]) -> None:
    given = contract(Path("/nowhere"), T, servers=[{"server": "s", **server}])
    with pytest.raises(UserMistake, match="is not where checks may read"):
        run(given, location_of=within(["s3://lake/", "postgres://db.internal/"]))
