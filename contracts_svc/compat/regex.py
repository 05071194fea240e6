"""Regular expressions of ECMA-262, in which ODCS writes patterns, read into trees.

Annex B of ECMA-262 is followed, as engines do: ``{`` that begins no repeat stands for itself, so does
the escape of any other character. Beyond it, ``(?P<name>...)``, ``\\A``, ``\\z`` and ``\\Z`` are read too.
A ``.`` is any character here: that it stops at line ends would make ``^a`` and ``^a.*`` two promises.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

LAST = 0x10FFFF
"""The last code point."""
_LONGEST = 10_000
_DEEPEST = 60


class NoPattern(ValueError):
    """It is no regular expression; the message says why."""


class Undecidable(ValueError):
    """What it lets through cannot be compared; the message says why."""


Ranges: TypeAlias = tuple[tuple[int, int], ...]
"""Code points from - to, both within; sorted, apart from each other."""


@dataclass(frozen=True, slots=True)
class Chars:
    """One of these characters."""

    ranges: Ranges


@dataclass(frozen=True, slots=True)
class Edge:
    """The start or the end of the text."""

    start: bool


@dataclass(frozen=True, slots=True)
class Sequence:
    """One after the other."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """One of several; none: no text at all."""

    options: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """So many times. ``most`` None: no bound."""

    part: Node
    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class Beyond:
    """What is no matter of single texts, or depends on more than this pattern."""

    why: str


Node: TypeAlias = Chars | Edge | Sequence | Either | Repeat | Beyond

NOTHING = Either(())
EMPTY = Sequence(())


def read(pattern: str) -> Node:
    """The tree of a pattern. Raises NoPattern, and Undecidable when it is too long or too deep."""
    if len(pattern) > _LONGEST:
        raise Undecidable(f"it is longer than {_LONGEST:,} characters")
    reader = _Reader(pattern)
    found = reader.either(0)
    if reader.at < len(pattern):
        raise NoPattern("a ) closes nothing")
    return found


def joined(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Sorted, and made one where they meet."""
    found: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], high))
        else:
            found.append((low, high))
    return tuple(found)


def inverted(ranges: Ranges) -> Ranges:
    """All the others."""
    found, at = [], 0
    for low, high in ranges:
        if at < low:
            found.append((at, low - 1))
        at = high + 1
    return (*found, (at, LAST)) if at <= LAST else tuple(found)


def _of(chars: str) -> Ranges:
    return joined([(ord(c), ord(c)) for c in chars])


ANY: Ranges = ((0, LAST),)
_DIGITS: Ranges = ((48, 57),)
_WORD = joined([(48, 57), (65, 90), (95, 95), (97, 122)])
# ECMA-262: WhiteSpace and LineTerminator.
_SPACES = joined(
    [*_of(" \u00a0\u1680\u202f\u205f\u3000\ufeff"), (0x09, 0x0D), (0x2000, 0x200A), (0x2028, 0x2029)]
)
_CLASSES = {
    "d": _DIGITS,
    "D": inverted(_DIGITS),
    "w": _WORD,
    "W": inverted(_WORD),
    "s": _SPACES,
    "S": inverted(_SPACES),
}
_CONTROLS = {"t": 9, "n": 10, "v": 11, "f": 12, "r": 13, "0": 0}
_CODE = re.compile(r"u\{([0-9A-Fa-f]{1,6})\}|u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|c([A-Za-z])")
_REPEAT = re.compile(r"\{(\d+)(,(\d*))?\}")
_NAMED = re.compile(r"\?P?<[^\W\d]\w*>")
_ALL_FLAGS = "it sets flags for all that follows"
_FLAGS = re.compile(r"\?[imsx]*(?:-[imsx]+)?([:)])")


class _Reader:
    """Recursive descent. ``at`` is what comes next."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def next(self, token: str) -> bool:
        """Take this token if it comes next."""
        found = self.text.startswith(token, self.at)
        self.at += len(token) if found else 0
        return found

    def either(self, depth: int) -> Node:
        if depth > _DEEPEST:
            raise Undecidable(f"its groups stand {_DEEPEST} deep in each other")
        options = [self.sequence(depth)]
        while self.next("|"):
            options.append(self.sequence(depth))
        return options[0] if len(options) == 1 else Either(tuple(options))

    def sequence(self, depth: int) -> Node:
        parts: list[Node] = []
        while self.at < len(self.text) and self.text[self.at] not in "|)":
            parts.append(self.repeated(depth))
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def atom(self, depth: int) -> Node:
        char = self.text[self.at]
        self.at += 1
        match char:
            case "(":
                return self.group(depth)
            case "[":
                return self.char_class()
            case "\\":
                return self.escape()
            case "^" | "$":
                return Edge(char == "^")
            case ".":
                return Chars(ANY)
            case "*" | "+" | "?":
                raise NoPattern(f"nothing stands before its {char}")
            case "{" if _REPEAT.match(self.text, self.at - 1):
                raise NoPattern("nothing stands before its {")
        return Chars(_of(char))

    def repeated(self, depth: int) -> Node:
        grouped = self.text.startswith("(", self.at)
        atom = self.atom(depth)
        counts = self.counts()
        if counts is None:
            return atom
        if isinstance(atom, Edge) and not grouped:
            raise NoPattern("it repeats the start or the end of the text")
        least, most = counts
        if most is not None and least > most:
            raise NoPattern(f"its repeat {{{least},{most}}} is the wrong way round")
        self.next("?")
        if self.counts() is not None:
            raise NoPattern("it repeats a repeat")
        return Repeat(atom, least, most)

    def counts(self) -> tuple[int, int | None] | None:
        for token, found in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self.next(token):
                return found
        written = _REPEAT.match(self.text, self.at)
        if written is None:
            return None
        self.at = written.end()
        least = _count(written[1])
        if written[2] is None:
            return least, least
        return least, _count(written[3]) if written[3] else None

    def group(self, depth: int) -> Node:
        if any(self.next(token) for token in ("?=", "?!", "?<=", "?<!")):
            beyond = "it looks ahead or behind"
        else:
            beyond = self._opening()
        if beyond == _ALL_FLAGS:
            return Beyond(beyond)
        inside = self.either(depth + 1)
        if not self.next(")"):
            raise NoPattern("a ( is not closed")
        return Beyond(beyond) if beyond else inside

    def _opening(self) -> str:
        """Take how a group begins; what is beyond us in it, or nothing."""
        if self.next("?:"):
            return ""
        named = _NAMED.match(self.text, self.at)
        if named:
            self.at = named.end()
            return ""
        flags = _FLAGS.match(self.text, self.at)
        if flags:
            self.at = flags.end()
            return "it sets flags" if flags[1] == ":" else _ALL_FLAGS
        if self.text.startswith("?", self.at):
            raise NoPattern(f"a group cannot begin with ({self.text[self.at : self.at + 2]}")
        return ""

    def escape(self) -> Node:
        if self.at >= len(self.text):
            raise NoPattern("it ends in a backslash")
        code = self.code()
        if code is not None:
            return Chars(((code, code),))
        char = self.text[self.at]
        self.at += 1
        if char in _CLASSES:
            return Chars(_CLASSES[char])
        if char in "AzZ":
            return Edge(char == "A")
        if char in "bB":
            return Beyond("it asks for the edges of words")
        if char in "123456789k":
            return Beyond("it refers back to a group")
        if char in "pP" and self.next("{"):
            return self.property_()
        return Chars(_of(char))

    def property_(self) -> Node:
        end = self.text.find("}", self.at)
        if end < 0:
            raise NoPattern("a \\p{ is not closed")
        self.at = end + 1
        return Beyond("it asks for properties of Unicode")

    def code(self) -> int | None:
        """Take an escape that is a code point, its backslash taken before."""
        written = _CODE.match(self.text, self.at)
        if written:
            self.at = written.end()
            if written[4]:
                return ord(written[4]) % 32
            return min(int(written[1] or written[2] or written[3], 16), LAST)
        char = self.text[self.at]
        if char in _CONTROLS:
            self.at += 1
            return _CONTROLS[char]
        return None

    def char_class(self) -> Node:
        negated = self.next("^")
        members: list[Ranges] = []
        beyond: Beyond | None = None
        while not self.next("]"):
            found = self.range_()
            if isinstance(found, Beyond):
                beyond = found
            else:
                members.append(found)
        ranges = joined(r for m in members for r in m)
        return beyond or Chars(inverted(ranges) if negated else ranges)

    def range_(self) -> Ranges | Beyond:
        """Take a member of a class, or a range from one to another."""
        low = high = self.member()
        ranged = self.text.startswith("-", self.at) and self.text[self.at + 1 : self.at + 2] != "]"
        if ranged:
            self.at += 1
            high = self.member()
        if isinstance(low, Beyond):
            return low
        if isinstance(high, Beyond):
            return high
        if isinstance(low, int) and isinstance(high, int):
            if low > high:
                raise NoPattern(f"its range {chr(low)}-{chr(high)} is the wrong way round")
            return ((low, high),)
        # Annex B: a range from or to a class is both of them and a hyphen.
        ends = [((e, e),) if isinstance(e, int) else e for e in (low, high)]
        return joined([*ends[0], *ends[1], *([(45, 45)] if ranged else [])])

    def member(self) -> int | Ranges | Beyond:
        """Take one member of a class: a character, a class of its own, or what is beyond us."""
        if self.at >= len(self.text):
            raise NoPattern("a [ is not closed")
        char = self.text[self.at]
        self.at += 1
        if char != "\\":
            return ord(char)
        if self.at >= len(self.text):
            raise NoPattern("it ends in a backslash")
        code = self.code()
        if code is not None:
            return code
        char = self.text[self.at]
        self.at += 1
        if char in _CLASSES:
            return _CLASSES[char]
        if char in "pP" and self.next("{"):
            self.property_()
            return Beyond("it asks for properties of Unicode")
        return 8 if char == "b" else ord(char)


def _count(digits: str) -> int:
    """A count of a repeat; beyond a million, a million and one is as good."""
    return int(digits) if len(digits) < 7 else 1_000_001
