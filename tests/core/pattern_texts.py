"""Small patterns, and all short texts that they can be tried on."""

from __future__ import annotations

import itertools
import re

from hypothesis import strategies as st

# The d stands for all characters that no pattern below names.
TEXTS = ["".join(t) for n in range(8) for t in itertools.product("abd", repeat=n)]
ATOMS = st.sampled_from(["a", "b", "[ab]", "[^a]", "[^ab]", ".", "", "^", "$"])


def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Two in a row, one of two, or one repeated."""
    groups = inner.map(lambda p: f"(?:{p})")
    return st.one_of(
        st.tuples(groups, groups).map("".join),
        st.tuples(inner, inner).map("|".join),
        st.tuples(groups, st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "*?"])).map("".join),
    )


PATTERNS = st.recursive(ATOMS, grown, max_leaves=5)


def found_in(pattern: str) -> set[str]:
    """Every short text that the pattern is found in, by another engine."""
    # Python's $ also matches before a line end; there is none here.
    compiled = re.compile(pattern)
    return {t for t in TEXTS if compiled.search(t)}
