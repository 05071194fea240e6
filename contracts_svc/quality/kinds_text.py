"""Check kinds that look at the text of each value: its length, a pattern."""

from __future__ import annotations

from functools import partial

from sqlglot import exp

from contracts_svc.model import Json
from contracts_svc.quality import patterns
from contracts_svc.quality.kind import CheckKind, Origin, Reads, call, option_checks, where
from contracts_svc.quality.literals import NotComparable
from contracts_svc.quality.types import Family


def _length_problem(value: Json) -> str | None:
    whole = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return None if whole else f"{value!r} is not a length"


def pattern_problem(value: Json) -> str | None:
    """Why a pattern cannot be run, or None."""
    try:
        patterns.to_re2(str(value))
    except patterns.CannotTranslate as error:
        return f"the pattern {value} cannot be run: {error}"
    return None


def _length(reads: Reads, comparison: type[exp.Binary]) -> exp.Expr:
    """Characters are Unicode code points, as in JSON Schema."""
    if reads.column.family is not Family.TEXT:
        raise NotComparable(f"a column of {reads.column.family} has no length")
    size = exp.Length(this=as_text(reads))
    return comparison(this=size, expression=exp.Literal.number(reads.check.arguments["value"]))


def does_not_match(reads: Reads) -> exp.Expr:
    """True for a value in which the check's pattern is not found."""
    if reads.column.family is not Family.TEXT:
        raise NotComparable(f"a column of {reads.column.family} has no pattern")
    arguments = reads.check.arguments
    written = str(arguments.get("pattern", arguments.get("value")))
    glob = patterns.to_glob(written)
    if glob is not None:
        return exp.not_(exp.Glob(this=as_text(reads), expression=exp.Literal.string(glob)))
    pattern = exp.Literal.string(patterns.to_re2(written))
    return exp.not_(call("regexp_matches", as_text(reads), pattern))


def as_text(reads: Reads) -> exp.Expr:
    """The only column as text; a UUID or an enumeration is stored as something else."""
    plain = all(v.type == "VARCHAR" for v in reads.column.variants)
    return reads.value if plain else exp.cast(reads.value, "TEXT")


def _length_kind(*, key: str, option: str, comparison: type[exp.Binary], says: str, fails: str) -> CheckKind:
    return CheckKind(
        key=key,
        purpose=f"Checks that every text has {says} {option} characters.",
        source=f"schema.properties.logicalTypeOptions.{option}",
        origin=Origin.SCAN,
        promised=partial(
            option_checks,
            kind=key,
            option=option,
            problem=_length_problem,
            title=f"{{column}} has {says} {{value}} characters",
        ),
        subject=partial(where, text=f"where {{column}} has {fails} {{value}} characters"),
        failing=partial(_length, comparison=comparison),
        typed=True,
    )


KINDS: tuple[CheckKind, ...] = (
    _length_kind(
        key="min-length", option="minLength", comparison=exp.LT, says="at least", fails="fewer than"
    ),
    _length_kind(key="max-length", option="maxLength", comparison=exp.GT, says="at most", fails="more than"),
    CheckKind(
        key="pattern",
        purpose="Checks that a regular expression (ECMA-262) is found in every value (^...$: is all of it).",
        source="schema.properties.logicalTypeOptions.pattern",
        origin=Origin.SCAN,
        promised=partial(
            option_checks,
            kind="pattern",
            option="pattern",
            problem=pattern_problem,
            title="{column} matches {value}",
        ),
        subject=partial(where, text="where {column} does not match {value}"),
        failing=does_not_match,
        typed=True,
    ),
)
