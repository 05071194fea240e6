"""JSON Schemas of standards that others wrote: what they allow, and whether something is as they want it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import jsonschema
from referencing import Registry, Resource

from tests.support import shared

Schema = Mapping[str, Any]


def fullest(of: Schema, resolve: Callable[[str], Schema], depth: int = 0) -> Any:
    """A value with everything that a schema names, the last of several choices, lists of one entry."""
    if "$ref" in of:
        rest = {k: v for k, v in of.items() if k != "$ref"}
        found = fullest(resolve(of["$ref"]), resolve, depth)
        return found if not rest or not isinstance(found, dict) else found | _filled(rest, resolve, depth)
    for several in ("oneOf", "anyOf"):
        if several in of:
            return fullest(of[several][-1], resolve, depth)
    if "allOf" in of:
        parts = [fullest(part, resolve, depth) for part in of["allOf"]]
        return {k: v for part in parts if isinstance(part, dict) for k, v in part.items()}
    if "properties" in of:
        return _filled(of, resolve, depth)
    if of.get("type") == "array":
        return [fullest(of.get("items", {}), resolve, depth + 1)]
    if of.get("type") == "object":
        more = of.get("additionalProperties")
        return {"key": fullest(more, resolve, depth + 1)} if isinstance(more, dict) else {}
    return _scalar(of)


def _filled(of: Schema, resolve: Callable[[str], Schema], depth: int) -> dict[str, Any]:
    # What may hold itself ends where nothing needs it.
    wanted = (
        of.get("properties", {}) if depth < 6 else {k: of["properties"][k] for k in of.get("required", ())}
    )
    return {key: fullest(value, resolve, depth + 1) for key, value in wanted.items()}


_FORMATS = {
    "date-time": "2026-01-01T00:00:00Z",
    "date": "2026-01-01",
    "uuid": "01941f29-7c00-7cc9-9b32-1a1e8a3e1b1e",
    "uri": "https://example.com/x",
}


def _scalar(of: Schema) -> Any:
    if "enum" in of:
        return of["enum"][-1]
    if "const" in of:
        return of["const"]
    kind = of.get("type", "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind in ("integer", "number", "boolean"):
        return {"integer": 1, "number": 1.5, "boolean": True}[kind]
    if of.get("format") in _FORMATS:
        return _FORMATS[of["format"]]
    return "https://example.com/x"


# --- OpenLineage ---------------------------------------------------------------------------------


@cache
def _openlineage() -> tuple[dict[str, Any], dict[str, dict[str, Any]], Registry[Any]]:
    """The specification, the schemas of its facets by their files' names, and all of them by address."""
    folder = shared("schemas/openlineage")
    spec = json.loads((folder / "OpenLineage.json").read_text(encoding="utf-8"))
    facets = {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted((folder / "facets").glob("*"))
    }
    registry: Registry[Any] = Registry()
    for schema in (spec, *facets.values()):
        registry = registry.with_resource(schema["$id"], Resource.from_contents(schema))
    return spec, facets, registry


_PLACES = ("InputDatasetFacet", "OutputDatasetFacet", "DatasetFacet", "JobFacet", "RunFacet")


def facets_of_openlineage(place: str) -> dict[str, Schema]:
    """The facets of the specification in a place ("JobFacet", ...) -> the schema of each."""
    _, facets, _ = _openlineage()
    found: dict[str, Schema] = {}
    for stem, schema in facets.items():
        if stem != "LineageFacet" and next(p for p in _PLACES if stem.endswith(p)) == place:
            found |= {name: {"$ref": f"{schema['$id']}#/properties/{name}"} for name in schema["properties"]}
    return found


def resolve_openlineage(base: str) -> Callable[[str], Schema]:
    """Finds what references of a schema lead to."""
    _, _, registry = _openlineage()

    def resolve(reference: str) -> Schema:
        resolved = registry.resolver(base).lookup(reference)
        # References inside are relative to where they are written.
        inner = json.dumps(resolved.contents).replace('"#/', f'"{resolved.resolver._base_uri}#/')
        found: Schema = json.loads(inner)
        return found

    return resolve


def must_be_openlineage(event: Mapping[str, Any]) -> int:
    """Assert that an event, and each of its facets that the specification knows, is as it wants; how many
    facets were looked at."""
    spec, _, registry = _openlineage()
    kind = "RunEvent" if "run" in event else "JobEvent" if "job" in event else "DatasetEvent"

    def check(value: Any, schema: Schema) -> None:
        jsonschema.Draft202012Validator(schema, registry=registry).validate(value)

    check(event, {"$ref": f"{spec['$id']}#/$defs/{kind}"})
    checked = 0
    for place, given in _facets(event):
        known = facets_of_openlineage(place)
        for name in given.keys() & known.keys():
            check(given[name], known[name])
            checked += 1
    return checked


def _facets(event: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield "RunFacet", event.get("run", {}).get("facets", {})
    yield "JobFacet", event.get("job", {}).get("facets", {})
    for dataset in (*event.get("inputs", ()), *event.get("outputs", ()), event.get("dataset", {})):
        yield "DatasetFacet", dataset.get("facets", {})
        yield "InputDatasetFacet", dataset.get("inputFacets", {})
        yield "OutputDatasetFacet", dataset.get("outputFacets", {})
