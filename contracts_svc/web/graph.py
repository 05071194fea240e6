"""What the drawing of a dataset's lineage shows of it: datasets, near ones first, a few of each distance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

from markupsafe import Markup

from contracts_svc import links
from contracts_svc.flows.stored_lineage import StoredLineage
from contracts_svc.lineage.graph import ColumnRef, Consumer, DatasetId, Edge
from contracts_svc.lineage.resolve import DECLARED
from contracts_svc.web.drawing import Node, flow

_FAR, _HIGH = 3, 6
"""How many steps each way, and how many datasets of each, are drawn."""


def around(
    lineage: StoredLineage, dataset: DatasetId, tenant: str, column: str | None = None
) -> Markup | None:
    """The drawing of where a dataset (or a column of it) comes from and goes to; None: nothing is known."""
    ref = ColumnRef(dataset, column)
    part = lineage.part([ref], tenant=tenant, names=[dataset]).lineage
    up = lineage.upstream(ref, tenant).lineage.graph.edges
    down = [*lineage.downstream(ref, tenant).lineage.graph.edges, *_declared(part.graph.edges)]
    if not up and not down:
        return None
    shown = _Shown(dataset, {c.dataset: c for c in part.consumers})
    shown.add(up, -1)
    shown.add(down, 1)
    return shown.drawn(f"Where {dataset.name} comes from, and who reads it")


def _declared(edges: Iterable[Edge]) -> list[Edge]:
    """What no tool reports and people say: subscriptions and data products."""
    return [e for e in edges if e.origin.startswith(DECLARED)]


class _Shown:
    def __init__(self, dataset: DatasetId, consumers: dict[DatasetId, Consumer]) -> None:
        self._consumers = consumers
        self._nodes: dict[DatasetId, Node] = {dataset: self._node(dataset, 0)}
        self._more: list[Node] = []
        self._edges: dict[tuple[str, str], None] = {}
        self._start = dataset

    def add(self, edges: Iterable[Edge], way: int) -> None:
        """Take what is reached one way, step by step."""
        near: Callable[[Edge], DatasetId] = (
            (lambda e: e.source.dataset) if way > 0 else (lambda e: e.target.dataset)
        )
        far: Callable[[Edge], DatasetId] = (
            (lambda e: e.target.dataset) if way > 0 else (lambda e: e.source.dataset)
        )
        onward: defaultdict[DatasetId, dict[DatasetId, None]] = defaultdict(dict)
        for edge in edges:
            onward[near(edge)][far(edge)] = None
        layer = {self._start: None}
        for step in range(1, _FAR + 1):
            reached = {d: n for n in layer for d in onward[n] if d != n}
            new = [d for d in sorted(reached) if d not in self._nodes]
            for dataset in new[:_HIGH]:
                self._nodes[dataset] = self._node(dataset, way * step)
            for n in layer:
                for d in onward[n]:
                    if d in self._nodes and d != n:
                        self._edges[(str(n), str(d)) if way > 0 else (str(d), str(n))] = None
            if len(new) > _HIGH:
                key = f"more {way * step}"
                self._more.append(
                    Node(key=key, name=f"and {len(new) - _HIGH:,} more", layer=way * step, kind="more")
                )
            layer = dict.fromkeys(new[:_HIGH])

    def drawn(self, said: str) -> Markup:
        """The drawing."""
        return flow([*self._nodes.values(), *self._more], list(self._edges), said)

    def _node(self, dataset: DatasetId, layer: int) -> Node:
        consumer = self._consumers.get(dataset)
        kind = consumer.kind.value if consumer else "dataset"
        name = consumer.name if consumer else dataset.name
        return Node(
            key=str(dataset),
            name=name,
            layer=layer,
            href=links.lineage(str(dataset)),
            kind=f"{kind} here" if layer == 0 else kind,
        )
