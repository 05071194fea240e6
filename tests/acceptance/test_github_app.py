"""The GitHub App from webhook to check run, comment, sign-off and registration, over real HTTP."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from contracts_svc.adapters.store.store import DatabaseStore
from contracts_svc.app import schema_import
from contracts_svc.github.names import RepositoryName
from contracts_svc.ports_outbox import MessageState
from tests.fixtures_github import *  # noqa: F403
from tests.fixtures_store import memory_store
from tests.github_stand_in import Repository, StandIn
from tests.hub_world import AFTER, FILES, LINEAGE, ORDERS, HubWorld, Shop

NAME = RepositoryName.parse("octo/shop")
NARROWED = ORDERS.replace("1.0.0", "1.1.0").replace(
    "name: amount, logicalType: integer, physicalType: BIGINT",
    "name: amount, logicalType: integer, physicalType: INTEGER",
)


@pytest.fixture
def store() -> DatabaseStore:
    return memory_store()


@pytest.fixture
def world(hub: StandIn, store: DatabaseStore) -> HubWorld:
    return HubWorld(hub, store)


@pytest.fixture
def repo(world: HubWorld, shop: Repository) -> Shop:
    """Installed for a repository whose contracts and lineage are known."""
    shop.private = True
    made = Shop(world, shop)
    made.push_main(FILES, tell=False)
    made.install()
    world.settle()
    world.know(LINEAGE)
    return made


def test_installed_the_contracts_of_the_default_branch_are_registered(
    repo: Shop, store: DatabaseStore
) -> None:
    assert [c.id for c in store.contracts()] == ["orders", "revenue", "stock"]
    assert store.open_work() == ()


def test_from_opened_to_merged_with_two_consumers(repo: Shop, world: HubWorld, store: DatabaseStore) -> None:
    number = repo.open(AFTER)
    assert repo.repository.runs == {}
    world.settle()
    run = repo.run(number)
    assert (run["status"], run["conclusion"]) == ("completed", "action_required")
    assert [a["identifier"] for a in run["actions"]] == ["accept"]
    assert run["details_url"] == f"https://contracts.example/octo/shop/{number}"
    assert {(a["path"], a["annotation_level"]) for a in run["annotations"]} >= {
        ("orders.odcs.yaml", "failure")
    }
    for word in ("revenue (finance) breaks: orders.amount", "stock (logistics) breaks: orders.amount"):
        assert word in repo.comment(number)
    assert repo.repository.pulls[number].asked == ["@finance", "ada", "lin"]
    told = [m.message.notification for m in store.messages()]
    assert {(n.team, n.receiver, n.channel) for n in told} == {
        ("finance", "slack", "#finance"),
        ("logistics", "slack", "#logistics"),
    }
    assert all(f"https://github.com/octo/shop/pull/{number}" in str(n.sections) for n in told)
    # One agrees, the other asks for a change.
    repo.review(number, "ada", "approved")
    objection = repo.review(number, "lin", "changes_requested")
    world.settle()
    assert repo.run(number)["conclusion"] == "action_required"
    assert "Agreed:\n\n- finance (ada)" in repo.comment(number)
    assert "Asks for a change:\n\n- logistics (lin)" in repo.comment(number)
    assert {w.approver for w in store.signed(NAME, world.clock.now(), number)} == {"finance"}
    repo.dismiss(number, objection)
    repo.press(number, "lin")
    world.settle()
    assert repo.run(number)["conclusion"] == "success"
    assert len(store.messages()) == 2
    repo.merge(number)
    world.settle()
    assert store.versions("orders")[-1].version == "2.0.0"
    announced = [m.message.notification for m in store.messages()][2:]
    assert {(n.team, n.title) for n in announced} == {
        ("finance", "orders 2.0.0 changes what you read"),
        ("logistics", "orders 2.0.0 changes what you read"),
    }
    assert {m.state for m in store.messages()} == {MessageState.WAITING}
    assert store.open_work() == ()


class TestPushes:
    def test_a_push_that_changes_the_break_asks_again(
        self, repo: Shop, world: HubWorld, store: DatabaseStore
    ) -> None:
        number = repo.open(AFTER)
        world.settle()
        for user in ("ada", "lin"):
            repo.review(number, user, "approved")
        world.settle()
        assert repo.run(number)["conclusion"] == "success"
        repo.push(number, {**AFTER, "README.md": "x"})
        world.settle()
        # The same change, in another commit: what was agreed still stands.
        assert repo.run(number)["conclusion"] == "success"
        repo.push(number, {**FILES, "orders.odcs.yaml": NARROWED})
        world.settle()
        assert repo.run(number)["conclusion"] == "action_required"
        assert store.signed(NAME, world.clock.now(), number) == ()
        assert "Agreed" not in repo.comment(number)
        assert len(store.messages()) == 4

    def test_a_push_supersedes_the_check_that_is_under_way(self, repo: Shop, world: HubWorld) -> None:
        number = repo.open(AFTER)
        world.hub.fault("/compare/", 502, times=100)
        world.work()
        assert repo.run(number)["status"] == "in_progress"
        world.hub.faults.clear()
        before = repo.push(number, FILES)
        world.settle()
        (old,) = repo.repository.runs_on(before)
        assert (old["status"], old["conclusion"]) == ("completed", "cancelled")
        assert repo.run(number)["conclusion"] == "success"
        assert repo.comment(number) == ""

    def test_a_force_push_and_a_rebase(self, repo: Shop, world: HubWorld) -> None:
        number = repo.open(AFTER)
        world.settle()
        start = repo.repository.pulls[number].base_sha
        repo.push(number, {**AFTER, "README.md": "forced"}, start)
        world.settle()
        tip = repo.push_main({**FILES, "docs.md": "x"})
        repo.push(number, {**AFTER, "docs.md": "x"}, tip)
        world.settle()
        assert repo.run(number)["conclusion"] == "action_required"
        assert "revenue (finance) breaks: orders.amount" in repo.comment(number)

    def test_a_second_pull_request_that_conflicts_is_judged_anew_when_the_first_is_merged(
        self, repo: Shop, world: HubWorld, store: DatabaseStore
    ) -> None:
        first, second = repo.open(AFTER), repo.open({**FILES, "orders.odcs.yaml": NARROWED})
        world.settle()
        assert {repo.run(n)["conclusion"] for n in (first, second)} == {"action_required"}
        for user in ("ada", "lin"):
            repo.review(first, user, "approved")
        world.settle()
        merged = repo.merge(first)
        runs = len(repo.repository.runs)
        world.settle()
        assert len(repo.repository.runs) == runs + 1
        # Resolved so that the column comes back, narrowed: nobody reads it any more by what is promised.
        back = {**FILES, "orders.odcs.yaml": NARROWED.replace("1.1.0", "2.1.0")}
        repo.push(second, back, merged)
        world.settle()
        assert repo.run(second)["status"] == "completed"
        repo.merge(second)
        world.settle()
        assert [c.version for c in store.versions("orders")][-1] in ("2.0.0", "2.1.0")

    @pytest.mark.parametrize("fork", ["mona/shop", None])
    def test_a_fork(self, fork: str | None, repo: Shop, world: HubWorld) -> None:
        if fork is None:
            world.hub.known.add("answers null is not of type \"object\" at ['head', 'repo']")
        number = repo.open(AFTER, fork=fork)
        world.settle()
        assert repo.run(number)["conclusion"] == "action_required"
        reached = {"/".join(c.split(" ")[1].split("/")[1:4]) for c in world.hub.calls if " /repos/" in c}
        assert reached == {"repos/octo/shop"}


class TestEvents:
    def test_reopened_ready_and_another_base(self, repo: Shop, world: HubWorld) -> None:
        number = repo.open(AFTER, tell=False)
        base: dict[str, Any] = {"changes": {"base": {"ref": {}}}}
        for action, more in (("reopened", {}), ("ready_for_review", {}), ("edited", base)):
            before = world.hub.count("PATCH", "/check-runs/")
            repo.tell(number, action, **more)
            world.settle()
            assert world.hub.count("PATCH", "/check-runs/") > before

    def test_asked_for_again(self, repo: Shop, world: HubWorld) -> None:
        number = repo.open(AFTER)
        world.settle()
        run = repo.run(number)
        told = {
            "id": run["id"],
            "head_sha": run["head_sha"],
            "name": "contracts",
            "external_id": run["external_id"],
        }
        common = world.common(repo.repository) | {"action": "rerequested"}
        world.tell("check_run", common | {"check_run": told | {"app": {"id": 8}}})
        assert world.store.open_work() == ()
        world.tell("check_run", common | {"check_run": told | {"app": {"id": 7}}})
        suite = {
            "id": 1,
            "head_sha": run["head_sha"],
            "app": {"id": 7},
            "pull_requests": [{"number": number}],
        }
        world.tell("check_suite", common | {"check_suite": suite})
        assert len(world.store.open_work()) == 1
        world.settle()
        assert len(repo.repository.runs_on(run["head_sha"])) == 2

    def test_a_merge_group_counts_what_was_agreed_in_its_pull_requests(
        self, repo: Shop, world: HubWorld
    ) -> None:
        number = repo.open(AFTER)
        world.settle()
        main = repo.repository.pulls[number].base_sha

        def queued(name: str) -> str:
            head = repo.repository.commit({**AFTER, "README.md": name}, main)
            group = {
                "head_sha": head,
                "head_ref": "refs/heads/q",
                "base_sha": main,
                "base_ref": "refs/heads/main",
            }
            world.tell(
                "merge_group",
                world.common(repo.repository) | {"action": "checks_requested", "merge_group": group},
            )
            world.settle()
            found: str = repo.repository.runs_on(head)[-1]["conclusion"]
            return found

        assert queued("one") == "failure"
        for user in ("ada", "lin"):
            repo.review(number, user, "approved")
        world.settle()
        assert queued("two") == "success"

    def test_a_deleted_file_retires_its_contract_and_a_moved_one_does_not(
        self, repo: Shop, world: HubWorld, store: DatabaseStore
    ) -> None:
        repo.push_main({"lake/orders.odcs.yaml": ORDERS, "revenue.odcs.yaml": FILES["revenue.odcs.yaml"]})
        world.settle()
        assert [c.id for c in store.contracts()] == ["orders", "revenue"]
        assert store.contracts_from(NAME)["orders"] == "lake/orders.odcs.yaml"
        assert [e.action for e in store.audit("contract", "stock")] == ["registered", "retired"]

    def test_what_may_not_be_registered_is_told_at_the_commit_and_tried_again(
        self, repo: Shop, world: HubWorld, store: DatabaseStore
    ) -> None:
        broken = {**AFTER, "stock.odcs.yaml": "id: x\n"}
        head = repo.push_main(broken)
        world.settle()
        (run,) = repo.repository.runs_on(head)
        assert (run["conclusion"], {a["path"] for a in run["annotations"]}) == (
            "failure",
            {"orders.odcs.yaml", "stock.odcs.yaml"},
        )
        assert "finance, logistics must agree first" in str(run["annotations"])
        assert store.versions("orders")[-1].version == "1.0.0"
        world.reconcile()
        assert len(repo.repository.runs_on(head)) == 1
        repo.push_main({**FILES, "README.md": "taken back"})
        world.settle()
        known = store.repository(NAME)
        assert known is not None
        assert known.head == known.looked
        assert [c.id for c in store.contracts()] == ["orders", "revenue", "stock"]

    def test_an_app_that_is_removed(self, repo: Shop, world: HubWorld, store: DatabaseStore) -> None:
        number = repo.open(AFTER)
        # GitHub takes the tokens back at once.
        world.hub.installations.clear()
        world.hub.tokens.clear()
        payload = {
            "action": "deleted",
            "installation": {"id": 9},
            "repositories": [{"full_name": "octo/shop"}],
        }
        world.tell("installation", payload)
        world.settle()
        assert (store.repository(NAME), store.open_work()) == (None, ())
        calls = len(world.hub.calls)
        world.reconcile()
        assert (repo.comment(number), len(world.hub.calls)) == ("", calls)


class TestSignOff:
    def test_a_dismissed_review_takes_the_waiver_back(
        self, repo: Shop, world: HubWorld, store: DatabaseStore
    ) -> None:
        number = repo.open(AFTER)
        world.settle()
        repo.review(number, "lin", "approved")
        place = repo.review(number, "fay", "approved")
        world.settle()
        assert repo.run(number)["conclusion"] == "success"
        assert len(store.signed(NAME, world.clock.now())) == 2
        repo.dismiss(number, place)
        world.settle()
        assert repo.run(number)["conclusion"] == "action_required"
        assert [w.approver for w in store.signed(NAME, world.clock.now())] == ["logistics"]
        assert [e.action for e in store.audit("waiver")] == ["created", "created", "ended"]

    def test_the_button_speaks_for_members_only(self, repo: Shop, world: HubWorld) -> None:
        number = repo.open(AFTER, author="ada")
        world.settle()
        for user in ("mallory", "ada", "root"):
            repo.press(number, user)
        repo.review(number, "lin", "approved")
        world.settle()
        assert repo.run(number)["conclusion"] == "action_required"
        repo.press(number, "fay")
        world.settle()
        assert repo.run(number)["conclusion"] == "success"

    def test_the_press_of_an_older_check_does_not_count_for_a_changed_change(
        self, repo: Shop, world: HubWorld
    ) -> None:
        number = repo.open({**FILES, "orders.odcs.yaml": NARROWED})
        world.settle()
        for user in ("fay", "lin"):
            repo.press(number, user)
        repo.push(number, AFTER)
        world.settle()
        assert repo.run(number)["conclusion"] == "action_required"

    def test_an_objection_after_the_button_counts(self, repo: Shop, world: HubWorld) -> None:
        number = repo.open(AFTER)
        world.settle()
        repo.press(number, "fay")
        repo.press(number, "lin")
        world.wait(2)
        repo.review(number, "lin", "changes_requested")
        world.settle()
        assert repo.run(number)["conclusion"] == "action_required"

    def test_a_waiver_of_the_api_turns_the_check_green(
        self, repo: Shop, world: HubWorld, store: DatabaseStore
    ) -> None:
        number = repo.open(AFTER)
        world.settle()
        (last, *_) = store.heads(NAME, number)
        token = world.token("admin")
        shown = world.call("GET", f"/github/pulls/octo/shop/{number}", token).json()
        assert shown["report"]["outcome"] == "BLOCK"
        for approver in ("finance", "logistics"):
            for mark in last.asked:
                given = {
                    "contract": "orders",
                    "fingerprint": mark,
                    "approver": approver,
                    "reason": "agreed by mail",
                }
                given["expires"] = (world.clock.now() + timedelta(days=5)).isoformat()
                assert world.call("POST", "/waivers", token, given).status_code == 201
        world.settle()
        assert repo.run(number)["conclusion"] == "success"

    def test_an_administrator_overrides_loudly(
        self, repo: Shop, world: HubWorld, store: DatabaseStore
    ) -> None:
        number = repo.open(AFTER)
        path = f"/github/pulls/octo/shop/{number}/override"
        admin, editor = world.token("admin"), world.token("editor")
        reason = {"reason": "the shop is down until this is out"}
        assert world.call("POST", path, admin, reason).status_code == 409
        world.settle()
        assert world.call("POST", path, editor, reason).status_code == 403
        for wrong in ({}, {"reason": "ok"}, {"reason": " " * 30}):
            assert world.call("POST", path, admin, wrong).status_code == 422
        assert world.call("POST", path, admin, reason).status_code == 202
        world.settle()
        assert repo.run(number)["conclusion"] == "success"
        for word in ("Overridden by an administrator", "admin-token", "the shop is down until this is out"):
            assert word in repo.comment(number)
        (entry,) = [e for e in store.audit("pull_request") if e.action == "override"]
        assert (entry.actor.who, entry.detail["reason"]) == ("admin-token", reason["reason"])
        told = [m.message.notification for m in store.messages()][2:]
        assert {n.team for n in told} == {"finance", "logistics"}
        assert all("overrode" in n.title and reason["reason"] in str(n.sections) for n in told)
        repo.push(number, {**FILES, "orders.odcs.yaml": NARROWED})
        world.settle()
        assert repo.run(number)["conclusion"] == "action_required"

    def test_an_administrator_overrides_by_a_review(
        self, repo: Shop, world: HubWorld, store: DatabaseStore
    ) -> None:
        number = repo.open(AFTER)
        world.settle()
        for user, state, body in (
            ("mallory", "approved", "/override I want this"),
            ("ada", "commented", "/override I want this"),
            ("root", "approved", "/override   "),
            ("root", "commented", "/override not approved"),
            ("root", "approved", "fine"),
        ):
            repo.review(number, user, state, body=body)
            world.settle()
            assert repo.run(number)["conclusion"] == "action_required", (user, body)
        place = repo.review(number, "root", "approved", body="/Override the shop is\ndown <b>now</b>")
        world.settle()
        assert repo.run(number)["conclusion"] == "success"
        assert "override by root: the shop is down \\<b\\>now" in repo.comment(number)
        assert {w.reason for w in store.signed(NAME, world.clock.now())} == {
            "override by root: the shop is down <b>now</b>"
        }
        titles = {m.message.notification.title.partition(" ")[0] for m in store.messages()}
        assert titles == {"octo/shop#1", "root"}
        second = repo.review(number, "root", "changes_requested")
        world.settle()
        assert repo.run(number)["conclusion"] == "action_required"
        repo.repository.reviews[number].pop(second)
        repo.tell(number, "reopened")
        world.settle()
        assert repo.run(number)["conclusion"] == "success"
        repo.dismiss(number, place)
        world.settle()
        assert repo.run(number)["conclusion"] == "action_required"

    def test_those_who_cannot_be_asked_stop_nobody_else(self, repo: Shop, world: HubWorld) -> None:
        world.hub.strangers = frozenset({"lin"})
        number = repo.open(AFTER, author="ada")
        world.settle()
        assert repo.repository.pulls[number].asked == ["@finance"]
        assert repo.run(number)["conclusion"] == "action_required"


def test_the_time_until_a_deprecated_column_may_go_runs_from_the_merge(
    repo: Shop, world: HubWorld, store: DatabaseStore
) -> None:
    """The contract itself says since when in a custom property that its author writes; the registry knows."""
    policy = {"contracts-policy.yaml": "version: 1\ndeprecation_days: 30\nbreaks: warn\n"}
    note = "{name: note, logicalType: integer, physicalType: BIGINT}"
    marked = ORDERS.replace("version: 1.0.0", "version: 1.1.0").replace("v3.1.0", "v3.2.0")
    marked = marked.replace(note, note.replace("}", ", deprecated: true}"))
    gone = marked.replace("version: 1.1.0", "version: 2.0.0").replace(
        f"      - {note.replace('}', ', deprecated: true}')}\n", ""
    )
    assert marked.count("deprecated") == 1
    assert "note" not in gone
    repo.push_main({**FILES, **policy, "orders.odcs.yaml": marked})
    world.settle()
    begun = world.clock.now().date()
    assert dict(store.deprecated_since(["orders"])) == {("orders", "orders", "note"): begun}
    number = repo.open({**FILES, **policy, "orders.odcs.yaml": gone})
    world.settle()
    assert repo.run(number)["conclusion"] in ("failure", "action_required")
    assert f"deprecated since {begun:%Y-%m-%d}" in json.dumps(repo.run(number)["output"])
    world.wait(31 * 86_400)
    repo.tell(number, "reopened")
    world.settle()
    assert repo.run(number)["conclusion"] in ("success", "neutral")
    repo.merge(number)
    world.settle()
    assert store.versions("orders")[-1].version == "2.0.0"
    assert dict(store.deprecated_since(["orders"])) == {}


def test_a_transitive_mode_judges_by_every_registered_version(
    repo: Shop, world: HubWorld, store: DatabaseStore
) -> None:
    policy = {
        "contracts-policy.yaml": "version: 1\nmode: BACKWARD_TRANSITIVE\nbreaks: warn\nerror_alone: warn\n"
    }
    # The column goes, and comes back as another type: the last version alone has nothing against it.
    without = ORDERS.replace("version: 1.0.0", "version: 2.0.0").replace(
        "      - {name: note, logicalType: integer, physicalType: BIGINT}\n", ""
    )
    again = ORDERS.replace("version: 1.0.0", "version: 3.0.0").replace(
        "{name: note, logicalType: integer, physicalType: BIGINT}",
        "{name: note, logicalType: date, physicalType: DATE}",
    )
    repo.push_main({**FILES, **policy})
    world.settle()
    repo.push_main({**FILES, **policy, "orders.odcs.yaml": without})
    world.settle()
    assert [c.version for c in store.versions("orders")] == ["1.0.0", "2.0.0"]
    number = repo.open({**FILES, **policy, "orders.odcs.yaml": again})
    world.settle()
    found = world.call("GET", f"/github/pulls/octo/shop/{number}", world.token("viewer")).json()["report"]
    assert any(f["rule"].startswith("type-") and f["against"] for f in found["findings"]), found["findings"]


def test_a_repository_that_is_renamed_keeps_its_contracts(
    repo: Shop, world: HubWorld, store: DatabaseStore, hub: StandIn
) -> None:
    shop = repo.repository
    hub.repositories["octo/store"] = hub.repositories.pop("octo/shop")
    shop.name = "octo/store"
    hub.installations[9] = frozenset({"octo/store"})
    hub.tokens.clear()
    world.wait(3_600)
    world.reconcile()
    assert store.repositories() == ()
    agreed = {"orders.odcs.yaml": ORDERS.replace("version: 1.0.0", "version: 1.0.1")}
    repo.push_main({**FILES, **agreed})
    world.settle()
    assert [str(r.name) for r in store.repositories()] == ["octo/store"]
    assert shop.runs == {}
    assert store.versions("orders")[-1].version == "1.0.1"


def test_what_was_agreed_is_kept_before_github_may_merge(
    repo: Shop, world: HubWorld, store: DatabaseStore
) -> None:
    """Auto-merge takes the moment in which the check turns green."""
    number = repo.open(AFTER)
    world.settle()
    kept: list[int] = []

    def merged(call: str) -> None:
        if call.startswith("PATCH /repos/octo/shop/check-runs/"):
            kept.append(len(store.signed(NAME, world.clock.now(), number)))

    for user in ("ada", "lin"):
        repo.review(number, user, "approved")
    world.hub.on_call = merged
    world.settle()
    assert repo.run(number)["conclusion"] == "success"
    assert kept[-1] == 2


def test_a_changed_schema_source_is_told_on_the_lines_of_the_contract(
    repo: Shop, world: HubWorld, store: DatabaseStore
) -> None:
    """The contract stays as it is: the check says what it would have to say, and whom that breaks."""
    world.worker = replace(world.worker, parts=replace(world.parts, derive=schema_import()))
    named = ORDERS.replace("version: 1.0.0", "version: 1.0.1").replace(
        "  - name: orders\n",
        "  - name: orders\n    customProperties: [{property: schemaSource, value: orders.avsc}]\n",
    )
    fields = [{"name": n, "type": "long"} for n in ("id", "amount", "note")]
    avro = {"type": "record", "name": "orders", "fields": fields}
    before = {**FILES, "orders.odcs.yaml": named, "orders.avsc": json.dumps(avro)}
    repo.push_main(before)
    world.settle()
    fewer = avro | {"fields": [f for f in fields if f["name"] != "amount"]}
    number = repo.open({**before, "orders.avsc": json.dumps(fewer)})
    world.settle()
    run = repo.run(number)
    assert run["conclusion"] == "action_required"
    (note,) = [a for a in run["annotations"] if a["title"].startswith("schema-source-column-removed")]
    line = named.splitlines()[note["start_line"] - 1]
    assert (note["path"], "name: amount" in line) == ("orders.odcs.yaml", True)
    assert "revenue (finance) breaks" in repo.comment(number)
    repo.merge(number)
    world.settle()
    assert store.versions("orders")[-1].version == "1.0.1"
