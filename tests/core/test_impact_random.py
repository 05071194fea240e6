"""Impact over random lineage, cycles and table-level edges included."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from contracts_svc.findings import ChangeKind, Finding
from contracts_svc.impact import Level, assess
from contracts_svc.lineage.graph import ColumnRef, DatasetId, Edge, EdgeType, Graph
from tests.core.demo_downstream import assessed, column, contract, dataset_of, edge, finding, promises, ref

_NAMES = "abcdef"
_COLUMNS = st.sampled_from("xyz")
_TYPES = st.sampled_from([t for t in EdgeType if t is not EdgeType.UNKNOWN])


@st.composite
def _edges(draw: st.DrawFn) -> Edge:
    source, target = draw(st.sampled_from(_NAMES)), draw(st.sampled_from(_NAMES))
    if draw(st.integers(0, 9)) == 0:
        return edge(source, target, EdgeType.UNKNOWN, reason="not told")
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


def reachable(edges: list[Edge], start: ColumnRef) -> set[DatasetId]:
    """By its own means: everything that can be got to, a reader of unknown columns reading all."""
    seen, todo = {start}, [start]
    while todo:
        here = todo.pop()
        for e in edges:
            reads = e.source == here or (
                e.source.dataset == here.dataset and (here.column is None or e.source.column is None)
            )
            if reads and e.target not in seen:
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
    readers = {e.target.dataset for e in Graph.of(edges).reads(ref("a.x"))} - {ref("a").dataset}
    assert readers == {i.consumer.dataset for i in found.impacts if i.direct and i.level is Level.BREAKS}


@given(edges=GRAPHS, change=FINDINGS)
def test_the_path_proves_the_impact(edges: list[Edge], change: Finding) -> None:
    for impact in assessed([change], edges, PROMISES, []).impacts:
        first, last = impact.path[0], impact.path[-1]
        assert first.source in (ref("a.x"), ref("a"))
        assert last.target.dataset == impact.consumer.dataset
        for one, other in zip(impact.path, impact.path[1:], strict=False):
            assert one.target.dataset == other.source.dataset
            assert one.target.column in (None, other.source.column) or other.source.column is None


@given(edges=GRAPHS, change=FINDINGS)
def test_one_impact_per_consumer_the_worst_first(edges: list[Edge], change: Finding) -> None:
    impacts = assessed([change], edges, PROMISES, []).impacts
    assert len({i.consumer for i in impacts}) == len(impacts)
    assert [i.level.rank for i in impacts] == sorted(i.level.rank for i in impacts)
    assert Level.UNAFFECTED not in {i.level for i in impacts}


@given(edges=GRAPHS, change=FINDINGS)
def test_a_reader_of_unknown_columns_is_never_shown_as_safe(edges: list[Edge], change: Finding) -> None:
    found = assessed([change], edges, PROMISES, [])
    blind = {e.target.dataset for e in edges if e.source == ref("a")} - {ref("a").dataset}
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
