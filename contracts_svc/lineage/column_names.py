"""The columns of a contract by their names in the data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from contracts_svc.model import Column, Table

_DEEPEST = 100
"""Levels of fields in fields for which the outer ones are looked up."""


@dataclass(frozen=True, slots=True)
class ColumnNames:
    """The columns of a table by their names in the data (``physicalName``, else ``name``)."""

    _exact: Mapping[str, str]
    _folded: Mapping[str, str | None]

    @classmethod
    def of(cls, table: Table) -> ColumnNames:
        """Every column of a table, nested ones too."""
        exact = dict(_stored_paths(table.columns, "", ""))
        folded: dict[str, str | None] = {}
        for stored, path in exact.items():
            folded[stored.lower()] = None if stored.lower() in folded else path
        for column in table.walk():  # who writes the contract's own name means that column too
            exact.setdefault(column.path, column.path)
            folded.setdefault(column.path.lower(), column.path)
        return cls(exact, folded)

    def path(self, stored: str) -> str | None:
        """The contract's path; of a field that the contract does not know, that of what it lies in, with
        the rest of its name. None where the contract has no such column."""
        outer, inner = stored, ""
        for _ in range(_DEEPEST):
            found = self._exact.get(outer) or self._folded.get(outer.lower())
            if found is not None:
                return found + inner
            outer, dot, _ = outer.rpartition(".")
            if not dot:
                break
            inner = stored[len(outer) :]
        return None


def _stored_paths(columns: Iterable[Column], path: str, stored: str) -> Iterator[tuple[str, str]]:
    """(name in the data, contract's path) of every column below one that has these names itself."""
    for column in columns:
        step = column.path[len(path) :]
        # The element of an array and the parts of a map have no names of their own in the data.
        own = column.physical_name and step.lstrip(".") == column.name
        here = stored + (step.removesuffix(column.name) + column.stored_name if own else step)
        yield here, column.path
        yield from _stored_paths(column.children(), column.path, here)


def columns_of(table: Table) -> Mapping[str, str]:
    """Column as stored -> type as the contract writes it, "" where it has none."""
    return {c.stored_name: c.physical_type or c.logical_type or "" for c in table.columns}
