"""Date formats as ODCS writes them: patterns of Java's DateTimeFormatter.

https://docs.oracle.com/javase/8/docs/api/java/time/format/DateTimeFormatter.html. Understood are the
letters that name a part of a calendar date, a time of day or an offset in digits, month and day names in
English, quoted text and punctuation.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pattern:
    """A format for an engine: how a text of that format is parsed, and how it looks."""

    strptime: str
    regex: str
    """RE2; all of the text matches it."""
    zulu: bool = False
    """Whether it may end in Z, which stands for +00:00."""


_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_DAYS = "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday"
_SHORT_MONTHS = "|".join(m[:3] for m in _MONTHS.split("|"))
_SHORT_DAYS = "|".join(d[:3] for d in _DAYS.split("|"))

_LETTERS: dict[str, tuple[str, str]] = {
    "yyyy": ("%Y", "[0-9]{4}"),
    "uuuu": ("%Y", "[0-9]{4}"),
    "y": ("%Y", "[0-9]{1,4}"),
    "u": ("%Y", "[0-9]{1,4}"),
    "yy": ("%y", "[0-9]{2}"),
    "uu": ("%y", "[0-9]{2}"),
    "MM": ("%m", "(0[1-9]|1[0-2])"),
    "M": ("%m", "([1-9]|1[0-2])"),
    "LL": ("%m", "(0[1-9]|1[0-2])"),
    "L": ("%m", "([1-9]|1[0-2])"),
    "MMM": ("%b", f"({_SHORT_MONTHS})"),
    "MMMM": ("%B", f"({_MONTHS})"),
    "dd": ("%d", "(0[1-9]|[12][0-9]|3[01])"),
    "d": ("%d", "([1-9]|[12][0-9]|3[01])"),
    "DDD": ("%j", "[0-3][0-9]{2}"),
    "E": ("%a", f"({_SHORT_DAYS})"),
    "EE": ("%a", f"({_SHORT_DAYS})"),
    "EEE": ("%a", f"({_SHORT_DAYS})"),
    "EEEE": ("%A", f"({_DAYS})"),
    "HH": ("%H", "([01][0-9]|2[0-3])"),
    "H": ("%H", "(1?[0-9]|2[0-3])"),
    "hh": ("%I", "(0[1-9]|1[0-2])"),
    "h": ("%I", "([1-9]|1[0-2])"),
    "mm": ("%M", "[0-5][0-9]"),
    "m": ("%M", "[1-5]?[0-9]"),
    "ss": ("%S", "[0-5][0-9]"),
    "s": ("%S", "[1-5]?[0-9]"),
    "SSS": ("%g", "[0-9]{3}"),
    "SSSSSS": ("%f", "[0-9]{6}"),
    "SSSSSSSSS": ("%n", "[0-9]{9}"),
    "a": ("%p", "(AM|PM)"),
    "X": ("%z", "(Z|[-+][0-9]{2})"),
    "XX": ("%z", "(Z|[-+][0-9]{4})"),
    "XXX": ("%z", "(Z|[-+][0-9]{2}:[0-9]{2})"),
    "xx": ("%z", "[-+][0-9]{4}"),
    "xxx": ("%z", "[-+][0-9]{2}:[0-9]{2}"),
    "Z": ("%z", "[-+][0-9]{4}"),
}  # fmt: skip


def read(pattern: str) -> Pattern | str:
    """The format for an engine, or why there is none."""
    parse, look, zulu = "", "", False
    for match in re.finditer(r"'((?:[^']|'')*)'|([A-Za-z])\2*|.", pattern, re.DOTALL):
        text = match[0]
        if text == "'":
            return "a ' in it is not closed"
        if match[1] is not None:
            plain = match[1].replace("''", "'") or "'"
        elif match[2]:
            known = _LETTERS.get(text)
            if known is None:
                return f"its part {text} is not one that can be checked"
            parse += known[0]
            look += known[1]
            zulu = zulu or text.startswith("X")
            continue
        elif text in "[]{}#":
            return f"optional and reserved parts ({text}) cannot be checked"
        else:
            plain = text
        parse += plain.replace("%", "%%")
        look += _escaped(plain)
    if not look:
        return "it is empty"
    return Pattern(parse, look, zulu)


def _escaped(text: str) -> str:
    return "".join(c if c.isalnum() or ord(c) > 127 or c == " " else f"\\{c}" for c in text)
