"""Layout: how the columns of a contract lie in the files, worked out from every file's footer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlglot import exp

from contracts_svc.files import PARQUET, Bounds, DataFile, Footer, Reading, StoredColumn
from contracts_svc.model import Column, Table
from contracts_svc.quality import text_values, types
from contracts_svc.quality.reach import Reach, each_element
from contracts_svc.quality.types import Family


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One stored type of a column, and the files that have it."""

    type: str
    parsed: exp.DataType | None
    files: tuple[DataFile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One column of the contract, as the files have it."""

    column: Column
    variants: tuple[Variant, ...] = ()
    missing: tuple[DataFile, ...] = ()
    """Files that do not have it."""
    reach: Reach | None = None
    """How a query reads it; None where it is in no file, or where the files cannot hold it."""
    partition: bool = False
    """Whether its values are in the paths (``month=12``), not in the files."""

    @property
    def expression(self) -> exp.Expr | None:
        """Its value; inside arrays and maps, one of the ``elements``."""
        return self.reach.value if self.reach else None

    @property
    def elements(self) -> exp.Expr | None:
        """Inside arrays and maps: the list of all its values in a row."""
        return self.reach.elements if self.reach else None

    @property
    def raw(self) -> exp.Expr | None:
        """Of text files: the text that the value is read from."""
        return self.reach.raw if self.reach else None

    @property
    def json(self) -> bool:
        """Whether ``raw`` is a JSON value."""
        return bool(self.reach and self.reach.json)

    @property
    def is_null(self) -> exp.Expr | None:
        """True where there is no value. A text that is there, but does not read as its type, is no NULL."""
        if self.reach is None:
            return None
        found = self.reach.value if self.raw is None else self.raw
        found = text_values.json_text(found) if self.json else found.copy()
        return exp.Is(this=found, expression=exp.null())

    @property
    def shown(self) -> exp.Expr | None:
        """What a person is shown of a row: the text as it was written, every value in an array.

        What is nested is shown as the contract types it, since a text of it could not be masked in parts.
        """
        if self.expression is None:
            return None
        one: exp.Expr = self.expression
        if self.raw is not None and self.family not in (Family.LIST, Family.STRUCT, Family.MAP):
            one = text_values.json_text(self.raw) if self.json else self.raw
        return one if self.elements is None else each_element(self.elements, one)

    @property
    def parent(self) -> exp.Expr | None:
        """The struct that holds it, which may be NULL as a whole."""
        return self.reach.parent if self.reach else None

    @property
    def families(self) -> frozenset[Family]:
        """The families of its stored types."""
        return frozenset(types.family(v.parsed) for v in self.variants)

    @property
    def family(self) -> Family:
        """The family of its values once the files are read together."""
        found = self.families
        if len(found) == 1:
            return next(iter(found))
        if found and all(f.numeric for f in found):
            return Family.FLOAT if Family.FLOAT in found else Family.DECIMAL
        if found == {Family.TIMESTAMP, Family.TIMESTAMP_TZ}:
            return Family.TIMESTAMP_TZ
        return Family.OTHER

    @property
    def scale(self) -> int:
        """The most digits after the point that any file keeps, for DECIMAL."""
        return max((types.scale(v.parsed) for v in self.variants if v.parsed), default=0)

    @property
    def single(self) -> bool:
        """Whether it is a 4-byte float in every file."""
        return all(v.parsed and v.parsed.this == exp.DataType.Type.FLOAT for v in self.variants)

    def misfit(self) -> tuple[Variant, ...]:
        """The stored types that are not what the logical type promises."""
        return tuple(
            v for v in self.variants if v.parsed is None or not types.fits_logical(self.column, v.parsed)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A table's files and where its columns are in them."""

    table: Table
    files: tuple[DataFile, ...]
    rows: int | None
    rows_of: Mapping[str, int]
    """File path -> rows, from the footers. Text files do not say."""
    columns: Mapping[str, Stored]
    """By the column's dotted path in the contract."""
    extra: Mapping[str, tuple[DataFile, ...]] = field(default_factory=dict)
    """Stored columns that the contract does not have."""
    reading: Reading = PARQUET
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Of text files: path -> the names of its columns, in order."""
    bounds_of: Mapping[str, Mapping[str, Bounds]] = field(default_factory=dict)
    """File path -> column as the file names it -> what the file's statistics prove of it."""
    alike: bool = False
    """Whether all files have the same columns in the same order, and lie in folders of the same keys."""

    def why_not(self, path: str, *, typed: bool) -> str | None:
        """Why a check cannot read this column, or None when it can.

        ``typed`` checks compare values, so every file must store the promised kind of value.
        """
        found = self.columns.get(path)
        if found is None or not found.variants:
            return "the column is missing"
        if found.expression is None:
            return f"a {self.reading.format.upper()} file has no nested values"
        misfit = found.misfit() if typed else ()
        if misfit:
            names = " and ".join(sorted(v.type for v in misfit))
            count = len({f.path for v in misfit for f in v.files})
            promised = found.column.logical_type
            return f"stored as {names} in {of_files(count, len(self.files))}, where {promised} is promised"
        if typed and found.family is Family.OTHER:
            return "its files store it as " + " and ".join(sorted(v.type for v in found.variants))
        return None


def layout(table: Table, footers: Sequence[Footer], reading: Reading = PARQUET) -> Layout:
    """Find every column of the table in the files that these footers belong to."""
    # Files of one table mostly share one schema: look at each schema once, not at each file.
    schemas: defaultdict[tuple[tuple[StoredColumn, ...], bool], list[DataFile]] = defaultdict(list)
    for footer in footers:
        schemas[footer.columns, footer.complete].append(footer.file)
    parsed = [
        _Schema(
            {c.name: (c.type, types.parse(c.type)) for c in columns},
            tuple(files),
            complete,
            reading.format if reading.text else "parquet",
        )
        for (columns, complete), files in schemas.items()
    ]
    files = tuple(f.file for f in footers)
    columns: dict[str, Stored] = {}
    used: set[str] = set()
    for column in table.columns:
        for stored, names in _place(column, parsed, files):
            columns[stored.column.path] = stored
            used |= names
    return Layout(
        table=table,
        files=files,
        rows=None if any(f.rows is None for f in footers) else sum(f.rows or 0 for f in footers),
        rows_of={f.file.path: f.rows for f in footers if f.rows is not None},
        columns=columns,
        extra=_extra(used, parsed, files),
        reading=reading,
        names={f.file.path: tuple(c.name for c in f.columns) for f in footers} if reading.text else {},
        bounds_of={f.file.path: f.bounds for f in footers},
        alike=len(schemas) == 1 and len({tuple(f.partition) for f in files}) == 1,
    )


@dataclass(frozen=True, slots=True)
class _Schema:
    """What some files have in common."""

    columns: Mapping[str, tuple[str, exp.DataType | None]]
    files: tuple[DataFile, ...]
    complete: bool
    format: str


_Found = list[tuple[str, exp.DataType | None, tuple[DataFile, ...]]]


def _place(
    column: Column, schemas: Sequence[_Schema], files: tuple[DataFile, ...]
) -> Iterator[tuple[Stored, set[str]]]:
    name = column.stored_name
    keyed = tuple(f for f in files if _match(name, f.keys) is not None)
    if keyed:
        key = _match(name, keyed[0].keys) or name
        having = {f.path for f in keyed}
        text = types.promised_type(column)
        yield (
            Stored(
                column=column,
                variants=(Variant(type=text, parsed=types.parse(text), files=keyed),),
                missing=tuple(f for f in files if f.path not in having),
                reach=Reach(value=_name(key)),
                partition=True,
            ),
            {key},
        )
        return
    found: _Found = []
    missing: list[DataFile] = []
    names: set[str] = set()
    text = text_values.text_type(column)
    for schema in schemas:
        stored_name = _match(name, schema.columns)
        if stored_name is None and schema.complete:
            missing += schema.files
            continue
        names.add(stored_name or name)
        stored = (
            (text, types.parse(text)) if schema.format != "parquet" else schema.columns[stored_name or ""]
        )
        found.append((*stored, schema.files))
    format_ = schemas[0].format if schemas else "parquet"
    reach = _top(column, min(names), format_) if names else None
    for each in _nested(column, found, tuple(missing), reach, format_):
        yield each, names


def _top(column: Column, name: str, format_: str) -> Reach:
    value, raw = _name(name), _name(name + text_values.TEXT)
    return Reach(value=value) if format_ == "parquet" else Reach(value=value, raw=raw, json=format_ == "json")


def _nested(
    column: Column, found: _Found, missing: tuple[DataFile, ...], reach: Reach | None, format_: str
) -> Iterator[Stored]:
    by_type: defaultdict[str, list[DataFile]] = defaultdict(list)
    kinds: dict[str, exp.DataType | None] = {}
    for text, kind, files in found:
        by_type[text] += files
        kinds[text] = kind
    yield Stored(
        column=column,
        variants=tuple(Variant(type=t, parsed=kinds[t], files=tuple(f)) for t, f in by_type.items()),
        missing=missing,
        reach=reach if found else None,
    )
    for child in column.children():
        inside: _Found = []
        without: list[DataFile] = list(missing)
        for _text, kind, files in found:
            part = _part(column, child, kind)
            if part is None:
                without += files
            else:
                inside.append((part.sql("duckdb"), part, files))
        inner = reach.into(column, child) if reach is not None and format_ != "csv" else None
        yield from _nested(child, inside, tuple(without), inner, format_)


def _part(column: Column, child: Column, kind: exp.DataType | None) -> exp.DataType | None:
    """The type of a child inside its parent's stored type."""
    if kind is None:
        return None
    if child in column.columns:
        having = types.fields(kind)
        name = _match(child.stored_name, having)
        return having[name] if name is not None else None
    parts = types.inner(kind)
    index = 1 if child is column.map_value else 0
    return parts[index] if len(parts) > index else None


def _match(name: str, among: Mapping[str, object]) -> str | None:
    """The stored column of that name: exactly, else ignoring case, as the engine reads names."""
    if name in among:
        return name
    return next((n for n in among if n.casefold() == name.casefold()), None)


def _name(name: str) -> exp.Expr:
    return exp.column(exp.to_identifier(name, quoted=True))


def _extra(
    used: set[str], schemas: Sequence[_Schema], files: tuple[DataFile, ...]
) -> dict[str, tuple[DataFile, ...]]:
    extra: defaultdict[str, list[DataFile]] = defaultdict(list)
    for schema in schemas:
        for name in schema.columns:
            if name not in used:
                extra[name] += schema.files
    for file in files:
        for key in file.keys:
            if key not in used:
                extra[key].append(file)
    return {name: tuple({f.path: f for f in having}.values()) for name, having in extra.items()}


def where(file: DataFile) -> str:
    """What people call a file: its partition, or its name where there is none."""
    return (
        ", ".join(f"{k}={v}" for k, v in file.partition.items())
        or file.path.replace("\\", "/").rsplit("/", 1)[-1]
    )


def of_files(count: int, total: int) -> str:
    """``3 of 12 files``, ``all 12 files``, ``the file``."""
    if count < total:
        return f"{count:,} of {total:,} files"
    return "the file" if total == 1 else f"all {total:,} files"
