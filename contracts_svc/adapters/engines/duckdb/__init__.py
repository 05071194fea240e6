"""Scans on DuckDB: Parquet, CSV and JSON files read where they lie, on S3 and on local disks.

A session may read the files of its sources and nothing else: DuckDB is told the exact list, other
access to files and networks is switched off, and the configuration is locked. SQL that somebody
wrote into a contract can therefore not reach anything that the contract does not name.
"""

from contracts_svc.adapters.engines.duckdb.engine import DuckDBEngine, share_of

__all__ = ["DuckDBEngine", "share_of"]
