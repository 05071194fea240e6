"""Layout: how the columns of a contract lie in the files, worked out from every file's footer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlglot import exp

from contracts_svc.files import DataFile, Footer, StoredColumn
from contracts_svc.model import Column, Table
from contracts_svc.quality import types
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
    expression: exp.Expr | None = None
    """How a query reads it; None where it is inside an array or a map, or in no file."""
    parent: exp.Expr | None = None
    """The struct that holds it, which may be NULL as a whole."""
    partition: bool = False
    """Whether its values are in the paths (``month=12``), not in the files."""

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
    rows: int
    rows_of: Mapping[str, int]
    """File path -> rows, from the footers."""
    columns: Mapping[str, Stored]
    """By the column's dotted path in the contract."""
    extra: Mapping[str, tuple[DataFile, ...]] = field(default_factory=dict)
    """Stored columns that the contract does not have."""

    def why_not(self, path: str, *, typed: bool) -> str | None:
        """Why a check cannot read this column, or None when it can.

        ``typed`` checks compare values, so every file must store the promised kind of value.
        """
        found = self.columns.get(path)
        if found is None or not found.variants:
            return "the column is missing"
        if found.expression is None:
            return "values inside arrays and maps are not read"
        misfit = found.misfit() if typed else ()
        if misfit:
            names = " and ".join(sorted(v.type for v in misfit))
            count = len({f.path for v in misfit for f in v.files})
            promised = found.column.logical_type
            return f"stored as {names} in {of_files(count, len(self.files))}, where {promised} is promised"
        if typed and found.family is Family.OTHER:
            return "its files store it as " + " and ".join(sorted(v.type for v in found.variants))
        return None


def layout(table: Table, footers: Sequence[Footer]) -> Layout:
    """Find every column of the table in the files that these footers belong to."""
    # Files of one table mostly share one schema: look at each schema once, not at each file.
    schemas: defaultdict[tuple[StoredColumn, ...], list[DataFile]] = defaultdict(list)
    for footer in footers:
        schemas[footer.columns].append(footer.file)
    parsed = [
        ({c.name: (c.type, types.parse(c.type)) for c in columns}, tuple(files))
        for columns, files in schemas.items()
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
        rows=sum(f.rows for f in footers),
        rows_of={f.file.path: f.rows for f in footers},
        columns=columns,
        extra=_extra(used, parsed, files),
    )


_Schema = dict[str, tuple[str, exp.DataType | None]]
_Found = list[tuple[str, exp.DataType | None, tuple[DataFile, ...]]]


def _place(
    column: Column, schemas: Sequence[tuple[_Schema, tuple[DataFile, ...]]], files: tuple[DataFile, ...]
) -> Iterator[tuple[Stored, set[str]]]:
    name = column.stored_name
    keyed = tuple(f for f in files if _match(name, f.partition) is not None)
    if keyed:
        key = _match(name, keyed[0].partition) or name
        having = {f.path for f in keyed}
        text = types.promised_type(column)
        yield (
            Stored(
                column=column,
                variants=(Variant(type=text, parsed=types.parse(text), files=keyed),),
                missing=tuple(f for f in files if f.path not in having),
                expression=_name(key),
                partition=True,
            ),
            {key},
        )
        return
    found: _Found = []
    missing: list[DataFile] = []
    names: set[str] = set()
    for schema, same in schemas:
        stored_name = _match(name, schema)
        if stored_name is None:
            missing += same
            continue
        names.add(stored_name)
        found.append((*schema[stored_name], same))
    expression = _name(min(names)) if names else None
    for stored in _nested(column, found, tuple(missing), expression, None):
        yield stored, names


def _nested(
    column: Column,
    found: _Found,
    missing: tuple[DataFile, ...],
    expression: exp.Expr | None,
    parent: exp.Expr | None,
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
        expression=expression if found else None,
        parent=parent,
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
        reachable = child in column.columns and expression is not None
        yield from _nested(
            child,
            inside,
            tuple(without),
            _field(expression, child.stored_name) if reachable and expression is not None else None,
            expression,
        )


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


def _field(struct: exp.Expr | None, name: str) -> exp.Expr | None:
    if struct is None:
        return None
    return exp.Anonymous(this="struct_extract", expressions=[struct.copy(), exp.Literal.string(name)])


def _extra(
    used: set[str], schemas: Sequence[tuple[_Schema, tuple[DataFile, ...]]], files: tuple[DataFile, ...]
) -> dict[str, tuple[DataFile, ...]]:
    extra: defaultdict[str, list[DataFile]] = defaultdict(list)
    for schema, having in schemas:
        for name in schema:
            if name not in used:
                extra[name] += having
    for file in files:
        for key in file.partition:
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
