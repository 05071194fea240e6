"""Names in the tokens of a statement that is not parsed."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot.tokenizer_core import Token, TokenType

_NO_NAMES = {
    "AND", "AS", "CASE", "CROSS", "DISTINCT", "FROM", "FULL", "GROUP", "HAVING", "INNER", "INSERT",
    "INTO", "JOIN", "LEFT", "LIMIT", "MERGE", "NATURAL", "ON", "OR", "ORDER", "OUTER", "QUALIFY",
    "RIGHT", "SELECT", "SET", "THEN", "UNION", "UPDATE", "USING", "VALUES", "WHEN", "WHERE", "WITH",
}  # fmt: skip
"""Words that name no table unless they are quoted, in any dialect."""
_BETWEEN = {"IF", "NOT", "EXISTS", "ONLY", "OVERWRITE", "TABLE"}


def opens(tokens: Sequence[Token], at: int) -> bool:
    return at < len(tokens) and tokens[at].token_type is TokenType.L_PAREN


def name_at(tokens: Sequence[Token], at: int) -> str | None:
    """The dotted name that begins here, key words such as IF NOT EXISTS passed over; None for a
    call of a function."""
    while at < len(tokens) and tokens[at].text.upper() in _BETWEEN:
        at += 1
    if at < len(tokens) and _is_key_word(tokens[at]):
        return None
    parts: list[str] = []
    while at < len(tokens):
        if _in_brackets(tokens, at):
            at += 1
            parts.append(tokens[at].text)
            at += 1
        elif _is_word(tokens[at]):
            parts.append(tokens[at].text)
        else:
            break
        if at + 1 >= len(tokens) or tokens[at + 1].token_type is not TokenType.DOT:
            break
        at += 2
    called = opens(tokens, at + 1) and tokens[at + 1].start == tokens[at].end + 1
    return None if called else ".".join(parts) or None


def _in_brackets(tokens: Sequence[Token], at: int) -> bool:
    """Whether a word in square brackets begins here: a quoted name, whatever the dialect."""
    kinds = [t.token_type for t in tokens[at : at + 3 : 2]]
    return kinds == [TokenType.L_BRACKET, TokenType.R_BRACKET]


def _is_key_word(token: Token) -> bool:
    quoted = token.token_type in (TokenType.IDENTIFIER, TokenType.STRING)
    return not quoted and token.text.upper() in _NO_NAMES


def _is_word(token: Token) -> bool:
    quoted = token.token_type in (TokenType.IDENTIFIER, TokenType.STRING)
    return quoted or token.text.replace("_", "a").isalnum()
