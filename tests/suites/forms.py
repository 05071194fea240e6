"""What one JSON value can be, in the words of a contract: one type with its limits.

Test-only: the algebra that brings combinations of JSON Schemas into that form where it can hold them.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import reduce
from typing import Any

Json = Any


class NotExpressible(Exception):
    """``kind`` names what a contract cannot say."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class Nothing(NotExpressible):
    """No value satisfies the schema."""

    def __init__(self) -> None:
        super().__init__("nothing")


@dataclass(frozen=True, kw_only=True)
class Form:
    """What a column can be. ``type`` None: any. ``values`` is what an object used as a map holds."""

    type: str | None = None
    nullable: bool = False
    enum: tuple[Json, ...] | None = None
    limits: Mapping[str, Json] = field(default_factory=dict)
    properties: Mapping[str, Form] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    items: Form | None = None
    values: Form | None = None
    closed: bool = False
    """No further properties. A contract does not say so."""
    union: frozenset[str] = frozenset()
    """Several types without limits, of which a value has one; ``type`` is None then."""


ANYTHING = Form(nullable=True)
NULL = Form(type="null", nullable=True)


def both(one: Form, other: Form) -> Form:
    """What both let through."""
    if one.union or other.union:
        return _both_of_unions(one, other)
    if "null" in (one.type, other.type):
        if one.nullable and other.nullable:
            return NULL
        raise Nothing
    kind = common(one.type, other.type)
    if kind is None and one.type and other.type:
        raise Nothing
    enum = one.enum if other.enum is None else other.enum
    if one.enum is not None and other.enum is not None:
        enum = tuple(v for v in one.enum if _in(v, other.enum))
    names = {**one.properties, **other.properties}
    shared = one.properties.keys() & other.properties.keys()
    return Form(
        type=kind,
        nullable=one.nullable and other.nullable,
        enum=enum,
        limits=_all_limits(one.limits, other.limits),
        properties=names | {n: both(one.properties[n], other.properties[n]) for n in shared},
        required=one.required | other.required,
        items=_both_or_none(one.items, other.items),
        values=_both_or_none(one.values, other.values),
        closed=one.closed or other.closed,
    )


def _both_of_unions(one: Form, other: Form) -> Form:
    if ANYTHING in (one, other):
        return other if one == ANYTHING else one
    if one == other:
        return one
    raise NotExpressible("union")


def _both_or_none(one: Form | None, other: Form | None) -> Form | None:
    return both(one, other) if one and other else one or other


def common(one: str | None, other: str | None) -> str | None:
    if {one, other} == {"integer", "number"}:
        return "integer"
    return one or other if None in (one, other) or one == other else None


def _all_limits(one: Mapping[str, Json], other: Mapping[str, Json]) -> dict[str, Json]:
    found = {**one, **other}
    for name in one.keys() & other.keys():
        a, b = one[name], other[name]
        if a == b:
            continue
        if name == "multipleOf":
            steps = (Fraction(str(a)), Fraction(str(b)))
            step = reduce(_common_multiple, steps)
            found[name] = int(step) if step.denominator == 1 else float(step)
        elif name.lower().startswith(("min", "exclusivemin")):
            found[name] = max(a, b)
        elif name.lower().startswith(("max", "exclusivemax")):
            found[name] = min(a, b)
        elif name == "pattern":
            found[name] = f"^(?=.*(?:{a}))(?=.*(?:{b}))"
        else:
            raise NotExpressible(f"two of {name}")
    return found


def _common_multiple(a: Fraction, b: Fraction) -> Fraction:
    return Fraction(math.lcm(a.numerator, b.numerator), math.gcd(a.denominator, b.denominator))


def either(forms: list[Form]) -> Form:
    """What at least one of them lets through."""
    if not forms:
        raise Nothing
    if ANYTHING in forms:
        return ANYTHING
    nullable = any(f.nullable for f in forms)
    rest = [replace(f, nullable=False) for f in forms if f.type != "null"]
    if not rest:
        return NULL
    while len(rest) > 1:
        merged = next(
            ((i, j, m) for i in range(len(rest)) for j in range(i) if (m := _joined(rest[i], rest[j]))), None
        )
        if merged is None:
            return replace(_union(rest), nullable=nullable)
        i, j, form_ = merged
        rest = [f for k, f in enumerate(rest) if k not in (i, j)] + [form_]
    return replace(rest[0], nullable=nullable)


SIMPLE = frozenset({"boolean", "integer", "number", "string"})


def _union(forms: list[Form]) -> Form:
    """Simple types side by side, as far as they have no limits: a physical type can say that."""
    plain = [f for f in forms if f.type in SIMPLE and f == Form(type=f.type)]
    if len(plain) < len(forms):
        raise NotExpressible("union")
    return Form(union=frozenset(f.type for f in plain if f.type))


def _joined(one: Form, other: Form) -> Form | None:
    """Two forms as one, where one form can say it."""
    if one.enum is not None and other.enum is not None and not (one.limits or other.limits):
        kinds = {one.type, other.type}
        kind = kinds.pop() if len(kinds) == 1 else None
        return Form(type=kind, enum=one.enum + tuple(v for v in other.enum if not _in(v, one.enum)))
    for inner, outer in ((one, other), (other, one)):
        if inner.enum is not None and all(holds(outer, v) for v in inner.enum):
            return outer
        if _within(inner, outer):
            return outer
    few = (_few(one), _few(other))
    bounds = (_whole_bounds(one), _whole_bounds(other))
    if bounds[0] and bounds[1]:
        (low, high), (start, end) = sorted((bounds[0], bounds[1]))
        if start <= high + 1:
            ends = {"minimum": low, "maximum": max(high, end)}
            return Form(type="integer", limits={k: v for k, v in ends.items() if abs(v) != math.inf})
    if few[0] is not None and few[1] is not None:
        return Form(type="integer", enum=tuple(sorted(set(few[0]) | set(few[1]))))
    return None


def _few(one: Form) -> tuple[int, ...] | None:
    """The values, when they are a few whole numbers."""
    if one.enum is not None and one.type == "integer":
        return tuple(v for v in one.enum if holds(one, v))
    ends = _whole_bounds(replace(one, limits={k: v for k, v in one.limits.items() if k != "multipleOf"}))
    if one.enum is not None or ends is None or ends[1] - ends[0] > 100:
        return None
    return tuple(n for n in range(int(ends[0]), int(ends[1]) + 1) if holds(one, n))


def _whole_bounds(one: Form) -> tuple[float, float] | None:
    """The lowest and highest, when it is whole numbers with nothing but bounds."""
    if one.type != "integer" or one.enum is not None or "multipleOf" in one.limits:
        return None
    lows = [math.ceil(one.limits.get("minimum", -math.inf))] if "minimum" in one.limits else [-math.inf]
    highs = [math.floor(one.limits["maximum"])] if "maximum" in one.limits else [math.inf]
    if "exclusiveMinimum" in one.limits:
        lows.append(math.floor(one.limits["exclusiveMinimum"]) + 1)
    if "exclusiveMaximum" in one.limits:
        highs.append(math.ceil(one.limits["exclusiveMaximum"]) - 1)
    return max(lows), min(highs)


def _within(inner: Form, outer: Form) -> bool:
    """Whether the outer plainly lets through all that the inner does."""
    plain = replace(inner, limits={}, type=outer.type) == replace(outer, limits={})
    if not plain or common(inner.type, outer.type) != inner.type:
        return False
    for name, limit in outer.limits.items():
        own = inner.limits.get(name)
        if own == limit:
            continue
        low = name.lower().startswith(("min", "exclusivemin"))
        high = name.lower().startswith(("max", "exclusivemax"))
        if own is None or not ((low and own >= limit) or (high and own <= limit) or
                               (name == "multipleOf" and _divides(limit, own))):  # fmt: skip
            return False
    return True


def one_of(forms: list[Form]) -> Form:
    """What exactly one of them lets through."""
    if len(forms) < 2:
        return either(forms)
    if all(f.enum is not None for f in forms):
        values = [v for f in forms for v in f.enum or ()]
        once = [v for v in values if sum(_in(v, f.enum or ()) for f in forms) == 1]
        return of_values(once, [])
    kinds = [f.type for f in forms]
    if None in kinds or len(set(kinds)) < len(kinds) or {"integer", "number"} <= set(kinds):
        raise NotExpressible("oneOf")
    return either(forms)


def of_values(enum: Iterable[Json], types: list[str]) -> Form:
    """One of these values, of these types where there are any."""
    values = [v for v in enum if not types or any(is_of(v, t) for t in types)]
    kinds = {type_of(v) for v in values if v is not None}
    if kinds == {"integer", "number"}:
        kinds = {"number"}
    if not values:
        raise Nothing
    if all(v is None for v in values):
        return NULL
    stated = types[0] if len(types) == 1 else kinds.pop() if len(kinds) == 1 else None
    if stated in ("object", "array"):
        raise NotExpressible("enum of objects or arrays")
    return Form(type=stated, nullable=None in values, enum=tuple(v for v in values if v is not None))


def inhabited(found: Form) -> Form:
    """The form itself. Raises Nothing when no value is left."""
    if found.enum is not None:
        left = tuple(v for v in found.enum if holds(replace(found, enum=None), v))
        if not left and not found.nullable:
            raise Nothing
        return replace(found, enum=left) if left else NULL
    for least, most in (
        ("minLength", "maxLength"),
        ("minItems", "maxItems"),
        ("minProperties", "maxProperties"),
    ):
        if found.limits.get(least, 0) > found.limits.get(most, math.inf):
            raise Nothing
    lowest = max(found.limits.get(n, -math.inf) for n in ("minimum", "exclusiveMinimum"))
    if lowest > min(found.limits.get(n, math.inf) for n in ("maximum", "exclusiveMaximum")):
        raise Nothing
    return found


def holds(form_: Form, value: Json) -> bool:
    """Whether a simple value is let through."""
    if value is None:
        return form_.nullable
    if form_.type is not None and not is_of(value, form_.type):
        return False
    if form_.enum is not None and not _in(value, form_.enum):
        return False
    return all(_keeps(value, name, limit) for name, limit in form_.limits.items())


def _keeps(value: Json, name: str, limit: Json) -> bool:
    checks: dict[str, Callable[[Json, Json], Any]] = _OF_TEXTS if isinstance(value, str) else {}
    if type_of(value) in ("integer", "number"):
        checks = _OF_NUMBERS
    return name not in checks or bool(checks[name](value, limit))


_OF_TEXTS: dict[str, Callable[[Json, Json], Any]] = {
    "minLength": lambda value, limit: len(value) >= limit,
    "maxLength": lambda value, limit: len(value) <= limit,
    "pattern": lambda value, limit: re.search(limit, value),
}
_OF_NUMBERS: dict[str, Callable[[Json, Json], Any]] = {
    "minimum": operator.ge,
    "maximum": operator.le,
    "exclusiveMinimum": operator.gt,
    "exclusiveMaximum": operator.lt,
    "multipleOf": lambda value, limit: _divides(limit, value),
}


def _divides(step: float, value: float) -> bool:
    return (Fraction(str(value)) / Fraction(str(step))).denominator == 1


def type_of(value: Json) -> str:
    if value is None:
        return "null"
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return kinds[type(value)]


def is_of(value: Json, kind: str) -> bool:
    return type_of(value) == kind or (kind == "number" and type_of(value) == "integer")


def _in(value: Json, values: Iterable[Json]) -> bool:
    """JSON Schema: 1 is 1.0, but not true."""
    return any(v == value and (type(v) is bool) == (type(value) is bool) for v in values)
