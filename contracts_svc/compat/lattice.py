"""The lattice of types: what the values of one type are to another type.

Types are compared as sets of values, whatever a dialect calls them. Nothing here parses text.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class Relation(StrEnum):
    """What becomes of values when a type changes from old to new."""

    EQUAL = "equal"
    """The same values."""
    WIDENED = "widened"
    """Every old value is a new value, unchanged; there are more."""
    NARROWED = "narrowed"
    """Every new value is an old value; some old values no longer fit."""
    LOSSY = "lossy"
    """They convert, but neither holds all of the other: values are rounded, cut or rejected."""
    REINTERPRETED = "reinterpreted"
    """They convert, but the values then mean something else: a time zone, a unit, a time of day."""
    INCOMPATIBLE = "incompatible"
    """They do not convert by themselves."""
    UNKNOWN = "unknown"
    """One of them is not known, so only the names could be compared, and they differ."""

    @property
    def mirrored(self) -> Relation:
        """The relation when old and new change places."""
        swap = {Relation.WIDENED: Relation.NARROWED, Relation.NARROWED: Relation.WIDENED}
        return swap.get(self, self)


@dataclass(frozen=True, slots=True)
class Integer:
    """Whole numbers from low to high."""

    low: int
    high: int

    @classmethod
    def bits(cls, bits: int, signed: bool = True) -> Integer:
        """As two's complement has them."""
        return cls(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else cls(0, 2**bits - 1)


@dataclass(frozen=True, slots=True)
class Decimal:
    """Fixed point. Precision None: no bound (PostgreSQL's plain numeric)."""

    precision: int | None
    scale: int


@dataclass(frozen=True, slots=True)
class Float:
    """IEEE 754 binary floating point of 16, 32 or 64 bits."""

    bits: int

    @property
    def exact(self) -> int:
        """Every whole number up to this one is held exactly."""
        return int(2 ** {16: 11, 32: 24, 64: 53}[self.bits])


@dataclass(frozen=True, slots=True)
class AnyNumber:
    """A number of which nothing more is said."""


@dataclass(frozen=True, slots=True)
class Text:
    """Character strings of at most ``length``; None: no bound. ``fixed``: padded to the length."""

    length: int | None = None
    fixed: bool = False


@dataclass(frozen=True, slots=True)
class Binary:
    """Byte strings of at most ``length``; None: no bound. ``fixed``: exactly that many."""

    length: int | None = None
    fixed: bool = False


@dataclass(frozen=True, slots=True)
class Enum:
    """One of these strings; None: not said which."""

    symbols: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Moment:
    """A ``timestamp`` or ``time``, with so many digits of a second.

    ``zoned`` None: not said. ``raw``: stored as a bare count of that unit, so that another unit
    reads another moment (Avro). ``short``: 64 bits of nanoseconds, which end in the year 2262.
    """

    kind: str
    digits: int
    zoned: bool | None
    raw: bool = False
    short: bool = False


@dataclass(frozen=True, slots=True)
class Plain:
    """A type without parameters: boolean, date, uuid, json, variant, interval, ..."""

    name: str


@dataclass(frozen=True, slots=True)
class NotNull:
    """A field of a struct that always has a value, which only some dialects write in the type."""

    inner: Shape


@dataclass(frozen=True, slots=True)
class Array:
    """A list. Element None: not said. Size None: any number of elements."""

    element: Shape | None
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Struct:
    """Named fields, names in lower case; None: not said which."""

    fields: tuple[tuple[str, Shape], ...] | None


@dataclass(frozen=True, slots=True)
class Map:
    """Keys and values; None: not said."""

    parts: tuple[Shape, Shape] | None


@dataclass(frozen=True, slots=True)
class Union:
    """A value of one of these types; made by :func:`union`."""

    branches: frozenset[Shape]


@dataclass(frozen=True, slots=True)
class Unknown:
    """A type that is not known, by its name in lower case."""

    name: str


Number: TypeAlias = Integer | Decimal | Float | AnyNumber
Shape: TypeAlias = (
    Number | Text | Binary | Enum | Moment | Plain | NotNull | Array | Struct | Map | Union | Unknown
)

NOTHING_BUT_NULL = Plain("null")
"""Void in Spark, unknown in Iceberg: the type of a column that has no value yet, and may become any."""
VARIANT = Plain("variant")
DATE = Plain("date")
_NUMBERS = (Integer, Decimal, Float, AnyNumber)
_STRINGS = (Text, Enum, Plain)


def union(branches: Iterable[Shape]) -> Shape:
    """The union of these types: each once, and a union of one type is that type."""
    found = frozenset(branches)
    return next(iter(found)) if len(found) == 1 else Union(found)


def relate(old: Shape, new: Shape) -> Relation:
    """The relation of two types; swapping them gives the mirrored relation."""
    if old == new:
        return Relation.EQUAL
    if isinstance(old, NotNull) or isinstance(new, NotNull):
        return _not_null(old, new)
    if isinstance(old, Unknown) or isinstance(new, Unknown):
        return Relation.UNKNOWN
    if VARIANT in (old, new):
        return Relation.WIDENED if new == VARIANT else Relation.NARROWED
    if isinstance(old, Union) or isinstance(new, Union):
        return _unions(_branches(old), _branches(new))
    if NOTHING_BUT_NULL in (old, new):
        return Relation.WIDENED if old == NOTHING_BUT_NULL else Relation.NARROWED
    if isinstance(old, _NUMBERS) and isinstance(new, _NUMBERS):
        return _by_sets(_holds_number(new, old), _holds_number(old, new))
    if isinstance(old, _STRINGS) and isinstance(new, _STRINGS):
        return _strings(old, new)
    if isinstance(old, Binary) and isinstance(new, Binary):
        return _by_sets(_more_bytes(new, old), _more_bytes(old, new))
    if isinstance(old, Moment) and isinstance(new, Moment):
        return _moments(old, new)
    if isinstance(old, Array) and isinstance(new, Array):
        return _arrays(old, new)
    if isinstance(old, Struct) and isinstance(new, Struct):
        return _structs(old, new)
    if isinstance(old, Map) and isinstance(new, Map):
        return _maps(old, new)
    return _across(old, new)


def combined(relations: Iterable[Relation]) -> Relation:
    """The relation of a whole whose parts are related so."""
    found = set(relations) - {Relation.EQUAL}
    for worst in (Relation.INCOMPATIBLE, Relation.UNKNOWN, Relation.REINTERPRETED, Relation.LOSSY):
        if worst in found:
            return worst
    if found >= {Relation.WIDENED, Relation.NARROWED}:
        return Relation.LOSSY
    return next(iter(found), Relation.EQUAL)


def _not_null(old: Shape, new: Shape) -> Relation:
    before, after = (s.inner if isinstance(s, NotNull) else s for s in (old, new))
    nulls = _by_sets(not isinstance(new, NotNull), not isinstance(old, NotNull))
    same = isinstance(old, NotNull) and isinstance(new, NotNull)
    return combined([relate(before, after), Relation.EQUAL if same else nulls])


def _by_sets(new_holds_old: bool, old_holds_new: bool) -> Relation:
    if new_holds_old and old_holds_new:
        return Relation.EQUAL
    if new_holds_old:
        return Relation.WIDENED
    return Relation.NARROWED if old_holds_new else Relation.LOSSY


def _holds_number(outer: Number, inner: Number) -> bool:
    """Whether every number of ``inner`` is one of ``outer``, exactly."""
    if isinstance(outer, AnyNumber) or outer == inner:
        return True
    if isinstance(outer, Float):
        if isinstance(inner, Float):
            return outer.bits >= inner.bits
        reach = _reach(inner)
        return reach is not None and max(map(abs, reach)) <= outer.exact
    if isinstance(outer, Decimal):
        return _decimal_holds(outer, inner)
    reach = _reach(inner)
    return reach is not None and outer.low <= reach[0] and reach[1] <= outer.high


def _reach(number: Number) -> tuple[int, int] | None:
    """The lowest and highest value, when all values are whole and bounded."""
    if isinstance(number, Integer):
        return number.low, number.high
    if isinstance(number, Decimal) and number.precision is not None and number.scale <= 0:
        high = (10**number.precision - 1) * 10**-number.scale
        return -high, high
    return None


def _decimal_holds(outer: Decimal, inner: Number) -> bool:
    if isinstance(inner, Integer):
        if outer.precision is None:
            return True
        digits = max(len(str(abs(inner.low))), len(str(abs(inner.high))))
        return outer.scale >= 0 and outer.precision - outer.scale >= digits
    if not isinstance(inner, Decimal):
        return False
    if outer.precision is None or inner.precision is None:
        return outer.precision is None
    whole = outer.precision - outer.scale >= inner.precision - inner.scale
    return whole and outer.scale >= inner.scale


def _more_bytes(outer: Binary, inner: Binary) -> bool:
    """Whether every byte string of ``inner`` is one of ``outer``: fixed ones are never padded."""
    return _longer(outer, inner) and (not outer.fixed or outer.length == inner.length)


def _longer(outer: Text | Binary, inner: Text | Binary) -> bool:
    """Whether every string of ``inner`` is one of ``outer``."""
    if outer.fixed and not inner.fixed:
        return False
    if outer.length is None:
        return True
    return inner.length is not None and outer.length >= inner.length


def _strings(old: Text | Enum | Plain, new: Text | Enum | Plain) -> Relation:
    if isinstance(old, Text) and isinstance(new, Text):
        return _by_sets(_longer(new, old), _longer(old, new))
    if isinstance(old, Enum) and isinstance(new, Enum):
        if old.symbols is None or new.symbols is None:
            return _by_sets(new.symbols is None, old.symbols is None)
        return _by_sets(new.symbols >= old.symbols, old.symbols >= new.symbols)
    if isinstance(old, Text):
        return _text_to(old, new).mirrored
    if isinstance(new, Text):
        return _text_to(new, old)
    return _across(old, new)


def _text_to(text: Text, other: Text | Enum | Plain) -> Relation:
    """From ``other`` to text: an enum's symbols and JSON documents are strings."""
    if isinstance(other, Enum):
        length = max((len(s) for s in other.symbols), default=0) if other.symbols is not None else None
        fits = text.length is None or (length is not None and length <= text.length)
        return Relation.WIDENED if fits else Relation.LOSSY
    if other == Plain("json"):
        return Relation.WIDENED if text.length is None else Relation.LOSSY
    return Relation.INCOMPATIBLE


def _moments(old: Moment, new: Moment) -> Relation:
    if old.kind != new.kind:
        return Relation.INCOMPATIBLE
    if None not in (old.zoned, new.zoned) and old.zoned != new.zoned:
        return Relation.REINTERPRETED
    if (old.raw or new.raw) and old.digits != new.digits:
        return Relation.REINTERPRETED
    return _by_sets(_finer(new, old), _finer(old, new))


def _finer(outer: Moment, inner: Moment) -> bool:
    return outer.digits >= inner.digits and (inner.short or not outer.short)


def _arrays(old: Array, new: Array) -> Relation:
    if old.size is not None and new.size is not None and old.size != new.size:
        return Relation.INCOMPATIBLE
    size = _by_sets(new.size is None, old.size is None) if old.size != new.size else Relation.EQUAL
    return combined([size, _part(old.element, new.element)])


def _part(old: Shape | None, new: Shape | None) -> Relation:
    """The relation of two parts, of which one may not be said: then it holds anything."""
    if old is None or new is None:
        return _by_sets(new is None, old is None)
    return relate(old, new)


def _structs(old: Struct, new: Struct) -> Relation:
    if old.fields is None or new.fields is None:
        return _by_sets(new.fields is None, old.fields is None)
    olds, news = dict(old.fields), dict(new.fields)
    if olds and news and not olds.keys() & news.keys():
        return Relation.INCOMPATIBLE
    parts = [relate(olds[name], news[name]) for name in olds.keys() & news.keys()]
    if news.keys() - olds.keys():
        parts.append(Relation.WIDENED)
    if olds.keys() - news.keys():
        parts.append(Relation.NARROWED)
    return combined(parts)


def _maps(old: Map, new: Map) -> Relation:
    if old.parts is None or new.parts is None:
        return _by_sets(new.parts is None, old.parts is None)
    return combined(relate(o, n) for o, n in zip(old.parts, new.parts, strict=True))


def _branches(shape: Shape) -> frozenset[Shape]:
    return shape.branches if isinstance(shape, Union) else frozenset({shape})


def _unions(olds: frozenset[Shape], news: frozenset[Shape]) -> Relation:
    """Branch by branch: what every branch of one finds in the other, that other holds."""
    pairs = {(o, n): _branch(o, n) for o in olds for n in news}
    kept, held = (Relation.EQUAL, Relation.WIDENED), (Relation.EQUAL, Relation.NARROWED)
    new_holds = all(any(pairs[o, n] in kept for n in news) for o in olds)
    old_holds = all(any(pairs[o, n] in held for o in olds) for n in news)
    if new_holds or old_holds:
        return _by_sets(new_holds, old_holds)
    found = set(pairs.values())
    for worst in (Relation.UNKNOWN, Relation.REINTERPRETED):
        if worst in found:
            return worst
    return Relation.INCOMPATIBLE if found == {Relation.INCOMPATIBLE} else Relation.LOSSY


def _branch(old: Shape, new: Shape) -> Relation:
    """NULL in a union is a branch of its own, and not a value of every other."""
    if old != new and NOTHING_BUT_NULL in (old, new):
        return Relation.INCOMPATIBLE
    return relate(old, new)


def _across(old: Shape, new: Shape) -> Relation:
    """Types of two families: most do not convert."""
    for one, other in ((old, new), (new, old)):
        if one == DATE and isinstance(other, Moment) and other.kind == "timestamp":
            return Relation.REINTERPRETED
        if isinstance(one, Binary) and (isinstance(other, Text) or other == Plain("uuid")):
            return Relation.REINTERPRETED
    return Relation.INCOMPATIBLE
