"""Other names of datasets, as lineage tells them, in groups that are one dataset each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from contracts_svc.lineage.claims import last_part
from contracts_svc.lineage.graph import DatasetId
from contracts_svc.lineage.names import normal


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

    @classmethod
    def of(cls, also: Mapping[DatasetId, Iterable[DatasetId]]) -> Links:
        """Of datasets with their other names. Which one is chosen does not depend on the order in which
        links are told: the first of those that are no mere link."""
        groups: dict[DatasetId, Group] = {}
        for group in _groups(also):
            groups |= dict.fromkeys(group.members, group)
        names: defaultdict[str, list[DatasetId]] = defaultdict(list)
        ends: defaultdict[str, list[DatasetId]] = defaultdict(list)
        for place in groups:
            ends[last_part(place)].append(place)
            for name in {place.name.lower(), str(place).lower()}:
                names[name].append(place)
        return cls(groups, {k: tuple(v) for k, v in names.items()}, {k: tuple(v) for k, v in ends.items()})


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
