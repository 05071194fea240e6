"""What two types become where either value may be taken (CASE, COALESCE, UNION, comparisons)."""

from __future__ import annotations

from dataclasses import dataclass

from contracts_svc.lineage.sql_numbers import INTEGERS, common
from contracts_svc.lineage.sql_type_names import MOMENTS, TIMESTAMPTZ


@dataclass(frozen=True)
class Typed:
    """A type, and the value where it is a whole-number or text literal, which adapts to others."""

    name: str
    whole: int | None = None
    text: bool = False


NULL = Typed("NULL")


def both(one: Typed, other: Typed) -> Typed | None:
    """The common type; None where there is none."""
    if one is NULL or other is NULL:
        return other if one is NULL else one
    if one.text and other.text:
        return one
    if one.text or other.text:
        return Typed(other.name if one.text else one.name)
    if one.whole is not None and other.whole is not None:
        return one if abs(one.whole) >= abs(other.whole) else other
    name = common(*adapted(one, other)) or _common_moment(one.name, other.name)
    return None if name is None else Typed(name)


def adapted(one: Typed, other: Typed) -> tuple[str, str]:
    """A whole-number literal takes the other side's integer type where it fits in that."""
    for literal, typed in ((one, other), (other, one)):
        limits = INTEGERS.get(typed.name)
        if literal.whole is not None and typed.whole is None and limits is not None:
            low, high = limits
            if low <= literal.whole <= high:
                return typed.name, typed.name
    return one.name, other.name


def _common_moment(one: str, other: str) -> str | None:
    if one == other:
        return one
    order = ["DATE", "TIMESTAMP", TIMESTAMPTZ]
    return max(one, other, key=order.index) if {one, other} <= MOMENTS else None
