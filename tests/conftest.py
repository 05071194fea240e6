"""Fixtures that every test may name."""

from tests.fixtures_s3 import own_lake, s3_server
from tests.fixtures_store import (
    empty_url,
    postgres,
    postgres_tables,
    service_url,
    sqlite_tables,
    store,
    store_url,
)

__all__ = [
    "empty_url",
    "own_lake",
    "postgres",
    "postgres_tables",
    "s3_server",
    "service_url",
    "sqlite_tables",
    "store",
    "store_url",
]
