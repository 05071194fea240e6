"""Every kind of check on small data: the table in tests/data/quality/cases.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from contracts_svc.quality import kinds_anomaly, kinds_sla, kinds_time
from contracts_svc.quality.kinds import KINDS, Origin
from tests.core.quality import contract, results, run, write
from tests.support import DATA

CASES = [
    case
    for name in ("cases.yaml", "more_cases.yaml")
    for case in yaml.safe_load((DATA / "quality" / name).read_text(encoding="utf-8"))
]
GIVEN = ("quality", "relationships")


@pytest.mark.parametrize("case", CASES, ids=[c["case"] for c in CASES])
def test_case(case: dict[str, Any], tmp_path: Path) -> None:
    tables = [{"name": "t", "properties": case["properties"], **{k: case[k] for k in GIVEN if k in case}}]
    write(tmp_path / "t" / "a.parquet", case["data"])
    for name, other in case.get("others", {}).items():
        tables.append({"name": name, "properties": other["properties"]})
        write(tmp_path / name / "a.parquet", other["data"])
    found = run(contract(tmp_path, *tables, version=case.get("version", "v3.1.0")))
    assert not found.unsupported
    said = results(found)
    assert case["expect"].keys() <= said.keys(), sorted(said)
    for check, result in said.items():
        wanted = {"outcome": "passed", **case["expect"].get(check, {})}
        values = wanted.pop("values", {})
        shown = {name: getattr(result, name) for name in wanted}
        assert shown == wanted, (check, result)
        assert {name: result.values[name] for name in values} == values, check


def test_every_kind_has_a_case_in_which_it_passes_or_fails() -> None:
    """A kind that no case mentions is a kind that is not tested."""
    mentioned = yaml.safe_dump(CASES)
    ids = {kind.key for kind in KINDS if kind.origin is not Origin.CUSTOM and not kind.metric}
    # These have test modules of their own.
    elsewhere = {"table-present", "freshness", "sql", "readable-documents", "readable-lines", "value-type"}
    elsewhere |= {
        "partition-layout",
        *(k.key for k in (*kinds_time.KINDS, *kinds_sla.KINDS, *kinds_anomaly.KINDS)),
    }
    untested = {k for k in ids - elsewhere if f"{k}" not in mentioned}
    assert not untested


def test_rows_of_the_table_of_kinds_are_documented_alike() -> None:
    assert len({k.key for k in KINDS}) == len(KINDS)
    for kind in KINDS:
        assert kind.purpose.startswith("Checks that "), kind.key
        assert kind.purpose.endswith("."), kind.key
        assert kind.source, kind.key
        assert kind.promised or kind.metric or kind.rule_type, kind.key
        assert kind.merge, kind.key
