"""Finding keys without a match without a table of all keys: by their hashes.

Equal keys have equal hashes, so a key whose hash no key of the other table has is without a match for
certain. One is overlooked only where a key of the other table has the same 64-bit hash by chance: among a
hundred million of those, once in 10^11 orphans.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from contracts_svc.quality import fuse
from contracts_svc.quality.kind import call, table_named
from contracts_svc.quality.layout import Layout
from contracts_svc.quality.repeats import HASH
from contracts_svc.runs import Check

FEW_ROWS = 2_000_000
"""So many rows of both tables are joined at once, in memory."""
INTEGERS = frozenset(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"))
KIND = "kind"

Side = tuple[tuple[exp.Expr, ...], exp.Table]
"""The parts of a key, and the table that they are of."""


def sides(check: Check, layout: Layout, query: exp.Query) -> tuple[Side, Side] | None:
    """The key in the table that is checked, and in the one that it refers to, by the question that asks for
    keys without a match. None for values inside of arrays."""
    reads = fuse.reads(check, layout)
    match = query.find(exp.Exists)
    if match is None or any(c.elements is not None for c in reads.columns):
        return None
    target = match.this.find(exp.Table)
    return (reads.values, reads.source), (tuple(e.this for e in _equal(match)), target)


def rows(side: Side) -> exp.Select:
    """Asks for the number of rows, as ``n``."""
    return exp.select(exp.alias_(exp.Count(this=exp.Star()), "n")).from_(side[1].copy())


def kinds(side: Side) -> exp.Select:
    """Asks for the types of the parts of a key, ``kind0``, ``kind1`` ...; no row where there is none."""
    values, table = side
    named = (exp.alias_(call("typeof", v.copy()), f"{KIND}{i}") for i, v in enumerate(values))
    return exp.select(*named).from_(table.copy()).limit(1)


def comparable(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether equal keys of these types have equal hashes."""
    return all(a == b or {a, b} <= INTEGERS for a, b in zip(one, other, strict=True))


def hashes(side: Side, types: Sequence[str]) -> exp.Select:
    """The hash of every key of a table; NULL has no match and needs none."""
    values, table = side
    given = [exp.Is(this=v.copy(), expression=exp.null()).not_() for v in values]
    return exp.select(exp.alias_(_hash(values, types), HASH)).from_(table.copy()).where(*given)


def among(
    query: exp.Query, side: Side, types: Sequence[str], lacking: str, within: tuple[int, int]
) -> exp.Query:
    """The same question; keys without a match are those whose hashes are in a table, and within a range."""
    copied = query.copy()
    for match in list(copied.find_all(exp.Exists)):
        negated = match.parent
        assert isinstance(negated, exp.Not), "it is asked for what has no match"
        asking = match.parent_select
        inside = asking.find_all(exp.Select) if asking is not None else ()
        grouped = next((s for s in inside if s.args.get("group") and s is not asking), None)
        if grouped is None:
            negated.replace(_is_among([e.expression for e in _equal(match)], types, lacking, within))
        else:
            # Before its keys are grouped, so that few are.
            grouped.where(_is_among(side[0], types, lacking, within), copy=False)
            negated.replace(exp.true())
    return copied


def _is_among(
    values: Sequence[exp.Expr], types: Sequence[str], lacking: str, within: tuple[int, int]
) -> exp.Expr:
    hashed = _hash(values, types)
    least, most = map(exp.Literal.number, within)
    listed = exp.In(this=hashed, query=exp.select(HASH).from_(table_named(lacking)).subquery())
    return exp.Paren(this=exp.and_(exp.Between(this=hashed.copy(), low=least, high=most), listed))


def _equal(match: exp.Exists) -> list[exp.EQ]:
    """What of the other table is to be equal to what of the key."""
    return list(match.this.args["where"].find_all(exp.EQ))


def _hash(values: Sequence[exp.Expr], types: Sequence[str]) -> exp.Expr:
    parts = (
        exp.cast(v.copy(), "BIGINT", dialect="duckdb") if t in INTEGERS else v.copy()
        for v, t in zip(values, types, strict=True)
    )
    return call("hash", *parts)
