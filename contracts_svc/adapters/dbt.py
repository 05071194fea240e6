"""dbt: what a project's manifest.json (with its catalog.json) says of lineage.

Columns come from the compiled SQL, so the manifest is to be one of ``dbt compile``, ``dbt run`` or
``dbt build``; a model without it gets table-level edges from its parents, marked with the reason.
``SELECT *`` is followed through the catalog, through columns that a dbt contract enforces, and through what
models upstream are made of; columns that are only documented are not taken for all there are.

Tables are named as dbt's OpenLineage integration names them (``database.schema.alias``). A manifest does
not say at which host they are, so the namespace is the kind of system alone (``snowflake://``), and the
name is joined to the one dataset of that kind whose name ends so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

from contracts_svc.errors import Location, Problem
from contracts_svc.lineage.dbt_manifest import Catalog, Manifest, Resource, read_catalog, read_manifest
from contracts_svc.lineage.graph import (
    ColumnRef,
    Consumer,
    ConsumerKind,
    DatasetId,
    Edge,
    EdgeKind,
    EdgeType,
)
from contracts_svc.lineage.heard import Described, Heard, Query
from contracts_svc.lineage.servers import dataset_at
from contracts_svc.lineage.sql_text import dialect_of

EXPOSURES = "dbt"
"""The namespace of exposures; their names are dbt's unique ids."""
MAX_EDGES = 200_000
"""Most table-level edges made of one manifest."""
_LONGEST_RELATION = 2_000

# Adapter type -> the scheme of its namespace, the dialect of its SQL.
_ADAPTERS: Mapping[str, tuple[str, str]] = {
    "athena": ("awsathena", "athena"),
    "bigquery": ("bigquery", "bigquery"),
    "clickhouse": ("clickhouse", "clickhouse"),
    "databricks": ("databricks", "databricks"),
    "dremio": ("dremio", "dremio"),
    "duckdb": ("duckdb", "duckdb"),
    "fabric": ("mssql", "fabric"),
    "glue": ("spark", "spark"),
    "hive": ("hive", "hive"),
    "impala": ("impala", "hive"),
    "materialize": ("postgres", "materialize"),
    "mysql": ("mysql", "mysql"),
    "oracle": ("oracle", "oracle"),
    "postgres": ("postgres", "postgres"),
    "redshift": ("redshift", "redshift"),
    "snowflake": ("snowflake", "snowflake"),
    "spark": ("spark", "spark"),
    "sqlite": ("sqlite", "sqlite"),
    "sqlserver": ("mssql", "tsql"),
    "starrocks": ("starrocks", "starrocks"),
    "synapse": ("sqlserver", "tsql"),
    "teradata": ("teradata", "teradata"),
    "trino": ("trino", "trino"),
}


def read_project(manifest: bytes, file: str, catalog: bytes | None = None) -> Heard:
    """What a manifest, with the catalog beside it, says. Raises UserMistake when one of them is none.

    ``file`` is the manifest's name in problems. Edges are last seen when the manifest was made.
    """
    project = read_manifest(manifest, file)
    known = read_catalog(catalog, f"the catalog beside {file}") if catalog is not None else {}
    return _Project(project, known, file).heard()


class _Project:
    def __init__(self, manifest: Manifest, catalog: Catalog, file: str) -> None:
        self._manifest = manifest
        self._catalog = catalog
        self._file = file
        scheme, self._dialect = _ADAPTERS.get(manifest.adapter, (manifest.adapter or "dbt", "ansi"))
        self._namespace = scheme if scheme == "bigquery" else f"{scheme}://"

    def heard(self) -> Heard:
        queries: list[Query] = []
        edges: list[Edge] = []
        unread: list[str] = []
        problems = list(self._manifest.problems)
        for resource in self._in_order():
            if resource.kind not in ("model", "snapshot") or not resource.name:
                continue
            parents = self._manifest.tables_above(resource.id)
            reason = _why_unread(resource)
            if reason is None:
                queries.append(self._query(resource, parents))
            elif parents:
                unread.append(resource.title)
                edges += self._table_level(resource, parents, self._dataset(resource), reason)
        exposures = [r for r in self._manifest.resources.values() if r.kind == "exposure"]
        for exposure in exposures:
            parents = self._manifest.tables_above(exposure.id)
            reason = "an exposure of dbt names models, not columns"
            edges += self._table_level(exposure, parents, DatasetId(EXPOSURES, exposure.id), reason)
        if unread:
            problems.append(self._unread(unread))
        if len(edges) > MAX_EDGES:
            message = f"{self._file} joins more than {MAX_EDGES:,} pairs of tables without columns"
            problems.append(Problem(None, message, "the others are left out"))
        return Heard(
            edges=tuple(edges[:MAX_EDGES]),
            consumers=tuple(_dashboard(e) for e in exposures),
            problems=tuple(problems),
            inputs=tuple(self._dataset(r) for r in self._tables() if r.kind in ("source", "seed")),
            outputs=tuple(self._dataset(r) for r in self._tables() if r.kind in ("model", "snapshot")),
            datasets=tuple(self._described(r) for r in self._tables()),
            queries=tuple(queries),
        )

    def _tables(self) -> Iterator[Resource]:
        yield from (r for r in self._manifest.resources.values() if r.name)

    def _in_order(self) -> Iterable[Resource]:
        """Every resource after its parents; as written where they go in a circle, which dbt forbids."""
        resources = self._manifest.resources
        above = {r.id: [p for p in r.parents if p in resources and p != r.id] for r in resources.values()}
        try:
            return [resources[id] for id in TopologicalSorter(above).static_order()]
        except CycleError:
            return list(resources.values())

    def _dataset(self, resource: Resource) -> DatasetId:
        return DatasetId(self._namespace, ".".join(resource.name))

    def _query(self, resource: Resource, parents: Iterable[str]) -> Query:
        return Query(
            sql=resource.sql,
            dialect=self._dialect,
            origin=f"dbt:{resource.id}",
            inputs=tuple(self._dataset(self._manifest.resources[p]) for p in parents),
            outputs=(self._dataset(resource),),
            at=Location(self._file, 1, 1),
            seen=self._manifest.generated,
        )

    def _table_level(
        self, resource: Resource, parents: Iterable[str], target: DatasetId, reason: str
    ) -> Iterator[Edge]:
        for parent in parents:
            yield Edge(
                source=ColumnRef(self._dataset(self._manifest.resources[parent]), None),
                target=ColumnRef(target, None),
                kind=EdgeKind.INDIRECT,
                type=EdgeType.UNKNOWN,
                origin=f"dbt:{resource.id}",
                seen=self._manifest.generated,
                reason=reason,
            )

    def _described(self, resource: Resource) -> Described:
        columns = self._catalog.get(resource.id)
        if columns is None and resource.enforced:
            columns = {name: type_ or "" for name, type_ in resource.columns.items()}
        return Described(
            dataset=self._dataset(resource),
            columns=tuple((columns or {}).items()),
            team=resource.team,
            channels=resource.channels,
            names=tuple(self._files(resource)),
            seen=self._manifest.generated,
        )

    def _files(self, resource: Resource) -> Iterator[DatasetId]:
        """The files that a source stands for, where its relation is a call over their address or, in
        DuckDB, the quoted address itself."""
        if "/" not in resource.relation or len(resource.relation) > _LONGEST_RELATION:
            return
        try:
            tree = parse_one(resource.relation, dialect=dialect_of(self._dialect))
        except (SqlglotError, RecursionError):
            return
        for node in tree.find_all(exp.Literal, exp.Identifier):
            if "/" in node.name:
                yield dataset_at(node.name)

    def _unread(self, titles: list[str]) -> Problem:
        shown = ", ".join(sorted(titles)[:5]) + (", ..." if len(titles) > 5 else "")
        message = f"{self._file}: which columns {len(titles)} models read is not known: {shown}"
        return Problem(None, message, "give the manifest of `dbt compile`, which has their SQL")


def _why_unread(resource: Resource) -> str | None:
    """Why no columns can be worked out; None where they can."""
    if resource.language != "sql":
        return f"a model in {resource.language:.20}"
    if not resource.sql.strip():
        return "dbt's manifest has no compiled SQL of it"
    return None


def _dashboard(exposure: Resource) -> Consumer:
    return Consumer(
        name=exposure.title,
        kind=ConsumerKind.DASHBOARD,
        dataset=DatasetId(EXPOSURES, exposure.id),
        team=exposure.team,
        channels=exposure.channels,
    )
