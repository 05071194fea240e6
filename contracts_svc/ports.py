"""What the use cases need from outside, as Protocols. Adapters implement these and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO, TYPE_CHECKING, BinaryIO, Protocol, runtime_checkable

from contracts_svc.errors import CouldNotCheck
from contracts_svc.files import ALL, PARQUET, Partitions, Reading
from contracts_svc.files import DataFile as DataFile
from contracts_svc.files import Footer as Footer
from contracts_svc.files import StoredColumn as StoredColumn
from contracts_svc.model import Json, Table
from contracts_svc.runs import Check, Measurement

if TYPE_CHECKING:
    # What only some ports speak of is not loaded for the others: a check reads no alerts.
    from sqlglot import exp

    from contracts_svc.alerts import Notification
    from contracts_svc.compat.patterns import Compared


class Clock(Protocol):
    """Tells the time; tests bring their own."""

    def now(self) -> datetime:
        """The time, with its zone."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Access:
    """How to reach an S3 endpoint. Secrets never show in its repr."""

    access_key: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)
    session_token: str = field(default="", repr=False)
    region: str = "us-east-1"
    endpoint: str = ""
    """``http://host:port`` of an S3-compatible server; empty for AWS."""
    path_style: bool = False
    buckets: Mapping[str, S3Access] = field(default_factory=dict)
    """Bucket -> how to reach it, of those that are reached in another way."""

    def of(self, bucket: str) -> S3Access:
        """How to reach a bucket."""
        return self.buckets.get(bucket, self)

    def scrub(self, text: str) -> str:
        """The text with every credential of this access taken out, for messages."""
        for each in (self, *self.buckets.values()):
            for secret in (each.secret_key, each.session_token, each.access_key):
                if secret:
                    text = text.replace(secret, "***")
        return text


def reached(access: S3Access | None) -> S3Access:
    """How S3 is reached. Raises CouldNotCheck where nobody has said."""
    if access is None:
        hint = "set the S3 settings"
        raise CouldNotCheck("files on S3", "no access to S3 is configured", hint, retryable=False)
    return access


class Storage(Protocol):
    """Lists files and reads Parquet footers and the heads of text files. Raises CouldNotCheck."""

    def files(self, location: str, partitions: Partitions = ALL) -> tuple[DataFile, ...]:
        """The files that match a location: a file, a folder, or a glob (``*``, ``**``), sorted.

        Files of ``partitions`` that are not wanted may be left out, so that they need not be listed.
        """
        ...

    def footers(
        self, files: Sequence[DataFile], reading: Reading = PARQUET, columns: Collection[str] = ()
    ) -> tuple[Footer, ...]:
        """What these files say of themselves, in the same order, read in parallel.

        ``columns`` are the top-level columns, by any case of their names, whose bounds are wanted.
        """
        ...


class Snapshots(Protocol):
    """Reads the log of a table that says which files it is made of (Delta, Iceberg)."""

    def files(self, location: str) -> tuple[DataFile, ...]:
        """The files of the latest snapshot, each with that snapshot; none where there is no table.

        Raises CouldNotCheck, also for what a table needs and is not known.
        """
        ...


class OtherSources(Protocol):
    """Measures tables that do not lie in files, with the drivers of another engine."""

    def measure(self, contract: Mapping[str, Json], server: str, table: str) -> Sequence[Mapping[str, Json]]:
        """What the engine says of each of its checks of a table: ``type``, ``field``, ``rule`` (the id of
        the quality rule), ``result``, ``reason`` and ``figures``.

        ``contract`` is an ODCS document. Raises CouldNotCheck.
        """
        ...


class FileOpener(Protocol):
    """Opens files for reading. Raises CouldNotCheck when it cannot."""

    def open(self, file: DataFile) -> BinaryIO:
        """The file's bytes, seekable; for use in a ``with`` block."""
        ...


WriteRows = Callable[[IO[bytes], int], None]
"""Writes the rows of a table as an Arrow stream, so many in a batch. Raises CouldNotCheck."""


class CustomChecks(Protocol):
    """Runs checks that are code of the deployment."""

    def run(
        self,
        check: Check,
        table: Table,
        files: Sequence[DataFile],
        samples: int,
        rows: WriteRows | None = None,
    ) -> Measurement:
        """Measure a check of the kind ``custom`` on these files, or on the ``rows`` where not the files
        alone say what they are.

        Its figures are ``failing``, ``rows``, ``reasons`` (what failed, no values of rows in it) and
        ``samples`` (some failing rows, column paths as keys). Never raises for what the code does.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A table that a query may name: which files it is read from, in place."""

    name: str
    files: tuple[DataFile, ...]
    reading: Reading = PARQUET
    partition_types: Mapping[str, str] = field(default_factory=dict)
    """Hive partition column -> its DuckDB type."""
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Of text files: path -> the names of its columns, in order."""
    columns: Mapping[str, exp.Expr] = field(default_factory=dict)
    """Of text files: column -> its value, made from the text column of that name."""
    alike: bool = False
    """Whether all files are known to have the same columns, so that one of them tells of all."""


class Session(Protocol):
    """An engine with some sources open."""

    def rows(self, query: exp.Query) -> list[dict[str, Json]]:
        """Run one query over the sources. Raises CouldNotCheck."""
        ...

    def write(self, query: exp.Query, sink: IO[bytes], batch: int) -> None:
        """Write the rows of a query as an Arrow stream, so many in a batch. Raises CouldNotCheck, and what
        the sink does."""
        ...

    def add(self, source: Source) -> None:
        """Make one more source known. Its files are some of those of the sources that are open."""
        ...

    def forget(self, name: str) -> None:
        """Let go of a source that was added, and is not asked any more."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeats:
    """Numbers that a query gave more than once, or that another one did not give."""

    source: str
    """A table that queries of the session may name; its column ``h`` has each of the numbers once."""
    ranges: tuple[tuple[int, int], ...]
    """Between which numbers, both included, are few enough to look at together; empty: there are none."""


@runtime_checkable
class FindsRepeats(Protocol):
    """A session that can tell which of very many numbers come more than once, or are not among others."""

    def repeats(self, query: exp.Query, expected: int) -> Repeats:
        """Of a query whose only column is of 64-bit numbers without a sign, about so many of them.

        Its memory does not depend on how many there are. Raises CouldNotCheck.
        """
        ...

    def lacking(self, query: exp.Query, others: exp.Query, expected: int) -> Repeats:
        """The numbers of such a query that are not among those of another one, each once; about so many in
        either. Raises CouldNotCheck."""
        ...


class PatternInclusion(Protocol):
    """Compares what regular expressions let through."""

    def compare(self, old: str, new: str) -> Compared:
        """How a new pattern compares with an old one, in bounded time and memory.

        UNDECIDED, with the reason, for what cannot be compared within the bounds. Never raises.
        """
        ...


class Engine(Protocol):
    """Runs scans over files where they lie, without copying them."""

    def open(self, sources: Sequence[Source]) -> AbstractContextManager[Session]:
        """Make these sources known under their names for the length of a ``with`` block."""
        ...


class CodeHost(Protocol):
    """Reads versions of text files; never runs or checks out anything. Raises UserMistake."""

    def resolve(self, ref: str) -> str:
        """The full commit id of a branch, tag, ``HEAD~2`` or short id."""
        ...

    def merge_base(self, one: str, other: str) -> str:
        """The commit that both have in common."""
        ...

    def texts(self, commit: str, suffixes: Sequence[str]) -> Mapping[str, bytes]:
        """Path -> content of every file at that commit whose name ends with one of ``suffixes``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FileVersion:
    """What a file held at a commit."""

    commit: str
    path: str
    text: bytes


class FileHistory(Protocol):
    """Reads what a file held before. Raises CouldNotCheck when earlier commits are not there."""

    def history(self, commit: str, path: str) -> Iterator[FileVersion]:
        """The file at that commit and each time it was changed before, newest first.

        Along first parents: a branch counts as it was merged. Each text comes once; a file that was
        moved as it was is followed to its old path.
        """
        ...


class SchemaSource(Protocol):
    """Gives the standard's JSON Schemas."""

    def schema(self, version: str) -> Mapping[str, Json]:
        """The JSON Schema of an ODCS version that the standard publishes one for (``3.1.0``)."""
        ...


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a send ended. ``retry`` says whether trying again can help."""

    sent: bool
    retry: bool = False
    reason: str = ""
    retry_after: float = 0.0
    """Seconds that the receiver asks to be left alone for."""
    unsure: bool = False
    """Nobody knows whether it arrived, so that it is tried again a few times only."""
    thread: str = ""
    """Where it stands, for the receiver alone: given back with the next message of its group."""


class Receiver(Protocol):
    """Sends one notification. Never raises for a failed send, and never leaks a secret."""

    def send(self, notification: Notification) -> Delivery:
        """Send it, or say why not."""
        ...
