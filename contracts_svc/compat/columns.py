"""Columns of two versions of a table: which belong together, and what changed between them."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from contracts_svc.compat import fields
from contracts_svc.compat.elements import fields_changed, lists_changed
from contracts_svc.errors import Location
from contracts_svc.findings import Change, ChangeKind
from contracts_svc.model import Column, Element, Table

COLUMNS, ITEMS, MAP_KEY, MAP_VALUE = "columns", "items", "map_key", "map_value"
SUFFIX = {ITEMS: "[]", MAP_KEY: "{key}", MAP_VALUE: "{value}"}
_PLACE = {COLUMNS: "properties", ITEMS: "items", MAP_KEY: "map", MAP_VALUE: "map"}


@dataclass(slots=True, eq=False)
class Node:
    """A column where it stands: in which parent (None: in the table), and as what of it."""

    column: Column
    path: str
    parent: Node | None
    slot: str
    index: int
    children: list[Node] = field(default_factory=list)


def nodes(table: Table) -> list[Node]:
    """Every column of a table, depth first."""
    return [n for c in grown(table.columns, None) for n in walk(c)]


def walk(node: Node) -> Iterator[Node]:
    """This node and everything inside, depth first."""
    yield node
    for child in node.children:
        yield from walk(child)


def grown(columns: Sequence[Column], parent: Node | None) -> list[Node]:
    """Nodes of these columns and of everything nested in them."""
    names = fields.labels(c.name for c in columns)
    return [grow(c, child_path(parent, COLUMNS, n), parent, COLUMNS, i)
            for i, (c, n) in enumerate(zip(columns, names, strict=True))]  # fmt: skip


def child_path(parent: Node | None, slot: str, name: str) -> str:
    """The dotted path of a child."""
    return join(parent.path if parent else None, slot, name)


def join(parent: str | None, slot: str, name: str) -> str:
    """The dotted path of what is in ``parent``, as the model writes paths."""
    if parent is None:
        return name
    return parent + SUFFIX[slot] if slot in SUFFIX else f"{parent}.{name}"


def grow(column: Column, path: str, parent: Node | None, slot: str, index: int) -> Node:
    """The node of a column, with nodes of everything nested in it."""
    node = Node(column, path, parent, slot, index)
    node.children = grown(column.columns, node)
    for inner, name in ((column.items, ITEMS), (column.map_key, MAP_KEY), (column.map_value, MAP_VALUE)):
        if inner is not None:
            node.children.append(grow(inner, child_path(node, name, inner.name), node, name, 0))
    return node


@dataclass(frozen=True, slots=True)
class Matched:
    """Both versions of a table's columns, and which belongs to which."""

    olds: list[Node]
    news: list[Node]
    forward: dict[Node, Node]
    back: dict[Node, Node]

    def stays(self, old: Node) -> bool:
        """Whether its counterpart is still in the same parent."""
        new = self.forward.get(old)
        if new is None:
            return False
        if old.parent is None or new.parent is None:
            return old.parent is new.parent
        return self.forward.get(old.parent) is new.parent


def match(old: Table, new: Table) -> Matched:
    """By id anywhere in the table, then by name within the same parent."""
    found = Matched(nodes(old), nodes(new), {}, {})
    ids = _unique_ids(found.news)
    for i, node in _unique_ids(found.olds).items():
        if i in ids:
            _join(found, node, ids[i])
    todo: deque[tuple[Node | None, Node | None]] = deque([(None, None), *found.forward.items()])
    roots = ([n for n in found.olds if n.parent is None], [n for n in found.news if n.parent is None])
    while todo:
        one, other = todo.popleft()
        olds = one.children if one else roots[0]
        news = other.children if other else roots[1]
        free = {(n.slot, _name_in(n)): n for n in reversed(news) if n not in found.back}
        for node in olds:
            partner = free.get((node.slot, _name_in(node)))
            if node not in found.forward and partner is not None:
                _join(found, node, partner)
                todo.append((node, partner))
    return found


def _join(found: Matched, old: Node, new: Node) -> None:
    found.forward[old] = new
    found.back[new] = old


def _name_in(node: Node) -> str:
    """Its name among its siblings: the last part of the path, made unique; parts have one name."""
    if node.slot != COLUMNS:
        return node.slot
    return node.path[len(node.parent.path) + 1 :] if node.parent else node.path


def _unique_ids(found: Sequence[Node]) -> dict[str, Node]:
    named = [(n.column.id, n) for n in found if n.column.id and n.slot == COLUMNS]
    times = Counter(i for i, _ in named)
    return {i: n for i, n in named if times[i] == 1}


def diff(table: str, old: Table, new: Table) -> Iterator[Change]:
    """What changed between two versions of a table's columns. ``table`` is its name in Changes."""
    found = match(old, new)
    renames = _likely_renames(found)
    for node in found.olds:
        partner = found.forward.get(node)
        if partner is not None:
            yield from _between(table, found, node, partner)
        elif node.parent is None or node.parent in found.forward:
            parent: Element = found.forward[node.parent].column if node.parent else new
            yield _removed(table, node, parent.place(_PLACE[node.slot]), renames.get(node, ""))
    for node in found.news:
        if node not in found.back and (node.parent is None or node.parent in found.back):
            yield _added(table, node, renames.get(node, ""))
    yield from _orders(table, old, new, found)


def _between(table: str, found: Matched, old: Node, new: Node) -> Iterator[Change]:
    def change(kind: ChangeKind) -> Change:
        return Change(
            kind=kind,
            element="column",
            table=table,
            column=old.path,
            new_column=new.path,
            old=old.column,
            new=new.column,
            old_at=old.column.place("name"),
            new_at=new.column.place("name"),
        )

    if not found.stays(old):
        yield change(ChangeKind.MOVED)
    if old.slot == COLUMNS and old.column.name != new.column.name:
        yield change(ChangeKind.RENAMED)
    yield from field_changes(old, new, table)


def field_changes(old: Node, new: Node, table: str) -> Iterator[Change]:
    """Every field of a column that differs, and every entry of its lists."""
    where = {"table": table, "column": old.path, "new_column": new.path}
    names = fields.COLUMN if old.slot == COLUMNS else fields.PART
    yield from fields_changed("column", old.column, new.column, names, where)
    yield from lists_changed(old.column, new.column, fields.COLUMN_LISTS, where)


def _removed(table: str, node: Node, at: Location, hint: str) -> Change:
    return Change(
        kind=ChangeKind.REMOVED,
        element="column",
        table=table,
        column=node.path,
        old=node.column,
        old_at=node.column.at,
        new_at=at,
        hint=hint,
    )


def _added(table: str, node: Node, hint: str) -> Change:
    return Change(
        kind=ChangeKind.ADDED,
        element="column",
        table=table,
        column=node.path,
        new_column=node.path,
        new=node.column,
        new_at=node.column.at,
        hint=hint,
    )


def _likely_renames(found: Matched) -> dict[Node, str]:
    """Removed and added columns that are alike in all but their name, and stand in the same place."""
    gone = [n for n in found.olds if n not in found.forward and n.slot == COLUMNS]
    come: dict[tuple[Node | None, int], Node] = {
        (found.back[n.parent] if n.parent else None, n.index): n
        for n in found.news
        if n not in found.back and n.slot == COLUMNS and (n.parent is None or n.parent in found.back)
    }
    hints: dict[Node, str] = {}
    for old in gone:
        new = come.get((old.parent, old.index))
        if new is not None and _likeness(old.column) == _likeness(new.column):
            advice = "give the column the same 'id' in both versions to say so"
            hints[old] = f"looks like a rename to {new.path}: {advice}"
            hints[new] = f"looks like a rename of {old.path}: {advice}"
    return hints


def _likeness(column: Column) -> tuple[object, ...]:
    return (
        column.logical_type,
        (column.physical_type or "").lower(),
        column.logical_type_options,
        column.required,
        column.unique,
        column.primary_key,
        column.primary_key_position,
        column.enum,
    )


def _orders(table: str, old: Table, new: Table, found: Matched) -> Iterator[Change]:
    """For every parent whose columns are not in the order that removing and appending gives."""
    arrived: dict[Node | None, list[Node]] = {}
    for node in found.olds:
        partner = found.forward.get(node)
        if partner is not None and partner.slot == COLUMNS:
            arrived.setdefault(partner.parent, []).append(node)
    siblings: dict[Node | None, list[Node]] = {}
    for node in found.news:
        if node.slot == COLUMNS:
            siblings.setdefault(node.parent, []).append(node)
    for parent, wanted in siblings.items():
        came = arrived.get(parent, [])
        reached = [found.forward[n] for n in came if found.stays(n)]
        reached += [found.forward[n] for n in came if not found.stays(n)]
        reached += [n for n in wanted if n not in found.back]
        if reached == wanted:
            continue
        names = dict(zip(reached, fields.labels(n.column.name for n in reached), strict=True))
        before = found.back.get(parent) if parent else None
        at = parent.column if parent else new
        yield Change(
            kind=ChangeKind.CHANGED,
            element="column",
            table=table,
            column=(before.path if before else parent.path) if parent else None,
            new_column=parent.path if parent else None,
            field=fields.ORDER,
            old=tuple(names[n] for n in reached),
            new=tuple(names[n] for n in wanted),
            old_at=(before.column if before else old).place("properties"),
            new_at=at.place("properties"),
        )
