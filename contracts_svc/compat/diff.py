"""What changed between two versions of a contract, as typed Changes."""

from __future__ import annotations

from collections.abc import Iterator

from contracts_svc.compat import columns, fields
from contracts_svc.compat.elements import fields_changed, kind_of, list_changed, lists_changed
from contracts_svc.compat.fields import canonical, labels, pairs
from contracts_svc.compat.sameness import same
from contracts_svc.errors import Problem, UserMistake
from contracts_svc.findings import Change, ChangeKind
from contracts_svc.model import Contract, Table


def diff(old: Contract, new: Contract) -> tuple[Change, ...]:
    """Every difference between two versions of a contract, in the order of the old one.

    Elements belong together by their ODCS ``id`` where both sides have it, else by name. Only what a
    contract says counts: the order of keys, comments and YAML style make no change. The order of
    entries in a list is a change of the field ``order``. Raises UserMistake when the two are not
    versions of one contract.
    """
    _refuse_strangers(old, new)
    return tuple(_changes(old, new))


def _refuse_strangers(old: Contract, new: Contract) -> None:
    """Another id alone is a finding, as long as the name or the file says it is the same contract."""
    same_name = old.name is not None and old.name == new.name
    same_file = bool(old.at.file) and old.at.file == new.at.file
    if old.id == new.id or same_name or same_file:
        return
    message = f"not two versions of one contract: the ids are {old.id!r} and {new.id!r}, the names differ too"
    at = new.place("id")
    raise UserMistake(
        [Problem(at if at.file else None, message, "compare two versions that have the same id")]
    )


def _changes(old: Contract, new: Contract) -> Iterator[Change]:
    yield from fields_changed("contract", old, new, fields.CONTRACT, {})
    yield from _team(old, new)
    for listed in fields.CONTRACT_LISTS:
        yield from list_changed(old, new, listed, {})
    yield from _tables(old, new)


def _team(old: Contract, new: Contract) -> Iterator[Change]:
    if not same(old.team, new.team):
        yield Change(
            kind=kind_of(old.team, new.team),
            element="team",
            old=canonical(old.team),
            new=canonical(new.team),
            old_at=old.place("team"),
            new_at=new.place("team"),
        )


def _tables(old: Contract, new: Contract) -> Iterator[Change]:
    found = pair_tables(old, new)
    names = labels(t.name for t in old.tables)
    for i, before in enumerate(old.tables):
        if i in found:
            yield from _table(names[i], before, new.tables[found[i]])
        else:
            yield Change(
                kind=ChangeKind.REMOVED,
                element="table",
                table=names[i],
                old=before,
                old_at=before.at,
                new_at=new.place("schema"),
            )
    added = [j for j in range(len(new.tables)) if j not in found.values()]
    for j in added:
        table = new.tables[j]
        yield Change(kind=ChangeKind.ADDED, element="table", table=table.name, new=table, new_at=table.at)
    reached = [found[i] for i in sorted(found)] + added
    if reached != sorted(reached):
        now = labels(new.tables[j].name for j in reached)
        yield Change(
            kind=ChangeKind.CHANGED,
            element="contract",
            field=f"schema.{fields.ORDER}",
            old=tuple(now),
            new=tuple(name for _, name in sorted(zip(reached, now, strict=True))),
            old_at=old.place("schema"),
            new_at=new.place("schema"),
        )


def pair_tables(old: Contract, new: Contract) -> dict[int, int]:
    """Index of an old table -> index of the new one that it became."""
    found = pairs(old.tables, new.tables, (fields.stable_id,))
    free = {t.name: j for j, t in reversed(list(enumerate(new.tables))) if j not in found.values()}
    for i, table in enumerate(old.tables):
        if i not in found and table.name in free:
            found[i] = free.pop(table.name)
    return found


def _table(name: str, old: Table, new: Table) -> Iterator[Change]:
    if same(old, new):
        return
    where = {"table": name}
    if old.name != new.name:
        yield Change(
            kind=ChangeKind.RENAMED,
            element="table",
            table=name,
            new_table=new.name,
            old=old,
            new=new,
            old_at=old.place("name"),
            new_at=new.place("name"),
        )
    yield from fields_changed("table", old, new, fields.TABLE, where)
    yield from lists_changed(old, new, fields.TABLE_LISTS, where)
    yield from columns.diff(name, old, new)
