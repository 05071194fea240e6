"""Which dialect the SQL of an OpenLineage job is written in."""

from __future__ import annotations

from collections.abc import Iterable

from contracts_svc.lineage.graph import DatasetId
from contracts_svc.lineage.names import scheme_of
from contracts_svc.lineage.sql_text import dialect_of

_DIALECT_OF_SCHEME = {
    "arn:aws:glue": "spark",
    "awsathena": "athena",
    "bigquery": "bigquery",
    "clickhouse": "clickhouse",
    "databricks": "databricks",
    "duckdb": "duckdb",
    "hive": "hive",
    "mssql": "tsql",
    "mysql": "mysql",
    "oracle": "oracle",
    "postgres": "postgres",
    "presto": "presto",
    "redshift": "redshift",
    "snowflake": "snowflake",
    "spark": "spark",
    "sqlserver": "tsql",
    "teradata": "teradata",
    "trino": "trino",
}
_DIALECT_OF_PRODUCER = ("spark", "hive", "trino", "snowflake", "bigquery", "databricks", "redshift")
_STANDARD = "ansi"


def dialect_of_job(facet: str, datasets: Iterable[DatasetId], integration: str, producer: str) -> str:
    """What the SQL is written in: as the facet says, as the datasets' system has it, as the tool that
    sent the event writes, else standard SQL."""
    if facet and dialect_of(facet) is not None:
        return facet.lower()
    for dataset in datasets:
        if scheme_of(dataset.namespace) in _DIALECT_OF_SCHEME:
            return _DIALECT_OF_SCHEME[scheme_of(dataset.namespace)]
    said = f"{integration} {producer}".lower()
    return next((d for d in _DIALECT_OF_PRODUCER if d in said), _STANDARD)
