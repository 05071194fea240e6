"""Figures of files that were measured before, in one SQLite file: a cache that any run may begin anew.

The standard library's driver and no other, since a check of data that did not change should take no
longer than it takes to see that.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from hashlib import blake2b
from itertools import islice
from pathlib import Path

from contracts_svc.errors import CouldNotCheck
from contracts_svc.model import Json

_VERSION = 1
_WAIT_SECONDS = 5
_AT_ONCE = 1_000
_CREATE = (
    "CREATE TABLE IF NOT EXISTS states (place BLOB, unit TEXT, document TEXT NOT NULL,"
    " PRIMARY KEY (place, unit)) WITHOUT ROWID"
)


class StateFile:
    """Implements :class:`contracts_svc.ports.StateStore`. The file is made when there is something to keep;
    one that is damaged, or of another version, is thrown away."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def states(self, place: str, units: Collection[str]) -> Mapping[str, Mapping[str, Json]]:
        """Unit -> figure -> value, of those of these units that are kept. Raises CouldNotCheck."""
        if not self._path.is_file():
            return {}
        found: dict[str, Mapping[str, Json]] = {}
        with self._open() as connection:
            for some in _batches(units):
                marks = ",".join("?" * len(some))
                query = f"SELECT unit, document FROM states WHERE place = ? AND unit IN ({marks})"
                rows = connection.execute(query, (_key(place), *some))
                found |= {unit: json.loads(document) for unit, document in rows}
        return found

    def put_states(
        self, place: str, states: Mapping[str, Mapping[str, Json]], keep: Collection[str] | None = None
    ) -> None:
        """Keep these; where ``keep`` is given, forget the place's units that are not in it."""
        if not states and not self._path.is_file():
            return
        key = _key(place)
        with self._open() as connection:
            connection.executemany(
                "INSERT INTO states VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET document = excluded.document",
                [(key, unit, json.dumps(values)) for unit, values in states.items()],
            )
            if keep is not None:
                there = connection.execute("SELECT unit FROM states WHERE place = ?", (key,))
                gone = {unit for (unit,) in there} - set(keep)
                connection.executemany(
                    "DELETE FROM states WHERE place = ? AND unit = ?", [(key, unit) for unit in gone]
                )

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection in a transaction, which is kept when the block ends well."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with closing(self._connect()) as connection, connection:
                yield connection
        except (sqlite3.Error, OSError, ValueError) as error:
            what = f"the figures kept in {self._path}"
            raise CouldNotCheck(what, str(error), "remove the file") from error

    def _connect(self) -> sqlite3.Connection:
        try:
            return self._ready()
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            self._path.unlink()
            return self._ready()

    def _ready(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=_WAIT_SECONDS)
        try:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version != _VERSION:
                connection.execute("DROP TABLE IF EXISTS states")
                connection.execute(f"PRAGMA user_version = {_VERSION}")
            connection.execute(_CREATE)
        except sqlite3.Error:
            connection.close()
            raise
        return connection


def _key(place: str) -> bytes:
    return blake2b(place.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _batches(units: Collection[str]) -> Iterator[list[str]]:
    rest = iter(units)
    while some := list(islice(rest, _AT_ONCE)):
        yield some
