"""What changed between two versions of one element: its fields, and the entries of its lists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from contracts_svc.compat import fields
from contracts_svc.compat.fields import Listed, canonical, content, differing, keys_of, labels, pairs
from contracts_svc.compat.sameness import same
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
    places = (old.place(listed.odcs_field), new.place(listed.odcs_field))

    def change(kind: ChangeKind, key: str, before: Any, after: Any, field: str | None = None) -> Change:
        return Change(
            kind=kind,
            element=listed.element,
            key=key,
            field=field,
            old=canonical(before),
            new=canonical(after),
            old_at=None if before is None else getattr(before, "at", places[0]),
            new_at=getattr(after, "at", places[1]),
            **where,
        )

    for i, key in enumerate(keys_of(listed, olds)):
        if i not in found:
            yield change(ChangeKind.REMOVED, key, olds[i], None)
        elif not same(olds[i], news[found[i]]):
            yield change(ChangeKind.CHANGED, key, olds[i], news[found[i]])
    added = [j for j in range(len(news)) if j not in found.values()]
    names_now = keys_of(listed, news)
    for j in added:
        yield change(ChangeKind.ADDED, names_now[j], None, news[j])
    reached = [found[i] for i in sorted(found)] + added
    if reached != sorted(reached):
        names = labels(listed.label(news[j]) for j in reached)
        wanted = tuple(name for _, name in sorted(zip(reached, names, strict=True)))
        yield change(ChangeKind.CHANGED, "", tuple(names), wanted, fields.ORDER)
