"""Lineage grows old: when, by source, and what an impact is worth that needs an old edge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

import pytest

from contracts_svc.findings import ChangeKind
from contracts_svc.impact import Assessment
from contracts_svc.impact_age import assess_by_age
from contracts_svc.lineage.age import Age, Ages
from contracts_svc.lineage.graph import Edge, Graph
from contracts_svc.verdict import Outcome, decide
from tests.core.demo_downstream import DEMO_CONSUMERS, NOW, assessed, edge, finding

REMOVED = finding(ChangeKind.REMOVED, "a.x")


def seen(days: float, source: str = "a.x", target: str = "b.y", origin: str = "openlineage:e") -> Edge:
    return edge(source, target, seen=NOW - timedelta(days=days), origin=origin)


@pytest.mark.parametrize(
    ("given", "days", "age"),
    [
        (seen(30), {}, Age.FRESH),
        (seen(30.1), {}, Age.QUIET),
        (seen(90), {}, Age.QUIET),
        (seen(999), {}, Age.QUIET),
        (seen(90), {"stale_days": {"default": 90}}, Age.QUIET),
        (seen(90.1), {"stale_days": {"default": 90}}, Age.STALE),
        (seen(-5), {}, Age.FRESH),
        (edge("a.x", "b.y"), {}, Age.FRESH),
        (seen(8), {"quiet_days": {"default": 30, "openlineage": 7}}, Age.QUIET),
        (seen(8, origin="dbt:m"), {"quiet_days": {"default": 30, "openlineage": 7}}, Age.FRESH),
        (seen(999), {"stale_days": {"openlineage": None, "default": 1}}, Age.QUIET),
        (seen(999), {"stale_days": {}, "quiet_days": {}}, Age.FRESH),
        (seen(999, origin=""), {"stale_days": {"default": 1}}, Age.STALE),
    ],
)
def test_the_age_of_an_edge(given: Edge, days: Mapping[str, Mapping[str, int | None]], age: Age) -> None:
    assert Ages(now=NOW, **days).of(given) is age


def by_age(edges: Sequence[Edge]) -> Assessment:
    ages = Ages(now=NOW, stale_days={"default": 90})
    return assess_by_age(
        lambda graph: assessed([REMOVED], graph.edges, {}, DEMO_CONSUMERS, ages=ages), Graph.of(edges), ages
    )


def levels(found: Assessment) -> dict[str, str]:
    return {i.consumer.name: i.level.value for i in found.impacts}


def test_what_only_a_stale_edge_leads_to_is_unknown_and_shown() -> None:
    found = by_age([seen(100), seen(10, target="c.y")])
    assert levels(found) == {"c": "BREAKS", "b": "UNKNOWN"}
    told = next(i.reason for i in found.impacts if i.consumer.name == "b")
    assert told.endswith("but that b reads a was last seen on 2025-11-22: it may have ended")
    assert [(u.reader, u.source) for u in found.coverage.stale] == [("b", "a")]
    assert "b reads a: last seen on 2025-11-22, so it is stale and proves nothing" in found.coverage.unknown
    assert decide([REMOVED], found, now=NOW).must_agree == ()


def test_what_lies_behind_a_stale_edge_is_unknown_too() -> None:
    assert levels(by_age([seen(100), seen(1, "b.y", "c.z")])) == {"b": "UNKNOWN", "c": "UNKNOWN"}


def test_a_fresh_path_to_the_same_consumer_counts() -> None:
    detour = [seen(1, "a.x", "m.x"), seen(1, "m.x", "b.y")]
    assert levels(by_age([seen(100), *detour]))["b"] == "BREAKS"


def test_a_harmless_fresh_path_does_not_hide_what_a_stale_one_may_do() -> None:
    loosened = finding(ChangeKind.CHANGED, "a.x", field="description", old="one", new="two")
    ages = Ages(now=NOW, stale_days={"default": 90})

    def judge(graph: Graph) -> Assessment:
        return assessed([loosened, REMOVED], graph.edges, {}, DEMO_CONSUMERS, ages=ages)

    fresh, stale = seen(1, "a.z", "b.z"), seen(100, "a.x", "b.y")
    found = assess_by_age(judge, Graph.of([fresh, stale]), ages)
    by_rule = {i.finding.rule: i.level.value for i in found.impacts}
    assert by_rule["COLUMN_REMOVED"] == "UNKNOWN"
    assert decide([REMOVED], found, now=NOW).outcome is Outcome.WARN


def test_what_a_stale_edge_reads_is_not_called_unread() -> None:
    assert by_age([seen(100)]).unread == ()
    assert by_age([seen(100, "a.z")]).unread == (REMOVED,)


def test_quiet_lineage_is_named_and_counts() -> None:
    found = by_age([seen(40)])
    assert levels(found) == {"b": "BREAKS"}
    assert [(u.reader, u.source, f"{u.seen:%Y-%m-%d}") for u in found.coverage.quiet] == [
        ("b", "a", "2026-01-21")
    ]


def test_one_fresh_edge_of_two_datasets_shows_that_the_reader_lives() -> None:
    found = by_age([seen(40), seen(1, "a.z", "b.z")])
    assert found.coverage.quiet == ()


def test_coverage_counts_readers_and_those_of_unknown_columns() -> None:
    found = by_age([edge("a", "b", reason="a script"), edge("a.x", "c.y"), edge("c.y", "d.z")])
    assert (found.coverage.readers, found.coverage.columns_unknown) == (3, ("b",))
    assert found.coverage.summary == (
        "4 datasets and 5 consumers in the lineage, columns known of 2 of 3 readers of what changed"
    )
