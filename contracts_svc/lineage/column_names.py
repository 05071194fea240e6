"""The names of a contract's columns in lineage.

A column is named there as it is stored (``physicalName``, else ``name``); of a nested one only the outermost
name is that of the data, what follows is the contract's path: ``adr.street``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from contracts_svc.model import Column, Table

_DEEPEST = 100
"""Levels of fields in fields for which the outer ones are looked up."""


@dataclass(frozen=True, slots=True)
class ColumnNames:
    """The columns of a table by the names that sources of lineage have for them."""

    _exact: Mapping[str, str]
    _folded: Mapping[str, str | None]

    @classmethod
    def of(cls, table: Table) -> ColumnNames:
        """Every column of a table, nested ones too."""
        exact = dict(_in_data(table.columns))
        folded: dict[str, str | None] = {}
        for written, name in exact.items():
            folded[written.lower()] = None if written.lower() in folded else name
        for name, column in lineage_names(table):  # who writes the contract's own name means it too
            for written in (name, column.path):
                exact.setdefault(written, name)
                folded.setdefault(written.lower(), name)
        return cls(exact, folded)

    def name(self, written: str) -> str | None:
        """The name in lineage of a column that is written so in the data, in whatever case; of a field
        that the contract does not know, that of what it lies in, with the rest. None where the contract
        has no such column."""
        outer, inner = written, ""
        for _ in range(_DEEPEST):
            found = self._exact.get(outer) or self._folded.get(outer.lower())
            if found is not None:
                return found + inner
            outer, dot, _ = outer.rpartition(".")
            if not dot:
                break
            inner = written[len(outer) :]
        return None


def lineage_names(table: Table) -> Iterator[tuple[str, Column]]:
    """Every column of a table, nested ones too, with its name in lineage."""
    for top in table.columns:
        for column in top.walk():
            yield top.stored_name + column.path.removeprefix(top.path), column


def lineage_name(table: Table, path: str) -> str:
    """The name in lineage of a column with this path in the contract, also of one inside a column of the
    table that the table itself does not have (any more)."""
    for top in table.columns:
        rest = path.removeprefix(top.path)
        if rest != path and rest[:1] in ("", ".", "[", "{"):
            return top.stored_name + rest
    return path


def _in_data(columns: Iterable[Column]) -> Iterator[tuple[str, str]]:
    """(name in the data, name in lineage) of every column."""
    for top in columns:
        yield top.stored_name, top.stored_name
        for written, path in _nested(top, top.stored_name):
            yield written, top.stored_name + path.removeprefix(top.path)


def _nested(parent: Column, written: str) -> Iterator[tuple[str, str]]:
    for column in parent.children():
        step = column.path.removeprefix(parent.path)
        # The element of an array and the parts of a map have no names of their own in the data.
        own = column.physical_name and step.lstrip(".") == column.name
        here = written + (step.removesuffix(column.name) + column.stored_name if own else step)
        yield here, column.path
        yield from _nested(column, here)


def columns_of(table: Table) -> Mapping[str, str]:
    """Column as stored -> type as the contract writes it, "" where it has none."""
    return {c.stored_name: c.physical_type or c.logical_type or "" for c in table.columns}
