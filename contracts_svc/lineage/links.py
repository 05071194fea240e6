"""Other names of datasets, as lineage tells them, in groups that are one dataset each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from contracts_svc.lineage.claims import last_part
from contracts_svc.lineage.graph import DatasetId
from contracts_svc.lineage.names import normal
from contracts_svc.lineage.near import Near, near_to

_DEEPEST = 100
"""Folders around a name in which it is looked for."""


@dataclass(frozen=True, slots=True)
class Group:
    """Names, in the normal form, of one dataset."""

    members: tuple[DatasetId, ...]
    chosen: DatasetId
    """The one that it has where no contract names it."""


@dataclass(frozen=True, slots=True)
class Links:
    """The groups by their members, and the members by what they are looked for."""

    groups: Mapping[DatasetId, Group]
    by_name: Mapping[str, tuple[DatasetId, ...]]
    by_end: Mapping[str, tuple[DatasetId, ...]]
    by_folder: Mapping[str, tuple[DatasetId, ...]]
    """By its place and the folders around it, as :class:`contracts_svc.lineage.near.Near` has them."""

    @classmethod
    def of(cls, also: Mapping[DatasetId, Iterable[DatasetId]]) -> Links:
        """Of datasets with their other names. Which one is chosen does not depend on the order in which
        links are told: the first of those that are no mere link."""
        groups: dict[DatasetId, Group] = {}
        for group in _groups(also):
            groups |= dict.fromkeys(group.members, group)
        names: defaultdict[str, list[DatasetId]] = defaultdict(list)
        ends: defaultdict[str, list[DatasetId]] = defaultdict(list)
        folders: defaultdict[str, list[DatasetId]] = defaultdict(list)
        for place in groups:
            folder = str(place).lower()
            for _ in range(_DEEPEST):
                folders[folder].append(place)
                folder = folder.rpartition("/")[0]
                if not folder:
                    break
            ends[last_part(place)].append(place)
            for name in {place.name.lower(), str(place).lower()}:
                names[name].append(place)
        return cls(groups, _fixed(names), _fixed(ends), _fixed(folders))

    def near(self, changed: Near) -> Near:
        """What may mean something else where what is near there does: the same, and all that is joined with
        what is there."""
        there = {m for end in changed.ends for m in self.by_end.get(end, ())}
        there |= {m for place in changed.places for m in self.by_folder.get(place, ())}
        for member in {m for each in there for m in self.groups[each].members}:
            changed |= near_to([member.name, str(member), last_part(member)], [member])
        return changed


def _fixed(found: Mapping[str, list[DatasetId]]) -> dict[str, tuple[DatasetId, ...]]:
    return {key: tuple(several) for key, several in found.items()}


def _groups(also: Mapping[DatasetId, Iterable[DatasetId]]) -> list[Group]:
    parent: dict[DatasetId, DatasetId] = {}

    def root(name: DatasetId) -> DatasetId:
        while parent.setdefault(name, name) != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    links: set[DatasetId] = set()
    for dataset, others in also.items():
        for other in others:
            links.add(normal(other))
            parent[root(normal(other))] = root(normal(dataset))
        root(normal(dataset))
    found: defaultdict[DatasetId, list[DatasetId]] = defaultdict(list)
    for name in parent:
        found[root(name)].append(name)
    return [Group(tuple(m), min(m, key=lambda name: (name in links, name))) for m in found.values()]
