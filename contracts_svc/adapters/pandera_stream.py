"""The rows that a custom check looks at, read in chunks and written to its process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from contracts_svc.errors import CouldNotCheck
from contracts_svc.files import DataFile
from contracts_svc.model import Table
from contracts_svc.ports import FileOpener, WriteRows
from contracts_svc.quality import types
from contracts_svc.quality.types import Family

CHUNK_ROWS = 50_000
_PARTITION_TYPES = {Family.INTEGER: pa.int64(), Family.FLOAT: pa.float64(), Family.DATE: pa.date32()}


class Stream:
    """The rows of some files as record batches of one schema, partition columns added."""

    chunk_rows = CHUNK_ROWS

    def __init__(self, files: Sequence[DataFile], table: Table, opener: FileOpener) -> None:
        self._files = files
        self._opener = opener
        self._partition_types = {
            c.stored_name: _PARTITION_TYPES.get(
                types.family(types.parse(types.promised_type(c))), pa.string()
            )
            for c in table.columns
        }
        self.schema = self._schema()

    def _schema(self) -> pa.Schema:
        try:
            schemas = []
            for file in self._files:
                with self._opener.open(file) as stream:
                    schemas.append(self._with_partition(pq.read_schema(stream), file))
            return pa.unify_schemas(schemas, promote_options="permissive")
        except pa.ArrowTypeError as error:
            cause = f"its files do not store the same types: {error}"
            raise CouldNotCheck("the table", cause, retryable=False) from error
        except (pa.ArrowException, OSError) as error:
            raise CouldNotCheck("the table", f"reading failed: {error}", retryable=False) from error

    def _with_partition(self, schema: pa.Schema, file: DataFile) -> pa.Schema:
        schema = schema.remove_metadata()
        for key in file.partition:
            field = pa.field(key, self._partition_types.get(key, pa.string()))
            at = schema.get_field_index(key)
            schema = schema.set(at, field) if at >= 0 else schema.append(field)
        return schema

    def feeder(self, pipe: IO[bytes]) -> Feeder:
        """What writes it into a pipe, not yet started."""
        return Feeder(self.write, pipe)

    def write(self, pipe: IO[bytes]) -> None:
        """Write it into a pipe. Raises CouldNotCheck, OSError, ArrowException."""
        with pa.ipc.new_stream(pipe, self.schema) as sink:
            for batch in self.batches():
                sink.write_batch(batch)

    def batches(self) -> Iterator[pa.RecordBatch]:
        for file in self._files:
            with self._opener.open(file) as stream:
                for batch in pq.ParquetFile(stream).iter_batches(batch_size=CHUNK_ROWS):
                    yield self._complete(batch, file)

    def _complete(self, batch: pa.RecordBatch, file: DataFile) -> pa.RecordBatch:
        columns = []
        for field in self.schema:
            if field.name in file.partition:
                value = pa.scalar(file.partition[field.name]).cast(field.type)
                columns.append(pa.repeat(value, batch.num_rows))
            elif field.name in batch.schema.names:
                columns.append(batch.column(field.name).cast(field.type))
            else:
                columns.append(pa.nulls(batch.num_rows, field.type))
        return pa.record_batch(columns, schema=self.schema)


class Written:
    """Rows that somebody else writes: of text files, and of tables whose log says what is in them."""

    chunk_rows = CHUNK_ROWS

    def __init__(self, rows: WriteRows) -> None:
        self._rows = rows

    def feeder(self, pipe: IO[bytes]) -> Feeder:
        """What writes them into a pipe, not yet started."""
        return Feeder(lambda sink: self._rows(sink, CHUNK_ROWS), pipe)


class Feeder(threading.Thread):
    """Writes a stream into a pipe while the other end reads."""

    def __init__(self, write: Callable[[IO[bytes]], None], pipe: IO[bytes]) -> None:
        super().__init__(name="pandera-feeder", daemon=True)
        self._write = write
        self._pipe = pipe
        self.failure: CouldNotCheck | None = None

    def run(self) -> None:
        # A child that has ended, or has seen enough, closes its end: that is no failure of the reading.
        with suppress(BrokenPipeError), self._pipe:
            try:
                self._write(self._pipe)
            except CouldNotCheck as error:
                self.failure = error
            except BrokenPipeError:
                raise
            except (pa.ArrowException, OSError) as error:
                cause = f"reading failed: {error}"
                self.failure = CouldNotCheck("the table", cause, retryable=False)
