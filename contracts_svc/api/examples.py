"""Examples in the API's own description, made of what its fields are called.

One table says what a field of a name holds; an example of a body or an answer is put together from it along
the schema, so that no endpoint is without one, and none of them can be of another shape than the schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_LATEST = "2026-11-24T06:12:00Z"
_FINGERPRINT = "5b1f0c9ad2e7c3384a6d1e0f9b8c7d6e5f4a3b2c1d0e9f8a7b6c5d4e3f2a1b0c"
_DOCUMENT: dict[str, Any] = {
    "apiVersion": "v3.1.0",
    "kind": "DataContract",
    "id": "orders",
    "version": "1.1.0",
    "status": "active",
    "team": {"name": "checkout"},
    "schema": [{"name": "orders", "properties": [{"name": "amount", "logicalType": "number"}]}],
}
_TEXT = (
    "apiVersion: v3.1.0\nkind: DataContract\nid: orders\nversion: 1.1.0\nstatus: active\n"
    "team: {name: checkout}\nschema: [{name: orders, properties: [{name: amount, logicalType: number}]}]\n"
)

NAMED: Mapping[str, Any] = {
    "action": "registered",
    "after": "acknowledged",
    "approver": "menu",
    "at": _LATEST,
    "before": _LATEST,
    "cause": "",
    "check": "amount-nulls",
    "checked": _LATEST,
    "column": "amount",
    "complete": True,
    "columns": ["amount"],
    "consumer": "revenue forecast",
    "contract": "orders",
    "contract_id": "orders",
    "counts": {"passed": 41, "failed": 1},
    "dataset": "orders",
    "domain": "shop",
    "etag": '"9f86d081884c7d659a2feaa0c55ad015"',
    "evidence": {"outcome": "failed", "expected": "no rows", "found": "3 rows are NULL", "failing": 3},
    "expires": "2027-01-31T00:00:00Z",
    "figure": "failing",
    "file": "contracts/orders.odcs.yaml",
    "files": 1,
    "findings": [{"rule": "column-removed", "severity": "error", "message": "the column 'amount' is gone"}],
    "fingerprint": "0123456789abcdef",
    "finished": _LATEST,
    "id": "1f0a5c3e9b7d2468",
    "incident_id": _FINGERPRINT,
    "job_id": "71",
    "kept": True,
    "kind": "check",
    "limit": 100,
    "max_age": 26,
    "mode": "FORWARD",
    "name": "orders",
    "namespace": "s3://lake",
    "new": "1.1.0",
    "new_version": "1.1.0",
    "next": None,
    "old": "1.0.0",
    "old_version": "1.0.0",
    "origin": "openlineage:airflow/revenue",
    "owner": "ada@example.com",
    "passed_over": [],
    "problems": [],
    "ready": True,
    "reason": "we read amount_eur instead from Monday on",
    "resolved": None,
    "resolution": "",
    "rows": 1200,
    "run_id": "1f0a5c3e9b7d2468",
    "scope": "whole table",
    "search": "ord",
    "seen": _LATEST,
    "server": "lake",
    "since": "month=12",
    "source_column": "amount",
    "squad": "checkout",
    "started": _LATEST,
    "state": "open",
    "status": "active",
    "subject": "orders",
    "table": "orders",
    "tables": ["orders"],
    "tag": "finance",
    "tags": ["finance"],
    "target_column": "total",
    "team": "menu",
    "tenant": "",
    "tribe": "sales",
    "unmatched": [],
    "value": 3,
    "version": "1.1.0",
    "where": "api 10.1.2.3",
    "who": "ada@example.com",
}
"""What a field or a parameter of a name holds. Conditions (If-Match) have none: it would hold of nothing."""

_VERDICT: dict[str, Any] = {
    "outcome": "BLOCK",
    "headline": "BLOCK: 1 change breaks 1 consumer; menu must agree",
    "must_agree": ["menu"],
    "findings": NAMED["findings"],
}
_EVENT: dict[str, Any] = {
    "eventType": "COMPLETE",
    "eventTime": _LATEST,
    "run": {"runId": "0190f0a8-6d5f-7e1b-a4c3-2f6b8d9e0a1c"},
    "job": {"namespace": "airflow", "name": "revenue"},
    "inputs": [{"namespace": "s3://lake", "name": "orders"}],
    "outputs": [{"namespace": "s3://lake", "name": "revenue"}],
}

BODIES: Mapping[str, Any] = {
    "POST /api/v1/contracts": _DOCUMENT,
    "POST /api/v1/preflight": {"new": _TEXT},
    "POST /api/v1/lineage": _EVENT,
    "POST /api/v1/lineage/batch": [_EVENT],
}
"""What an endpoint is sent, where the names of its fields do not say it."""

ANSWERS: Mapping[str, Any] = {
    "POST /api/v1/preflight": _VERDICT,
    "GET /api/v1/contracts/{contract_id}": _DOCUMENT,
    "GET /api/v1/contracts/{contract_id}/badge.svg": '<svg xmlns="http://www.w3.org/2000/svg">...</svg>',
    "GET /api/v1/runs/{run_id}": {
        "id": "1f0a5c3e9b7d2468",
        "contract": "orders",
        "table": "orders",
        "counts": {"passed": 41, "failed": 1},
    },
    "POST /api/v1/lineage/part": {"edges": [], "consumers": [], "contracts": [], "complete": True},
    "GET /health": {"status": "alive"},
}
"""What an endpoint answers, where its schema says no more than that it is an object or a text."""
_DEEPEST = 12


def add_examples(document: dict[str, Any]) -> None:
    """Give every parameter, body and answer of an OpenAPI document an example, where it has none."""
    schemas = document.get("components", {}).get("schemas", {})
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _complete(operation, f"{method.upper()} {path}", schemas)


def example_of(schema: Mapping[str, Any], schemas: Mapping[str, Any], name: str = "", depth: int = 0) -> Any:
    """A value of a schema; ``name``: what the field that holds it is called."""
    for key in ("example", "const"):
        if key in schema:
            return schema[key]
    if schema.get("examples"):
        return schema["examples"][0]
    if "$ref" in schema:
        return example_of(schemas[schema["$ref"].rpartition("/")[2]], schemas, name, depth)
    if "enum" in schema:
        return schema["enum"][0]
    if _fits(NAMED.get(name, _MISSING), schema, schemas):
        return NAMED[name]
    if "default" in schema:
        return schema["default"]
    choices = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
    if choices:
        return example_of(choices[0], schemas, name, depth)
    return _of_type(schema, schemas, name, depth)


_MISSING = object()


def _of_type(schema: Mapping[str, Any], schemas: Mapping[str, Any], name: str, depth: int) -> Any:
    kind = schema.get("type")
    if kind == "object":
        given = schema.get("properties", {}) if depth < _DEEPEST else {}
        return {key: example_of(inner, schemas, key, depth + 1) for key, inner in given.items()}
    if kind == "array":
        inner = schema.get("items", {}) if depth < _DEEPEST else {}
        return [example_of(inner, schemas, name, depth + 1)] if inner else []
    if kind in ("integer", "number"):
        return max(0, schema.get("minimum", 0))
    if kind == "boolean":
        return False
    if kind == "null":
        return None
    return _LATEST if schema.get("format") == "date-time" else name or "text"


def _fits(value: Any, schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> bool:
    """Whether what a name stands for is of the schema's type: one name may mean several things."""
    if value is _MISSING:
        return False
    choices = schema.get("anyOf") or schema.get("oneOf")
    if choices:
        return any(_fits(value, choice, schemas) for choice in choices)
    if "$ref" in schema:
        return _fits(value, schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if "enum" in schema:
        return value in schema["enum"]
    if schema.get("format") == "date-time":
        return isinstance(value, str) and value[:2] == "20"
    if schema.get("type") == "array" and isinstance(value, list):
        return all(_fits(v, schema.get("items", {}), schemas) for v in value)
    kinds: Mapping[str, Any] = {
        "string": str,
        "integer": int,
        "number": (int, float),
        "boolean": bool,
        "object": dict,
        "null": type(None),
    }
    if isinstance(value, bool) and schema.get("type") != "boolean":
        return False
    return isinstance(value, kinds.get(schema.get("type", ""), ()))


def _complete(operation: dict[str, Any], key: str, schemas: Mapping[str, Any]) -> None:
    for parameter in operation.get("parameters", []):
        if "example" not in parameter and not parameter["name"].startswith("if-"):
            found = example_of(parameter.get("schema", {}), schemas, parameter["name"])
            if found not in (None, ""):
                parameter["example"] = found
    for content in operation.get("requestBody", {}).get("content", {}).values():
        _put(content, BODIES.get(key, _MISSING), schemas)
    for status, response in operation["responses"].items():
        if int(status) < 400:
            for content in response.get("content", {}).values():
                _put(content, ANSWERS.get(key, _MISSING), schemas)


def _put(content: dict[str, Any], given: Any, schemas: Mapping[str, Any]) -> None:
    if given is _DOCUMENT and content.get("schema", {}).get("type") != "object":
        given = _TEXT
    if "example" not in content:
        content["example"] = example_of(content.get("schema", {}), schemas) if given is _MISSING else given
