"""Check kinds of text files (CSV, JSON): what reads as a row, and as a value of its type.

Parquet files say in their footers what they hold; in a text file only the values themselves can.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial

from sqlglot import exp

from contracts_svc.model import Column, Json
from contracts_svc.quality import date_formats, text_values, texts
from contracts_svc.quality.kind import (
    FEW,
    CheckKind,
    Merge,
    Origin,
    Own,
    Promises,
    Reads,
    Values,
    call,
    column_check,
    where,
)
from contracts_svc.runs import Check, Unsupported

DOCUMENT = "document" + text_values.TEXT
"""The column of a JSON source that holds each document whole; NULL where it is none."""
REJECTS, SCANS = "reject_errors", "reject_scans"
"""The tables in which DuckDB keeps the lines of CSV files that it could not split."""


def _lines(promises: Promises) -> Iterator[Check]:
    if promises.reading.format == "csv":
        yield _of_rows(promises, "readable-lines", "every line has one field for each column")


def _documents(promises: Promises) -> Iterator[Check]:
    if promises.reading.format == "json":
        yield _of_rows(promises, "readable-documents", "every document is a JSON object")


def _of_rows(promises: Promises, kind: str, title: str) -> Check:
    table = promises.table
    return Check(id=f"{table.name}.{kind}", kind=kind, table=table.name, title=title, at=table.at)


def _value_types(promises: Promises) -> Iterator[Check | Unsupported]:
    if not promises.reading.text:
        return
    for column in promises.table.walk():
        if not column.logical_type and not column.physical_type:
            continue
        nested = column.path != column.name or (column.logical_type or "").lower() in _NESTED
        if promises.reading.format == "csv" and nested:
            reason = "a CSV file has no nested values"
            yield Unsupported(what=f"{promises.table.name}.{column.path}: type", reason=reason, at=column.at)
            continue
        if _format_problem(column):
            continue
        kind = column.logical_type or text_values.text_type(column)
        yield column_check(
            "value-type",
            promises.table,
            column,
            at=column.place("logicalType"),
            title=f"every {column.path} reads as {kind}",
            type=kind,
        )


def _format_problem(column: Column) -> bool:
    """Whether it is in a format of dates that cannot be read, which the kind ``format`` tells."""
    written = column.logical_type_options.get("format")
    of_times = (column.logical_type or "").lower() in ("date", "timestamp", "time")
    return of_times and written is not None and isinstance(date_formats.read(str(written)), str)


_NESTED = ("array", "object", "map", "vector")


def _is_no_value(reads: Reads) -> exp.Expr:
    stored = reads.column
    raw = stored.raw
    if raw is None:
        # The key of a partition is text of a path, which the kind of that name looks at.
        return exp.false()
    return text_values.is_no_value(raw, stored.column, json=stored.json)


def _is_no_document(reads: Reads) -> exp.Expr:
    kind = call("json_type", exp.column(exp.to_identifier(DOCUMENT, quoted=True)))
    return exp.NullSafeNEQ(this=kind, expression=exp.Literal.string("OBJECT"))


def _count_rows(reads: Reads) -> Mapping[str, exp.Expr]:
    return {"rows": exp.Count(this=exp.Star())}


def _rejected(reads: Reads) -> Own:
    """The lines that were rejected while the shared scan read the files, each once."""
    columns = [exp.column("file_path"), exp.column("line"), exp.func("MIN", exp.column("error_type"))]
    keys = ("scan_id", "file_id")
    query = (
        exp.select(*columns[:2], exp.alias_(exp.cast(columns[2], "TEXT"), "why"))
        .from_(exp.to_table(REJECTS))
        .join(exp.to_table(SCANS), using=list(keys))
        .group_by(*columns[:2])
        .order_by(*columns[:2])
    )
    return Own(query=query, sources=())


def _read_rejected(check: Check, rows: Sequence[Mapping[str, Json]]) -> Values:
    files = Counter(str(r["file_path"]).rsplit("/", 1)[-1] for r in rows)
    # No text of the line: it may hold values of classified columns.
    samples = [
        {"file": str(r["file_path"]).rsplit("/", 1)[-1], "line": r["line"], "why": str(r["why"]).lower()}
        for r in rows[:FEW]
    ]
    return {"failing": len(rows), "parts": dict(files), "samples": samples}


def _found_rejected(check: Check, values: Values, now: datetime) -> str:
    failing = int(values["failing"])
    text = texts.share(failing, failing + int(values.get("rows") or 0))
    first = next(iter(values.get("samples") or ()), None)
    return f"{text}; first line {first['line']} of {first['file']}: {first['why']}" if first else text


KINDS: tuple[CheckKind, ...] = (
    CheckKind(
        key="readable-lines",
        purpose="Checks that every line of a CSV file splits into its columns, in the right encoding.",
        source="servers.format csv, servers.encoding",
        origin=Origin.GROUP,
        promised=_lines,
        subject=lambda check: "that do not split into the columns of the first line",
        aggregates=_count_rows,
        own=_rejected,
        read=_read_rejected,
        found=_found_rejected,
        expected=lambda check: "one field for each column on every line",
        beside=True,
        merge={
            "failing": Merge.SUM,
            "rows": Merge.SUM,
            "parts": Merge.EACH,
            "samples": Merge.FIRST,
        },
    ),
    CheckKind(
        key="readable-documents",
        purpose="Checks that every document of a JSON file is a well-formed object.",
        source="servers.format json",
        origin=Origin.SCAN,
        promised=_documents,
        subject=lambda check: "that are no JSON object",
        failing=_is_no_document,
    ),
    CheckKind(
        key="value-type",
        purpose="Checks that every value of a CSV or JSON file reads exactly as its type.",
        source="schema.properties.logicalType, physicalType, logicalTypeOptions.format, timezone",
        origin=Origin.SCAN,
        promised=_value_types,
        subject=partial(where, text="where {column} is not one of its type"),
        failing=_is_no_value,
    ),
)
