"""Impact by lineage of different age: what only stale edges lead to is UNKNOWN, never BREAKS or safe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from contracts_svc.impact import Assessment, Impact, Level, by_level
from contracts_svc.lineage.age import Age, Ages
from contracts_svc.lineage.graph import Edge, Graph


def assess_by_age(judge: Callable[[Graph], Assessment], graph: Graph, ages: Ages) -> Assessment:
    """The assessment of this graph, with what only stale edges lead to told as UNKNOWN.

    ``judge`` assesses findings against a graph. It is asked once, and once more without the stale
    edges where there are any: an impact that needs one of them is kept and its consumer shown, but
    nothing is concluded from an edge that may have ended.
    """
    whole = judge(graph)
    fresh = [e for e in graph.edges if ages.of(e) is not Age.STALE]
    if len(fresh) == len(graph.edges):
        return whole
    sure = {_key(i): i for i in judge(Graph(tuple(fresh))).impacts}
    for impact in whole.impacts:
        proven = sure.get(_key(impact))
        if proven is None or (_harmless(proven) and not _harmless(impact)):
            sure[_key(impact)] = _doubted(impact, ages)
    return replace(whole, impacts=by_level(sure.values()))


def _harmless(impact: Impact) -> bool:
    return impact.level.rank > Level.UNKNOWN.rank


def _key(impact: Impact) -> tuple[str, object, object]:
    return impact.finding.fingerprint, impact.finding.at, impact.consumer


def _doubted(impact: Impact, ages: Ages) -> Impact:
    old = _oldest(impact.path, ages)
    if _harmless(impact) or old is None or old.seen is None:
        return impact
    reads = f"{old.target.dataset.name} reads {old.source.dataset.name}"
    reason = f"{impact.reason}; but that {reads} was last seen on {old.seen:%Y-%m-%d}: it may have ended"
    return replace(impact, level=Level.UNKNOWN, reason=reason)


def _oldest(path: Sequence[Edge], ages: Ages) -> Edge | None:
    stale = [e for e in path if e.seen is not None and ages.of(e) is Age.STALE]
    return min(stale, key=lambda e: e.seen or ages.now, default=None)
