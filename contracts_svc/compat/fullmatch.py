"""Patterns put into full-match form: anchors taken out, ``.*`` added where there was none.

ODCS searches a pattern in a value, as JSON Schema does. In full-match form the languages of two
patterns can be compared by automata.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from contracts_svc.compat.regex import (
    ANY,
    EMPTY,
    LAST,
    NOTHING,
    Beyond,
    Chars,
    Edge,
    Either,
    Node,
    Ranges,
    Repeat,
    Sequence,
    Undecidable,
)

ANYTHING = Repeat(Chars(ANY), 0, None)
"""Every text."""
_MOST_ALTERNATIVES = 64
_MOST_STEPS = 500_000
_LONGEST_TEXT = 1_000
_MOST_CLASSES = 2_000
_SYMBOLS = 0x4E00
"""Where the characters begin that stand for classes of characters: no one of them is special."""


def full(node: Node) -> Node:
    """The tree that matches whole texts where this one is searched for. Raises Undecidable.

    It has no edges, and no part that matches nothing, unless it is NOTHING altogether.
    """
    found: list[Node] = []
    for flat in _alternatives(node):
        whole = _whole(flat)
        if whole == ANYTHING:
            return ANYTHING
        if whole is not None and whole not in found:
            found.append(whole)
    return found[0] if len(found) == 1 else Either(tuple(found))


def written(*nodes: Node) -> tuple[str, ...]:
    """Trees in full-match form as patterns over one small alphabet.

    Only characters that one of them tells apart are told apart, and one stands for all that are alike;
    so what is left is letters, ``[...]``, ``(?:...)``, ``|``, ``*`` and ``{m,n}``, which every engine
    reads alike. Raises Undecidable when there are too many.
    """
    alphabet = _Alphabet.of(r for n in nodes for r in _sets(n))
    return tuple(_text(n, alphabet) for n in nodes)


def span(node: Node) -> tuple[int, int | None]:
    """The length of the shortest and of the longest text; None: there is no longest."""
    match node:
        case Chars():
            return 1, 1
        case Sequence(parts):
            spans = [span(p) for p in parts]
            longest = [most for _, most in spans]
            return sum(least for least, _ in spans), None if None in longest else sum(m or 0 for m in longest)
        case Either(options):
            spans = [span(o) for o in options]
            longest = [most for _, most in spans]
            least = min((least for least, _ in spans), default=0)
            return least, None if None in longest else max((m or 0 for m in longest), default=0)
        case Repeat():
            least, most = span(node.part)
            top = None if None in (most, node.most) else (most or 0) * (node.most or 0)
            return least * node.least, 0 if most == 0 else top
    raise AssertionError(f"{node} is not in full-match form")


def all_match(node: Node, texts: Iterable[str]) -> bool:
    """Whether a tree in full-match form lets all these texts through. Raises Undecidable when that takes
    too many steps."""
    matcher = _Matcher()
    return all(matcher.matches(node, text) for text in texts)


class _Matcher:
    """Follows all ways through a text at once, never back, and counts its steps."""

    def __init__(self) -> None:
        self._left = _MOST_STEPS
        self._text = ""

    def matches(self, node: Node, text: str) -> bool:
        self._text = text
        return len(text) in self._ends(node, frozenset({0}))

    def _ends(self, node: Node, starts: frozenset[int]) -> frozenset[int]:
        """Where a match can end that begins at one of these places."""
        self._left -= 1 + len(starts)
        if self._left < 0:
            raise Undecidable("trying values takes too many steps")
        match node:
            case Chars(ranges):
                here = ((i, ord(self._text[i])) for i in starts if i < len(self._text))
                return frozenset(i + 1 for i, c in here if any(low <= c <= high for low, high in ranges))
            case Sequence(parts):
                for part in parts:
                    starts = self._ends(part, starts)
                return starts
            case Either(options):
                return frozenset(e for o in options for e in self._ends(o, starts))
            case Repeat():
                return self._ends_of_rounds(node, starts)
        raise AssertionError(f"{node} is not in full-match form")

    def _ends_of_rounds(self, node: Repeat, starts: frozenset[int]) -> frozenset[int]:
        # A text has no more rounds that are not empty than characters.
        most = len(self._text) + 1
        for _ in range(min(node.least, most)):
            starts = self._ends(node.part, starts)
        found, rounds = starts, starts
        for _ in range(most if node.most is None else min(node.most - node.least, most)):
            rounds = self._ends(node.part, rounds) - found
            if not rounds:
                break
            found |= rounds
        return found


def few(node: Node, most: int) -> frozenset[str] | None:
    """All texts of a tree in full-match form, when there are at most so many, none of them very long;
    else None."""
    _, longest = span(node)
    return _texts(node, most) if longest is not None and longest <= _LONGEST_TEXT else None


def _texts(node: Node, most: int) -> frozenset[str] | None:
    match node:
        case Chars(ranges):
            if sum(high - low + 1 for low, high in ranges) > most:
                return None
            return frozenset(chr(c) for low, high in ranges for c in range(low, high + 1))
        case Either(options):
            found = [_texts(o, most) for o in options]
            known = frozenset(t for f in found if f is not None for t in f)
            return None if None in found or len(known) > most else known
        case Sequence(parts):
            return _in_a_row([_texts(p, most) for p in parts], most)
        case Repeat():
            return _rounds(node, most)
    return None


def _rounds(node: Repeat, most: int) -> frozenset[str] | None:
    once = _texts(node.part, most)
    # Every further round makes texts longer, so with more rounds than this there are too many.
    if once is None or node.most is None or node.most > most:
        return None
    rounds = _in_a_row([once] * node.least, most)
    found = rounds
    for _ in range(node.most - node.least):
        rounds = _in_a_row([rounds, once], most)
        if rounds is None or found is None or len(found | rounds) > most:
            return None
        found |= rounds
    return found


def _in_a_row(parts: list[frozenset[str] | None], most: int) -> frozenset[str] | None:
    found = frozenset({""})
    for part in parts:
        if part is None or len(found) * len(part) > most:
            return None
        found = frozenset(a + b for a in found for b in part)
    return found


def _alternatives(node: Node) -> list[tuple[Node, ...]]:
    """The tree as alternatives of sequences, so that no edge stands inside anything else."""
    if not _has_edge(node):
        inner = _simple(node)
        return [] if inner == NOTHING else [(inner,)]
    found: list[tuple[Node, ...]]
    match node:
        case Sequence():
            found = [()]
            for part in node.parts:
                options = _alternatives(part)
                found = [(*before, *after) for before in found for after in options]
                _refuse_many(found)
        case Either():
            found = [a for option in node.options for a in _alternatives(option)]
        case Repeat() if node.most == 1:
            found = ([] if node.least else [()]) + _alternatives(node.part)
        case Repeat():
            raise Undecidable("it repeats the start or the end of the text")
        case _:
            found = [(node,)]
    _refuse_many(found)
    return found


def _refuse_many(found: list[tuple[Node, ...]]) -> None:
    if len(found) > _MOST_ALTERNATIVES:
        raise Undecidable("the start or the end of the text stands in too many places")


def _whole(parts: tuple[Node, ...]) -> Node | None:
    """One alternative made to match whole texts; None: no text matches it.

    What stands before a start, or after an end, can only be empty.
    """
    starts = [i for i, p in enumerate(parts) if p == Edge(True)]
    ends = [i for i, p in enumerate(parts) if p == Edge(False)]
    first, last = (starts[-1] if starts else -1), (ends[0] if ends else len(parts))
    outside = parts if first > last else (*parts[: max(first, 0)], *parts[last + 1 :])
    if not all(map(_may_be_empty, outside)):
        return None
    core = [p for p in parts[first + 1 : last] if p != EMPTY]
    if not starts and not ends and all(map(_may_be_empty, core)):
        return ANYTHING
    before = [] if starts or core[:1] == [ANYTHING] else [ANYTHING]
    after = [] if ends or core[-1:] == [ANYTHING] else [ANYTHING]
    flat = [*before, *core, *after]
    return flat[0] if len(flat) == 1 else Sequence(tuple(flat))


def _has_edge(node: Node) -> bool:
    match node:
        case Edge():
            return True
        case Sequence(parts) | Either(parts):
            return any(map(_has_edge, parts))
        case Repeat():
            return _has_edge(node.part)
    return False


def _may_be_empty(node: Node) -> bool:
    match node:
        case Sequence():
            return all(map(_may_be_empty, node.parts))
        case Either():
            return any(map(_may_be_empty, node.options))
        case Repeat():
            return node.least == 0 or _may_be_empty(node.part)
    return isinstance(node, Edge)


def _simple(node: Node) -> Node:
    """The same without what matches nothing, unless it is that altogether. Raises Undecidable."""
    match node:
        case Beyond():
            raise Undecidable(node.why)
        case Chars() if not node.ranges:
            return NOTHING
        case Sequence():
            parts = tuple(p for p in map(_simple, node.parts) if p != EMPTY)
            if NOTHING in parts:
                return NOTHING
            return parts[0] if len(parts) == 1 else Sequence(parts)
        case Either():
            options = tuple(o for o in map(_simple, node.options) if o != NOTHING)
            return options[0] if len(options) == 1 else Either(options)
        case Repeat():
            part = _simple(node.part)
            if part == NOTHING:
                return NOTHING if node.least else EMPTY
            return Repeat(part, node.least, node.most) if node.most != 0 else EMPTY
    return node


def _sets(node: Node) -> Iterator[Ranges]:
    match node:
        case Chars():
            yield node.ranges
        case Sequence(parts) | Either(parts):
            for part in parts:
                yield from _sets(part)
        case Repeat():
            yield from _sets(node.part)


@dataclass(frozen=True, slots=True)
class _Alphabet:
    """Classes of characters that no set tells apart. ``starts`` are the code points where runs of
    alike characters begin, ``symbols`` the symbol of each run."""

    starts: tuple[int, ...]
    symbols: tuple[str, ...]

    @classmethod
    def of(cls, sets: Iterable[Ranges]) -> _Alphabet:
        """The classes of these sets."""
        distinct = sorted(set(sets))
        cuts = {0} | {c for ranges in distinct for low, high in ranges for c in (low, high + 1)}
        starts = tuple(sorted(cuts - {LAST + 1}))
        if len(starts) > _MOST_CLASSES:
            raise Undecidable("it tells too many characters apart")
        members: list[list[int]] = [[] for _ in starts]
        for number, ranges in enumerate(distinct):
            for low, high in ranges:
                for i in range(bisect.bisect_left(starts, low), bisect.bisect_right(starts, high)):
                    members[i].append(number)
        known: dict[tuple[int, ...], str] = {}
        symbols = [known.setdefault(tuple(m), chr(_SYMBOLS + len(known))) for m in members]
        return cls(starts, tuple(symbols))

    def text(self, ranges: Ranges) -> str:
        """A set as a symbol, or a class of symbols."""
        found: set[str] = set()
        for low, high in ranges:
            run = slice(bisect.bisect_left(self.starts, low), bisect.bisect_right(self.starts, high))
            found.update(self.symbols[run])
        return next(iter(found)) if len(found) == 1 else f"[{''.join(sorted(found))}]"


def _text(node: Node, alphabet: _Alphabet) -> str:
    match node:
        case Chars():
            return alphabet.text(node.ranges)
        case Sequence():
            return "".join(_text(p, alphabet) for p in node.parts)
        case Either():
            return f"(?:{'|'.join(_text(o, alphabet) for o in node.options)})"
        case Repeat():
            counts = (
                "*" if (node.least, node.most) == (0, None) else f"{{{node.least},{_or_none(node.most)}}}"
            )
            return f"(?:{_text(node.part, alphabet)}){counts}"
    raise AssertionError(f"{node} is not in full-match form")


def _or_none(most: int | None) -> str:
    return "" if most is None else str(most)
