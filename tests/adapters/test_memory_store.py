"""The store in memory keeps what the port promises."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from contracts_svc.adapters.store.memory import MemoryStore
from contracts_svc.alerts import IncidentState
from contracts_svc.errors import Location, UserMistake
from contracts_svc.incidents import step
from contracts_svc.lineage.graph import EdgeType
from contracts_svc.model import Contract
from contracts_svc.ports import Store
from tests.alerts_world import CARRIER, DEP_DELAY, NOON, edge, fails, run

NOW = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.fixture
def store() -> Store:
    return MemoryStore()


def version(number: str, id_: str = "urn:flights") -> Contract:
    return Contract(
        api_version="v3.1.0", id=id_, version=number, places={"version": Location("f.yaml", 3, 1)}
    )


def test_a_version_is_kept_once(store: Store) -> None:
    assert store.put_contract(version("1.0.0"), "text", NOW) is True
    assert store.put_contract(version("1.0.0"), "text", NOW) is False
    assert store.versions("urn:flights") == (version("1.0.0"),)


def test_a_version_never_changes(store: Store) -> None:
    store.put_contract(version("1.0.0"), "text", NOW)
    with pytest.raises(UserMistake) as caught:
        store.put_contract(version("1.0.0"), "other text", NOW)
    (problem,) = caught.value.problems
    assert "version 1.0.0 of contract urn:flights" in problem.message
    assert "raise `version`" in problem.hint
    assert problem.at == Location("f.yaml", 3, 1)


def test_the_same_version_of_another_contract_is_another_thing(store: Store) -> None:
    store.put_contract(version("1.0.0"), "text", NOW)
    assert store.put_contract(version("1.0.0", "urn:planes"), "other text", NOW) is True


# The chain of semantic versioning 2.0.0, section 11, and what contracts write besides.
ASCENDING = (
    "0.9.0",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    "v1.0.1",
    "1.2",
    "1.10.0",
    "2",
    "2.0.1",
    "2024.1.1",
    "draft",
)


def test_versions_are_ordered_as_semantic_versioning_says(store: Store) -> None:
    shuffled = list(ASCENDING)
    random.Random(7).shuffle(shuffled)
    for number in shuffled:
        store.put_contract(version(number), number, NOW)
    assert tuple(c.version for c in store.versions("urn:flights")) == ASCENDING
    assert store.contracts() == (version("draft"),)


def test_versions_of_one_rank_are_ordered_by_when_they_came(store: Store) -> None:
    for n, number in enumerate(["1.0.0+build.2", "1.0", "v1.0.0", "1.0.0+build.1"]):
        store.put_contract(version(number), number, NOW + timedelta(days=n))
    assert [c.version for c in store.versions("urn:flights")] == [
        "1.0.0+build.2",
        "1.0",
        "v1.0.0",
        "1.0.0+build.1",
    ]


def test_contracts_are_the_latest_versions_by_id(store: Store) -> None:
    for id_, number in [("b", "1.0.0"), ("a", "1.10.0"), ("a", "1.9.0")]:
        store.put_contract(version(number, id_), number, NOW)
    assert [(c.id, c.version) for c in store.contracts()] == [("a", "1.10.0"), ("b", "1.0.0")]
    assert store.versions("unknown") == ()


def test_an_edge_that_is_there_only_gets_the_later_seen(store: Store) -> None:
    one = edge("flights.dep_delay", "daily_delays.mean_dep_delay", EdgeType.AGGREGATION)
    other = edge("flights.dest", "carrier_scorecard.destinations", EdgeType.AGGREGATION)
    early, late = replace(one, seen=NOW), replace(one, seen=NOW + timedelta(days=1))
    store.put_edges([one, other])
    store.put_edges([late])
    store.put_edges([early, one])
    assert store.edges() == (one, other)
    assert [e.seen for e in store.edges()] == [NOW + timedelta(days=1), None]


def test_incidents_are_kept_as_they_are_now_until_they_are_resolved(store: Store) -> None:
    first, second = step((), run(NOON, "month=12", fails(DEP_DELAY), fails(CARRIER)), NOON).incidents
    store.put_incidents([first, second])
    assert sorted(i.check for i in store.incidents()) == sorted([first.check, second.check])

    known = replace(first, state=IncidentState.ACKNOWLEDGED, owner="amelia")
    store.put_incidents([known, replace(second, state=IncidentState.RESOLVED, resolved=NOON)])
    assert store.incidents() == (known,)
