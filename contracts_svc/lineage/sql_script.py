"""The parts of a script: statements, what procedures and blocks put around them, templates left in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlglot.dialects.dialect import Dialect
from sqlglot.tokenizer_core import Token, TokenType

from contracts_svc.lineage.sql_faults import dialect_name

STARTS = {
    "COMMIT", "ELSE", "END", "IF", "ROLLBACK", "USE", "WHILE",
    "ALTER", "BEGIN", "CALL", "COPY", "CREATE", "DECLARE", "DELETE", "DROP", "EXEC", "EXECUTE", "INSERT",
    "MERGE", "PRINT", "RAISERROR", "REPLACE", "RETURN", "SELECT", "SET", "THROW", "TRUNCATE", "UPDATE",
    "WITH",
}  # fmt: skip
"""Words that statements begin with, in scripts that put nothing between them."""
_BLOCKS = {"BEGIN", "CATCH", "ELSE", "END", "EXCEPTION", "LOOP", "REPEAT", "TRY"}
"""Words that open and close blocks of statements."""
_ENDED = {"CASE", "CATCH", "FOR", "IF", "LOOP", "REPEAT", "TRY", "WHILE"}
_TRANSACTION = {"ISOLATION", "READ", "TRAN", "TRANSACTION", "WORK"}
_CONDITIONS = {"ELSEIF", "ELSIF", "FOR", "IF", "WHEN", "WHILE"}
SPREAD = {*_CONDITIONS, "END"}
"""Words after which sqlglot keeps the rest of a statement as one text."""
_AFTER_A_CONDITION = {"DO", "LOOP", "THEN"}
_NO_DATA = {
    "BREAK", "CLOSE", "CONTINUE", "FETCH", "GOTO", "ITERATE", "LEAVE", "LET", "NULL", "OPEN", "PERFORM",
    "RAISE", "RAISERROR", "RETURN", "SIGNAL", "THROW", "UNTIL", "WAITFOR",
}  # fmt: skip
"""Words of procedures: what begins with them fills no table."""
_LONGEST_HEAD = 500
"""Tokens in which the BEGIN of a procedure is looked for."""


def chunks(tokens: Sequence[Token], dialect: Dialect) -> Iterator[list[Token]]:
    """The tokens of each statement."""
    separator = {"tsql": "GO", "oracle": "/"}.get(dialect_name(dialect), "")
    chunk: list[Token] = []
    for at, token in enumerate(tokens):
        ends = token.token_type is TokenType.SEMICOLON
        if ends or (separator and token.text.upper() == separator and _alone(tokens, at)):
            if chunk:
                yield chunk
            chunk = []
        else:
            chunk.append(token)
    if chunk:
        yield chunk


def _alone(tokens: Sequence[Token], at: int) -> bool:
    """Whether a token has a line of its own."""
    line = tokens[at].line
    before = at == 0 or tokens[at - 1].line < line
    return before and (at + 1 == len(tokens) or tokens[at + 1].line > line)


def body(tokens: list[Token]) -> list[Token]:
    """The statement without what procedures and blocks put before it; nothing where it fills no table."""
    words = [token.text.upper() for token in tokens[:_LONGEST_HEAD]]
    if words[0] in ("ALTER", "CREATE") and {"PROCEDURE", "PROC"} & {*words[:5]}:
        tokens = tokens[_begins(tokens, words) :]
    while tokens:
        word = tokens[0].text.upper()
        after = tokens[1].text.upper() if len(tokens) > 1 else ""
        if word == "BEGIN" and after in _TRANSACTION:
            # What else stands in its line says how.
            line = tokens[0].line
            left = (i for i, t in enumerate(tokens) if i and (t.line > line or t.text.upper() in STARTS))
            tokens = tokens[next(left, len(tokens)) :]
        elif word in _BLOCKS:
            tokens = tokens[2 if word == "END" and after in _ENDED else 1 :]
        elif word in _CONDITIONS and (at := _after_condition(tokens)):
            tokens = tokens[at:]
        elif word in _NO_DATA or after == ":=":
            return []
        else:
            break
    return tokens


def _begins(tokens: Sequence[Token], words: Sequence[str]) -> int:
    """Where the first statement of a procedure begins."""
    if "BEGIN" in words:
        return words.index("BEGIN")
    depth = 0
    starts: list[int] = []
    for at, word in enumerate(words):
        depth += (word == "(") - (word == ")")
        if at > 1 and depth == 0 and word in STARTS and tokens[at].token_type is not TokenType.STRING:
            starts.append(at)
    # ``CREATE PROCEDURE p WITH RECOMPILE AS SELECT ...``
    after = [at for at in starts if words[at - 1] == "AS"]
    return (after or starts or [0])[0]


def _after_condition(tokens: Sequence[Token]) -> int:
    """Where the statement begins that a condition or a loop decides about; 0 where there is none."""
    depth = cases = 0
    for at, token in enumerate(tokens[:_LONGEST_HEAD]):
        word = token.text.upper()
        depth += (token.token_type is TokenType.L_PAREN) - (token.token_type is TokenType.R_PAREN)
        cases += (token.token_type is TokenType.CASE) - (token.token_type is TokenType.END and cases > 0)
        if at and depth == 0 and cases == 0:
            if word in _AFTER_A_CONDITION:
                return at + 1
            if word in STARTS:
                return at
    return 0


def code_in(tokens: Sequence[Token]) -> Token | None:
    """The text of SQL that a function or procedure is (``AS $$ ... $$``), or that ``DO $$ ... $$`` runs."""
    words = [t.text.upper() for t in tokens]
    if words[0] == "DO" and tokens[-1].token_type is TokenType.STRING:
        return tokens[-1]
    if words[0] != "CREATE" or not {"FUNCTION", "PROCEDURE", "PROC"} & {*words[:5]}:
        return None
    language = words[words.index("LANGUAGE") + 1] if "LANGUAGE" in words[:-1] else "SQL"
    texts = (TokenType.HEREDOC_STRING, TokenType.RAW_STRING, TokenType.STRING)
    after = [t for at, t in enumerate(tokens) if at and words[at - 1] == "AS" and t.token_type in texts]
    return after[0] if after and language in ("SQL", "PLPGSQL") else None


def template_in(tokens: Sequence[Token], text: str) -> tuple[Token, str] | None:
    """The first part of a template (``{{ ... }}``, ``{% ... %}``), and how it is written."""
    for at, token in enumerate(tokens):
        if _opens_template(tokens, at):
            end = next((i for i in range(at, len(tokens)) if _closes_template(tokens, i)), len(tokens) - 1)
            shown = " ".join(text[token.start : tokens[end].end + 1].split())
            return token, f"`{shown[:60]}`"
    return None


def _opens_template(tokens: Sequence[Token], at: int) -> bool:
    return tokens[at].token_type is TokenType.BLOCK_START or _twice(tokens, at, TokenType.L_BRACE)


def _closes_template(tokens: Sequence[Token], at: int) -> bool:
    return tokens[at].token_type is TokenType.BLOCK_END or _twice(tokens, at - 1, TokenType.R_BRACE)


def _twice(tokens: Sequence[Token], at: int, kind: TokenType) -> bool:
    """Whether two of these stand side by side."""
    if not 0 <= at < len(tokens) - 1:
        return False
    one, other = tokens[at], tokens[at + 1]
    return one.token_type is kind and other.token_type is kind and other.start == one.end + 1


def without_templates(tokens: Sequence[Token], dialect: Dialect) -> list[Token]:
    """The tokens outside of a template; dbt's ``{{ ref('a') }}`` and ``{{ source('s', 'a') }}`` as names."""
    kept: list[Token] = []
    at = 0
    while at < len(tokens):
        if not _opens_template(tokens, at):
            kept.append(tokens[at])
            at += 1
            continue
        end = next((i for i in range(at + 1, len(tokens)) if _closes_template(tokens, i)), len(tokens) - 1)
        inner = tokens[at : end + 1]
        words = [t.text.lower() for t in inner]
        names = [t for t in inner if t.token_type is TokenType.STRING]
        if names and "ref" in words:
            kept.append(names[-1])
        elif len(names) == 2 and "source" in words:
            kept += [names[0], *dialect.tokenize("."), names[1]]
        at = end + 1
    return kept
