"""What the tables of a contract are called, by its servers, as OpenLineage names datasets.

The names follow the OpenLineage naming specification
(https://openlineage.io/docs/spec/naming): the namespace is the data source (``s3://bucket``,
``postgres://host:5432``), the name is the path in it (a folder, or ``database.schema.table``).
Types of server that the specification does not list are named in its pattern, ``type://host:port``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from contracts_svc.lineage.graph import DatasetId
from contracts_svc.lineage.names import LOCAL, SCHEMES
from contracts_svc.model import Contract, Server, Table

_URL = re.compile(r"^(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/]*)/?(?P<path>.*)$")
_PARTITION = re.compile(r"^[^/=]+=[^/]*$")
PLACEHOLDER = re.compile(r"\{(model|table|schema)\}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Pattern:
    """How a type of server is named: templates filled from its fields, empty parts left out."""

    namespace: str
    parts: tuple[str, ...]
    port: int | None = None


# The part after the last dot is always the table. Where the naming specification has an entry for a
# type, the row is that entry.
_PATTERNS: Mapping[str, _Pattern] = {
    "athena": _Pattern("awsathena://athena.{regionName}.amazonaws.com", ("catalog", "schema")),
    "bigquery": _Pattern("bigquery", ("project", "dataset")),
    "clickhouse": _Pattern("clickhouse://{host}:{port}", ("database",), 8123),
    "cloudsql": _Pattern("postgres://{host}:{port}", ("database", "schema"), 5432),
    "databricks": _Pattern("databricks://{host}", ("catalog", "schema")),
    "db2": _Pattern("db2://{host}:{port}", ("database", "schema"), 50000),
    "denodo": _Pattern("denodo://{host}:{port}", ("database",), 9999),
    "dremio": _Pattern("dremio://{host}:{port}", ("schema",), 31010),
    "duckdb": _Pattern("duckdb://{database}", ("schema",)),
    "hive": _Pattern("hive://{host}:{port}", ("database",), 10000),
    "impala": _Pattern("impala://{host}:{port}", ("database",), 21050),
    "informix": _Pattern("informix://{host}:{port}", ("database",), 9088),
    "kafka": _Pattern("kafka://{host}", (), 9092),
    "kinesis": _Pattern("kinesis://{region}", ()),
    "mysql": _Pattern("mysql://{host}:{port}", ("database",), 3306),
    "oracle": _Pattern("oracle://{host}:{port}", ("serviceName", "schema"), 1521),
    "postgres": _Pattern("postgres://{host}:{port}", ("database", "schema"), 5432),
    "presto": _Pattern("presto://{host}:{port}", ("catalog", "schema"), 8080),
    "redshift": _Pattern("redshift://{host}:{port}", ("database", "schema"), 5439),
    "snowflake": _Pattern("snowflake://{account}", ("database", "schema")),
    "sqlserver": _Pattern("mssql://{host}:{port}", ("database", "schema"), 1433),
    "synapse": _Pattern("sqlserver://{host}:{port};database={database}", ("schema",), 1433),
    "trino": _Pattern("trino://{host}:{port}", ("catalog", "schema"), 8080),
    "vertica": _Pattern("vertica://{host}:{port}", ("database", "schema"), 5433),
    "zen": _Pattern("zen://{host}:{port}", ("database",), 1583),
}
_ALIASES = {"postgresql": "postgres", "mssql": "sqlserver"}
_FILES = frozenset({"s3", "gcs", "azure", "local", "sftp", "custom", "file"})


def dataset_of(contract: Contract, table: Table) -> DatasetId:
    """The name of a table, from the contract's first server; namespace "" without a server."""
    if not contract.servers:
        return DatasetId("", stored_name(table))
    return _at_server(contract, table, contract.servers[0])


def places_of(contract: Contract, table: Table) -> Iterator[DatasetId]:
    """Where the table is at all servers of its contract: they are copies of one dataset."""
    yield from (_at_server(contract, table, server) for server in contract.servers)


def _at_server(contract: Contract, table: Table, server: Server) -> DatasetId:
    address = address_of(server)
    if address is not None:
        alone = len(contract.tables) == 1 or PLACEHOLDER.search(address) is not None
        found = dataset_at(PLACEHOLDER.sub(lambda _: stored_name(table), address))
        # Several tables under one address: each is taken to have its own folder.
        return found if alone else DatasetId(found.namespace, f"{found.name}/{table.name}".lstrip("/"))
    return _in_database(server, table)


def dataset_at(address: str) -> DatasetId:
    """The dataset at an address: a URL or a local path.

    The name ends before the first glob or ``key=value`` partition folder, as the naming
    specification asks for (a dataset is the folder, not its files): ``s3://lake/flights/month=*/*``
    is ``flights`` in ``s3://lake``.
    """
    url = _URL.match(address)
    if url is None:
        return DatasetId(LOCAL, _before_glob(address.removeprefix("file:")) or "/")
    scheme = url["scheme"].lower()
    scheme = SCHEMES.get(scheme, scheme)
    if scheme == LOCAL:
        host = f"{LOCAL}://{url['authority']}" if url["authority"] else LOCAL
        return DatasetId(host, _before_glob("/" + url["path"]) or "/")
    return DatasetId(f"{scheme}://{url['authority']}", _before_glob(url["path"]).lstrip("/") or "/")


def _before_glob(path: str) -> str:
    kept: list[str] = []
    for part in path.split("/"):
        if any(c in part for c in "*?[{") or _PARTITION.match(part):
            break
        kept.append(part)
    return "/".join(kept).rstrip("/")


def address_of(server: Server) -> str | None:
    """Where the files are, for servers that hold files; None for databases."""
    if server.type in _FILES or server.type not in {**_PATTERNS, **_ALIASES}:
        found = server.fields.get("location") or server.fields.get("path")
        return str(found) if found else None
    return None


def _in_database(server: Server, table: Table) -> DatasetId:
    if server.type == "glue":
        return _in_glue(server, table)
    if server.type == "pubsub":
        return DatasetId("pubsub", f"topic:{server.fields.get('project', '')}:{stored_name(table)}")
    pattern = _PATTERNS.get(_ALIASES.get(server.type, server.type))
    if pattern is None:
        host = server.fields.get("host") or server.server
        pattern = _Pattern(f"{server.type}://{host}", ("catalog", "database", "schema"))
    fields = {k: str(v) for k, v in server.fields.items() if v not in (None, "")}
    if pattern.port is not None:
        fields.setdefault("port", str(pattern.port))
    namespace = re.sub(r"\{(\w+)\}", lambda m: fields.get(m[1], ""), pattern.namespace)
    above = [fields[p] for p in pattern.parts if p in fields]
    # A table that is written with its schema (``sales.orders``) says itself where it is.
    own = stored_name(table).split(".")
    name = [*above[: max(0, len(above) - (len(own) - 1))], *own]
    return DatasetId(namespace, ".".join(name))


def _in_glue(server: Server, table: Table) -> DatasetId:
    region, account = server.fields.get("region", ""), server.fields.get("account", "")
    database = server.fields.get("database", "")
    return DatasetId(f"arn:aws:glue:{region}:{account}", f"table/{database}/{stored_name(table)}")


def is_files(contract: Contract) -> bool:
    """Whether the contract's first server holds files (or there is none, so that it may)."""
    return not contract.servers or address_of(contract.servers[0]) is not None


def stored_name(table: Table) -> str:
    """The table's name where it is stored: ``physicalName``, else ``name``."""
    return table.physical_name or table.name
