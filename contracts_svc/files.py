"""The words of stored data: files, the columns in them, and what their footers say."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from urllib.parse import unquote

S3_SCHEMES = ("s3", "s3a", "s3n")
"""How addresses on S3 begin: as AWS writes them, and as Hadoop does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableColumn:
    """A column of a Delta or Iceberg table, and how its files have it."""

    name: str
    type: str
    """As DuckDB writes types; older files may store a narrower one."""
    stored: str = ""
    """Its name in the files, where they go by names."""
    id: int | None = None
    """Its id in the files, where they go by ids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A version of a Delta or Iceberg table: a file alone does not say how it is read, its log does."""

    version: str
    published: datetime | None
    """When it was committed."""
    columns: tuple[TableColumn, ...]
    """Without those whose values are in the log only (see ``DataFile.partition``)."""
    by_id: bool = False
    """Whether the files have ids of columns (Iceberg), so that names in them say nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFile:
    """One file of a table. ``partition`` holds the Hive ``key=value`` folders it lies in, in order."""

    path: str
    """Full address, with its scheme (``s3://bucket/key``) or a local path."""
    size: int
    """Bytes."""
    version: str = ""
    """Changes when the content does: an ETag, or the time of the last change."""
    modified: datetime | None = None
    """When it was last changed, where that is known."""
    partition: Mapping[str, str] = field(default_factory=dict)
    snapshot: Snapshot | None = field(default=None, repr=False)
    """Of a file of a Delta or Iceberg table: the version of the table in which it is read."""
    deleted: str = field(default="", repr=False)
    """The positions of its rows that the table has deleted, from 0: ``0,17,18``."""

    @property
    def published(self) -> datetime | None:
        """When it was last changed, or the version of its table was committed."""
        return self.snapshot.published if self.snapshot is not None else self.modified

    @property
    def keys(self) -> Mapping[str, str]:
        """The columns whose values are not in the file, and these values."""
        return {} if self.snapshot is not None and self.snapshot.by_id else self.partition


def hive_partition(path: str) -> Mapping[str, str]:
    """The Hive ``key=value`` folders of a path, in order, values URL-decoded."""
    return _keys_of(path.rpartition("/")[0])


@lru_cache(maxsize=64)
def _keys_of(folder: str) -> Mapping[str, str]:
    # Files come folder by folder, and those of one share what it says.
    pairs = (f.partition("=") for f in folder.split("/"))
    return MappingProxyType({unquote(key): unquote(value) for key, equals, value in pairs if key and equals})


Partitions = Mapping[str, Callable[[str], bool]]
"""Partition key -> whether files of a value of it are wanted."""
ALL: Partitions = MappingProxyType({})

NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
"""What stands for NULL among partition values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How the bytes of a table's files are read. Only Parquet files keep types; CSV and JSON are text."""

    format: str = "parquet"
    """``parquet``, ``csv``, ``json``, ``delta`` or ``iceberg``."""
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
        return self.format in ("csv", "json")

    @property
    def table(self) -> bool:
        """Whether a log says which files make up the table."""
        return self.format in ("delta", "iceberg")

    @property
    def way(self) -> str:
        """What makes the same bytes mean something else, as a text."""
        named = self.format == "csv" and not self.header
        return repr(self if named else replace(self, names=())) if self.text else ""


PARQUET = Reading()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredColumn:
    """A column as a file has it. ``type`` is written as DuckDB writes types (``DECIMAL(9,2)``)."""

    name: str
    type: str
    nullable: bool = True
    id: int | None = field(default=None, compare=False)
    """Of a Parquet file that has ids of columns (``field_id``): its own."""


Bound = int | Decimal | date | datetime
"""A value that a footer tells exactly. Timestamps have a time zone (UTC) where the column has one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What the statistics of a file prove of one column; what they do not tell for certain is None."""

    nulls: int | None = None
    """How many values are NULL."""
    least: Bound | None = None
    """The smallest value that is no NULL; a value of the column, and not only a limit."""
    most: Bound | None = None
    """The greatest one. There are both or neither."""
    within: tuple[bytes, bytes] | None = None
    """Of texts: bytes that no value is before, and none is after. They may be cut off."""

    @property
    def span(self) -> tuple[Bound, Bound] | tuple[bytes, bytes] | None:
        """Between which values all that are no NULL lie."""
        if self.least is None or self.most is None:
            return self.within
        return self.least, self.most


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
    bounds: Mapping[str, Bounds] = field(default_factory=dict)
    """Column as the file names it -> what its statistics prove, of the columns that were asked for."""


def natural(text: str) -> tuple[tuple[bool, int, str], ...]:
    """A key that sorts partitions and files as people do: ``month=2`` before ``month=12``."""
    pieces = re.findall(r"[0-9]+|[^0-9]+", text)
    return tuple((False, int(p), "") if p.isascii() and p.isdecimal() else (True, 0, p) for p in pieces)
