"""The folder that a session spills to."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time as clock
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_SPILL, _LOCK = "contracts-spill-", ".lock"
_NEW_SECONDS = 60
"""A lock so young may not be held yet by the process that makes it."""


@contextmanager
def spill_folder(parent: Path) -> Iterator[Path]:
    """A folder that is there for the length of the block, and is known as abandoned if its process dies.

    A lock tells, and not the id of the process: other machines and containers may share the parent.
    """
    parent.mkdir(parents=True, exist_ok=True)
    _sweep(parent)
    handle, name = tempfile.mkstemp(prefix=_SPILL, suffix=_LOCK, dir=parent)
    lock, folder = Path(name), Path(name.removesuffix(_LOCK))
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        folder.mkdir(mode=0o700)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lock.unlink(missing_ok=True)
        os.close(handle)


def _sweep(parent: Path) -> None:
    """Remove what processes left behind that were killed."""
    for lock in parent.glob(f"{_SPILL}*{_LOCK}"):
        with suppress(OSError):
            if clock.time() - lock.stat().st_mtime < _NEW_SECONDS:
                continue
            handle = os.open(lock, os.O_RDWR)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(str(lock).removesuffix(_LOCK), ignore_errors=True)
                lock.unlink(missing_ok=True)
            finally:
                os.close(handle)
