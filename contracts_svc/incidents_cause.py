"""Root causes: of incidents that one explains, people hear once, about the one.

An open incident is explained by another when that one's failing columns reach its own, through lineage.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from contracts_svc.alerts import Incident, IncidentState
from contracts_svc.incidents import COULD_NOT_CHECK
from contracts_svc.lineage.graph import ColumnRef, DatasetId, Graph
from contracts_svc.routing_reach import reached_from, related

Place = tuple[DatasetId, tuple[str, ...]]
"""Dataset, and the failing columns as the data names them; none: the table as a whole."""
PlaceOf = Callable[[Incident], Place]


def causes(incidents: Sequence[Incident], place_of: PlaceOf, graph: Graph) -> Mapping[str, str]:
    """Fingerprint of an incident -> fingerprint of the one that explains it and is itself explained by none.

    Of incidents that explain each other (lineage may go round) the one that was opened first is the
    cause; so it is where several explain one. What could not be checked explains nothing.
    """
    open_now = sorted(
        (i for i in incidents if i.state in (IncidentState.OPEN, IncidentState.ACKNOWLEDGED)),
        key=lambda i: (i.opened, i.fingerprint),
    )
    able = [i for i in open_now if i.check != COULD_NOT_CHECK]
    places = {i.fingerprint: place_of(i) for i in able}
    rank = {i.fingerprint: n for n, i in enumerate(able)}
    explains = _explained(able, places, graph)
    explained_by: dict[str, list[str]] = {name: [] for name in rank}
    for name in rank:
        for other in explains[name]:
            if name not in explains[other] or rank[name] < rank[other]:
                explained_by[other].append(name)
    found: dict[str, str] = {}
    for name, explainers in explained_by.items():
        root = next((e for e in explainers if not explained_by[e]), None)
        if root is not None:
            found[name] = root
    return found


def grouped(incidents: Sequence[Incident], found: Mapping[str, str]) -> tuple[Incident, ...]:
    """The incidents with their cause. One that has lost it keeps it until its own next run (see ``step``)."""
    names = {i.fingerprint for i in incidents}
    return tuple(
        replace(i, cause=found[i.fingerprint]) if found.get(i.fingerprint) in names else i for i in incidents
    )


def _explained(
    incidents: Sequence[Incident], places: Mapping[str, Place], graph: Graph
) -> Mapping[str, frozenset[str]]:
    """Fingerprint -> those of the incidents that its wrong values reach, in other datasets."""
    by_dataset: defaultdict[DatasetId, list[str]] = defaultdict(list)
    for name, (dataset, _) in places.items():
        by_dataset[dataset].append(name)
    found: dict[Place, frozenset[str]] = {}
    for place in places.values():
        if place not in found:
            reached = _reached(place, graph)
            found[place] = frozenset(
                name
                for dataset, columns in reached.items()
                if dataset != place[0]
                for name in by_dataset.get(dataset, ())
                if _touches(places[name][1], columns)
            )
    return {i.fingerprint: found[places[i.fingerprint]] for i in incidents}


def _reached(place: Place, graph: Graph) -> Mapping[DatasetId, set[str | None]]:
    dataset, columns = place
    reached: defaultdict[DatasetId, set[str | None]] = defaultdict(set)
    for column in columns or (None,):
        for ref in reached_from(ColumnRef(dataset, column), graph):
            reached[ref.dataset].add(ref.column)
    return reached


def _touches(columns: Sequence[str], reached: set[str | None]) -> bool:
    """Whether one of these columns is reached; a table as a whole is when its rows are, or all may be."""
    if None in reached:
        return True
    return any(related(column, found) for column in columns for found in reached if found is not None)
