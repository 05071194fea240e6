"""Measuring a table file by file: what of a plan can be, and how the parts become the whole.

A figure of one file is the same as long as the file is, so it can be kept: next time only files that
are new or changed are read. What compares rows with each other is measured over sets of files that can
have no key in common, as their footers tell.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlglot import exp

from contracts_svc.files import Bounds, DataFile
from contracts_svc.model import Json
from contracts_svc.quality import fuse, text_sources, text_values, types
from contracts_svc.quality.kind import FEW, Merge, table_named
from contracts_svc.quality.kinds import KIND_OF, Origin
from contracts_svc.quality.kinds_files import DOCUMENT
from contracts_svc.quality.layout import Layout
from contracts_svc.quality.proofs import Facts, Unproved, facts
from contracts_svc.quality.reach import ELEMENT
from contracts_svc.runs import Check, Plan

FILENAME = "filename"
"""The column in which an engine tells the file that a row is from."""
UNIT_ROWS = 250_000
"""Small sets of files without a common key are put together until they have so many rows."""
_FORMAT = "1"
"""Changes when kept figures would mean something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One aggregate of the shared scan that is measured file by file."""

    key: str
    """The same as long as it would give the same value of the same file."""
    expression: exp.Expr
    merge: Merge
    users: tuple[tuple[str, str], ...]
    """Check id and name of the figure, of each check that shares it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """A check whose own query tells, file by file, what the scans of files left out."""

    check: Check
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Apart:
    """A check whose own query is asked of each unit of files by itself."""

    check: Check
    key: str
    units: tuple[tuple[DataFile, ...], ...]


def unit_id(files: Sequence[DataFile]) -> str:
    """Names files as they are now; another content has another name."""
    return _digest(*sorted(f"{f.path}\n{f.version}\n{f.size}" for f in files))


def figures(plan: Plan, layout: Layout) -> tuple[Figure, ...]:
    """The aggregates that can be measured file by file, each once."""
    if not _has_parts(layout):
        return ()
    columns = _described(layout)
    found: dict[str, Figure] = {}
    for expression, merge, users in fuse.wanted(able(plan, layout), layout):
        parts = _uniform(expression, columns)
        if parts is None or merge in (Merge.NEVER, Merge.APART):
            continue
        sql = expression.sql(dialect="duckdb")
        key = _digest(_FORMAT, layout.reading.way, sql, merge, *parts)
        found[key] = Figure(key=key, expression=expression, merge=merge, users=users)
    return tuple(found.values())


def apart(plan: Plan, layout: Layout) -> tuple[Apart, ...]:
    """The checks whose own query can be asked of units of files, and those units."""
    if not _has_parts(layout):
        return ()
    return tuple(a for c in able(plan, layout) if (a := _apart(c, layout)) is not None)


def beside(plan: Plan, layout: Layout) -> tuple[Beside, ...]:
    """The checks of what the scans of files leave out."""
    if not _has_parts(layout):
        return ()
    kinds = ((c, KIND_OF[c.kind]) for c in able(plan, layout))
    return tuple(
        Beside(check=c, key=_digest(_FORMAT, layout.reading.way, kind.key))
        for c, kind in kinds
        if kind.beside
    )


def able(plan: Plan, layout: Layout) -> list[Check]:
    """The checks that can be measured on these files."""
    return [c for c in plan.checks if fuse.why_not(c, layout) is None]


def _has_parts(layout: Layout) -> bool:
    names = {n.casefold() for n in layout.extra} | {c.stored_name.casefold() for c in layout.table.columns}
    return bool(layout.files) and FILENAME not in names


def _described(layout: Layout) -> dict[str, str]:
    """What each column is made of, by its name in a query, of those that every file has in one way.

    Of the others, a part of the files would be read as other types than all of them together. A value of a
    text file is made of its text, which is NULL where a file does not have it.
    """
    kinds = partition_types(layout)
    values = text_sources.columns_of(layout) if layout.reading.text else {}
    found: dict[str, str] = {DOCUMENT: ""} if layout.reading.format == "json" else {}
    for column in layout.table.columns:
        stored, name = layout.columns[column.path], column.stored_name
        made = next((v for n, v in values.items() if n.casefold() == name.casefold()), None)
        if made is not None:
            found[name.casefold()] = f"{name} {made.sql(dialect='duckdb')}"
            found[(name + text_values.TEXT).casefold()] = name
        elif len(stored.variants) == 1 and not stored.missing:
            kind = kinds.get(name, "") if stored.partition else stored.variants[0].type
            found[name.casefold()] = f"{name} {kind}"
    return found


def _uniform(expression: exp.Expr, columns: Mapping[str, str]) -> tuple[str, ...] | None:
    """What the columns that it reads are made of, if all files have them in one way; else None."""
    names = {c.name.casefold() for c in expression.find_all(exp.Column)}
    names -= {ELEMENT} - columns.keys()
    found = tuple(columns[n] for n in sorted(names) if n in columns)
    return found if len(found) == len(names) else None


def partition_types(layout: Layout) -> dict[str, str]:
    """Hive partition key -> the type that its texts are read as."""
    keys = {k for f in layout.files for k in f.keys}
    texts = {k: {f.keys[k] for f in layout.files if k in f.keys} for k in keys}
    columns = {c.stored_name: c for c in layout.table.columns if c.stored_name in keys}
    kinds = {
        key: types.promised_type(column)
        for key, column in columns.items()
        # A value that does not read as its type is a finding; the engine would give up on all rows.
        if all(types.reads_as(text, column) for text in texts[key])
    }
    return {k: kinds.get(k, "VARCHAR") for k in keys}


def _digest(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


# --- what is known without reading a file ---------------------------------------------------------


def proofs(
    wanted: Sequence[tuple[str, Callable[[Facts], Json]]], file: DataFile, layout: Layout
) -> Iterator[tuple[str, Json]]:
    """The key of each figure that the footer of a file proves, and its value. Each comes with its prover."""
    told = _facts(file, layout) if wanted else None
    if told is None:
        return
    for key, prove in wanted:
        with suppress(Unproved):
            yield key, prove(told)


def _facts(file: DataFile, layout: Layout) -> Facts | None:
    rows = layout.rows_of.get(file.path)
    return None if rows is None else facts(rows, layout.bounds_of.get(file.path, {}))


def groups(
    missing: Mapping[str, Sequence[Figure]], files: Sequence[DataFile], most: int = 4
) -> tuple[tuple[tuple[DataFile, ...], tuple[Figure, ...]], ...]:
    """Which files to read for which figures: few queries, that read little more than is missing.

    ``missing`` is by file path. What there would be too many queries for shares the last one.
    """
    by_need: dict[tuple[str, ...], list[DataFile]] = {}
    by_key = {f.key: f for needs in missing.values() for f in needs}
    for file in files:
        need = tuple(sorted(f.key for f in missing.get(file.path, ())))
        if need:
            by_need.setdefault(need, []).append(file)
    largest = sorted(by_need.items(), key=lambda item: (-sum(f.size for f in item[1]), item[0]))
    kept, rest = largest[: most if len(largest) <= most else most - 1], largest[most - 1 :]
    if len(largest) > most:
        together = tuple(sorted({k for need, _ in rest for k in need}))
        kept = [*kept, (together, [f for _, some in rest for f in some])]
    return tuple((tuple(some), tuple(by_key[k] for k in need)) for need, some in kept)


def file_query(wanted: Sequence[Figure], source: str) -> exp.Select:
    """The figures ``m0``, ``m1``, ... of each file of a source."""
    columns = [exp.alias_(f.expression.copy(), f"m{i}") for i, f in enumerate(wanted)]
    file = exp.column(FILENAME)
    return exp.select(file, *columns).from_(table_named(source)).group_by(file.copy())


# --- parts and the whole --------------------------------------------------------------------------


def merged(how: Merge, values: Iterable[Json]) -> Json:
    """The figure of all parts. The parts may come in any order, and be parts of parts."""
    there = [v for v in values if v is not None]
    if how in (Merge.SUM, Merge.APART):
        return sum(there)
    if how is Merge.EACH:
        return dict(sum((Counter(v) for v in there), Counter()))
    if how is Merge.FIRST:
        return [each for v in there for each in v][:FEW]
    if not there:
        return None
    return min(there, key=_order) if how is Merge.MIN else max(there, key=_order)


def _order(value: Json) -> Any:
    """Times come as text; as moments, they are in order whatever their digits."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def merged_own(check: Check, parts: Iterable[Mapping[str, Json]]) -> dict[str, Json]:
    """The figures of a check's own query over all of its units."""
    kept = list(parts)
    return {name: merged(Merge.APART, (part[name] for part in kept)) for name in _own_figures(check)}


def no_duplicates(check: Check) -> dict[str, Json]:
    """What a check's own query finds in files in which no two keys are the same."""
    return dict.fromkeys(_own_figures(check), 0)


def _own_figures(check: Check) -> list[str]:
    return [name for name, how in KIND_OF[check.kind].merge.items() if how is Merge.APART]


def merged_beside(check: Check, parts: Iterable[Mapping[str, Json]]) -> dict[str, Json]:
    """The figures of what the scans of all files left out."""
    kept = list(parts)
    how = KIND_OF[check.kind].merge
    return {name: merged(how[name], (part[name] for part in kept)) for name in kept[0]}


# --- files that can have no key in common -----------------------------------------------------------


def _apart(check: Check, layout: Layout) -> Apart | None:
    kind = KIND_OF[check.kind]
    if kind.origin is not Origin.GROUP or Merge.APART not in kind.merge.values():
        return None
    own = fuse.own_query(check, layout)
    values = fuse.reads(check, layout).values
    columns = _described(layout)
    described = [_uniform(v, columns) for v in values]
    if own is None or any(d is None for d in described):
        return None
    names = [v.name.casefold() for v in values if isinstance(v, exp.Column)]
    parts = [t for d in described for t in d or ()]
    key = _digest(_FORMAT, layout.reading.way, own.query.sql(dialect="duckdb"), *parts)
    return Apart(check=check, key=key, units=_units(names, layout))


def _units(names: Sequence[str], layout: Layout) -> tuple[tuple[DataFile, ...], ...]:
    """Sets of files that have no key in common, by the column that tells the most apart."""
    whole = (tuple(layout.files),)
    found = [w for n in names if (w := _by_ranges(n, layout)) is not None]
    best = max(found, key=len, default=whole)
    units: list[tuple[DataFile, ...]] = []
    rows = UNIT_ROWS
    for files in best:
        more = sum(layout.rows_of.get(f.path, 0) for f in files)
        if units and rows + more <= UNIT_ROWS:
            units[-1] += files
            rows += more
        else:
            units.append(files)
            rows = more
    return tuple(units)


def _by_ranges(name: str, layout: Layout) -> tuple[tuple[DataFile, ...], ...] | None:
    """Files whose ranges of a column overlap, together; None where a range is not known."""
    spans: list[tuple[Any, Any, DataFile]] = []
    for file in layout.files:
        if is_void(name, file, layout):
            # A key with a NULL in it equals nothing.
            continue
        found = bounds(name, file, layout)
        if found is None or found.span is None:
            return None
        spans.append((*found.span, file))
    together: list[tuple[DataFile, ...]] = []
    end: Any = None
    for low, high, file in sorted(spans, key=lambda s: (s[0], s[2].path)):
        if together and low <= end:
            together[-1] += (file,)
            end = max(end, high)
        else:
            together.append((file,))
            end = high
    return tuple(together)


def bounds(name: str, file: DataFile, layout: Layout) -> Bounds | None:
    """What the statistics of a file tell of a column, by its case-folded name."""
    told = layout.bounds_of.get(file.path, {})
    return next((b for n, b in told.items() if n.casefold() == name), None)


def is_void(name: str, file: DataFile, layout: Layout) -> bool:
    """Whether a column is known to have no value in a file."""
    found = bounds(name, file, layout)
    return found is not None and found.nulls is not None and found.nulls == layout.rows_of.get(file.path)
