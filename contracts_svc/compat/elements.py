"""What changed between two versions of one element: its fields, and the entries of its lists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from contracts_svc.compat import fields
from contracts_svc.compat.fields import Listed, canonical, content, differing, keys_of, labels, pairs
from contracts_svc.compat.sameness import same
from contracts_svc.errors import Location
from contracts_svc.findings import Change, ChangeKind
from contracts_svc.model import Column, Element, Json


def fields_changed(
    element: str, old: Element, new: Element, names: Mapping[str, str], where: Mapping[str, str]
) -> Iterator[Change]:
    """CHANGED for every field of an element that differs."""
    for attribute, odcs_field in names.items():
        before, after = getattr(old, attribute), getattr(new, attribute)
        if before is not after and not same(before, after):
            yield _field(element, odcs_field, before, after, old, new, where)
    if isinstance(old, Column) and isinstance(new, Column):
        for key, one, other in differing(old.logical_type_options, new.logical_type_options):
            yield _field(element, fields.OPTION + key, one, other, old, new, where)
    for key, one, other in differing(old.extra, new.extra):
        if element == "contract" and key == "price":
            yield _price(one, other, old, new)
        else:
            yield _field(element, fields.extra_field(key, names), one, other, old, new, where)


def _field(
    element: str,
    odcs_field: str,
    before: Json,
    after: Json,
    old: Element,
    new: Element,
    where: Mapping[str, str],
) -> Change:
    key = odcs_field.split(".")[0]
    return Change(
        kind=ChangeKind.CHANGED,
        element=element,
        field=odcs_field,
        old=canonical(before),
        new=canonical(after),
        old_at=old.places.get(odcs_field) or old.place(key),
        new_at=new.places.get(odcs_field) or new.place(key),
        **where,
    )


def _price(before: Json, after: Json, old: Element, new: Element) -> Change:
    return Change(
        kind=kind_of(before, after),
        element="price",
        old=canonical(before),
        new=canonical(after),
        old_at=old.place("price"),
        new_at=new.place("price"),
    )


def kind_of(before: Json, after: Json) -> ChangeKind:
    """ADDED when there was nothing before, REMOVED when there is nothing after."""
    if before is None:
        return ChangeKind.ADDED
    return ChangeKind.REMOVED if after is None else ChangeKind.CHANGED


def lists_changed(
    old: Element, new: Element, lists: Sequence[Listed], where: Mapping[str, str]
) -> Iterator[Change]:
    """What changed in each of these lists of an element."""
    for listed in lists:
        yield from list_changed(old, new, listed, where)


def list_changed(old: Element, new: Element, listed: Listed, where: Mapping[str, str]) -> Iterator[Change]:
    """REMOVED, CHANGED and ADDED entries of a list, and its order."""
    olds, news = getattr(old, listed.attribute), getattr(new, listed.attribute)
    if same(olds, news):
        return
    found = pairs(olds, news, (content, *listed.keys))

    def change(kind: ChangeKind, key: str, i: int | None, j: int | None) -> Change:
        return Change(
            kind=kind,
            element=listed.element,
            key=key,
            old=None if i is None else canonical(olds[i]),
            new=None if j is None else canonical(news[j]),
            old_at=None if i is None else _place(old, listed, i),
            new_at=_place(new, listed, j),
            **where,
        )

    for i, key in enumerate(keys_of(listed, olds)):
        if i not in found:
            yield change(ChangeKind.REMOVED, key, i, None)
        elif not same(olds[i], news[found[i]]):
            yield change(ChangeKind.CHANGED, key, i, found[i])
    added = [j for j in range(len(news)) if j not in found.values()]
    names_now = keys_of(listed, news)
    for j in added:
        yield change(ChangeKind.ADDED, names_now[j], None, j)
    reached = [found[i] for i in sorted(found)] + added
    if reached != sorted(reached):
        names = labels(listed.label(news[j]) for j in reached)
        wanted = tuple(name for _, name in sorted(zip(reached, names, strict=True)))
        yield Change(
            kind=ChangeKind.CHANGED,
            element=listed.element,
            key="",
            field=fields.ORDER,
            old=tuple(names),
            new=wanted,
            old_at=_place(old, listed, None),
            new_at=_place(new, listed, None),
            **where,
        )


def _place(element: Element, listed: Listed, index: int | None) -> Location:
    """Where an entry of a list is written, or the list where it is not there any more."""
    field = listed.odcs_field
    if index is None:
        return element.place(field)
    # Roles are bare mappings, of which the contract knows the places.
    at: Location | None = getattr(getattr(element, listed.attribute)[index], "at", None)
    return at or element.places.get(f"{field}.{index}") or element.place(field)
