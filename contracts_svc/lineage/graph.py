"""Column-level lineage: datasets, columns, edges and the graph that they form.

Datasets are named as OpenLineage names them (namespace, name), edges are typed as its columnLineage
facet types them (https://openlineage.io/docs/spec/facets/dataset-facets/column_lineage_facet).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property


@dataclass(frozen=True, slots=True, order=True)
class DatasetId:
    """A dataset's OpenLineage name, for instance ``s3://lake`` and ``flights``."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


@dataclass(frozen=True, slots=True, order=True)
class ColumnRef:
    """A column (dotted path) of a dataset; ``column`` is None for "the dataset as a whole"."""

    dataset: DatasetId
    column: str | None

    def __str__(self) -> str:
        return f"{self.dataset.name}.{self.column}" if self.column else self.dataset.name


class EdgeKind(StrEnum):
    """DIRECT: the value comes from it. INDIRECT: it decides which rows or values there are."""

    DIRECT = "DIRECT"
    INDIRECT = "INDIRECT"

    # Enum's own is a function in Python; edges are hashed by the million.
    __hash__ = str.__hash__


class EdgeType(StrEnum):
    """OpenLineage's transformation subtypes, and UNKNOWN where a source of lineage has none."""

    IDENTITY = "IDENTITY"
    TRANSFORMATION = "TRANSFORMATION"
    AGGREGATION = "AGGREGATION"
    FILTER = "FILTER"
    JOIN = "JOIN"
    GROUP_BY = "GROUP_BY"
    SORT = "SORT"
    WINDOW = "WINDOW"
    CONDITIONAL = "CONDITIONAL"
    UNKNOWN = "UNKNOWN"

    __hash__ = str.__hash__


PROMISED = "contract:"
"""How the origin of an edge begins that is no flow of data, but a promise: a relationship of a contract."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """``target`` is made from ``source``.

    A target with column None is an effect on the whole dataset (a filter or join decides which rows
    there are). A source with column None is either a dataset of which only the rows count, no column
    (see ``rows_only``), or one of which it is not known which columns are read (``blind``); then
    ``reason`` says why. ``expression`` is the SQL that makes the target column, its source columns
    written as ``"dataset name"."column"``; with ``dialect`` it lets a type change be followed.
    """

    source: ColumnRef
    target: ColumnRef
    kind: EdgeKind
    type: EdgeType
    origin: str = ""
    """Where this is known from: ``sql:daily_delays.sql``, ``openlineage:producer``, ..."""
    seen: datetime | None = field(default=None, compare=False)
    expression: str = ""
    dialect: str = ""
    reason: str = ""

    @property
    def rows_only(self) -> bool:
        """Whether the target depends on which rows its source has, and on none of its columns: that
        is so of ``count(*)`` and of a table that is only joined for its rows."""
        if self.source.column is not None or self.type is EdgeType.UNKNOWN:
            return False
        return self.kind is EdgeKind.INDIRECT or self.target.column is not None

    @property
    def blind(self) -> bool:
        """Whether it is not known which columns of the source are read."""
        return self.source.column is None and not self.rows_only


class ConsumerKind(StrEnum):
    """What kind of reader."""

    CONTRACT = "contract"
    JOB = "job"
    DASHBOARD = "dashboard"
    SUBSCRIPTION = "subscription"
    DATA_PRODUCT = "data product"


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """Where somebody can be reached: the tool (slack, email, ...) and the address in it."""

    tool: str
    address: str
    url: str = ""
    """A link to it, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer:
    """Whoever reads data: ``dataset`` is the node of the graph that stands for it."""

    name: str
    kind: ConsumerKind
    dataset: DatasetId
    team: str = ""
    """What people call the owners: squad, else team."""
    owner: str = ""
    tribe: str = ""
    channels: tuple[Channel, ...] = ()
    contract: str = ""
    """The id of its contract, where it has one."""


@dataclass(frozen=True)
class Graph:
    """An immutable set of edges with look-ups in both directions. Cycles are allowed."""

    edges: tuple[Edge, ...] = ()

    @classmethod
    def of(cls, edges: Iterable[Edge]) -> Graph:
        """A graph of these edges, repeats dropped, order kept."""
        return cls(tuple(dict.fromkeys(edges)))

    @cached_property
    def _out(self) -> dict[ColumnRef, tuple[Edge, ...]]:
        return _index((e.source, e) for e in self.edges)

    @cached_property
    def _in(self) -> dict[ColumnRef, tuple[Edge, ...]]:
        return _index((e.target, e) for e in self.edges)

    @cached_property
    def datasets(self) -> frozenset[DatasetId]:
        """Every dataset that an edge names."""
        return frozenset(r.dataset for e in self.edges for r in (e.source, e.target))

    @cached_property
    def flowing(self) -> frozenset[DatasetId]:
        """Every dataset that data is known to flow from or to."""
        flows = (e for e in self.edges if not e.origin.startswith(PROMISED))
        return frozenset(r.dataset for e in flows for r in (e.source, e.target))

    def reads(self, ref: ColumnRef) -> tuple[Edge, ...]:
        """The edges that start at exactly this column."""
        return self._out.get(ref, ())

    def feeds(self, ref: ColumnRef) -> tuple[Edge, ...]:
        """The edges that end at exactly this column."""
        return self._in.get(ref, ())

    def readers(self, ref: ColumnRef) -> tuple[Edge, ...]:
        """The edges that an effect on this column, or (column None) on the dataset, can travel along.

        Of a column these are its own, those of the columns nested in it and of the objects around it,
        and those that do not tell which columns they read. Who reads only the rows reads no column.
        """
        if ref.column is None:
            return self.onward(ref)
        around = (e for whole in around_of(ref.column) for e in self.reads(ColumnRef(ref.dataset, whole)))
        blind = (e for e in self.reads(ColumnRef(ref.dataset, None)) if e.blind)
        return (*self.reads(ref), *self._parts.get(ref, ()), *around, *blind)

    @cached_property
    def _parts(self) -> dict[ColumnRef, tuple[Edge, ...]]:
        """The edges that start at a column nested in this one."""
        return _index(
            (ColumnRef(e.source.dataset, whole), e)
            for e in self.edges
            for whole in around_of(e.source.column or "")
        )

    def downstream(self, ref: ColumnRef) -> Iterator[tuple[Edge, ...]]:
        """Every shortest path of edges that starts at this column, nearest first; ends on cycles.

        An effect on a whole dataset (target column None) goes on through the edges of every column of
        that dataset, since each of its columns is then affected.
        """
        paths: list[tuple[Edge, ...]] = [(e,) for e in self.reads(ref)]
        reached: set[ColumnRef] = {ref}
        while paths:
            longer: list[tuple[Edge, ...]] = []
            for path in paths:
                target = path[-1].target
                if target in reached:
                    continue
                reached.add(target)
                yield path
                longer += [(*path, e) for e in self.onward(target)]
            paths = longer

    def makers(self, ref: ColumnRef) -> tuple[Edge, ...]:
        """The edges that end at this column, or at one nested in it."""
        return (*self.feeds(ref), *self._made_parts.get(ref, ()))

    @cached_property
    def _made_parts(self) -> dict[ColumnRef, tuple[Edge, ...]]:
        return _index(
            (ColumnRef(e.target.dataset, whole), e)
            for e in self.edges
            for whole in around_of(e.target.column or "")
        )

    def onward(self, ref: ColumnRef) -> tuple[Edge, ...]:
        """The edges an effect on this column (or, column None, on the dataset) travels along."""
        if ref.column is not None:
            return self.reads(ref)
        return self._by_dataset.get(ref.dataset, ())

    @cached_property
    def _by_dataset(self) -> dict[DatasetId, tuple[Edge, ...]]:
        found: defaultdict[DatasetId, list[Edge]] = defaultdict(list)
        for edge in self.edges:
            found[edge.source.dataset].append(edge)
        return {k: tuple(v) for k, v in found.items()}


def around_of(path: str) -> tuple[str, ...]:
    """The paths of the objects, arrays and maps around a nested column: ``a`` and ``a[]`` of ``a[].b``."""
    return tuple(path[:at] for at, char in enumerate(path) if at and char in ".[{")


def _index(pairs: Iterable[tuple[ColumnRef, Edge]]) -> dict[ColumnRef, tuple[Edge, ...]]:
    found: defaultdict[ColumnRef, list[Edge]] = defaultdict(list)
    for key, edge in pairs:
        found[key].append(edge)
    return {k: tuple(v) for k, v in found.items()}
