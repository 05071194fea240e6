"""What the parts of the store share."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, select
from sqlalchemy.dialects import postgresql, sqlite

from contracts_svc.adapters.store import tables
from contracts_svc.adapters.store.codec import dumps
from contracts_svc.adapters.store.database import Database
from contracts_svc.model import Json
from contracts_svc.ports_store import Actor

T = TypeVar("T")

KEYS_AT_ONCE = 500
"""How many keys one query names: SQLite takes 32,766 parameters, but plans of that size are slow."""


class Part:
    """A part of the store, on the database that all parts share."""

    def __init__(self, database: Database) -> None:
        self.database = database


def insert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
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
    found = hashlib.blake2b(digest_size=16)
    for part in parts:
        text = part.encode("utf-8", "surrogatepass")
        found.update(len(text).to_bytes(8, "big"))
        found.update(text)
    return found.digest()


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
    found = known_ids(connection, table, list(rows))
    missing = sorted(rows.keys() - found.keys())
    if missing:
        statement = insert(connection, table).on_conflict_do_nothing(index_elements=["key"])
        connection.execute(statement, [{"key": k, **rows[k]} for k in missing])
        found |= known_ids(connection, table, missing)
    return found


def known_ids(connection: Connection, table: Table, keys: Sequence[bytes]) -> dict[bytes, int]:
    """The ids of those rows with these keys that are there."""
    found: dict[bytes, int] = {}
    for some in batches(keys, KEYS_AT_ONCE):
        query = select(table.c.key, table.c.id).where(table.c.key.in_(some))
        found.update((bytes(key), id_) for key, id_ in connection.execute(query))
    return found
