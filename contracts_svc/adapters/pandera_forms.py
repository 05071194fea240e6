"""The forms that custom checks are written in: pandas, polars and pyarrow, each over chunks of Arrow tables.

Part of the child process of :mod:`contracts_svc.adapters.pandera_checks`. What a form needs is imported when
a check is of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import pyarrow as pa
from pandera.errors import SchemaErrorReason, SchemaErrors

Found = tuple[Sequence[int], Mapping[str, int]]
"""The positions of the bad rows of a chunk, and how many rows each reason has."""
_OUTPUT = "check_output"
"""The column in which pandera says of each row whether it passed."""
_OF_ALL_ROWS = (
    SchemaErrorReason.ADD_MISSING_COLUMN_NO_DEFAULT,
    SchemaErrorReason.CHECK_ERROR,
    SchemaErrorReason.COLUMN_NOT_IN_DATAFRAME,
    SchemaErrorReason.COLUMN_NOT_IN_SCHEMA,
    SchemaErrorReason.COLUMN_NOT_ORDERED,
    SchemaErrorReason.DUPLICATE_COLUMN_LABELS,
    SchemaErrorReason.INVALID_COLUMN_NAME,
    SchemaErrorReason.WRONG_DATATYPE,
)


class CannotRun(Exception):
    """The check cannot be run; the message says why."""


class Form(Protocol):
    """How a check is given rows, and how what it says of them is read."""

    answer: str
    """What a function of this form returns."""

    def frame(self, table: pa.Table, start: int) -> Any:
        """The rows of a chunk, the first of which is so many rows from the beginning."""
        ...

    def bad(self, errors: SchemaErrors, rows: Any, start: int) -> Found:
        """The rows that a schema found bad."""
        ...

    def good(self, answer: Any, rows: Any) -> Iterable[bool | None] | None:
        """What a function says of each row; None where that is no such answer."""
        ...


class Pandas:
    """DataFrames whose index counts the rows throughout."""

    answer = "a boolean Series with the rows' index"

    def frame(self, table: pa.Table, start: int) -> Any:
        """See Form."""
        import pandas as pd

        found = table.to_pandas(date_as_object=False)
        found.index = pd.RangeIndex(start, start + len(found))
        return found

    def bad(self, errors: SchemaErrors, rows: Any, start: int) -> Found:
        """See Form."""
        cases = errors.failure_cases.to_dict(orient="records")
        whole = errors.failure_cases["index"].isna()
        places = (None if w else int(c["index"]) - start for c, w in zip(cases, whole, strict=True))
        return _found(zip(places, cases, strict=True), len(rows))

    def good(self, answer: Any, rows: Any) -> Iterable[bool | None] | None:
        """See Form."""
        import pandas as pd

        if not isinstance(answer, pd.Series) or not answer.index.equals(rows.index):
            return None
        return [bool(v) for v in answer.fillna(True)]


class Polars:
    """polars DataFrames."""

    answer = "a boolean Series of as many rows"

    def frame(self, table: pa.Table, start: int) -> Any:
        """See Form."""
        import polars as pl

        return pl.from_arrow(table)

    def bad(self, errors: SchemaErrors, rows: Any, start: int) -> Found:
        """See Form."""
        cases = errors.failure_cases.to_dicts()
        return _found(((c["index"], c) for c in cases), rows.height)

    def good(self, answer: Any, rows: Any) -> Iterable[bool | None] | None:
        """See Form."""
        import polars as pl

        if isinstance(answer, pl.Series) and answer.dtype == pl.Boolean and len(answer) == rows.height:
            return answer.to_list()
        return None


class Arrow:
    """pyarrow Tables, which pandera looks at with narwhals; it does not tell the places of bad rows."""

    answer = "a boolean array of as many rows"

    def frame(self, table: pa.Table, start: int) -> Any:
        """See Form."""
        return table

    def bad(self, errors: SchemaErrors, rows: Any, start: int) -> Found:
        """See Form."""
        return _found(self._cases(errors, rows), rows.num_rows)

    def _cases(self, errors: SchemaErrors, rows: pa.Table) -> Iterator[tuple[int | None, dict[str, Any]]]:
        for error in errors.schema_errors:
            context, name = type(error.schema).__name__, getattr(error.schema, "name", None)
            check = getattr(error.check, "error", None) or getattr(error.check, "name", None)
            case = {"schema_context": context, "column": name, "check": check or str(error.check)}
            for place in self._places(error, rows):
                yield place, case

    def _places(self, error: Any, rows: pa.Table) -> Iterable[int | None]:
        if error.reason_code in (SchemaErrorReason.DUPLICATES, SchemaErrorReason.SERIES_CONTAINS_DUPLICATES):
            keys = getattr(error.schema, "unique", None)
            keys = [error.schema.name] if isinstance(keys, bool) else list(keys or ())
            again = rows.select(keys).to_pandas().duplicated(keep=False)
            return [i for i, twice in enumerate(again) if twice]
        if error.reason_code in _OF_ALL_ROWS:
            return [None]
        passed = _column(error.check_output, rows)
        if passed is None:
            raise CannotRun(f"pandera does not tell the rows of {error.reason_code.name.lower()}")
        if error.reason_code is SchemaErrorReason.SERIES_CONTAINS_NULLS:
            return [i for i, null in enumerate(passed) if null]
        if len(passed) != rows.num_rows:
            return [None]
        ignored = getattr(error.check, "ignore_na", False)
        return [i for i, ok in enumerate(passed) if ok is False or (ok is None and not ignored)]

    def good(self, answer: Any, rows: Any) -> Iterable[bool | None] | None:
        """See Form."""
        if not isinstance(answer, pa.Array | pa.ChunkedArray) or answer.type != pa.bool_():
            return None
        return answer.to_pylist() if len(answer) == rows.num_rows else None


def _column(output: Any, rows: pa.Table) -> list[bool | None] | None:
    """What pandera found of each row, from an expression or a frame of narwhals."""
    import narwhals.stable.v1 as nw

    if isinstance(output, nw.Expr):
        output = nw.from_native(rows, eager_only=True).select(output.alias(_OUTPUT))
    if isinstance(output, nw.LazyFrame):
        output = output.collect()
    if not isinstance(output, nw.DataFrame) or _OUTPUT not in output.columns:
        return None
    found: list[bool | None] = output[_OUTPUT].to_list()
    return found


def _found(cases: Iterable[tuple[int | None, Mapping[str, Any]]], rows: int) -> Found:
    """What is wrong with a chunk as a whole (it has no place) is wrong with each of its rows."""
    reasons: dict[str, set[int]] = {}
    for place, case in cases:
        # The same failure may be told once for each column of a key.
        reasons.setdefault(_reason(case), set()).update(range(rows) if place is None else (place,))
    return sorted(set().union(*reasons.values())), {name: len(bad) for name, bad in reasons.items()}


def _reason(case: Mapping[str, Any]) -> str:
    """A failure without the value that failed, which may not be for everyone."""
    column = case["column"]
    at = f"{column}: " if isinstance(column, str) and case["schema_context"] == "Column" else ""
    return f"{at}{case['check']}"


FORMS: Mapping[str, Form] = {"pandas": Pandas(), "polars": Polars(), "pyarrow": Arrow()}
"""By the library that the rows are of."""


def form_of_schema(schema: object, name: str) -> Form:
    """The form that a schema is written in. Raises CannotRun."""
    modules = [part for each in type(schema).__mro__ for part in each.__module__.split(".")]
    form = next((FORMS[m] for m in modules if m in FORMS), None)
    if form is None:
        raise CannotRun(f"{name} is a schema of neither pandas, polars nor pyarrow")
    return form


def form_of_function(annotated: object) -> Form:
    """The form of a function, by the type that its first parameter is said to have: by default pandas'."""
    text = annotated if isinstance(annotated, str) else getattr(annotated, "__module__", "")
    return FORMS.get({"pl": "polars", "pa": "pyarrow"}.get(root := text.split(".")[0], root), FORMS["pandas"])
