"""SQL text to parsed statements, within bounds, one broken statement never hiding the others."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import Token, TokenType

from contracts_svc.lineage.sql_faults import (
    TOO_DEEP,
    Fault,
    dialect_name,
    in_words,
    parse_fault,
    place_of,
    template_fault,
)
from contracts_svc.lineage.sql_moves import moves_of
from contracts_svc.lineage.sql_respelt import files_moved, respelt, spread
from contracts_svc.lineage.sql_script import (
    SPREAD,
    STARTS,
    body,
    chunks,
    code_in,
    template_in,
    without_templates,
)
from contracts_svc.lineage.sql_tokens import name_at, opens
from contracts_svc.lineage.sql_variables import plain_tables

MAX_BYTES = 1_000_000
"""Longest text taken, in UTF-8 bytes."""
MAX_TOKENS = 100_000
"""Longest text taken, in tokens: about two seconds of parsing."""

# Names people use for dialects that sqlglot calls otherwise, or that are close to one it has.
_DIALECTS = {
    "ansi": "",
    "db2": "",
    "greenplum": "postgres",
    "mssql": "tsql",
    "postgresql": "postgres",
    "pyspark": "spark",
    "sparksql": "spark",
    "sqlserver": "tsql",
    "synapse": "tsql",
}
_BEFORE_A_SOURCE = {TokenType.FROM, TokenType.JOIN, TokenType.USING, TokenType.PIVOT, TokenType.UNPIVOT}
_BEFORE_A_TARGET = {TokenType.INTO, TokenType.TABLE, TokenType.VIEW, TokenType.UPDATE}
_MOVES_DATA = {
    TokenType.SELECT,
    TokenType.INSERT,
    TokenType.INTO,
    TokenType.MERGE,
    TokenType.PIVOT,
    TokenType.UNPIVOT,
}
_IN_DOLLARS = re.compile(r"\s*(\$\w*\$)(.*)\1", re.DOTALL)
_NO_DATA = {
    "ADD", "ANALYZE", "BEGIN", "CHECKPOINT", "CLUSTER", "COLLECT", "COMMENT", "COMMIT", "DEALLOCATE",
    "DECLARE", "DENY", "DESC", "DESCRIBE", "DETACH", "DISABLE", "DISCARD", "DROP", "ENABLE", "EXPLAIN",
    "FLUSH", "GRANT", "HELP", "INSTALL", "KILL", "LIST", "LISTEN", "LOCK", "LS", "MSCK", "NOTIFY",
    "OPTIMIZE", "PRAGMA", "PRINT", "PURGE", "REFRESH", "REINDEX", "RELEASE", "REMOVE", "RESET", "RESUME",
    "REVOKE", "RM", "ROLLBACK", "SAVEPOINT", "SECURITY", "SET", "SHOW", "START", "STOP", "SUSPEND", "SYSTEM",
    "TRUNCATE", "UNCACHE", "UNDROP", "UNLOCK", "UNSET", "USE", "VACUUM",
}  # fmt: skip
"""Statements that move no data, whatever is written after these words."""
_HOLDS_DATA = {"TABLE", "TABLES", "VIEW", "STREAM", "SNAPSHOT", "TRIGGER"}
"""What a statement that changes a schema may be about where data can come with it."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement: its tree, or, where it could not be parsed, a fault and the names it holds."""

    tree: exp.Expr | None
    fault: Fault | None = None
    sources: tuple[str, ...] = ()
    target: str | None = None


def dialect_of(name: str) -> Dialect | None:
    """The sqlglot dialect of that name (``duckdb``, ``postgres``, ...), or None."""
    try:
        return Dialect.get_or_raise(_DIALECTS.get(name.lower(), name.lower()) or None)
    except ValueError:
        return None


def statements(sql: str, dialect: Dialect) -> Iterator[Statement]:
    """Every statement of a text, in order. Never raises; empty statements are left out."""
    if len(sql.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        yield Statement(None, Fault(f"the SQL text is longer than {MAX_BYTES:,} bytes", 1, 1, "split it"))
        return
    try:
        tokens = dialect.tokenize(sql)
    except TokenError as error:
        reason = f"the SQL cannot be split into tokens: {in_words(str(error))}"
        yield Statement(None, Fault(reason, 1, 1, "is a quote or a comment left open?"))
        return
    if len(tokens) > MAX_TOKENS:
        fault = Fault(f"the SQL text has more than {MAX_TOKENS:,} tokens", 1, 1, "split it")
        yield _named(tokens, fault)
        return
    for chunk in chunks(tokens, dialect):
        if (code := code_in(chunk)) is not None:
            yield from _coded(code, dialect)
        elif statement := body(spread(chunk, dialect) if chunk[0].text.upper() in SPREAD else chunk):
            yield from _split(statement, sql, dialect)


def _coded(code: Token, dialect: Dialect) -> Iterator[Statement]:
    """What the text of a function fills. What it selects it gives to those who call it."""
    found_in = _IN_DOLLARS.match(code.text)
    text = found_in.group(2) if found_in else code.text
    # Its lines are counted from where it stands in the whole.
    before = "\n" * max(0, code.line - 1 - code.text.count("\n"))
    for found in statements(before + text, dialect):
        if found.tree is None:
            if found.target:
                yield found
        elif not isinstance(found.tree, exp.Query):
            for select in found.tree.find_all(exp.Select):
                select.set("into", None)
            yield found


def _split(tokens: list[Token], sql: str, dialect: Dialect) -> Iterator[Statement]:
    """A statement, or, in T-SQL, the several that stand there with nothing between them."""
    left = tokens
    while left:
        end = _next_start(left, sql, dialect) if dialect_name(dialect) == "tsql" else 0
        yield from _parsed(left[:end] if end else left, sql, dialect)
        left = body(left[end:]) if end else []


def _next_start(tokens: list[Token], sql: str, dialect: Dialect) -> int:
    """Where the parser stops at a word that statements begin with; 0 where it does not."""
    try:
        dialect.parser().parse(tokens, sql)
    except ParseError as error:
        place = place_of(error)
        for at, token in enumerate(tokens):
            if at and (token.line, token.col) == place:
                if token.text.upper() in STARTS:
                    return at
                # The word may have been taken for the name of a table (``FROM a`` UPDATE).
                before = tokens[at - 1]
                taken = before.text.upper() in STARTS and before.line > tokens[max(0, at - 2)].line
                return at - 1 if taken else 0
    except RecursionError:
        return 0
    return 0


def _parsed(tokens: list[Token], sql: str, dialect: Dialect) -> Iterator[Statement]:
    if (found := template_in(tokens, sql)) is not None:
        yield _named(without_templates(tokens, dialect), template_fault(*found))
        return
    if moved := files_moved(tokens, sql, dialect):
        yield from map(Statement, moved)
        return
    tokens = respelt(tokens, dialect)
    try:
        trees = dialect.parser().parse(tokens, sql)
    except ParseError as error:
        yield _named(tokens, _unparsed(error, tokens, dialect))
    except RecursionError:
        yield _named(tokens, Fault(TOO_DEEP, tokens[0].line, tokens[0].col, "split it into steps"))
    else:
        for tree in trees:
            if tree is not None:
                yield from _meant(tree, tokens, sql, dialect)


def _unparsed(error: ParseError, tokens: Sequence[Token], dialect: Dialect) -> Fault:
    for at, token in enumerate(tokens[:-1]):
        if token.text == "$" and tokens[at + 1].token_type is TokenType.L_BRACE:
            return template_fault(token, "`${" + tokens[min(at + 2, len(tokens) - 1)].text[:40] + "}`")
    return parse_fault(error, tokens, dialect)


def _meant(tree: exp.Expr, tokens: list[Token], sql: str, dialect: Dialect) -> Iterator[Statement]:
    """What a tree says, which for some statements is no more than their text."""
    line, column = tokens[0].line, tokens[0].col
    if isinstance(tree, exp.Command | exp.Execute) and (moves := moves_of(spread(tokens, dialect))):
        yield from map(Statement, moves)
    elif isinstance(tree, exp.Execute):
        yield _named(tokens, Fault(f"what {tree.this.sql(dialect)} does is not known", line, column))
    elif isinstance(tree, exp.Command) and tree.name.upper() in ("UNLOAD", "EXECUTE"):
        yield from _inner(tree, tokens, dialect)
    elif isinstance(tree, exp.Command) and (task := _scheduled(tokens)):
        yield from _parsed(task, sql, dialect)
    elif isinstance(tree, exp.Command) and _may_move(tree, tokens):
        reason = f"this kind of statement ({tree.name.upper()}) is not followed"
        yield _named(tokens, Fault(reason, line, column))
    elif isinstance(tree, (exp.Alias, exp.Condition)) and not isinstance(tree, exp.Query):
        # A word that is misspelt makes an expression of a statement (``SELEC x``).
        yield _named(tokens, Fault(f"`{tokens[0].text[:40]} ...` is no statement", line, column))
    elif (variable := plain_tables(tree, dialect)) is not None:
        hint = "give the SQL as it is run, with the name of the table"
        yield _named(
            tokens, Fault(f"a table is named by a variable: {variable.sql(dialect)}", line, column, hint)
        )
    else:
        yield Statement(tree)


def _may_move(command: exp.Command, tokens: Sequence[Token]) -> bool:
    """Whether a statement that is kept as text may move data: all but those known not to."""
    name = command.name.upper()
    if any(t.token_type in _MOVES_DATA for t in tokens):
        return True
    if name == "ALTER":  # what moves data of these is followed
        return False
    if name == "CREATE":
        return any(t.text.upper() in _HOLDS_DATA for t in tokens)
    return name.partition(" ")[0] not in _NO_DATA


def _scheduled(tokens: list[Token]) -> list[Token]:
    """The statement that a task runs: ``CREATE TASK name ... AS statement``."""
    words = [t.text.upper() for t in tokens]
    if words[0] != "CREATE" or "TASK" not in words[:4] or "AS" not in words:
        return []
    return body(tokens[words.index("AS") + 1 :])


def _inner(command: exp.Command, tokens: list[Token], dialect: Dialect) -> Iterator[Statement]:
    """The statement inside of another: ``EXECUTE IMMEDIATE 'statement'``, ``UNLOAD (query) TO 'place'``."""
    name = command.name.upper()
    start = tokens[0]
    column = max(1, start.col - len(start.text) + 1)
    try:
        rest = dialect.tokenize(" ".join(t.text for t in tokens[1:]))
    except TokenError:
        rest = []
    if name == "EXECUTE" and len(rest) == 2 and rest[1].token_type is TokenType.STRING:
        yield from statements(rest[1].text, dialect)
        return
    found = _unloaded(rest, dialect) if name == "UNLOAD" else None
    fault = Fault(f"this kind of statement ({name}) is not followed", start.line, column)
    yield found or _named(rest, fault)


def _unloaded(tokens: list[Token], dialect: Dialect) -> Statement | None:
    """As ``COPY (query) TO 'place'``; the query may stand in quotes."""
    for end in (i for i, t in enumerate(tokens) if t.token_type is TokenType.R_PAREN):
        after = tokens[end + 1 : end + 3]
        if [t.text.upper() for t in after[:1]] != ["TO"] or after[-1].token_type is not TokenType.STRING:
            continue
        inner = tokens[1:end]
        try:
            if len(inner) == 1:
                inner = dialect.tokenize(inner[0].text)
            trees = dialect.parser().parse(inner, " ".join(t.text for t in inner))
        except (ParseError, TokenError, RecursionError):
            return None
        if len(trees) == 1 and isinstance(trees[0], exp.Query):
            place = exp.Literal.string(after[1].text)
            return Statement(exp.Copy(this=exp.Subquery(this=trees[0]), kind=False, files=[place]))
    return None


def _named(tokens: Sequence[Token], fault: Fault) -> Statement:
    """The tables a statement that could not be parsed may read (none left out), and its target."""
    sources: dict[str, None] = {}
    defined: set[str] = set()
    target: str | None = None
    for at, token in enumerate(tokens):
        if token.token_type in _BEFORE_A_SOURCE or token.token_type in _BEFORE_A_TARGET:
            name = name_at(tokens, at + 1)
            if name is None:
                continue
            if token.token_type in _BEFORE_A_SOURCE:
                sources.setdefault(name)
            elif target is None:
                target = name
            elif name != target:
                sources.setdefault(name)
        elif token.token_type is TokenType.ALIAS and opens(tokens, at + 1):
            defined.add(tokens[at - 1].text.lower())
    return Statement(None, fault, tuple(s for s in sources if s.lower() not in defined), target)
