"""The GitHub App under storms, failures and sudden ends: the end state is that of a calm day."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from contracts_svc.adapters.openlineage import read_parsed, take
from contracts_svc.adapters.store.database import Database
from contracts_svc.adapters.store.store import DatabaseStore
from contracts_svc.flows.hub_worker import LEASE, MOST_ATTEMPTS, HubWorker, pause_after
from contracts_svc.flows.stored_lineage import StoredLineage
from contracts_svc.github.events import read_event
from contracts_svc.github.names import RepositoryName
from contracts_svc.github.work import work_of
from contracts_svc.ports_hub_store import WorkState
from tests.fixtures_github import *  # noqa: F403
from tests.fixtures_github import SHOP
from tests.fixtures_store import memory_store, read_contract
from tests.github_stand_in import Repository, Server, StandIn
from tests.hub_world import AFTER, FILES, LINEAGE, OLDER, ORDERS, SECRET, HubWorld, Shop, shuffled
from tests.support import case_rows, shared

NAME = RepositoryName.parse(SHOP)
NARROWED = ORDERS.replace("1.0.0", "1.1.0").replace(
    "name: amount, logicalType: integer, physicalType: BIGINT",
    "name: amount, logicalType: integer, physicalType: INTEGER",
)


class Recording(HubWorld):
    """Keeps webhooks for later instead of sending them."""

    def __init__(self, hub: StandIn, store: DatabaseStore) -> None:
        super().__init__(hub, store)
        self.kept: list[tuple[str, bytes, str]] = []
        self.recording = self.calm = False

    def tell(self, event: str, payload: Any) -> None:
        if not self.recording:
            super().tell(event, payload)
            if self.calm:
                self.settle()
            return
        self.kept.append((event, json.dumps(payload).encode(), f"storm-{len(self.kept)}"))


def prepared(hub: StandIn, shop: Repository, store: DatabaseStore) -> tuple[Recording, Shop]:
    world = Recording(hub, store)
    shop.private = True
    repo = Shop(world, shop)
    repo.push_main(FILES, tell=False)
    repo.install()
    world.settle()
    world.know(LINEAGE)
    return world, repo


def busy_day(repo: Shop) -> None:
    """What people do on GitHub: pull requests with many pushes, reviews, a merge, a push to main."""
    numbers = [repo.open(AFTER if n % 2 else FILES, author=f"author-{n}") for n in range(6)]
    for turn in range(5):
        for n, number in enumerate(numbers):
            texts = AFTER if (n + turn) % 2 else {**FILES, "orders.odcs.yaml": NARROWED}
            repo.push(number, {**texts, "README.md": f"{n}.{turn}"})
    for number in numbers[:2]:
        repo.review(number, "ada", "approved")
        repo.review(number, "lin", "approved")
    repo.review(numbers[2], "ada", "approved")
    repo.dismiss(numbers[2], 0)
    repo.review(numbers[3], "lin", "changes_requested")
    repo.push_main({**FILES, "docs.md": "more"})


def end_state(world: HubWorld, repo: Shop) -> dict[str, Any]:
    """All that people see in the end."""
    shop, store, now = repo.repository, world.store, world.clock.now()
    pulls = {}
    for number in shop.pulls:
        run = repo.run(number)
        notes = sorted((a["path"], a["start_line"], a["title"]) for a in run["annotations"])
        assert len(notes) == len(set(notes))
        pulls[number] = (
            run["status"],
            run["conclusion"],
            notes,
            repo.comment(number),
            sorted(w.approver for w in store.signed(NAME, now, number)),
        )
    assert {r["status"] for r in shop.runs.values()} == {"completed"}
    return {
        "pulls": pulls,
        "contracts": [(c.id, c.version) for c in store.contracts()],
        "work": [r.error for r in store.open_work()],
    }


class Killed(BaseException):
    """The worker is gone."""


@contextmanager
def dying(world: HubWorld, random: Random, chance: float) -> Iterator[None]:
    """GitHub fails at times, before or after it did what was asked, and workers die while they wait."""

    def on_call(call: str) -> None:
        if random.random() < chance:
            world.hub.fault(call, 502, executed=random.random() < 0.5)

    def on_sleep() -> None:
        if random.random() < 0.3:
            raise Killed

    world.hub.on_call, world.on_sleep = on_call, on_sleep
    yield
    world.hub.on_call, world.on_sleep = lambda call: None, lambda: None
    world.hub.faults.clear()


def work_and_die(world: HubWorld) -> int:
    """Work until there is nothing to do now; how many workers died."""
    died = 0
    while True:
        try:
            world.work()
        except Killed:
            died += 1
            world.worker = HubWorker(parts=world.parts, name=f"w{died}", log=world.worker.log)
            continue
        return died


def test_a_storm_of_a_thousand_deliveries_ends_as_a_calm_day_does(
    hub: StandIn, shop: Repository, github_server: Server, tmp_path: Path
) -> None:
    """In random order, with duplicates, with GitHub failing, and with workers that die on the way."""
    random = Random(1)
    world, repo = prepared(hub, shop, memory_store())
    world.recording = True
    busy_day(repo)
    given = list(world.kept)
    storm = shuffled(random, [*given, *(random.choice(given) for _ in range(1_000 - len(given)))])
    died = 0
    with dying(world, random, 0.15):
        for number, (event, body, delivery) in enumerate(storm):
            assert world.send(event, body, delivery=delivery).status_code == 202
            if number % 100 == 99:
                died += work_and_die(world)
    world.settle()
    world.reconcile()
    stormy = end_state(world, repo)
    assert died > 0
    # The same on a calm day: each thing is told once, at once, and worked on before the next.
    calm_hub = StandIn(tmp_path / "calm")
    calm_hub.base_url, github_server.hub = hub.base_url, calm_hub
    calm_world, calm_repo = prepared(calm_hub, calm_hub.repository(SHOP), memory_store())
    calm_world.calm = True
    busy_day(calm_repo)
    calm = end_state(calm_world, calm_repo)
    calm_hub.close()
    assert [p[1] for p in calm["pulls"].values()].count("success") == 2
    assert [p[1] for p in calm["pulls"].values()].count("action_required") == 4
    assert stormy == calm
    assert calm_hub.violations == []


def test_github_answers_502_for_a_minute(hub: StandIn, shop: Repository) -> None:
    world, repo = prepared(hub, shop, memory_store())
    begins = world.clock.now()

    def on_call(call: str) -> None:
        if (world.clock.now() - begins).total_seconds() < 60:
            world.hub.fault(call, 502, executed=len(hub.calls) % 2 == 0)

    world.hub.on_call = on_call
    number = repo.open(AFTER)
    world.settle()
    assert (world.clock.now() - begins).total_seconds() > 60
    assert repo.run(number)["conclusion"] == "action_required"
    assert "revenue (finance) breaks" in repo.comment(number)
    assert world.store.open_work() == ()
    assert len(world.store.messages()) == 2


def test_a_service_that_is_killed_in_between_goes_on_after_it_starts_again(
    store_url: str, hub: StandIn, shop: Repository
) -> None:
    store = DatabaseStore(Database(store_url), read_contract)
    world, repo = prepared(hub, shop, store)
    number = repo.open(AFTER)

    def die() -> None:
        raise Killed

    world.hub.fault("POST /repos/octo/shop/issues", 502, times=9, executed=True)
    world.on_sleep = die
    with pytest.raises(Killed):
        world.work()
    store.close()
    hub.faults.clear()
    again = HubWorld(hub, DatabaseStore(Database(store_url), read_contract), clock=world.clock)
    assert again.work() == 0
    again.wait(LEASE.total_seconds())
    again.settle()
    assert repo.run(number)["conclusion"] == "action_required"
    assert "revenue (finance) breaks" in repo.comment(number)
    again.store.close()


def test_what_cannot_be_done_for_long_is_visible_and_done_later(hub: StandIn, shop: Repository) -> None:
    world, repo = prepared(hub, shop, memory_store())
    number = repo.open(AFTER)
    hub.fault("/compare/", 502, times=10_000)
    world.settle()
    # The check says so itself, where GitHub takes that.
    run = repo.run(number)
    assert (run["status"], run["conclusion"]) == ("completed", "failure")
    assert run["output"]["title"].startswith("COULD_NOT_CHECK")
    assert "GitHub answered 502" in run["output"]["title"]
    attempts = [facts["attempt"] for said, facts in world.log if "cause" in facts]
    assert attempts == list(range(1, MOST_ATTEMPTS))
    hub.faults.clear()
    world.wait(600)
    world.reconcile()
    assert repo.run(number)["conclusion"] == "action_required"
    # Where it takes nothing, the work is seen to have failed.
    hub.fault(" ", 502, times=10_000)
    repo.push(number, FILES)
    world.settle()
    (failed,) = world.call("GET", "/github/work?state=failed", world.token("admin")).json()
    assert 'contracts_github_work{state="failed"} 1.0' in world.client.get("/metrics").text
    assert (failed["number"], failed["attempts"], "502" in failed["error"]) == (number, MOST_ATTEMPTS, True)
    hub.faults.clear()
    repo.tell(number, "reopened")
    world.settle()
    assert repo.run(number)["conclusion"] == "success"
    assert world.store.count_work()[WorkState.FAILED] == 0


def test_pauses_double_and_end() -> None:
    seconds = [pause_after(n).total_seconds() for n in range(1, 12)]
    assert seconds == [5, 10, 20, 40, 80, 160, 320, 600, 600, 600, 600]
    assert [pause_after(1, asked).total_seconds() for asked in (None, 2, 90, 1e9)] == [5, 5, 90, 3600]


@pytest.mark.parametrize("status", [403, 429])
def test_a_rate_limit_leaves_the_installation_alone(status: int, hub: StandIn, shop: Repository) -> None:
    world, repo = prepared(hub, shop, memory_store())
    numbers = [repo.open(AFTER), repo.open(AFTER)]
    hub.fault(" ", status, headers={"Retry-After": "600"}, message="You have exceeded a secondary rate limit")
    before = len(hub.calls)
    world.work()
    world.wait(500)
    world.work()
    assert len(hub.calls) == before + 1
    world.settle()
    assert {repo.run(n)["conclusion"] for n in numbers} == {"action_required"}


def test_a_used_up_limit_is_waited_for(hub: StandIn, shop: Repository) -> None:
    world, repo = prepared(hub, shop, memory_store())
    number = repo.open(AFTER)
    hub.remaining = 3
    world.work()
    calls = len(hub.calls)
    world.wait(600)
    world.work()
    assert len(hub.calls) == calls
    hub.remaining = 1_000
    world.settle()
    assert repo.run(number)["conclusion"] == "action_required"


def test_tokens_are_kept_for_their_hour_and_made_anew_after_it(hub: StandIn, shop: Repository) -> None:
    world, repo = prepared(hub, shop, memory_store())
    number = repo.open(AFTER)
    world.settle()
    assert hub.count("POST /app/installations/9/access_tokens") == 1
    world.wait(3_600)
    repo.push(number, FILES)
    world.settle()
    assert hub.count("POST /app/installations/9/access_tokens") == 2
    # One that ends while it is used is made anew at once.
    ended: list[str] = []

    def end(call: str) -> None:
        if "/compare/" in call and not ended:
            ended.append(call)
            hub.tokens.clear()

    hub.on_call = end
    repo.push(number, AFTER)
    world.work()
    assert ended
    assert repo.run(number)["conclusion"] == "action_required"
    # Each reaches one repository.
    assert {g.repositories for g in hub.tokens.values()} == {frozenset({SHOP})}


def test_lost_deliveries_are_made_up_for(hub: StandIn, shop: Repository) -> None:
    world, repo = prepared(hub, shop, memory_store())
    number = repo.open(AFTER, tell=False)
    world.wait(600)
    world.reconcile()
    assert repo.run(number)["conclusion"] == "action_required"
    for user in ("ada", "lin"):
        repo.review(number, user, "approved", tell=False)
    world.wait(500)
    world.reconcile()
    assert repo.run(number)["conclusion"] == "action_required"
    world.wait(100)
    world.reconcile()
    assert repo.run(number)["conclusion"] == "success"
    repo.dismiss(number, 0, tell=False)
    world.wait(600)
    world.reconcile()
    assert repo.run(number)["conclusion"] == "action_required"
    repo.review(number, "fay", "approved", tell=False)
    world.wait(600)
    world.reconcile()
    repo.merge(number, tell=False)
    world.wait(600)
    world.reconcile()
    assert world.store.versions("orders")[-1].version == "2.0.0"
    calls = len(hub.calls)
    world.wait(600)
    world.reconcile()
    # A quiet repository costs a few calls each time.
    assert len(hub.calls) - calls <= 4


class TestWebhooks:
    def test_who_may_send_them(self, hub: StandIn) -> None:
        world = HubWorld(hub, memory_store())
        body = b'{"zen": "x"}'
        assert world.send("ping", body).status_code == 202
        assert world.send("ping", body, secret=OLDER).status_code == 202
        for wrong in ("", "other", SECRET + " "):
            assert world.send("ping", body, secret=wrong).status_code == 401
        bad: dict[str, str] = {"X_Hub_Signature_256": ""}
        assert world.send("ping", body, **bad).status_code == 401
        assert world.send("ping", body, X_Hub_Signature_256="sha256=" + "0" * 64).status_code == 401
        assert world.client.post("/github/webhook", content=body).status_code == 401
        assert world.store.count_work()[WorkState.WAITING] == 0

    def test_what_cannot_be_read_is_refused_and_not_kept(self, hub: StandIn) -> None:
        world = HubWorld(hub, memory_store())
        cases: list[tuple[str, bytes, dict[str, str], int]] = [
            ("push", b"no json", {}, 422),
            ("push", b"[]", {}, 422),
            ("push", b'{"ref": 5}', {}, 422),
            ("push", b"[" * 100_000, {}, 422),
            ("push", b"{}", {"Content_Type": "application/x-www-form-urlencoded"}, 415),
            ("push x", b"{}", {}, 400),
            ("ping", b"{}", {"X_GitHub_Delivery": "../x"}, 400),
            ("ping", b" " * (25 * 1024 * 1024 + 1), {}, 413),
            ("something_new", b'{"action": "x"}', {}, 202),
        ]
        for event, body, headers, status in cases:
            assert world.send(event, body, **headers).status_code == status, (event, body[:20])

    def test_a_service_without_an_app(self, hub: StandIn) -> None:
        world = HubWorld(hub, memory_store())
        world.client.app.state.service = replace(world.client.app.state.service, github=None)  # type: ignore[attr-defined]
        assert world.send("ping", b"{}").status_code == 404
        assert world.call("GET", "/github/work", world.token("admin")).status_code == 404

    def test_every_real_payload_is_taken(self, hub: StandIn) -> None:
        """All rows of the octokit suite: kept once, and the work that they ask for beside them."""
        world = HubWorld(hub, memory_store())
        rows, keys = 0, set()
        for row in case_rows("github_webhooks"):
            body = shared(f"cases/{row['file']}").read_bytes()
            answers = [world.send(row["event"], body, delivery=row["id"]) for _ in range(2)]
            assert [a.status_code for a in answers] == [202, 202], (row["id"], answers[0].text)
            assert [a.json()["new"] for a in answers] == [True, False]
            keys |= {w.key for w in work_of(read_event(row["event"], body), 7)}
            rows += 1
        waiting = {r.work.key for r in world.store.open_work(limit=1_000)}
        print(f"{rows} payloads taken, {len(waiting)} pieces of work")
        assert (rows, waiting) == (60, keys)
        assert keys


def test_several_processes_double_nothing(store_url: str, hub: StandIn, shop: Repository) -> None:
    """Three workers with stores of their own: each pull request is checked by one of them at a time."""
    store = DatabaseStore(Database(store_url), read_contract)
    world, repo = prepared(hub, shop, store)
    numbers = [repo.open(AFTER) for _ in range(9)]
    for turn in range(3):
        for number in numbers:
            repo.push(number, {**AFTER, "README.md": str(turn)})
    stores = [DatabaseStore(Database(store_url), read_contract) for _ in range(3)]
    workers = [
        HubWorker(
            parts=replace(world.parts, store=own, lineage=StoredLineage(own, take, read_parsed)), name=f"p{n}"
        )
        for n, own in enumerate(stores)
    ]
    barrier = threading.Barrier(3)
    done: list[int] = []

    def process(worker: HubWorker) -> None:
        barrier.wait()
        while worker.step(world.clock.now()):
            done.append(1)

    threads = [threading.Thread(target=process, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == len(numbers)
    assert {repo.run(n)["conclusion"] for n in numbers} == {"action_required"}
    assert len(shop.runs) == len(numbers)
    assert hub.count("POST", "/comments") == len(numbers)
    assert len(store.messages()) == 2 * len(numbers)
    # Agreed to and merged, it is registered, and its readers are told.
    for user in ("ada", "lin"):
        repo.review(numbers[0], user, "approved")
    world.settle()
    assert repo.run(numbers[0])["conclusion"] == "success"
    repo.merge(numbers[0])
    world.settle()
    assert [c.version for c in store.versions("orders")] == ["1.0.0", "2.0.0"]
    assert len(store.messages(limit=1_000)) == 2 * len(numbers) + 2
    for own in (store, *stores):
        own.close()
