"""Runs, figures over time and incidents in the store."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from contracts_svc.adapters.store.codec import dumps, loads
from contracts_svc.adapters.store.store import DatabaseStore
from contracts_svc.alerts import Incident, IncidentState, Transition
from contracts_svc.incidents import step
from contracts_svc.runs import Breakdown, Outcome, Result, Run, Unsupported
from tests.acceptance.test_api import orders
from tests.alerts_world import CARRIER, DEP_DELAY, NOON, fails, passes, run
from tests.fixtures_store import read_contract

HOUR = timedelta(hours=1)


def hourly(hour: int, *results: Result) -> Run:
    return replace(run(NOON + hour * HOUR, "month=12", *results), rows=10 * hour)


def test_a_run_is_kept_whole(store: DatabaseStore) -> None:
    failed = replace(
        fails(DEP_DELAY),
        samples=({"dep_delay": -1, "name": "\u0000", "n": math.inf},),
        breakdown=(Breakdown(where="month=12", failing=3),),
        values={"failing": 3, "text": "ü"},
    )
    kept = replace(hourly(0, failed, passes(CARRIER)), unsupported=(Unsupported(what="a", reason="b"),))
    run_id = store.put_run(kept)
    assert store.run(run_id) == kept
    assert store.runs("urn:flights", "flights") == (kept,)
    assert store.run("unknown") is None


def test_the_same_run_again_changes_nothing(store: DatabaseStore) -> None:
    kept = hourly(0, fails(DEP_DELAY))
    assert store.put_run(kept) == store.put_run(kept)
    assert len(store.runs("urn:flights", "flights")) == 1
    assert store.put_run(hourly(1, fails(DEP_DELAY))) != store.put_run(kept)


def test_runs_come_latest_first_in_pages(store: DatabaseStore) -> None:
    for hour in (1, 3, 2):
        store.put_run(hourly(hour))
    found = store.runs("urn:flights", "flights", limit=2)
    assert [r.rows for r in found] == [30, 20]
    assert [r.rows for r in store.runs("urn:flights", "flights", before=found[-1].started)] == [10]
    assert store.runs("urn:flights", "other") == ()
    store.put_run(replace(hourly(4), table="planes"))
    many = ("planes", *(f"t{n}" for n in range(2_000)), "flights")
    for tables in (("flights", "planes"), many):
        assert [(r.table, r.rows) for r in store.runs("urn:flights", *tables, limit=3)] == [
            ("planes", 40),
            ("flights", 30),
            ("flights", 20),
        ]


def test_the_latest_runs_of_a_tenant_and_which_tables_were_ever_checked(store: DatabaseStore) -> None:
    for id_, tenant in (("urn:flights", ""), ("a", "acme")):
        text = orders(id=id_, tenant=tenant)
        store.put_contract(read_contract(text, "a.odcs.yaml"), text, NOON)
    failed = fails(DEP_DELAY)
    # More of the other tenant than are looked at at once.
    for hour in range(203):
        store.put_run(replace(hourly(hour, failed), contract="a"))
    for hour in (1, 3, 2):
        store.put_run(hourly(hour, failed))
    store.put_run(replace(hourly(9), contract="unknown"))
    found = store.recent_runs("", limit=2)
    assert [(r.contract, r.rows, r.results) for r in found] == [
        ("urn:flights", 30, (failed,)),
        ("urn:flights", 20, (failed,)),
    ]
    assert [r.rows for r in store.recent_runs("", before=found[-1].started)] == [10]
    assert [r.rows for r in store.recent_runs("acme", limit=2)] == [2020, 2010]
    assert store.recent_runs("other") == ()
    places = [
        ("urn:flights", "flights"),
        ("a", "flights"),
        ("a", "other"),
        *((f"x{n}", "t") for n in range(2_000)),
    ]
    assert store.ever_checked(places) == {("urn:flights", "flights"), ("a", "flights")}
    assert store.ever_checked([]) == frozenset()


def test_figures_over_time(store: DatabaseStore) -> None:
    for hour, failing in enumerate((3, 0, 5)):
        result = replace(
            fails(DEP_DELAY), failing=failing, rows=100, values={"failing": failing, "share": failing / 7}
        )
        store.put_run(hourly(hour, result, passes(CARRIER)))
    start = hourly(1).finished

    def figures(figure: str, since: datetime, limit: int = 10) -> list[float]:
        found = store.measurements("urn:flights", "flights", DEP_DELAY.id, figure, since=since, limit=limit)
        return [p.value for p in found]

    assert figures("failing", NOON - HOUR) == [3, 0, 5]
    assert figures("share", start) == [0, 5 / 7]
    assert figures("rows", start, limit=1) == [100]
    assert figures("unknown", NOON) == []
    (point, _) = store.measurements("urn:flights", "flights", DEP_DELAY.id, "failing", since=start)
    assert (point.at, point.scope, point.outcome) == (start, "month=12", Outcome.FAILED)


def test_old_figures_are_forgotten_in_small_steps_and_runs_stay(store: DatabaseStore) -> None:
    for hour in range(5):
        store.put_run(hourly(hour, replace(fails(DEP_DELAY), failing=1, rows=2, values={})))
    assert [store.prune_measurements(hourly(3).finished, batch=4) for _ in range(3)] == [4, 2, 0]
    left = store.measurements("urn:flights", "flights", DEP_DELAY.id, "failing", since=NOON - HOUR)
    assert [p.at for p in left] == [hourly(3).finished, hourly(4).finished]
    assert len(store.runs("urn:flights", "flights")) == 5


def test_incidents_are_kept_as_they_are_now_until_they_are_resolved(store: DatabaseStore) -> None:
    first, second = step((), run(NOON, "month=12", fails(DEP_DELAY), fails(CARRIER)), NOON).incidents
    store.put_incidents([first, second])
    assert sorted(store.incidents(), key=lambda i: i.check) == sorted([first, second], key=lambda i: i.check)
    known = replace(first, state=IncidentState.ACKNOWLEDGED, owner="amelia")
    store.put_incidents([known, replace(second, state=IncidentState.RESOLVED, resolved=NOON)])
    assert store.incidents() == (known,)


def test_every_transition_is_kept_with_its_evidence(store: DatabaseStore) -> None:
    opened = step((), run(NOON, "month=12", fails(DEP_DELAY)), NOON)
    store.put_incidents(opened.incidents, opened.transitions)
    store.put_incidents(opened.incidents, opened.transitions)
    closed = step(store.incidents(), run(NOON + HOUR, "month=12", passes(DEP_DELAY)), NOON + HOUR)
    store.put_incidents(closed.incidents, closed.transitions)
    (incident,) = opened.incidents
    found = store.transitions(incident.fingerprint)
    assert found == (*opened.transitions, *closed.transitions)
    assert [(t.before, t.incident.state) for t in found] == [
        (None, IncidentState.OPEN),
        (IncidentState.OPEN, IncidentState.RESOLVED),
    ]
    assert store.incidents() == ()


def test_documents_of_other_versions_of_the_code_can_be_read() -> None:
    (incident,) = step((), run(NOON, "month=12", fails(DEP_DELAY)), NOON).incidents
    made = Transition(incident=incident, before=None, at=datetime(2024, 1, 1, tzinfo=UTC), reason="r")
    text = dumps(made)
    assert loads(Transition, text) == made
    later = text.replace('"reason":"r"', '"reason":"r","later":{"a":[1]}')
    assert later != text
    assert loads(Transition, later) == made
    earlier = dumps(incident).replace(',"owner":null', "")
    assert "owner" not in earlier
    assert loads(Incident, earlier) == incident
