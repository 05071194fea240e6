"""The words of stored data: files, the columns in them, and what their footers say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFile:
    """One file of a table. ``partition`` holds the Hive ``key=value`` folders it lies in, in order."""

    path: str
    """Full address, with its scheme (``s3://bucket/key``) or a local path."""
    size: int
    """Bytes."""
    version: str = ""
    """Changes when the content does: an ETag, or the time of the last change."""
    partition: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredColumn:
    """A column as a file has it. ``type`` is written as DuckDB writes types (``DECIMAL(9,2)``)."""

    name: str
    type: str
    nullable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Footer:
    """What the footer of one Parquet file says."""

    file: DataFile
    rows: int
    columns: tuple[StoredColumn, ...]
    """Top level, in the file's order; nested types are spelt out in ``type``."""


def natural(text: str) -> tuple[tuple[bool, int, str], ...]:
    """A key that sorts partitions and files as people do: ``month=2`` before ``month=12``."""
    pieces = re.findall(r"[0-9]+|[^0-9]+", text)
    return tuple((False, int(p), "") if p.isascii() and p.isdecimal() else (True, 0, p) for p in pieces)
