"""What names hold that others chose must not steer a terminal."""

from __future__ import annotations

import re
from typing import TextIO

_COLOURS = re.compile(r"(\x1b\[(?:(?!8(?:;|m))\d{1,3}(?:;(?=\d))?)*m)")
"""Colours and bold letters, as ours are; not 8, which hides what follows."""


def spelt(text: str) -> str:
    """The text with control and direction characters spelt out (``\\x1b``), except colours, tabs and the ends
    of lines.

    >>> spelt("a\\x1b[2Jb")
    'a\\\\x1b[2Jb'
    """
    if text.isprintable():
        return text
    parts = _COLOURS.split(text)
    # What the pattern finds is at the odd places.
    return "".join(part if n % 2 else _spelt(part) for n, part in enumerate(parts))


def _spelt(text: str) -> str:
    return "".join(
        c if c.isprintable() or c in "\n\t\u200d" or (c.isspace() and c > "\x9f") else _code(c) for c in text
    )


def _code(char: str) -> str:
    return char.encode("unicode_escape").decode()


class Spelling:
    """A text stream that writes :func:`spelt` texts to another."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write it; how much of it was written, as was asked for."""
        self._stream.write(spelt(text))
        return len(text)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)
