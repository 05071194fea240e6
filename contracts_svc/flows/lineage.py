"""Gather column-level lineage from texts: SQL files and OpenLineage events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath

from contracts_svc.errors import Problem
from contracts_svc.impact import consumers_of
from contracts_svc.lineage.graph import Consumer, ConsumerKind, DatasetId, Edge, Graph
from contracts_svc.lineage.identity import Identities
from contracts_svc.lineage.sql import lineage_of
from contracts_svc.model import Contract


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """What lineage events say. ``problems`` are about single lines or facets; the rest was read."""

    edges: tuple[Edge, ...] = ()
    consumers: tuple[Consumer, ...] = ()
    problems: tuple[Problem, ...] = ()
    inputs: tuple[DatasetId, ...] = ()
    """Every dataset that an event names as an input."""
    outputs: tuple[DatasetId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """The graph, who reads at its nodes, and what could not be understood on the way."""

    graph: Graph = field(default_factory=Graph)
    consumers: tuple[Consumer, ...] = ()
    problems: tuple[Problem, ...] = ()


EventReader = Callable[[Iterable[bytes], str], Events]
"""Lines and the name of the file -> what they say."""


def gather(
    contracts: Iterable[Contract],
    *,
    sql: Mapping[str, bytes],
    events: Mapping[str, bytes],
    read_events: EventReader,
    dialect: str = "duckdb",
    seen: datetime | None = None,
) -> Lineage:
    """Build the lineage of these contracts' datasets.

    ``sql`` and ``events`` map file names to texts. A SELECT without a target makes the table that its
    file is named after. Contracts that nothing feeds are sources, not consumers; a dataset that is
    fed but has neither contract nor declared reader is kept as a job's output, so that nobody who
    reads is left out.
    """
    contracts = tuple(contracts)
    identities = Identities.of(contracts)
    edges: list[Edge] = []
    problems: list[Problem] = []
    consumers: dict[DatasetId, Consumer] = {}
    for name, text in sql.items():
        found = lineage_of(
            text.decode("utf-8", errors="replace"),
            dialect=dialect,
            schemas=identities.columns(),
            name_of=lambda table: identities.find(table) or DatasetId("", table),
            origin=f"sql:{name}",
            seen=seen,
            target=PurePosixPath(name).stem,
        )
        edges += found.edges
        problems += found.problems
    for name, text in events.items():
        heard = read_events(text.splitlines(), f"openlineage:{name}")
        edges += heard.edges
        problems += heard.problems
        consumers.update({c.dataset: c for c in heard.consumers})
    graph = Graph.of(edges)
    fed = {e.target.dataset for e in graph.edges}
    for consumer in consumers_of({d: ct for d, ct in identities.known.items() if d in fed}):
        consumers.setdefault(consumer.dataset, consumer)
    for dataset in sorted(fed - consumers.keys()):
        consumers[dataset] = Consumer(name=dataset.name, kind=ConsumerKind.JOB, dataset=dataset)
    return Lineage(graph=graph, consumers=tuple(consumers.values()), problems=tuple(problems))
