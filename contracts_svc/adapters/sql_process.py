"""Follows SQL that anybody may send in a child process, bounded in time and memory.

The parser has bounds of its own for what is long or deep; what still takes long is ended here, and the query
is told as one that could not be followed. Nothing of this runs in the process that serves others.

Run as a program, this module is the child. Every question on standard input is the length of a pickle in
eight bytes, and the pickle; so is every answer on standard output. Both ends are this module.
"""

from __future__ import annotations

import pickle
import struct
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import IO

from contracts_svc.adapters.children import Child
from contracts_svc.lineage.graph import DatasetId
from contracts_svc.lineage.heard import Query
from contracts_svc.lineage.queries import Followed, follow, merged_queries, unfollowed

LENGTH = struct.Struct(">Q")
"""How the two ends tell the length of a message."""
MODULE = "contracts_svc.adapters.sql_process"
MOST_GIVEN_UP = 100
"""Queries that are remembered for having been too much."""


class SqlProcess:
    """A :data:`contracts_svc.flows.lineage.Follow` within bounds. Safe for use by many threads.

    The child starts with the first query and serves all of them; one that takes longer than ``seconds`` for
    the queries of a job is ended, and then each of them is tried by itself.
    """

    def __init__(self, *, seconds: float = 5, megabytes: int = 1_000, start_seconds: float = 60) -> None:
        self._seconds = seconds
        self._start_seconds = start_seconds
        self._megabytes = megabytes
        self._child: Child | None = None
        self._given_up: dict[Query, str] = {}
        self._lock = threading.Lock()
        self.started = 0
        """How many children there have been."""

    def __call__(
        self,
        queries: Iterable[Query],
        columns_of: Callable[[DatasetId], Mapping[str, str]],
        names: Mapping[DatasetId, Iterable[DatasetId]],
    ) -> Followed:
        """See :func:`contracts_svc.lineage.queries.follow`."""
        every = tuple(queries)
        with self._lock:
            parts = [unfollowed(q, self._given_up[q]) for q in every if q in self._given_up]
            fine = tuple(q for q in every if q not in self._given_up)
            whole = self._followed(fine, columns_of, names) if len(fine) > 1 else ""
            if isinstance(whole, Followed):
                parts.append(whole)
            else:
                parts += [self._alone(query, columns_of, names) for query in fine]
            return parts[0] if len(parts) == 1 else merged_queries(parts)

    def _alone(
        self,
        query: Query,
        columns_of: Callable[[DatasetId], Mapping[str, str]],
        names: Mapping[DatasetId, Iterable[DatasetId]],
    ) -> Followed:
        """One query by itself. One that is too much is not tried again: its job may send more events."""
        found = self._followed((query,), columns_of, names)
        if not isinstance(found, str):
            return found
        self._given_up[query] = found
        while len(self._given_up) > MOST_GIVEN_UP:
            del self._given_up[next(iter(self._given_up))]
        return unfollowed(query, found)

    def close(self) -> None:
        """End the child, if there is one."""
        with self._lock:
            self._end()

    def _followed(
        self,
        queries: Sequence[Query],
        columns_of: Callable[[DatasetId], Mapping[str, str]],
        names: Mapping[DatasetId, Iterable[DatasetId]],
    ) -> Followed | str:
        """What the queries do, or why that is not known."""
        datasets = {d for q in queries for d in (*q.inputs, *q.outputs)}
        columns = {d: dict(columns_of(d)) for d in datasets}
        other = {d: tuple(names[d]) for d in datasets if d in names}
        seconds = self._seconds
        try:
            if self._child is None:
                self._child = Child(MODULE, self._megabytes, send=_send, receive=_received)
                self.started += 1
                self._child.ask(pickle.dumps(((), {}, {})), self._start_seconds)
            answer = self._child.ask(pickle.dumps((tuple(queries), columns, other)), seconds)
        except TimeoutError:
            self._end()
            return f"its SQL takes longer than {seconds:.3g} s to be followed"
        except OSError as error:
            self._end()
            return f"the process that follows SQL failed: {error.strerror or error}"
        found = pickle.loads(answer) if answer is not None else None
        if isinstance(found, Followed):
            return found
        self._end()
        return "its SQL takes too much memory, or is nested too deep, to be followed"

    def _end(self) -> None:
        if self._child is not None:
            self._child.end()
            self._child = None


# --- the child -----------------------------------------------------------------------------------------


def main(megabytes: int) -> None:
    """Answer every question until there are no more."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        wanted = megabytes * 1_000_000
        resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == -1 else min(wanted, hard), hard))
    while (question := _received(sys.stdin.buffer)) is not None:
        queries, columns, names = pickle.loads(question)
        try:
            answer = pickle.dumps(follow(queries, _Columns(columns), names))
        except (MemoryError, RecursionError) as error:
            answer = pickle.dumps(type(error).__name__)
        _send(sys.stdout.buffer, answer)


class _Columns:
    def __init__(self, known: Mapping[DatasetId, Mapping[str, str]]) -> None:
        self._known = known

    def __call__(self, dataset: DatasetId) -> Mapping[str, str]:
        return self._known.get(dataset, {})


def _received(stream: IO[bytes]) -> bytes | None:
    """The next message; None at the end."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    body = stream.read(length)
    return body if len(body) == length else None


def _send(stream: IO[bytes], message: bytes) -> None:
    """Send a message."""
    stream.write(LENGTH.pack(len(message)) + message)
    stream.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
