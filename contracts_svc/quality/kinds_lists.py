"""Check kinds of nested values: how many elements an array has, which fields an object has."""

from __future__ import annotations

from functools import partial

from sqlglot import exp

from contracts_svc.model import Json
from contracts_svc.quality import types
from contracts_svc.quality.kind import CheckKind, Origin, Reads, call, is_number, option_checks, where
from contracts_svc.quality.literals import NotComparable
from contracts_svc.quality.types import Family

_ITEM = "item"


def _count_problem(value: Json) -> str | None:
    whole = is_number(value) and isinstance(value, int) and value >= 0
    return None if whole else f"{value!r} is not a number of elements"


def _flag_problem(value: Json) -> str | None:
    return None if isinstance(value, bool) else f"{value!r} is neither true nor false"


# --- which rows fail ------------------------------------------------------------------------------


def _size(reads: Reads, comparison: type[exp.Binary]) -> exp.Expr:
    _must_be(reads, Family.LIST, "elements")
    return comparison(this=call("len", reads.value), expression=_limit(reads))


def _repeats(reads: Reads) -> exp.Expr:
    """True where two elements are equal; two NULLs are too, as in JSON Schema, and two NaNs, as in keys."""
    _must_be(reads, Family.LIST, "elements")
    if not reads.check.arguments["value"]:
        return exp.false()
    listed = _comparable(reads)
    size = call("len", listed.copy())
    # The engine counts no NULL among the distinct elements, and each NaN as another: one of each may be.
    nulls = exp.Sub(this=size.copy(), expression=call("list_count", listed.copy()))
    distinct: exp.Expr = _at_most_one(nulls)
    if _has_floats(reads):
        is_nan = call("isnan", exp.column(_ITEM))
        distinct = exp.Add(this=distinct, expression=_at_most_one(call("len", _those(listed, is_nan))))
        listed = _those(listed, exp.not_(is_nan.copy()))
    distinct = exp.Add(this=distinct, expression=call("list_unique", listed.copy()))
    return exp.GT(this=size, expression=distinct)


def _at_most_one(count: exp.Expr) -> exp.Expr:
    return call("least", count, exp.Literal.number(1))


def _those(listed: exp.Expr, test: exp.Expr) -> exp.Expr:
    return call("list_filter", listed.copy(), exp.Lambda(this=test, expressions=[exp.to_identifier(_ITEM)]))


def _comparable(reads: Reads) -> exp.Expr:
    stored = reads.column
    if stored.raw is not None and stored.json:
        return call("json_extract", stored.raw.copy(), exp.Literal.string("$[*]"))
    return reads.value


def _has_floats(reads: Reads) -> bool:
    stored = reads.column
    parts = [p for v in stored.variants if v.parsed for p in types.inner(v.parsed)[:1]]
    return stored.raw is None and any(types.family(p) is Family.FLOAT for p in parts)


def _fields(reads: Reads, comparison: type[exp.Binary]) -> exp.Expr:
    """The number of fields that are there: in a struct, those of the contract that are not NULL."""
    stored = reads.column
    if stored.raw is not None and stored.json:
        whole = exp.EQ(this=call("json_type", stored.raw.copy()), expression=exp.Literal.string("OBJECT"))
        count: exp.Expr = call("len", call("json_keys", stored.raw.copy()))
        return exp.and_(whole, comparison(this=count, expression=_limit(reads)))
    if stored.family is Family.MAP:
        return comparison(this=call("cardinality", reads.value), expression=_limit(reads))
    _must_be(reads, Family.STRUCT, "fields")
    names = {n for v in stored.variants if v.parsed for n in types.fields(v.parsed)}
    there = [
        exp.cast(
            exp.Is(
                this=call("struct_extract", reads.value, exp.Literal.string(n)), expression=exp.null()
            ).not_(),
            "INT",
        )
        for n in sorted(names)
    ]
    count = there[0] if there else exp.Literal.number(0)
    for one in there[1:]:
        count = exp.Add(this=count, expression=one)
    null = exp.Is(this=reads.value, expression=exp.null())
    return exp.and_(null.not_(), comparison(this=exp.paren(count), expression=_limit(reads)))


def _limit(reads: Reads) -> exp.Expr:
    return exp.Literal.number(reads.check.arguments["value"])


def _must_be(reads: Reads, family: Family, parts: str) -> None:
    if reads.column.family is not family:
        raise NotComparable(f"a column of {reads.column.family} has no {parts}")


def _counted(
    *, key: str, option: str, noun: str, comparison: type[exp.Binary], says: str, fails: str
) -> CheckKind:
    count, what = (_size, "array") if noun == "elements" else (_fields, "object")
    return CheckKind(
        key=key,
        purpose=f"Checks that every {what} has {says} {option} {noun}.",
        source=f"schema.properties.logicalTypeOptions.{option}",
        origin=Origin.SCAN,
        promised=partial(
            option_checks,
            kind=key,
            option=option,
            problem=_count_problem,
            title=f"{{column}} has {says} {{value}} {noun}",
        ),
        subject=partial(where, text=f"where {{column}} has {fails} {{value}} {noun}"),
        failing=partial(count, comparison=comparison),
        typed=True,
    )


KINDS: tuple[CheckKind, ...] = (
    _counted(
        key="min-items", option="minItems", noun="elements",
        comparison=exp.LT, says="at least", fails="fewer than",
    ),
    _counted(
        key="max-items", option="maxItems", noun="elements",
        comparison=exp.GT, says="at most", fails="more than",
    ),
    _counted(
        key="dimensions", option="dimensions", noun="elements",
        comparison=exp.NEQ, says="exactly", fails="other than",
    ),
    CheckKind(
        key="unique-items",
        purpose="Checks that no array has two equal elements (NULLs are equal here, as in JSON Schema).",
        source="schema.properties.logicalTypeOptions.uniqueItems",
        origin=Origin.SCAN,
        promised=partial(
            option_checks,
            kind="unique-items",
            option="uniqueItems",
            problem=_flag_problem,
            title="no two elements of {column} are equal",
        ),
        subject=partial(where, text="where two elements of {column} are equal"),
        failing=_repeats,
        typed=True,
    ),
    _counted(
        key="min-properties", option="minProperties", noun="fields",
        comparison=exp.LT, says="at least", fails="fewer than",
    ),
    _counted(
        key="max-properties", option="maxProperties", noun="fields",
        comparison=exp.GT, says="at most", fails="more than",
    ),
)  # fmt: skip
