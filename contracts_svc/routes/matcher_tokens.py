"""The words of Alertmanager's UTF-8 matcher grammar."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto


class LexError(ValueError):
    """A character that no token begins with, or a quote that is not closed."""


class Kind(Enum):
    """What a token is."""

    OPEN = auto()
    CLOSE = auto()
    COMMA = auto()
    OPERATOR = auto()
    QUOTED = auto()
    UNQUOTED = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """A word of the text, from ``start`` up to ``end`` (characters, from 0)."""

    kind: Kind
    text: str
    start: int
    end: int

    @property
    def place(self) -> str:
        """``start:end``, as messages show it."""
        return f"{self.start}:{self.end}"

    def value(self) -> str:
        """What it stands for, without quotes and escapes. Raises LexError."""
        if self.kind is not Kind.QUOTED:
            return self.text
        try:
            return _unquoted(self.text[1:-1])
        except ValueError:
            raise LexError(f"{self.place}: {self.text}: invalid input") from None


_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<OPEN>\{) | (?P<CLOSE>\}) | (?P<COMMA>,)
      | (?P<OPERATOR>=~|!=|!~|=)
      | (?P<QUOTED>"(?:[^"\\]|\\.)*")
      | (?P<UNQUOTED>[^\s{}!=~,\\"'`]+)
    """,
    re.VERBOSE | re.DOTALL,
)


def tokens(text: str) -> Iterator[Token]:
    """The tokens of ``text``. Raises LexError when it comes to what is none."""
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise LexError(_why(text, at))
        at = found.end()
        kind = found.lastgroup
        if kind and kind != "space":
            yield Token(Kind[kind], found.group(), found.start(), found.end())


def _why(text: str, at: int) -> str:
    if text[at] == '"':
        return f"{at}:{len(text)}: end of input: expected one of '\"'"
    if text[at] == "!":
        return f"{at}:{at + 1}: !: expected one of '=~'"
    return f"{at}:{at + 1}: {text[at]}: invalid input"


# Escapes of a Go string in double quotes: https://go.dev/ref/spec#String_literals
_ESCAPE = re.compile(
    rb"""\\(?: (?P<plain>[abfnrtv\\"]) | x(?P<byte>[0-9a-fA-F]{2}) | (?P<octal>[0-3][0-7]{2})
      | u(?P<short>[0-9a-fA-F]{4}) | U(?P<long>[0-9a-fA-F]{8}) )""",
    re.VERBOSE,
)
_PLAIN = dict(zip(b'abfnrtv\\"', b'\a\b\f\n\r\t\v\\"', strict=True))


def _unquoted(text: str) -> str:
    """The text of a quoted string. ValueError for an unknown escape, a raw newline or broken UTF-8."""
    if "\n" in text:
        raise ValueError("a newline inside quotes")
    raw = text.encode()
    out = bytearray()
    at = 0
    while at < len(raw):
        if raw[at : at + 1] != b"\\":
            out.append(raw[at])
            at += 1
            continue
        found = _ESCAPE.match(raw, at)
        if found is None:
            raise ValueError("an unknown escape")
        out += _escape(found)
        at = found.end()
    return out.decode()


def _escape(found: re.Match[bytes]) -> bytes:
    if plain := found["plain"]:
        return bytes([_PLAIN[plain[0]]])
    if byte := found["byte"]:
        return bytes([int(byte, 16)])
    if octal := found["octal"]:
        return bytes([int(octal, 8)])
    return chr(int(found["short"] or found["long"], 16)).encode()
