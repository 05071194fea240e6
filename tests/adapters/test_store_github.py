"""Deliveries, work, heads and sign-offs of the GitHub App, on each kind of database."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

from contracts_svc.adapters.store.database import Database
from contracts_svc.adapters.store.store import DatabaseStore
from contracts_svc.github.names import RepositoryName
from contracts_svc.github.work import Task, Work
from contracts_svc.ports_hub_store import Delivered, Said, WorkRow, WorkState
from contracts_svc.waivers import Waiver
from tests.fixtures_store import read_contract

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SHOP = RepositoryName.parse("octo/shop")
LEASE = timedelta(minutes=10)


def check(number: int = 1, installation: int = 9) -> Work:
    return Work(task=Task.CHECK, repository=SHOP, installation_id=installation, number=number)


def claimed(store: DatabaseStore, now: datetime = NOW, worker: str = "w") -> WorkRow:
    row = store.claim_work(worker, now, now + LEASE)
    assert row is not None
    return row


def test_a_delivery_counts_once(store: DatabaseStore) -> None:
    delivered = Delivered(id="d1", event="pull_request", action="opened", repository="octo/shop")
    assert [store.deliver(delivered, [check()], NOW) for _ in range(3)] == [True, False, False]
    assert claimed(store).asked == 1
    assert store.prune_deliveries(NOW) == 0
    assert store.prune_deliveries(NOW + timedelta(seconds=1)) == 1


def test_work_is_asked_for_once_while_it_waits(store: DatabaseStore) -> None:
    for n in range(5):
        store.deliver(Delivered(id=f"d{n}", event="pull_request"), [check(), check(2)], NOW)
    assert store.count_work()[WorkState.WAITING] == 2
    first, second = claimed(store), claimed(store)
    assert {first.work.number, second.work.number} == {1, 2}
    assert store.claim_work("w", NOW, NOW + LEASE) is None


def test_what_is_asked_for_while_it_is_under_way_is_done_once_more(store: DatabaseStore) -> None:
    store.ask([check()], NOW)
    row = claimed(store)
    store.ask([check()], NOW)
    assert store.claim_work("other", NOW, NOW + LEASE) is None
    assert store.end_work(row, NOW)
    again = claimed(store)
    assert (again.asked, again.attempts) == (2, 1)
    assert store.end_work(again, NOW)
    assert store.open_work() == ()


def test_a_worker_that_died_is_followed_by_another_and_changes_nothing_when_it_comes_back(
    store: DatabaseStore,
) -> None:
    store.ask([check()], NOW)
    dead = claimed(store, worker="dead")
    assert store.claim_work("w", NOW + LEASE - timedelta(seconds=1), NOW + 2 * LEASE) is None
    row = claimed(store, NOW + LEASE)
    assert row.attempts == 2
    assert not store.end_work(dead, NOW)
    assert not store.put_off_work(dead, NOW, "x")
    assert not store.fail_work(dead, "x", NOW)
    assert store.end_work(row, NOW)


def test_work_that_is_put_off_waits_and_a_pause_of_a_clock_set_back_ends(store: DatabaseStore) -> None:
    store.ask([check()], NOW)
    assert store.put_off_work(claimed(store), NOW + timedelta(minutes=1), "502 \x00 \ud800")
    (row,) = store.open_work()
    assert (row.state, row.attempts, row.error.startswith("502")) == (WorkState.WAITING, 1, True)
    assert store.claim_work("w", NOW, NOW + LEASE) is None
    assert store.claim_work("w", NOW - timedelta(days=1), NOW) is not None


def test_what_failed_stays_visible_until_it_is_asked_for_again(store: DatabaseStore) -> None:
    store.ask([check()], NOW)
    assert store.fail_work(claimed(store), "gone", NOW)
    assert store.claim_work("w", NOW + LEASE, NOW + 2 * LEASE) is None
    assert [r.error for r in store.open_work(WorkState.FAILED)] == ["gone"]
    store.ask([check()], NOW)
    row = claimed(store)
    assert row.attempts == 1
    store.ask([check()], NOW)
    assert store.fail_work(row, "gone", NOW)
    assert store.count_work() == {WorkState.WAITING: 1, WorkState.RUNNING: 0, WorkState.FAILED: 0}


def test_an_installation_that_is_to_be_left_alone(store: DatabaseStore) -> None:
    store.ask([check(1, installation=9), check(2, installation=8)], NOW)
    store.hold_back(9, NOW + timedelta(minutes=5))
    assert claimed(store).work.number == 2
    assert store.claim_work("w", NOW, NOW + LEASE) is None
    assert claimed(store, NOW + timedelta(minutes=5)).work.number == 1


def test_many_workers_do_each_piece_of_work_once(store: DatabaseStore, store_url: str) -> None:
    store.ask([check(n) for n in range(20)], NOW)
    barrier = threading.Barrier(4)
    done: list[int | None] = []

    def worker(name: str) -> None:
        own = DatabaseStore(Database(store_url), read_contract)
        barrier.wait()
        while row := own.claim_work(name, NOW, NOW + LEASE):
            done.append(row.work.number)
            own.end_work(row, NOW)
        own.close()

    threads = [threading.Thread(target=worker, args=(f"w{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(n for n in done if n is not None) == list(range(20))


def test_repositories_come_and_go(store: DatabaseStore) -> None:
    store.put_repository(SHOP, 9, NOW)
    store.registered(SHOP, "main", "b" * 40, head="a" * 40)
    store.put_repository(RepositoryName.parse("Octo/Shop"), 8, NOW)
    known = store.repository(SHOP)
    assert known is not None
    assert (str(known.name), known.installation_id, known.head) == ("Octo/Shop", 8, "a" * 40)
    store.ask([check()], NOW)
    store.remove_repository(SHOP, NOW)
    assert (store.repositories(), store.repository(SHOP), store.open_work()) == ((), None, ())


def test_a_contract_comes_from_one_repository(store: DatabaseStore) -> None:
    other = RepositoryName.parse("octo/other")
    for repository in (SHOP, other):
        store.put_repository(repository, 9, NOW)
    assert store.claim_contract("orders", SHOP, "a.odcs.yaml") == SHOP
    assert store.claim_contract("orders", other, "b.odcs.yaml") == SHOP
    assert store.claim_contract("orders", SHOP, "c.odcs.yaml") == SHOP
    assert store.contracts_from(SHOP) == {"orders": "c.odcs.yaml"}
    assert store.contracts_from(other) == {}
    # Its repository was renamed.
    store.remove_repository(SHOP, NOW)
    assert store.claim_contract("orders", other, "d.odcs.yaml") == other
    assert (store.contracts_from(SHOP), store.contracts_from(other)) == ({}, {"orders": "d.odcs.yaml"})


def test_heads_of_a_pull_request(store: DatabaseStore) -> None:
    assert store.begin_head(SHOP, 1, "a" * 40, NOW) == ()
    assert store.begin_head(SHOP, 1, "b" * 40, NOW) == ("a" * 40,)
    store.end_head(SHOP, 1, "a" * 40, NOW, conclusion="cancelled")
    store.end_head(SHOP, 1, "b" * 40, NOW, conclusion="action_required", asked=["f2", "f1"], report="# all")
    assert store.begin_head(SHOP, 1, "c" * 40, NOW) == ()
    assert store.begin_head(SHOP, 2, "b" * 40, NOW) == ()
    newest, second, oldest = store.heads(SHOP, 1)
    assert (newest.head, newest.ended) == ("c" * 40, None)
    assert (second.asked, second.report, oldest.conclusion) == (("f1", "f2"), "# all", "cancelled")
    assert store.pulls_asking(["f1"]) == ()
    store.end_head(SHOP, 1, "c" * 40, NOW, conclusion="action_required", asked=["f1"])
    assert store.pulls_asking(["f1", "x"]) == ((SHOP, 1),)
    store.end_head(SHOP, 1, "c" * 40, NOW, conclusion="success", asked=["f1"], report="# newer")
    assert [h.report for h in store.heads(SHOP, 1)] == ["# newer", "", ""]
    # Checked again, it still asked for what it asked for.
    store.begin_head(SHOP, 1, "b" * 40, NOW)
    assert store.heads(SHOP, 1)[0].asked == ("f1", "f2")


def test_what_was_said_is_kept_once_and_in_the_audit(store: DatabaseStore) -> None:
    press = Said(user="ada", head="a" * 40, at=NOW, seen=("f1",))
    override = Said(user="root", head="a" * 40, at=NOW, reason="the shop is down", seen=("f1",))
    assert [store.say(SHOP, 1, s) for s in (press, override, press)] == [True, True, False]
    assert store.said(SHOP, 1) == (press, override)
    assert store.said(SHOP, 2) == ()
    assert [(e.action, e.actor.who) for e in store.audit("pull_request")] == [
        ("press", "ada"),
        ("override", "root"),
    ]


def test_a_sign_off_is_taken_back(store: DatabaseStore) -> None:
    one, two = (
        Waiver(
            fingerprint=f,
            approver="finance",
            reason="ada",
            expires=NOW + timedelta(days=9),
            contract="orders",
        )
        for f in ("f1", "f2")
    )
    store.sign(SHOP, 1, [one, two], NOW)
    store.sign(SHOP, 1, [one, two], NOW)
    store.sign(SHOP, 2, [one], NOW)
    assert store.signed(SHOP, NOW, 1) == (one, two)
    store.sign(SHOP, 1, [two], NOW)
    assert (store.signed(SHOP, NOW, 1), len(store.signed(SHOP, NOW))) == ((two,), 2)
    assert [e.action for e in store.audit("waiver")] == ["created", "created", "created", "ended"]
    later = NOW + timedelta(days=10)
    assert store.signed(SHOP, later) == ()
    again = Waiver(fingerprint="f2", approver="finance", reason="ada", expires=later + timedelta(days=9))
    store.sign(SHOP, 1, [again], later)
    assert store.signed(SHOP, later, 1) == (again,)


def test_who_was_asked(store: DatabaseStore) -> None:
    store.note_asked(SHOP, 1, [("f1", "finance"), ("f2", "finance")], NOW)
    store.note_asked(SHOP, 1, [("f1", "finance")], NOW)
    assert store.was_asked(SHOP, 1) == {("f1", "finance"), ("f2", "finance")}
    assert store.was_asked(SHOP, 2) == frozenset()
