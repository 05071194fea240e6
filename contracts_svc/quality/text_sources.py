"""CSV and JSON files as a table: every column as its text, and as a value of its type.

Both stand side by side, ``amount`` and ``amount (text)``, so that a check can tell what is not there from
what does not read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from sqlglot import exp

from contracts_svc.files import DataFile, Reading
from contracts_svc.quality import text_values
from contracts_svc.quality.kinds_files import DOCUMENT, REJECTS
from contracts_svc.quality.layout import Layout

__all__ = ["FILENAME", "REJECTS", "columns_of", "select"]

FILENAME = "filename"
_REJECTS_LIMIT = 100_000
_DOCUMENT_BYTES = 16 << 20


def columns_of(layout: Layout) -> dict[str, exp.Expr]:
    """Column name -> its value, made from the column of its text; partition keys are left out."""
    found: dict[str, exp.Expr] = {}
    for column in layout.table.columns:
        stored = layout.columns[column.path]
        if stored.raw is None or stored.expression is None:
            continue
        found[stored.expression.name] = text_values.value_of(stored.raw, column, json=stored.json)
    return found


def select(
    *,
    files: Sequence[DataFile],
    reading: Reading,
    names: Mapping[str, tuple[str, ...]],
    columns: Mapping[str, exp.Expr],
    partitions: Mapping[str, str],
    address: Callable[[DataFile], str],
) -> exp.Query:
    """The table that these files are.

    ``names`` are the columns of each file, by its path. ``address`` is how the engine is told a file.
    """
    if reading.format == "json":
        return _json(files, reading, names, columns, partitions, address)
    shapes: defaultdict[tuple[str, ...], list[DataFile]] = defaultdict(list)
    for file in files:
        shapes[names.get(file.path) or ("column0",)].append(file)
    parts = [_csv(shape, same, reading, partitions, address) for shape, same in shapes.items()]
    # What none of these files has, others of the table do.
    there = {n.casefold() for shape in shapes for n in shape}
    absent = [n + text_values.TEXT for n in columns if n.casefold() not in there]
    parts[0] = parts[0].select(*(exp.alias_(exp.cast(exp.null(), "TEXT"), n, quoted=True) for n in absent))
    whole: exp.Query = parts[0]
    for part in parts[1:]:
        whole = exp.Union(this=whole, expression=part, distinct=False, by_name=True)
    values = [exp.alias_(e.copy(), n, quoted=True) for n, e in columns.items()]
    # What the contract does not list stays text, and keeps its name.
    listed = {n.casefold() for n in columns}
    others = {n.casefold(): n for shape in shapes for n in shape if n.casefold() not in listed}
    values += [exp.alias_(_text(n), n, quoted=True) for n in others.values()]
    return exp.select(exp.Star(), *values).from_(whole.subquery("files"))


def _csv(
    shape: tuple[str, ...],
    files: Sequence[DataFile],
    reading: Reading,
    partitions: Mapping[str, str],
    address: Callable[[DataFile], str],
) -> exp.Select:
    kinds = exp.Struct(
        expressions=[
            exp.PropertyEQ(this=exp.Literal.string(n), expression=exp.Literal.string("VARCHAR"))
            for n in shape
        ]
    )
    reader = _reader(
        "read_csv",
        files,
        address,
        partitions,
        auto_detect=exp.false(),
        columns=kinds,
        header=exp.convert(reading.header),
        delim=exp.Literal.string(reading.delimiter),
        quote=exp.Literal.string(reading.quote),
        escape=exp.Literal.string(reading.quote),
        nullstr=exp.Literal.string(reading.null),
        encoding=exp.Literal.string(reading.encoding),
        store_rejects=exp.true(),
        rejects_limit=exp.Literal.number(_REJECTS_LIMIT),
    )
    texts = [
        exp.alias_(exp.column(exp.to_identifier(n, quoted=True)), n + text_values.TEXT, quoted=True)
        for n in shape
    ]
    keys = [exp.column(exp.to_identifier(k, quoted=True)) for k in partitions]
    return exp.select(*texts, *keys, exp.column(FILENAME)).from_(reader)


def _json(
    files: Sequence[DataFile],
    reading: Reading,
    names: Mapping[str, tuple[str, ...]],
    columns: Mapping[str, exp.Expr],
    partitions: Mapping[str, str],
    address: Callable[[DataFile], str],
) -> exp.Query:
    seen = {n: None for f in files for n in names.get(f.path, ())}
    keys = list({**dict.fromkeys(columns), **seen})
    reader = _reader(
        "read_json_objects",
        files,
        address,
        partitions,
        format=exp.Literal.string(reading.documents),
        ignore_errors=exp.true(),
        maximum_object_size=exp.Literal.number(_DOCUMENT_BYTES),
    )
    hive = [exp.column(exp.to_identifier(k, quoted=True)) for k in partitions]
    document = exp.column("json")
    # All keys in one call, so that each document is parsed once.
    pointers = exp.Array(expressions=[text_values.pointer(k) for k in keys])
    inner = exp.select(
        exp.alias_(document, DOCUMENT, quoted=True),
        exp.alias_(exp.Anonymous(this="json_extract", expressions=[document.copy(), pointers]), "parts"),
        *hive,
        exp.column(FILENAME),
    ).from_(reader)
    texts = [
        exp.alias_(
            exp.Anonymous(this="list_extract", expressions=[exp.column("parts"), exp.Literal.number(i + 1)]),
            k + text_values.TEXT,
            quoted=True,
        )
        for i, k in enumerate(keys)
    ]
    outer = exp.select(
        exp.column(exp.to_identifier(DOCUMENT, quoted=True)),
        *texts,
        *(h.copy() for h in hive),
        exp.column(FILENAME),
    ).from_(inner.subquery("documents"))
    values = [exp.alias_(e.copy(), n, quoted=True) for n, e in columns.items()]
    values += [exp.alias_(text_values.json_text(_text(n)), n, quoted=True) for n in keys if n not in columns]
    return exp.select(exp.Star(), *values).from_(outer.subquery("files"))


def _text(name: str) -> exp.Expr:
    return exp.column(exp.to_identifier(name + text_values.TEXT, quoted=True))


def _reader(
    function: str,
    files: Sequence[DataFile],
    address: Callable[[DataFile], str],
    partitions: Mapping[str, str],
    **options: exp.Expr,
) -> exp.Table:
    options["filename"] = exp.true()
    options["hive_partitioning"] = exp.true() if partitions else exp.false()
    if partitions:
        options["hive_types"] = exp.Struct(
            expressions=[
                exp.PropertyEQ(
                    this=exp.Literal.string(name), expression=exp.DataType.build(kind, dialect="duckdb")
                )
                for name, kind in partitions.items()
            ]
        )
    paths = exp.Array(expressions=[exp.Literal.string(address(f)) for f in files])
    named = [exp.PropertyEQ(this=exp.to_identifier(k), expression=v) for k, v in options.items()]
    return exp.Table(this=exp.Anonymous(this=function, expressions=[paths, *named]))
