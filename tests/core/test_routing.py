"""Routing: who is told of what, once, and where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts_svc.alerts import Audience, Incident, IncidentState, Notification, Transition
from contracts_svc.findings import Severity
from contracts_svc.incidents import advance, step
from contracts_svc.lineage.graph import (
    Channel,
    ColumnRef,
    Consumer,
    ConsumerKind,
    Edge,
    EdgeKind,
    EdgeType,
    Graph,
)
from contracts_svc.model import Column, Contract, SupportChannel, Table, Team
from contracts_svc.routing import UNROUTED, affected, notifications
from contracts_svc.runs import Check, Outcome, Result
from tests.alerts_world import (
    CARRIER,
    CONSUMERS,
    CONTRACTS,
    DEP_DELAY,
    DEST,
    GRAPH,
    NOON,
    ROW_COUNT,
    TAILNUM,
    consumer,
    contract,
    dataset,
    dataset_of,
    edge,
    fails,
    passes,
    run,
)


def reached(columns: Sequence[str], graph: Graph = GRAPH, consumers: Sequence[Consumer] = CONSUMERS) -> dict:
    return {a.consumer.name: a.columns for a in affected(columns, dataset("flights"), graph, consumers)}


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["tailnum"], {}),
        (["dest"], {"carrier_scorecard": ("destinations",)}),
        (
            ["dep_delay"],
            {
                "daily_delays": ("mean_dep_delay",),
                "carrier_scorecard": ("worst_dep_delay",),
                "On-time performance": ("worst",),
            },
        ),
        # The scorecard is grouped by the carrier: all of it is affected, and so is all made from it.
        (["carrier"], {"carrier_scorecard": (), "On-time performance": ("carrier", "worst")}),
        (["tailnum", "dest"], {"carrier_scorecard": ("destinations",)}),
        (["no_such_column"], {}),
        (
            [],
            {
                "daily_delays": ("mean_dep_delay",),
                "carrier_scorecard": (),
                "On-time performance": ("worst", "carrier"),
            },
        ),
    ],
)
def test_only_failing_columns_reach(columns: list[str], expected: dict) -> None:
    assert reached(columns) == expected


def test_the_path_proves_it() -> None:
    (board,) = (
        a
        for a in affected(["dep_delay"], dataset("flights"), GRAPH, CONSUMERS)
        if a.consumer.name == "On-time performance"
    )
    assert [str(e.target) for e in board.path] == ["carrier_scorecard.worst_dep_delay", "on_time.worst"]


@pytest.mark.parametrize(
    ("read", "failing", "expected"),
    [
        ("flights.place.city", "place", True),
        ("flights.place", "place.city", True),
        ("flights.place.city", "place.street", False),
        ("flights.legs[].to", "legs", True),
        ("flights.places", "place", False),
        ("flights.place", "places", False),
    ],
)
def test_nested_columns_belong_together(read: str, failing: str, expected: bool) -> None:
    graph = Graph.of([edge(read, "daily_delays.mean_temp", EdgeType.IDENTITY)])
    assert bool(reached([failing], graph)) is expected


def test_an_edge_that_does_not_know_its_columns_is_followed() -> None:
    graph = Graph.of([edge("flights", "daily_delays", EdgeType.UNKNOWN)])
    assert reached(["tailnum"], graph) == {"daily_delays": ()}


def test_a_cycle_ends_and_the_dataset_is_not_its_own_consumer() -> None:
    graph = Graph.of(
        [
            edge("flights.dep_delay", "daily_delays.mean_dep_delay", EdgeType.AGGREGATION),
            edge("daily_delays.mean_dep_delay", "flights.dep_delay", EdgeType.IDENTITY),
        ]
    )
    consumers = [*CONSUMERS, consumer("flights", "flights", "flight-ops")]
    assert reached(["dep_delay"], graph, consumers) == {"daily_delays": ("mean_dep_delay",)}


# --- notifications --------------------------------------------------------------------------------


def opened(*checks: Check) -> tuple[Transition, ...]:
    return advance((), run(NOON, "month=12", *(fails(c) for c in checks)), NOON)


def told(
    transitions: Iterable[Transition],
    *,
    contracts: Mapping[str, Contract] = CONTRACTS,
    consumers: Sequence[Consumer] = CONSUMERS,
    graph: Graph = GRAPH,
    still_open: Sequence[Incident] = (),
) -> tuple[Notification, ...]:
    return notifications(
        transitions,
        contracts=contracts,
        dataset_of=dataset_of,
        graph=graph,
        consumers=consumers,
        now=NOON,
        still_open=still_open,
    )


def whom(messages: Iterable[Notification]) -> list[tuple[str, str]]:
    return [(m.audience.value, m.team) for m in messages]


def test_one_message_to_each_team_and_dataset_however_many_checks_fail() -> None:
    messages = told(opened(DEP_DELAY, CARRIER, DEST, TAILNUM))
    assert whom(messages) == [
        ("owner", "flight-ops"),
        ("stakeholder", "executive-reporting"),
        ("stakeholder", "finance"),
        ("stakeholder", "punctuality"),
    ]
    assert [len(m.incidents) for m in messages] == [4, 2, 3, 1]


def test_an_owner_who_is_also_a_stakeholder_hears_once_as_owner() -> None:
    own = replace(CONSUMERS[0], team="flight-ops")
    messages = told(opened(DEP_DELAY), consumers=[own, *CONSUMERS[1:]])
    assert whom(messages).count(("owner", "flight-ops")) == 1
    assert ("stakeholder", "flight-ops") not in whom(messages)
    assert "flight-ops (you): daily_delays.mean_dep_delay" in str(messages[0].sections)


def test_a_team_with_several_consumers_hears_once_of_all_of_them() -> None:
    consumers = [replace(c, team="analytics") for c in CONSUMERS]
    messages = told(opened(DEP_DELAY), consumers=consumers)
    assert whom(messages) == [("owner", "flight-ops"), ("stakeholder", "analytics")]
    assert messages[1].title.startswith("daily_delays, carrier_scorecard and 1 more are affected")


def test_labels_say_what_routes_match_on() -> None:
    owner, *_, punctuality = told(opened(DEP_DELAY))
    assert owner.labels == {
        "severity": "error",
        "audience": "owner",
        "squad": "flight-ops",
        "tribe": "operations",
        "dataset": "flights",
        "contract": "urn:flights",
        "dimension": "accuracy",
        "state": "open",
    }
    assert punctuality.labels["squad"] == "punctuality"
    assert punctuality.labels["audience"] == "stakeholder"
    assert {owner.severity, punctuality.severity} == {Severity.ERROR}


def support(*entries: tuple[str | None, str, str | None]) -> tuple[SupportChannel, ...]:
    return tuple(SupportChannel(tool=t, channel=c, scope=s) for t, c, s in entries)


@pytest.mark.parametrize(
    ("entries", "receiver", "channel"),
    [
        (support(("slack", "#news", "announcements"), ("slack", "#help", "issues")), "slack", "#help"),
        (support(("slack", "#news", "announcements"), ("email", "a@b.c", "notifications")), "email", "a@b.c"),
        (support(("teams", "first", None), ("slack", "#second", None)), "teams", "first"),
        (support(("Slack", "#one", "Issues"), ("slack", "#two", "issues")), "slack", "#one"),
        (support((None, "#help", "issues")), "slack", "#help"),
        ((), UNROUTED, ""),
    ],
)
def test_where_an_owner_is_reached(entries: tuple[SupportChannel, ...], receiver: str, channel: str) -> None:
    contracts = {"urn:flights": replace(CONTRACTS["urn:flights"], support=entries)}
    owner = told(opened(TAILNUM), contracts=contracts)[0]
    assert (owner.receiver, owner.channel) == (receiver, channel)


@pytest.mark.parametrize(
    ("team", "expected"),
    [
        (contract("flights", "flight-ops", "operations").team, "flight-ops"),
        (Team(name="operations"), "operations"),
        (None, "owner of flights"),
    ],
)
def test_what_an_owner_is_called(team: Team | None, expected: str) -> None:
    contracts = {"urn:flights": replace(CONTRACTS["urn:flights"], team=team)}
    assert told(opened(TAILNUM), contracts=contracts)[0].team == expected


def test_who_cannot_be_reached_is_visible_and_not_dropped() -> None:
    silent = replace(CONSUMERS[0], channels=(), team="")
    messages = told(opened(DEP_DELAY), contracts={}, consumers=[silent])
    assert [(m.team, m.receiver) for m in messages] == [
        ("owner of urn:flights", UNROUTED),
        ("owner of daily_delays", UNROUTED),
    ]
    assert "nobody could be told" in str(messages[0].sections)


def test_a_stakeholder_is_reached_by_the_first_channel_of_the_team() -> None:
    nowhere = replace(CONSUMERS[1], team="analytics", channels=())
    mail = replace(CONSUMERS[0], team="analytics", channels=(Channel(tool="Email", address="x@y.z"),))
    message = told(opened(DEP_DELAY), consumers=[nowhere, mail])[1]
    assert (message.receiver, message.channel) == ("email", "x@y.z")


def test_lineage_is_asked_by_the_names_that_the_data_has() -> None:
    column = Column(name="dep_delay", path="dep_delay", physical_name="DEP_DLY")
    renamed = replace(CONTRACTS["urn:flights"], tables=(Table(name="flights", columns=(column,)),))
    graph = Graph.of([edge("flights.DEP_DLY", "daily_delays.mean_dep_delay", EdgeType.AGGREGATION)])
    messages = told(opened(DEP_DELAY), contracts={"urn:flights": renamed}, graph=graph)
    assert whom(messages) == [("owner", "flight-ops"), ("stakeholder", "punctuality")]


def test_a_check_of_the_whole_table_concerns_whoever_reads_any_of_it() -> None:
    assert len(told(opened(ROW_COUNT))) == 4


def test_endings_go_to_the_same_people_with_another_key() -> None:
    first = opened(DEP_DELAY, CARRIER)
    later = NOON + timedelta(hours=1)
    over = advance(
        [t.incident for t in first], run(later, "month=12", passes(DEP_DELAY), passes(CARRIER)), later
    )
    begun, ended = told(first), told(over)
    assert whom(begun) == whom(ended)
    assert {m.labels["state"] for m in ended} == {"resolved"}
    assert not {m.key for m in begun} & {m.key for m in ended}


def test_the_key_is_the_same_for_the_same_news_and_differs_for_a_relapse() -> None:
    first, again = told(opened(DEP_DELAY)), told(opened(DEP_DELAY))
    relapse = advance((), run(NOON + timedelta(days=1), "month=12", fails(DEP_DELAY)), NOON)
    assert [m.key for m in first] == [m.key for m in again]
    assert not {m.key for m in first} & {m.key for m in told(relapse)}


def test_a_change_of_severity_is_news() -> None:
    before = [t.incident for t in opened(DEP_DELAY)]
    softer = replace(fails(DEP_DELAY), outcome=Outcome.WARNED)
    moved = advance(before, run(NOON + timedelta(hours=1), "month=12", softer), NOON)
    owner, *others = told(moved)
    assert owner.labels["severity"] == "warning"
    assert "was error, is warning" in str(owner.sections)
    assert "may be affected" in others[0].title


def test_acknowledging_is_not_told() -> None:
    (transition,) = opened(DEP_DELAY)
    known = replace(transition.incident, state=IncidentState.ACKNOWLEDGED, owner="amelia")
    moved = Transition(incident=known, before=IncidentState.OPEN, at=NOON, reason="by hand")
    assert told([moved]) == ()


def test_the_same_input_gives_the_same_messages_in_any_order() -> None:
    transitions = opened(DEP_DELAY, CARRIER, DEST)
    assert told(transitions) == told(tuple(reversed(transitions)))


# --- properties -----------------------------------------------------------------------------------

DATASETS = ("flights", "a", "b", "c", "d")
COLUMNS = ("x", "y", "z")
REFS = st.builds(
    lambda d, c: ColumnRef(dataset(d), c),
    st.sampled_from(DATASETS),
    st.sampled_from(COLUMNS) | st.none(),
)
EDGES = st.builds(
    lambda s, t: Edge(source=s, target=t, kind=EdgeKind.DIRECT, type=EdgeType.IDENTITY), REFS, REFS
)
GRAPHS = st.lists(EDGES, max_size=14).map(Graph.of)
TEAMS = st.lists(st.sampled_from(["flight-ops", "red", "blue", "green"]), min_size=4, max_size=4)
FAILING = st.lists(st.sampled_from([*COLUMNS, None]), min_size=1, max_size=4, unique=True)


def wrong_from(column: str | None, graph: Graph) -> set[ColumnRef]:
    """What is wrong when this is, by adding consequences until nothing changes."""
    wrong = {ColumnRef(dataset("flights"), column)}
    reached: set[ColumnRef] = set()
    while True:
        fired = {
            e.target
            for e in graph.edges
            for w in wrong
            if w.dataset == e.source.dataset and (w.column is None or e.source.column in (None, w.column))
        }
        if fired <= reached:
            return reached
        reached |= fired
        wrong |= fired


def readers(teams: Sequence[str]) -> list[Consumer]:
    return [
        Consumer(
            name=name,
            kind=ConsumerKind.CONTRACT,
            dataset=dataset(name),
            team=team,
            channels=(Channel(tool="slack", address=f"#{team}"),),
        )
        for name, team in zip(DATASETS[1:], teams, strict=True)
    ]


@given(GRAPHS, st.lists(st.sampled_from(COLUMNS), unique=True))
def test_exactly_what_a_failing_column_reaches_is_affected(graph: Graph, columns: list[str]) -> None:
    wrong = set().union(*(wrong_from(c, graph) for c in columns or [None]))
    consumers = readers(["red"] * 4)

    found = affected(columns, dataset("flights"), graph, consumers)

    expected: dict[str, set[str | None]] = {}
    for ref in wrong:
        if ref.dataset != dataset("flights"):
            expected.setdefault(ref.dataset.name, set()).add(ref.column)
    assert {a.consumer.name: set(a.columns) for a in found} == {
        name: set() if None in reached else reached for name, reached in expected.items()
    }
    for one in found:
        for path in one.paths:
            assert path[0].source.dataset == dataset("flights")
            assert path[-1].target.dataset == one.consumer.dataset
            assert all(e.target.dataset == n.source.dataset for e, n in pairwise(path))


@given(GRAPHS, TEAMS, FAILING)
def test_every_affected_team_is_told_once_and_nobody_else_ever(
    graph: Graph, teams: list[str], failing: list[str | None]
) -> None:
    consumers = readers(teams)
    checks = [Check(id=f"c.{c}", kind="k", table="flights", columns=(c,) if c else ()) for c in failing]
    bad = step((), run(NOON, "month=12", *(fails(c) for c in checks)), NOON)
    later = NOON + timedelta(hours=1)
    good = step(bad.incidents, run(later, "month=12", *(passes(c) for c in checks)), later)

    begun = told(bad.transitions, graph=graph, consumers=consumers)
    ended = told(good.transitions, graph=graph, consumers=consumers)

    reached_by = {
        team: {c for c in failing if any(r.dataset.name in names for r in wrong_from(c, graph))}
        for team in set(teams)
        for names in [[d for d, t in zip(DATASETS[1:], teams, strict=True) if t == team]]
    }
    expected = [("owner", "flight-ops")] + [
        ("stakeholder", t) for t in sorted(reached_by) if t != "flight-ops" and reached_by[t]
    ]
    assert whom(begun) == expected
    assert whom(ended) == expected
    assert len({m.key for m in (*begun, *ended)}) == 2 * len(expected)
    names = {t.incident.fingerprint: t.incident.columns for t in bad.transitions}
    for message in begun:
        if message.audience is Audience.STAKEHOLDER:
            about = {next(iter(names[f]), None) for f in message.incidents}
            assert about == reached_by[message.team]


@given(GRAPHS, TEAMS, FAILING)
def test_no_stakeholder_reads_a_value_or_the_name_of_a_check(
    graph: Graph, teams: list[str], failing: list[str | None]
) -> None:
    checks = [
        Check(
            id=f"CHECK-{c}",
            kind="KIND",
            table="flights",
            columns=(c,) if c else (),
            title="TITLE with a limit of 4711",
        )
        for c in failing
    ]
    results = [
        replace(fails(c), found="FOUND", expected="EXPECTED", samples=({"x": "SAMPLE"},)) for c in checks
    ]
    results += [Result(check=replace(TAILNUM, id="CHECK-ok"), outcome=Outcome.PASSED)]
    transitions = advance((), run(NOON, "month=12", *results), NOON)
    for message in told(transitions, graph=graph, consumers=readers(teams)):
        if message.audience is Audience.STAKEHOLDER:
            text = message.title + str(message.sections)
            for internal in ("CHECK", "KIND", "TITLE", "4711", "FOUND", "EXPECTED", "SAMPLE", ".yaml"):
                assert internal not in text
            assert all(not s.rows for s in message.sections)
