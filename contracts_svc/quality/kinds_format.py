"""The check kind of ``format``: how a text looks, or how many bits a number takes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from sqlglot import exp

from contracts_svc.model import Column
from contracts_svc.quality import date_formats, formats, literals, text_values
from contracts_svc.quality.kind import CheckKind, Origin, Promises, Reads, call, column_check, where
from contracts_svc.quality.kinds_text import as_text
from contracts_svc.quality.literals import NotComparable
from contracts_svc.quality.types import Family
from contracts_svc.runs import Check, Unsupported

_TIMES = ("date", "timestamp", "time")


def _formats(promises: Promises) -> Iterator[Check | Unsupported]:
    for column in promises.table.walk():
        written = column.logical_type_options.get("format")
        if written is None:
            continue
        reason = _problem(column, str(written))
        if reason is None:
            yield column_check(
                "format",
                promises.table,
                column,
                at=column.place("logicalTypeOptions"),
                title=f"{column.path} has the format {written}",
                value=str(written),
            )
        elif reason:
            what = f"{promises.table.name}.{column.path}: format {written}"
            yield Unsupported(what=what, reason=reason, at=column.place("logicalTypeOptions"))


def _problem(column: Column, written: str) -> str | None:
    """Why a format is not checked; an empty text when there is nothing in it to check."""
    logical = (column.logical_type or "").lower()
    if logical in _TIMES:
        # A stored date has no format; a text that is to be one is read in it (value-type).
        found = date_formats.read(written)
        return f"the format {written} cannot be read: {found}" if isinstance(found, str) else ""
    if logical == "integer":
        return None if written in formats.INTEGERS else f"{written} is not a format of integers"
    if logical == "number":
        if written == "f64":
            return ""
        return None if written == "f32" else f"{written} is not a format of numbers"
    if logical not in ("string", ""):
        return f"a column of type {logical} has no format"
    if written in formats.NOTHING_TO_SEE:
        return ""
    if written in formats.FORMATS or _pattern(written) is not None:
        return None
    return f"{written} is not a format that is known"


def _pattern(written: str) -> date_formats.Pattern | None:
    """The pattern of a date or time that a string has, as in yyyy-MM-dd."""
    found = date_formats.read(written)
    looks_like_one = any(part in written for part in ("yy", "uu", "HH:mm"))
    return found if looks_like_one and not isinstance(found, str) else None


def _is_in_no_format(reads: Reads) -> exp.Expr:
    written = str(reads.check.arguments["value"])
    family = reads.column.family
    if written in formats.INTEGERS and family.numeric:
        least, most = formats.INTEGERS[written]
        below = exp.LT(this=reads.value, expression=literals.bound(least, reads.column, upward=True))
        above = exp.GT(this=reads.value, expression=literals.bound(most, reads.column, upward=False))
        return exp.or_(below, above)
    if written == "f32" and family.numeric:
        double = exp.cast(reads.value, "DOUBLE")
        above = exp.GT(this=exp.Abs(this=double), expression=exp.Literal.number(repr(formats.LARGEST_SINGLE)))
        return exp.and_(above, call("isfinite", double.copy()))
    if family is not Family.TEXT:
        raise NotComparable(f"a column of {family} has no format {written}")
    return _looks_wrong(as_text(reads), written)


def _looks_wrong(text: exp.Expr, written: str) -> exp.Expr:
    known = formats.FORMATS.get(written)
    if known is None:
        pattern = _pattern(written)
        assert pattern is not None, "the plan has no check for a format that is not known"
        there = exp.Is(this=text.copy(), expression=exp.null()).not_()
        unread = exp.Is(this=text_values.in_format(text, pattern), expression=exp.null())
        return exp.and_(there, unread)
    whole = call("regexp_full_match", text, exp.Literal.string(known.pattern))
    tests: list[exp.Expr] = [exp.not_(whole)]
    if known.longest is not None:
        tests.append(exp.GT(this=exp.Length(this=text.copy()), expression=exp.Literal.number(known.longest)))
    if known.day:
        day = call("regexp_extract", text.copy(), exp.Literal.string(known.day), exp.Literal.number(1))
        real = exp.TryCast(this=day, to=exp.DataType.build("DATE", dialect="duckdb"))
        tests.append(
            exp.and_(
                exp.Is(this=text.copy(), expression=exp.null()).not_(),
                exp.Is(this=real, expression=exp.null()),
            )
        )
    return exp.or_(*tests)


KINDS: tuple[CheckKind, ...] = (
    CheckKind(
        key="format",
        purpose="Checks that every text has its format (email, uuid, uri, hostname, ipv4, ipv6, byte, date, "
        "date-time, yyyy-MM-dd, ...) and every number fits its bits (i8 to u128, f32).",
        source="schema.properties.logicalTypeOptions.format",
        origin=Origin.SCAN,
        promised=_formats,
        subject=partial(where, text="where {column} has not the format {value}"),
        failing=_is_in_no_format,
        typed=True,
        footer="where all numbers of a file fit",
    ),
)
