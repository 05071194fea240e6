"""Statements that sqlglot does not know, as ones that it does: rewritten in their tokens."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import Token, TokenType

from contracts_svc.lineage.sql_faults import dialect_name
from contracts_svc.lineage.sql_tokens import name_at
from contracts_svc.lineage.sql_write import everything, file_table

_TITLES = {"FORMAT", "TITLE"}
_FILE_OPTIONS = {"CHARACTER", "COLUMNS", "FIELDS", "LINES"}


def respelt(tokens: list[Token], dialect: Dialect) -> list[Token]:
    """MySQL's REPLACE INTO is an INSERT, Spark's REPLACE TABLE a CREATE, Databricks' LIVE TABLE a TABLE,
    Oracle's MERGE ... DELETE WHERE a WHEN of its own, ClickHouse's ALTER TABLE ... UPDATE an UPDATE."""
    name = dialect_name(dialect)
    if name == "teradata":
        tokens = _untitled(spread(tokens, dialect))
    words = [t.text.upper() for t in tokens]
    first = words[0]
    if first == "REPLACE":
        tokens = spread(tokens, dialect)
        given = tokens[1].text.upper() if len(tokens) > 1 else ""
        before = (
            "CREATE OR REPLACE"
            if given in ("TABLE", "VIEW")
            else "INSERT"
            if given == "INTO"
            else "INSERT INTO"
        )
        return [*dialect.tokenize(before), *tokens[1:]]
    if first in ("ALTER", "CREATE") and "VIEW" in words[:12]:
        tokens, words = _view(tokens, words, dialect)
    if first == "CREATE" and "LIVE" in words[:5]:
        return [t for n, t in enumerate(tokens) if n >= 5 or words[n] != "LIVE"]
    if words[1:4] == ["WITH", "SCHEMA", "EVOLUTION"] and first == "MERGE":
        return [tokens[0], *tokens[4:]]
    if first == "MERGE":
        return _merge_deletes(tokens, words, dialect)
    if words[:3] == ["DELETE", "FROM", "TABLE"] and len(tokens) > 3:
        return [*tokens[:2], *tokens[3:]]
    if words[:2] == ["ALTER", "TABLE"] and name == "clickhouse":
        return _altered_rows(tokens, words, dialect)
    return tokens


def _view(tokens: list[Token], words: list[str], dialect: Dialect) -> tuple[list[Token], list[str]]:
    """``ALTER VIEW v AS SELECT ...`` as a CREATE, and without ``WITH CHECK OPTION`` at the end."""
    ends = {("CHECK", "OPTION"), ("READ", "ONLY")}
    if tuple(words[-2:]) in ends and "WITH" in words[-4:]:
        end = len(words) - 1 - words[::-1].index("WITH")
        tokens, words = tokens[:end], words[:end]
    if words[0] == "ALTER" and "AS" in words and words[words.index("AS") + 1 :][:1] != ["OF"]:
        tokens = [*dialect.tokenize("CREATE"), *tokens[words.index("VIEW") :]]
    return tokens, [t.text.upper() for t in tokens]


def _merge_deletes(tokens: list[Token], words: Sequence[str], dialect: Dialect) -> list[Token]:
    """``... DELETE WHERE condition`` as ``WHEN MATCHED AND condition THEN DELETE``."""
    at = next((i for i in range(len(words) - 1) if [*words[i : i + 2]] == ["DELETE", "WHERE"]), 0)
    if not at:
        return tokens
    end = next((i for i in range(at, len(words)) if words[i] == "WHEN"), len(words))
    condition = [*dialect.tokenize("("), *tokens[at + 2 : end], *dialect.tokenize(")")]
    deleted = [*dialect.tokenize("WHEN MATCHED AND"), *condition, *dialect.tokenize("THEN DELETE")]
    return [*tokens[:at], *deleted, *tokens[end:]]


def _altered_rows(tokens: list[Token], words: Sequence[str], dialect: Dialect) -> list[Token]:
    """``ALTER TABLE b UPDATE y = 1 WHERE ...`` and ``ALTER TABLE b DELETE WHERE ...``."""
    at = next((i for i, w in enumerate(words[:12]) if i > 2 and w in ("DELETE", "UPDATE")), 0)
    if not at or "WHERE" not in words:
        return tokens
    if words[at - 1] in ("ADD", "COLUMN", "DROP", "MODIFY"):
        return tokens
    where = words.index("WHERE")
    end = next((i for i in range(3, at) if words[i] == "ON"), at)
    table = tokens[2:end]
    if words[at] == "DELETE":
        return [*dialect.tokenize("DELETE FROM"), *table, *tokens[where:]]
    stop = next((i for i in range(at, where) if words[i : i + 2] == ["IN", "PARTITION"]), where)
    return [tokens[at], *table, *dialect.tokenize("SET"), *tokens[at + 1 : stop], *tokens[where:]]


def _untitled(tokens: list[Token]) -> list[Token]:
    """Teradata writes how a column is shown after it: ``born (TITLE 'Birth date')``."""
    words = [t.text.upper() for t in tokens]
    kept: list[Token] = []
    at = 0
    while at < len(tokens):
        titled = words[at] == "(" and at + 3 < len(tokens) and words[at + 1] in _TITLES
        if titled and tokens[at + 2].token_type is TokenType.STRING and words[at + 3] == ")":
            at += 4
        else:
            kept.append(tokens[at])
            at += 1
    return kept


def spread(tokens: list[Token], dialect: Dialect) -> list[Token]:
    """All tokens of a statement: of some kinds sqlglot keeps what follows the first word as one."""
    if len(tokens) != 2 or tokens[1].token_type is not TokenType.STRING:
        return tokens
    try:
        return [tokens[0], *dialect.tokenize(tokens[1].text)]
    except TokenError:
        return tokens


def files_moved(tokens: list[Token], sql: str, dialect: Dialect) -> list[exp.Expr]:
    """``LOAD DATA INFILE 'file' INTO TABLE b`` and ``SELECT ... INTO OUTFILE 'file'`` (MySQL), ``LOAD DATA
    INTO b FROM FILES (...)`` (BigQuery) as statements that sqlglot has; none where it is none of them."""
    tokens = spread(tokens, dialect)
    words = [t.text.upper() for t in tokens]
    if words[:2] == ["LOAD", "DATA"]:
        return _loaded(tokens, words)
    if words[0] == "SELECT" and "OUTFILE" in words:
        at = words.index("OUTFILE")
        whole = words[at - 1] == "INTO" and at + 1 < len(words)
        return _put_out(tokens, words, at, sql, dialect) if whole else []
    return []


def _loaded(tokens: Sequence[Token], words: Sequence[str]) -> list[exp.Expr]:
    files: list[str] = []
    if "INFILE" in words[:-1]:
        files = [tokens[words.index("INFILE") + 1].text]
    elif "FILES" in words and "URIS" in words:
        after = words.index("URIS")
        end = next((i for i in range(after, len(words)) if words[i] == "]"), len(words))
        files = [t.text for t in tokens[after:end] if t.token_type is TokenType.STRING]
    into = next((w for w in ("INTO", "OVERWRITE") if w in words), "")
    table = name_at(tokens, words.index(into) + 1) if into else None
    if table is None:
        return []
    target = exp.to_table(table)
    return [exp.Insert(this=target.copy(), expression=everything(file_table(file))) for file in files]


def _put_out(
    tokens: list[Token], words: Sequence[str], at: int, sql: str, dialect: Dialect
) -> list[exp.Expr]:
    end = at + 2
    if end < len(words) and words[end] in _FILE_OPTIONS:
        end = next((i for i in range(end, len(words)) if words[i] == "FROM"), len(words))
    try:
        trees = dialect.parser().parse([*tokens[: at - 1], *tokens[end:]], sql)
    except (ParseError, RecursionError):
        return []
    if len(trees) != 1 or not isinstance(trees[0], exp.Query):
        return []
    file = exp.Literal.string(tokens[at + 1].text)
    return [exp.Copy(this=exp.Subquery(this=trees[0]), kind=False, files=[file])]
