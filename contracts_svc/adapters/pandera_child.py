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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from pandera.api.dataframe.container import DataFrameSchema
from pandera.api.dataframe.model import DataFrameModel
from pandera.api.hypotheses import Hypothesis
from pandera.errors import SchemaErrorReason, SchemaErrors

from contracts_svc.adapters.pandera_forms import CannotRun, Form, Found, form_of_function, form_of_schema

CHECK_ERROR = SchemaErrorReason.CHECK_ERROR
COLUMN_MISSING = SchemaErrorReason.COLUMN_NOT_IN_DATAFRAME
_NAME = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z_]\w*)")
_EXTRAS = ("polars", "narwhals")
Schema = DataFrameSchema[Any]


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

    def add(self, chunk: pa.Table, bad: Sequence[int], reasons: Mapping[str, int]) -> None:
        """Count a chunk of which the rows at these places are bad."""
        self.rows += chunk.num_rows
        self.failing += len(bad)
        self.reasons.update(reasons)
        missing = self.wanted - len(self.samples)
        if missing > 0 and len(bad):
            shown = chunk.take(pa.array(bad[:missing], pa.int64())).to_pandas(date_as_object=False)
            self.samples += json.loads(shown.to_json(orient="records", date_format="iso"))

    def answer(self) -> dict[str, Any]:
        """The figures, the most frequent reason first."""
        reasons = [name for name, _ in self.reasons.most_common()]
        return {"rows": self.rows, "failing": self.failing, "reasons": reasons, "samples": self.samples}


Judge = Callable[[pa.Table, int], Found]
"""What is bad in a chunk, the first row of which is so many rows from the beginning."""


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
            tally.add(chunk, *judge(chunk, tally.rows))
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
        extra = getattr(error, "name", None)
        hint = f" (pip install 'contracts-svc[{extra}]')" if extra in _EXTRAS else ""
        raise CannotRun(f"{module}.py cannot be imported: {type(error).__name__}: {error}{hint}") from error
    if found is None:
        raise CannotRun(f"{module}.py has no {name}")
    return found


def schema_of(found: Any) -> Schema | None:
    """The pandera schema that it is, or None for a function."""
    schema = found.to_schema() if inspect.isclass(found) and issubclass(found, DataFrameModel) else found
    return schema if isinstance(schema, DataFrameSchema) else None


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
        form = form_of_schema(schema, name)
        for check in checks_of(schema):
            # It bounds what is told of failing rows, all of which are counted here.
            check.n_failure_cases = None
        if not whole:
            refuse_whole(schema)
        return lambda chunk, start: judge_schema(schema, form, chunk, start, name)
    if callable(found):
        parameters = list(inspect.signature(found).parameters.values())
        form = form_of_function(parameters[0].annotation if parameters else None)
        return lambda chunk, start: judge_function(found, form, chunk, start, name)
    raise CannotRun(f"{name} is neither a schema of pandera nor a function")


def checks_of(schema: Schema) -> list[Any]:
    """The checks of a schema and of its columns."""
    return [*(schema.checks or []), *(c for column in schema.columns.values() for c in column.checks or [])]


def refuse_whole(schema: Schema) -> None:
    """Raise NeedsWholeTable when a part of the table says nothing about the schema."""
    for column in schema.columns.values():
        if column.unique:
            raise NeedsWholeTable(f"{column.name} is unique, which needs the whole table")
    if schema.unique:
        raise NeedsWholeTable(f"{', '.join(schema.unique)} is unique, which needs the whole table")
    for check in checks_of(schema):
        if getattr(check, "groupby", None) is not None or isinstance(check, Hypothesis):
            raise NeedsWholeTable(f"the check {check.name} compares groups, which needs the whole table")


def judge_schema(schema: Schema, form: Form, chunk: pa.Table, start: int, name: str) -> Found:
    """Validate a chunk."""
    try:
        rows = form.frame(chunk, start)
        schema.validate(rows, lazy=True)  # type: ignore[no-untyped-call]
    except SchemaErrors as errors:
        reasons_given = {e.reason_code for e in errors.schema_errors}
        # A check that stumbles over a column that is not there says no more than that it is not there.
        if CHECK_ERROR in reasons_given and COLUMN_MISSING not in reasons_given:
            raised = next(e for e in errors.schema_errors if e.reason_code is CHECK_ERROR)
            raise CannotRun(
                f"a check of {name} raised {str(raised.failure_cases).partition('(')[0]}"
            ) from None
        return form.bad(errors, rows, start)
    except (MemoryError, pa.ArrowMemoryError):
        raise
    except Exception as error:
        raise CannotRun(f"{name} raised {told(error)}") from error
    return (), {}


def told(error: Exception) -> str:
    """The type of an error and the last line it went through; its text may hold values of rows."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} ({Path(last.filename).name}, line {last.lineno})"


def judge_function(
    function: Callable[[Any], Any], form: Form, chunk: pa.Table, start: int, name: str
) -> Found:
    """Call a check function; one boolean for all rows is about each of them."""
    try:
        rows = form.frame(chunk, start)
        answer = function(rows)
    except (MemoryError, pa.ArrowMemoryError):
        raise
    except Exception as error:
        raise CannotRun(f"{name} raised {told(error)}") from error
    good = form.good(answer, rows)
    bad: Sequence[int]
    if good is not None:
        bad = [i for i, ok in enumerate(good) if ok is False]
    elif isinstance(answer, bool | pa.BooleanScalar) or type(answer).__name__ == "bool":
        passed = answer.as_py() if isinstance(answer, pa.BooleanScalar) else answer
        bad = () if passed else range(chunk.num_rows)
    else:
        raise CannotRun(f"{name} returned {type(answer).__name__}, not {form.answer}")
    return bad, {name.partition(":")[2]: len(bad)} if len(bad) else {}


def chunks(stream: Any, rows: int | None) -> Iterator[pa.Table]:
    """The stream in tables of about this many rows (None: all in one); there is one at least."""
    held: list[pa.RecordBatch] = []
    count = given = 0
    for batch in stream:
        held.append(batch)
        count += batch.num_rows
        if rows is not None and count >= rows:
            yield pa.Table.from_batches(held, schema=stream.schema)
            given, count, held = given + 1, 0, []
    if held or not given:
        yield pa.Table.from_batches(held, schema=stream.schema)


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
