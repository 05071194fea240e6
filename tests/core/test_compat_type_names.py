"""The type names of every dialect, as their manuals write them: which are the same type and which are not."""

from __future__ import annotations

import re
from itertools import combinations

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from contracts_svc.compat import physical
from contracts_svc.compat.lattice import Unknown
from contracts_svc.compat.types import Relation, relation
from tests.support import DATA


def groups() -> dict[str, list[list[str]]]:
    found: dict[str, list[list[str]]] = {}
    for line in (DATA / "type_names.txt").read_text(encoding="utf-8").splitlines():
        if re.fullmatch(r"\[\w+\]", line):
            found[line[1:-1]] = []
        elif line and not line.startswith("#"):
            next(reversed(found.values())).append(line.split(" | "))
    return found


GROUPS = groups()
EQUAL = Relation.EQUAL

each_dialect = pytest.mark.parametrize("dialect", GROUPS)


@each_dialect
def test_every_name_is_known(dialect: str) -> None:
    names = [name for group in GROUPS[dialect] for name in group]
    assert [n for n in names if "Unknown(" in repr(physical.parse(n, dialect))] == []


@each_dialect
def test_names_of_a_group_are_the_same_type(dialect: str) -> None:
    pairs = [(group[0], name) for group in GROUPS[dialect] for name in group[1:]]
    assert [(a, b) for a, b in pairs if relation(a, b, dialect) is not EQUAL] == []


@each_dialect
def test_names_of_two_groups_are_not_the_same_type(dialect: str) -> None:
    pairs = combinations((group[0] for group in GROUPS[dialect]), 2)
    assert [(a, b) for a, b in pairs if relation(a, b, dialect) is EQUAL] == []


NAMES = st.sampled_from(sorted({n for groups in GROUPS.values() for group in groups for n in group}))
DIALECTS = st.sampled_from(sorted(GROUPS))
TEXTS = st.recursive(
    NAMES | st.text(max_size=20),
    lambda inner: st.one_of(
        st.builds("{}[]".format, inner),
        st.builds("ARRAY<{}>".format, inner),
        st.builds("STRUCT<a: {}, b {}>".format, inner, inner),
        st.builds("ROW(a {}, {})".format, inner, inner),
        st.builds("MAP({}, {})".format, inner, inner),
        st.builds('["null", {}, {{"type": "array", "items": {}}}]'.format, inner, inner),
        st.builds('{{"type": "record", "fields": [{{"name": "a", "type": {}}}]}}'.format, inner),
        st.builds("{}({})".format, inner, st.integers(-1, 10**12)),
    ),
    max_leaves=12,
)


@settings(max_examples=400, deadline=None)
@given(TEXTS, TEXTS, DIALECTS)
def test_any_text_is_compared_the_same_both_ways(a: str, b: str, dialect: str) -> None:
    assert relation(a, a, dialect) is EQUAL
    assert relation(a, b, dialect).mirrored is relation(b, a, dialect)


HUGE = {
    "long": "x" * 1_000_000,
    "deep": "ARRAY<" * 100_000 + "INT" + ">" * 100_000,
    "wide": "STRUCT<" + ", ".join(f"c{i} INT" for i in range(80_000)) + ">",
    "json": "[" * 500_000 + "]" * 500_000,
    "branches": "[" + ", ".join('{"type": "array", "items": "int"}' for _ in range(25_000)) + "]",
    "spaces": "INT" + " " * 1_000_000 + "x",
}


@pytest.mark.parametrize("text", HUGE.values(), ids=HUGE)
@each_dialect
def test_a_megabyte_of_type_is_compared_by_name(dialect: str, text: str) -> None:
    physical._parse.cache_clear()
    assert relation(text, text, dialect) is EQUAL
    assert relation(text, text + "y", dialect) is Relation.UNKNOWN
    assert relation(text, "INT", dialect) is Relation.UNKNOWN
    # Nothing of that size is kept, and only the short name was parsed.
    assert physical._parse.cache_info().currsize <= 1
    shape = physical.parse(text, dialect)
    assert isinstance(shape, Unknown)
    assert len(shape.name) < 300


WORST = {
    "deep": "STRUCT(a " * 45 + "INT" + ")" * 45,
    "wide": f"STRUCT({', '.join(f'c{i} INT' for i in range(900))})",
    "unions": '["int", ' * 20 + '"string"' + "]" * 20,
    "records": '{"type":"array","items":["int","string",' * 20 + '"bytes"' + "]}" * 20,
    "union of structs": f"UNION({', '.join(f'u{i} STRUCT(a INT, b{i} INT[])' for i in range(200))})",
    "spaces": "INT" + " " * 9_900 + "x",
    "words": " array" * 1_600,
    "quotes": "ENUM(" + ", ".join(f"'{i}'" for i in range(1_200)) + ")",
}


@pytest.mark.parametrize("text", WORST.values(), ids=WORST)
@pytest.mark.parametrize("dialect", ["duckdb", "avro"])
def test_the_largest_types_that_are_parsed_are_compared_at_once(dialect: str, text: str) -> None:
    assert len(text) < 10_000
    assert relation(text, text, dialect) is EQUAL
    assert relation(text, "INT", dialect) is not EQUAL
    assert relation(text, text.replace("INT", "BIGINT").replace("int", "long"), dialect)
