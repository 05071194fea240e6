"""Which parts of a table (partitions, files, or all of it) an incident is about, and what a run looked at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from contracts_svc import files
from contracts_svc.runs import WHOLE_TABLE, Breakdown, Check, Operator, Result


def parts_of(result: Result, scope: str) -> tuple[Breakdown, ...]:
    """The breakdown, and what it leaves unaccounted for as a part of its own: the whole scope."""
    rest = (result.failing or 0) - sum(p.failing for p in result.breakdown)
    if result.breakdown and rest <= 0 and _each_row_counts(result.check):
        return merged((), result.breakdown)
    return merged(result.breakdown, (Breakdown(where=scope, failing=max(rest, 0)),))


def _each_row_counts(check: Check) -> bool:
    """Whether one failing row anywhere breaks the promise."""
    return any(
        t.operator in (Operator.MUST_BE, Operator.LESS_OR_EQUAL) and t.value == 0 for t in check.thresholds
    )


def merged(old: Iterable[Breakdown], new: Iterable[Breakdown]) -> tuple[Breakdown, ...]:
    sums: defaultdict[str, int] = defaultdict(int)
    for part in (*old, *new):
        sums[part.where] += part.failing
    return tuple(Breakdown(where=w, failing=sums[w]) for w in sorted(sums, key=natural))


def since(parts: Sequence[Breakdown]) -> str:
    return min((p.where for p in parts), key=natural)


def natural(where: str) -> tuple[bool, tuple[tuple[bool, int, str], ...], str]:
    """A key that sorts partitions and files as people do: ``month=2`` before ``month=12``.

    The whole table comes last: it is where bad rows stand that no partition accounts for.
    """
    return (where == WHOLE_TABLE, files.natural(where), where)


def covers(scope: str, where: str) -> bool:
    """Whether a run over ``scope`` has looked at all of ``where`` (a partition, a file or a scope).

    A scope is ``whole table``, or names of partitions or files with commas between them. ``month=11,
    month=12`` is either month, ``year=2013, month=12`` is the one month of that year, and a partition
    covers every partition and file inside it (``year=2013`` covers ``year=2013/month=12/a.parquet``).
    In doubt the answer is no, so that nothing is resolved that was not looked at.
    """
    if scope in (WHOLE_TABLE, where):
        return True
    if where == WHOLE_TABLE:
        return False
    looked_at = _partitions(scope)
    if looked_at is None:
        return where in scope.split(", ")
    wanted = _partitions(where) or (_conditions(where.split("/")),)
    return all(any(_inside(w, choice) for choice in looked_at) for w in wanted)


_Conditions = dict[str, set[str]]
"""Partition key -> the values that it may have."""


def _partitions(text: str) -> tuple[_Conditions, ...] | None:
    """A list of partitions as alternatives of conditions; None when it is the name of a file."""
    items = [item.strip() for item in text.split(",")]
    if not all("=" in segment for item in items for segment in item.split("/")):
        return None
    if any("/" in item for item in items):
        return tuple(_conditions(item.split("/")) for item in items)
    return (_conditions(items),)


def _conditions(segments: Iterable[str]) -> _Conditions:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for key, equals, value in (s.partition("=") for s in segments):
        if equals:
            # Folders are named month=01 or month=1, whatever a run was asked for.
            number = value.isascii() and value.isdecimal()
            found[key].add(str(int(value)) if number else value)
    return found


def _inside(inner: _Conditions, outer: _Conditions) -> bool:
    return all(inner.get(key) and inner[key] <= values for key, values in outer.items())
