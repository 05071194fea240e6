"""The engine: how much it may use, and sessions of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import AbstractContextManager

from contracts_svc.ports import S3Access, Session, Source


class DuckDBEngine:
    """Implements :class:`contracts_svc.ports.Engine`.

    ``access`` is how S3 is reached: None means that no S3 file can be, and empty keys mean anonymous
    access, for public buckets. ``memory_limit`` is DuckDB's (``512MB``); what does not fit is spilled to
    a folder of the session in ``temp_directory`` (by default the system's), which is removed at its end;
    one of a process that was killed, by the next session. ``threads`` is by default the number of cores.
    ``timeout`` is in seconds, per query; None is no bound.
    """

    def __init__(
        self,
        access: S3Access | None = None,
        *,
        memory_limit: str = "512MB",
        threads: int | None = None,
        temp_directory: str | None = None,
        timeout: float | None = None,
    ) -> None:
        self._access = access
        self._memory_limit = memory_limit
        self._threads = threads
        self._temp_directory = temp_directory
        self._timeout = timeout

    def open(self, sources: Sequence[Source]) -> AbstractContextManager[Session]:
        """Make these sources known under their names for the length of a ``with`` block.

        Raises CouldNotCheck where S3 cannot be read at all. A source that cannot be read (files gone,
        access denied, a damaged file) is an error of the queries that name it, and of no others.
        """
        # DuckDB is loaded when there is something to ask: a run may know all answers already.
        from contracts_svc.adapters.engines.duckdb.session import opened

        return opened(
            tuple(sources),
            self._access,
            memory_limit=self._memory_limit,
            threads=self._threads,
            temp_directory=self._temp_directory,
            timeout=self._timeout,
        )


_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
          "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}  # fmt: skip
BESIDES = 192 * 10**6
"""Bytes that a process takes beside what DuckDB counts: the interpreter, libraries, buffers of files."""


def share_of(limit: str) -> str:
    """DuckDB's part of what a process may take in memory (``512MB``): all but what it takes besides.

    At least half of it. A text that is no number of bytes is DuckDB's to understand (``80%``).
    """
    found = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*", limit)
    unit = _UNITS.get(found[2].upper()) if found else None
    if found is None or unit is None:
        return limit
    given = float(found[1]) * unit
    return f"{max(given / 2, given - BESIDES) / 10**6:.0f}MB"
