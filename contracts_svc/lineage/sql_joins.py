"""Columns that USING and NATURAL joins merge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from sqlglot import exp
from sqlglot.dialects.dialect import UsingColumnOrder

from contracts_svc.lineage.graph import DatasetId, EdgeType
from contracts_svc.lineage.sql_made import Gap, Made, Trace, digest, one_of
from contracts_svc.lineage.sql_sources import Item


@dataclass(frozen=True)
class Merged:
    """The merged columns of one query's joins. ``order`` is where the dialect's ``*`` puts them."""

    joins: Sequence[exp.Join]
    items: Sequence[Item]
    order: UsingColumnOrder

    @cached_property
    def by_name(self) -> Mapping[str, tuple[str, Sequence[Item]]]:
        """Column -> side of the last join that merged it, and the sources joined by it."""
        found: dict[str, tuple[str, list[Item]]] = {}
        for join in self.joins:
            right = next((i for i in self.items if i.name == join.alias_or_name), None)
            if right is None:
                continue
            left = list(self.items[: self.items.index(right)])
            for name in _shared(join, left, right):
                sides, joined = found[name] if name in found else ("", _holders(left, name))
                side = join.side.upper() if right.visible else "LEFT"
                found[name] = (side or sides, [*joined, right])
        return found

    def column(self, name: str) -> Made:
        """LEFT and inner joins give the left side's value, RIGHT the right one's, FULL either."""
        side, items = self.by_name[name]
        found = [m for m in (i.relation.column(name) for i in items) if m is not None]
        if side == "FULL":
            return _coalesced(found)
        return found[-1] if side == "RIGHT" else found[0]

    def first(self) -> Sequence[str]:
        """The columns that come before all others in ``*``."""
        return () if self.order is UsingColumnOrder.IN_PLACE else tuple(self.by_name)

    def effects(self, trace: Trace) -> None:
        """Both sides of a merged column decide which rows are joined."""
        for name, (_, items) in self.by_name.items():
            for item in items:
                if made := item.relation.column(name):
                    trace.take(made, EdgeType.JOIN)
        if any(j.method.upper() == "NATURAL" for j in self.joins) and _is_open(self.items):
            reason = "a NATURAL JOIN of tables whose columns are not known"
            trace.take(Made.unknown(Gap(all_open(self.items), reason)), EdgeType.JOIN)


def all_open(items: Sequence[Item]) -> frozenset[DatasetId]:
    """The tables among these sources whose columns are not known."""
    return frozenset(d for i in items for d in i.relation.open)


def _is_open(items: Sequence[Item]) -> bool:
    return any(i.relation.open for i in items)


def _holders(left: Sequence[Item], name: str) -> list[Item]:
    """The source on the left that has the column, or may have it."""
    sure = [i for i in left if name in i.relation.names]
    return (sure or [i for i in left if i.relation.may_have(name)] or list(left))[:1]


def _shared(join: exp.Join, left: Sequence[Item], right: Item) -> list[str]:
    if using := join.args.get("using"):
        return [u.name for u in using]
    if join.method.upper() != "NATURAL" or _is_open([*left, right]):
        return []
    return [n for i in left for n in i.relation.names if n in right.relation.names]


def _coalesced(found: list[Made]) -> Made:
    trace = Trace()
    for made in found:
        trace.take(made, EdgeType.TRANSFORMATION)
    parts = [m.expression for m in found]
    known = digest("coalesce", *(m.digest for m in found))
    if any(p is None for p in parts):
        return replace(trace.made(), digest=known)
    arguments = [p.copy() for p in parts if p is not None]
    made = trace.made(exp.Coalesce(this=arguments[0], expressions=arguments[1:]), one_of(found).size)
    return replace(made, digest=known)
