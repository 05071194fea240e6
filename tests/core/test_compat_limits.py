"""Limits of columns, against trying values: what breaks old data is told, and nothing else is."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contracts_svc.adapters.pattern_process import PatternProcess
from contracts_svc.compat.diff import diff
from contracts_svc.compat.modes import Mode
from contracts_svc.compat.promised import values_of
from contracts_svc.compat.rules import judge
from contracts_svc.findings import Finding, Severity
from contracts_svc.flows.compatibility import pattern_answers
from contracts_svc.model import Column, Contract, Json, Table

# Every limit below lies well within these, and they lie closer together than any two limits do.
NUMBERS = [Fraction(n, 4) for n in range(-60, 61)]
TEXTS = ["".join(t) for n in range(6) for t in itertools.product("abd", repeat=n)]
LISTS = [t for n in range(5) for t in itertools.product("abcde", repeat=n)]
OBJECTS = [frozenset(c) for n in range(8) for c in itertools.combinations("abcdefg", n)]

DOMAINS: Mapping[str, Iterable[Json]] = {
    "integer": [n for n in NUMBERS if n.denominator == 1],
    "number": NUMBERS,
    "string": TEXTS,
    "boolean": [True, False],
    "array": LISTS,
    "object": OBJECTS,
}
CHECKS: Mapping[str, Callable[[Json, Json], bool]] = {
    "minimum": lambda v, limit: v >= limit,
    "maximum": lambda v, limit: v <= limit,
    "exclusiveMinimum": lambda v, limit: v > limit,
    "exclusiveMaximum": lambda v, limit: v < limit,
    "multipleOf": lambda v, limit: (v / Fraction(str(limit))).denominator == 1,
    "minLength": lambda v, limit: len(v) >= limit,
    "maxLength": lambda v, limit: len(v) <= limit,
    "minItems": lambda v, limit: len(v) >= limit,
    "maxItems": lambda v, limit: len(v) <= limit,
    "uniqueItems": lambda v, limit: not limit or len(set(v)) == len(v),
    "minProperties": lambda v, limit: len(v) >= limit,
    "maxProperties": lambda v, limit: len(v) <= limit,
    "required": lambda v, limit: v >= set(limit),
    "pattern": lambda v, limit: re.search(limit, v) is not None,
}

BOUND = st.sampled_from([-3, -1, 0, 1, 1.5, 2, 4])
COUNT = st.integers(0, 3)


def limits(**options: st.SearchStrategy[Json]) -> st.SearchStrategy[dict[str, Json]]:
    return st.fixed_dictionaries({}, optional=options)


NUMERIC = limits(
    minimum=BOUND,
    maximum=BOUND,
    exclusiveMinimum=BOUND,
    exclusiveMaximum=BOUND,
    multipleOf=st.sampled_from([0.5, 1, 1.5, 2, 3]),
)
OPTIONS = {
    "integer": NUMERIC,
    "number": NUMERIC,
    "string": limits(minLength=COUNT, maxLength=COUNT),
    "boolean": limits(),
    "array": limits(minItems=COUNT, maxItems=COUNT, uniqueItems=st.booleans()),
    "object": limits(
        minProperties=COUNT,
        maxProperties=COUNT,
        required=st.lists(st.sampled_from("abc"), unique=True).map(tuple),
    ),
}
ENUMS = {
    "integer": st.lists(st.integers(-3, 4), unique=True, max_size=3).map(tuple),
    "number": st.lists(st.sampled_from([-1, 0, 0.5, 1.5, 2]), unique=True, max_size=3).map(tuple),
    "string": st.lists(st.sampled_from(["", "a", "ab", "bab"]), unique=True, max_size=3).map(tuple),
    "boolean": st.lists(st.booleans(), unique=True, max_size=2).map(tuple),
}


@st.composite
def columns(draw: st.DrawFn, kind: str) -> Column:
    enum = draw(ENUMS.get(kind, st.just(())))
    return Column(name="c", path="c", logical_type=kind, logical_type_options=draw(OPTIONS[kind]), enum=enum)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Column, Column]:
    """Two versions of a column, of one type or of a wider one."""
    old, new = draw(st.sampled_from([*((k, k) for k in OPTIONS), ("integer", "number")]))
    return draw(columns(old)), draw(columns(new))


def permits(column: Column, value: Json) -> bool:
    if column.enum and value not in [Fraction(str(v)) if type(v) is float else v for v in column.enum]:
        return False
    return all(CHECKS[name](value, limit) for name, limit in column.logical_type_options.items())


def judged(old: Column, new: Column, mode: Mode) -> list[Finding]:
    before, after = (
        Contract(api_version="v3.2.0", id="c", version=v, tables=(Table(name="t", columns=(c,)),))
        for c, v in ((old, "1.0.0"), (new, "2.0.0"))
    )
    changes = diff(before, after)
    with PatternProcess() as inclusion:
        known = pattern_answers(changes, before, after, inclusion)
    found = judge(changes, before, after, mode, patterns=known)
    return [f for f in found if f.severity is not Severity.INFO]


def column(kind: str = "integer", enum: tuple[Json, ...] = (), **options: Json) -> Column:
    return Column(name="c", path="c", logical_type=kind, logical_type_options=options, enum=enum)


@settings(max_examples=300, deadline=None)
@given(pairs())
@example((column(exclusiveMinimum=5, exclusiveMaximum=20), column(minimum=6, maximum=19)))
@example((column(enum=(1, 2)), column(minimum=1, maximum=2)))
@example((column(minimum=1, maximum=2), column(enum=(1, 2))))
@example((column(), column("number", multipleOf=1)))
@example((column("object", required=("a",)), column("object", minProperties=1)))
@example((column("array", maxItems=1), column("array", uniqueItems=True)))
@example((column("boolean"), column("boolean", enum=(True, False))))
@example((column("number", minimum=2, maximum=1), column("number", multipleOf=3)))
@example((column("string", enum=("a", "ab")), column("string", maxLength=2)))
def test_what_old_data_may_break_is_told_and_nothing_else(pair: tuple[Column, Column]) -> None:
    old, new = pair
    kept = [v for v in DOMAINS[old.logical_type or ""] if permits(old, v)]
    broken = [v for v in kept if not permits(new, v)]
    told = [f.rule for f in judged(old, new, Mode.BACKWARD)]
    assert bool(told) == bool(broken), (told, broken[:3], old, new)


@settings(max_examples=300, deadline=None)
@given(pairs())
def test_what_old_readers_may_meet_is_told_and_nothing_else(pair: tuple[Column, Column]) -> None:
    old, new = pair
    if old.logical_type != new.logical_type:
        return
    came = [v for v in DOMAINS[new.logical_type or ""] if permits(new, v)]
    told = [f.rule for f in judged(old, new, Mode.FORWARD)]
    broken = [v for v in came if not permits(old, v)]
    assert bool(told) == bool(broken), (told, broken[:3], old, new)


@settings(max_examples=200)
@given(st.sampled_from(sorted(OPTIONS)).flatmap(columns))
def test_what_is_known_of_all_values_is_all_values(one: Column) -> None:
    known = values_of(one)
    if known is not None:
        assert set(known) == {v for v in DOMAINS[one.logical_type or ""] if permits(one, v)}


PATTERNED = st.one_of(
    st.sampled_from(["^a*$", "^[ab]{2}$", "^(a|ab)$", "b", "^a", "^(?:a|b)+$", "^.{1,2}$", "(?=a)"]).map(
        lambda pattern: column("string", pattern=pattern)
    ),
    columns("string"),
    st.builds(
        lambda one, pattern: replace(
            one, logical_type_options={**one.logical_type_options, "pattern": pattern}
        ),
        columns("string"),
        st.sampled_from(["^a*$", "^[ab]{2}$", "b", "^(a|bab)$"]),
    ),
)


@settings(max_examples=120, deadline=None)
@given(PATTERNED, PATTERNED)
@example(column("string", enum=("a", "ab")), column("string", pattern="^a"))
@example(column("string", pattern="^(a|ab)$"), column("string", enum=("a", "ab")))
@example(column("string", pattern="^[ab]{2}$"), column("string", maxLength=2))
@example(column("string", maxLength=2), column("string", pattern="^.{0,2}$"))
def test_patterns_are_judged_with_lengths_and_enums(old: Column, new: Column) -> None:
    kept = [v for v in TEXTS if permits(old, v)]
    broken = [v for v in kept if not permits(new, v)]
    told = [f.rule for f in judged(old, new, Mode.BACKWARD)]
    if broken or told == []:
        assert bool(told) == bool(broken), (told, broken[:3], old, new)
        return
    # A pattern and lengths together are one set of texts, but not one pattern; that is beyond us, and so
    # is what looks ahead.
    both = [c.logical_type_options for c in (old, new)]
    assert any("pattern" in o and (len(o) > 1 or o["pattern"] == "(?=a)") for o in both), (
        told,
        old.enum,
        new.enum,
        both,
    )


ODD: list[Json] = [
    *(True, "", "x", "2024-02-30", [], [7], {}, {"a": 1}, -1, 0, 10**400, -(10**400)),
    *(1e308, 5e-324, math.inf, -math.inf, math.nan),
]
SANE: Mapping[str, Json] = {"pattern": "a", "format": "a", "required": ("a",), "uniqueItems": True}


@pytest.mark.parametrize("name", [*CHECKS, "format"])
def test_odd_limits_are_told_and_never_crash(name: str) -> None:
    """The reader refuses most of them, but nothing here relies on that."""
    silent = []
    for kind, odd in itertools.product(["integer", "number", "string", "date", "array", "object"], ODD):
        sane, strange, none = (
            replace(column(kind), logical_type_options=o)
            for o in ({name: SANE.get(name, 2)}, {name: odd}, {})
        )
        for old, new in ((sane, strange), (strange, sane), (strange, none), (none, strange)):
            if diff(_whole(old), _whole(new)) and not _all(old, new):
                silent.append((kind, dict(old.logical_type_options), dict(new.logical_type_options)))
    assert silent == []


def _whole(one: Column) -> Contract:
    return Contract(api_version="v3.2.0", id="c", version="1.0.0", tables=(Table(name="t", columns=(one,)),))


def _all(old: Column, new: Column) -> list[Any]:
    before, after = _whole(old), _whole(new)
    found = judge(diff(before, after), before, after, Mode.FULL)
    return [f for f in found if f.change is not None and f.change.element == "column"]
