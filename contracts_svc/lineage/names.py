"""When two dataset names mean one dataset: spelling, letter case, default ports, partition folders.

Systems differ in what their names tell apart. Snowflake and Oracle fold what is not quoted to upper case,
PostgreSQL, Redshift, Hive, Glue, Trino and Spark to lower case, SQL Server and DuckDB compare without
regard to case; BigQuery, MySQL (on Linux), Kafka and paths of files tell cases apart. Names that differ
only in quoted mixed case within a folding system are taken for one: a reader too many is told, none is
missed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from contracts_svc.lineage.graph import DatasetId

LOCAL = "file"
"""The namespace of files on the machine itself."""

_URL = re.compile(r"^(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/]*)(?P<path>/.*)?$")
_PARTITION = re.compile(r"^[^/=]+=[^/]*$")
_PART_FILE = re.compile(r"^part-[^/]*$")
_QUOTES = str.maketrans("", "", "\"`'[]")
SCHEMES = {
    "s3a": "s3",
    "s3n": "s3",
    "gcs": "gs",
    "abfs": "abfss",
    "wasb": "wasbs",
    "postgresql": "postgres",
}
"""Other spellings of schemes."""
_CATALOG = "catalog"
"""Hive's metastore and those that took its place: one table has a name in several of them."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How a kind of system names things. ``case`` is what it folds names to: ``upper``, ``lower``, or
    "" where case tells names apart; ``columns`` is the same of columns, where these differ from tables.
    Tables of one ``family`` may be known to several systems."""

    case: str = ""
    columns: str = ""
    files: bool = False
    port: int | None = None
    family: str = ""


_KINDS: Mapping[str, Kind] = {
    "abfss": Kind(files=True),
    "arn:aws:glue": Kind("lower", family=_CATALOG),
    "awsathena": Kind("lower", family=_CATALOG),
    "bigquery": Kind(columns="lower"),
    "clickhouse": Kind(port=8123),
    "databricks": Kind("lower", family=_CATALOG),
    "db2": Kind("upper", port=50000),
    "dbfs": Kind(files=True),
    "duckdb": Kind("lower"),
    "file": Kind(files=True),
    "gs": Kind(files=True),
    "hdfs": Kind(files=True),
    "hive": Kind("lower", port=10000, family=_CATALOG),
    "mssql": Kind("lower", port=1433),
    "mysql": Kind(port=3306),
    "oracle": Kind("upper", port=1521),
    "postgres": Kind("lower", port=5432),
    "presto": Kind("lower", port=8080),
    "redshift": Kind("lower", port=5439),
    "s3": Kind(files=True),
    "sftp": Kind(files=True),
    "snowflake": Kind("upper"),
    "spark": Kind("lower", family=_CATALOG),
    "sqlserver": Kind("lower", port=1433),
    "trino": Kind("lower", port=8080),
    "wasbs": Kind(files=True),
}
_OTHER = Kind()


def scheme_of(namespace: str) -> str:
    """``s3`` of ``s3a://lake``, ``arn:aws:glue`` of a Glue catalog, ``bigquery`` of ``bigquery``."""
    if namespace.startswith("arn:aws:glue:"):
        return "arn:aws:glue"
    scheme = namespace.partition("://")[0].lower()
    return SCHEMES.get(scheme, scheme)


@lru_cache(maxsize=4_096)
def kind_of(namespace: str) -> Kind:
    """The rules that hold in a namespace; case tells names apart where nothing is known of it."""
    return _KINDS.get(scheme_of(namespace), _OTHER)


@lru_cache(maxsize=65_536)
def normal(dataset: DatasetId) -> DatasetId:
    """The one spelling of a dataset's name: two names of one dataset have an equal ``normal``.

    Partition folders (``day=2026-01-01``), part files in them and BigQuery's ``$`` decorators are no part
    of it: a dataset is the table, or the folder.
    """
    kind = kind_of(dataset.namespace)
    namespace = _namespace(dataset.namespace, kind)
    name = dataset.name
    if kind.files:
        return DatasetId(namespace, _folder(name, namespace))
    if "://" in namespace or kind is not _OTHER:
        name = name.translate(_QUOTES)
    if scheme_of(namespace) == "bigquery":
        name = name.partition("$")[0]
    return DatasetId(namespace, _folded(name, kind.case))


def normal_column(dataset: DatasetId, column: str) -> str:
    """The one spelling of a column's name, where no contract has it."""
    kind = kind_of(dataset.namespace)
    return _folded(column, kind.columns or kind.case)


def _folded(name: str, case: str) -> str:
    if not case:
        return name
    return name.upper() if case == "upper" else name.lower()


def _namespace(namespace: str, kind: Kind) -> str:
    url = _URL.match(namespace)
    if url is None:
        return LOCAL if namespace.rstrip(":/") == LOCAL else namespace
    scheme = scheme_of(namespace)
    authority = url["authority"]
    if scheme == LOCAL and not authority:
        return LOCAL
    if scheme != "duckdb":  # whose "authority" is the path of a file
        authority = authority.lower()
    if kind.port is not None and authority and ":" not in authority.partition(";")[0]:
        host, mark, rest = authority.partition(";")
        authority = f"{host}:{kind.port}{mark}{rest}"
    path = (url["path"] or "").rstrip("/")
    return f"{scheme}://{authority}{path}"


def _folder(name: str, namespace: str) -> str:
    kept: list[str] = []
    parts = [p for p in name.split("/") if p]
    for part in parts:
        if _PARTITION.match(part):
            break
        kept.append(part)
    else:
        if len(kept) > 1 and _PART_FILE.match(kept[-1]):
            kept.pop()
    absolute = namespace.startswith(LOCAL) and name.startswith("/")
    return ("/" if absolute else "") + "/".join(kept) or "/"


def parts_of(dataset: DatasetId) -> tuple[str, ...]:
    """The parts of a table's name from the widest to the narrowest, compared as its system does.

    Glue's ``table/shop/orders`` is (shop, orders); a file's folder is split at its slashes.
    """
    name = normal(dataset).name
    if kind_of(dataset.namespace).files:
        return tuple(p for p in name.split("/") if p)
    if scheme_of(dataset.namespace) == "arn:aws:glue":
        return tuple(name.removeprefix("table/").split("/"))
    return tuple(name.split("."))


def lacks_host(namespace: str) -> bool:
    """Whether only the kind of system is named (``snowflake://``): dbt's manifest says no more."""
    return namespace.endswith("://")


def reads_files(namespace: str) -> bool:
    """Whether the system reads tables that lie as files in a lake, which have no schema of its own."""
    return kind_of(namespace).family == _CATALOG or scheme_of(namespace) in ("duckdb", "trino", "presto")


def may_be_one(open_name: DatasetId, other: DatasetId) -> bool:
    """Whether a name that leaves out a host, a database or a catalog may mean the other dataset.

    Both are of one kind of system (or of one family of catalogs), and the shorter name, of at least
    schema and table unless a system has no schemas, ends the longer one.
    """
    here, there = kind_of(open_name.namespace), kind_of(other.namespace)
    related = scheme_of(open_name.namespace) == scheme_of(other.namespace)
    if not related and not (here.family and here.family == there.family):
        return False
    one, two = (tuple(p.lower() for p in parts_of(d)) for d in (open_name, other))
    if related and not here.case:
        one, two = parts_of(open_name), parts_of(other)
    shorter, longer = sorted((one, two), key=len)
    return longer[-len(shorter) :] == shorter and (len(shorter) > 1 or len(longer) == 1)
