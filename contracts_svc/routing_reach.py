"""Who is really affected when data is wrong: the consumers that the *failing columns* reach."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from contracts_svc.lineage.graph import ColumnRef, Consumer, DatasetId, Edge, Graph

Path = tuple[Edge, ...]

_INSIDE = re.compile(r"[.\[{]")
"""What follows a column's path in the path of something nested in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected:
    """A consumer that wrong data reaches."""

    consumer: Consumer
    columns: tuple[str, ...]
    """Its columns that are reached, nearest first; empty for the whole dataset."""
    paths: tuple[Path, ...]
    """A shortest path from each failing column to each column reached, nearest first."""

    @property
    def path(self) -> Path:
        """The shortest path that proves it."""
        return self.paths[0]


def affected(
    columns: Iterable[str], dataset: DatasetId, graph: Graph, consumers: Sequence[Consumer]
) -> tuple[Affected, ...]:
    """The consumers that are reached from these columns of ``dataset``, in the order given.

    ``columns`` are paths as the data has them. Without any it is the table as a whole that is wrong,
    which reaches whoever reads any of its columns. A column that is nested in a failing one, or that
    a failing one is nested in, is failing too. An edge that does not know its columns is followed:
    what may be wrong is told. The dataset itself is not among its consumers.
    """
    paths: defaultdict[DatasetId, list[Path]] = defaultdict(list)
    for column in tuple(dict.fromkeys(columns)) or (None,):
        for path in _downstream(ColumnRef(dataset, column), graph):
            paths[path[-1].target.dataset].append(path)
    return tuple(
        _reached(c, sorted(paths[c.dataset], key=len))
        for c in consumers
        if c.dataset != dataset and c.dataset in paths
    )


def reached_from(start: ColumnRef, graph: Graph) -> Iterator[ColumnRef]:
    """Every column (or dataset) that wrong values of ``start`` reach, nearest first."""
    return (path[-1].target for path in _downstream(start, graph))


def _reached(consumer: Consumer, paths: Sequence[Path]) -> Affected:
    targets = dict.fromkeys(p[-1].target.column for p in paths)
    columns = () if None in targets else tuple(c for c in targets if c is not None)
    return Affected(consumer=consumer, columns=columns, paths=tuple(paths))


def _downstream(start: ColumnRef, graph: Graph) -> Iterator[Path]:
    """A shortest path to everything that wrong values reach, nearest first; ends on cycles."""
    reached = {start}
    paths: list[Path] = [(e,) for e in _readers(start, graph)]
    while paths:
        longer: list[Path] = []
        for path in paths:
            target = path[-1].target
            if target not in reached:
                reached.add(target)
                yield path
                longer += [(*path, e) for e in _readers(target, graph)]
        paths = longer


def _readers(ref: ColumnRef, graph: Graph) -> Iterable[Edge]:
    """Whoever an effect reaches in an impact, and who reads only the rows: where values are wrong, there may
    be rows too many or too few."""
    rows = graph.reads(ColumnRef(ref.dataset, None)) if ref.column else ()
    return dict.fromkeys((*graph.readers(ref), *rows))


def related(one: str, other: str) -> bool:
    """Whether two columns are the same, or one is nested in the other."""
    shorter, longer = sorted((one, other), key=len)
    return longer == shorter or (
        longer.startswith(shorter) and _INSIDE.match(longer, len(shorter)) is not None
    )
