"""Statements that move what a table holds as a whole, and that sqlglot keeps as text: as ones it parses.

``RENAME TABLE a TO b`` (MySQL, ClickHouse), ``EXCHANGE TABLES a AND b``, partitions that are attached, moved
or switched, ``APPEND FROM``, ``CREATE SNAPSHOT TABLE a CLONE b``, ``CREATE STREAM s ON TABLE t``,
``EXEC sp_rename``.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from contracts_svc.lineage.sql_tokens import name_at


def moves_of(tokens: Sequence[Token]) -> list[exp.Expr]:
    """The statements that do the same; none where this is no such statement."""
    words = [t.text.upper() for t in tokens]
    if words[0] == "RENAME" and words[1:2] in (["TABLE"], ["TABLES"]):
        return _renames(tokens, words)
    if words[:2] == ["EXCHANGE", "TABLES"]:
        one, other = name_at(tokens, 2), _after(tokens, words, "AND")
        return [_taken(one, other), _taken(other, one)] if one and other else []
    if words[0] == "ALTER" and words[1:2] == ["TABLE"]:
        return _altered(tokens, words)
    if words[0] == "CREATE":
        for word, before in (("CLONE", "TABLE"), ("TABLE", "STREAM")):
            made, source = _after(tokens, words, before), _after(tokens, words, word)
            if word in words and before in words and made and source and made != source:
                return [_taken(made, source)]
    if words[0] in ("EXEC", "EXECUTE") and words[1].rpartition(".")[2] == "SP_RENAME":
        given = [t.text for t in tokens if t.token_type is TokenType.STRING]
        return [renamed(given[0], given[1])] if len(given) == 2 else []
    return []


def renamed(former: str, name: str) -> exp.Create:
    """What had one name has another: it lies where it lay, unless the new name says where."""
    place, _, _ = former.rpartition(".")
    whole = f"{place}.{name}" if place and "." not in name else name
    return exp.Create(this=_table(whole), kind="TABLE", expression=_everything(former))


def _renames(tokens: Sequence[Token], words: Sequence[str]) -> list[exp.Expr]:
    found: list[exp.Expr] = []
    for at, word in enumerate(words):
        former, name = name_at(tokens, _name_before(tokens, at)), name_at(tokens, at + 1)
        if word == "TO" and former and name:
            found.append(renamed(former, name))
    return found


def _name_before(tokens: Sequence[Token], at: int) -> int:
    """Where the dotted name begins that ends before a token."""
    start = at - 1
    while start >= 2 and tokens[start - 1].token_type is TokenType.DOT:
        start -= 2
    return start


def _altered(tokens: Sequence[Token], words: Sequence[str]) -> list[exp.Expr]:
    table = name_at(tokens, 2)
    if table is None:
        return []
    partition = "PARTITION" in words
    if "SWITCH" in words or (partition and "MOVE" in words):
        target = _after(tokens, words, "TO")
        return [_taken(target, table)] if target else []
    before = "WITH" if "EXCHANGE" in words else "FROM" if {"APPEND", "REPLACE", "ATTACH"} & {*words} else ""
    source = _after(tokens, words, before)
    if source is None and partition and "ATTACH" in words:
        source = _after(tokens, words, "PARTITION")
    return [_taken(table, source)] if source and source != table else []


def _after(tokens: Sequence[Token], words: Sequence[str], word: str) -> str | None:
    """The name after the first of these words."""
    return name_at(tokens, words.index(word) + 1) if word in words else None


def _taken(target: str | None, source: str | None) -> exp.Insert:
    """A table takes over what another one holds."""
    return exp.Insert(this=_table(target or ""), expression=_everything(source or ""), by_name=True)


def _everything(name: str) -> exp.Select:
    return exp.Select(expressions=[exp.Star()], from_=exp.From(this=_table(name)))


def _table(name: str) -> exp.Table:
    parts = [exp.to_identifier(part) for part in name.split(".")]
    return exp.Table(**dict(zip(("this", "db", "catalog"), reversed(parts), strict=False)))
