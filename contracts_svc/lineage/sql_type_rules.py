"""One rule for each kind of expression: what type it has, given the types of its parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import cast

from sqlglot import exp

from contracts_svc.lineage.sql_numbers import (
    DECIMALS,
    FLOATS,
    INTEGERS,
    MIXED,
    NUMERIC,
    rounded,
    scale_and_width,
)
from contracts_svc.lineage.sql_type_common import NULL, Typed, adapted, both
from contracts_svc.lineage.sql_type_names import (
    MOMENTS,
    SPANS,
    TEXT,
    TIMES,
    canonical,
    written_type,
)

Env = Mapping[tuple[str, str], str]
Rule = Callable[[exp.Expr, "Typer"], "Typed | None"]


_WHOLE_PARTS = frozenset({"year", "quarter", "month", "week", "day", "hour", "minute", "second"})


@dataclass(frozen=True)
class Typer:
    """``types`` holds the source columns'. Outside of DuckDB only what all dialects agree on is said:
    different types have no common one there, and number literals adapt to nothing."""

    types: Env
    rules: Mapping[type, Rule]
    duckdb: bool = True

    def of(self, node: exp.Expr | None) -> Typed | None:
        """The type of a node; None where it is not known."""
        if node is None:
            return None
        rule = next((self.rules[c] for c in type(node).__mro__ if c in self.rules), None)
        return rule(node, self) if rule else None

    def name(self, node: exp.Expr | None) -> str | None:
        """The type's name; None for NULL too."""
        found = self.of(node)
        return None if found is None or found is NULL else found.name

    def column(self, node: exp.Column) -> Typed | None:
        """Looks a source column up."""
        written = self.types.get((node.table, node.name))
        name = canonical(written) if written is not None else None
        return None if name is None else Typed(name)


def select(node: exp.Expr, typer: Typer) -> Typed | None:
    """Outside of its query a literal is a value like any other."""
    found = typer.of(node.expressions[0]) if len(node.expressions) == 1 else None
    return found if found is None or found is NULL else Typed(found.name)


def inner(node: exp.Expr, typer: Typer) -> Typed | None:
    return typer.of(node.this)


def value(node: exp.Expr, typer: Typer) -> Typed | None:
    """The type of the argument, whatever it is: MIN, MAX, FIRST, ... but not ``max(x, 3)``, a list."""
    if node.args.get("expressions") or node.args.get("count"):
        return None
    name = typer.name(_argument(node))
    return None if name is None else Typed(name)


def _argument(node: exp.Expr) -> exp.Expr | None:
    inner = node.this
    if isinstance(inner, exp.Distinct):
        return inner.expressions[0] if len(inner.expressions) == 1 else None
    if isinstance(inner, (exp.Order, exp.Limit, exp.HavingMax)):
        return inner.this if isinstance(inner.this, exp.Expr) else None
    return inner if isinstance(inner, exp.Expr) else None


def always(name: str) -> Rule:
    return lambda node, typer: Typed(name)


def known(name: str) -> Rule:
    """``name`` where the types of all arguments are known, whatever they are."""

    def rule(node: exp.Expr, typer: Typer) -> Typed | None:
        arguments = list(node.iter_expressions())
        if isinstance(node.this, exp.Distinct):
            arguments = node.this.expressions
        values = [a for a in arguments if not isinstance(a, (exp.Star, exp.Order, exp.Var))]
        return None if any(typer.of(v) is None for v in values) else Typed(name)

    return rule


def compared(node: exp.Expr, typer: Typer) -> Typed | None:
    """A comparison, where both sides have a common type. (DuckDB compares some others as text.)"""
    parts = [node.this, node.args.get("expression"), node.args.get("low"), node.args.get("high")]
    values = [p for p in [*parts, *node.expressions] if isinstance(p, exp.Expr)]
    query = node.args.get("query")
    values = [*values, query] if query else values
    if not typer.duckdb:
        return None if any(typer.of(v) is None for v in values) else Typed("BOOLEAN")
    return None if _common(values, typer) is None else Typed("BOOLEAN")


def on(allowed: Iterable[str] | Callable[[str], bool], name: str | None = None) -> Rule:
    """``name`` (or the argument's own type) where the argument has one of these types."""
    accepts = allowed if callable(allowed) else frozenset(allowed).__contains__

    def rule(node: exp.Expr, typer: Typer) -> Typed | None:
        argument = typer.name(_argument(node))
        return Typed(name or argument) if argument is not None and accepts(argument) else None

    return rule


def is_numeric(name: str) -> bool:
    return name in NUMERIC or name.startswith(DECIMALS)


def literal(node: exp.Expr, typer: Typer) -> Typed | None:
    if node.is_string:
        return Typed("VARCHAR", text=True)
    text = node.name.lower()
    if "e" in text:
        return Typed("DOUBLE")
    whole, _, fraction = text.partition(".")
    if "." in text:
        width = len(whole) + len(fraction)
        return Typed(f"DECIMAL({max(width, 1)},{len(fraction)})") if width <= 38 else Typed("DOUBLE")
    if len(text) > 40:
        return None
    number = int(text)
    for name, bits in (("INTEGER", 31), ("BIGINT", 63), ("HUGEINT", 127)):
        if number < 1 << bits:
            return Typed(name, whole=number)
    return None


def negative(node: exp.Expr, typer: Typer) -> Typed | None:
    found = typer.of(node.this)
    if found is None or not (is_numeric(found.name) or found.name == "INTERVAL"):
        return None
    return Typed(found.name, whole=None if found.whole is None else -found.whole)


def cast_to(node: exp.Expr, typer: Typer) -> Typed | None:
    if not typer.duckdb and node.args["to"].this is exp.DType.DECIMAL and not node.args["to"].expressions:
        return None  # Every dialect has its own width for it.
    name = written_type(node.args["to"])
    return None if name is None else Typed(name)


def _common(nodes: Iterable[exp.Expr | None], typer: Typer) -> Typed | None:
    """The type that all of these become where only one of them is taken (CASE, COALESCE, UNION)."""
    found = [typer.of(node) for node in nodes if node is not None]
    if not found or any(f is None for f in found):
        return None
    known = [f for f in found if f is not None]
    if not typer.duckdb and len({f.name for f in known if f is not NULL and not f.text}) > 1:
        return None
    return reduce(lambda a, b: both(a, b) if a else None, known[1:], cast("Typed | None", known[0]))


def case(node: exp.Expr, typer: Typer) -> Typed | None:
    conditions = [branch.this for branch in node.args["ifs"]]
    if node.this is not None:
        if _common([node.this, *conditions], typer) is None:
            return None
    elif any(typer.of(condition) is None for condition in conditions):
        return None
    branches = [branch.args.get("true") for branch in node.args["ifs"]]
    return _common([*branches, node.args.get("default")], typer)


def chosen(node: exp.Expr, typer: Typer) -> Typed | None:
    if typer.of(node.this) is None:
        return None
    return _common([node.args.get("true"), node.args.get("false")], typer)


def any_of(node: exp.Expr, typer: Typer) -> Typed | None:
    return _common([node.this, *node.expressions], typer)


def union(node: exp.Expr, typer: Typer) -> Typed | None:
    return _common([node.this, node.expression], typer)


def nullif(node: exp.Expr, typer: Typer) -> Typed | None:
    name = typer.name(node.this)
    return None if name is None or typer.of(node.expression) is None else Typed(name)


def arithmetic(operation: Callable[[str, str], str | None]) -> Rule:
    def rule(node: exp.Expr, typer: Typer) -> Typed | None:
        one, other = typer.of(node.this), typer.of(node.expression)
        if one is None or other is None or one is NULL or other is NULL or one.text or other.text:
            return None
        special = _moment_arithmetic(node, one, other)
        if special is not None:
            return Typed(special)
        if one.whole is not None and other.whole is not None:
            name = operation("INTEGER", "INTEGER") if {one.name, other.name} == {"INTEGER"} else None
            return None if name is None else Typed(name)
        name = operation(*adapted(one, other))
        return None if name is None else Typed(name)

    return rule


def _moment_arithmetic(node: exp.Expr, one: Typed, other: Typed) -> str | None:
    left, right = one.name, other.name
    if isinstance(node, exp.Add) and left == "INTERVAL" and right in TIMES | {"INTERVAL"}:
        left, right = right, left
    if right == "INTERVAL" and isinstance(node, (exp.Add, exp.Sub)):
        return "TIMESTAMP" if left == "DATE" else left if left in TIMES | {"INTERVAL"} else None
    if not isinstance(node, (exp.Add, exp.Sub)) or left not in MOMENTS:
        return None
    if left == "DATE" and right == "INTEGER":
        return "DATE"
    if isinstance(node, exp.Sub) and left == right:
        return "BIGINT" if left == "DATE" else "INTERVAL"
    return None


def sum_of(node: exp.Expr, typer: Typer) -> Typed | None:
    name = typer.name(_argument(node))
    if name is None:
        return None
    if name in FLOATS:
        return Typed("DOUBLE")
    if name.startswith(DECIMALS):
        return Typed(f"DECIMAL(38,{scale_and_width(name)[0]})")
    return Typed("HUGEINT") if (name in MIXED and name != "UHUGEINT") or name == "BOOLEAN" else None


def average(node: exp.Expr, typer: Typer) -> Typed | None:
    name = typer.name(_argument(node))
    if name is None:
        return None
    if is_numeric(name):
        return Typed("DOUBLE")
    return Typed("TIMESTAMP" if name == "DATE" else name) if name in TIMES | {"INTERVAL"} else None


def median(node: exp.Expr, typer: Typer) -> Typed | None:
    return _middle(typer.name(_argument(node)))


def _middle(name: str | None) -> Typed | None:
    """Quantiles that lie between two values: of integers they are DOUBLE."""
    if name is None:
        return None
    if name in INTEGERS:
        return Typed("DOUBLE")
    if name in FLOATS or name.startswith(DECIMALS) or name in TIMES:
        return Typed("TIMESTAMP" if name == "DATE" else name)
    return None


def rounding(node: exp.Expr, typer: Typer) -> Typed | None:
    decimals = node.args.get("decimals")
    digits = 0 if decimals is None else int(decimals.name) if decimals.is_int else None
    name = typer.name(node.this)
    if name is None or digits is None or isinstance(decimals, exp.Neg):
        return None
    found = rounded(name, digits)
    return None if found is None else Typed(found)


def floor(node: exp.Expr, typer: Typer) -> Typed | None:
    name = typer.name(node.this)
    if name is None or node.args.get("decimals") is not None:
        return None
    if name in MIXED:
        return Typed("DOUBLE")
    found = rounded(name, 0)
    return None if found is None else Typed(found)


def list_of(node: exp.Expr, typer: Typer) -> Typed | None:
    name = typer.name(_argument(node))
    return None if name is None else Typed(f"{name}[]")


def array_of(node: exp.Expr, typer: Typer) -> Typed | None:
    found = _common(node.expressions, typer)
    return None if found is None or found is NULL else Typed(f"{found.name}[]")


def truncated(node: exp.Expr, typer: Typer) -> Typed | None:
    """``date_trunc`` makes a DATE a TIMESTAMP."""
    name = typer.name(node.this)
    return Typed("TIMESTAMP" if name == "DATE" else name) if name in SPANS else None


def within(node: exp.Expr, typer: Typer) -> Typed | None:
    order = node.expression
    ordered = order.expressions[0].this if isinstance(order, exp.Order) else None
    if isinstance(node.this, exp.PercentileCont):
        return _middle(typer.name(ordered))
    found = typer.name(ordered) if isinstance(node.this, exp.PercentileDisc) else None
    return None if found is None else Typed(found)


def joined(node: exp.Expr, typer: Typer) -> Typed | None:
    """``||`` also joins lists and blobs; only text and what becomes text is known here."""
    names = [typer.name(node.this), typer.name(node.expression)]
    unknown = any(n is None or n.endswith("[]") or n == "BLOB" for n in names)
    return None if unknown else Typed("VARCHAR")


def concatenated(node: exp.Expr, typer: Typer) -> Typed | None:
    names = [typer.name(part) for part in node.expressions]
    return None if any(n is None or n.endswith("[]") for n in names) else Typed("VARCHAR")


def of_two_numbers(node: exp.Expr, typer: Typer) -> Typed | None:
    names = [typer.name(node.this), typer.name(node.expression)]
    return Typed("DOUBLE") if all(n is not None and is_numeric(n) for n in names) else None


def between_moments(node: exp.Expr, typer: Typer) -> Typed | None:
    names = {typer.name(node.this), typer.name(node.expression)}
    return Typed("BIGINT") if names <= MOMENTS and len(names) == 1 else None


def extracted(node: exp.Expr, typer: Typer) -> Typed | None:
    whole = node.name.lower() in _WHOLE_PARTS and typer.name(node.expression) in SPANS
    return Typed("BIGINT") if whole else None


def date_of_parts(node: exp.Expr, typer: Typer) -> Typed | None:
    """Year, month and day must be whole numbers of at most 64 bits."""
    names = {typer.name(part) for part in node.iter_expressions()}
    return Typed("DATE") if names <= INTEGERS.keys() - {"HUGEINT", "UBIGINT", "UHUGEINT"} else None


def of_text(name: str) -> Rule:
    return on(TEXT, name)
