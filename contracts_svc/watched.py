"""A file of a running process that people change: what it says as it is now."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

import structlog

from contracts_svc.errors import UserMistake

_log = structlog.get_logger("contracts_svc.watched")

T = TypeVar("T")


class Watched(Generic[T]):
    """What ``read`` makes of a file, made again when the file has changed (by its time and size). One that is
    changed into a file with mistakes does not count: what was made before stays, and :attr:`mistake` says
    what is wrong. Safe for use by many threads."""

    def __init__(self, path: Path | None, read: Callable[[], T], what: str) -> None:
        """``path`` None: there is no file, so that nothing changes. ``what`` names it in the log. Raises
        what ``read`` raises."""
        self._path, self._read, self._what = path, read, what
        self.mistake: UserMistake | None = None
        self._lock = Lock()
        self._stamp = self._looked_at()
        self._found = read()

    def now(self) -> T:
        """What the file says now."""
        with self._lock:
            stamp = self._looked_at()
            if stamp != self._stamp:
                self._stamp = stamp
                try:
                    self._found, self.mistake = self._read(), None
                    _log.info(f"{self._what} was read again")
                except UserMistake as error:
                    self.mistake = error
                    _log.warning(f"{self._what} is not taken: the one before stays", cause=str(error))
            return self._found

    def _looked_at(self) -> tuple[int, int]:
        try:
            found = self._path.stat() if self._path else None
        except OSError:
            return (0, 0)
        return (found.st_mtime_ns, found.st_size) if found else (0, 0)
