"""Which of very many numbers come more than once, or are not among very many others, in bounded memory.

The numbers are sorted some at a time and written to a few files by their range; then each file, which holds
few enough of them, is sorted as a whole. That takes a sixth of the time of a grouping that spills, and its
memory depends on neither the numbers nor how often they come.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sqlglot import exp

Numbers = npt.NDArray[np.uint64]

AT_ONCE = 2**19
"""Numbers that are sorted in memory at once: 4 MB, and as much again to sort them."""
IN_A_FILE = 2**21
MOST_FILES = 512
IN_A_RANGE = 1_000_000
"""As many repeated numbers as are looked at together."""


def repeated(batches: Iterable[Numbers], expected: int, folder: Path) -> Iterator[tuple[int, int, Numbers]]:
    """The numbers that come more than once, range by range: its ends, and the numbers in it, sorted.

    ``expected`` is about how many numbers there are. ``folder`` is written to while this runs, eight bytes
    a number at most. Raises OSError where that cannot be done.
    """
    starts = _starts(expected)
    with _spilled(batches, starts, folder / "numbers") as paths:
        for start, end, path in zip(starts, (*starts[1:], 2**64), paths, strict=True):
            found = _twice(_read(path))
            if len(found):
                yield start, end - 1, found


def lacking(
    batches: Iterable[Numbers], others: Iterable[Numbers], expected: int, folder: Path
) -> Iterator[tuple[int, int, Numbers]]:
    """The numbers that are not among the others, range by range; see :func:`repeated`."""
    # Two files are in memory at once.
    starts = _starts(2 * expected)
    with (
        _spilled(batches, starts, folder / "numbers") as paths,
        _spilled(others, starts, folder / "others") as beside,
    ):
        for start, end, one, other in zip(starts, (*starts[1:], 2**64), paths, beside, strict=True):
            found = _without(_read(one), _read(other))
            if len(found):
                yield start, end - 1, found


def _starts(expected: int) -> list[int]:
    """Where ranges begin that hold few enough numbers each, of about so many."""
    count = max(1, min(MOST_FILES, -(-expected // IN_A_FILE)))
    return [(2**64 * i) // count for i in range(count)]


@contextmanager
def _spilled(batches: Iterable[Numbers], starts: Sequence[int], name: Path) -> Iterator[list[Path]]:
    """The numbers in a file for each range; the files are gone when the block ends."""
    paths = [name.with_name(f"{name.name}-{i}") for i in range(len(starts))]
    try:
        with ExitStack() as stack:
            files = [stack.enter_context(p.open("wb", buffering=0)) for p in paths]
            for batch in batches:
                for at in range(0, len(batch), AT_ONCE):
                    _spread(batch[at : at + AT_ONCE], starts, files)
        yield paths
    finally:
        for path in paths:
            path.unlink(missing_ok=True)


def _read(path: Path) -> Numbers:
    found = np.fromfile(path, dtype=np.uint64)
    path.unlink()
    return found


def _spread(numbers: Numbers, starts: Sequence[int], files: Sequence[IO[bytes]]) -> None:
    ordered = np.sort(numbers)
    # Two of each are enough to tell that it comes again: one number that is everywhere fills no file.
    kept = np.ones(len(ordered), dtype=bool)
    kept[2:] = ordered[2:] != ordered[:-2]
    ordered = ordered[kept]
    cuts = np.searchsorted(ordered, np.array(starts, dtype=np.uint64)).tolist()
    for file, begin, end in zip(files, cuts, (*cuts[1:], len(ordered)), strict=True):
        if begin < end:
            _write(file, ordered[begin:end].data.cast("B"))


def _write(file: IO[bytes], data: memoryview) -> None:
    while data:
        data = data[os.write(file.fileno(), data) :]


def _without(numbers: Numbers, others: Numbers) -> Numbers:
    numbers.sort()
    others.sort()
    if not len(others):
        return np.unique(numbers)
    places = np.searchsorted(others, numbers)
    np.minimum(places, len(others) - 1, out=places)
    return np.unique(numbers[others[places] != numbers])


def _twice(numbers: Numbers) -> Numbers:
    numbers.sort()
    again = numbers[1:][numbers[1:] == numbers[:-1]]
    return np.unique(again)


@dataclass(slots=True)
class Ranges:
    """Ranges of repeated numbers, put together as long as there are few numbers in them."""

    _found: list[tuple[int, int, int]] = field(default_factory=list)

    def add(self, least: int, most: int, count: int) -> None:
        """One more range, above the others."""
        if self._found and self._found[-1][2] + count <= IN_A_RANGE:
            first, _, before = self._found.pop()
            least, count = first, before + count
        self._found.append((least, most, count))

    def joined(self) -> tuple[tuple[int, int], ...]:
        """The ends of each."""
        return tuple((least, most) for least, most, _ in self._found)


def table(name: str) -> exp.Expr:
    """What makes the table for the numbers."""
    kind = exp.DataType.build("UBIGINT", dialect="duckdb")
    columns = [exp.ColumnDef(this=exp.to_identifier("h"), kind=kind)]
    made = exp.Create(this=exp.Schema(this=_named(name), expressions=columns), kind="TABLE")
    made.set("properties", exp.Properties(expressions=[exp.TemporaryProperty()]))
    return made


@contextmanager
def shown(connection: duckdb.DuckDBPyConnection, name: str, numbers: Numbers) -> Iterator[exp.Expr]:
    """What adds these numbers to the table; the connection sees them for the length of the block."""
    new = f"{name} / new"
    connection.register(new, pa.table({"h": numbers}))
    try:
        yield exp.insert(exp.select("h").from_(_named(new)), _named(name))
    finally:
        connection.unregister(new)


def _named(name: str) -> exp.Table:
    return exp.Table(this=exp.to_identifier(name, quoted=True))
