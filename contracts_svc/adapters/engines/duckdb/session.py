"""A session: sources that can be asked."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from threading import Timer
from typing import IO, Any
from uuid import UUID

import duckdb
from sqlglot import exp

from contracts_svc.adapters.engines.duckdb.connection import (
    REMOTE,
    confine,
    connect,
    reach_s3,
    read_parquet,
    readable,
)
from contracts_svc.adapters.engines.duckdb.failures import GONE, classify
from contracts_svc.adapters.engines.duckdb.spill import spill_folder
from contracts_svc.errors import CouldNotCheck
from contracts_svc.model import Json
from contracts_svc.ports import Repeats, S3Access, Session, Source
from contracts_svc.quality import table_sources, text_sources
from contracts_svc.quality.reading import FORMATS

FILENAME = "filename"
"""Every source has this column too: the address of the file that a row comes from."""
_ROWS_AT_ONCE = 2**19
_WAITING_THREADS = 8
"""A thread that reads from S3 waits most of the time; each takes the memory of a row group."""


@contextmanager
def opened(
    sources: tuple[Source, ...],
    access: S3Access | None,
    *,
    memory_limit: str,
    threads: int | None,
    temp_directory: str | None,
    timeout: float | None,
) -> Iterator[Session]:
    """A session for the length of a block; see ``DuckDBEngine`` for what it is given."""
    parent = Path(temp_directory or tempfile.gettempdir())
    with ExitStack() as stack:
        try:
            spill = stack.enter_context(spill_folder(parent))
        except OSError as error:
            raise CouldNotCheck(f"the temporary folder {parent}", str(error), "name another one") from error
        connection = stack.enter_context(
            connect(memory_limit=memory_limit, temp_directory=str(spill), threads=threads)
        )
        if any(f.path.startswith(REMOTE) for s in sources for f in s.files):
            reach_s3(connection, access)
            if threads is None:
                connection.execute("SET threads = ?", [max(os.cpu_count() or 1, _WAITING_THREADS)])
        confine(connection, sources)
        yield _DuckDBSession(connection, sources, access, timeout, spill)


class _DuckDBSession:
    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        sources: Sequence[Source],
        access: S3Access | None,
        timeout: float | None,
        spill: Path,
    ) -> None:
        self._connection = connection
        self._spill = spill
        self._repeats = 0
        self._access = access
        self._timeout = timeout
        self._unreadable: dict[str, CouldNotCheck] = {}
        self._alone: dict[str, str] = {}
        self._waiting: dict[str, Source] = {}
        for source in sources:
            self.add(source)

    def add(self, source: Source) -> None:
        """Make one more source known; what is wrong with it, queries of it tell."""
        self._waiting[source.name] = source
        if len(source.files) == 1:
            self._alone[source.name] = source.files[0].path

    def forget(self, name: str) -> None:
        """Let go of a source; its name may be given again."""
        if self._waiting.pop(name, None) is None and self._unreadable.pop(name, None) is None:
            self._execute(name, exp.Drop(tables=[_table(name)], kind="VIEW", exists=True))
        self._alone.pop(name, None)

    def rows(self, query: exp.Query) -> list[dict[str, Json]]:
        """Run one query over the sources; the values are those of JSON. Raises CouldNotCheck.

        Dates, times, UUIDs and intervals come as text (ISO 8601, UTC where they have a zone), decimals
        as int or float, bytes as hexadecimal text.
        """
        names = self._see_all(query)
        alone = [self._alone[name] for name in names if name in self._alone]
        try:
            columns, rows = self._execute(", ".join(names) or "query", query)
        except CouldNotCheck as error:
            raise _in_file(error, alone) from error
        return [dict(zip(columns, map(_json, row), strict=True)) for row in rows]

    def repeats(self, query: exp.Query, expected: int) -> Repeats:
        """Which of the numbers that a query gives come more than once. See the port."""
        # Loaded here: few runs have so many keys.
        from contracts_svc.adapters.engines.duckdb import repeats

        what = ", ".join(self._see_all(query))
        return self._kept(what, repeats.repeated(self._numbers(what, query), expected, self._spill))

    def lacking(self, query: exp.Query, others: exp.Query, expected: int) -> Repeats:
        """Which of the numbers that a query gives are not among those of another. See the port."""
        from contracts_svc.adapters.engines.duckdb import repeats

        what = ", ".join(self._see_all(query))
        beside = self._numbers(", ".join(self._see_all(others)), others)
        return self._kept(what, repeats.lacking(self._numbers(what, query), beside, expected, self._spill))

    def _kept(self, what: str, found: Iterator[tuple[int, int, Any]]) -> Repeats:
        """A table of these numbers, that come range by range."""
        from contracts_svc.adapters.engines.duckdb import repeats

        self._repeats += 1
        name = f"repeats / {self._repeats}"
        self._execute(what, repeats.table(name))
        ranges = repeats.Ranges()
        try:
            for least, most, numbers in found:
                with repeats.shown(self._connection, name, numbers) as adding:
                    self._execute(what, adding)
                ranges.add(least, most, len(numbers))
        except OSError as error:
            cause = f"its keys cannot be written down: {error.strerror or error}"
            raise CouldNotCheck(what, cause, "free space to spill to", retryable=False) from error
        return Repeats(source=name, ranges=ranges.joined())

    def _numbers(self, what: str, query: exp.Query) -> Iterator[Any]:
        """The answer of a query of one column, as arrays, while it is being answered."""
        try:
            with self._bounded():
                answer = self._connection.execute(query.sql(dialect="duckdb"))
                for batch in answer.to_arrow_reader(_ROWS_AT_ONCE):
                    yield batch.column(0).to_numpy()
        except duckdb.Error as error:
            raise self._failure(what, error) from error
        except OSError as error:
            # What goes wrong on the way comes through Arrow, as text.
            text = str(error)
            kind = duckdb.InterruptException if text.startswith("INTERRUPT") else duckdb.Error
            raise self._failure(what, kind(text)) from error

    def _see_all(self, query: exp.Query) -> list[str]:
        """The names of the tables that a query reads, each opened. Raises CouldNotCheck."""
        names = list(dict.fromkeys(t.name for t in query.find_all(exp.Table)))
        for name in tuple(self._waiting) if text_sources.REJECTS in names else names:
            self._see(name)
        for name in names:
            if name in self._unreadable:
                raise self._unreadable[name]
        if text_sources.REJECTS in names and self._unreadable:
            raise next(iter(self._unreadable.values()))
        return names

    def write(self, query: exp.Query, sink: IO[bytes], batch: int) -> None:
        """Write the rows of a query as an Arrow stream, so many in a batch. Raises CouldNotCheck."""
        import pyarrow as pa

        names = list(dict.fromkeys(t.name for t in query.find_all(exp.Table)))
        for name in names:
            self._see(name)
            if name in self._unreadable:
                raise self._unreadable[name]
        try:
            reader = self._connection.execute(query.sql(dialect="duckdb")).to_arrow_reader(batch)
            with pa.ipc.new_stream(sink, reader.schema) as stream:
                for some in reader:
                    stream.write_batch(some)
        except duckdb.Error as error:
            raise self._failure(", ".join(names), error) from error
        except pa.ArrowException as error:
            raise CouldNotCheck(", ".join(names), f"reading failed: {error}", retryable=False) from error

    def _see(self, name: str) -> None:
        """Open a source when it is first asked for: to look at all of its files takes its time."""
        source = self._waiting.pop(name, None)
        if source is not None:
            try:
                self._make_view(source)
            except CouldNotCheck as error:
                self._unreadable[name] = error

    def _make_view(self, source: Source) -> None:
        if source.reading.format not in FORMATS:
            what = f"DuckDB is not used for the format {source.reading.format}"
            raise CouldNotCheck(source.name, what, retryable=False)
        if not source.files:
            raise CouldNotCheck(source.name, "there are no files", "publish it, or check its location")
        # DuckDB takes a local file that is not there for a folder, and says that it may not look into it.
        for file in source.files:
            if not file.path.startswith(REMOTE) and not Path(file.path).is_file():
                raise CouldNotCheck(source.name, f"not found: {file.path}", GONE)
        view = exp.Create(
            this=_table(source.name),
            kind="VIEW",
            expression=self._query(source),
        )
        self._execute(source.name, view)

    def _query(self, source: Source) -> exp.Query:
        if source.reading.text:
            return self._text(source)
        if source.files[0].snapshot is None:
            return self._parquet(source)
        return table_sources.select(files=source.files, partitions=source.partition_types, address=readable)

    def _parquet(self, source: Source) -> exp.Query:
        columns: list[exp.Expr] = [exp.Star()]
        if not self._has_filename(source):
            columns.append(exp.column(FILENAME))
        return exp.select(*columns).from_(read_parquet(source))

    def _text(self, source: Source) -> exp.Query:
        folders = {key for file in source.files for key in file.partition}
        return text_sources.select(
            files=source.files,
            reading=source.reading,
            names=source.names,
            columns=source.columns,
            partitions={k: t for k, t in source.partition_types.items() if k in folders},
            address=readable,
        )

    def _has_filename(self, source: Source) -> bool:
        """Whether the files have a column of that name themselves; theirs then wins."""
        one = replace(source, files=source.files[:1]) if source.alike else source
        described = exp.Describe(this=exp.select("*").from_(read_parquet(one)))
        return any(row[0].lower() == FILENAME for row in self._execute(source.name, described)[1])

    def _execute(self, what: str, statement: exp.Expr) -> tuple[list[str], list[tuple[Any, ...]]]:
        """The names of the columns, and the rows."""
        try:
            with self._bounded():
                cursor = self._connection.execute(statement.sql(dialect="duckdb"))
                return [d[0] for d in cursor.description or ()], cursor.fetchall()
        except duckdb.Error as error:
            raise self._failure(what, error) from error

    @contextmanager
    def _bounded(self) -> Iterator[None]:
        """Interrupts what takes too long."""
        timer = Timer(self._timeout, self._connection.interrupt) if self._timeout else None
        try:
            if timer:
                timer.daemon = True
                timer.start()
            yield
        finally:
            if timer:
                timer.cancel()

    def _failure(self, what: str, error: duckdb.Error) -> CouldNotCheck:
        cause, hint, retryable = classify(error, self._timeout)
        scrub = self._access.scrub if self._access else str
        return CouldNotCheck(what, scrub(cause), hint, retryable=retryable)


def _table(name: str) -> exp.Table:
    return exp.Table(this=exp.to_identifier(name, quoted=True))


def _in_file(error: CouldNotCheck, alone: Sequence[str]) -> CouldNotCheck:
    """The error with the file in it, where there is but one; DuckDB does not always name it."""
    if len(alone) != 1 or alone[0] in error.cause or not error.cause.startswith("not a Parquet file"):
        return error
    cause = f"{error.cause} (in {alone[0]})"
    return CouldNotCheck(error.what, cause, error.hint, retryable=error.retryable)


def _json(value: Any) -> Json:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta() | UUID():
            return str(value)
        case bytes() | bytearray() | memoryview():
            return bytes(value).hex()
        case Mapping():
            return {str(_json(k)): _json(v) for k, v in value.items()}
        case list() | tuple():
            return [_json(v) for v in value]
    return str(value)
