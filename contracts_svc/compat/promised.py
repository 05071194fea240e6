"""Whether all values that a column lets through keep a limit, by everything that its contract says.

A limit is often implied by another: values of an enum lie within bounds, whole numbers above 5 are from
6 on, and an object with a required property has at least one. A limit that is implied breaks nobody.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction

from contracts_svc.compat import patterns
from contracts_svc.compat.thresholds import (
    EVERYTHING,
    Permitted,
    as_number,
    both,
    is_number,
    of_bounds,
    within,
)
from contracts_svc.model import Column, Json

LOWER, UPPER = ("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")
_SPANS = (("minLength", "maxLength"), ("minItems", "maxItems"), ("minProperties", "maxProperties"))
_FEWEST = tuple(least for least, _ in _SPANS)
_MOST_VALUES = 1_000
_NUMBERS = ("integer", "number")


def values_of(column: Column, most: int = _MOST_VALUES) -> tuple[Json, ...] | None:
    """All values that it lets through beside NULL; None: they are not known, or, where they are not
    listed, more than ``most``.

    Numbers that are no enum come as fractions.
    """
    if column.enum:
        return _listed(column)
    if permits_nothing(column):
        return ()
    if column.logical_type == "boolean":
        return (False, True)
    if column.logical_type == "string":
        return _texts(column)
    low, high, step = _end(column, LOWER), _end(column, UPPER), step_of(column)
    if low is None or high is None or low == high:
        return None if low is None or low != high else (low,)
    if step is None or (high - low) / step >= most:
        return None
    return tuple(low + i * step for i in range(int((high - low) / step) + 1))


def _listed(column: Column) -> tuple[Json, ...]:
    values = tuple(v for v in column.enum if v is not None)
    # Of a very long list it is enough to know that there are no others.
    if not column.logical_type_options or len(values) > _MOST_VALUES:
        return values
    return () if permits_nothing(column) else tuple(v for v in values if _keeps_its_own(v, column))


def _texts(column: Column) -> tuple[str, ...] | None:
    if column.logical_type_options.get("maxLength") == 0:
        return ("",)
    texts = patterns.few(_pattern(column)) if _pattern(column) else None
    if texts is None:
        return None
    return tuple(t for t in texts if all(_long_enough(t, n, column) for n in ("minLength", "maxLength")))


def keeps_pattern(column: Column, other: Column) -> bool | None:
    """Whether its texts match the other's pattern, where they are few; None: it cannot be told here."""
    values = values_of(column)
    if values is None or len(values) > _MOST_VALUES:
        return None
    return patterns.lets_through(_pattern(other), (v for v in values if isinstance(v, str)))


def as_pattern(column: Column) -> str:
    """A pattern that lets through all texts that the column does; there may be more."""
    written = _pattern(column)
    least, most = (column.logical_type_options.get(n) for n in ("minLength", "maxLength"))
    if least is None and most is None:
        return written
    counts = [n if isinstance(n, int) and n >= 0 else None for n in (least, most)]
    lengths = (counts[0] or 0, counts[1])
    return patterns.of_both(written, *lengths) if written else patterns.of_lengths(*lengths)


def _pattern(column: Column) -> str:
    """The column's pattern; the one that lets everything through where there is none."""
    written = column.logical_type_options.get("pattern")
    return written if isinstance(written, str) else ""


def permits_nothing(column: Column) -> bool:
    """Whether limits of one kind rule each other out."""
    options = column.logical_type_options
    for least, most in _SPANS:
        fewest: Json = options.get(least, 0)
        if least == "minProperties":
            fewest = max(fewest if is_number(fewest) else 0, len(required_of(column)))
        if is_number(fewest) and is_number(options.get(most)) and fewest > options[most]:
            return True
    limits = [_written(column, ends) for ends in (LOWER, UPPER)]
    low, high = _end(column, LOWER), _end(column, UPPER)
    if low is not None and high is not None:
        return low > high
    return None not in limits and both(*(limit or () for limit in limits)) == ()


def outside(values: Iterable[Json], allowed: Iterable[Json]) -> tuple[Json, ...]:
    """Which of the values are not allowed, by JSON's equality: 1 is 1.0, and neither is true."""
    known = {_key(v) for v in allowed}
    return tuple(v for v in values if _key(v) not in known)


def _key(value: Json) -> tuple[bool, Json]:
    plain = isinstance(value, str | int | float | Fraction | None)
    return isinstance(value, bool), value if plain else repr(value)


def bounds(column: Column, ends: tuple[str, str]) -> Permitted | None:
    """What the bounds at one end let through, among the column's own values; None: it cannot be told."""
    found = _written(column, ends)
    end = _end(column, ends)
    if found is None or end is None:
        return found
    return (((end, 0), (math.inf, 0)),) if ends == LOWER else (((-math.inf, 0), (end, 0)),)


def keeps_bounds(column: Column, ends: tuple[str, str], other: Column) -> bool | None:
    """Whether its values keep the other's bounds at one end; None: it cannot be told."""
    limit = bounds(other, ends)
    if limit is None or limit == EVERYTHING:
        return None if limit is None else True
    if column.enum:
        return all(_in(v, limit) for v in _listed(column))
    if permits_nothing(column):
        return True
    own = bounds(column, ends)
    return None if own is None else within(own, limit)


def keeps_step(column: Column, other: Column) -> bool | None:
    """Whether its values are multiples of the other's ``multipleOf``; None: it cannot be told."""
    if other.logical_type_options.get("multipleOf") is None:
        return True
    step = _fraction(other.logical_type_options["multipleOf"])
    if step is None or step <= 0:
        return None
    own = step_of(column)
    if own is not None and (own / step).denominator == 1:
        return True
    # Of two neighbours in a step at most one is a multiple of another step.
    values = values_of(column, most=1)
    fractions = [_fraction(v) for v in values or ()]
    return values is not None and all(f is not None and (f / step).denominator == 1 for f in fractions)


def keeps_count(column: Column, name: str, other: Column) -> bool | None:
    """Whether its values keep the other's length or count ``name``; None: it cannot be told."""
    limit: Json = other.logical_type_options.get(name)
    if limit is None or (limit == 0 and name in _FEWEST):
        return True
    own: Json = column.logical_type_options.get(name)
    if not is_number(limit) or not (own is None or is_number(own)):
        return None
    if permits_nothing(column):
        return True
    values = values_of(column) if name.endswith("Length") else None
    if values is not None:
        return all(_long_enough(v, name, other) for v in values if isinstance(v, str))
    shortest, longest = patterns.span(_pattern(column)) if name.endswith("Length") else (0, None)
    least = len(required_of(column)) if name == "minProperties" else shortest
    if name in _FEWEST:
        return bool(max(own or 0, least) >= limit)
    return any(most is not None and most <= limit for most in (own, longest))


def keeps_uniqueness(column: Column) -> bool:
    """Whether its entries cannot repeat."""
    if permits_nothing(column):
        return True
    most: Json = column.logical_type_options.get("maxItems")
    return bool(column.logical_type_options.get("uniqueItems")) or (is_number(most) and bool(most <= 1))


def keeps_required(column: Column, other: Column) -> bool | None:
    """Whether its objects have the properties that the other requires; None: it cannot be told."""
    listed = other.logical_type_options.get("required")
    if not isinstance(listed, list | tuple | None):
        return None
    return not lacking(column, listed)


def lacking(column: Column, listed: Json) -> tuple[str, ...]:
    """Which of these properties its objects may lack."""
    known = required_of(column)
    return () if permits_nothing(column) else tuple(n for n in names_in(listed) if n not in known)


def required_of(column: Column) -> frozenset[str]:
    """Properties that every object must have."""
    listed = names_in(column.logical_type_options.get("required"))
    return frozenset([*listed, *(c.name for c in column.columns if c.required)])


def names_in(listed: Json) -> tuple[str, ...]:
    """The names in a list of properties; none in anything else."""
    return tuple(map(str, listed)) if isinstance(listed, list | tuple) else ()


def step_of(column: Column) -> Fraction | None:
    """The step that its numbers come in; None: none, or it cannot be told."""
    written = _fraction(column.logical_type_options.get("multipleOf"))
    step = written if written is not None and written > 0 else None
    if column.logical_type != "integer":
        return step
    # Whole numbers that are multiples of a step are multiples of the least whole multiple of it.
    return Fraction(1) if step is None else Fraction(step.numerator)


def _end(column: Column, ends: tuple[str, str]) -> Fraction | None:
    """The least or greatest number that there can be, by bounds and step; None: there is none, or it
    is not known."""
    written = _written(column, ends)
    if column.logical_type not in _NUMBERS or written is None or len(written) != 1:
        return None
    number, beside = written[0][0 if ends == LOWER else 1]
    bound, step = _fraction(number), step_of(column)
    if bound is None or (step is None and beside):
        return None
    if step is None:
        return bound
    times = bound / step
    if ends == LOWER:
        return (math.floor(times) + 1 if beside else math.ceil(times)) * step
    return (math.ceil(times) - 1 if beside else math.floor(times)) * step


def _keeps_its_own(value: Json, column: Column) -> bool:
    """Whether a value of the enum keeps the column's other limits."""
    limits = (_written(column, ends) for ends in (LOWER, UPPER))
    if not all(limit in (None, EVERYTHING) or _in(value, limit) for limit in limits):
        return False
    step, number = _fraction(column.logical_type_options.get("multipleOf")), _fraction(value)
    if step is not None and step > 0 and number is not None and (number / step).denominator != 1:
        return False
    if not isinstance(value, str):
        return True
    lengths = all(_long_enough(value, n, column) for n in ("minLength", "maxLength"))
    return lengths and patterns.lets_through(_pattern(column), (value,)) is not False


def _long_enough(text: str, name: str, column: Column) -> bool:
    limit: Json = column.logical_type_options.get(name)
    if not is_number(limit):
        return True
    return bool(len(text) >= limit if name in _FEWEST else len(text) <= limit)


def _written(column: Column, ends: tuple[str, str]) -> Permitted | None:
    options = column.logical_type_options
    limits = [(options.get(ends[0]), False), (options.get(ends[1]), True)]
    return of_bounds(limits, []) if ends == LOWER else of_bounds([], limits)


def _in(value: Json, limit: Permitted | None) -> bool:
    number = value if isinstance(value, Fraction) else as_number(value)
    return number is not None and limit is not None and within((((number, 0), (number, 0)),), limit)


def _fraction(value: Json) -> Fraction | None:
    """A number exactly as it is written in decimals; None for anything else."""
    if isinstance(value, Fraction):
        return value
    if not is_number(value):
        return None
    if isinstance(value, int):
        return Fraction(value)
    # 0.3 is a multiple of 0.1, though not in binary fractions.
    return Fraction(repr(value)) if math.isfinite(value) else None
