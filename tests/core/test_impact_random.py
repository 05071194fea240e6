"""Impact over random lineage, cycles and table-level edges included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts_svc.findings import ChangeKind, Finding
from contracts_svc.impact import Level, assess, starts_of
from contracts_svc.lineage.graph import ColumnRef, DatasetId, Edge, EdgeType, Graph
from contracts_svc.lineage.reach import Extent
from contracts_svc.lineage.reach import reachable as reachable_part
from contracts_svc.model import SlaProperty
from tests.core.demo_downstream import assessed, column, contract, dataset_of, edge, finding, promises, ref

_NAMES = "abcdef"
_COLUMNS = st.sampled_from(["x", "y", "z", "x.p", "x.q"])
_TYPES = st.sampled_from([t for t in EdgeType if t is not EdgeType.UNKNOWN])


@st.composite
def _edges(draw: st.DrawFn) -> Edge:
    source, target = draw(st.sampled_from(_NAMES)), draw(st.sampled_from(_NAMES))
    if draw(st.integers(0, 9)) == 0:
        return edge(source, target, EdgeType.UNKNOWN, reason="not told")
    if draw(st.integers(0, 9)) == 0:
        return edge(source, f"{target}.{draw(_COLUMNS)}", EdgeType.AGGREGATION)  # count(*)
    type_ = draw(_TYPES)
    direct = edge("a.x", "a.x", type_).kind.value == "DIRECT"
    at = f"{target}.{draw(_COLUMNS)}" if direct or draw(st.booleans()) else target
    expression = 'MAX("s"."c")' if type_ is EdgeType.AGGREGATION else ""
    return edge(f"{source}.{draw(_COLUMNS)}", at, type_, expression)


GRAPHS = st.lists(_edges(), max_size=25)
FINDINGS = st.sampled_from(
    [
        finding(ChangeKind.REMOVED, "a.x"),
        finding(ChangeKind.CHANGED, "a.x", field="physicalType", old="DOUBLE", new="SMALLINT"),
        finding(ChangeKind.CHANGED, "a.x", field="required", old=True, new=False),
        finding(ChangeKind.CHANGED, "a.x", field="deprecated", old=False, new=True),
    ]
)
PROMISES = promises(*(contract(n, [column("x", "DOUBLE", required=True), column("y", "INT")]) for n in "abc"))


def nested(one: str, other: str) -> bool:
    """Whether one column is the other, in it, or around it."""
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")


def concerns(edge: Edge, here: ColumnRef) -> bool:
    """By its own means: whether who reads along this edge reads what is here."""
    if edge.source.dataset != here.dataset:
        return False
    if here.column is None:
        return True
    if edge.source.column is None:
        return edge.type is EdgeType.UNKNOWN
    return nested(edge.source.column, here.column)


def reachable(edges: list[Edge], start: ColumnRef) -> set[DatasetId]:
    """By its own means: everything that can be got to, a reader of unknown columns reading all."""
    seen, todo = {start}, [start]
    while todo:
        here = todo.pop()
        for e in edges:
            if concerns(e, here) and e.target not in seen:
                seen.add(e.target)
                todo.append(e.target)
    return {r.dataset for r in seen}


@given(edges=GRAPHS, change=FINDINGS)
def test_nobody_who_cannot_be_reached_is_listed(edges: list[Edge], change: Finding) -> None:
    found = assessed([change], edges, PROMISES, [])
    listed = {i.consumer.dataset for i in found.impacts} | {a.at.dataset for a in found.absorbed}
    assert listed <= reachable(edges, ref("a.x"))


@given(edges=GRAPHS)
def test_every_reader_of_a_removed_column_breaks(edges: list[Edge]) -> None:
    found = assessed([finding(ChangeKind.REMOVED, "a.x")], edges, PROMISES, [])
    reads = [e for e in edges if e.source.column and nested(e.source.column, "x")]
    readers = {e.target.dataset for e in reads if e.source.dataset == ref("a").dataset} - {ref("a").dataset}
    assert readers == {i.consumer.dataset for i in found.impacts if i.direct and i.level is Level.BREAKS}


@given(edges=GRAPHS, change=FINDINGS)
def test_the_path_proves_the_impact(edges: list[Edge], change: Finding) -> None:
    for impact in assessed([change], edges, PROMISES, []).impacts:
        first, last = impact.path[0], impact.path[-1]
        assert first.source.dataset == ref("a").dataset
        assert nested(first.source.column or "x", "x")
        assert last.target.dataset == impact.consumer.dataset
        for one, other in zip(impact.path, impact.path[1:], strict=False):
            assert one.target.dataset == other.source.dataset
            at, read = one.target.column, other.source.column
            assert at is None or read is None or nested(at, read)


@given(edges=GRAPHS, change=FINDINGS)
def test_one_impact_per_consumer_the_worst_first(edges: list[Edge], change: Finding) -> None:
    impacts = assessed([change], edges, PROMISES, []).impacts
    assert len({i.consumer for i in impacts}) == len(impacts)
    assert [i.level.rank for i in impacts] == sorted(i.level.rank for i in impacts)
    assert Level.UNAFFECTED not in {i.level for i in impacts}


@given(edges=GRAPHS, change=FINDINGS)
def test_a_reader_of_unknown_columns_is_never_shown_as_safe(edges: list[Edge], change: Finding) -> None:
    found = assessed([change], edges, PROMISES, [])
    blind = {e.target.dataset for e in edges if e.source == ref("a") and e.type is EdgeType.UNKNOWN} - {
        ref("a").dataset
    }
    assert blind <= {i.consumer.dataset for i in found.impacts}
    assert not found.unread or not blind


@given(edges=GRAPHS)
def test_the_order_in_which_lineage_came_in_does_not_matter(edges: list[Edge]) -> None:
    change = finding(ChangeKind.REMOVED, "a.x")
    there = assessed([change], edges, PROMISES, []).impacts
    back = assessed([change], edges[::-1], PROMISES, []).impacts
    assert [(i.consumer, i.level, len(i.path)) for i in there] == [
        (i.consumer, i.level, len(i.path)) for i in back
    ]


def test_a_type_that_grows_round_a_cycle_ends() -> None:
    steps = [
        edge("a.x", "b.y", EdgeType.TRANSFORMATION, 'F("a"."x", "c"."z")'),
        edge("c.z", "b.y", EdgeType.TRANSFORMATION, 'F("a"."x", "c"."z")'),
        edge("b.y", "c.z", EdgeType.TRANSFORMATION, 'F("b"."y")'),
    ]

    def longer(expression: str, dialect: str, known: Mapping[tuple[str, str], str]) -> str:
        return f"T{max(int(t[1:]) for t in known.values()) + 1}"

    b, c = contract("b", [column("y", "T2")]), contract("c", [column("z", "T1")])
    found = assess(
        [finding(ChangeKind.CHANGED, "a.x", field="physicalType", old="T1", new="T5")],
        dataset_of=dataset_of,
        graph=Graph.of(steps),
        consumers=(),
        promises=promises(b, c),
        result_type=longer,
    )
    assert [(i.consumer.name, i.level) for i in found.impacts] == [
        ("b", Level.BREAKS),
        ("c", Level.MAY_BREAK),
    ]


# --- held to a slow and simple reading of the rules -------------------------------------------------

GONE, STALE, SOFT, TOLD, UNCLEAR = "gone", "stale", "soft", "told", "unclear"
_LEVEL = {GONE: "BREAKS", STALE: "MAY_BREAK", SOFT: "MAY_BREAK", TOLD: "NOTIFY", UNCLEAR: "UNKNOWN"}


def meant_by_removal(edges: list[Edge], promised: set[ColumnRef]) -> dict[DatasetId, str]:
    """The rules for a removed column a.x, as sentences, applied until nothing more follows."""
    facts: set[tuple[ColumnRef, str]] = {(ref("a.x"), GONE)}
    levels: set[tuple[DatasetId, str]] = set()
    size = -1
    while size != len(facts):
        size = len(facts)
        for here, state in list(facts):
            for e in edges:
                if concerns(e, here):
                    for at, level, onward in removal_step(e, here, state, promised):
                        levels.add((at.dataset, level))
                        facts.add((at, onward))
    worst: dict[DatasetId, str] = {}
    for reader, level in sorted(levels, key=lambda pair: -Level(pair[1]).rank):
        worst[reader] = level
    return {d: level for d, level in worst.items() if d != ref("a").dataset}


def removal_step(
    e: Edge, here: ColumnRef, state: str, promised: set[ColumnRef]
) -> list[tuple[ColumnRef, str, str]]:
    if state == GONE and e.source.column is None:
        return [(e.target, "UNKNOWN", UNCLEAR)]
    if e.source.column is None and here.column is not None and state != TOLD:
        return [(e.target, "UNKNOWN", UNCLEAR)]
    if state != GONE:
        return [(e.target, _LEVEL[state], state)]
    assert e.source.column is not None
    assert here.column is not None
    if not here.column.startswith(f"{e.source.column}."):
        return [(e.target, "BREAKS", GONE if e.target.column else STALE)]
    if e.type is not EdgeType.IDENTITY or e.target.column is None:
        return [(e.target, "MAY_BREAK", TOLD)]
    part = ColumnRef(e.target.dataset, e.target.column + here.column.removeprefix(e.source.column))
    return [(part, "BREAKS" if part in promised else "MAY_BREAK", GONE)]


def _flat(edges: list[Edge]) -> list[Edge]:
    """Without cycles that write a part into itself: ``x -> x.p`` makes columns without end."""
    return [e for e in edges if not (e.target.column and "." in e.target.column)]


@given(edges=GRAPHS)
def test_a_removal_means_what_the_rules_say(edges: list[Edge]) -> None:
    edges = _flat(edges)
    found = assessed([finding(ChangeKind.REMOVED, "a.x")], edges, PROMISES, [])
    promised = {ColumnRef(d, c.path) for d, (_, table) in PROMISES.items() for c in table.columns}
    wanted = meant_by_removal(edges, promised)
    assert {i.consumer.dataset: i.level.value for i in found.impacts} == wanted


def meant_by_nullable(edges: list[Edge]) -> dict[DatasetId, str]:
    """The rules for a column a.x that may be NULL now; reference for edges without parts."""
    nullable, told, levels = {ref("a.x")}, set[ColumnRef](), set[tuple[DatasetId, str]]()
    unclear: set[ColumnRef] = set()
    for _ in range(len(edges) + 2):
        for e in edges:
            at = e.target
            if any(concerns(e, t) for t in unclear):
                levels.add((at.dataset, "UNKNOWN"))
                unclear.add(at)
            if any(concerns(e, t) for t in told):
                levels.add((at.dataset, "NOTIFY"))
                told.add(at)
            if not any(concerns(e, n) for n in nullable):
                continue
            promise = (
                next((c for c in PROMISES[at.dataset][1].columns if c.name == at.column), None)
                if at.dataset in PROMISES
                else None
            )
            if e.source.column is None:
                levels.add((at.dataset, "UNKNOWN"))
                unclear.add(at)
            elif e.type in (EdgeType.FILTER, EdgeType.JOIN):
                levels.add((at.dataset, "MAY_BREAK"))
                told.add(at)
            elif e.type is EdgeType.CONDITIONAL:
                levels.add((at.dataset, "NOTIFY"))
            elif e.type is EdgeType.IDENTITY:
                nullable.add(at)
                if at.dataset not in PROMISES:
                    levels.add((at.dataset, "NOTIFY"))
                elif promise and promise.required:
                    levels.add((at.dataset, "BREAKS"))
            elif e.type is EdgeType.TRANSFORMATION and promise and promise.required:
                levels.add((at.dataset, "MAY_BREAK"))
    worst: dict[DatasetId, str] = {}
    for reader, level in sorted(levels, key=lambda pair: -Level(pair[1]).rank):
        worst[reader] = level
    return {d: level for d, level in worst.items() if d != ref("a").dataset}


@given(edges=GRAPHS)
def test_a_lost_guarantee_means_what_the_rules_say(edges: list[Edge]) -> None:
    edges = [e for e in edges if "." not in f"{e.source.column}{e.target.column}"]
    lost = finding(ChangeKind.CHANGED, "a.x", field="required", old=True, new=False)
    found = assessed([lost], edges, PROMISES, [])
    assert {i.consumer.dataset: i.level.value for i in found.impacts} == meant_by_nullable(edges)


@given(edges=GRAPHS, more=_edges(), change=FINDINGS)
def test_more_lineage_never_takes_an_impact_away(edges: list[Edge], more: Edge, change: Finding) -> None:
    """Of types only who is affected: the more is known of an expression, the less it may break."""
    typed = change.change is not None and change.change.field == "physicalType"
    edges, more = _flat(edges), replace(more, target=ref("b.y")) if "." in str(more.target.column) else more
    few = {i.consumer.dataset: i.level for i in assessed([change], edges, PROMISES, []).impacts}
    many = {i.consumer.dataset: i.level for i in assessed([change], [*edges, more], PROMISES, []).impacts}
    if not typed:
        assert few.keys() <= many.keys()
        assert all(many[d].rank <= level.rank for d, level in few.items())


# --- the part of the graph that is enough -----------------------------------------------------------


class Counting:
    """A graph that counts the edges it gives."""

    def __init__(self, graph: Graph) -> None:
        self.graph, self.given = graph, 0

    def readers(self, ref: ColumnRef) -> Sequence[Edge]:
        return self._counted(self.graph.readers(ref))

    def makers(self, ref: ColumnRef) -> Sequence[Edge]:
        return self._counted(self.graph.makers(ref))

    def _counted(self, edges: Sequence[Edge]) -> Sequence[Edge]:
        self.given += len(edges)
        return edges


LATE = finding(
    ChangeKind.CHANGED,
    "a",
    element="sla",
    old=SlaProperty(property="latency", value=1, unit="h"),
    new=SlaProperty(property="latency", value=9, unit="h"),
)


@given(edges=GRAPHS, rest=GRAPHS, change=st.one_of(FINDINGS, st.just(LATE)))
def test_the_reachable_part_gives_the_same_answer(
    edges: list[Edge], rest: list[Edge], change: Finding
) -> None:
    whole = Graph.of([*edges, *rest])
    starts = starts_of([change], dataset_of=dataset_of, promises=PROMISES)
    needed = set(reachable_part(whole, starts, typed=_typed).edges)
    for part in (needed, needed | set(rest)):
        edges_of_part = [e for e in whole.edges if e in part]
        given_part = assessed([change], edges_of_part, PROMISES, [], extent=Extent.of(whole))
        assert given_part == assessed([change], whole.edges, PROMISES, [])


def _typed(at: ColumnRef) -> bool:
    promise = PROMISES.get(at.dataset)
    return promise is not None and any(c.name == at.column for c in promise[1].columns)


def test_the_cost_grows_with_what_is_reachable_and_not_with_the_graph() -> None:
    reached = [edge("a.x", f"b.c{i}") for i in range(100)]
    costs = []
    for unrelated in (0, 1_000, 10_000):
        others = [edge(f"a.u{i}", f"far{i % 50}.c{i}") for i in range(unrelated)]
        counting = Counting(Graph.of([*reached, *others]))
        part = reachable_part(counting, [ref("a.x")])
        costs.append((len(part.edges), counting.given))
    assert costs == [(100, 200)] * 3


def test_an_assessment_looks_only_at_what_is_reachable(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[ColumnRef] = []
    plain = Graph.readers

    def counted(self: Graph, at: ColumnRef) -> tuple[Edge, ...]:
        asked.append(at)
        return plain(self, at)

    monkeypatch.setattr(Graph, "readers", counted)
    counts = []
    for unrelated in (0, 5_000):
        others = [edge(f"a.u{i}", f"far{i % 50}.c{i}") for i in range(unrelated)]
        chain = [edge("a.x", "n0.x"), *(edge(f"n{i}.x", f"n{i + 1}.x") for i in range(50))]
        asked.clear()
        found = assessed([finding(ChangeKind.REMOVED, "a.x")], [*chain, *others], {}, [])
        assert len(found.impacts) == 51
        counts.append(len(asked))
    assert counts[0] == counts[1] <= 2 * 52
