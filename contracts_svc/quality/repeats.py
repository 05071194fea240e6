"""Finding keys that are there twice without a table of all keys: by their hashes, and then exactly.

Equal keys have equal hashes. So where no hash comes twice, no key does; where some do, only the rows with
these hashes are grouped by their keys, which tells two keys that only share a hash.
"""

from __future__ import annotations

from sqlglot import exp

from contracts_svc.quality import fuse
from contracts_svc.quality.kind import call, table_named
from contracts_svc.quality.layout import Layout
from contracts_svc.runs import Check

FEW_ROWS = 1_000_000
"""As many keys as are grouped at once, in a table in memory."""
HASH = "h"


def hashes(check: Check, layout: Layout, source: str) -> exp.Select:
    """The hash of the check's key, of every row of a source that has one; NULL equals nothing."""
    reads = fuse.reads(check, layout)
    given = [exp.Is(this=v, expression=exp.null()).not_() for v in reads.values]
    found = exp.select(exp.alias_(_hash(check, layout), HASH)).from_(table_named(source))
    return found.where(*given)


def among(query: exp.Query, check: Check, layout: Layout, repeats: str, within: tuple[int, int]) -> exp.Query:
    """The same question, about the keys whose hashes are in the table ``repeats``, and within a range.

    ``query`` is one that groups the rows of a table by the check's key.
    """
    least, most = map(exp.Literal.number, within)
    copied = query.copy()
    for grouped in _groupings(copied):
        listed = exp.In(
            this=_hash(check, layout), query=exp.select(HASH).from_(table_named(repeats)).subquery()
        )
        near = exp.Between(this=_hash(check, layout), low=least.copy(), high=most.copy())
        grouped.where(near, listed, copy=False)
    return copied


def of_files(query: exp.Query, source: str | None) -> exp.Query:
    """The same question, its keys grouped over a part of the table only; None: over no row at all."""
    copied = query.copy()
    for grouped in _groupings(copied):
        if source is None:
            grouped.where(exp.false(), copy=False)
        else:
            grouped.from_(table_named(source), copy=False)
    return copied


def _groupings(query: exp.Query) -> list[exp.Select]:
    """Where keys are grouped to find those of several rows."""
    return [s for s in query.find_all(exp.Select) if s.args.get("having") is not None]


def _hash(check: Check, layout: Layout) -> exp.Expr:
    return call("hash", *fuse.reads(check, layout).values)
