"""Gather column-level lineage: from SQL files, from what other sources say, from what people declare."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import PurePosixPath

from contracts_svc.errors import Problem
from contracts_svc.impact import consumers_of
from contracts_svc.lineage.column_names import columns_of
from contracts_svc.lineage.declared import Declaration
from contracts_svc.lineage.declared_edges import declared, relationships
from contracts_svc.lineage.graph import Consumer, ConsumerKind, DatasetId, Edge, Graph
from contracts_svc.lineage.heard import Described, Heard, Pin, Query, links
from contracts_svc.lineage.identity import Identities
from contracts_svc.lineage.queries import Followed, follow
from contracts_svc.lineage.reach import Extent
from contracts_svc.lineage.resolve import resolved, settled
from contracts_svc.lineage.sql import lineage_of
from contracts_svc.model import Contract


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """The graph, who reads at its nodes, and what could not be understood on the way."""

    graph: Graph = field(default_factory=Graph)
    consumers: tuple[Consumer, ...] = ()
    problems: tuple[Problem, ...] = ()
    pins: tuple[Pin, ...] = ()
    """Who reads which contract at which version."""
    datasets: tuple[Described, ...] = ()
    """What sources say of datasets, under the names that the graph has."""
    unmatched: tuple[DatasetId, ...] = ()
    """Datasets of the graph that no contract describes; ``identities`` knows what may have been meant."""
    identities: Identities = field(default_factory=lambda: Identities.of(()), repr=False, compare=False)
    """The names of all datasets, by contracts and by what was heard."""
    extent: Extent | None = field(default=None, repr=False, compare=False)
    """What is known of the whole, where the graph is only a part of it."""
    contracts: tuple[Contract, ...] = ()
    """Contracts of datasets of the graph that are known where the lineage comes from."""


def gather(
    contracts: Iterable[Contract],
    *,
    sql: Mapping[str, bytes],
    heard: Iterable[Heard] = (),
    declarations: Iterable[Declaration] = (),
    promised: Iterable[Contract] = (),
    dialect: str = "duckdb",
    seen: datetime | None = None,
) -> Lineage:
    """Build the lineage of these contracts' datasets.

    ``sql`` maps file names to texts; a SELECT without a target makes the table that its file is named
    after. ``heard`` is what OpenLineage events and dbt manifests say. ``promised`` are contracts whose
    relationships count as readers of what they refer to: for a pull request those of the head side, since
    a promise that it takes back is none that it breaks. All names of a dataset become one
    (see :mod:`contracts_svc.lineage.identity`). Contracts that nothing feeds are sources, not consumers;
    a dataset that is fed but has neither contract nor declared reader is kept as a job's output, so that
    nobody who reads is left out.
    """
    contracts, heard = tuple(contracts), tuple(heard)
    told = tuple(d for h in heard for d in h.datasets)
    identities = Identities.of(contracts, links(told))
    datasets = described(told, identities)
    reported, problems = _reported(sql, heard, identities, datasets, dialect, seen, told)
    by_id: defaultdict[str, list[Contract]] = defaultdict(list)
    for contract in contracts:
        by_id[contract.id].append(contract)
    said = declared(declarations, by_id, identities, seen)
    keys = relationships(promised, {c.at.file or c.id: c for c in contracts}, identities, seen)
    # Declarations are made of contracts, so they have the names of contracts already.
    edges = (*resolved(reported, identities), *said.heard.edges, *keys.edges)
    graph = Graph.of(sorted(settled(edges), key=_order))
    readers = [replace(c, dataset=identities.resolve(c.dataset)) for h in heard for c in h.consumers]
    readers += [*said.heard.consumers, *keys.consumers]
    fed = {e.target.dataset for e in graph.edges}
    # A dashboard, a subscription or a job is a reader's node, and needs no contract.
    nodes = {c.dataset for c in readers}
    return Lineage(
        graph=graph,
        consumers=consumers_in(fed, identities, readers, datasets),
        problems=tuple(dict.fromkeys((*problems, *said.heard.problems))),
        pins=said.pins,
        datasets=tuple(datasets.values()),
        unmatched=tuple(sorted(graph.datasets - nodes - identities.known.keys())),
        identities=identities,
    )


Follow = Callable[
    [Iterable[Query], Callable[[DatasetId], Mapping[str, str]], Mapping[DatasetId, Iterable[DatasetId]]],
    Followed,
]
"""As :func:`contracts_svc.lineage.queries.follow`; a service does it within bounds of time."""


def edges_of(
    heard: Iterable[Heard],
    identities: Identities,
    told: Iterable[Described] = (),
    follow: Follow = follow,
) -> tuple[tuple[Edge, ...], tuple[Problem, ...]]:
    """The edges that sources report, under the names that are known here, and what was not understood.

    For a store that takes in reports one by one: ``identities`` are of all its contracts, with the links
    of what it has heard (:func:`contracts_svc.lineage.heard.links`), ``told`` is what it has heard of the
    datasets. What it keeps is to be read through :func:`contracts_svc.lineage.resolve.settled`.
    """
    heard, told = tuple(heard), tuple(told)
    every = (*told, *(d for h in heard for d in h.datasets))
    datasets = described(every, identities)
    edges, problems = _reported({}, heard, identities, datasets, "", None, every, follow)
    return resolved(edges, identities), problems


def _reported(
    sql: Mapping[str, bytes],
    heard: Sequence[Heard],
    identities: Identities,
    datasets: Mapping[DatasetId, Described],
    dialect: str,
    seen: datetime | None,
    told: Iterable[Described],
    follow: Follow = follow,
) -> tuple[list[Edge], tuple[Problem, ...]]:
    """The edges as they are reported, and what was not understood."""
    edges: list[Edge] = []
    problems: list[Problem] = []
    schemas = identities.columns() if sql else {}
    for name, text in sql.items():
        found = lineage_of(
            text.decode("utf-8", errors="replace"),
            dialect=dialect,
            schemas=schemas,
            name_of=lambda table: identities.find(table) or DatasetId("", table),
            origin=f"sql:{name}",
            seen=seen,
            target=PurePosixPath(name).stem,
        )
        edges += found.edges
        problems += found.problems
    for each in heard:
        edges += each.edges
        problems += each.problems
    names = {d.dataset: d.names for d in told if d.names}
    queries = (q for h in heard for q in h.queries)
    followed = follow(queries, lambda d: _columns(d, identities, datasets), names)
    return [*edges, *followed.edges], (*problems, *followed.problems)


def _order(edge: Edge) -> tuple[object, ...]:
    """Paths of equal length are told in one order, however the sources are."""
    ends = ((r.dataset, r.column or "") for r in (edge.source, edge.target))
    return (*ends, edge.kind, edge.type, edge.origin, edge.expression, edge.reason)


def _columns(
    named: DatasetId, identities: Identities, datasets: Mapping[DatasetId, Described]
) -> Mapping[str, str]:
    """The columns of a dataset as stored: as its source tells them, else as its contract has them."""
    dataset = identities.resolve(named)
    said = datasets.get(dataset)
    if said is not None and said.columns:
        return {name: type_ for name, type_ in said.columns if "." not in name}
    found = identities.contract_of(dataset)
    return columns_of(found[1]) if found else {}


def consumers_in(
    fed: AbstractSet[DatasetId],
    identities: Identities,
    told: Iterable[Consumer],
    datasets: Mapping[DatasetId, Described],
) -> tuple[Consumer, ...]:
    """Who is told to read, the contracts of what is fed, and a job for whatever else is fed."""
    consumers: dict[tuple[DatasetId, ConsumerKind], Consumer] = {}
    for consumer in told:
        # A job that came to name its outputs is told by these.
        if consumer.kind is not ConsumerKind.JOB or consumer.dataset in fed:
            consumers.setdefault((consumer.dataset, consumer.kind), consumer)
    claimed = {dataset for dataset, _ in consumers}
    known = {d: ct for d in sorted(fed - claimed) if (ct := identities.contract_of(d)) is not None}
    for consumer in consumers_of(known):
        consumers[consumer.dataset, consumer.kind] = consumer
    claimed = {dataset for dataset, _ in consumers}
    for dataset in sorted(fed - claimed):
        said = datasets.get(dataset) or Described(dataset=dataset)
        consumers[dataset, ConsumerKind.JOB] = Consumer(
            name=dataset.name,
            kind=ConsumerKind.JOB,
            dataset=dataset,
            team=said.team,
            owner=said.owner,
            channels=said.channels,
        )
    return tuple(consumers.values())


def described(told: Iterable[Described], identities: Identities) -> dict[DatasetId, Described]:
    """What is said of each dataset: of several sources the last that says anything of a kind."""
    found: dict[DatasetId, Described] = {}
    # Equal times and unequal words are rare; then the greater text wins, whatever came first.
    for said in sorted(told, key=lambda d: (d.seen is not None, d.seen and d.seen.timestamp(), repr(d))):
        named = replace(said, dataset=identities.resolve(said.dataset))
        before = found.get(named.dataset)
        found[named.dataset] = _over(before, named) if before else named
    return dict(sorted(found.items()))


def _over(before: Described, after: Described) -> Described:
    return replace(
        after,
        columns=after.columns or before.columns,
        team=after.team or before.team,
        owner=after.owner or before.owner,
        channels=after.channels or before.channels,
        title=after.title or before.title,
        location=after.location or before.location,
        names=tuple(sorted({*before.names, *after.names})),
    )
