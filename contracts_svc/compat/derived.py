"""Changes of a whole that show in several of its parts: keys, partitions, the version."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from contracts_svc.compat.columns import Matched, match
from contracts_svc.compat.rule import Scope
from contracts_svc.findings import Change, ChangeKind
from contracts_svc.model import Column, Table

_Aspect: TypeAlias = tuple[str, Callable[[Column], bool], Callable[[Column], int]]
_KEY: _Aspect = ("primaryKey", lambda c: c.primary_key, lambda c: c.primary_key_position)
_PARTITION: _Aspect = ("partitioning", lambda c: c.partitioned, lambda c: c.partition_key_position)


def derived(scope: Scope) -> Iterator[Change]:
    """One Change per table whose key or partitioning differs, and one for the contract's version.

    The version comes last, changed or not, so that its rules know what else was found.
    """
    touched = {c.table: c for c in scope.changes if c.element == "column"}
    for name, change in touched.items():
        old, new = scope.tables(change)
        if old is not None and new is not None and name is not None:
            yield from _of_table(name, old, new)
    yield Change(
        kind=ChangeKind.CHANGED,
        element="contract",
        field="version",
        old=scope.old.version,
        new=scope.new.version,
        old_at=scope.old.place("version"),
        new_at=scope.new.place("version"),
    )


def _of_table(name: str, old: Table, new: Table) -> Iterator[Change]:
    found: Matched | None = None
    for field, is_in, position in (_KEY, _PARTITION):
        if not any(is_in(c) for t in (old, new) for c in t.columns):
            continue
        found = found or match(old, new)
        before = _in_order(old, is_in, position)
        after = _in_order(new, is_in, position)
        renamed = {o.column.name: n.column.name for o, n in found.forward.items() if o.parent is None}
        if [renamed.get(c.name) for c in before] != [c.name for c in after]:
            yield _whole(name, field, before, after, new, renamed)


def _in_order(
    table: Table, is_in: Callable[[Column], bool], position: Callable[[Column], int]
) -> list[Column]:
    return sorted((c for c in table.columns if is_in(c)), key=position)


def _whole(
    name: str, field: str, before: list[Column], after: list[Column], new: Table, renamed: dict[str, str]
) -> Change:
    """``old`` and ``new`` are the columns by their new names, so that a rename alone is no change."""
    single = before[0].name if len(before) == 1 else None
    written = "partitioned" if field == "partitioning" else field
    places = [c.places[written] for c in after if written in c.places]
    at = places[0] if after and places else new.place("properties")
    return Change(
        kind=ChangeKind.CHANGED,
        element="table",
        table=name,
        column=single,
        field=field,
        old=tuple(renamed.get(c.name, c.name) for c in before),
        new=tuple(c.name for c in after),
        new_at=at,
    )
