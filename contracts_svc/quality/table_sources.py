"""Delta and Iceberg tables as queries read them: the files of one snapshot, by what its log says of them.

The names of columns in a file may be old ones, a column may have come later, or be in the log only; rows may
be deleted, which the file does not know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sqlglot import exp

from contracts_svc.files import NO_VALUE, DataFile, Snapshot

FILENAME = "filename"
ROW = "file_row_number"


def select(
    *, files: Sequence[DataFile], partitions: Mapping[str, str], address: Callable[[DataFile], str]
) -> exp.Query:
    """The table that these files are; all of them are of one snapshot.

    ``partitions`` are the types of the columns that are in the log only. ``address`` is how the engine is
    told a file.
    """
    snapshot = files[0].snapshot
    assert snapshot is not None, "the files of no snapshot are read as they are"
    whole = [f for f in files if not f.deleted]
    cut = [f for f in files if f.deleted]
    parts = [_part(some, snapshot, partitions, address) for some in (whole, cut) if some]
    found: exp.Query = parts[0]
    for part in parts[1:]:
        found = exp.Union(this=found, expression=part, distinct=False, by_name=True)
    return found


def _part(
    files: Sequence[DataFile],
    snapshot: Snapshot,
    partitions: Mapping[str, str],
    address: Callable[[DataFile], str],
) -> exp.Select:
    read = _by_id(files, snapshot, address) if snapshot.by_id else _by_name(files, snapshot, address)
    columns = [
        exp.alias_(_column(c.name if snapshot.by_id else c.stored, "f"), c.name, quoted=True)
        for c in snapshot.columns
    ]
    keys = [k for k in partitions if any(k in f.keys for f in files)]
    columns += [exp.alias_(_column(k, "p"), k, quoted=True) for k in keys]
    columns += [] if _has_filename(snapshot) else [_column(FILENAME, "f")]
    found = exp.select(*columns).from_(read)
    if keys:
        found = found.join(_values(files, keys, partitions), on=_equal(FILENAME, "f", "p"))
    if files[0].deleted:
        same = exp.and_(_equal(FILENAME, "f", "d"), _equal(ROW, "f", "d"))
        found = found.join(_deleted(files), on=same, join_type="anti")
    return found


def _has_filename(snapshot: Snapshot) -> bool:
    """Whether the table has a column of that name itself; its own then wins."""
    return any(FILENAME in (c.name.casefold(), c.stored.casefold()) for c in snapshot.columns)


def _by_name(files: Sequence[DataFile], snapshot: Snapshot, address: Callable[[DataFile], str]) -> exp.Expr:
    """Their columns by the names that they have there, of the types of the table; what is in none is NULL."""
    nothing = exp.select(
        *(
            exp.alias_(exp.cast(exp.null(), c.type, dialect="duckdb"), c.stored, quoted=True)
            for c in snapshot.columns
        )
    ).where(exp.false())
    more = [] if _has_filename(snapshot) else [_column(FILENAME)]
    there = exp.select(exp.Star(), *more).from_(
        _reader(files, address, union_by_name=exp.true(), hive_partitioning=exp.false())
    )
    union = exp.Union(this=nothing, expression=there, distinct=False, by_name=True)
    return union.subquery("f")


def _by_id(files: Sequence[DataFile], snapshot: Snapshot, address: Callable[[DataFile], str]) -> exp.Expr:
    """Their columns by their ids."""
    described = [
        _struct(name=exp.Literal.string(c.name), type=exp.Literal.string(c.type), default_value=exp.null())
        for c in snapshot.columns
    ]
    ids = [exp.Literal.number(c.id or 0) for c in snapshot.columns]
    schema = exp.Anonymous(
        this="map", expressions=[exp.Array(expressions=ids), exp.Array(expressions=described)]
    )
    more = [] if _has_filename(snapshot) else [_column(FILENAME)]
    reader = _reader(files, address, schema=schema, hive_partitioning=exp.false())
    return exp.select(exp.Star(), *more).from_(reader).subquery("f")


def _reader(files: Sequence[DataFile], address: Callable[[DataFile], str], **options: exp.Expr) -> exp.Table:
    if files[0].deleted:
        options[ROW] = exp.true()
    paths = exp.Array(expressions=[exp.Literal.string(address(f)) for f in files])
    named = [exp.PropertyEQ(this=exp.to_identifier(k), expression=v) for k, v in options.items()]
    return exp.Table(this=exp.Anonymous(this="read_parquet", expressions=[paths, *named]))


def _values(files: Sequence[DataFile], keys: Sequence[str], types: Mapping[str, str]) -> exp.Expr:
    """The values of columns that are in the log only, by file."""
    rows = [
        exp.Tuple(
            expressions=[
                exp.Literal.string(f.path),
                *(
                    exp.null() if f.keys.get(k, NO_VALUE) == NO_VALUE else exp.Literal.string(f.keys[k])
                    for k in keys
                ),
            ]
        )
        for f in files
    ]
    names = [FILENAME, *keys]
    texts = _table(rows, names)
    typed = [exp.alias_(exp.cast(_column(k), types[k], dialect="duckdb"), k, quoted=True) for k in keys]
    return exp.select(_column(FILENAME), *typed).from_(texts).subquery("p")


def _deleted(files: Sequence[DataFile]) -> exp.Expr:
    """The positions of deleted rows, by file."""
    rows = [exp.Tuple(expressions=[exp.Literal.string(f.path), exp.Literal.string(f.deleted)]) for f in files]
    texts = exp.Anonymous(this="string_split", expressions=[_column(ROW), exp.Literal.string(",")])
    each = exp.cast(exp.Anonymous(this="unnest", expressions=[texts]), "BIGINT", dialect="duckdb")
    return (
        exp.select(_column(FILENAME), exp.alias_(each, ROW))
        .from_(_table(rows, [FILENAME, ROW]))
        .subquery("d")
    )


def _table(rows: Sequence[exp.Tuple], names: Sequence[str]) -> exp.Expr:
    alias = exp.TableAlias(
        this=exp.to_identifier("v"), columns=[exp.to_identifier(n, quoted=True) for n in names]
    )
    return exp.Values(expressions=list(rows), alias=alias)


def _column(name: str, table: str | None = None) -> exp.Column:
    return exp.column(exp.to_identifier(name, quoted=True), table=table)


def _equal(name: str, one: str, other: str) -> exp.Expr:
    return exp.EQ(this=_column(name, one), expression=_column(name, other))


def _struct(**parts: exp.Expr) -> exp.Struct:
    return exp.Struct(
        expressions=[exp.PropertyEQ(this=exp.Literal.string(k), expression=v) for k, v in parts.items()]
    )
