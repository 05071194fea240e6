"""Who breaks: what each finding means to each consumer, proven by a path of lineage edges.

Nothing here decides by the table alone: a change of a column reaches those that read this column,
directly or through others, and ends where a step absorbs it. What the lineage does not know is
UNKNOWN, and is never taken for safe.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from contracts_svc.findings import Change, Finding
from contracts_svc.impact_coverage import Coverage, coverage_of
from contracts_svc.impact_effects import Effect, changed_columns, effect_of
from contracts_svc.impact_judge import judge
from contracts_svc.impact_sla import tables_of
from contracts_svc.impact_walk import Hit, Level, ResultType, Stop, Walk, World, walk
from contracts_svc.lineage.age import Ages
from contracts_svc.lineage.graph import (
    Channel,
    ColumnRef,
    Consumer,
    ConsumerKind,
    DatasetId,
    Edge,
    Graph,
)
from contracts_svc.lineage.reach import Extent
from contracts_svc.lineage.sql_types import result_type
from contracts_svc.model import Contract, SlaProperty, Table

__all__ = [
    "Absorbed",
    "Assessment",
    "Coverage",
    "Impact",
    "Level",
    "ResultType",
    "assess",
    "by_level",
    "consumers_of",
    "starts_of",
]

DatasetOf = Callable[[str, str], DatasetId]
"""(contract id, table name) -> the dataset in the graph."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """What one finding means to one consumer.

    ``columns`` are the consumer's own columns that are reached; empty: the dataset as a whole.
    ``path`` is the shortest that leads to the worst of it; with one edge the consumer reads what
    changed itself, with more it is a knock-on. ``reason`` is one sentence.
    """

    finding: Finding
    consumer: Consumer
    level: Level
    columns: tuple[str, ...]
    path: tuple[Edge, ...]
    reason: str

    @property
    def direct(self) -> bool:
        """Whether the consumer itself reads what changed."""
        return len(self.path) == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Absorbed:
    """A step where the effect of a finding ended, and why it did."""

    finding: Finding
    at: ColumnRef
    path: tuple[Edge, ...]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """All that is known of what a set of findings means downstream.

    ``unread`` are findings that take something away which nobody reads, as far as the lineage knows.
    """

    impacts: tuple[Impact, ...] = ()
    absorbed: tuple[Absorbed, ...] = ()
    unread: tuple[Finding, ...] = ()
    coverage: Coverage = field(default_factory=Coverage)


def consumers_of(
    contracts_by_dataset: Mapping[DatasetId, tuple[Contract, Table]],
) -> tuple[Consumer, ...]:
    """A Consumer for every table that has a contract, in the order given."""
    return tuple(
        Consumer(
            name=table.name,
            kind=ConsumerKind.CONTRACT,
            dataset=dataset,
            team=_team(contract),
            owner=(contract.team.owner if contract.team else None) or "",
            tribe=(contract.team.custom_value("tribe") if contract.team else None) or "",
            channels=channels_of(contract),
            contract=contract.id,
        )
        for dataset, (contract, table) in contracts_by_dataset.items()
    )


ALERT_SCOPES = ("issues", "notifications")
"""ODCS ``support`` scopes in the order in which alerts go to them; else to the first entry."""


def channels_of(contract: Contract) -> tuple[Channel, ...]:
    """Where a contract's team is reached, the place for alerts first."""

    def order(scope: str | None) -> int:
        name = (scope or "").lower()
        return ALERT_SCOPES.index(name) if name in ALERT_SCOPES else len(ALERT_SCOPES)

    entries = sorted(contract.support, key=lambda s: order(s.scope))
    return tuple(Channel(tool=s.tool or "", address=s.channel, url=s.url or "") for s in entries)


def _team(contract: Contract) -> str:
    team = contract.team
    return (team.custom_value("squad") or team.name or "") if team else ""


def assess(
    findings: Sequence[Finding],
    *,
    dataset_of: DatasetOf,
    graph: Graph,
    consumers: Sequence[Consumer],
    promises: Mapping[DatasetId, tuple[Contract, Table]],
    result_type: ResultType = result_type,
    ages: Ages | None = None,
    extent: Extent | None = None,
) -> Assessment:
    """Judge every finding against everybody downstream of it.

    ``promises`` are the contracts as they will be: a consumer that the same pull request changes is
    judged by its new promises. ``result_type`` gives the type of an edge's expression. With
    ``ages``, lineage that was not seen for long is named in the coverage; it still counts as
    evidence (see :func:`contracts_svc.impact_age.assess_by_age`). ``graph`` may be only the part that
    is reachable from :func:`starts_of` these findings (see :mod:`contracts_svc.lineage.reach`), then
    ``extent`` tells what is known of the whole.
    """
    world = World(graph, promises, result_type)
    by_dataset: defaultdict[DatasetId, list[Consumer]] = defaultdict(list)
    for consumer in consumers:
        by_dataset[consumer.dataset].append(consumer)
    impacts: list[Impact] = []
    absorbed: list[Absorbed] = []
    unread: list[Finding] = []
    walked: dict[Edge, None] = {}
    changed: set[DatasetId] = set()
    for finding in findings:
        starts = _starts(finding, world, dataset_of)
        for start in starts:
            changed.add(start.dataset)
            found = walk(world, start.refs, start.effect, judge)
            walked.update(found.walked)
            impacts += _impacts(finding, found.hits, start.dataset, by_dataset)
            absorbed += _absorbed(finding, found)
        if starts and not any(graph.readers(r) for s in starts for r in s.refs):
            unread.append(finding)
    merged = _merged(impacts)
    whole = extent or Extent.of(graph)
    touched = changed | {e.target.dataset for e in walked}
    leaving = [e for dataset in sorted(touched) for e in whole.leaving(dataset)]
    unclaimed = {i.consumer.name for i in merged if not (i.consumer.team or i.consumer.contract)}
    return Assessment(
        impacts=merged,
        absorbed=tuple(absorbed),
        unread=tuple(unread),
        coverage=coverage_of(whole, changed, tuple(walked), leaving, consumers, unclaimed, ages),
    )


def starts_of(
    findings: Iterable[Finding],
    *,
    dataset_of: DatasetOf,
    promises: Mapping[DatasetId, tuple[Contract, Table]],
) -> tuple[ColumnRef, ...]:
    """The columns (or, column None, datasets) from which these findings have an effect on readers."""
    world = World(Graph(), promises, result_type)
    found = (r for f in findings for s in _starts(f, world, dataset_of) for r in s.refs)
    return tuple(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class _Start:
    """Where an effect begins."""

    dataset: DatasetId
    effect: Effect
    refs: tuple[ColumnRef, ...]


def _starts(finding: Finding, world: World, dataset_of: DatasetOf) -> list[_Start]:
    change = finding.change
    if change is None:
        return []
    tables = [change.table] if change.table else _tables(finding, change, world)
    starts = []
    for name in tables:
        dataset = dataset_of(finding.contract, name)
        promised = world.promises.get(dataset)
        table = promised[1] if promised else None
        effect = effect_of(finding, table)
        if effect is None:
            continue
        columns = changed_columns(change, table)
        refs = tuple(ColumnRef(dataset, c) for c in columns) or (ColumnRef(dataset, None),)
        starts.append(_Start(dataset, effect, refs))
    return starts


def _tables(finding: Finding, change: Change, world: World) -> list[str]:
    """The tables that a change outside of them concerns: those an SLA property names, else all."""
    every = [t.name for c, t in world.promises.values() if c.id == finding.contract]
    sla = change.old if isinstance(change.old, SlaProperty) else None
    named = tables_of(sla)
    return [name for name in every if name in named] or every


def _impacts(
    finding: Finding,
    hits: Sequence[Hit],
    origin: DatasetId,
    by_dataset: Mapping[DatasetId, Sequence[Consumer]],
) -> list[Impact]:
    """An Impact per dataset that was hit and consumer there; the producer is none of its own."""
    reached: defaultdict[DatasetId, list[Hit]] = defaultdict(list)
    for hit in hits:
        if hit.at.dataset != origin:
            reached[hit.at.dataset].append(hit)
    impacts = []
    for dataset, there in reached.items():
        worst = min(there, key=lambda h: (h.level.rank, len(h.path), h.at.column is None))
        columns = dict.fromkeys(h.at.column for h in there if h.at.column)
        for consumer in by_dataset.get(dataset) or [_unclaimed(dataset)]:
            impacts.append(
                Impact(
                    finding=finding,
                    consumer=consumer,
                    level=worst.level,
                    columns=tuple(columns),
                    path=worst.path,
                    reason=worst.reason,
                )
            )
    return impacts


def _unclaimed(dataset: DatasetId) -> Consumer:
    """Stands for a reader that the lineage knows and nobody has claimed."""
    return Consumer(name=dataset.name, kind=ConsumerKind.JOB, dataset=dataset)


def _absorbed(finding: Finding, found: Walk) -> list[Absorbed]:
    """Where the effect ended and nothing else of it came through."""
    hit = {h.at for h in found.hits}
    first: dict[ColumnRef, Stop] = {}
    for stop in found.stops:
        if stop.at not in hit:
            first.setdefault(stop.at, stop)
    return [Absorbed(finding=finding, at=s.at, path=s.path, reason=s.reason) for s in first.values()]


def _merged(impacts: Iterable[Impact]) -> tuple[Impact, ...]:
    """Most severe first, then by consumer; one per finding and consumer."""
    by_pair: dict[tuple[int, Consumer], Impact] = {}
    for impact in impacts:
        pair = (id(impact.finding), impact.consumer)
        other = by_pair.get(pair)
        if other is not None:
            columns = tuple(dict.fromkeys(other.columns + impact.columns))
            impact = replace(min(other, impact, key=lambda i: i.level.rank), columns=columns)
        by_pair[pair] = impact
    return by_level(by_pair.values())


def by_level(impacts: Iterable[Impact]) -> tuple[Impact, ...]:
    """The most severe first, then by consumer."""
    return tuple(
        sorted(
            impacts,
            key=lambda i: (i.level.rank, i.consumer.name, i.consumer.dataset, i.finding.rule, i.finding.at),
        )
    )
