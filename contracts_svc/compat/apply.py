"""Changes put into effect: what makes sure that a diff leaves nothing out."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from contracts_svc.compat import columns, fields
from contracts_svc.compat.columns import COLUMNS, Node
from contracts_svc.compat.fields import Listed, keys_of, labels
from contracts_svc.findings import Change, ChangeKind
from contracts_svc.model import Column, Contract, Element, Json, Table

E = TypeVar("E", bound=Element)


def apply(changes: Iterable[Change], old: Contract) -> Contract:
    """The new version: for the changes that ``diff`` found between two versions, the second one.

    Places are not part of it. A null in a mapping is the same as nothing there.
    """
    by_table: defaultdict[str | None, list[Change]] = defaultdict(list)
    added: list[Table] = []
    for change in changes:
        if change.element == "table" and change.kind is ChangeKind.ADDED:
            added.append(change.new)
        else:
            by_table[change.table].append(change)
    own = by_table[None]
    contract = _with_fields(old, own, "contract", fields.CONTRACT)
    contract = _with_lists(contract, own, fields.CONTRACT_LISTS)
    for change in own:
        if change.element == "team":
            contract = dataclasses.replace(contract, team=change.new)
        elif change.element == "price":
            extra = _with_key(contract.extra, "price", change.new)
            contract = dataclasses.replace(contract, extra=extra)
    return dataclasses.replace(contract, tables=_tables(old, own, by_table, added))


def _with_fields(element: E, changes: Sequence[Change], kind: str, names: Mapping[str, str]) -> E:
    attributes = {odcs_field: attribute for attribute, odcs_field in names.items()}
    found: dict[str, Any] = {}
    extra: Mapping[str, Json] = element.extra
    options: Mapping[str, Json] = getattr(element, "logical_type_options", {})
    for change in changes:
        field = change.field
        if change.element != kind or change.kind is not ChangeKind.CHANGED or field is None:
            continue
        if field in (fields.ORDER, f"schema.{fields.ORDER}"):
            continue
        if field in attributes:
            found[attributes[field]] = change.new
        elif field.startswith(fields.OPTION):
            options = _with_key(options, field.removeprefix(fields.OPTION), change.new)
            found["logical_type_options"] = options
        else:
            extra = _with_key(extra, field.removeprefix("extra."), change.new)
    return dataclasses.replace(element, extra=extra, **found)


def _with_key(mapping: Mapping[str, Json], key: str, value: Json) -> Mapping[str, Json]:
    rest = {k: v for k, v in mapping.items() if k != key}
    return rest if value is None else rest | {key: value}


def _with_lists(element: E, changes: Sequence[Change], lists: Sequence[Listed]) -> E:
    found: dict[str, Any] = {}
    for listed in lists:
        mine = [c for c in changes if c.element == listed.element]
        if mine:
            found[listed.attribute] = _list(getattr(element, listed.attribute), mine, listed)
    return dataclasses.replace(element, **found)


def _list(entries: Sequence[Any], changes: Sequence[Change], listed: Listed) -> tuple[Any, ...]:
    gone = {c.key for c in changes if c.kind is ChangeKind.REMOVED}
    changed = {c.key: c.new for c in changes if c.kind is ChangeKind.CHANGED and c.field is None}
    names = keys_of(listed, entries)
    kept = [changed.get(n, e) for n, e in zip(names, entries, strict=True) if n not in gone]
    kept += [c.new for c in changes if c.kind is ChangeKind.ADDED]
    return tuple(_in_order(kept, [listed.label(e) for e in kept], changes))


def _in_order(entries: Sequence[Any], names: Sequence[str], changes: Iterable[Change]) -> list[Any]:
    """In the order of the change of the field ``order``, where there is one."""
    order = next((c for c in changes if c.field in (fields.ORDER, f"schema.{fields.ORDER}")), None)
    if order is None:
        return list(entries)
    by_name = dict(zip(labels(names), entries, strict=True))
    return [by_name[name] for name in order.new]


def _tables(
    old: Contract,
    own: Sequence[Change],
    by_table: Mapping[str | None, Sequence[Change]],
    added: Sequence[Table],
) -> tuple[Table, ...]:
    reached: list[Table] = []
    for name, table in zip(labels(t.name for t in old.tables), old.tables, strict=True):
        inside = by_table.get(name, ())
        if not any(c.element == "table" and c.kind is ChangeKind.REMOVED for c in inside):
            reached.append(_table(table, inside))
    reached += added
    order = [c for c in own if c.field == f"schema.{fields.ORDER}"]
    return tuple(_in_order(reached, [t.name for t in reached], order))


def _table(old: Table, inside: Sequence[Change]) -> Table:
    own = [c for c in inside if c.column is None and c.element != "column"]
    table = _with_lists(_with_fields(old, own, "table", fields.TABLE), own, fields.TABLE_LISTS)
    renamed = next((c.new.name for c in own if c.kind is ChangeKind.RENAMED), table.name)
    return dataclasses.replace(table, name=renamed, columns=_Columns(old, inside).grown())


class _Columns:
    """The columns of one table, taken apart, changed, and put together again by their new paths."""

    def __init__(self, old: Table, changes: Sequence[Change]) -> None:
        mine = [c for c in changes if c.element == "column"]
        self._at: defaultdict[str | None, list[Change]] = defaultdict(list)
        for change in changes:
            if change.kind is not ChangeKind.ADDED or change.element != "column":
                self._at[change.column].append(change)
        self._moved = {c.column: c for c in mine if c.kind is ChangeKind.MOVED}
        self._gone = {c.column for c in mine if c.kind is ChangeKind.REMOVED}
        self._added = [c for c in mine if c.kind is ChangeKind.ADDED]
        self._orders = {c.new_column: c for c in mine if c.field == fields.ORDER}
        self._olds = columns.nodes(old)
        self._children: defaultdict[Hashable, list[tuple[str, Column, str]]] = defaultdict(list)
        """New path of the parent -> slot, column without what is in it, and its new path."""
        self._paths: dict[Node, str | None] = {}

    def grown(self) -> tuple[Column, ...]:
        for moved in (False, True):
            for node in self._olds:
                path = self._path(node)
                if path is not None and (node.path in self._moved) is moved:
                    self._place(node, path)
        targets = {c.new_column for c in self._moved.values()}
        for change in self._added:
            self._add(change, targets)
        return self._inside(None)

    def _path(self, node: Node) -> str | None:
        """Where a column is in the new version; None when it is no longer there."""
        if node not in self._paths:
            self._paths[node] = self._new_path(node)
        return self._paths[node]

    def _new_path(self, node: Node) -> str | None:
        if node.path in self._moved:
            return self._moved[node.path].new_column
        if node.path in self._gone:
            return None
        parent = self._path(node.parent) if node.parent else None
        if node.parent and parent is None:
            return None
        return columns.join(parent, node.slot, self._name(node))

    def _name(self, node: Node) -> str:
        for change in self._at[node.path]:
            if change.element == "column" and change.kind is ChangeKind.RENAMED:
                return str(change.new.name)
        return node.column.name

    def _place(self, node: Node, path: str) -> None:
        here = self._at[node.path]
        names = fields.COLUMN if node.slot == COLUMNS else fields.PART
        column = _with_fields(node.column, here, "column", names)
        column = _with_lists(column, here, fields.COLUMN_LISTS)
        if node.slot == COLUMNS:
            column = dataclasses.replace(column, name=self._name(node))
        parent = self._path(node.parent) if node.parent else None
        if node.path in self._moved:
            parent = path[: -len(column.name) - 1] or None
        self._children[parent].append((node.slot, column, path))

    def _add(self, change: Change, targets: set[str | None]) -> None:
        """An added column and what came with it, but not what was moved into it."""
        whole: Column = change.new
        parent = self._parent_of(change)
        slot = next((s for s, end in columns.SUFFIX.items() if str(change.column).endswith(end)), COLUMNS)
        todo = [columns.grow(whole, str(change.column), None, slot, 0)]
        while todo:
            node = todo.pop(0)
            if node.path in targets:
                continue
            above = node.parent.path if node.parent else parent
            self._children[above].append((node.slot, node.column, node.path))
            todo += node.children

    def _parent_of(self, change: Change) -> str | None:
        path = str(change.new_column)
        for end in columns.SUFFIX.values():
            if path.endswith(end):
                return path.removesuffix(end)
        return path[: -len(change.new.name) - 1] or None

    def _inside(self, parent: str | None) -> tuple[Column, ...]:
        entries = [e for e in self._children[parent] if e[0] == COLUMNS]
        order = [self._orders[parent]] if parent in self._orders else []
        return tuple(self._whole(e) for e in _in_order(entries, [e[1].name for e in entries], order))

    def _whole(self, entry: tuple[str, Column, str]) -> Column:
        _, column, path = entry
        parts = {slot: self._whole(e) for e in self._children[path] if (slot := e[0]) != COLUMNS}
        return dataclasses.replace(
            column,
            path=path,
            columns=self._inside(path),
            items=parts.get("items"),
            map_key=parts.get("map_key"),
            map_value=parts.get("map_value"),
        )
