"""Which readers keep every value when a file of one type is read as another.

By the lattice (:func:`contracts_svc.compat.lattice.relate`) a reader keeps all values when the new type is
EQUAL or WIDENED, and otherwise fails or changes some. DEVIATIONS is where a reader does otherwise; a test
writes files of every type and reads them as every other to prove it. Measured with DuckDB 1.5, pyarrow 26,
fastavro 1.13, Spark 4.0 and 4.3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from contracts_svc.compat.lattice import (
    DATE,
    NOTHING_BUT_NULL,
    Array,
    Binary,
    Decimal,
    Enum,
    Float,
    Integer,
    Map,
    Moment,
    NotNull,
    Relation,
    Shape,
    Struct,
    Text,
    Union,
    relate,
)
from contracts_svc.model import Contract

READERS: Mapping[str, tuple[str, ...]] = {
    "parquet": ("DuckDB", "pyarrow", "Spark"),
    "avro": ("fastavro",),
}
"""Format of the files -> who is known to read them."""

KEPT = (Relation.EQUAL, Relation.WIDENED)


@dataclass(frozen=True, slots=True)
class Deviation:
    """A reader that does not do what the lattice says."""

    reader: str
    what: str
    applies: Callable[[Shape, Shape], bool]
    keeps: bool


def _spark_decimal_too_small(old: Shape, new: Shape) -> bool:
    if not (isinstance(old, Integer) and isinstance(new, Decimal) and new.precision is not None):
        return False
    return old.low < 0 and new.precision - new.scale < (10 if old.high < 2**31 else 20)


def _spark_null(old: Shape, new: Shape) -> bool:
    if old != NOTHING_BUT_NULL or new in (DATE, Float(64)) or isinstance(new, Integer):
        return False
    return not (isinstance(new, Decimal) and new.precision is not None and new.precision - new.scale >= 10)


def _spark_unsigned_to_decimal(old: Shape, new: Shape) -> bool:
    unsigned = isinstance(old, Integer) and old.low == 0 and isinstance(new, Decimal)
    return unsigned and (old, new) != (Integer.bits(64, signed=False), Decimal(20, 0))


def _fields_added(old: Shape, new: Shape) -> bool:
    if not (isinstance(old, Struct) and isinstance(new, Struct) and old.fields and new.fields):
        return False
    return bool(dict(new.fields).keys() - dict(old.fields).keys())


def _same_kind_of_moment(old: Shape, new: Shape) -> bool:
    if not (isinstance(old, Moment) and isinstance(new, Moment)):
        return False
    promoted = old.kind == "timestamp" or old.digits <= new.digits
    return promoted and (old.kind, old.zoned) == (new.kind, new.zoned)


def _fields_as_map(old: Shape, new: Shape) -> bool:
    if not (isinstance(old, Struct) and isinstance(new, Map) and old.fields and new.parts):
        return False
    value = new.parts[1]
    return isinstance(new.parts[0], Text) and all(keeps("DuckDB", shape, value) for _, shape in old.fields)


DEVIATIONS: tuple[Deviation, ...] = (
    Deviation("DuckDB", "a struct becomes a map of its fields", _fields_as_map, True),
    Deviation(
        "Spark",
        "whole numbers of 8 and 16 bits are not read as FLOAT",
        lambda old, new: isinstance(old, Integer) and new == Float(32),
        False,
    ),
    Deviation(
        "Spark",
        "unsigned whole numbers of 32 bits overflow in DOUBLE",
        lambda old, new: old == Integer.bits(32, signed=False) and new == Float(64),
        False,
    ),
    Deviation(
        "Spark",
        "a column that has no value yet is stored as INT32, and read as what that is read as",
        _spark_null,
        False,
    ),
    Deviation(
        "Spark",
        "a decimal needs 10 whole digits to hold any stored in 32 bits, 20 for 64",
        _spark_decimal_too_small,
        False,
    ),
    Deviation(
        "Spark",
        "unsigned whole numbers are not read as decimals; only those of 64 bits are DECIMAL(20, 0)",
        _spark_unsigned_to_decimal,
        False,
    ),
    Deviation(
        "Spark",
        "a decimal is not read as a whole or floating number",
        lambda old, new: isinstance(old, Decimal) and isinstance(new, Integer | Float),
        False,
    ),
    Deviation(
        "fastavro",
        "int is read as float with the 64 bits of a Python float",
        lambda old, new: old == Integer.bits(32) and new == Float(32),
        True,
    ),
    Deviation(
        "fastavro",
        "a decimal is stored as bytes, which no whole number is promoted to",
        lambda old, new: isinstance(old, Integer) and isinstance(new, Decimal),
        False,
    ),
    Deviation(
        "fastavro",
        "decimals are read with the precision and scale they were written with",
        lambda old, new: isinstance(old, Decimal) and isinstance(new, Decimal),
        True,
    ),
    Deviation(
        "fastavro",
        "null is not promoted, but where it is a branch of a union",
        lambda old, new: old == NOTHING_BUT_NULL and not isinstance(new, Union),
        False,
    ),
    Deviation(
        "fastavro",
        "fixed is not promoted to bytes",
        lambda old, new: isinstance(old, Binary) and isinstance(new, Binary) and old.fixed != new.fixed,
        False,
    ),
    Deviation(
        "fastavro",
        "an enum is not promoted to string",
        lambda old, new: isinstance(old, Enum) and isinstance(new, Text),
        False,
    ),
    Deviation(
        "fastavro",
        "moments are read in the unit they were written in",
        _same_kind_of_moment,
        True,
    ),
    Deviation("fastavro", "a field without default must have been written", _fields_added, False),
)


def keeps(reader: str, old: Shape, new: Shape) -> bool:
    """Whether the reader reads data of the old type as the new one, every value unchanged; NULLs are none."""
    old, new = (s.inner if isinstance(s, NotNull) else s for s in (old, new))
    if old == new:
        return True
    for deviation in DEVIATIONS:
        if deviation.reader == reader and deviation.applies(old, new):
            return deviation.keeps
    if isinstance(old, Union) or isinstance(new, Union):
        olds, news = (s.branches if isinstance(s, Union) else {s} for s in (old, new))
        return all(any(keeps(reader, o, n) for n in news) for o in olds)
    if isinstance(old, Array) and isinstance(new, Array) and old.element and new.element:
        return new.size in (None, old.size) and keeps(reader, old.element, new.element)
    if isinstance(old, Map) and isinstance(new, Map) and old.parts and new.parts:
        return all(keeps(reader, o, n) for o, n in zip(old.parts, new.parts, strict=True))
    if isinstance(old, Struct) and isinstance(new, Struct) and old.fields and new.fields:
        news_by_name = dict(new.fields)
        return all(n in news_by_name and keeps(reader, s, news_by_name[n]) for n, s in old.fields)
    return relate(old, new) in KEPT


def readers_of(contract: Contract) -> tuple[str, ...]:
    """Who is known to read the data of this contract, by the formats of its servers."""
    formats = {str(server.fields.get("format") or "").lower() for server in contract.servers}
    return tuple(reader for format_, names in READERS.items() if format_ in formats for reader in names)


@lru_cache(maxsize=1_024)
def breaking(readers: tuple[str, ...], old: Shape, new: Shape) -> tuple[str, ...]:
    """Those of the readers that fail or change values when they read data of the old type as the new one."""
    return tuple(reader for reader in readers if not keeps(reader, old, new))


@lru_cache(maxsize=1_024)
def differing(readers: tuple[str, ...], old: Shape, new: Shape) -> str:
    """Who keeps the values and who breaks, where that is not what the lattice says of all; else nothing."""
    broken = breaking(readers, old, new)
    if len(broken) == (0 if relate(old, new) in KEPT else len(readers)):
        return ""
    kept = [reader for reader in readers if reader not in broken]
    told = [f"{_listed(kept)} {'keeps' if len(kept) == 1 else 'keep'} every value"] if kept else []
    told += [f"{_listed(broken)} {'breaks' if len(broken) == 1 else 'break'}"] if broken else []
    return ", ".join(told)


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
