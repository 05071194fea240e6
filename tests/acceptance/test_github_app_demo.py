"""The demo's pull request, and one that touches 300 contracts, through the GitHub App."""

from __future__ import annotations

import time

from fastapi import Request, Response

from contracts_svc.demo import files
from contracts_svc.flows.lineage import gather
from contracts_svc.ports_store import SERVICE, Subscription
from tests.fixtures_github import *  # noqa: F403
from tests.fixtures_store import memory_store, read_contract
from tests.github_stand_in import Repository, StandIn
from tests.hub_world import HubWorld, Shop, contract, reads

SQL = files.sql()
LOGINS = {"finance": "priya", "data-science": "noor"}
CONFIG = b"people: {finance: {users: [priya]}, data-science: {users: [noor]}}"


def test_the_pull_request_of_the_demo_from_opened_to_merged(hub: StandIn, shop: Repository) -> None:
    contracts = {f"contracts/{n}": t for n, t in files.contracts().items()}
    before = contracts | {f"sql/{n}": t for n, t in SQL.items()} | dict(files.policy())
    after = before | {f"contracts/{n}": t for n, t in files.pull_request().items()}
    shop.private = True
    world = HubWorld(hub, memory_store(), config=CONFIG)
    repo = Shop(world, shop)
    repo.push_main(before, tell=False)
    repo.install()
    world.settle()
    known = [read_contract(t, n) for n, t in contracts.items()]
    lineage = gather(known, sql=SQL, promised=known)
    world.store.put_edges(lineage.graph.edges)
    world.store.put_subscription(
        Subscription(
            consumer="route model", contract="flights", team="data-science", columns=("flights.dest",)
        ),
        world.clock.now(),
        SERVICE,
    )

    number = repo.open(after)
    world.settle()
    run = repo.run(number)
    assert run["conclusion"] == "action_required"
    lines = files.pull_request()["flights.odcs.yaml"].decode().splitlines()
    places = [
        (a["path"], lines[a["start_line"] - 1].strip(), a["title"])
        for a in run["annotations"]
        if a["annotation_level"] == "failure"
    ]
    assert places == [
        ("contracts/flights.odcs.yaml", "name: destination", "column-renamed: flights.dest"),
        (
            "contracts/flights.odcs.yaml",
            "physicalType: SMALLINT",
            "type-narrowed: flights.dep_delay.physicalType",
        ),
    ]
    assert "```mermaid" in run["output"]["text"]
    (last, *_) = world.store.heads(world.store.repositories()[0].name, number)
    waiting = {pair[1] for pair in world.store.was_asked(world.store.repositories()[0].name, number)}
    assert len(waiting) == 2, waiting
    one, other = sorted(waiting)
    # One agrees, one asks for a change.
    repo.review(number, LOGINS[one], "approved")
    repo.review(number, LOGINS[other], "changes_requested")
    world.settle()
    assert repo.run(number)["conclusion"] == "action_required"
    assert f"- {other} ({LOGINS[other]})" in repo.comment(number).partition("Asks for a change")[2]
    # The change is made smaller, which asks again; then both agree.
    smaller = after["contracts/flights.odcs.yaml"].replace(
        b"physicalType: SMALLINT", b"physicalType: INTEGER"
    )
    repo.push(number, after | {"contracts/flights.odcs.yaml": smaller})
    world.settle()
    assert repo.run(number)["conclusion"] == "action_required"
    for name in (one, other):
        repo.review(number, LOGINS[name], "approved")
    world.settle()
    assert repo.run(number)["conclusion"] in ("success", "neutral")
    repo.merge(number)
    world.settle()
    registered = {c.id: c.version for c in world.store.contracts()}
    merged = read_contract(smaller, "flights.odcs.yaml")
    assert registered[merged.id] == merged.version
    assert len(registered) == len(contracts)
    assert last.asked


def test_a_pull_request_that_touches_300_contracts(hub: StandIn, shop: Repository) -> None:
    """Calls grow with what is read; a second push reads nothing again."""
    many = range(300)
    column = "      - {name: amount, logicalType: integer, physicalType: BIGINT}\n"
    old = {f"c/{n:03}.odcs.yaml": contract(f"orders_{n:03}", "id", "amount", team="checkout") for n in many}
    new = {path: t.replace("version: 1.0.0", "version: 2.0.0").replace(column, "") for path, t in old.items()}
    shop.private = True
    world = HubWorld(hub, memory_store())
    repo = Shop(world, shop)
    repo.push_main(old, tell=False)
    repo.install()
    world.settle()
    world.know([reads("revenue", **{f"total_{n:03}": f"orders_{n:03}.amount" for n in many})])
    number = repo.open(new)
    hub.calls.clear()
    answering = [0.0]
    answer = hub.answer

    async def timed(request: Request) -> Response:
        began = time.perf_counter()
        try:
            return await answer(request)
        finally:
            answering[0] += time.perf_counter() - began

    hub.answer = timed  # type: ignore[method-assign]
    began = time.perf_counter()
    world.settle()
    whole = time.perf_counter() - began
    print(
        f"300 contracts: {whole:.2f} s, of which GitHub's answers {answering[0]:.2f} s, {len(hub.calls)} calls"
    )
    run = repo.run(number)
    assert (run["status"], len(run["annotations"])) == ("completed", 300)
    assert len({a["path"] for a in run["annotations"]}) == 300
    # The base was read when it was registered: only the 300 new files are asked for.
    assert hub.count("GET", "/git/blobs/") == 300
    assert hub.count("PATCH", "/check-runs/") == 6
    assert len(hub.calls) <= 325
    hub.calls.clear()
    repo.push(number, {**new, "README.md": "x"})
    world.settle()
    assert hub.count("GET", "/git/blobs/") == 0
    assert len(hub.calls) <= 25
    assert repo.comment(number)
    assert len(repo.comment(number)) < 5_000
