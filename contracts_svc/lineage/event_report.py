"""What is kept of an OpenLineage event: what lineage is made of, and nothing that differs run by run.

Two runs of one job that read, write and say the same are one report, seen twice, so that what a store keeps
grows with what is new and not with the runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from contracts_svc.lineage.event_facets import DESCRIBING, SUPPORT_FACET
from contracts_svc.lineage.graph import DatasetId
from contracts_svc.lineage.names import normal
from contracts_svc.model import Json

_OF_JOB = ("sql", "jobType", "ownership", "lineage")
_OF_OUTPUT = ("columnLineage", "lineage", "ownership", "documentation", SUPPORT_FACET)


@dataclass(frozen=True, slots=True, kw_only=True)
class FacetSaid:
    """A facet that describes a dataset, as JSON text with sorted keys."""

    dataset: DatasetId
    facet: str
    text: str
    seen: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a job (``origin``) says, as an event without its time and run, in JSON with sorted keys."""

    origin: str
    text: str
    seen: datetime | None = None
    has_sql: bool = False
    named: tuple[DatasetId, ...] = ()
    """Its inputs and outputs."""
    facets: tuple[FacetSaid, ...] = field(default=())


def report_of(event: Mapping[str, Json], origin: str, seen: datetime | None) -> Report:
    """The report in an event that :func:`contracts_svc.adapters.openlineage.read_parsed` understands.

    Raises RecursionError for values that are nested too deep to be written as JSON.
    """
    sides = {key: list(_entries(event.get(key))) for key in ("inputs", "outputs")}
    kept: dict[str, Json] = {}
    if isinstance(event.get("producer"), str):
        kept["producer"] = event["producer"]
    job, own = event.get("job"), event.get("dataset")
    has_sql = False
    if isinstance(job, dict):
        facets = _only(job.get("facets"), _OF_JOB)
        has_sql = "sql" in facets
        kept["job"] = {**{k: job[k] for k in ("namespace", "name") if k in job}, "facets": facets}
        kept["inputs"] = [_named(d, {}) for d, _ in sides["inputs"]]
        kept["outputs"] = [_named(d, _only(facets, _OF_OUTPUT)) for d, facets in sides["outputs"]]
        described = [*sides["inputs"], *sides["outputs"]]
    else:
        described = list(_entries([own]))
        kept["dataset"] = next((_named(d, _only(facets, _OF_OUTPUT)) for d, facets in described), None)
    return Report(
        origin=origin,
        text=json.dumps(kept, sort_keys=True),
        seen=seen,
        has_sql=has_sql,
        named=tuple(dict.fromkeys(d for d, _ in described)),
        facets=tuple(_facets(described, seen)),
    )


def _facets(
    described: list[tuple[DatasetId, Mapping[str, Json]]], seen: datetime | None
) -> Iterator[FacetSaid]:
    for dataset, facets in described:
        for name, value in _only(facets, DESCRIBING).items():
            yield FacetSaid(dataset=dataset, facet=name, text=json.dumps(value, sort_keys=True), seen=seen)


def _entries(value: Json) -> Iterator[tuple[DatasetId, Mapping[str, Json]]]:
    """The datasets that are named well, under the one spelling of their names."""
    for entry in value if isinstance(value, list) else ():
        if not isinstance(entry, dict):
            continue
        namespace, name, facets = entry.get("namespace"), entry.get("name"), entry.get("facets")
        if isinstance(namespace, str) and isinstance(name, str) and name:
            dataset = DatasetId(namespace, name)
            yield normal(dataset) if namespace else dataset, facets if isinstance(facets, dict) else {}


def _named(dataset: DatasetId, facets: Mapping[str, Json]) -> Json:
    return {"namespace": dataset.namespace, "name": dataset.name, "facets": dict(facets)}


def _only(facets: Json, names: tuple[str, ...]) -> dict[str, Json]:
    given = facets if isinstance(facets, dict) else {}
    return {name: given[name] for name in names if isinstance(given.get(name), dict)}
