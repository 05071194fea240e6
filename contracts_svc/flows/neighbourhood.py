"""Which tables' incidents can have to do with a run: its own, and those that lineage joins with it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from contracts_svc.alerts import Incident
from contracts_svc.lineage.graph import DatasetId, Graph
from contracts_svc.model import Contract
from contracts_svc.ports_store import IncidentStore
from contracts_svc.routing import DatasetOf

Place = tuple[str, str]
"""A contract's id and a table's name."""


def around(
    place: Place, contracts: Mapping[str, Contract], dataset_of: DatasetOf, graph: Graph
) -> frozenset[Place]:
    """The table itself, what is made of it, and all that any of these is made of.

    No incident elsewhere can explain one here or be explained by one: whatever explains something is
    upstream of it.
    """
    near = datasets_near(dataset_of(*place), graph)
    found = {place}
    for contract in contracts.values():
        for table in contract.tables:
            if dataset_of(contract.id, table.name) in near:
                found.add((contract.id, table.name))
    return frozenset(found)


def datasets_near(start: DatasetId, graph: Graph) -> set[DatasetId]:
    """A dataset, those that are made of it, and all that any of these is made of."""
    onward, back = _neighbours(graph)
    return _closure(_closure({start}, onward), back)


def known_incidents(
    store: IncidentStore, places: Collection[Place], resolved_since: datetime
) -> dict[str, Incident]:
    """What is open of these tables or was lately, with the causes that lineage does not join any more."""
    found = {i.fingerprint: i for i in store.table_incidents(places, resolved_since)}
    missing = {i.cause for i in found.values() if i.cause} - found.keys()
    if missing:
        found |= {i.fingerprint: i for i in store.named_incidents(missing)}
    return found


_Near = Mapping[DatasetId, Collection[DatasetId]]


def _neighbours(graph: Graph) -> tuple[_Near, _Near]:
    onward: defaultdict[DatasetId, set[DatasetId]] = defaultdict(set)
    back: defaultdict[DatasetId, set[DatasetId]] = defaultdict(set)
    for edge in graph.edges:
        onward[edge.source.dataset].add(edge.target.dataset)
        back[edge.target.dataset].add(edge.source.dataset)
    return onward, back


def _closure(starts: Iterable[DatasetId], near: _Near) -> set[DatasetId]:
    found = set(starts)
    todo = list(found)
    while todo:
        new = [d for d in near.get(todo.pop(), ()) if d not in found]
        found.update(new)
        todo += new
    return found
