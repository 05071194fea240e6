"""Who breaks: the demo's pull request, and every rule of impact by a small lineage of its own."""

from __future__ import annotations

from datetime import timedelta

import pytest

from contracts_svc.findings import ChangeKind
from contracts_svc.impact import Assessment, Level, consumers_of
from contracts_svc.lineage.age import Ages
from contracts_svc.lineage.graph import Channel, Consumer, ConsumerKind, Edge, EdgeType
from contracts_svc.model import Column
from tests.core.demo_downstream import (
    CARRIER_SCORECARD,
    DEMO_CONSUMERS,
    DEMO_FINDINGS,
    DEP_DELAY,
    DEST,
    GATE,
    NOW,
    TAILNUM,
    assessed,
    column,
    contract,
    dataset,
    edge,
    finding,
    promises,
    ref,
)


def levels(assessment: Assessment) -> dict[str, str]:
    return {i.consumer.name: i.level.value for i in assessment.impacts}


def absorbed(assessment: Assessment) -> set[str]:
    return {str(a.at) for a in assessment.absorbed}


# --- the demo's pull request ---------------------------------------------------------------------


def test_the_demo_as_a_whole() -> None:
    found = assessed(DEMO_FINDINGS)
    assert [(i.level, i.consumer.name, i.columns) for i in found.impacts] == [
        (Level.BREAKS, "carrier_scorecard", ("destinations",)),
        (Level.BREAKS, "carrier_scorecard", ("worst_dep_delay",)),
        (Level.MAY_BREAK, "On-time performance", ("worst_delay",)),
    ]
    assert found.unread == (TAILNUM,)
    assert absorbed(found) == {"daily_delays.mean_dep_delay", "daily_delays.share_delayed"}
    assert found.coverage.datasets_known == 5
    assert found.coverage.unknown == ()


def test_a_dropped_column_that_nobody_reads_reaches_nobody() -> None:
    found = assessed([TAILNUM])
    assert (found.impacts, found.absorbed, found.unread) == ((), (), (TAILNUM,))


def test_a_narrowed_type_breaks_the_promise_made_downstream_of_a_maximum() -> None:
    found = assessed([DEP_DELAY])
    scorecard, dashboard = found.impacts
    assert scorecard.reason == (
        "worst_dep_delay is MAX(dep_delay): it becomes SMALLINT, but carrier_scorecard promises DOUBLE"
    )
    assert scorecard.direct
    assert not dashboard.direct
    assert [str(e.source) for e in dashboard.path] == [
        "flights.dep_delay",
        "carrier_scorecard.worst_dep_delay",
    ]


def test_a_narrowed_type_is_absorbed_by_an_average() -> None:
    reasons = {str(a.at): a.reason for a in assessed([DEP_DELAY]).absorbed}
    assert reasons["daily_delays.mean_dep_delay"] == (
        "mean_dep_delay is AVG(dep_delay): DOUBLE before and after"
    )
    assert "daily_delays" not in levels(assessed([DEP_DELAY]))


def test_a_rename_breaks_the_reader_of_the_old_name_only() -> None:
    found = assessed([DEST])
    assert levels(found) == {"carrier_scorecard": "BREAKS"}
    assert found.impacts[0].reason == (
        "destinations is COUNT(DISTINCT dest), and flights.dest is renamed to destination"
    )


def test_an_added_column_means_nothing_to_anybody() -> None:
    found = assessed([GATE])
    assert (found.impacts, found.absorbed, found.unread) == ((), (), ())


def test_a_consumer_that_promises_the_new_type_is_only_told() -> None:
    made, table = contract("carrier_scorecard", [column("worst_dep_delay", "SMALLINT")], "finance")
    found = assessed([DEP_DELAY], promised=promises((made, table)))
    assert levels(found)["carrier_scorecard"] == "NOTIFY"
    assert found.impacts[-1].reason.endswith("it becomes SMALLINT, as carrier_scorecard promises")


def test_consumers_of_contracts_know_their_people() -> None:
    (consumer,) = consumers_of(promises(CARRIER_SCORECARD))
    assert consumer == Consumer(
        name="carrier_scorecard",
        kind=ConsumerKind.CONTRACT,
        dataset=dataset("carrier_scorecard"),
        team="finance",
        owner="lead@finance",
        tribe="commercial",
        channels=(Channel(tool="slack", address="#finance"),),
        contract="carrier_scorecard",
    )


# --- removed and renamed ---------------------------------------------------------------------------


REMOVED = finding(ChangeKind.REMOVED, "a.x", old=column("x"))


@pytest.mark.parametrize(
    ("edges", "expected"),
    [
        pytest.param([edge("a.x", "b.y")], {"b": "BREAKS"}, id="copied"),
        pytest.param([edge("a.x", "b", EdgeType.FILTER)], {"b": "BREAKS"}, id="filtered by"),
        pytest.param([edge("a.x", "b", EdgeType.JOIN)], {"b": "BREAKS"}, id="joined on"),
        pytest.param([edge("a.z", "b.y")], {}, id="another column is read"),
        pytest.param(
            [edge("a.x", "b.y"), edge("b.y", "c.z")],
            {"b": "BREAKS", "c": "BREAKS"},
            id="made from what is gone",
        ),
        pytest.param(
            [edge("a.x", "b.y"), edge("b.other", "c.z")], {"b": "BREAKS"}, id="made from another column"
        ),
        pytest.param(
            [edge("a.x", "b", EdgeType.FILTER), edge("b.other", "c.z"), edge("c.z", "d.z")],
            {"b": "BREAKS", "c": "MAY_BREAK", "d": "MAY_BREAK"},
            id="stale behind a job that fails",
        ),
        pytest.param([edge("a", "b", reason="SELECT *")], {"b": "UNKNOWN"}, id="columns not known"),
        pytest.param(
            [edge("a", "b", reason="SELECT *"), edge("b.q", "c.q")],
            {"b": "UNKNOWN", "c": "UNKNOWN"},
            id="columns not known, and what follows",
        ),
        pytest.param(
            [edge("a", "b", reason="SELECT *"), edge("a.x", "b.y")],
            {"b": "BREAKS"},
            id="known beats not known",
        ),
    ],
)
def test_removed_column(edges: list[Edge], expected: dict[str, str]) -> None:
    assert levels(assessed([REMOVED], edges, {}, [])) == expected


def test_a_knock_on_is_told_apart_from_a_direct_break() -> None:
    edges = [edge("a.x", "b", EdgeType.FILTER), edge("b.y", "c.z"), edge("a.x", "d.x"), edge("d.x", "e.x")]
    reasons = {i.consumer.name: (i.direct, i.reason) for i in assessed([REMOVED], edges, {}, []).impacts}
    assert reasons == {
        "b": (True, "b filters by a.x, which is removed"),
        "c": (False, "b cannot be rebuilt, so what is read from it is stale"),
        "d": (True, "x is a.x, which is removed"),
        "e": (False, "x is d.x, which can no longer be made"),
    }


def test_one_impact_per_finding_and_consumer_with_the_worst_level_and_all_columns() -> None:
    edges = [edge("a.x", "b", EdgeType.JOIN), edge("a.x", "b.one"), edge("a.x", "b.two")]
    (impact,) = assessed([REMOVED], edges, {}, []).impacts
    assert (impact.level, impact.columns) == (Level.BREAKS, ("one", "two"))
    assert impact.path == (edge("a.x", "b.one"),)


def test_a_removed_table_breaks_all_who_read_it_even_where_the_columns_are_not_known() -> None:
    removed = finding(ChangeKind.REMOVED, "a", element="table")
    edges = [edge("a.x", "b.y"), edge("a", "c", reason="a script"), edge("other.x", "d.y")]
    assert levels(assessed([removed], edges, {}, [])) == {"b": "BREAKS", "c": "BREAKS"}


def test_readers_name_a_column_as_it_is_stored() -> None:
    removed = finding(ChangeKind.REMOVED, "a.x", old=Column(name="x", path="x", physical_name="X_1"))
    assert levels(assessed([removed], [edge("a.X_1", "b.y"), edge("a.x", "c.y")], {}, [])) == {"b": "BREAKS"}


def test_a_new_name_in_the_contract_alone_breaks_nobody() -> None:
    promised = promises(contract("a", [Column(name="new", path="new", physical_name="x")]))
    renamed = finding(ChangeKind.RENAMED, "a.x", new_column="new")
    assert assessed([renamed], [edge("a.x", "b.y")], promised).impacts == ()


def test_a_new_physical_name_breaks_the_readers_of_the_old_one() -> None:
    promised = promises(contract("a", [Column(name="x", path="x", physical_name="X2")]))
    changed = finding(ChangeKind.CHANGED, "a.x", field="physicalName", old="X1", new="X2")
    found = assessed([changed], [edge("a.X1", "b.y")], promised)
    assert [i.reason for i in found.impacts] == ["y is a.X1, which is renamed to X2"]


def test_nested_columns_break_their_readers_and_may_break_who_reads_the_whole() -> None:
    city = Column(name="city", path="home.city", columns=(Column(name="zip", path="home.city.zip"),))
    removed = finding(ChangeKind.REMOVED, "a.home.city", old=city)
    edges = [edge("a.home.city.zip", "b.zip"), edge("a.home", "c.home"), edge("a.home.street", "d.street")]
    assert levels(assessed([removed], edges, {}, [])) == {"b": "BREAKS", "c": "MAY_BREAK"}


def test_the_producer_is_no_consumer_of_its_own() -> None:
    edges = [edge("a.x", "a.running"), edge("a.running", "b.y")]
    assert levels(assessed([REMOVED], edges, {}, [])) == {"b": "BREAKS"}


# --- coverage ----------------------------------------------------------------------------------------


def test_coverage_says_what_is_not_known() -> None:
    edges = [edge("a", "b", reason="the SQL did not parse"), edge("far.x", "away.y"), edge("far", "off")]
    job = Consumer(name="nightly", kind=ConsumerKind.JOB, dataset=dataset("nightly"), team="ops")
    gone = finding(ChangeKind.REMOVED, "nowhere.x")
    found = assessed([REMOVED, gone], edges, {}, [job])
    assert found.coverage.unknown == (
        "no lineage names nowhere: who reads it is not known",
        "b reads a, but which columns is not known: the SQL did not parse",
        "what the job nightly reads is not known",
        "nobody is known to own b",
    )


def test_lineage_that_was_not_seen_for_long_is_named_and_still_counts() -> None:
    edges = [
        edge("a.x", "b.y", seen=NOW - timedelta(days=31)),
        edge("a.x", "c.y", seen=NOW - timedelta(days=29)),
    ]
    found = assessed([REMOVED], edges, {}, DEMO_CONSUMERS, ages=Ages(now=NOW))
    assert levels(found) == {"b": "BREAKS", "c": "BREAKS"}
    assert [s for s in found.coverage.unknown if "last seen" in s] == [
        "b reads a: last seen on 2026-01-30, so it may have ended"
    ]


def test_every_reader_of_a_dataset_with_several_consumers_is_listed() -> None:
    two = [
        Consumer(name=name, kind=ConsumerKind.SUBSCRIPTION, dataset=dataset("b"), team=name)
        for name in ("one", "two")
    ]
    found = assessed([REMOVED], [edge("a.x", "b.y")], {}, two)
    assert levels(found) == {"one": "BREAKS", "two": "BREAKS"}
    assert [str(i.path[0].source) for i in found.impacts] == [str(ref("a.x"))] * 2
