"""Rules written for Soda and Great Expectations: the same verdicts, or the reason why there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.core.quality import contract, results, run, write
from tests.support import DATA

CASES = yaml.safe_load((DATA / "quality" / "foreign.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("foreign")
    write(found / "t" / "a.parquet", CASES["data"])
    return found


def said(folder: Path, engine: str, implementation: Any, column: str | None) -> list[str]:
    """What came of a rule: outcomes and figures of its checks, or the reason why there are none."""
    rule = {"type": "custom", "engine": engine, "implementation": implementation}
    columns = [{**c, **({"quality": [rule]} if c["name"] == column else {})} for c in CASES["properties"]]
    table = {"name": "t", "properties": columns, **({} if column else {"quality": [rule]})}
    found = run(contract(folder, table))
    if found.unsupported:
        return [u.reason for u in found.unsupported]
    ours = {c["name"] for c in CASES["properties"]}
    plain = {"t.table-present", "t.extra-column"} | {
        f"t.{c}.{k}" for c in ours for k in ("missing-column", "logical-type")
    }
    return [
        f"{r.check.kind} {r.outcome.value} {r.failing if r.failing is not None else r.values.get('value')}"
        for name, r in results(found).items()
        if name not in plain
    ]


@pytest.mark.parametrize("case", CASES["cases"], ids=[str(i) for i in range(len(CASES["cases"]))])
def test_case(folder: Path, case: dict[str, Any]) -> None:
    for engine in case["engines"]:
        found = said(folder, engine, case["implementation"], case.get("column"))
        wanted = case.get("gives") or [f"{engine}: {case['reason']}"]
        assert found == wanted
