"""A part of a service's lineage as JSON, for a pre-flight that runs somewhere else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from contracts_svc.adapters.store.codec import encode, loads
from contracts_svc.errors import Problem
from contracts_svc.flows.lineage import Lineage
from contracts_svc.flows.stored_lineage import Part
from contracts_svc.lineage.graph import Consumer, DatasetId, Edge, Graph
from contracts_svc.lineage.reach import Extent
from contracts_svc.waivers import Waiver


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractText:
    """A contract of a dataset downstream."""

    id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PartDocument:
    """What a pre-flight asks a service for. ``named`` and ``fed`` are those of the datasets in question
    that lineage names, or knows a source of."""

    edges: tuple[Edge, ...] = ()
    consumers: tuple[Consumer, ...] = ()
    problems: tuple[Problem, ...] = ()
    datasets_known: int = 0
    consumers_known: int = 0
    named: tuple[DatasetId, ...] = ()
    fed: tuple[DatasetId, ...] = ()
    contracts: tuple[ContractText, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    complete: bool = True

    def lineage(self) -> Lineage:
        """The part as an assessment takes it."""
        leaving: defaultdict[DatasetId, list[Edge]] = defaultdict(list)
        for edge in self.edges:
            leaving[edge.source.dataset].append(edge)
        return Lineage(
            graph=Graph(self.edges),
            consumers=self.consumers,
            problems=(*self.problems, *(() if self.complete else (_CUT,))),
            extent=Extent(
                datasets=self.datasets_known,
                named=frozenset(self.named).__contains__,
                fed=frozenset(self.fed).__contains__,
                leaving=lambda dataset: leaving.get(dataset, ()),
                consumers=self.consumers_known,
            ),
        )


_CUT = Problem(
    None, "more is reachable than the service looks at for one question: who else reads is unknown"
)


def part_json(
    part: Part, names: Iterable[DatasetId], contracts: Mapping[str, bytes], waivers: Iterable[Waiver]
) -> dict[str, Any]:
    """A part as JSON values; ``names`` are further datasets in question."""
    lineage, extent = part.lineage, part.lineage.extent
    assert extent is not None
    asked = {*names, *lineage.graph.datasets, *(c.dataset for c in lineage.consumers)}
    document = PartDocument(
        edges=lineage.graph.edges,
        consumers=lineage.consumers,
        problems=lineage.problems,
        datasets_known=extent.datasets,
        consumers_known=extent.consumers or 0,
        named=tuple(sorted(d for d in asked if extent.named(d))),
        fed=tuple(sorted(d for d in asked if extent.fed(d))),
        contracts=tuple(
            ContractText(id=id_, text=text.decode()) for id_, text in sorted(contracts.items()) if text
        ),
        waivers=tuple(waivers),
        complete=part.complete,
    )
    found: dict[str, Any] = encode(document)
    return found


def part_of(text: str) -> PartDocument:
    """The part in a JSON text. Raises AttributeError, KeyError, TypeError, ValueError where it is none."""
    return loads(PartDocument, text)
