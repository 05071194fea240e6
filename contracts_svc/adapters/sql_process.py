"""Follows SQL that anybody may send in a child process, bounded in time and memory.

The parser has bounds of its own for what is long or deep; what still takes long is ended here, and the query
is told as one that could not be followed. Nothing of this runs in the process that serves others.
"""

from __future__ import annotations

import os
import pickle
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import IO

from contracts_svc.adapters import sql_child
from contracts_svc.lineage.graph import DatasetId
from contracts_svc.lineage.heard import Query
from contracts_svc.lineage.queries import Followed, merged_queries, unfollowed

CHILD = sql_child.__name__
_CREDENTIALS = ("AWS_", "CONTRACTS_")
"""How the names of variables begin that may hold secrets; the child gets none of them."""


class SqlProcess:
    """A :data:`contracts_svc.flows.lineage.Follow` within bounds. Safe for use by many threads.

    The child starts with the first query and serves all of them; one that takes longer than ``seconds`` for
    the queries of a job is ended, and then each of them is tried by itself.
    """

    def __init__(self, *, seconds: float = 5, megabytes: int = 1_000, start_seconds: float = 60) -> None:
        self._seconds = seconds
        self._start_seconds = start_seconds
        self._megabytes = megabytes
        self._child: _Child | None = None
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
        if not every:
            return Followed()
        with self._lock:
            whole = self._followed(every, columns_of, names)
            if not isinstance(whole, str):
                return whole
            if len(every) == 1:
                return unfollowed(every[0], whole)
            parts = []
            for query in every:
                found = self._followed((query,), columns_of, names)
                parts.append(unfollowed(query, found) if isinstance(found, str) else found)
            return merged_queries(parts)

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
                self._child = _Child(self._megabytes)
                self.started += 1
                self._child.ask(((), {}, {}), self._start_seconds)
            found = self._child.ask((tuple(queries), columns, other), seconds)
        except TimeoutError:
            self._end()
            return f"its SQL takes longer than {seconds:.3g} s to be followed"
        except OSError as error:
            self._end()
            return f"the process that follows SQL failed: {error.strerror or error}"
        if isinstance(found, Followed):
            return found
        self._end()
        return "its SQL takes too much memory, or is nested too deep, to be followed"

    def _end(self) -> None:
        if self._child is not None:
            self._child.end()
            self._child = None


class _Child:
    def __init__(self, megabytes: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", CHILD, str(megabytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={k: v for k, v in os.environ.items() if not k.startswith(_CREDENTIALS)},
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in: IO[bytes] = self._process.stdin
        self._out: IO[bytes] = self._process.stdout
        self._answers: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, name="sql-reader", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while (answer := sql_child.read(self._out)) is not None:  # type: ignore[arg-type]
            self._answers.put(answer)
        self._answers.put(None)

    def ask(self, question: object, seconds: float) -> object:
        """Its answer; None when it has ended. Raises TimeoutError, OSError."""
        try:
            sql_child.write(self._in, pickle.dumps(question))  # type: ignore[arg-type]
        except BrokenPipeError:
            return None
        try:
            answer = self._answers.get(timeout=seconds)
        except queue.Empty:
            raise TimeoutError from None
        return pickle.loads(answer) if answer is not None else None

    def end(self) -> None:
        """Kill it and wait until it is gone."""
        self._process.kill()
        self._process.wait()
        self._reader.join()
        self._out.close()
        with suppress(BrokenPipeError):
            self._in.close()
