"""What is shown of a check that failed: some of its rows, and how many are in which partition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlglot import exp

from contracts_svc.files import natural
from contracts_svc.model import Json
from contracts_svc.quality import fuse
from contracts_svc.quality.kind import Origin, count_where, table_named
from contracts_svc.quality.kinds import KIND_OF
from contracts_svc.quality.layout import Layout, where
from contracts_svc.runs import Breakdown, Check

FILENAME = "filename"
"""The column in which an engine tells the file that a row is from."""
WIDEST = 8
"""Columns of a sample."""
MOST_PARTS = 50
"""Partitions or files of a breakdown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """A query that counts the failing rows of some checks, file by file."""

    query: exp.Query
    outputs: Mapping[str, str]
    """Column of the answer -> check id."""


def sample_query(check: Check, layout: Layout, count: int) -> exp.Query | None:
    """Up to ``count`` failing rows: the key, the checked columns, then others; None where there are none.

    Columns of the answer go by their paths in the contract.
    """
    failing = fuse.failing(check, layout)
    if failing is None or count < 1:
        return None
    paths = _shown(check, layout)
    stored = [(p, layout.columns[p].shown) for p in paths]
    columns = [exp.alias_(e.copy(), p, quoted=True) for p, e in stored if e is not None]
    query = exp.select(*columns).from_(table_named(layout.table.name)).where(failing).limit(count)
    # Rows of one file come in its order; rows of a join come in none, so give them one.
    if KIND_OF[check.kind].origin is Origin.GROUP:
        query = query.order_by(*(exp.Literal.number(i + 1) for i in range(len(columns))))
    return query


def _shown(check: Check, layout: Layout) -> list[str]:
    table = layout.table
    wanted = [*(k.path for k in table.primary_key), *check.columns, *(c.path for c in table.columns)]
    there = [p for p in dict.fromkeys(wanted) if layout.columns[p].expression is not None]
    return there[: max(WIDEST, len(check.columns))]


def count_queries(checks: Iterable[Check], layout: Layout) -> tuple[Counts, ...]:
    """One query for all checks that look at single rows, and one for each of the others.

    None when the table is one file in no partition, or has a column of its own named ``filename``.
    """
    own = {n.casefold() for n in (*layout.extra, *(c.stored_name for c in layout.table.columns))}
    if len({where(f) for f in layout.files}) < 2 or FILENAME in own:
        return ()
    tests = [(c, e) for c in checks if (e := fuse.failing(c, layout)) is not None]
    groups = [[t] for t in tests if KIND_OF[t[0].kind].origin is Origin.GROUP]
    single = [t for t in tests if KIND_OF[t[0].kind].origin is not Origin.GROUP]
    return tuple(_counts(g, layout) for g in ([single] if single else []) + groups)


def _counts(tests: Sequence[tuple[Check, exp.Expr]], layout: Layout) -> Counts:
    file = exp.column(FILENAME)
    if len(tests) == 1:
        ((check, failing),) = tests
        query = exp.select(file, exp.alias_(exp.Count(this=exp.Star()), "n0"))
        query = query.from_(table_named(layout.table.name)).where(failing).group_by(file.copy())
        return Counts(query=query, outputs={"n0": check.id})
    columns = [exp.alias_(count_where(e), f"n{i}") for i, (_, e) in enumerate(tests)]
    query = exp.select(file, *columns).from_(table_named(layout.table.name)).group_by(file.copy())
    return Counts(query=query, outputs={f"n{i}": c.id for i, (c, _) in enumerate(tests)})


def breakdowns(
    counts: Counts, rows: Sequence[Mapping[str, Json]], layout: Layout
) -> dict[str, tuple[Breakdown, ...]]:
    """Check id -> failing rows per partition (per file where there are no partitions), worst first."""
    names = {f.path: where(f) for f in layout.files}
    found: dict[str, Counter[str]] = {check: Counter() for check in counts.outputs.values()}
    for row in rows:
        name = names.get(str(row[FILENAME]))
        for alias, check in counts.outputs.items():
            if name is not None and row[alias]:
                found[check][name] += int(row[alias])
    return {check: ordered(parts) for check, parts in found.items()}


def by_file(counts: Mapping[str, int], layout: Layout) -> tuple[Breakdown, ...]:
    """Failing rows per partition (per file where there are none), from those of each file."""
    if len({where(f) for f in layout.files}) < 2:
        return ()
    found: Counter[str] = Counter()
    for file in layout.files:
        if counts.get(file.path):
            found[where(file)] += counts[file.path]
    return ordered(found)


def published(parts: Iterable[Breakdown], layout: Layout) -> datetime | None:
    """When the first of these parts was last changed; without parts, when the table was. None: not known."""
    last: dict[str, datetime] = {}
    for file in layout.files:
        if file.published is None:
            return None
        name = where(file)
        last[name] = max(last.get(name, file.published), file.published)
    bad = [last[p.where] for p in parts if p.where in last]
    return min(bad) if bad else max(last.values(), default=None)


def ordered(parts: Mapping[str, int]) -> tuple[Breakdown, ...]:
    """Worst first; equals in natural order."""
    worst = sorted(parts.items(), key=lambda item: (-item[1], natural(item[0])))
    return tuple(Breakdown(where=name, failing=count) for name, count in worst[:MOST_PARTS])


def all_rows(layout: Layout) -> exp.Select:
    """Every row: the columns of the contract, as far as they are there, as values of its types."""
    columns = [(c.stored_name, layout.columns[c.path].expression) for c in layout.table.columns]
    there = [exp.alias_(value.copy(), name, quoted=True) for name, value in columns if value is not None]
    return exp.select(*there).from_(table_named(layout.table.name))
