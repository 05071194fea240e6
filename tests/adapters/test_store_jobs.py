"""Scheduled runs, publish events and pauses, on each kind of database."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from contracts_svc.adapters.store.database import Database
from contracts_svc.adapters.store.store import DatabaseStore
from contracts_svc.ports_store import Actor
from contracts_svc.schedules_runs import LONGEST_PAUSE, Planned, PublishEvent, Reason, RunState, ScheduledRun
from tests.fixtures_store import read_contract

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
BY = Actor(who="ada", where="test")


def planned(table: str = "t", at: int = 0, **more: object) -> Planned:
    given: dict[str, object] = {"tenant": "", "contract": "c", "reason": Reason.SCHEDULE, "bucket": "b"}
    given |= {"table": table, "scheduled_for": NOW + timedelta(minutes=at), **more}
    return Planned(**given)  # type: ignore[arg-type]


def begun(store: DatabaseStore, worker: str = "w", table: str = "t") -> ScheduledRun:
    store.plan_runs([planned(table)], NOW)
    (waiting,) = store.waiting_runs(NOW, per_group=1)
    run = store.claim(waiting.id, worker, NOW)
    assert run is not None
    return run


def test_a_run_is_planned_once_whoever_plans_it(store: DatabaseStore, store_url: str) -> None:
    barrier = threading.Barrier(4)
    added: list[int] = []

    def leader() -> None:
        own = DatabaseStore(Database(store_url), read_contract)
        barrier.wait()
        added.append(own.plan_runs([planned(f"t{n}") for n in range(20)], NOW))
        own.close()

    threads = [threading.Thread(target=leader) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(added) == 20
    assert store.count_scheduled() == {RunState.WAITING: 20, RunState.RUNNING: 0}


def test_a_run_is_begun_once_whoever_is_handed_it(store: DatabaseStore, store_url: str) -> None:
    store.plan_runs([planned()], NOW)
    (waiting,) = store.waiting_runs(NOW, per_group=1)
    barrier = threading.Barrier(4)
    got: list[ScheduledRun | None] = []

    def worker(name: str) -> None:
        own = DatabaseStore(Database(store_url), read_contract)
        barrier.wait()
        got.append(own.claim(waiting.id, name, NOW))
        own.close()

    threads = [threading.Thread(target=worker, args=(f"w{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (mine,) = [run for run in got if run is not None]
    assert (mine.state, mine.attempts, mine.heartbeat) == (RunState.RUNNING, 1, NOW)
    assert store.scheduled_run(mine.id) == mine


def test_an_attempt_that_was_given_up_changes_nothing_any_more(store: DatabaseStore) -> None:
    first = begun(store)
    assert store.wait_again(first, attempts=1, not_before=NOW + timedelta(seconds=10), error="died")
    assert store.finish(first, RunState.DONE, NOW) is False
    assert store.waiting_runs(NOW, per_group=9) == ()
    (again,) = store.waiting_runs(NOW + timedelta(seconds=10), per_group=9)
    assert (again.attempts, again.error, again.handed) == (1, "died", None)
    second = store.claim(again.id, "w", NOW)
    assert second is not None
    assert second.attempts == 2
    assert store.finish(first, RunState.DONE, NOW) is False, "the same worker, but an earlier attempt"
    assert store.wait_again(first, attempts=0) is False
    assert store.finish(second, RunState.DONE, NOW, run_id="r") is True
    assert store.finish(second, RunState.DONE, NOW) is False
    done = store.scheduled_run(second.id)
    assert done is not None
    assert (done.state, done.run_id, done.finished) == (RunState.DONE, "r", NOW)


def test_a_pause_from_a_clock_that_was_ahead_is_not_waited_for(store: DatabaseStore) -> None:
    run = begun(store)
    store.wait_again(run, attempts=1, not_before=NOW + LONGEST_PAUSE)
    assert store.waiting_runs(NOW, per_group=9) == ()
    assert len(store.waiting_runs(NOW - timedelta(hours=1), per_group=9)) == 1


def test_what_is_handed_over_is_in_flight_until_it_is_over(store: DatabaseStore) -> None:
    store.plan_runs([planned("a"), planned("b"), planned("c")], NOW)
    a, b, c = sorted(store.waiting_runs(NOW, per_group=9), key=lambda r: r.table)
    store.mark_handed([a.id, b.id], NOW)
    assert [r.table for r in store.waiting_runs(NOW, per_group=9)] == ["c"]
    assert {r.table for r in store.runs_in_flight()} == {"a", "b"}
    running = store.claim(a.id, "w", NOW)
    assert running is not None
    handed = store.runs_in_flight()
    store.beat("w", [a.id], NOW + timedelta(seconds=5))
    store.beat("another", [a.id], NOW + timedelta(seconds=9))
    assert {(r.table, r.heartbeat) for r in store.runs_in_flight()} == {
        ("a", NOW + timedelta(seconds=5)),
        ("b", None),
    }
    assert store.take_back(handed) == 1, "only what nobody began"
    assert {r.table for r in store.waiting_runs(NOW, per_group=9)} == {"b", "c"}
    assert store.cancel_run(c.id, NOW) is True
    assert store.cancel_run(c.id, NOW) is False
    assert store.cancel_run(a.id, NOW) is False
    store.finish(running, RunState.ERRORED, NOW, error="no")
    assert store.runs_in_flight() == ()


def test_of_each_tenant_and_bucket_the_most_urgent_are_looked_at(store: DatabaseStore) -> None:
    store.plan_runs([planned(f"t{n}", at=n) for n in range(9)], NOW)
    store.plan_runs([planned("p", at=99, reason=Reason.PUBLISH), planned("o", bucket="o", tenant="x")], NOW)
    assert sorted(r.table for r in store.waiting_runs(NOW, per_group=2)) == ["o", "p", "t0"]


def test_what_is_to_be_checked_is_kept(store: DatabaseStore) -> None:
    store.plan_runs([planned(server="lake", partition={"day": "2026-11-23"})], NOW)
    (kept,) = store.scheduled_runs("c")
    assert (kept.server, kept.partition) == ("lake", {"day": "2026-11-23"})


def test_the_runs_of_a_contract_are_listed(store: DatabaseStore) -> None:
    store.plan_runs([planned(at=5), planned(at=3), planned("u", reason=Reason.PUBLISH)], NOW)
    store.plan_runs([planned(at=4, reason=Reason.CATCH_UP)], NOW)
    shown = store.scheduled_runs("c", table="t")
    assert [r.scheduled_for for r in shown] == [NOW + timedelta(minutes=n) for n in (5, 4, 3)]
    assert len(store.scheduled_runs("c", limit=2)) == 2
    assert store.scheduled_runs("c", state=RunState.DONE) == ()


def test_events_are_answered_with_the_run_that_answers_them(store: DatabaseStore) -> None:
    event = PublishEvent(key="one", tenant="", contract="c", table="t", at=NOW)
    assert store.put_events([event]) == (event,)
    two = replace(event, key="two", at=NOW + timedelta(minutes=2))
    assert store.put_events([replace(event, at=NOW + timedelta(minutes=1)), two, two]) == (two,)
    first, second = store.open_events()
    assert (first.at, second.at) == (NOW, NOW + timedelta(minutes=2))
    answer = planned(at=2, reason=Reason.PUBLISH, events=(first.id, second.id))
    assert store.plan_runs([answer], NOW) == 1
    assert store.open_events() == ()
    assert store.plan_runs([answer], NOW) == 0


def test_pauses_are_kept_and_audited(store: DatabaseStore) -> None:
    assert store.pause("c", NOW, BY) is True
    assert store.pause("c", NOW + timedelta(hours=1), BY) is False
    assert store.paused() == {"c": NOW}
    assert store.resume("c", NOW, BY) is True
    assert store.resume("c", NOW, BY) is False
    assert store.paused() == {}
    assert [(e.action, e.actor) for e in store.audit()] == [("paused", BY), ("resumed", BY)]
