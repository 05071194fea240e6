"""How much of the downstream is known: a part of every answer about impact."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

from contracts_svc.lineage.age import Age, Ages
from contracts_svc.lineage.graph import Consumer, ConsumerKind, DatasetId, Edge
from contracts_svc.lineage.reach import Extent


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Unseen:
    """Lineage that has not been reported for long: ``reader`` reads ``source``, as last ``seen``."""

    reader: str
    source: str
    seen: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How much of the downstream of these changes is known.

    ``unknown`` says in sentences what is not; the other fields are the same in parts, for counting.
    """

    datasets_known: int = 0
    """Datasets that the lineage names."""
    consumers: int = 0
    """Consumers that the lineage names."""
    readers: int = 0
    """Datasets that read what changed, directly or further down, whichever columns."""
    columns_unknown: tuple[str, ...] = ()
    """Readers of which it is not known which columns they read."""
    quiet: tuple[Unseen, ...] = ()
    """Not reported for longer than the policy takes for granted. Still counts as evidence."""
    stale: tuple[Unseen, ...] = ()
    """Not reported for so long that it proves nothing any more. Shown, never dropped."""
    unresolved: tuple[str, ...] = ()
    """What of the lineage's sources could not be understood: statements, events."""
    unknown: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """One sentence with the figures."""
        known = self.readers - len(self.columns_unknown)
        parts = [f"{self.datasets_known} datasets and {self.consumers} consumers in the lineage"]
        if self.readers:
            parts.append(f"columns known of {known} of {self.readers} readers of what changed")
        counts = (
            (len(self.quiet), "not seen for long"),
            (len(self.stale), "stale"),
            (len(self.unresolved), "not understood"),
        )
        parts += [f"{number} {what}" for number, what in counts if number]
        return ", ".join(parts)


def coverage_of(
    whole: Extent,
    changed: AbstractSet[DatasetId],
    edges: Sequence[Edge],
    leaving: Sequence[Edge],
    consumers: Sequence[Consumer],
    unclaimed: Iterable[str],
    ages: Ages | None,
) -> Coverage:
    """What is known downstream of what changed in the datasets ``changed``.

    ``edges`` are those that an effect may travel along, ``leaving`` all that leave the datasets on its way.

    ``unclaimed`` names affected readers without an owner. Without ``ages`` no lineage is old.
    """
    readers = {e.target.dataset for e in leaving} - changed
    blind = {e.target.dataset.name for e in leaving if e.blind}
    old = _unseen(leaving, ages)
    return Coverage(
        datasets_known=whole.datasets,
        consumers=len(consumers) if whole.consumers is None else whole.consumers,
        readers=len(readers),
        columns_unknown=tuple(sorted(blind)),
        quiet=tuple(sorted(old[Age.QUIET])),
        stale=tuple(sorted(old[Age.STALE])),
        unknown=_sentences(whole, changed, edges, consumers, unclaimed, ages),
    )


def _unseen(edges: Iterable[Edge], ages: Ages | None) -> dict[Age, list[Unseen]]:
    """Per age, each pair of datasets once, by the last time that any edge of it was seen."""
    latest: dict[tuple[DatasetId, DatasetId], Edge] = {}
    for edge in edges:
        pair = edge.target.dataset, edge.source.dataset
        other = latest.get(pair)
        if other is None or (other.seen and (edge.seen is None or edge.seen > other.seen)):
            latest[pair] = edge
    found: dict[Age, list[Unseen]] = {age: [] for age in Age}
    for (reader, source), edge in latest.items():
        if ages and edge.seen:
            found[ages.of(edge)].append(Unseen(reader=reader.name, source=source.name, seen=edge.seen))
    return found


def _sentences(
    whole: Extent,
    changed: AbstractSet[DatasetId],
    edges: Iterable[Edge],
    consumers: Sequence[Consumer],
    unclaimed: Iterable[str],
    ages: Ages | None,
) -> tuple[str, ...]:
    said: list[str] = []
    for dataset in sorted(d for d in changed if not whole.named(d)):
        said.append(f"no lineage names {dataset.name}: who reads it is not known")
    for edge in edges:
        reads = f"{edge.target.dataset.name} reads {edge.source.dataset.name}"
        if edge.blind:
            said.append(f"{reads}, but which columns is not known: {edge.reason or 'no reason given'}")
        age = ages.of(edge) if ages else Age.FRESH
        if edge.seen and age is not Age.FRESH:
            so = "it may have ended" if age is Age.QUIET else "it is stale and proves nothing"
            said.append(f"{reads}: last seen on {edge.seen:%Y-%m-%d}, so {so}")
    for consumer in consumers:
        if consumer.kind is not ConsumerKind.CONTRACT and not whole.fed(consumer.dataset):
            said.append(f"what the {consumer.kind} {consumer.name} reads is not known")
    said += [f"nobody is known to own {name}" for name in sorted(set(unclaimed))]
    return tuple(dict.fromkeys(said))
