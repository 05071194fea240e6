"""Lineage in the store: the same graph however it comes, and what can be reached in it."""

from __future__ import annotations

import multiprocessing
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts_svc.adapters.store.database import Database
from contracts_svc.adapters.store.lineage_keys import ancestors
from contracts_svc.adapters.store.store import DatabaseStore
from contracts_svc.errors import UserMistake
from contracts_svc.findings import ChangeKind, Finding
from contracts_svc.impact import Assessment, Coverage
from contracts_svc.lineage.graph import ColumnRef, DatasetId, Edge, EdgeKind, EdgeType, Graph
from tests.core import demo_downstream as lake
from tests.core.demo_downstream import assessed
from tests.core.test_impact_random import FINDINGS, GRAPHS, PROMISES
from tests.fixtures_store import memory_store, read_contract

NOW = datetime(2024, 1, 1, tzinfo=UTC)


def ref(text: str) -> ColumnRef:
    """``d.a.b`` is the column ``a.b`` of the dataset ``d``; ``d`` is the dataset as a whole."""
    name, _, path = text.partition(".")
    return ColumnRef(DatasetId("s3://lake", name), path or None)


def edge(text: str, day: int | None = None, **more: Any) -> Edge:
    source, target = text.split(" > ")
    kind = EdgeKind.DIRECT if "." in target else EdgeKind.INDIRECT
    seen = None if day is None else NOW + timedelta(days=day)
    values = {"kind": kind, "type": EdgeType.UNKNOWN, "seen": seen, **more}
    return Edge(source=ref(source), target=ref(target), **values)


def shown(edges: Iterable[Edge]) -> Counter[tuple[Edge, datetime | None]]:
    return Counter((e, e.seen) for e in edges)


# --- keeping ------------------------------------------------------------------------------------


def test_an_edge_is_kept_with_all_that_it_says(store: DatabaseStore) -> None:
    whole = edge("a.x > b.y", 3, origin="sql:b.sql", expression='sum("a"."x")', dialect="spark", reason="r")
    others = [
        edge("a > b", reason="no columns"),
        edge("a.x > b.y", type=EdgeType.IDENTITY),
        edge("a.x > b.y", kind=EdgeKind.INDIRECT, type=EdgeType.FILTER),
        edge("a.x > b.y", origin="dbt"),
        edge("ä.日本 > b.😀", 1),
    ]
    store.put_edges([whole, *others])
    assert shown(store.edges()) == shown([whole, *others])


def test_an_edge_that_is_there_only_gets_the_later_seen(store: DatabaseStore) -> None:
    store.put_edges([edge("a.x > b.y", 1), edge("a.z > b.z")])
    store.put_edges([edge("a.x > b.y", 2)])
    store.put_edges([edge("a.x > b.y", 1), edge("a.x > b.y")])
    assert [(e, e.seen) for e in store.edges()] == [
        (edge("a.x > b.y"), NOW + timedelta(days=2)),
        (edge("a.z > b.z"), None),
    ]


def test_names_of_any_length_are_told_apart(store: DatabaseStore) -> None:
    long = "n" * 5_000
    edges = [edge(f"a.{long}{end} > b.{end}", expression=long + end) for end in "xy"]
    store.put_edges(edges)
    assert shown(store.edges()) == shown(edges)


def test_what_cannot_be_stored_is_refused_and_nothing_of_its_batch_is_kept(store: DatabaseStore) -> None:
    with pytest.raises(UserMistake, match="U\\+0000"):
        store.put_edges([edge("a.x > b.y"), edge("a.x\x00 > b.y")])
    assert store.edges() == ()


def test_more_edges_than_fit_in_a_batch(store: DatabaseStore) -> None:
    edges = [edge(f"a.c{n % 1_500} > d{n % 7}.c{n}", n % 3) for n in range(6_000)]
    store.put_edges(iter(edges))
    assert shown(store.edges()) == shown(edges)


EDGES = st.builds(
    lambda source, target, day, type_: edge(f"{source} > {target}", day, type=type_),
    *(st.sampled_from(["a.x", "a.y", "a", "b.x", "b.y.z", "b.y", "c.x"]) for _ in range(2)),
    st.one_of(st.none(), st.integers(0, 3)),
    st.sampled_from([EdgeType.IDENTITY, EdgeType.FILTER]),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edges=st.lists(EDGES, max_size=15), data=st.data())
def test_the_same_graph_whatever_the_order_and_however_often(edges: list[Edge], data: st.DataObject) -> None:
    once, again = memory_store(), memory_store()
    try:
        once.put_edges(edges)
        for part in (data.draw(st.permutations(edges)), data.draw(st.permutations(edges))):
            for one in part:
                again.put_edges([one])
        assert [(e, e.seen) for e in again.edges()] == [(e, e.seen) for e in once.edges()]
        latest: dict[Edge, datetime | None] = {}
        for e in edges:
            latest[e] = max((t for t in (latest.get(e), e.seen) if t is not None), default=None)
        assert shown(once.edges()) == Counter(latest.items())
    finally:
        once.close()
        again.close()


def many(seed: int, count: int = 400) -> list[Edge]:
    chosen = random.Random(seed)
    return [
        edge(f"d{chosen.randrange(30)}.c{chosen.randrange(9)}.f > d{chosen.randrange(30)}.c{chosen.randrange(9)}", chosen.randrange(5))
        for _ in range(count)
    ]  # fmt: skip


def in_parts(edges: Sequence[Edge], seed: int, size: int = 25) -> list[list[Edge]]:
    shuffled = random.Random(seed).sample(edges, len(edges))
    return [shuffled[n : n + size] for n in range(0, len(shuffled), size)]


def ingest(url: str, edges: Sequence[Edge], seed: int) -> None:
    store = DatabaseStore(Database(url), read_contract)
    for part in in_parts(edges, seed):
        store.put_edges(part)
    store.close()


def expected(edges: Sequence[Edge]) -> list[tuple[Edge, datetime | None]]:
    alone = memory_store()
    alone.put_edges(edges)
    found = [(e, e.seen) for e in alone.edges()]
    alone.close()
    return found


def test_the_same_graph_when_several_write_at_once(store: DatabaseStore, store_url: str) -> None:
    edges = many(3)
    process = multiprocessing.get_context("spawn").Process(target=ingest, args=(store_url, edges, 1))
    process.start()
    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(ingest, store_url, edges, seed) for seed in (2, 3)]:
            done.result()
    process.join()
    assert process.exitcode == 0
    assert [(e, e.seen) for e in store.edges()] == expected(edges)


# --- reaching -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("", ()),
        ("a", ("",)),
        ("a.b.c", ("", "a", "a.b")),
        ("orders[].price", ("", "orders", "orders[]")),
        ("m{value}", ("", "m")),
        ("m{value}[].x", ("", "m", "m{value}", "m{value}[]")),
        (".a", ("", "")),
    ],
)
def test_what_a_column_lies_in(path: str, found: tuple[str, ...]) -> None:
    assert tuple(dict.fromkeys(ancestors(path))) == tuple(dict.fromkeys(found))


def test_columns_that_lie_very_deep_are_bounded() -> None:
    assert len(ancestors(".".join("a" * 10_000))) < 100
    assert len(ancestors("a" + "[]" * 10_000)) < 100


LINEAGE = """\
flights.delay > daily.mean
flights.carrier > daily
flights.dest > other.dest
daily.mean > report.worst
daily.day > report.day
report.worst > flights.delay
unread.x > daily.x
orders.customer.name > people.name
orders.customer > copies.customer
orders.customer.age > people.age
orders > all
"""


@pytest.mark.parametrize(
    ("start", "found"),
    [
        # Through the cycle and to its end; other columns of the same datasets are not looked at.
        ("flights.delay", {"flights.delay > daily.mean", "daily.mean > report.worst", "report.worst > flights.delay"}),
        # An effect on the dataset as a whole goes on through every column of it.
        ("flights.carrier", {"flights.carrier > daily", "daily.mean > report.worst", "daily.day > report.day",
                             "report.worst > flights.delay", "flights.delay > daily.mean"}),
        ("flights.dest", {"flights.dest > other.dest"}),
        # A field reaches who reads it, who reads the object around it, and who reads nobody knows what.
        ("orders.customer.name", {"orders.customer.name > people.name", "orders.customer > copies.customer", "orders > all"}),
        # An object reaches who reads a field of it.
        ("orders.customer", {"orders.customer.name > people.name", "orders.customer > copies.customer",
                             "orders.customer.age > people.age", "orders > all"}),
        ("orders.customer.new", {"orders.customer > copies.customer", "orders > all"}),
        ("orders", {"orders.customer.name > people.name", "orders.customer > copies.customer",
                    "orders.customer.age > people.age", "orders > all"}),
        ("people.name", set()),
        ("nobody.knows", set()),
    ],
)  # fmt: skip
def test_what_is_reached_downstream(store: DatabaseStore, start: str, found: set[str]) -> None:
    store.put_edges(edge(line) for line in LINEAGE.splitlines())
    reached = store.downstream([ref(start)])
    assert set(reached.graph.edges) == {edge(line) for line in found}
    assert reached.complete


@pytest.mark.parametrize(
    ("start", "found"),
    [
        ("report.worst", {"daily.mean > report.worst", "flights.delay > daily.mean", "report.worst > flights.delay",
                          "flights.carrier > daily"}),
        ("people.name", {"orders.customer.name > people.name"}),
        ("copies.customer.name", {"orders.customer > copies.customer"}),
        ("unread.x", set()),
    ],
)  # fmt: skip
def test_what_is_reached_upstream(store: DatabaseStore, start: str, found: set[str]) -> None:
    store.put_edges(edge(line) for line in LINEAGE.splitlines())
    assert set(store.upstream([ref(start)]).graph.edges) == {edge(line) for line in found}


def test_a_part_that_is_cut_says_so(store: DatabaseStore) -> None:
    store.put_edges(edge(f"d{n}.x > d{n + 1}.x") for n in range(50))
    whole = store.downstream([ref("d0.x")], limit=1_000)
    assert (len(whole.graph.edges), whole.complete) == (50, True)
    cut = store.downstream([ref("d0.x")], limit=20)
    assert not cut.complete
    assert 0 < len(cut.graph.edges) < 50
    assert not store.impact_part([ref("d0.x")], limit=20).complete


def test_who_else_reads_a_wide_dataset_is_told_by_one_edge_a_reader(store: DatabaseStore) -> None:
    store.put_edges(edge(f"a.x > wide.c{n}", n % 20 + 1) for n in range(500))
    store.put_edges([edge("a.y > b.y", 1), edge("b.y > c.y", 2), edge("b.z > c.z", 9), edge("b.z > d.z")])
    part = store.impact_part([ref("a.y")])
    assert set(part.graph.edges) == {edge("a.y > b.y"), edge("b.y > c.y")}
    readers = {(e.source.dataset.name, e.target.dataset.name): e.seen for e in part.leaving}
    days = {pair: seen and (seen - NOW).days for pair, seen in readers.items()}
    assert days == {("a", "wide"): 20, ("a", "b"): 1, ("b", "c"): 9, ("b", "d"): None}
    assert len(part.leaving) == 4


def test_who_else_reads_a_dataset_when_a_job_reads_less(store: DatabaseStore) -> None:
    origin = edge("a.x > b.x").origin
    store.replace_edges("", origin, [edge("a.x > b.x", 1), edge("a.y > b.y", 9), edge("a.x > c.x", 3)])
    store.replace_edges("", origin, [edge("a.x > b.x", 1)])
    left = store.impact_part([ref("a.z")]).leaving
    assert [(e, e.seen) for e in left] == [(edge("a.x > b.x"), NOW + timedelta(days=1))]
    store.replace_edges("", origin, [])
    assert store.impact_part([ref("a.z")]).leaving == ()


def test_which_datasets_are_read_and_fed(store: DatabaseStore) -> None:
    assert store.datasets_used("") == (0, 0)
    store.put_edges(edge(line) for line in LINEAGE.splitlines())
    names = ["flights", "daily", "unread", "orders", "all", "nobody"]
    asked = [DatasetId("s3://lake", n) for n in names]
    uses = {d.name: fed for d, fed in store.uses_of(asked).items()}
    assert uses == {"flights": True, "daily": True, "all": True, "unread": False, "orders": False}
    whole = Graph(store.edges())
    assert store.datasets_used("") == (len(whole.datasets), len({e.target.dataset for e in whole.edges}))
    assert store.datasets_used("other") == (0, 0)
    orders = (DatasetId("s3://lake", "orders"),)
    for text, called in [
        ("orders", orders),
        ("s3://lake/orders", orders),
        ("lake/orders", ()),
        ("/" * 9, ()),
    ]:
        assert store.datasets_called("", text) == called
    assert store.datasets_called("other", "orders") == ()


def told(graph: Graph, change: Finding) -> Assessment:
    """All that is said but how much of the lineage is known, which is about the part that was read."""
    return replace(assessed([change], graph.edges, PROMISES, []), coverage=Coverage())


def check_assessment(store: DatabaseStore, edges: Iterable[Edge], change: Finding) -> None:
    store.put_edges(edges)
    whole = Graph(store.edges())
    part = store.impact_part([lake.ref("a.x")]).graph
    assert told(part, change) == told(whole, change)
    assert (lake.dataset("a") in store.uses_of([lake.dataset("a")])) == (lake.dataset("a") in whole.datasets)


@settings(max_examples=100, deadline=None)
@given(edges=GRAPHS, change=FINDINGS)
def test_an_assessment_of_the_part_is_that_of_the_whole(edges: list[Edge], change: Finding) -> None:
    store = memory_store()
    try:
        check_assessment(store, edges, change)
    finally:
        store.close()


CHANGES = [
    lake.finding(ChangeKind.REMOVED, "a.x"),
    lake.finding(ChangeKind.CHANGED, "a.x", field="physicalType", old="DOUBLE", new="SMALLINT"),
]


@pytest.mark.parametrize("seed", range(6))
def test_an_assessment_of_the_part_on_each_database(store: DatabaseStore, seed: int) -> None:
    chosen = random.Random(seed)
    edges = []
    for _ in range(25):
        source, target = (f"{chosen.choice('abcdef')}.{chosen.choice('xyz')}" for _ in range(2))
        type_ = chosen.choice([t for t in EdgeType if t is not EdgeType.UNKNOWN])
        direct = lake.edge("a.x", "a.x", type_).kind is EdgeKind.DIRECT
        end = target if direct else target[:1]
        edges.append(lake.edge(source, end, type_, 'MAX("s"."c")' if type_ is EdgeType.AGGREGATION else ""))
    edges.append(lake.edge("b", "f", EdgeType.UNKNOWN, reason="not told"))
    for change in CHANGES:
        check_assessment(store, edges, change)
