"""What is old is forgotten in small transactions, and nothing else is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from contracts_svc.adapters.openlineage import read_parsed, take
from contracts_svc.adapters.store.store import DatabaseStore
from contracts_svc.flows.retention import Keep, prune
from contracts_svc.flows.stored_lineage import StoredLineage
from contracts_svc.ports_store import SERVICE
from contracts_svc.runs import Run
from contracts_svc.schedules_runs import Planned, PublishEvent, Reason, RunState
from tests.acceptance.test_api import orders
from tests.alerts_world import DEP_DELAY, fails, run
from tests.fixtures_store import read_contract

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
MONTH = timedelta(days=30)
KEEP = Keep(measurements=MONTH, runs=2 * MONTH, events=MONTH, lineage=MONTH, messages=MONTH)


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def found(at: datetime, table: str = "flights") -> Run:
    return replace(run(at, "month=12", fails(DEP_DELAY)), table=table)


def forget(store: DatabaseStore, **more: Any) -> Mapping[str, int]:
    done = prune(store, StoredLineage(store, take, read_parsed), KEEP, NOW, **more)
    return {what: count for what, count in done.items() if count}


def test_old_runs_go_with_results_and_figures_and_the_last_of_a_table_stays(store: DatabaseStore) -> None:
    for days in (1, 40, 70, 80):
        store.put_run(found(ago(days)))
    store.put_run(found(ago(400), "planes"))
    assert [store.prune_runs(NOW - 2 * MONTH, batch=1) for _ in range(3)] == [1, 1, 0]
    assert [r.started for r in store.runs("urn:flights", "flights")] == [ago(1), ago(40)]
    assert [r.started for r in store.runs("urn:flights", "planes")] == [ago(400)]
    assert all(r.results for r in store.runs("urn:flights", "flights"))
    figures = store.prune_measurements(NOW - MONTH)
    assert figures > 0
    assert forget(store) == {}
    left = store.measurements("urn:flights", "flights", DEP_DELAY.id, "failing", since=ago(1_000))
    assert [p.at for p in left] == [found(ago(1)).finished]


def planned(days: float, reason: Reason, table: str = "t", **more: Any) -> Planned:
    return Planned(tenant="", contract="c", table=table, scheduled_for=ago(days), reason=reason, **more)


def finish_all(store: DatabaseStore) -> None:
    for each in store.waiting_runs(NOW, per_group=100):
        begun = store.claim(each.id, "w", each.scheduled_for)
        assert begun is not None
        assert store.finish(begun, RunState.DONE, each.scheduled_for)


def test_of_scheduled_runs_stays_by_what_it_is_known_what_was_due(store: DatabaseStore) -> None:
    store.put_events([PublishEvent(key=k, tenant="", contract="c", table="t", at=ago(70)) for k in "ab"])
    one, two = store.open_events()
    yearly = planned(300, Reason.SCHEDULE, "yearly")
    store.plan_runs(
        [
            planned(100, Reason.SCHEDULE),
            planned(90, Reason.CATCH_UP),
            planned(80, Reason.MANUAL),
            planned(70, Reason.PUBLISH, events=(one.id,)),
            yearly,
            planned(65, Reason.MANUAL, "yearly"),
            planned(5, Reason.SCHEDULE),
        ],
        NOW,
    )
    waits = planned(99, Reason.MANUAL, "waits")
    finish_all(store)
    store.plan_runs([waits], NOW)
    assert forget(store) == {"events": 1, "scheduled runs": 5}
    assert [e.id for e in store.open_events()] == [two.id], "what no run has answered stays"
    assert [r.scheduled_for for r in store.scheduled_runs("c", table="t")] == [ago(5)]
    assert [r.scheduled_for for r in store.scheduled_runs("c", table="yearly")] == [yearly.scheduled_for]
    assert store.plan_runs([yearly], NOW) == 0, "a leader that begins anew plans it no second time"
    assert len(store.scheduled_runs("c", table="waits")) == 1


def event(job: str, at: datetime, source: str) -> dict[str, Any]:
    facet = {
        "fields": {"total": {"inputFields": [{"namespace": "s3://lake", "name": source, "field": "amount"}]}}
    }
    return {
        "eventType": "COMPLETE",
        "eventTime": at.isoformat(),
        "producer": "https://etl.example",
        "run": {"runId": job},
        "job": {"namespace": "etl", "name": job},
        "inputs": [{"namespace": "s3://lake", "name": source}],
        "outputs": [{"namespace": "s3://lake", "name": "revenue", "facets": {"columnLineage": facet}}],
    }


def test_lineage_that_no_job_reports_any_more_goes_with_its_edges(store: DatabaseStore) -> None:
    lineage = StoredLineage(store, take, read_parsed)
    for tenant in ("", "acme"):
        lineage.take(
            [event("new", ago(1), "orders"), event("old", ago(40), "orders")], tenant=tenant, now=NOW
        )
        lineage.take(
            [event("both", ago(50), "returns"), event("both", ago(2), "orders")], tenant=tenant, now=NOW
        )

    def edges() -> set[tuple[str, str]]:
        return {(e.origin, e.source.dataset.name) for e in store.edges()}

    before = edges()
    assert forget(store) == {"reports of lineage": 4}
    assert forget(store) == {}
    gone = {(origin, name) for origin, name in before - edges()}
    assert {origin.rpartition("/")[2] for origin, _ in gone} == {"old", "both"}
    assert all(name.endswith("returns") for origin, name in gone if origin.endswith("both"))
    for tenant in ("", "acme"):
        lineage.take([event("old", ago(40), "orders")], tenant=tenant, now=NOW)
        lineage.take([event("both", ago(50), "returns")], tenant=tenant, now=NOW)
    assert edges() == before


def test_contracts_incidents_and_the_audit_stay(store: DatabaseStore) -> None:
    text = orders("1.0.0")
    store.put_contract(read_contract(text, "c.yaml"), text, ago(4_000), SERVICE)
    store.retire_contract("orders", ago(3_000), SERVICE)
    assert forget(store) == {}
    assert len(store.versions("orders")) == 1
    assert [e.action for e in store.audit()] == ["registered", "retired"]


def test_it_ends_when_it_is_told_to(store: DatabaseStore) -> None:
    for days in (70, 80, 90):
        store.put_run(found(ago(days)))
    assert forget(store, goes_on=lambda: False) == {}
    assert forget(store)["runs"] == 2


def test_what_is_known_of_files_goes_with_their_contract(store: DatabaseStore) -> None:
    for name in ("orders", "planes"):
        text = orders("1.0.0").replace(b"id: orders", f"id: {name}".encode())
        store.put_contract(read_contract(text, "c.yaml"), text, NOW)
        store.put_states(f"{name}\nt\nlake\ns3://lake/*", {f"{n:032x}": {"rows": n} for n in range(5)})
    assert store.prune_states(batch=3) == 0
    store.retire_contract("orders", NOW, SERVICE)
    assert [store.prune_states(batch=3) for _ in range(3)] == [3, 2, 0]
    assert store.states("orders\nt\nlake\ns3://lake/*", [f"{1:032x}"]) == {}
    assert len(store.states("planes\nt\nlake\ns3://lake/*", [f"{n:032x}" for n in range(5)])) == 5


def test_presses_of_buttons_are_forgotten(store: DatabaseStore) -> None:
    store.hear(["a", "b", "c"], ago(40))
    store.hear(["d"], ago(20))
    assert [store.prune_heard(ago(30), batch=2) for _ in range(3)] == [2, 1, 0]
    assert store.hear(["a", "d"], NOW) == {"a"}
    store.hear(["e"], ago(40))
    assert forget(store) == {"presses of buttons": 1}
