"""Which dataset a contract's table is, by the names OpenLineage gives datasets.

The names follow the OpenLineage naming specification
(https://openlineage.io/docs/spec/naming): the namespace is the data source (``s3://bucket``,
``postgres://host:5432``), the name is the path in it (a folder, or ``database.schema.table``).
Types of server that the specification does not list are named in its pattern, ``type://host:port``.
"""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from contracts_svc.lineage.graph import DatasetId
from contracts_svc.model import Contract, Server, Table

LOCAL = "file"
"""The namespace of files on the machine itself."""

_SCHEMES = {"s3a": "s3", "s3n": "s3", "gcs": "gs", "abfs": "abfss", "wasb": "wasbs"}
_URL = re.compile(r"^(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/]*)/?(?P<path>.*)$")
_PARTITION = re.compile(r"^[^/=]+=[^/]*$")
_PLACEHOLDER = re.compile(r"\{(model|table|schema)\}", re.IGNORECASE)


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


@dataclass(frozen=True, slots=True)
class Identities:
    """Every registered table under its OpenLineage name, and the other names people use for it."""

    known: Mapping[DatasetId, tuple[Contract, Table]]
    _by_name: Mapping[str, tuple[DatasetId, ...]] = field(repr=False)

    @classmethod
    def of(cls, contracts: Iterable[Contract]) -> Identities:
        """Name the tables of these contracts. Where two claim one name, the first keeps it."""
        known: dict[DatasetId, tuple[Contract, Table]] = {}
        names: defaultdict[str, dict[DatasetId, None]] = defaultdict(dict)
        for contract in contracts:
            for table in contract.tables:
                dataset = _dataset(contract, table)
                known.setdefault(dataset, (contract, table))
                for name in _names(contract, table, dataset):
                    names[name.lower()].setdefault(dataset)
        return cls(known, {name: tuple(found) for name, found in names.items()})

    def dataset(self, contract: Contract, table: Table) -> DatasetId:
        """The name of a table, from the contract's first server; namespace "" without a server."""
        return _dataset(contract, table)

    def contract_of(self, dataset: DatasetId) -> tuple[Contract, Table] | None:
        """The contract and table that describe this dataset, or None."""
        return self.known.get(dataset)

    def find(self, text: str) -> DatasetId | None:
        """The one dataset that this text names, or None where there is none or more than one.

        Taken are a table's name, a contract's id (of one table), ``namespace/name``, the address of
        the data or of a file in it, and a qualified SQL name that ends in the dataset's own.
        Letter case does not matter.
        """
        found = self._matches(text.strip())
        return found[0] if len(found) == 1 else None

    def suggest(self, text: str) -> tuple[str, ...]:
        """Names close to this text: what somebody may have meant; the candidates where several fit."""
        several = self._matches(text.strip())
        if len(several) > 1:
            return tuple(str(d) for d in several)
        close = difflib.get_close_matches(text.strip().lower(), list(self._by_name), n=3, cutoff=0.6)
        datasets = dict.fromkeys(d for name in close for d in self._by_name[name])
        return tuple(self._shortest(d) for d in datasets)

    def columns(self) -> Mapping[str, Mapping[str, str]]:
        """Table name -> column as stored -> type as the contract writes it ("" where it has none).

        A name that several tables have is left out in favour of their ``namespace/name``.
        """
        return {
            self._shortest(dataset): {
                c.stored_name: c.physical_type or c.logical_type or "" for c in table.columns
            }
            for dataset, (_, table) in self.known.items()
        }

    def _shortest(self, dataset: DatasetId) -> str:
        """The table's own name where nothing else has it, else ``namespace/name``."""
        name = self.known[dataset][1].name
        return name if self._by_name.get(name.lower()) == (dataset,) else str(dataset)

    def _matches(self, text: str) -> tuple[DatasetId, ...]:
        """Every dataset the text may name, by the first way of reading it that fits any."""
        for name in (text, *_folders(text)):
            if found := self._by_name.get(name.lower()):
                return found
        if _URL.match(text) or "." not in text:
            return ()
        return self._qualified(text.lower().split("."))

    def _qualified(self, parts: list[str]) -> tuple[DatasetId, ...]:
        """``schema.table``: ends the dataset's name; files have no schema, so any goes for them."""
        ends = "." + ".".join(parts)
        found = [d for d in self.known if ("." + d.name.lower()).endswith(ends)]
        if not found:
            found = [
                d
                for d, (contract, table) in self.known.items()
                if _is_files(contract) and parts[-1] in (table.name.lower(), _stored(table).lower())
            ]
        return tuple(found)


def _dataset(contract: Contract, table: Table) -> DatasetId:
    if not contract.servers:
        return DatasetId("", _stored(table))
    server = contract.servers[0]
    address = _address(server)
    if address is not None:
        alone = len(contract.tables) == 1 or _PLACEHOLDER.search(address) is not None
        found = dataset_at(_PLACEHOLDER.sub(lambda _: _stored(table), address))
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
    scheme = _SCHEMES.get(scheme, scheme)
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


def _address(server: Server) -> str | None:
    """Where the files are, for servers that hold files; None for databases."""
    if server.type in _FILES or server.type not in {**_PATTERNS, **_ALIASES}:
        found = server.fields.get("location") or server.fields.get("path")
        return str(found) if found else None
    return None


def _in_database(server: Server, table: Table) -> DatasetId:
    if server.type == "glue":
        return _in_glue(server, table)
    if server.type == "pubsub":
        return DatasetId("pubsub", f"topic:{server.fields.get('project', '')}:{_stored(table)}")
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
    own = _stored(table).split(".")
    name = [*above[: max(0, len(above) - (len(own) - 1))], *own]
    return DatasetId(namespace, ".".join(name))


def _in_glue(server: Server, table: Table) -> DatasetId:
    region, account = server.fields.get("region", ""), server.fields.get("account", "")
    database = server.fields.get("database", "")
    return DatasetId(f"arn:aws:glue:{region}:{account}", f"table/{database}/{_stored(table)}")


def _is_files(contract: Contract) -> bool:
    return not contract.servers or _address(contract.servers[0]) is not None


def _stored(table: Table) -> str:
    return table.physical_name or table.name


def _names(contract: Contract, table: Table, dataset: DatasetId) -> Iterator[str]:
    yield from (table.name, _stored(table), dataset.name, str(dataset), f"{contract.id}/{table.name}")
    yield f"{contract.id}.{table.name}"
    if len(contract.tables) == 1:
        yield contract.id
    for server in contract.servers:
        address = _address(server)
        if address is not None and (len(contract.tables) == 1 or _PLACEHOLDER.search(address)):
            yield str(dataset_at(_PLACEHOLDER.sub(lambda _: _stored(table), address)))


def _folders(text: str) -> Iterator[str]:
    """The address a text stands for, then every folder that it lies in, nearest first."""
    if "/" not in text:
        return
    at = dataset_at(text)
    path = at.name
    while path.strip("/"):
        yield str(DatasetId(at.namespace, path))
        path = path.rpartition("/")[0]
