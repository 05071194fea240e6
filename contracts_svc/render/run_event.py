"""A Run as an event of OpenLineage: what was measured of a dataset, and which promises it kept.

The facets are ``dataQualityMetrics`` and ``dataQualityAssertions`` (openlineage.io/spec/facets). What could
not be checked is neither kept nor broken, so it is no assertion.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from contracts_svc.findings import Severity
from contracts_svc.model import Json
from contracts_svc.runs import Outcome, Result, Run

SPEC = "https://openlineage.io/spec/2-0-2/OpenLineage.json"
_FACETS = "https://openlineage.io/spec/facets"
_METRICS = (
    f"{_FACETS}/1-0-3/DataQualityMetricsInputDatasetFacet.json#/$defs/DataQualityMetricsInputDatasetFacet"
)
_ASSERTIONS = (
    f"{_FACETS}/1-1-0/DataQualityAssertionsDatasetFacet.json#/$defs/DataQualityAssertionsDatasetFacet"
)
_ERROR = f"{_FACETS}/1-0-1/ErrorMessageRunFacet.json#/$defs/ErrorMessageRunFacet"
_JOB_TYPE = f"{_FACETS}/2-0-4/JobTypeJobFacet.json#/$defs/JobTypeJobFacet"
NAMESPACE = "contracts"
"""The namespace of the jobs that check."""
_NAMES = {
    "required": "not_null",
    "null-values": "not_null",
    "unique": "unique",
    "row-count": "row_count",
    "freshness": "freshness",
    "sql": "custom_sql",
    "enum": "accepted_values",
    "relationship": "relationships",
}
"""Kind of a check -> what the standard calls such a test, where it has a word for it."""
_TOLD = (Outcome.PASSED, Outcome.FAILED, Outcome.WARNED)


def run_event(run: Run, namespace: str, name: str, producer: str) -> dict[str, Any]:
    """The event of a run over the dataset of this name. The same run gives the same event.

    FAIL where nothing could be checked; broken promises are a COMPLETE run that found them.
    """
    told = [r for r in run.results if r.outcome in _TOLD]
    began = run.started.isoformat()
    key = "\n".join((run.contract, run.version, run.table, run.server, run.scope, began))
    errors = [r.reason for r in run.results if r.outcome is Outcome.ERRORED]
    facets = {
        "dataQualityMetrics": _facet(producer, _METRICS, _metrics(run)),
        "dataQualityAssertions": _facet(producer, _ASSERTIONS, {"assertions": [_assertion(r) for r in told]}),
    }
    failed = bool(errors) and not told
    message = {"message": errors[0], "programmingLanguage": "Python"} if errors else None
    job_type = {"processingType": "BATCH", "integration": "CONTRACTS", "jobType": "CHECK"}
    return {
        "eventType": "FAIL" if failed else "COMPLETE",
        "eventTime": run.finished.isoformat(),
        "producer": producer,
        "schemaURL": f"{SPEC}#/$defs/RunEvent",
        "run": {
            "runId": str(uuid5(NAMESPACE_URL, key)),
            "facets": {"errorMessage": _facet(producer, _ERROR, message)} if message else {},
        },
        "job": {
            "namespace": NAMESPACE,
            "name": f"check.{run.contract}.{run.table}",
            "facets": {"jobType": _facet(producer, _JOB_TYPE, job_type)},
        },
        "inputs": [{"namespace": namespace, "name": name, "facets": {}, "inputFacets": facets}],
        "outputs": [],
    }


def _facet(producer: str, schema: str, content: Mapping[str, Json]) -> dict[str, Json]:
    return {"_producer": producer, "_schemaURL": schema, **content}


def _metrics(run: Run) -> dict[str, Json]:
    found: dict[str, Json] = {"columnMetrics": dict(_columns(run))}
    if run.rows is not None:
        found["rowCount"] = run.rows
    if run.files:
        found |= {"bytes": run.bytes, "fileCount": run.files}
    if run.published is not None:
        found["lastUpdated"] = run.published.isoformat()
    return found


def _columns(run: Run) -> Iterator[tuple[str, Json]]:
    """Column -> how many of its values are NULL, and how many there are."""
    for result in run.results:
        counted = result.check.kind in ("required", "null-values") and result.failing is not None
        if counted and result.outcome in _TOLD and result.rows is not None:
            count = {"nullCount": result.failing, "count": result.rows - (result.failing or 0)}
            yield result.check.columns[0], count


def _assertion(result: Result) -> dict[str, Json]:
    check = result.check
    found: dict[str, Json] = {
        "assertion": _NAMES.get(check.kind, check.kind.replace("-", "_")),
        "success": result.outcome is Outcome.PASSED,
        "severity": "error" if check.severity is Severity.ERROR else "warn",
        "name": check.id,
        "expected": result.expected,
        "actual": result.found,
    }
    if check.title:
        found["description"] = check.title
    if len(check.columns) == 1:
        found["column"] = check.columns[0]
    return found
