"""Custom checks: pandera schemas and check functions of the deployment, in a bounded child process.

The files are read here, in chunks, and streamed to the child, which therefore needs no access to
storage and sees no credentials. What it says comes back through a file in a private folder.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from contracts_svc.errors import CouldNotCheck
from contracts_svc.files import DataFile
from contracts_svc.model import Table
from contracts_svc.ports import FileOpener
from contracts_svc.quality import types
from contracts_svc.quality.types import Family
from contracts_svc.runs import Check, Measurement

CHILD = "contracts_svc.adapters.pandera_child"
CHUNK_ROWS = 50_000
_CREDENTIALS = ("AWS_", "CONTRACTS_")
"""How the names of variables begin that may hold secrets; the child gets none of them."""
_PARTITION_TYPES = {Family.INTEGER: pa.int64(), Family.FLOAT: pa.float64(), Family.DATE: pa.date32()}


class PanderaChecks:
    """Implements :class:`contracts_svc.ports.CustomChecks`.

    ``folder`` holds the checks; an implementation ``weather:physics`` is ``physics`` in ``weather.py``
    there: a ``DataFrameSchema``, a ``DataFrameModel``, or a function that takes a pandas DataFrame of
    some rows and returns a boolean Series, true where a row is good. Data comes in chunks, so what needs
    the whole table (uniqueness, a mean) must say so: ``metadata={"whole_table": True}`` of a schema, the
    attribute ``whole_table = True`` of a function. ``seconds`` and ``megabytes`` bound each check.
    """

    def __init__(
        self, folder: Path, opener: FileOpener, *, seconds: float = 120, megabytes: int = 1024
    ) -> None:
        self._folder = folder
        self._opener = opener
        self._seconds = seconds
        self._megabytes = megabytes

    def run(self, check: Check, table: Table, files: Sequence[DataFile], samples: int) -> Measurement:
        """Measure one check on these files. See the port."""
        with tempfile.TemporaryDirectory(prefix="contracts-", ignore_cleanup_errors=True) as private:
            job = _Job(Path(private))
            try:
                stream = _Stream(files, table, self._opener)
                answer = self._ask(job, str(check.arguments["implementation"]), stream, samples)
            except CouldNotCheck as error:
                return Measurement(check=check.id, error=f"{error.what}: {error.cause}")
        if "error" in answer:
            return Measurement(check=check.id, error=str(answer["error"]))
        if "skipped" in answer:
            return Measurement(check=check.id, skipped=str(answer["skipped"]))
        paths = {c.stored_name: c.path for c in table.columns}
        rows = [{paths.get(k, k): v for k, v in row.items()} for row in answer["samples"]]
        return Measurement(check=check.id, values={**answer, "samples": rows})

    def _ask(self, job: _Job, implementation: str, stream: _Stream, samples: int) -> Mapping[str, Any]:
        task = {
            "folder": str(self._folder.absolute()),
            "implementation": implementation,
            "samples": samples,
            "megabytes": self._megabytes,
            "answer": str(job.answer),
            "chunk_rows": CHUNK_ROWS,
        }
        job.task.write_text(json.dumps(task), encoding="utf-8")
        with job.errors.open("wb") as errors:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", CHILD, str(job.task)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env={k: v for k, v in os.environ.items() if not k.startswith(_CREDENTIALS)},
            )
        assert process.stdin is not None
        feeder = _Feeder(stream, process.stdin)
        feeder.start()
        try:
            code = process.wait(self._seconds)
        except subprocess.TimeoutExpired:
            raise CouldNotCheck(
                implementation, f"it took longer than {self._seconds:g} s", retryable=False
            ) from None
        finally:
            process.kill()
            process.wait()
            feeder.join()
        if feeder.failure is not None:
            raise feeder.failure
        if not job.answer.exists():
            raise CouldNotCheck(implementation, _ending(code, job.errors, self._megabytes), retryable=False)
        found: dict[str, Any] = json.loads(job.answer.read_text(encoding="utf-8"))
        return found


@dataclass(frozen=True, slots=True)
class _Job:
    """The private folder of one run of a child."""

    folder: Path

    @property
    def task(self) -> Path:
        return self.folder / "task.json"

    @property
    def answer(self) -> Path:
        return self.folder / "answer.json"

    @property
    def errors(self) -> Path:
        return self.folder / "errors.txt"


def _ending(code: int, errors: Path, megabytes: int) -> str:
    """Why a child ended without an answer."""
    if code < 0:
        return f"the process was killed by signal {-code}; it may use {megabytes:,} MB"
    lines = errors.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return f"the process ended with {code}" + (f": {lines[-1]}" if lines else "")


class _Stream:
    """The rows of some files as record batches of one schema, partition columns added."""

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


class _Feeder(threading.Thread):
    """Writes a stream into a pipe while the other end reads."""

    def __init__(self, stream: _Stream, pipe: IO[bytes]) -> None:
        super().__init__(name="pandera-feeder", daemon=True)
        self._stream = stream
        self._pipe = pipe
        self.failure: CouldNotCheck | None = None

    def run(self) -> None:
        # A child that has ended, or has seen enough, closes its end: that is no failure of the reading.
        with suppress(BrokenPipeError), self._pipe:
            try:
                with pa.ipc.new_stream(self._pipe, self._stream.schema) as sink:
                    for batch in self._stream.batches():
                        sink.write_batch(batch)
            except CouldNotCheck as error:
                self.failure = error
            except BrokenPipeError:
                raise
            except (pa.ArrowException, OSError) as error:
                cause = f"reading failed: {error}"
                self.failure = CouldNotCheck("the table", cause, retryable=False)
