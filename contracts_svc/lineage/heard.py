"""What one source of lineage says, before names are joined: edges, readers, datasets, pins."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from contracts_svc.errors import Location, Problem
from contracts_svc.lineage.graph import Channel, Consumer, DatasetId, Edge


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What a source says about a dataset itself; empty where it says nothing."""

    dataset: DatasetId
    columns: tuple[tuple[str, str], ...] = ()
    """(name, type) of every column, in order; "" for a type that is not told."""
    team: str = ""
    owner: str = ""
    channels: tuple[Channel, ...] = ()
    title: str = ""
    """The first line of its documentation."""
    location: str = ""
    """Where the data source is: the dataSource facet's uri, else its name."""
    names: tuple[DatasetId, ...] = ()
    """Other names of the same dataset (symlinks)."""
    seen: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Pin:
    """A consumer reads a contract at a version."""

    contract: str
    """The contract's id."""
    version: str
    consumer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """SQL of which its source tells no columns: what it reads and writes is named, but not how.

    The names that the SQL writes are looked for among the inputs and outputs. A SELECT that stands alone
    makes the output, where there is just one.
    """

    sql: str
    dialect: str
    origin: str
    inputs: tuple[DatasetId, ...] = ()
    outputs: tuple[DatasetId, ...] = ()
    at: Location | None = field(default=None, compare=False)
    """Where it was told, for problems."""
    seen: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What one source of lineage says. ``problems`` are about single parts; the rest was read."""

    edges: tuple[Edge, ...] = ()
    consumers: tuple[Consumer, ...] = ()
    problems: tuple[Problem, ...] = ()
    inputs: tuple[DatasetId, ...] = ()
    """Every dataset that is named as an input."""
    outputs: tuple[DatasetId, ...] = ()
    datasets: tuple[Described, ...] = ()
    queries: tuple[Query, ...] = ()
    """SQL that is still to be followed, each after those that it builds on."""


def links(heard: Iterable[Described]) -> Mapping[DatasetId, tuple[DatasetId, ...]]:
    """Dataset -> its other names, by all that was heard, for
    :meth:`contracts_svc.lineage.identity.Identities.of`."""
    found: defaultdict[DatasetId, set[DatasetId]] = defaultdict(set)
    for described in heard:
        found[described.dataset].update(described.names)
    return {dataset: tuple(sorted(names)) for dataset, names in sorted(found.items())}
