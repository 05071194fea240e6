"""Listing files and reading Parquet footers, on S3 and on local disks."""

from contracts_svc.adapters.storage.arrow import ArrowStorage
from contracts_svc.adapters.storage.places import glob_pattern

__all__ = ["ArrowStorage", "glob_pattern"]
