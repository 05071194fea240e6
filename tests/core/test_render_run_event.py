"""A Run as an event of OpenLineage: legal by the standard's schemas, and with what was found."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from referencing import Registry, Resource

from contracts_svc.render.run_event import run_event
from contracts_svc.runs import Outcome, Run
from tests.core.quality import contract, run, write
from tests.support import shared

T = {
    "name": "t",
    "quality": [
        {"id": "many", "metric": "rowCount", "mustBeGreaterThan": 5, "severity": "warning"},
        {"id": "good", "type": "sql", "query": "SELECT COUNT(*) FROM t WHERE x > 1", "mustBe": 1},
    ],
    "properties": [
        {"name": "x", "logicalType": "integer", "required": True, "unique": True},
        {"name": "y", "logicalType": "string", "quality": [{"metric": "nullValues", "mustBeLessThan": 2}]},
        {"name": "secret", "logicalType": "string", "classification": "restricted", "logicalTypeOptions": {"pattern": "^a"}},
        {"name": "gone", "logicalType": "string", "required": True},
    ],
}  # fmt: skip


@pytest.fixture
def found(tmp_path: Path) -> Run:
    write(
        tmp_path / "t/a.parquet",
        {
            "x": ["INTEGER", 1, 2, None],
            "y": ["VARCHAR", "a", None, "b"],
            "secret": ["VARCHAR", "a", "hush", "a"],
        },
    )
    return run(contract(tmp_path, T))


def event(found: Run) -> dict[str, Any]:
    return run_event(found, "s3://lake", "t", "urn:tests")


def validate(document: dict[str, Any]) -> None:
    """By the schema of the standard, and each facet by its own."""
    folder = shared("schemas/openlineage")
    spec = json.loads((folder / "OpenLineage.json").read_text(encoding="utf-8"))
    registry: Registry[Any] = Registry().with_resource(spec["$id"], Resource.from_contents(spec))
    checker = jsonschema.FormatChecker()
    of_run = {"$ref": f"{spec['$id']}#/$defs/RunEvent"}
    jsonschema.Draft202012Validator(of_run, registry=registry, format_checker=checker).validate(document)
    parts = [document["run"], document["job"], *document["inputs"]]
    facets = [f for part in parts for key in ("facets", "inputFacets") for f in part.get(key, {}).items()]
    known = {}
    for path in sorted((folder / "facets").glob("*.json")):
        schema = json.loads(path.read_text(encoding="utf-8"))
        registry = registry.with_resource(schema["$id"], Resource.from_contents(schema))
        known[schema["$id"]] = schema
    for name, facet in facets:
        schema = known[facet["_schemaURL"].partition("#")[0]]
        assert name in schema["properties"]
        of_facet = {"$ref": f"{schema['$id']}#/properties/{name}"}
        jsonschema.Draft202012Validator(of_facet, registry=registry, format_checker=checker).validate(facet)


def test_what_was_measured_and_kept(found: Run) -> None:
    told = event(found)
    validate(told)
    assert told["eventType"] == "COMPLETE"
    (dataset,) = told["inputs"]
    metrics = dataset["inputFacets"]["dataQualityMetrics"]
    assert (metrics["rowCount"], metrics["fileCount"], metrics["bytes"]) == (3, 1, found.bytes)
    assert metrics["columnMetrics"] == {"x": {"nullCount": 1, "count": 2}, "y": {"nullCount": 1, "count": 2}}
    said = {a["name"]: a for a in dataset["inputFacets"]["dataQualityAssertions"]["assertions"]}
    assert (said["t.x.required"]["assertion"], said["t.x.required"]["success"]) == ("not_null", False)
    assert said["t.x.required"]["column"] == "x"
    assert said["t.x.required"]["actual"] == "1 of 3 rows (33.33 %)"
    assert (said["t.many"]["success"], said["t.many"]["severity"]) == (False, "warn")
    assert (said["t.good"]["assertion"], said["t.good"]["success"]) == ("custom_sql", True)
    # What could not be measured is neither kept nor broken.
    assert "t.gone.required" not in said
    assert said["t.gone.missing-column"]["success"] is False
    assert "hush" not in json.dumps(told)


def test_the_same_run_is_the_same_event(found: Run) -> None:
    assert event(found) == event(found)
    later = replace(found, started=found.started.replace(hour=13))
    assert event(later)["run"]["runId"] != event(found)["run"]["runId"]


def test_where_nothing_could_be_checked_the_run_failed(found: Run) -> None:
    errored = tuple(replace(r, outcome=Outcome.ERRORED, reason="access denied") for r in found.results)
    told = event(replace(found, results=errored, files=0, rows=None, published=None))
    validate(told)
    assert told["eventType"] == "FAIL"
    assert told["run"]["facets"]["errorMessage"]["message"] == "access denied"
    assert told["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"] == []
