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
class Reading:
    """How the bytes of a table's files are read. Only Parquet files keep types; CSV and JSON are text."""

    format: str = "parquet"
    """``parquet``, ``csv`` or ``json``."""
    delimiter: str = ","
    quote: str = '"'
    header: bool = True
    """Whether the first line of a CSV file names its columns; else they are ``names``, in this order."""
    names: tuple[str, ...] = ()
    null: str = ""
    """The text that stands for NULL in a CSV file."""
    encoding: str = "utf-8"
    documents: str = "auto"
    """How JSON documents follow each other: ``newline_delimited``, ``array`` or ``auto``."""

    @property
    def text(self) -> bool:
        """Whether values are text that is read as the contract's types."""
        return self.format != "parquet"


PARQUET = Reading()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredColumn:
    """A column as a file has it. ``type`` is written as DuckDB writes types (``DECIMAL(9,2)``)."""

    name: str
    type: str
    nullable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Footer:
    """What the footer of one Parquet file says, or the head of a CSV or JSON file."""

    file: DataFile
    rows: int | None
    """None where only reading the whole file would tell."""
    columns: tuple[StoredColumn, ...]
    """Top level, in the file's order; nested types are spelt out in ``type``. Of text files, VARCHAR."""
    complete: bool = True
    """False when the file may have more columns than were seen: the rest of a long JSON file."""


def natural(text: str) -> tuple[tuple[bool, int, str], ...]:
    """A key that sorts partitions and files as people do: ``month=2`` before ``month=12``."""
    pieces = re.findall(r"[0-9]+|[^0-9]+", text)
    return tuple((False, int(p), "") if p.isascii() and p.isdecimal() else (True, 0, p) for p in pieces)
