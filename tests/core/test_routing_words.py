"""What messages say, sentence by sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from contracts_svc.alerts import Notification
from contracts_svc.incidents import USUAL, advance
from contracts_svc.incidents_background import Background, LastGood
from contracts_svc.incidents_people import acknowledge, tick
from contracts_svc.lineage.graph import EdgeKind, EdgeType, Graph
from contracts_svc.model import Contract
from contracts_svc.routing import notifications
from contracts_svc.runs import Breakdown, Check, Result
from tests.alerts_world import (
    CONSUMERS,
    CONTRACTS,
    DEP_DELAY,
    GRAPH,
    NOON,
    ROW_COUNT,
    TAILNUM,
    WORST,
    dataset_of,
    edge,
    fails,
    passes,
    run,
)


def messages(
    *results: Result,
    scope: str = "month=12",
    graph: Graph = GRAPH,
    contracts: Mapping[str, Contract] = CONTRACTS,
    **more: Any,
) -> tuple[Notification, ...]:
    return notifications(
        advance((), run(NOON, scope, *results), NOON),
        contracts=contracts,
        dataset_of=dataset_of,
        graph=graph,
        consumers=CONSUMERS,
        now=NOON,
        **more,
    )


def lines(message: Notification, heading: str) -> tuple[str, ...]:
    return next(s.lines for s in message.sections if s.heading == heading)


def test_the_owner_reads_what_is_needed_to_repair_it() -> None:
    owner = messages(fails(DEP_DELAY))[0]
    assert owner.title == "flights: dep_delay is not as promised since month=12"
    check = owner.sections[0]
    assert check.heading == "dep_delay lies between -60 and 1800"
    assert check.lines == (
        "Check: flights.dep_delay.range (error)",
        "Expected: no failing rows",
        "Found: 1,204 failing rows",
        "Failing rows: 1,204 of 28,135 (4.3 %)",
        "Since: month=12, first seen 2024-01-01 12:00 UTC",
        "Promised at: contracts/flights.odcs.yaml:41",
        "Sample rows: 1 of those that fail",
    )
    assert check.rows == ({"month": 12, "carrier": "XSECRETX", "dep_delay": 987_654},)
    assert lines(owner, "Who is affected and told") == (
        'executive-reporting (#executive-reporting on Slack): "worst" of the dashboard "On-time performance"',
        "finance (#finance on Slack): carrier_scorecard.worst_dep_delay",
        "punctuality (#punctuality on Slack): daily_delays.mean_dep_delay",
    )
    first, _ = lines(owner, "What to do next")
    assert first.endswith("contracts check contracts/flights.odcs.yaml --partition month=12")


def test_the_owner_reads_when_all_was_well_and_what_the_cause_may_be() -> None:
    good = LastGood(at=NOON - timedelta(days=1), scope="month=12", version="1.0.0")
    known = Background(looked=10, last_good=good, causes=("The data is late: x",))
    owner, *others = messages(fails(DEP_DELAY), background=lambda incident: known)
    assert "Last good run: 2023-12-31 12:00 UTC on month=12, by version 1.0.0" in owner.sections[0].lines
    assert lines(owner, "Likely cause") == ("The data is late: x",)
    assert all("good run" not in str(m.sections) and "late" not in str(m.sections) for m in others)
    never = messages(fails(DEP_DELAY), background=lambda incident: Background(looked=10))[0]
    assert "Last good run: none of the last 10" in never.sections[0].lines
    assert "Likely cause" not in [s.heading for s in never.sections]


def test_what_is_wrong_further_up_is_named_as_the_cause() -> None:
    (above,) = (t.incident for t in advance((), run(NOON, "month=12", fails(DEP_DELAY)), NOON))
    below = advance((), run(NOON, "month=12", fails(WORST), table="carrier_scorecard"), NOON)
    told = notifications(
        [replace(t, incident=replace(t.incident, cause=above.fingerprint)) for t in below],
        contracts=CONTRACTS,
        dataset_of=dataset_of,
        graph=GRAPH,
        consumers=CONSUMERS,
        now=NOON,
        still_open=[above],
    )
    assert lines(told[0], "Likely cause") == (
        "dep_delay lies between -60 and 1800 (since month=12) is wrong in flights, which this is made from",
    )


def test_links_lead_to_this_service_and_to_whom_to_ask() -> None:
    flights = CONTRACTS["urn:flights"]
    reached = replace(
        flights, support=(replace(flights.support[1], url="https://acme.slack.com/archives/C1"),)
    )
    contracts = {**CONTRACTS, flights.id: reached}
    owner, finance, *_ = messages(
        fails(DEP_DELAY), contracts=contracts, public_url="https://data.example.com/"
    )
    base = "https://data.example.com"
    assert [(x.text, x.url) for x in owner.sections[-1].links] == [
        ("Incident: dep_delay lies between -60 and 1800", f"{base}/incidents/{owner.incidents[0]}"),
        ("Contract flights", f"{base}/contracts/urn:flights"),
    ]
    # Rows stand in the incident, which a stakeholder is not led to.
    assert [(x.text, x.url) for x in finance.sections[-1].links] == [
        ("Contract flights", f"{base}/contracts/urn:flights"),
        ("Ask flight-ops", "https://acme.slack.com/archives/C1"),
    ]
    evil = replace(flights, support=(replace(flights.support[1], url="javascript:alert(1)"),))
    found = messages(fails(DEP_DELAY), contracts={**CONTRACTS, flights.id: evil})
    assert all(not s.links for m in found for s in m.sections)


@pytest.mark.parametrize(
    ("kind", "dimension", "columns", "words"),
    [
        ("required", None, ("dep_delay",), "flights.dep_delay has values missing"),
        ("minimum", None, ("dep_delay",), "flights.dep_delay has values beyond what is promised"),
        ("pattern", None, ("dep_delay",), "flights.dep_delay has values that are not of the promised form"),
        (
            "primary-key",
            None,
            ("carrier", "dep_delay"),
            "flights.carrier and flights.dep_delay do not tell rows apart",
        ),
        ("relationship", None, ("dep_delay",), "flights.dep_delay names what other data does not know"),
        ("row-count", None, (), "flights does not have as many rows as it should"),
        ("freshness", None, (), "flights is late"),
        ("missing-column", None, ("dep_delay",), "flights.dep_delay is not there"),
        ("sql", None, ("dep_delay",), "flights.dep_delay is not as its contract promises"),
        ("sql", None, ("carrier", "dep_delay"), "flights.carrier and flights.dep_delay are not as"),
        ("sql", "uniqueness", ("dep_delay",), "flights.dep_delay has duplicates"),
    ],
)
def test_what_is_wrong_in_plain_words(
    kind: str, dimension: str | None, columns: tuple[str, ...], words: str
) -> None:
    check = Check(id="c", kind=kind, table="flights", columns=columns, dimension=dimension)
    finance = next(m for m in messages(fails(check)) if m.team == "finance")
    assert lines(finance, "What is wrong")[0].startswith(words)


def test_the_same_said_twice_is_said_once_and_the_worst_of_it() -> None:
    low, high = (Check(id=k, kind=k, table="flights", columns=("dep_delay",)) for k in ("minimum", "maximum"))
    finance = next(
        m for m in messages(fails(low, failing=10), fails(high, failing=1_204)) if m.team == "finance"
    )
    assert lines(finance, "What is wrong") == (
        "flights.dep_delay has values beyond what is promised in some rows, 1,204 of 28,135 (4.3 %);"
        " since month=12, first seen 2024-01-01 12:00 UTC",
    )


def test_columns_that_do_the_same_are_one_sentence() -> None:
    graph = Graph.of(
        [
            edge(f"flights.{c}", t, EdgeType.GROUP_BY, EdgeKind.INDIRECT)
            for c in ("carrier", "dep_delay", "month")
            for t in ("daily_delays", "daily_delays.temp")
        ]
    )
    key = Check(id="k", kind="primary-key", table="flights", columns=("carrier", "dep_delay", "month"))
    stakeholder = messages(fails(key), graph=graph)[1]
    assert lines(stakeholder, "What of yours is affected") == (
        "How the rows of daily_delays are grouped is decided by flights.carrier, flights.dep_delay and"
        " flights.month",
        "daily_delays.temp depends on flights.carrier, flights.dep_delay and flights.month",
    )


def test_a_stakeholder_hears_that_nobody_is_on_it_any_more() -> None:
    (opened,) = advance((), run(NOON, "month=12", fails(DEP_DELAY)), NOON)
    until = NOON + timedelta(hours=2)
    taken = acknowledge(opened.incident, "ada", until, NOON)
    told = notifications(
        tick([taken.incident], until, USUAL),
        contracts=CONTRACTS,
        dataset_of=dataset_of,
        graph=GRAPH,
        consumers=CONSUMERS,
        now=until,
    )
    assert any(line.startswith("Changed: acknowledged by ada until") for line in told[0].sections[0].lines)
    assert lines(told[1], "Who is on it")[1] == (
        "Nobody of them any more: it was acknowledged by ada until 2024-01-01 14:00 UTC, and not over"
    )


def test_the_breakdown_is_worst_first() -> None:
    parts = tuple(Breakdown(where=f"month={m}", failing=n) for m, n in ((12, 5), (2, 5), (11, 1_020)))
    result = replace(fails(DEP_DELAY, failing=1_030), breakdown=parts)
    owner = messages(result, scope="whole table")[0]
    assert "Where: month=11: 1,020; month=2: 5; month=12: 5" in owner.sections[0].lines
    assert owner.title.endswith("since month=2")
    # Three partitions are bad, so the whole table is what has to be checked again.
    assert "--partition" not in str(lines(owner, "What to do next"))


def test_the_stakeholder_reads_what_it_means_for_them() -> None:
    finance = next(m for m in messages(fails(DEP_DELAY)) if m.team == "finance")
    assert finance.title == "carrier_scorecard is affected by wrong data in flights since month=12"
    assert [(s.heading, s.lines, s.rows) for s in finance.sections] == [
        (
            "What of yours is affected",
            ("carrier_scorecard.worst_dep_delay is made from flights.dep_delay",),
            (),
        ),
        (
            "What is wrong",
            (
                "flights.dep_delay has values that cannot be right in some rows, 1,204 of 28,135 (4.3 %);"
                " since month=12, first seen 2024-01-01 12:00 UTC",
            ),
            (),
        ),
        ("Who is on it", ("flight-ops, in #flight-ops on Slack", "You hear here when it is over."), ()),
    ]


@pytest.mark.parametrize(
    ("type_", "kind", "target", "sentence"),
    [
        (
            EdgeType.IDENTITY,
            EdgeKind.DIRECT,
            ".temp",
            "daily_delays.temp is made from flights.tailnum",
        ),
        (
            EdgeType.CONDITIONAL,
            EdgeKind.INDIRECT,
            ".temp",
            "daily_delays.temp depends on flights.tailnum",
        ),
        (
            EdgeType.FILTER,
            EdgeKind.INDIRECT,
            "",
            "Which rows daily_delays has is decided by flights.tailnum",
        ),
        (
            EdgeType.JOIN,
            EdgeKind.INDIRECT,
            "",
            "Which rows of daily_delays are matched is decided by flights.tailnum",
        ),
        (
            EdgeType.WINDOW,
            EdgeKind.INDIRECT,
            "",
            "daily_delays as a whole depends on flights.tailnum",
        ),
    ],
)
def test_how_a_dataset_is_affected(type_: EdgeType, kind: EdgeKind, target: str, sentence: str) -> None:
    graph = Graph.of([edge("flights.tailnum", f"daily_delays{target}", type_, kind)])
    stakeholder = messages(fails(TAILNUM), graph=graph)[1]
    assert lines(stakeholder, "What of yours is affected") == (sentence,)


def test_lineage_without_columns_is_owned_up_to() -> None:
    graph = Graph.of([edge("flights", "daily_delays", EdgeType.UNKNOWN)])
    stakeholder = messages(fails(TAILNUM), graph=graph)[1]
    assert lines(stakeholder, "What of yours is affected") == (
        "daily_delays reads flights; which of its columns is not known",
    )


@pytest.mark.parametrize(
    ("failing", "rows", "words"),
    [
        (28_135, 28_135, "in nearly all rows, 28,135 of 28,135 (100.0 %)"),
        (20_000, 28_135, "in most rows"),
        (5_000, 28_135, "in many rows"),
        (1_204, 28_135, "in some rows"),
        (3, 28_135, "in few rows, 3 of 28,135 (under 0.1 %)"),
    ],
)
def test_how_bad_it_is_in_plain_words(failing: int, rows: int, words: str) -> None:
    result = replace(fails(DEP_DELAY, failing=failing), rows=rows)
    assert words in lines(messages(result)[1], "What is wrong")[0]


def test_a_table_that_is_wrong_as_a_whole_has_no_columns_in_the_title() -> None:
    result = replace(fails(ROW_COUNT), breakdown=(), failing=None, rows=None, samples=())
    owner, board, *_ = messages(result, scope="whole table")
    assert owner.title == "flights is not as promised"
    assert lines(board, "What is wrong") == (
        "flights is not as its contract promises; first seen 2024-01-01 12:00 UTC",
    )


def test_a_stakeholder_is_told_the_partition_and_not_the_file() -> None:
    path = "s3://flight-lake/flights/month=12/part-0.parquet"
    owner, *others = messages(fails(DEP_DELAY, where=path), scope="whole table")
    assert f"Since: {path}, first seen 2024-01-01 12:00 UTC" in owner.sections[0].lines
    assert all(m.title.endswith("since month=12") for m in (owner, *others))
    assert all("parquet" not in str(m.sections) for m in others)


def test_many_checks_and_long_names_keep_the_message_short() -> None:
    checks = [
        Check(id=f"check {n:03}", kind="k", table="flights", columns=(f"column_{n}_" + "x" * 200,))
        for n in range(50)
    ]
    owner = messages(*(fails(c) for c in checks))[0]
    assert len(owner.title) <= 120
    assert len(owner.sections) < 15
    assert lines(owner, "And 40 more checks")[-1] == "and 30 more"
    assert len(owner.incidents) == 50


def test_the_end_says_what_was_wrong_how_long_and_what_to_make_again() -> None:
    begun = advance((), run(NOON, "month=12", fails(DEP_DELAY)), NOON)
    end = NOON + timedelta(days=1, hours=2, seconds=30)
    over = advance([t.incident for t in begun], run(end, "month=12", passes(DEP_DELAY)), end)
    owner, _, finance, _ = notifications(
        over,
        contracts=CONTRACTS,
        dataset_of=dataset_of,
        graph=GRAPH,
        consumers=CONSUMERS,
        now=end,
    )
    assert owner.title == "flights: dep_delay is as promised again"
    assert owner.sections[0].lines[1:3] == (
        "Before: 1,204 failing rows. Now: passed on month=12",
        "Lasted: 2024-01-01 12:00 UTC to 2024-01-02 14:00 UTC (1 d 2 h)",
    )
    assert finance.title == "flights is right again: it is over for carrier_scorecard"
    assert lines(finance, "What to do next") == (
        "What was made from flights in that time may have to be made again:"
        " carrier_scorecard.worst_dep_delay",
    )
