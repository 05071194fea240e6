"""Matchers over labels: ``severity="error"``, ``squad=~"menu|.*-ops"``, as Alertmanager writes them.

Alertmanager has two grammars, an old one (here *classic*) and one that allows any UTF-8 name, and reads
a text with both: where they differ the classic meaning wins, so that old configurations keep theirs.
The same is done here; sources: https://prometheus.io/docs/alerting/latest/configuration/#matcher and the
tests of its packages ``pkg/labels`` and ``matcher/parse``. Regular expressions are RE2's, which take
linear time, and match a whole value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

from contracts_svc.routes.matcher_tokens import Kind, LexError, Token, tokens

MAX_TEXT = 4096
"""Characters in the text of matchers."""


class MatcherError(ValueError):
    """The text is no list of matchers; the message says where or what."""


class Op(StrEnum):
    """How a matcher compares."""

    EQUAL = "="
    NOT_EQUAL = "!="
    MATCHES = "=~"
    NOT_MATCHES = "!~"


@dataclass(frozen=True, slots=True, order=True)
class Matcher:
    """One condition on one label. A label that is not there has the value ``""``."""

    name: str
    op: Op
    value: str

    def __str__(self) -> str:
        return f'{self.name}{self.op}"{_escaped(self.value)}"'

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether these labels satisfy it."""
        value = labels.get(self.name, "")
        if self.op in (Op.EQUAL, Op.NOT_EQUAL):
            return (value == self.value) is (self.op is Op.EQUAL)
        return _matches_whole(self.value, value) is (self.op is Op.MATCHES)


def matches_all(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """Whether these labels satisfy every matcher; none is satisfied by all."""
    return all(m.matches(labels) for m in matchers)


def matcher(name: str, op: Op, value: str) -> Matcher:
    """A matcher, once its regular expression is known to be one. Raises MatcherError."""
    if op in (Op.MATCHES, Op.NOT_MATCHES):
        _compiled(value)
    return Matcher(name, op, value)


def parse(text: str) -> tuple[Matcher, ...]:
    """The matchers in ``text``, with or without braces, separated by commas. Raises MatcherError."""
    if len(text) > MAX_TEXT:
        raise MatcherError(f"more than {MAX_TEXT:,} characters")
    try:
        classic = parse_classic(text)
    except MatcherError as error:
        try:
            return parse_utf8(text)
        except MatcherError:
            raise error from None
    return classic


def parse_one(text: str) -> Matcher:
    """The one matcher in ``text``. Raises MatcherError when there are more or none."""
    found = parse(text)
    if len(found) != 1:
        raise MatcherError(f"expected 1 matcher, found {len(found)}")
    return found[0]


# --- the classic grammar ------------------------------------------------------------------------

_CLASSIC = re.compile(r"\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(=~|=|!=|!~)\s*(.*?)\s*", re.DOTALL | re.ASCII)


def parse_classic(text: str) -> tuple[Matcher, ...]:
    """As :func:`parse`, by the classic grammar alone."""
    return tuple(_classic_one(part) for part in _parts(text.removeprefix("{").removesuffix("}")))


def _parts(text: str) -> Iterator[str]:
    """Split at commas that are not inside quotes."""
    quoted = escaped = False
    start = 0
    for index, char in enumerate(text):
        if char == ",":
            # Inside quotes a comma leaves an escape before it as it is: Alertmanager does so too.
            if not quoted:
                yield text[start:index]
                start = index + 1
        elif char == '"':
            quoted, escaped = (quoted if escaped else not quoted), False
        else:
            escaped = char == "\\" and not escaped
    last = text[start:].strip()
    if last:
        yield last


def _classic_one(text: str) -> Matcher:
    found = _CLASSIC.fullmatch(text)
    if found is None:
        raise MatcherError(f"bad matcher format: {text}")
    name, op, raw = found.groups()
    return matcher(name, Op(op), _classic_value(raw))


def _classic_value(raw: str) -> str:
    opened = raw.startswith('"')
    text = raw[1:] if opened else raw
    value: list[str] = []
    escaped = False
    for index, char in enumerate(text):
        last = index == len(text) - 1
        if escaped:
            escaped = False
            value.append({"n": "\n", '"': '"', "\\": "\\"}.get(char, "\\" + char))
        elif char == "\\" and not last:
            escaped = True
        elif char != '"':
            value.append(char)
        elif opened and last:
            opened = False
        else:
            opened = True
            break
    if opened:
        raise MatcherError(f"matcher value contains unescaped double quote: {raw}")
    return "".join(value)


# --- the UTF-8 grammar --------------------------------------------------------------------------

_OPERATORS = {op.value: op for op in Op}


def parse_utf8(text: str) -> tuple[Matcher, ...]:
    """As :func:`parse`, by the UTF-8 grammar alone."""
    try:
        return _Utf8(text).read()
    except LexError as error:
        raise MatcherError(str(error)) from None


class _Utf8:
    """A matcher list: ``[{] name op value {, name op value} [,] [}]``."""

    def __init__(self, text: str) -> None:
        self._end = len(text)
        self._tokens = tokens(text)
        self._ahead: Token | None = None

    def read(self) -> tuple[Matcher, ...]:
        found: list[Matcher] = []
        opened = self._peek() is not None and self._kind() is Kind.OPEN
        if opened:
            self._take()
        elif self._peek() is None:
            return ()
        if not (opened and (self._peek() is None or self._kind() is Kind.CLOSE)):
            found.append(self._matcher())
            while self._after_matcher():
                found.append(self._matcher())
        self._close(opened)
        if rest := self._peek():
            raise MatcherError(f"{rest.place}: {rest.text}: expected end of input")
        return tuple(found)

    def _matcher(self) -> Matcher:
        name = self._expect((Kind.QUOTED, Kind.UNQUOTED), "expected label name").value()
        op = self._expect((Kind.OPERATOR,), "expected an operator such as '=', '!=', '=~' or '!~'").text
        value = self._expect((Kind.QUOTED, Kind.UNQUOTED), "expected label value").value()
        return matcher(name, _OPERATORS[op], value)

    def _after_matcher(self) -> bool:
        """Whether another matcher follows."""
        if self._peek() is None or self._kind() is Kind.CLOSE:
            return False
        self._expect((Kind.COMMA,), "expected a comma or close brace")
        if self._peek() is None or self._kind() is Kind.CLOSE:
            return False
        if self._kind() not in (Kind.QUOTED, Kind.UNQUOTED):
            self._expect((), "expected a matcher or close brace after comma")
        return True

    def _close(self, opened: bool) -> None:
        token = self._peek()
        if opened and (token is None or token.kind is not Kind.CLOSE):
            said = "end of input" if token is None else f"unexpected {token.text}"
            raise MatcherError(f"0:{self._end}: {said}: expected close brace")
        if not opened and token is not None and token.kind is Kind.CLOSE:
            raise MatcherError(f"0:{token.end}: }}: expected opening brace")
        if opened:
            self._take()

    def _peek(self) -> Token | None:
        if self._ahead is None:
            self._ahead = next(self._tokens, None)
        return self._ahead

    def _kind(self) -> Kind | None:
        token = self._peek()
        return token.kind if token else None

    def _take(self) -> None:
        self._ahead = None

    def _expect(self, kinds: tuple[Kind, ...], wanted: str) -> Token:
        token = self._peek()
        if token is None:
            raise MatcherError(f"0:{self._end}: end of input: {wanted}")
        if token.kind not in kinds:
            raise MatcherError(f"{token.place}: unexpected {token.text}: {wanted}")
        self._take()
        return token


# --- values -------------------------------------------------------------------------------------


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> Any:
    import re2

    options = re2.Options()
    options.log_errors = False
    options.dot_nl = True
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        said = error.args[0] if error.args else ""
        told = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        raise MatcherError(f"error parsing regexp: {told}: `{pattern}`") from None


def _matches_whole(pattern: str, value: str) -> bool:
    return _compiled(pattern).fullmatch(value) is not None
