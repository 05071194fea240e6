"""Custom checks: pandera schemas and check functions of the deployment, in a bounded child process.

The files are read here, in chunks, and streamed to the child, which therefore needs no access to
storage and sees no credentials. What it says comes back through a file in a private folder.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contracts_svc.adapters.children import bare_environment
from contracts_svc.errors import CouldNotCheck
from contracts_svc.files import DataFile
from contracts_svc.model import Table
from contracts_svc.ports import FileOpener, WriteRows
from contracts_svc.runs import Check, Measurement

if TYPE_CHECKING:
    from contracts_svc.adapters.pandera_stream import Stream, Written

CHILD = "contracts_svc.adapters.pandera_child"


class PanderaChecks:
    """Implements :class:`contracts_svc.ports.CustomChecks`.

    ``folder`` holds the checks; an implementation ``weather:physics`` is ``physics`` in ``weather.py``
    there: a ``DataFrameSchema`` or ``DataFrameModel`` of pandera.pandas, pandera.polars or pandera.pyarrow,
    or a function that takes a DataFrame of some rows and returns a boolean Series, true where a row is
    good. Its rows are of pandas; of polars or pyarrow where the type of its first parameter says so. Data
    comes in chunks, so what needs the whole table (uniqueness, a mean) must say so:
    ``metadata={"whole_table": True}`` of a schema, the attribute ``whole_table = True`` of a function.
    ``seconds`` and ``megabytes`` bound each check.
    """

    def __init__(
        self, folder: Path, opener: FileOpener, *, seconds: float = 120, megabytes: int = 1024
    ) -> None:
        self._folder = folder
        self._opener = opener
        self._seconds = seconds
        self._megabytes = megabytes

    def run(
        self,
        check: Check,
        table: Table,
        files: Sequence[DataFile],
        samples: int,
        rows: WriteRows | None = None,
    ) -> Measurement:
        """Measure one check on these files, or on these rows. See the port."""
        # What reads the files is loaded when there is such a check.
        from contracts_svc.adapters.pandera_stream import Stream, Written

        with tempfile.TemporaryDirectory(prefix="contracts-", ignore_cleanup_errors=True) as private:
            job = _Job(Path(private))
            try:
                stream = Stream(files, table, self._opener) if rows is None else Written(rows)
                answer = self._ask(job, str(check.arguments["implementation"]), stream, samples)
            except CouldNotCheck as error:
                return Measurement(check=check.id, error=f"{error.what}: {error.cause}")
        if "error" in answer:
            return Measurement(check=check.id, error=str(answer["error"]))
        if "skipped" in answer:
            return Measurement(check=check.id, skipped=str(answer["skipped"]))
        paths = {c.stored_name: c.path for c in table.columns}
        shown = [{paths.get(k, k): v for k, v in row.items()} for row in answer["samples"]]
        return Measurement(check=check.id, values={**answer, "samples": shown})

    def _ask(
        self, job: _Job, implementation: str, stream: Stream | Written, samples: int
    ) -> Mapping[str, Any]:
        task = {
            "folder": str(self._folder.absolute()),
            "implementation": implementation,
            "samples": samples,
            "megabytes": self._megabytes,
            "answer": str(job.answer),
            "chunk_rows": stream.chunk_rows,
        }
        job.task.write_text(json.dumps(task), encoding="utf-8")
        with job.errors.open("wb") as errors:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", CHILD, str(job.task)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env=bare_environment(),
            )
        assert process.stdin is not None
        feeder = stream.feeder(process.stdin)
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
