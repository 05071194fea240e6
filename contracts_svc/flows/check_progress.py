"""How far a check is, for whoever watches it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from contracts_svc.files import DataFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What is being done, how much of it is done, and what of the data was read or is being read."""

    phase: str
    """``footers``, ``scans`` or ``samples``."""
    done: int
    total: int
    files: int = 0
    all_files: int = 0
    bytes: int = 0
    all_bytes: int = 0
    rows: int | None = None
    """Rows of the files that are read; None where only reading them tells."""
    all_rows: int | None = None


Progress = Callable[[Step], None]


@dataclass(slots=True)
class Teller:
    """Tells each step, with what of the table was read by then."""

    progress: Progress | None
    files: Sequence[DataFile] = ()
    rows_of: Mapping[str, int] = field(default_factory=dict)
    read: Mapping[str, int] = field(default_factory=dict)
    """Path and size of every file that was read."""
    _bytes: int = 0

    def about(self, files: Sequence[DataFile], rows_of: Mapping[str, int]) -> None:
        """From here on, these files are read."""
        self.files, self.rows_of = files, rows_of
        self._bytes = sum(f.size for f in files)

    def __call__(self, phase: str, done: int, total: int) -> None:
        if self.progress is None:
            return
        known = len(self.rows_of) == len(self.files)
        step = Step(
            phase=phase,
            done=done,
            total=total,
            files=len(self.read),
            all_files=len(self.files),
            bytes=sum(self.read.values()),
            all_bytes=self._bytes,
            rows=sum(self.rows_of[path] for path in self.read) if known else None,
            all_rows=sum(self.rows_of.values()) if known else None,
        )
        self.progress(step)
