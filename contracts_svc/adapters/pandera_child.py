"""The child process of :mod:`contracts_svc.adapters.pandera_checks`: runs one check over a stream.

Called with the path of a task; rows come on standard input as an Arrow stream; the answer goes to the
file that the task names.
"""

from __future__ import annotations

import importlib
import inspect
import json
import math
import re
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pandera.pandas as pandera
import pyarrow as pa
from pandera.errors import SchemaErrorReason, SchemaErrors

CHECK_ERROR = SchemaErrorReason.CHECK_ERROR
COLUMN_MISSING = SchemaErrorReason.COLUMN_NOT_IN_DATAFRAME
_NAME = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z_]\w*)")


class CannotRun(Exception):
    """The check cannot be run; the message says why."""


class NeedsWholeTable(Exception):
    """The check cannot be run in chunks; the message says why."""


@dataclass
class Tally:
    """What has been seen so far."""

    wanted: int
    rows: int = 0
    failing: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    samples: list[dict[str, Any]] = field(default_factory=list)

    def add(self, chunk: pd.DataFrame, bad: pd.Index, reasons: Mapping[str, int]) -> None:
        """Count a chunk of which these rows are bad."""
        self.rows += len(chunk)
        self.failing += len(bad)
        self.reasons.update(reasons)
        missing = self.wanted - len(self.samples)
        if missing > 0 and len(bad):
            self.samples += json.loads(chunk.loc[bad[:missing]].to_json(orient="records", date_format="iso"))

    def answer(self) -> dict[str, Any]:
        """The figures, the most frequent reason first."""
        reasons = [name for name, _ in self.reasons.most_common()]
        return {"rows": self.rows, "failing": self.failing, "reasons": reasons, "samples": self.samples}


Judge = Callable[[pd.DataFrame], tuple[pd.Index, Mapping[str, int]]]
"""A chunk -> the index of its bad rows, and how many rows each reason has."""


def main(task_file: str) -> None:
    """Run the task and write its answer."""
    task = json.loads(Path(task_file).read_text(encoding="utf-8"))
    try:
        answer = run(task)
    except NeedsWholeTable as error:
        answer = {"skipped": f"{error}; give it whole_table to have it run on the table at once"}
    except CannotRun as error:
        answer = {"error": str(error)}
    except (MemoryError, pa.ArrowMemoryError):
        answer = {"error": f"it needs more than {task['megabytes']:,} MB of memory"}
    Path(task["answer"]).write_text(json.dumps(answer), encoding="utf-8")


def run(task: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of one task."""
    found = load(Path(task["folder"]), task["implementation"])
    whole = is_whole(found)
    judge = judge_of(found, task["implementation"], whole=whole)
    bound_memory(task["megabytes"])
    tally = Tally(task["samples"])
    with pa.ipc.open_stream(sys.stdin.buffer) as stream:
        for chunk in chunks(stream, None if whole else task["chunk_rows"]):
            bad, reasons = judge(chunk)
            tally.add(chunk, bad, reasons)
    return tally.answer()


def load(folder: Path, implementation: str) -> Any:
    """The object that ``module:name`` names in the folder of checks."""
    named = _NAME.fullmatch(implementation)
    if named is None:
        raise CannotRun(f"{implementation!r} is not module:name, as in weather:physics")
    module, name = named.groups()
    if not folder.joinpath(*module.split(".")).with_suffix(".py").is_file():
        raise CannotRun(f"the folder of checks has no {module.replace('.', '/')}.py")
    sys.path.insert(0, str(folder))
    try:
        found = getattr(importlib.import_module(module), name, None)
    # The deployment's own code may raise anything; what it raised is what its author needs to know.
    except Exception as error:
        raise CannotRun(f"{module}.py cannot be imported: {type(error).__name__}: {error}") from error
    if found is None:
        raise CannotRun(f"{module}.py has no {name}")
    return found


def schema_of(found: Any) -> pandera.DataFrameSchema | None:
    """The pandera schema that it is, or None for a function."""
    if isinstance(found, pandera.DataFrameSchema):
        return found
    if inspect.isclass(found) and issubclass(found, pandera.DataFrameModel):
        return found.to_schema()
    return None


def is_whole(found: Any) -> bool:
    """Whether it asks for the whole table at once."""
    schema = schema_of(found)
    if schema is not None:
        return bool((schema.metadata or {}).get("whole_table"))
    return bool(getattr(found, "whole_table", False))


def judge_of(found: Any, name: str, *, whole: bool) -> Judge:
    """How to judge a chunk with it."""
    schema = schema_of(found)
    if schema is not None:
        if not whole:
            refuse_whole(schema)
        return lambda chunk: judge_schema(schema, chunk, name)
    if callable(found):
        return lambda chunk: judge_function(found, chunk, name)
    raise CannotRun(f"{name} is neither a schema of pandera.pandas nor a function")


def refuse_whole(schema: pandera.DataFrameSchema) -> None:
    """Raise NeedsWholeTable when a part of the table says nothing about the schema."""
    for column in schema.columns.values():
        if column.unique:
            raise NeedsWholeTable(f"{column.name} is unique, which needs the whole table")
    if schema.unique:
        raise NeedsWholeTable(f"{', '.join(schema.unique)} is unique, which needs the whole table")
    checks = [*(schema.checks or []), *(c for col in schema.columns.values() for c in col.checks or [])]
    for check in checks:
        if getattr(check, "groupby", None) is not None or isinstance(check, pandera.Hypothesis):
            raise NeedsWholeTable(f"the check {check.name} compares groups, which needs the whole table")


def judge_schema(
    schema: pandera.DataFrameSchema, chunk: pd.DataFrame, name: str
) -> tuple[pd.Index, Mapping[str, int]]:
    """Validate a chunk; what is wrong with the chunk as a whole is wrong with each of its rows."""
    try:
        schema.validate(chunk, lazy=True)
    except SchemaErrors as errors:
        reasons_given = {e.reason_code for e in errors.schema_errors}
        # A check that stumbles over a column that is not there says no more than that it is not there.
        if CHECK_ERROR in reasons_given and COLUMN_MISSING not in reasons_given:
            raised = next(e for e in errors.schema_errors if e.reason_code is CHECK_ERROR)
            raise CannotRun(
                f"a check of {name} raised {str(raised.failure_cases).partition('(')[0]}"
            ) from None
        cases = errors.failure_cases
        whole = cases["index"].isna()
        reasons: Counter[str] = Counter()
        for case, all_rows in zip(cases.itertuples(), whole, strict=True):
            reasons[reason(case)] += len(chunk) if all_rows else 1
        bad = chunk.index if whole.any() else pd.Index(sorted(set(cases["index"])))
        return bad, reasons
    except (MemoryError, pa.ArrowMemoryError):
        raise
    except Exception as error:
        raise CannotRun(f"{name} raised {told(error)}") from error
    return chunk.index[:0], {}


def told(error: Exception) -> str:
    """The type of an error and the last line it went through; its text may hold values of rows."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} ({Path(last.filename).name}, line {last.lineno})"


def reason(case: Any) -> str:
    """A failure without the value that failed, which may not be for everyone."""
    column = getattr(case, "column", None)
    at = f"{column}: " if isinstance(column, str) and case.schema_context == "Column" else ""
    return f"{at}{case.check}"


def judge_function(
    function: Callable[[pd.DataFrame], Any], chunk: pd.DataFrame, name: str
) -> tuple[pd.Index, Mapping[str, int]]:
    """Call a check function; one boolean for all rows is about each of them."""
    try:
        good = function(chunk)
    except (MemoryError, pa.ArrowMemoryError):
        raise
    except Exception as error:
        raise CannotRun(f"{name} raised {told(error)}") from error
    if isinstance(good, pd.Series) and good.index.equals(chunk.index):
        bad = chunk.index[~good.fillna(True).astype(bool)]
    elif isinstance(good, bool) or type(good).__name__ == "bool":
        bad = chunk.index[:0] if good else chunk.index
    else:
        raise CannotRun(f"{name} returned {type(good).__name__}, not a boolean Series with the rows' index")
    return bad, {name.partition(":")[2]: len(bad)} if len(bad) else {}


def chunks(stream: Any, rows: int | None) -> Iterator[pd.DataFrame]:
    """The stream in frames of about this many rows (None: all in one), numbered throughout."""
    held: list[pa.RecordBatch] = []
    start = count = 0
    for batch in stream:
        held.append(batch)
        count += batch.num_rows
        if rows is not None and count >= rows:
            yield frame(held, stream.schema, start)
            start, count, held = start + count, 0, []
    if held or start == 0:
        yield frame(held, stream.schema, start)


def frame(batches: list[pa.RecordBatch], schema: pa.Schema, start: int) -> pd.DataFrame:
    """These batches as one frame whose index starts there."""
    found = pa.Table.from_batches(batches, schema=schema).to_pandas(date_as_object=False)
    found.index = pd.RangeIndex(start, start + len(found))
    return found


def bound_memory(megabytes: int) -> None:
    """Let this process grow by this much from here on, where the system can bound it."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        bound = pages * resource.getpagesize() + megabytes * 1_000_000
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        limit = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
        resource.setrlimit(resource.RLIMIT_AS, (math.floor(limit), hard))


if __name__ == "__main__":
    main(sys.argv[1])
