"""What the parts of the store share."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import ARRAY, Connection, Row, Select, Table, any_, func, literal, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.elements import ColumnElement

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
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


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
    connection.execute(tables.audit.insert(), row)


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
    found = rows_with(connection, select(table.c.key, table.c.id), table.c.key, keys)
    return {bytes(row.key): row.id for row in found}


def add(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    conflict: Callable[[Insert], Insert],
) -> None:
    """Insert many rows, all with the same columns; ``conflict`` says what to do about those there."""
    statement = insert(connection, table)
    if isinstance(statement, sqlite.Insert):
        connection.execute(conflict(statement), list(rows))
        return
    # One array a column: as many parameters for many rows as for one.
    names = list(rows[0])
    arrays = [literal([row[n] for row in rows], ARRAY(table.c[n].type)) for n in names]
    given = func.unnest(*arrays).table_valued(*names).render_derived()
    connection.execute(conflict(statement.from_select(names, select(*given.c))))


def rows_with(
    connection: Connection, query: Select[Any], column: ColumnElement[Any], values: Iterable[Any]
) -> Iterator[Row[Any]]:
    """The rows of a query whose column has one of these values."""
    for some in batches(values, KEYS_AT_ONCE):
        if connection.dialect.name == "postgresql":
            there = column == any_(literal(some, ARRAY(column.type)))
        else:
            there = column.in_(some)
        yield from connection.execute(query.where(there))
