"""Telling whole numbers apart by one bit each: keys whose footers say that they lie close together.

Counting how often each key is there takes a table of all keys. Where the keys are whole numbers within a
known range, one bit per number says whether it was there: as many bits as keys mean that no two are the
same. Only where there are fewer, somebody has to look closer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

from sqlglot import exp

from contracts_svc.files import DataFile
from contracts_svc.quality import fuse, split
from contracts_svc.quality.kind import call, table_named
from contracts_svc.quality.layout import Layout
from contracts_svc.quality.types import Family
from contracts_svc.runs import Check

MOST_BITS = 2**28
"""32 MB, for each thread of the engine."""
BITS_PER_ROW = 64
"""Where numbers lie further apart, a table of the keys is smaller."""
MOST_FILES = 2_000
"""An engine keeps in mind what it is asked together."""

_Span = tuple[int, int]
Unit = tuple[DataFile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Units of files whose keys are told apart together."""

    units: tuple[Unit, ...]
    spans: tuple[_Span, ...]
    """The least and the greatest number of each column of the key."""

    @property
    def files(self) -> tuple[DataFile, ...]:
        """The files of all units."""
        return tuple(f for unit in self.units for f in unit)

    @property
    def bits(self) -> int:
        """How many keys there could be."""
        return reduce(lambda a, b: a * b, (high - low + 1 for low, high in self.spans), 1)


def batches(check: Check, units: Sequence[Unit], layout: Layout) -> tuple[Batch, ...]:
    """The units whose keys can be told apart by bits, as few batches. Units in none of them cannot."""
    names = _names(check, layout)
    found: list[Batch] = []
    for unit in units if names else ():
        spans = _spans(names, unit, layout)
        if spans is None:
            continue
        alone = Batch(units=(unit,), spans=spans)
        if found and _fits(together := _together(found[-1], alone), layout):
            found[-1] = together
        elif _fits(alone, layout):
            found.append(alone)
    return tuple(found)


def query(check: Check, batch: Batch, layout: Layout, source: str) -> exp.Select:
    """Asks for ``keys``, how many rows have a key, and ``bits``, how many different keys there are.

    An engine refuses it where a number lies outside of what the footers say.
    """
    number: exp.Expr | None = None
    for value, (low, high) in zip(fuse.reads(check, layout).values, batch.spans, strict=True):
        above = exp.Sub(this=exp.cast(value, "BIGINT"), expression=exp.Literal.number(low))
        digit = exp.Paren(this=above)
        if number is None:
            number = digit
        else:
            radix = exp.Mul(this=exp.Paren(this=number), expression=exp.Literal.number(high - low + 1))
            number = exp.Add(this=radix, expression=digit)
    assert number is not None, "a key has columns"
    most = exp.Literal.number(batch.bits - 1)
    bits = call("bit_count", call("bitstring_agg", number, exp.Literal.number(0), most))
    found = exp.select(exp.alias_(exp.Count(this=number.copy()), "keys"), exp.alias_(bits, "bits"))
    return found.from_(table_named(source))


def _names(check: Check, layout: Layout) -> tuple[str, ...]:
    """The columns of the key, case folded; empty where one is no whole number."""
    reads = fuse.reads(check, layout)
    if not all(c.family is Family.INTEGER and not c.partition for c in reads.columns):
        return ()
    names = tuple(v.name.casefold() for v in reads.values if isinstance(v, exp.Column))
    return names if len(names) == len(reads.columns) else ()


def _spans(names: Sequence[str], unit: Unit, layout: Layout) -> tuple[_Span, ...] | None:
    """Between which numbers each column lies in these files; None where that is not known."""
    found: list[_Span] = []
    for name in names:
        told = [split.bounds(name, f, layout) for f in unit if not split.is_void(name, f, layout)]
        ends = [n for b in told if b is not None for n in (b.least, b.most) if isinstance(n, int)]
        if not ends or len(ends) < 2 * len(told):
            return None
        found.append((min(ends), max(ends)))
    return tuple(found)


def _together(one: Batch, other: Batch) -> Batch:
    spans = ((min(a, b), max(c, d)) for (a, c), (b, d) in zip(one.spans, other.spans, strict=True))
    return Batch(units=(*one.units, *other.units), spans=tuple(spans))


def _fits(batch: Batch, layout: Layout) -> bool:
    rows = sum(layout.rows_of.get(f.path, 0) for f in batch.files)
    few = len(batch.units) == 1 or len(batch.files) <= MOST_FILES
    return few and batch.bits <= min(MOST_BITS, BITS_PER_ROW * rows)
