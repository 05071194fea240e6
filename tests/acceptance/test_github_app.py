"""The GitHub App from webhook to check run, comment, sign-off and registration, over real HTTP."""

from __future__ import annotations

import pytest

from contracts_svc.adapters.store.store import DatabaseStore
from contracts_svc.github.names import RepositoryName
from contracts_svc.ports_outbox import MessageState
from tests.fixtures_github import *  # noqa: F403
from tests.fixtures_store import memory_store
from tests.github_stand_in import Repository, StandIn
from tests.hub_world import AFTER, FILES, LINEAGE, HubWorld, Shop

NAME = RepositoryName.parse("octo/shop")


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
        ("finance", "orders has version 2.0.0"),
        ("logistics", "orders has version 2.0.0"),
    }
    assert {m.state for m in store.messages()} == {MessageState.WAITING}
    assert store.open_work() == ()
