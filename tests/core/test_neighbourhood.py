"""Which incidents a run looks at: those that lineage joins with it, and what it says is the same."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from contracts_svc.adapters.store.store import DatabaseStore
from contracts_svc.alerts import Incident
from contracts_svc.flows.neighbourhood import around
from contracts_svc.flows.notify import notify
from contracts_svc.lineage.graph import EdgeType, Graph
from contracts_svc.ports_store import IncidentStore
from tests.acceptance.test_alerts_everyone import check
from tests.alerts_world import (
    CONTRACTS,
    GRAPH,
    NOON,
    consumer,
    contract,
    dataset_of,
    edge,
    fails,
    passes,
    run,
)
from tests.core.quality import FixedClock
from tests.fixtures_store import memory_store

TABLES = [f"t{n}" for n in range(8)]


def test_what_is_made_of_it_and_all_that_these_are_made_of() -> None:
    def names(table: str) -> set[str]:
        return {t for _, t in around((f"urn:{table}", table), CONTRACTS, dataset_of, GRAPH)}

    assert names("weather") == {"weather", "daily_delays", "flights"}
    assert names("carrier_scorecard") == {"carrier_scorecard", "flights"}
    assert names("unknown") == {"unknown"}


class Every(DatabaseStore):
    """Looks at all incidents, wherever they are."""

    def table_incidents(
        self, places: Collection[tuple[str, str]], resolved_since: datetime
    ) -> tuple[Incident, ...]:
        return self.incidents(resolved_since)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32))
def test_the_others_would_change_nothing(seed: int) -> None:
    chance = random.Random(seed)
    arrows = {
        (f"{s}.{c}", f"{t}.{d}")
        for s in TABLES for t in TABLES for c in "ab" for d in "ab" if s != t and chance.random() < 0.04
    }  # fmt: skip
    graph = Graph.of(edge(s, t, EdgeType.IDENTITY) for s, t in sorted(arrows))
    contracts = {f"urn:{t}": contract(t, f"team-{t}", "", "a", "b") for t in TABLES}
    consumers = [consumer(t, t, f"team-{t}") for t in TABLES]
    few = memory_store()
    stores: tuple[DatabaseStore, ...] = (few, Every(memory_store().database, few._read))
    for number in range(14):
        at = NOON + timedelta(minutes=10 * number)
        table = chance.choice(TABLES)
        found = run(
            at,
            "whole table",
            *((fails if chance.random() < 0.6 else passes)(check(table, c)) for c in "ab"),
            table=table,
        )
        told = [
            notify(
                found,
                store=store,
                outbox=store,
                contracts=contracts,
                dataset_of=dataset_of,
                graph=graph,
                consumers=consumers,
                clock=FixedClock(at),
            )
            for store in stores
        ]
        assert told[0].transitions == told[1].transitions
        assert {n.key: n for n in told[0].queued} == {n.key: n for n in told[1].queued}
        assert stores[0].incidents(NOON) == stores[1].incidents(NOON)


@contextmanager
def counted(store: DatabaseStore) -> Iterator[list[str]]:
    """Every statement that is sent to the database."""
    seen: list[str] = []

    def note(connection: object, cursor: object, statement: str, *more: object) -> None:
        seen.append(statement)

    event.listen(store.database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(store.database.engine, "before_cursor_execute", note)


@pytest.mark.parametrize("others", [0, 2_000])
def test_the_incidents_of_other_tables_cost_nothing(others: int) -> None:
    """As many queries, and as many incidents read, however many are open elsewhere."""
    store = memory_store()
    contracts = {f"urn:{t}": contract(t, f"team-{t}", "", "a") for t in ("t0", "t1")}
    graph = Graph.of([edge("t0.a", "t1.a", EdgeType.IDENTITY)])
    other = run(NOON, "whole table", *(fails(check(f"o{n}", "a")) for n in range(others)), table="o")
    from contracts_svc.incidents import step

    store.put_incidents(step((), other, NOON).incidents)
    read: list[int] = []
    original: IncidentStore = store

    class Counting(DatabaseStore):
        def table_incidents(
            self, places: Collection[tuple[str, str]], resolved_since: datetime
        ) -> tuple[Incident, ...]:
            found = original.table_incidents(places, resolved_since)
            read.append(len(found))
            return found

    watched = Counting(store.database, store._read)

    def tell(table: str) -> None:
        notify(
            run(NOON, "whole table", fails(check(table, "a")), table=table),
            store=watched,
            outbox=watched,
            contracts=contracts,
            dataset_of=dataset_of,
            graph=graph,
            consumers=[consumer("t1", "t1", "team-t1")],
            clock=FixedClock(NOON),
        )

    tell("t0")
    with counted(store) as statements:
        tell("t1")
    assert read == [0, 1]
    selects = [s for s in statements if s.startswith("SELECT")]
    assert len(selects) == 3, "its incidents, and the groups by key and by incident"
    assert sum("FROM incidents" in s for s in selects) == 1
