"""SQL that somebody wrote into a contract: read, checked against a list of what is allowed, rebuilt.

A contract may come from anyone who can register one, so its SQL is not trusted: one SELECT over the
tables of the contract, with functions from a list. What runs is generated again from the tree that
was checked, so nothing that the parser does not understand reaches an engine. The engine's own locks
are a second wall, not this one.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from contracts_svc.model import Column, Contract, Table
from contracts_svc.quality.kind import table_named

LONGEST = 20_000
"""Characters of a query."""
SHORT = 100
"""Rows of a list that may be joined with every row."""
DEEPEST = 200
"""Levels of nesting."""


class Refused(ValueError):
    """The query is not one that is run; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A query that may run, and the tables of the contract that it names."""

    tree: exp.Query
    tables: tuple[str, ...]
    counts_rows: bool
    """Whether it counts single rows of one table, so that it may be asked of a part of the table."""


_FORBIDDEN: dict[type[exp.Expr], str] = {
    exp.Into: "it writes into a table",
    exp.Lock: "it locks rows",
    exp.Parameter: "it has a parameter (only {object} and {property} are filled in)",
    exp.Placeholder: "it has a parameter (only {object} and {property} are filled in)",
    exp.SessionParameter: "it reads a setting",
    exp.Command: "it is not a SELECT",
    exp.Pivot: "it pivots",
    exp.TableSample: "it samples rows, so its result is not always the same",
    exp.Lateral: "it calls a function as a table",
    exp.Unnest: "it calls a function as a table",
    exp.Describe: "it is not a SELECT",
    exp.Summarize: "it is not a SELECT",
    exp.HistoricalData: "it asks for an old version of a table",
    exp.Version: "it asks for an old version of a table",
}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# The functions that sqlglot has no class of its own for, as DuckDB names them.
_NAMED = _words(
    """
    isnan isfinite isinf regexp_matches regexp_full_match struct_extract list_contains list_distinct
    list_has list_sum list_min list_max list_avg list_count len strlen length_grapheme trunc even
    epoch epoch_ms epoch_us century decade dayofmonth bool_and bool_or mode entropy kurtosis
    skewness mad product fsum favg geomean date_add date_sub datediff datetrunc make_date
    make_timestamp nfc_normalize strip_accents ascii unicode chr damerau_levenshtein levenshtein
    jaccard jaro_similarity contains prefix suffix ends_with starts_with json_valid json_extract
    json_extract_string hash md5_number gamma lgamma gcd lcm signbit sem
    """
)
# The functions that sqlglot knows, by the names of its classes: those that only compute.
_KNOWN = _words(
    """
    Abs Acos Acosh And AnyValue ApproxDistinct ApproxQuantile ArgMax ArgMin Array ArrayAgg
    ArrayContains ArrayContainsAll ArrayDistinct ArrayMax ArrayMin ArrayPosition ArraySize ArraySum
    ArrayToString Ascii Asin Asinh Atan Atan2 Atanh Avg BitwiseAndAgg BitwiseCount BitwiseOrAgg
    BitwiseXorAgg Case Cast Cbrt Ceil Chr Coalesce Concat ConcatWs Contains Corr Cos Cosh Cot Coth
    Count CountIf CovarPop CovarSamp CumeDist CurrentDate CurrentTime CurrentTimestamp Date DateAdd
    DateBin DateDiff DateFromParts DateSub DateTrunc Datetime DatetimeAdd DatetimeDiff DatetimeSub
    DatetimeTrunc Day DayOfMonth DayOfWeek DayOfWeekIso DayOfYear Dayname Degrees DenseRank EndsWith
    EqualNull Exists Exp Extract Factorial First FirstValue Floor Greatest GroupConcat Grouping Hour
    If Initcap IsInf IsNan JSONExtract JSONExtractScalar JarowinklerSimilarity Kurtosis Lag Last
    LastDay LastValue Lead Least Left Length Levenshtein Ln Localtime Localtimestamp Log LogicalAnd
    LogicalOr Lower MD5 Max Median Min Minute Mode Month Monthname MonthsBetween NthValue Ntile
    Nullif Or PercentRank PercentileCont PercentileDisc Pi Pow Quantile Quarter Radians Rank
    RegexpCount RegexpExtract RegexpFullMatch RegexpILike RegexpInstr RegexpLike RegexpReplace
    RegexpSplit RegrAvgx RegrAvgy RegrCount RegrIntercept RegrR2 RegrSlope RegrSxx RegrSxy RegrSyy
    Replace Reverse Right Round RowNumber SHA SHA2 Second Sign Sin Sinh Skewness Split SplitPart
    Sqrt StartsWith Stddev StddevPop StddevSamp StrPosition StrToTime Struct StructExtract Substring
    Sum Tan Tanh Time TimeAdd TimeDiff TimeSub TimeToStr TimeToUnix TimeTrunc Timestamp TimestampAdd
    TimestampDiff TimestampSub TimestampTrunc Translate Trim Trunc Try TryCast TsOrDsAdd TsOrDsDiff
    TsOrDsToDate TsOrDsToTime TsOrDsToTimestamp Typeof Unicode UnixToTime Upper UtcDate UtcTime
    UtcTimestamp Variance VariancePop Week WeekOfYear Xor Year YearOfWeek
    """
)
_PLACEHOLDER = re.compile(r"\"?\$?\{\s*(object|property|table|column|model|field)\s*\}\"?", re.IGNORECASE)


def read(text: str, contract: Contract, table: Table, column: Column | None) -> Query:
    """The query of an ``sql`` quality rule, its placeholders filled.

    ``{object}``, ``${table}`` is the table, ``{property}``, ``${column}`` the column; tables go by their
    name or physicalName. Raises Refused.
    """
    if len(text) > LONGEST:
        raise Refused(f"it is longer than {LONGEST:,} characters")
    tree = _parsed(_filled(text, table, column))
    _allow_nodes(tree)
    tables = _bind_tables(tree, contract)
    short = {c.alias.casefold() for c in tree.find_all(exp.CTE) if _is_one_row(c.this)}
    for select in tree.find_all(exp.Select):
        _allow_joins(select, short)
    own = tables == (table.name,)
    return Query(tree=tree, tables=tables, counts_rows=own and _counts_rows(tree))


_PLAIN = ("from_", "from", "where", "expressions", "kind")


def _counts_rows(tree: exp.Query) -> bool:
    if not isinstance(tree, exp.Select) or any(v for k, v in tree.args.items() if k not in _PLAIN):
        return False
    counted = [e.unalias() for e in tree.expressions]
    plain = len(counted) == 1 and isinstance(counted[0], exp.Count | exp.CountIf)
    inner = [n for n in tree.find_all(exp.Query, exp.Window, exp.Distinct) if n is not tree]
    return plain and not inner


# What gives the same value of the same row at any time, and is written alike in every query.
_SIMPLE = (
    exp.And, exp.Or, exp.Not, exp.Paren, exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Is, exp.In,
    exp.Between, exp.Like, exp.ILike, exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Null, exp.Neg,
    exp.Add, exp.Sub, exp.Mul, exp.Abs, exp.Length, exp.Lower, exp.Upper, exp.Trim, exp.Coalesce,
    exp.RegexpLike, exp.RegexpFullMatch, exp.Cast, exp.DataType,
)  # fmt: skip
_CLOCK = frozenset(("now", "today", "yesterday", "tomorrow"))
"""Texts that may read as a moment that depends on when they are read."""


def condition(query: str) -> exp.Expr | None:
    """What a ``SELECT count(*) FROM table WHERE condition`` counts rows by, its columns by their own
    names; None where the query is not so simple that it says the same inside of another one."""
    found = _condition(query)
    return None if found is None else found.copy()


@lru_cache(maxsize=4096)
def _condition(query: str) -> exp.Expr | None:
    # Asked for several times in a run, of each rule; to parse it takes most of the time.
    tree = sqlglot.parse_one(query, dialect="duckdb")
    if not isinstance(tree, exp.Select) or len(tree.expressions) != 1 or tree.args.get("distinct"):
        return None
    counted = tree.expressions[0].unalias()
    every = isinstance(counted, exp.Count) and isinstance(counted.this, exp.Star | exp.Literal)
    where = tree.args.get("where")
    if not every or {k for k, v in tree.args.items() if v} - {"expressions", "from_", "where", "kind"}:
        return None
    if where is None:
        return exp.true()
    # The name of the answer must not hide a column.
    alias = tree.expressions[0].alias.casefold()
    for node in where.this.walk():
        if not isinstance(node, _SIMPLE) or (isinstance(node, exp.Literal) and _is_clock(node)):
            return None
        if isinstance(node, exp.Column) and node.name.casefold() == alias:
            return None
    found: exp.Expr = where.this.copy()
    for column in found.find_all(exp.Column):
        column.set("table", None)
        column.this.set("quoted", True)
    return found


def _is_clock(literal: exp.Literal) -> bool:
    return literal.is_string and literal.name.strip().casefold() in _CLOCK


def _filled(text: str, table: Table, column: Column | None) -> str:
    def value(found: re.Match[str]) -> str:
        if found[1].lower() in ("object", "table", "model"):
            return _quoted(table.name)
        if column is None:
            raise Refused(f"it has {found[0]}, but stands at a table and not at a column")
        if column.path != column.name:
            raise Refused(f"it has {found[0]}, but {column.path} is a nested column")
        return _quoted(column.stored_name)

    return _PLACEHOLDER.sub(value, text)


def _quoted(name: str) -> str:
    return exp.to_identifier(name, quoted=True).sql(dialect="duckdb")


def _parsed(text: str) -> exp.Query:
    if text.count("(") > 20 * DEEPEST or _depth(text) > DEEPEST:
        raise Refused("it is nested too deeply")
    try:
        statements = [s for s in sqlglot.parse(text, dialect="duckdb") if s is not None]
    except (SqlglotError, RecursionError, ValueError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise Refused(f"it cannot be parsed: {first}") from error
    if len(statements) != 1:
        raise Refused(f"it is {len(statements)} statements and not one SELECT")
    tree = statements[0]
    if not isinstance(tree, exp.Select | exp.SetOperation | exp.Subquery):
        raise Refused("it is not a SELECT")
    return tree


def _depth(text: str) -> int:
    deepest = level = 0
    for char in text:
        level += (char == "(") - (char == ")")
        deepest = max(deepest, level)
    return deepest


def _allow_nodes(tree: exp.Expr) -> None:
    for node in tree.walk():
        for forbidden, reason in _FORBIDDEN.items():
            if isinstance(node, forbidden):
                raise Refused(reason)
        if isinstance(node, exp.DML | exp.DDL) and not isinstance(node, exp.Query):
            raise Refused("it is not a SELECT")
        if isinstance(node, exp.With) and node.args.get("recursive"):
            raise Refused("it is recursive")
        if isinstance(node, exp.Table) and not isinstance(node.this, exp.Identifier):
            raise Refused("it calls a function as a table")
        if isinstance(node, exp.DataType) and node.this == exp.DType.USERDEFINED:
            raise Refused(f"it names the type {node.sql(dialect='duckdb')}, which is not known")
        if isinstance(node, exp.Func):
            _allow_function(node)


def _allow_joins(select: exp.Select, short: Collection[str]) -> None:
    """Refuse what joins every row with every row: of a large table, nothing bounds it but time."""
    joins: list[exp.Join] = select.args.get("joins") or []
    if any((j.method or "").upper() == "POSITIONAL" for j in joins):
        raise Refused("it joins rows by their positions, so its result is not always the same")
    first = select.args.get("from_")
    together = [*([first.this] if first is not None else []), *(j.this for j in joins if not _is_linked(j))]
    many = sum(not _is_short(each) and each.name.casefold() not in short for each in together)
    where = select.args.get("where")
    # Tables that are listed with commas may be linked by conditions.
    linked = [] if where is None else [e for e in where.find_all(exp.EQ) if len(_tables_of(e)) > 1]
    if many - 1 > len(linked):
        raise Refused("it joins every row of a table with every row of another")


def _is_linked(join: exp.Join) -> bool:
    on = join.args.get("on")
    natural = (join.method or "").upper() == "NATURAL"
    return natural or bool(join.args.get("using")) or (on is not None and len(_tables_of(on)) > 1)


def _is_short(joined: exp.Expr) -> bool:
    """Whether it is a query of aggregates only, which gives one row, or a short list of values."""
    inner = joined.this if isinstance(joined, exp.Subquery) else joined
    if isinstance(inner, exp.Values):
        return len(inner.expressions) <= SHORT
    return _is_one_row(inner)


def _is_one_row(query: exp.Expr) -> bool:
    if not isinstance(query, exp.Select) or query.args.get("group"):
        return False
    return all(e.find(exp.AggFunc) and not e.find(exp.Window) for e in query.expressions)


def _tables_of(condition: exp.Expr) -> set[str]:
    """The tables whose columns it names; a column that does not say counts as one of its own."""
    return {c.table.casefold() or f" {c.name.casefold()}" for c in condition.find_all(exp.Column)}


def _allow_function(node: exp.Func) -> None:
    if isinstance(node, exp.Anonymous | exp.AnonymousAggFunc):
        name = str(node.this).lower()
        if name not in _NAMED:
            raise Refused(f"it calls the function {name}, which is not on the list")
    elif type(node).__name__ not in _KNOWN:
        raise Refused(f"it calls the function {node.sql_name().lower()}, which is not on the list")


def _bind_tables(tree: exp.Expr, contract: Contract) -> tuple[str, ...]:
    known = {n.casefold(): t for t in contract.tables for n in (t.physical_name, t.name) if n}
    named = {c.alias_or_name.casefold() for c in tree.find_all(exp.CTE)}
    used: list[str] = []
    for node in list(tree.find_all(exp.Table)):
        name = node.name.casefold()
        qualified = bool(node.args.get("db") or node.args.get("catalog"))
        full = ".".join(p.name for p in node.parts).casefold()
        if name in named and not qualified:
            continue
        table = known.get(full)
        if table is None:
            raise Refused(
                f"it reads {'.'.join(p.name for p in node.parts)}, which the contract does not have"
            )
        _rebind(node, table)
        used.append(table.name)
    if not used:
        raise Refused("it reads no table of the contract")
    return tuple(dict.fromkeys(used))


def _rebind(node: exp.Table, table: Table) -> None:
    """Let the node name the table as the engine knows it, and keep what columns call it."""
    alias = node.alias or node.name
    node.set("db", None)
    node.set("catalog", None)
    node.set("this", table_named(table.name).this)
    if alias != table.name:
        node.set("alias", exp.TableAlias(this=exp.to_identifier(alias, quoted=True)))
