"""Patterns of ``logicalTypeOptions``: whether one lets through all that another does.

What can be told from the texts alone is told here. The rest takes automata, which can grow very large
from simple patterns, so whoever calls has them compared elsewhere (``ports.PatternInclusion``) and
hands the rules the answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TypeAlias

from contracts_svc.compat import fullmatch, regex
from contracts_svc.compat.regex import NOTHING, Node, NoPattern, Undecidable
from contracts_svc.model import Json

Pair: TypeAlias = tuple[str, str]
"""An old and a new pattern; where there is none, the empty one, which lets everything through."""


class Inclusion(StrEnum):
    """What a new pattern lets through, beside the old one."""

    EQUAL = "equal"
    WIDER = "wider"
    NARROWER = "narrower"
    DIFFERENT = "different"
    """Some values more, and some less."""
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Compared:
    """How two patterns compare. ``why`` says why it is undecided."""

    inclusion: Inclusion
    why: str = ""


Answers: TypeAlias = Mapping[Pair, Compared]
"""How pairs of patterns compare that :func:`contracts_svc.compat.rules_patterns.open_pairs` has named."""

_MOST_TEXTS = 100


def fault(pattern: Json) -> str:
    """Why it is no regular expression of ECMA-262; empty when it is one."""
    if not isinstance(pattern, str):
        return "it is no text"
    try:
        regex.read(pattern)
    except NoPattern as error:
        return str(error)
    except Undecidable:
        return ""
    return ""


def full_match(old: str, new: str) -> Pair:
    """Both patterns in full-match form, see :func:`contracts_svc.compat.fullmatch.written`.

    Only for a pair that :func:`quick` has no answer to. Raises Undecidable.
    """
    before, after = fullmatch.written(*(fullmatch.full(regex.read(p)) for p in (old, new)))
    return before, after


def quick(old: str, new: str) -> Compared | None:
    """How two patterns compare, where that needs no automata; else None."""
    try:
        before, after = (fullmatch.full(regex.read(p)) for p in (old, new))
    except (NoPattern, Undecidable) as error:
        return Compared(Inclusion.UNDECIDED, str(error))
    if before == after:
        return Compared(Inclusion.EQUAL)
    if NOTHING in (before, after):
        return Compared(Inclusion.WIDER if before == NOTHING else Inclusion.NARROWER)
    return None


@lru_cache(maxsize=1024)
def _tree(pattern: str) -> Node | None:
    try:
        return fullmatch.full(regex.read(pattern))
    except (NoPattern, Undecidable):
        return None


def span(pattern: str) -> tuple[int, int | None]:
    """The length of the shortest and of the longest value that it lets through, as far as that is known;
    None: there is no longest."""
    tree = _tree(pattern)
    return (0, None) if tree is None else fullmatch.span(tree)


@lru_cache(maxsize=1024)
def few(pattern: str) -> tuple[str, ...] | None:
    """All values that it lets through, when they are few; else None."""
    tree = _tree(pattern)
    found = None if tree is None else fullmatch.few(tree, _MOST_TEXTS)
    return None if found is None else tuple(sorted(found))


def lets_through(pattern: str, texts: Iterable[str]) -> bool | None:
    """Whether it lets all these values through; None: it cannot be told."""
    tree = _tree(pattern)
    try:
        return None if tree is None else fullmatch.all_match(tree, texts)
    except Undecidable:
        return None


def of_lengths(least: int, most: int | None) -> str:
    """The pattern that lets through values of these lengths only."""
    return f"^[^]{{{least},{'' if most is None else most}}}$"


_ONE_SET = re.compile(r"(\^(?:\[(?:[^\]\\]|\\.)+\]|\\[dDsSwW]))(?:([*+?])|\{(\d+)(,?)(\d*)\})?\$")
"""One set of characters, so many times: the text up to the times, and the times."""
_TIMES: Mapping[str | None, tuple[int, int | None]] = {
    "*": (0, None),
    "+": (1, None),
    "?": (0, 1),
    None: (1, 1),
}
_MOST_TIMES = 256
"""An automaton has a state for each."""


def of_both(pattern: str, least: int, most: int | None) -> str:
    """A pattern for values that keep the pattern and have one of these lengths.

    Exactly that where the pattern is one set of characters, so many times; else the pattern itself,
    which lets through more.
    """
    found = _ONE_SET.fullmatch(pattern)
    if found is None:
        return pattern
    start, sign, low, comma, high = found.groups()
    fewest, longest = _TIMES[sign]
    if low is not None:
        fewest, longest = int(low), int(high or low) if high or not comma else None
    ends = [n for n in (longest, most) if n is not None]
    fewest, longest = max(fewest, least), min(ends, default=None)
    if max(fewest, longest or 0) > _MOST_TIMES or (longest is not None and longest < fewest):
        return pattern
    return f"{start}{{{fewest},{'' if longest is None else longest}}}$"


def compared(pair: Pair, answers: Answers) -> Compared:
    """How a pair compares, as far as that is known."""
    return quick(*pair) or answers.get(pair) or Compared(Inclusion.UNDECIDED, "nobody has compared them")
