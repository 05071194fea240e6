"""OpenLineage's columnLineage facet, in all its forms, and the lineage facet that generalizes it.

https://openlineage.io/docs/spec/facets/dataset-facets/column_lineage_facet: ``fields`` with
transformations, ``fields`` as they were before version 1-1-0 (``transformationType``), and ``dataset`` for
what affects all columns. The lineage facet (2026) says the same of a dataset (``inputs`` and ``fields``) or
of a job (``entries``, one for each dataset it makes), and may name datasets alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from contracts_svc.lineage.event_facets import Tell
from contracts_svc.lineage.graph import ColumnRef, DatasetId, EdgeKind, EdgeType
from contracts_svc.model import Json

MAX_NAME = 4_096
"""Longest namespace, name of a dataset or of a column that is taken, in characters."""
_TYPES = {t.value: t for t in EdgeType}


def column_edges(
    output: DatasetId, facet: Mapping[str, Json], tell: Tell
) -> Iterator[tuple[ColumnRef, ColumnRef, EdgeKind, EdgeType]]:
    """(source, target, kind, type) of everything that the facet of an output says."""
    fields = facet.get("fields")
    if fields is not None and not isinstance(fields, dict):
        tell("fields is no object")
        fields = {}
    for column, entry in (fields or {}).items():
        if not isinstance(entry, dict) or len(column) > MAX_NAME:
            what = "has too long a name" if isinstance(entry, dict) else "is no object"
            tell(f"columnLineage of `{output}`: `{column:.60}` {what}")
            continue
        target = ColumnRef(output, column)
        for source, given in _inputs(entry.get("inputFields"), f"{output}.{column}", tell):
            for kind, type_ in _transformations(given) or [_former(entry)]:
                yield source, target, kind, type_
    for source, given in _inputs(facet.get("dataset"), str(output), tell):
        for _, type_ in _transformations(given) or [(EdgeKind.INDIRECT, EdgeType.UNKNOWN)]:
            yield source, ColumnRef(output, None), EdgeKind.INDIRECT, type_


def explicit_edges(
    output: DatasetId, facet: Mapping[str, Json], tell: Tell
) -> Iterator[tuple[ColumnRef, ColumnRef, EdgeKind, EdgeType]]:
    """The same of a lineage facet, or of an entry of one. A source that is a job is no dataset."""
    fields = facet.get("fields")
    if fields is not None and not isinstance(fields, dict):
        tell(f"lineage of `{output}`: fields is no object")
        fields = {}
    for column, entry in (fields or {}).items():
        if len(column) > MAX_NAME:
            tell(f"lineage of `{output}`: `{column:.60}` has too long a name")
            continue
        inputs = entry.get("inputs") if isinstance(entry, dict) else None
        for source, given in _sources(inputs, f"{output}.{column}", tell):
            for kind, type_ in _transformations(given) or [(EdgeKind.DIRECT, EdgeType.UNKNOWN)]:
                yield source, ColumnRef(output, column), kind, type_
    for source, given in _sources(facet.get("inputs"), str(output), tell):
        known = _transformations(given) if source.column else []
        for _, type_ in known or [(EdgeKind.INDIRECT, EdgeType.UNKNOWN)]:
            yield source, ColumnRef(output, None), EdgeKind.INDIRECT, type_


def _sources(value: Json, of: str, tell: Tell) -> Iterator[tuple[ColumnRef, Mapping[str, Json]]]:
    if value is None:
        return
    if not isinstance(value, list):
        tell(f"lineage of `{of}`: the inputs are no list")
        return
    for entry in value:
        given = entry if isinstance(entry, dict) else {}
        if given.get("type") == "JOB":
            continue
        namespace, name, column = (given.get(k) for k in ("namespace", "name", "field"))
        if not (isinstance(namespace, str) and isinstance(name, str) and isinstance(column, str | None)):
            tell(f"lineage of `{of:.200}`: an input without namespace and name")
            continue
        if max(len(namespace), len(name), len(column or "")) > MAX_NAME:
            tell(f"lineage of `{of:.200}`: a name of more than {MAX_NAME:,} characters")
            continue
        yield ColumnRef(DatasetId(namespace, name), column), given


def _inputs(value: Json, of: str, tell: Tell) -> Iterator[tuple[ColumnRef, Mapping[str, Json]]]:
    if value is None:
        return
    if not isinstance(value, list):
        tell(f"columnLineage of `{of}`: the inputs are no list")
        return
    for entry in value:
        given = entry if isinstance(entry, dict) else {}
        namespace, name, column = (given.get(k) for k in ("namespace", "name", "field"))
        if not (isinstance(namespace, str) and isinstance(name, str) and isinstance(column, str)):
            tell(f"columnLineage of `{of:.200}`: an input without namespace, name and field")
            continue
        if max(len(namespace), len(name), len(column)) > MAX_NAME:
            tell(f"columnLineage of `{of:.200}`: a name of more than {MAX_NAME:,} characters")
            continue
        yield ColumnRef(DatasetId(namespace, name), column), given


def _transformations(given: Mapping[str, Json]) -> list[tuple[EdgeKind, EdgeType]]:
    value = given.get("transformations")
    if not isinstance(value, list):
        return []
    found = [_transformation(entry) for entry in value if isinstance(entry, dict)]
    return found if len(found) < 2 else list(dict.fromkeys(found))


def _transformation(entry: Mapping[str, Json]) -> tuple[EdgeKind, EdgeType]:
    kind = EdgeKind.INDIRECT if str(entry.get("type")).upper() == "INDIRECT" else EdgeKind.DIRECT
    type_ = _type(entry.get("subtype"))
    if entry.get("masking") is True and type_ is EdgeType.IDENTITY:
        return kind, EdgeType.TRANSFORMATION
    return kind, type_


def _former(entry: Mapping[str, Json]) -> tuple[EdgeKind, EdgeType]:
    """The form before transformations: a masked value is made from the column, but not equal to it."""
    given = str(entry.get("transformationType") or "").upper()
    return EdgeKind.DIRECT, EdgeType.TRANSFORMATION if given == "MASKED" else _type(given)


def _type(name: Json) -> EdgeType:
    return _TYPES.get(str(name).upper(), EdgeType.UNKNOWN)
