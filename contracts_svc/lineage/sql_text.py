"""SQL text to parsed statements, within bounds, one broken statement never hiding the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import Token, TokenType

from contracts_svc.lineage.sql_moves import moves_of
from contracts_svc.lineage.sql_tokens import name_at, opens

MAX_BYTES = 1_000_000
"""Longest text taken, in UTF-8 bytes."""
MAX_TOKENS = 100_000
"""Longest text taken, in tokens: about two seconds of parsing."""

TOO_DEEP = "the statement is nested too deeply to be followed"

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
_BLOCKS = {"BEGIN", "END", "TRY", "CATCH", "ELSE"}
"""Words that open and close blocks of statements."""
_LONGEST_HEAD = 500
"""Tokens in which the BEGIN of a procedure is looked for."""
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
_NO_DATA = {
    "ADD", "ANALYZE", "BEGIN", "CHECKPOINT", "CLUSTER", "COMMENT", "COMMIT", "DEALLOCATE", "DECLARE", "DENY",
    "DESC", "DESCRIBE", "DETACH", "DISABLE", "DISCARD", "DROP", "ENABLE", "EXPLAIN", "FLUSH", "GRANT",
    "INSTALL", "KILL", "LIST", "LISTEN", "LOCK", "LS", "MSCK", "NOTIFY", "OPTIMIZE", "PRAGMA", "PRINT",
    "PURGE", "REFRESH", "REINDEX", "RELEASE", "REMOVE", "RESET", "RESUME", "REVOKE", "ROLLBACK", "SAVEPOINT",
    "SECURITY", "SET", "SHOW", "START", "STOP", "SUSPEND", "SYSTEM", "TRUNCATE", "UNCACHE", "UNDROP",
    "UNLOCK", "UNSET", "USE", "VACUUM",
}  # fmt: skip
"""Statements that move no data, whatever is written after these words."""
_HOLDS_DATA = {"TABLE", "TABLES", "VIEW", "STREAM", "SNAPSHOT"}
"""What a statement that changes a schema may be about where data can come with it."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a statement could not be followed, and where in the text (from 1) that shows."""

    reason: str
    line: int
    column: int
    hint: str = ""


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
        reason = f"the SQL cannot be split into tokens: {str(error).splitlines()[0]}"
        yield Statement(None, Fault(reason, 1, 1, "is a quote or a comment left open?"))
        return
    if len(tokens) > MAX_TOKENS:
        fault = Fault(f"the SQL text has more than {MAX_TOKENS:,} tokens", 1, 1, "split it")
        yield _named(tokens, fault)
        return
    for chunk in _chunks(tokens):
        if statement := _body(chunk):
            yield from _parsed(statement, sql, dialect)


def _chunks(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    chunk: list[Token] = []
    for token in tokens:
        if token.token_type is TokenType.SEMICOLON:
            if chunk:
                yield chunk
            chunk = []
        else:
            chunk.append(token)
    if chunk:
        yield chunk


def _body(tokens: list[Token]) -> list[Token]:
    """The statement without what a procedure puts before it (``CREATE PROCEDURE p() AS BEGIN``)."""
    words = [token.text.upper() for token in tokens[:_LONGEST_HEAD]]
    if words[0] == "CREATE" and "PROCEDURE" in words[:5] and "BEGIN" in words:
        tokens = tokens[words.index("BEGIN") :]
    at = 0
    while at < len(tokens) and tokens[at].text.upper() in _BLOCKS:
        at += 1
    # BEGIN and END by themselves open and close a transaction.
    return tokens[at:]


def _parsed(tokens: list[Token], sql: str, dialect: Dialect) -> Iterator[Statement]:
    tokens = _respelt(tokens, dialect)
    try:
        trees = dialect.parser().parse(tokens, sql)
    except ParseError as error:
        first = error.errors[0] if error.errors else {}
        said = str(first.get("description") or error).splitlines()[0].partition(" but got <")[0]
        reason = f"the SQL cannot be parsed: {said}"
        start = tokens[0]
        yield _named(
            tokens,
            Fault(
                reason.rstrip("."),
                first.get("line") or start.line,
                _first_column(first.get("col") or start.col, str(first.get("highlight") or "")),
                f"is it written in {dialect_name(dialect)}?",
            ),
        )
    except RecursionError:
        yield _named(tokens, Fault(TOO_DEEP, tokens[0].line, tokens[0].col, "split it into steps"))
    else:
        for tree in trees:
            if isinstance(tree, exp.Command | exp.Execute) and (moves := moves_of(_spread(tokens, dialect))):
                yield from map(Statement, moves)
            elif isinstance(tree, exp.Execute):
                fault = Fault(
                    f"what {tree.this.sql(dialect)} does is not known", tokens[0].line, tokens[0].col
                )
                yield _named(tokens, fault)
            elif isinstance(tree, exp.Command) and tree.name.upper() in ("UNLOAD", "EXECUTE"):
                yield from _inner(tree, tokens, dialect)
            elif isinstance(tree, exp.Command) and (body := _scheduled(tokens)):
                yield from _parsed(body, sql, dialect)
            elif isinstance(tree, exp.Command) and _may_move(tree, tokens):
                reason = f"this kind of statement ({tree.name.upper()}) is not followed"
                yield _named(tokens, Fault(reason, tokens[0].line, tokens[0].col))
            elif isinstance(tree, (exp.Alias, exp.Condition)) and not isinstance(tree, exp.Query):
                # A word that is misspelt makes an expression of a statement (``SELEC x``).
                shown = tokens[0].text[:40]
                yield _named(tokens, Fault(f"`{shown} ...` is no statement", tokens[0].line, tokens[0].col))
            elif tree is not None:
                yield Statement(tree)


def _respelt(tokens: list[Token], dialect: Dialect) -> list[Token]:
    """A statement as sqlglot knows it: MySQL's REPLACE INTO is an INSERT, Spark's REPLACE TABLE a CREATE,
    Databricks' LIVE TABLE a TABLE."""
    words = [t.text.upper() for t in tokens[:5]]
    if words[0] == "REPLACE":
        tokens = _spread(tokens, dialect)
        given = tokens[1].text.upper() if len(tokens) > 1 else ""
        before = "CREATE OR REPLACE" if given == "TABLE" else "INSERT" if given == "INTO" else "INSERT INTO"
        return [*dialect.tokenize(before), *tokens[1:]]
    if words[0] == "CREATE" and "LIVE" in words:
        return [t for n, t in enumerate(tokens) if n >= len(words) or words[n] != "LIVE"]
    return tokens


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
    return _body(tokens[words.index("AS") + 1 :])


def _spread(tokens: list[Token], dialect: Dialect) -> list[Token]:
    """All tokens of a statement: of some kinds sqlglot keeps what follows the first word as one."""
    if len(tokens) != 2 or tokens[1].token_type is not TokenType.STRING:
        return tokens
    try:
        return [tokens[0], *dialect.tokenize(tokens[1].text)]
    except TokenError:
        return tokens


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


def _first_column(last: int, word: str) -> int:
    """sqlglot gives the column of a word's last character."""
    return max(1, last - max(0, len(word) - 1))


def dialect_name(dialect: Dialect) -> str:
    """What to call a dialect in a message."""
    name = type(dialect).__name__.lower()
    return "standard SQL" if name == "dialect" else name


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
