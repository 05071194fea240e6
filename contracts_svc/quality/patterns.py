"""Regular expressions: from ECMA-262, in which ODCS writes them, to RE2, which engines run.

RE2 has no look-around and no back-references, which is what keeps its time linear; patterns that
need them are refused with the reason. As JSON Schema does, and ECMA's ``test``, a pattern is searched
for anywhere in the value: write ``^...$`` to match all of it. ``\\A``, ``\\z`` and ``(?i)``, which are
not ECMA's, are understood too.
"""

from __future__ import annotations

import re

_SPACES = r"\s\x{0b}\x{a0}\x{feff}\p{Z}"
_ANY = r"\x{0}-\x{10ffff}"
_LARGEST_REPEAT = 1000


class CannotTranslate(ValueError):
    """The pattern cannot be run; the message says why."""


def to_re2(pattern: str) -> str:
    """The same pattern for RE2.

    Raises CannotTranslate when it needs what RE2 does not have, or is not a pattern at all.
    """
    return _Reader(pattern).read()


_CHARACTER = re.compile(r"([A-Za-z0-9_ :-]|\\d|\[(?:[A-Za-z0-9](?:-[A-Za-z0-9])?)+\])(?:\{([0-9]{1,2})\})?")
_LONGEST_GLOB = 64


def to_glob(pattern: str) -> str | None:
    """A pattern for GLOB that means the same, where one says of each character in turn what it may be
    (``^[A-Z]{2}[0-9]{3}$``); else None. An engine compares those in half the time of a regular expression."""
    if not pattern.startswith("^") or not pattern.endswith("$"):
        return None
    found: list[str] = []
    at, end = 1, len(pattern) - 1
    while at < end:
        one = _CHARACTER.match(pattern, at, end)
        if one is None or any(a > b for a, b in re.findall(r"(\w)-(\w)", one[1])):
            return None
        found += ["[0-9]" if one[1] == "\\d" else one[1]] * int(one[2] or 1)
        at = one.end()
    return "".join(found) if 0 < len(found) <= _LONGEST_GLOB else None


class _Reader:
    def __init__(self, pattern: str) -> None:
        self.text = pattern
        self.at = 0
        self.depth = 0
        self.out: list[str] = []

    def read(self) -> str:
        while self.at < len(self.text):
            self._atom()
        if self.depth:
            raise CannotTranslate("a ( is not closed")
        return "".join(self.out)

    def _take(self, count: int = 1) -> str:
        taken = self.text[self.at : self.at + count]
        self.at += count
        return taken

    def _atom(self) -> None:
        char = self._take()
        if char == "\\":
            self.out.append(self._escape(inside=False))
        elif char == "[":
            self._class()
        elif char == "(":
            self._group()
        elif char == ")":
            self.depth -= 1
            if self.depth < 0:
                raise CannotTranslate("a ) closes nothing")
            self.out.append(char)
        elif char in "*+?{":
            self._repeat(char)
        else:
            self.out.append(char)

    def _repeat(self, char: str) -> None:
        if char == "{":
            counts = re.match(r"(\d+)(,(\d*))?\}", self.text[self.at :])
            if counts is None:
                self.out.append(r"\{")
                return
            sizes = [int(n) for n in (counts[1], counts[3]) if n]
            if max(sizes) > _LARGEST_REPEAT:
                raise CannotTranslate(f"it repeats more than {_LARGEST_REPEAT:,} times")
            if len(sizes) == 2 and sizes[0] > sizes[1]:
                raise CannotTranslate(f"its repeat {{{counts[1]},{counts[3]}}} is the wrong way round")
            char += self._take(counts.end())
        if not self.out or self.out[-1] in ("(", "(?:", "|"):
            raise CannotTranslate(f"nothing stands before its {char}")
        self.out.append(char)
        if self.text[self.at : self.at + 1] == "?":
            self.out.append(self._take())
        if self.text[self.at : self.at + 1] in ("*", "+", "?"):
            raise CannotTranslate("it repeats a repeat")

    def _group(self) -> None:
        self.depth += 1
        rest = self.text[self.at :]
        if re.match(r"\?<?[=!]", rest):
            raise CannotTranslate("it looks ahead or behind, which the engine cannot do in linear time")
        named = re.match(r"\?P?<([A-Za-z_]\w*)>", rest)
        if named:
            self.at += named.end()
            self.out.append(f"(?P<{named[1]}>")
            return
        flags = re.match(r"\?([ims]*(?:-[ims]+)?)([:)])", rest)
        if flags:
            self.at += flags.end()
            self.depth -= flags[2] == ")"
            self.out.append(f"(?{flags[1]}{flags[2]}")
            return
        if rest.startswith("?"):
            raise CannotTranslate(f"the engine does not know the group ({rest[:3]}")
        self.out.append("(")

    def _class(self) -> None:
        negated = "^" if self.text[self.at : self.at + 1] == "^" else ""
        self.at += len(negated)
        if self.text[self.at : self.at + 1] == "]":
            self.at += 1
            self.out.append(f"[{_ANY}]" if negated else f"[^{_ANY}]")
            return
        parts = [f"[{negated}"]
        while self.at < len(self.text):
            char = self._take()
            if char == "]":
                self.out.append("".join(parts) + "]")
                return
            parts.append(self._escape(inside=True) if char == "\\" else char)
        raise CannotTranslate("a [ is not closed")

    def _escape(self, *, inside: bool) -> str:
        if self.at >= len(self.text):
            raise CannotTranslate("it ends in a backslash")
        code = re.match(r"u\{([0-9A-Fa-f]{1,6})\}|u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})", self.text[self.at :])
        if code:
            self.at += code.end()
            return f"\\x{{{next(g for g in code.groups() if g)}}}"
        prop = re.match(r"([pP])\{(?:Script=|sc=|General_Category=|gc=)?(\w+)\}", self.text[self.at :])
        if prop:
            self.at += prop.end()
            return f"\\{prop[1]}{{{prop[2]}}}"
        char = self._take()
        if char == "s":
            return _SPACES if inside else f"[{_SPACES}]"
        if char == "S" and not inside:
            return f"[^{_SPACES}]"
        return _plain_escape(char, self._take() if char == "c" else "", inside=inside)


def _plain_escape(char: str, control: str, *, inside: bool) -> str:
    if char in "123456789k" and not inside:
        raise CannotTranslate("it refers back to a group, which the engine cannot do in linear time")
    if char == "0":
        return r"\x{0}"
    if char == "b" and inside:
        return r"\x{08}"
    if char == "c":
        return f"\\x{{{ord(control or '@') % 32:x}}}"
    if char == "Z":
        return r"\z"
    if char in "dDwWSbBAznrtfv":
        return f"\\{char}"
    return char if char.isalnum() or char == "_" or ord(char) > 127 else f"\\{char}"
