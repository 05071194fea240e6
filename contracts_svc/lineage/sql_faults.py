"""What is wrong with a statement, in the words of the one who wrote it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ParseError
from sqlglot.tokenizer_core import Token

TOO_DEEP = "the statement is nested too deeply to be followed"

_EXPECTED = re.compile(r"(?:Expecting|Expected) (.+)")
_INNER = re.compile(r"sqlglot|<class|TokenType|Token ")
"""Marks words that mean something to the parser only."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a statement could not be followed, and where in the text (from 1) that shows."""

    reason: str
    line: int
    column: int
    hint: str = ""


def dialect_name(dialect: Dialect) -> str:
    """What to call a dialect in a message."""
    name = type(dialect).__name__.lower()
    return "standard SQL" if name == "dialect" else name


def parse_fault(error: ParseError, tokens: Sequence[Token], dialect: Dialect) -> Fault:
    """A fault of a statement that is no SQL of this dialect."""
    first = error.errors[0] if error.errors else {}
    word = str(first.get("highlight") or "")
    line, last = place_of(error)
    return Fault(
        f"the SQL cannot be parsed: {in_words(str(first.get('description') or error), word)}",
        line or tokens[0].line,
        max(1, (last or tokens[0].col) - max(0, len(word) - 1)),
        f"is it written in {dialect_name(dialect)}?",
    )


def place_of(error: ParseError) -> tuple[int, int]:
    """The line of the token that was not expected, and the column of its last character; else 0."""
    first = error.errors[0] if error.errors else {}
    return first.get("line") or 0, first.get("col") or 0


def in_words(said: str, word: str = "") -> str:
    """What a parser says of a ``word``, without its own terms."""
    said = said.splitlines()[0].partition(" but got <")[0].rstrip(". ") if said else ""
    shown = f"`{word[:40]}`" if word.strip() else "the end"
    if found := _EXPECTED.match(said):
        wanted = found.group(1)
        wanted = f"`{wanted}`" if not wanted[0].isalpha() else wanted
        return f"{wanted} is expected at {shown}"
    if said.startswith("Invalid expression"):
        return f"{shown} is not expected here"
    if said.startswith("Required keyword") or _INNER.search(said) or not said:
        return f"something is missing at {shown}"
    return said[0].lower() + said[1:]


def template_fault(token: Token, shown: str) -> Fault:
    """A fault of SQL that is not what is run: parts of a template stand in it."""
    hint = "give the SQL as it is run, with the template filled in (dbt writes it to target/compiled)"
    reason = f"a template is not filled in: {shown}"
    return Fault(reason, token.line, max(1, token.col - len(token.text) + 1), hint)
