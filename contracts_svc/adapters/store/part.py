"""What the parts of the store share."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import islice
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import (
    ARRAY,
    Connection,
    Dialect,
    LargeBinary,
    Row,
    Select,
    Table,
    any_,
    bindparam,
    func,
    literal,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import TypeEngine

from contracts_svc.adapters.store import tables
from contracts_svc.adapters.store.codec import dumps
from contracts_svc.adapters.store.database import Database
from contracts_svc.model import Json
from contracts_svc.ports_store import Actor

T = TypeVar("T")

Insert: TypeAlias = postgresql.Insert | sqlite.Insert

KEYS_AT_ONCE = 1_000
"""How many keys one query names: SQLite takes 32,766 parameters in all."""


class Part:
    """A part of the store, on the database that all parts share."""

    def __init__(self, database: Database) -> None:
        self.database = database


def insert(connection: Connection, table: Table) -> Insert:
    """An INSERT that can say what to do about a row that is there already."""
    return insert_on(connection.dialect.name, table)


def insert_on(dialect: str, table: Table) -> Insert:
    """The same for a kind of database."""
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


def note(
    connection: Connection,
    now: datetime,
    by: Actor,
    action: str,
    kind: str,
    subject: str,
    detail: Mapping[str, Json] | None = None,
) -> None:
    """Write down a change, in the transaction that makes it."""
    row = {"at": now, "who": by.who, "origin": by.where, "action": action, "kind": kind}
    row |= {"subject": subject, "detail": dumps(detail or {})}
    connection.execute(_NOTE, row)


_NOTE = tables.audit.insert()


def digest(*parts: str) -> bytes:
    """16 bytes that stand for these texts; other texts have others."""
    texts = [part.encode("utf-8", "surrogatepass") for part in parts]
    # With their lengths, so that ("ab", "c") is not ("a", "bc").
    lengths = ",".join([str(len(text)) for text in texts]).encode()
    return hashlib.blake2b(b"".join((lengths, b":", *texts)), digest_size=16).digest()


def batches(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """The values in lists of at most this size, one list in memory at a time."""
    rest = iter(values)
    while batch := list(islice(rest, size)):
        yield batch


def ids_of(connection: Connection, table: Table, rows: Mapping[bytes, Mapping[str, Any]]) -> dict[bytes, int]:
    """The ids of the rows with these keys; rows that are not there are added.

    Rows are added in the order of their keys, so that two writers wait for one another rather than
    lock one another out.
    """
    found = known_ids(connection, table, rows)
    missing = sorted(rows.keys() - found.keys())
    if missing:
        add(connection, table, [{"key": k, **rows[k]} for k in missing], _leave)
        found |= known_ids(connection, table, missing)
    return found


def _leave(statement: Insert) -> Insert:
    return statement.on_conflict_do_nothing(index_elements=["key"])


def known_ids(connection: Connection, table: Table, keys: Iterable[bytes]) -> dict[bytes, int]:
    """The ids of those rows with these keys that are there."""
    found: dict[bytes, int] = {}
    for some in batches(keys, KEYS_AT_ONCE):
        if connection.dialect.name == "postgresql":
            query = select(table.c.key, table.c.id).where(among(connection, table.c.key, some))
            rows: Iterable[Any] = connection.execute(query)
        else:
            # Straight to the driver, with as many keys as a statement that was made before takes: what a
            # statement costs to make is several times what its rows do.
            size = next(n for n in _SIZES if n >= len(some))
            padded = (*some, *some[-1:] * (size - len(some)))
            rows = connection.exec_driver_sql(_lookup(table, size, connection.dialect), padded)
        found.update((bytes(key), id_) for key, id_ in rows)
    return found


_SIZES = (10, 100, KEYS_AT_ONCE)


@lru_cache(maxsize=64)
def _lookup(table: Table, size: int, dialect: Dialect) -> str:
    keys = [bindparam(f"key_{n}", type_=LargeBinary) for n in range(size)]
    query = select(table.c.key, table.c.id).where(table.c.key.in_(keys))
    return str(query.compile(dialect=dialect))


def add(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    conflict: Callable[[Insert], Insert],
) -> None:
    """Insert many rows, all with the same columns; ``conflict`` says what to do about those there."""
    names = [column.name for column in table.columns if column.name in rows[0]]
    add_tuples(connection, table, names, [tuple(row[n] for n in names) for row in rows], conflict)


def add_tuples(
    connection: Connection,
    table: Table,
    names: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
    conflict: Callable[[Insert], Insert],
) -> None:
    """The same of rows whose values are in the order of ``names``, which is that of the table's columns."""
    statement = insert(connection, table)
    columns = zip(*rows, strict=True)
    if isinstance(statement, sqlite.Insert):
        # Straight to the driver: what else comes between costs several times what the rows do.
        dialect = connection.dialect
        compiled = conflict(statement).compile(dialect=dialect, column_keys=list(names))
        stored = [_stored(table.c[n].type, values, dialect) for n, values in zip(names, columns, strict=True)]
        connection.exec_driver_sql(str(compiled), list(zip(*stored, strict=True)))
        return
    # One array a column: as many parameters for many rows as for one.
    arrays = [literal(list(values), ARRAY(table.c[n].type)) for n, values in zip(names, columns, strict=True)]
    given = func.unnest(*arrays).table_valued(*names).render_derived()
    connection.execute(conflict(statement.from_select(list(names), select(*given.c))))


def _stored(type_: TypeEngine[Any], values: Iterable[Any], dialect: Dialect) -> Iterable[Any]:
    """Values of a column as the driver takes them."""
    convert = type_.dialect_impl(dialect).bind_processor(dialect)
    if convert is None:
        return values
    values = list(values)
    # Many rows share a time or a text.
    known = {value: convert(value) for value in set(values)}
    return [known[value] for value in values]


def rows_with(
    connection: Connection, query: Select[Any], column: ColumnElement[Any], values: Iterable[Any]
) -> Iterator[Row[Any]]:
    """The rows of a query whose column has one of these values."""
    for some in batches(values, KEYS_AT_ONCE):
        yield from connection.execute(_with(query, column, connection.dialect.name), {"among": some})


@lru_cache(maxsize=256)
def _with(query: Select[Any], column: ColumnElement[Any], dialect: str) -> Select[Any]:
    """A query that is made once costs half of one that is made each time."""
    if dialect == "postgresql":
        return query.where(column == any_(bindparam("among", type_=ARRAY(column.type))))
    return query.where(column.in_(bindparam("among", expanding=True)))


def among(connection: Connection, column: ColumnElement[Any], values: list[Any]) -> ColumnElement[bool]:
    """Whether a column has one of these values, :data:`KEYS_AT_ONCE` at most."""
    if connection.dialect.name == "postgresql":
        return column == any_(literal(values, ARRAY(column.type)))
    return column.in_(values)
