"""Patterns of ``logicalTypeOptions``: whether one lets through all that another does.

What can be told from the texts alone is told here. The rest takes automata, which can grow very large
from simple patterns, so whoever calls has them compared elsewhere (``ports.PatternInclusion``) and
hands the rules the answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from contracts_svc.compat import fullmatch, regex
from contracts_svc.compat.fields import OPTION
from contracts_svc.compat.regex import NOTHING, NoPattern, Undecidable
from contracts_svc.findings import Change, ChangeKind
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
"""How pairs of patterns compare that :func:`open_pairs` has named."""


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


def pair_of(change: Change) -> Pair | None:
    """The two patterns that a change is about; None when one of them is no text."""
    pair = tuple("" if p is None else p for p in (change.old, change.new))
    return (pair[0], pair[1]) if all(isinstance(p, str) for p in pair) else None


def open_pairs(changes: Iterable[Change]) -> tuple[Pair, ...]:
    """The pairs of patterns that these changes turn on and that :func:`quick` has no answer to."""
    found = (
        pair_of(c)
        for c in changes
        if c.kind is ChangeKind.CHANGED and c.element == "column" and c.field == f"{OPTION}pattern"
    )
    return tuple(p for p in dict.fromkeys(found) if p is not None and quick(*p) is None)


def compared(pair: Pair, answers: Answers) -> Compared:
    """How a pair compares, as far as that is known."""
    return quick(*pair) or answers.get(pair) or Compared(Inclusion.UNDECIDED, "nobody has compared them")
