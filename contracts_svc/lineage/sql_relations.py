"""What can stand in FROM: each kind answers which columns it has and what one is made of.

Column names are folded to lower case here; tables give back the spelling that their schema has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol

from sqlglot import exp

from contracts_svc.lineage.graph import ColumnRef, DatasetId, EdgeType
from contracts_svc.lineage.sql_made import Gap, Made, Trace, digest, one_of, text_of


class Relation(Protocol):
    """Rows with named columns."""

    @property
    def names(self) -> Sequence[str]:
        """The columns that are known, in order."""
        ...

    @property
    def open(self) -> frozenset[DatasetId]:
        """The tables whose columns pass through without being known; empty when ``names`` is all."""
        ...

    @property
    def tables(self) -> frozenset[DatasetId]:
        """The tables at the bottom of it."""
        ...

    def may_have(self, name: str) -> bool:
        """Whether it may have a column of that name that is not in ``names``."""
        ...

    def column(self, name: str) -> Made | None:
        """What the column is made of; None when there is no such column."""
        ...

    def at(self, index: int) -> Made:
        """What the column at that position of ``names`` is made of."""
        ...

    def effects(self, trace: Trace) -> None:
        """Add what decides which rows there are, and in which order."""
        ...


@dataclass(frozen=True, eq=False)
class TableRelation:
    """A table. ``columns`` maps folded names to spelt ones; None where the schema is not known."""

    dataset: DatasetId
    columns: Mapping[str, str] | None
    spelt: Callable[[str], str]

    @property
    def names(self) -> Sequence[str]:
        return tuple(self.columns or ())

    @property
    def open(self) -> frozenset[DatasetId]:
        return frozenset({self.dataset}) if self.columns is None else frozenset()

    @property
    def tables(self) -> frozenset[DatasetId]:
        return frozenset({self.dataset})

    def may_have(self, name: str) -> bool:
        return self.columns is None

    def column(self, name: str) -> Made | None:
        """Always something: a column that is named with its table is there, contract or not."""
        spelt = (self.columns or {}).get(name) or self.spelt(name)
        return Made.leaf(ColumnRef(self.dataset, spelt))

    def at(self, index: int) -> Made:
        return Made.leaf(ColumnRef(self.dataset, (self.columns or {})[self.names[index]]))

    def effects(self, trace: Trace) -> None:
        """A table as such has none."""


@dataclass(frozen=True, eq=False)
class FunctionRelation:
    """UNNEST, LATERAL VIEW explode, VALUES, ...: each column is made of all that went in."""

    names: Sequence[str]
    complete: bool
    make: Callable[[], Made]
    struct: bool = False
    """Whether its one column is a struct, whose fields are written as columns of it are."""
    each: Sequence[Callable[[], Made]] = ()
    """What the first columns are made of, where each has an argument of its own."""

    @property
    def open(self) -> frozenset[DatasetId]:
        return frozenset()

    @property
    def tables(self) -> frozenset[DatasetId]:
        return frozenset()

    def may_have(self, name: str) -> bool:
        return not self.complete

    def column(self, name: str) -> Made | None:
        if name in self.names:
            return self.at(list(self.names).index(name))
        known = self.complete and not self.struct
        return None if known else replace(self._made, digest=digest(self._made.digest, name))

    def at(self, index: int) -> Made:
        made = self.each[index]() if index < len(self.each) else self._made
        return replace(made, digest=digest(made.digest, str(index)))

    def effects(self, trace: Trace) -> None:
        """How many rows come out depends on what went in."""
        trace.take(self._made, EdgeType.JOIN)

    @cached_property
    def _made(self) -> Made:
        return self.make()


@dataclass(frozen=True, eq=False)
class Renamed:
    """A relation under a list of column names: ``t AS x(a, b)``."""

    inner: Relation
    aliases: Sequence[str]

    @cached_property
    def names(self) -> Sequence[str]:
        return (*self.aliases, *self.inner.names[len(self.aliases) :])

    @property
    def open(self) -> frozenset[DatasetId]:
        return self.inner.open

    @property
    def tables(self) -> frozenset[DatasetId]:
        return self.inner.tables

    def may_have(self, name: str) -> bool:
        return bool(self.inner.open)

    def column(self, name: str) -> Made | None:
        if name in self.names:
            return self.at(self.names.index(name))
        return self.inner.column(name) if self.inner.open else None

    def at(self, index: int) -> Made:
        if index < len(self.inner.names):
            return self.inner.at(index)
        return Made.unknown(Gap(self.inner.open, _STAR))

    def effects(self, trace: Trace) -> None:
        self.inner.effects(trace)


_STAR = "which columns a `*` stands for is not known"


@dataclass(frozen=True, eq=False)
class SetRelation:
    """UNION and INTERSECT, whose values are those of either side, or EXCEPT, whose right side only
    decides which rows of the left stay."""

    left: Relation
    right: Relation
    kind: type[exp.Expr]
    by_name: bool = False
    distinct: bool = True
    keeps: str = ""
    """Of a set operation by name, whose columns: INNER those of both sides, LEFT the left's; "" all."""
    order: Sequence[exp.Expr] = ()
    _at: dict[int, Made] = field(default_factory=dict)

    @cached_property
    def names(self) -> Sequence[str]:
        if self.by_name:
            right = self.right.names
            if self.keeps:
                return tuple(n for n in self.left.names if n in right or self.keeps == "LEFT")
            return tuple(dict.fromkeys([*self.left.names, *right]))
        return self.left.names

    @cached_property
    def open(self) -> frozenset[DatasetId]:
        return self.left.open | (self.right.open if self._both else frozenset())

    @property
    def tables(self) -> frozenset[DatasetId]:
        return self.left.tables | self.right.tables

    @property
    def _both(self) -> bool:
        return not issubclass(self.kind, exp.Except)

    def may_have(self, name: str) -> bool:
        # A long chain of unions is deep on its left: no recursion there.
        current: Relation = self
        while isinstance(current, SetRelation):
            current = current.left
        return current.may_have(name)

    def column(self, name: str) -> Made | None:
        if self.by_name:
            found = [m for m in (self.left.column(name), self.right.column(name)) if m]
            return one_of(found) if found else None
        if name in self.names:
            return self.at(list(self.names).index(name))
        left = self.left.column(name) if self.left.may_have(name) else None
        if left is None or not self._both:
            return left
        return one_of([left, self._unknown(self.right, name)])

    def at(self, index: int) -> Made:
        if index not in self._at:
            self._at[index] = self._made_at(index)
        return self._at[index]

    def _made_at(self, index: int) -> Made:
        if self.by_name:
            return self.column(self.names[index]) or Made()
        left = self.left.at(index)
        if not self._both:
            return left
        known = not (self.left.open or self.right.open) and index < len(self.right.names)
        right = self.right.at(index) if known else self._unknown(self.right, self.names[index])
        return one_of([left, right])

    def effects(self, trace: Trace) -> None:
        # A long chain of unions is deep on its left: no recursion there.
        current: Relation = self
        while isinstance(current, SetRelation):
            current.right.effects(trace)
            current._sorts(trace)
            if not current._both:
                for index in range(len(current.right.names)):
                    trace.take(current.right.at(index), EdgeType.FILTER)
            current = current.left
        current.effects(trace)

    def _sorts(self, trace: Trace) -> None:
        for key in self.order:
            if isinstance(key, exp.Literal) and key.is_int:
                if 0 < int(key.name) <= len(self.names):
                    trace.take(self.at(int(key.name) - 1), EdgeType.SORT)
                continue
            for column in key.find_all(exp.Column):
                if made := self.column(column.name):
                    trace.take(made, EdgeType.SORT)

    def _unknown(self, side: Relation, name: str) -> Made:
        """A column whose position is not known. The same name on the other side is very likely it,
        but SQL matches the columns of a set operation by position."""
        if name in side.names and not side.open:
            return side.column(name) or Made()
        return Made.unknown(Gap(side.open, f"{_STAR}, so which column is `{name}` is not known"))


@dataclass(frozen=True, eq=False)
class Pivoted:
    """PIVOT or UNPIVOT over a relation. ``trace_in`` traces a node over the relation's columns."""

    inner: Relation
    pivot: exp.Pivot
    trace_in: Callable[[Trace, exp.Expr, EdgeType], None]

    @cached_property
    def _renamed(self) -> Mapping[str, str]:
        return {k.lower(): v for k, v in self.pivot.output_columns(self.inner.names).items()}

    @cached_property
    def _unquoted(self) -> Mapping[str, str]:
        """Some dialects keep the quotes of ``IN ('jan')`` in the column's name; people leave them out."""
        return {k.strip("'"): v for k, v in self._renamed.items()}

    @cached_property
    def names(self) -> Sequence[str]:
        return tuple(self._renamed)

    @property
    def open(self) -> frozenset[DatasetId]:
        return self.inner.open

    @property
    def tables(self) -> frozenset[DatasetId]:
        return self.inner.tables

    def may_have(self, name: str) -> bool:
        return bool(self.inner.open) or name in self._unquoted

    def column(self, name: str) -> Made | None:
        if self.inner.open and self.pivot.alias_column_names:
            reason = f"{_STAR}, so which of them a pivot renames to `{name}` is not known"
            return Made.unknown(Gap(self.inner.open, reason))
        before = self._renamed.get(name) or self._unquoted.get(name)
        if before is None:
            return self.inner.column(name) if self.inner.open else None
        if before not in self._generated:
            return self.inner.column(before)
        trace = Trace()
        if self.pivot.unpivot:
            self._unpivoted(trace, before)
        else:
            for aggregate in self._aggregates(before):
                self.trace_in(trace, aggregate, EdgeType.AGGREGATION)
            for fields in self.pivot.fields:
                # What stands in IN (...) are values, however they are quoted.
                decides = fields.this if isinstance(fields, exp.In) else fields
                self.trace_in(trace, decides, EdgeType.CONDITIONAL)
        return replace(trace.made(), digest=digest(self.digest, before))

    @cached_property
    def digest(self) -> str:
        """Of the pivot and of all that it turns."""
        turned = (self.inner.at(i).digest for i in range(len(self.inner.names)))
        text = ",".join(text_of(e) for e in [*self.pivot.expressions, *self.pivot.fields])
        return "" if self.inner.open else digest("pivot", text, *turned)

    def at(self, index: int) -> Made:
        return self.column(self.names[index]) or Made()

    def effects(self, trace: Trace) -> None:
        """A pivot groups by every column that it lets through."""
        self.inner.effects(trace)
        if self.pivot.unpivot:
            return
        for name, before in self._renamed.items():
            if before not in self._generated and (made := self.column(name)):
                trace.take(made, EdgeType.GROUP_BY)

    @cached_property
    def _generated(self) -> frozenset[str]:
        return frozenset(self.pivot.output_columns(()).values())

    def _aggregates(self, name: str) -> list[exp.Expr]:
        named = [a for a in self.pivot.expressions if a.alias and a.alias in name]
        return named or list(self.pivot.expressions)

    def _unpivoted(self, trace: Trace, name: str) -> None:
        """A value column holds the listed columns, the name column which of them it was."""
        for listed in self.pivot.fields:
            if listed.name == name:
                for column in listed.find_all(exp.Column):
                    self.trace_in(trace, column, EdgeType.CONDITIONAL)
        for position, value in enumerate(self._values()):
            if value.name != name:
                continue
            for listed in self.pivot.fields:
                for entry in listed.expressions:
                    columns = list(entry.find_all(exp.Column))
                    picked = columns if len(columns) <= position else [columns[position]]
                    for column in picked:
                        self.trace_in(trace, column, EdgeType.IDENTITY)

    def _values(self) -> list[exp.Expr]:
        found = [e.expressions if isinstance(e, exp.Tuple) else [e] for e in self.pivot.expressions]
        return [value for group in found for value in group]
