"""Who may do what, tried: every endpoint, with every kind of caller, and with another tenant's."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any

import pytest

from contracts_svc.api.access import ROLES, Permission, _Needs, authenticated
from contracts_svc.api.rules import PAGES, RULES, Rule, Whose
from tests.acceptance.api_requests import TENANT, Asked, settled_in
from tests.acceptance.test_api import World, flat, orders, routes_of
from tests.fixtures_store import memory_store


@pytest.fixture
def world() -> Iterator[World]:
    store = memory_store()
    found = World(store)
    # What a form leads to is a page of its own, with a rule of its own.
    found.client.follow_redirects = False
    yield found
    store.close()


def test_every_endpoint_has_a_rule_and_keeps_it(world: World) -> None:
    routes = {(method, route.path): route for route in routes_of(world) for method in route.methods}
    assert RULES.keys() == routes.keys(), (
        "an endpoint without a rule in contracts_svc/api/rules.py, or the reverse"
    )
    for key, route in routes.items():
        calls = [d.call for d in flat(route.dependant)]
        asked = {call.permission for call in calls if isinstance(call, _Needs)}
        rule = RULES[key]
        assert asked == ({rule.permission} if rule.permission else set()), key
        assert (authenticated in calls) is (rule.whose not in NOBODY), key


CALLERS: dict[str, tuple[str, ...]] = {
    "viewer": ("viewer",),
    "viewer of the squad": ("viewer", "squad:checkout"),
    "editor of nothing": ("editor",),
    "editor of the squad": ("editor", "squad:checkout"),
    "editor of the domain": ("editor", "domain:shop"),
    "editor of another domain": ("editor", "domain:hr"),
    "editor downstream": ("editor", "squad:menu"),
    "editor of another squad": ("editor", "squad:finance"),
    "lineage": ("lineage",),
    "publisher": ("publisher",),
    "admin": ("admin",),
}
"""Scopes of who calls. The contract is of the squad checkout and the domain shop; menu reads it."""
NOBODY = (Whose.PUBLIC, Whose.SIGNED)
"""Where nobody says who they are by a token."""
MAY: dict[Whose, set[str]] = {
    Whose.OWN: {"editor of the squad", "editor of the domain", "admin"},
    # The subscription is menu's; so is the contract downstream, which is in the domain too.
    Whose.READS: {"editor downstream", "admin"},
    Whose.CONCERNS: {"editor of the squad", "editor of the domain", "editor downstream", "admin"},
    Whose.SQUAD: {"editor of the squad", "admin"},
    # It was menu that agreed.
    Whose.AGREED: {"editor downstream", "admin"},
}


def may(rule: Rule, caller: str, scopes: tuple[str, ...]) -> bool:
    permissions: set[Permission] = set().union(*(ROLES[s] for s in scopes if s in ROLES))
    if rule.permission is not None and rule.permission not in permissions:
        return False
    return caller in MAY.get(rule.whose, CALLERS)


def test_every_rule_holds_for_every_kind_of_caller(world: World) -> None:
    asked = settled_in(world)
    assert asked.keys() == RULES.keys()
    tokens = {name: world.token(*scopes, tenant=TENANT) for name, scopes in CALLERS.items()}
    wrong: list[str] = []
    tried = 0
    for key, request in asked.items():
        rule = RULES[key]
        # Those first who may not: what they ask for must still be there.
        for name in sorted(CALLERS, key=lambda n: may(rule, n, CALLERS[n])):
            answer = sent(world, key[0], request, tokens[name])
            tried += 1
            if (answer.status_code not in (401, 403)) is not may(rule, name, CALLERS[name]):
                wrong.append(f"{name}: {key} answers {answer.status_code} {answer.text[:200]}")
        nobody = sent(world, key[0], request, "")
        if (nobody.status_code == 401) is (rule.whose in NOBODY):
            wrong.append(f"nobody: {key} answers {nobody.status_code}")
    assert wrong == []
    assert tried == len(RULES) * len(CALLERS)


def sent(world: World, method: str, request: Asked, token: str) -> Any:
    return world.send(method, request.path, token, request.body, **request.headers)


def test_what_is_asked_for_is_there_for_who_may(world: World) -> None:
    """Else the test above would take a 404 for leave."""
    admin = world.token("admin", tenant=TENANT)
    for key, request in settled_in(world).items():
        answer = sent(world, key[0], request, admin)
        known = ("/login", "/auth/callback", "/logout", "/github", "/slack", "/api/v1/github", "/pulls")
        assert answer.status_code < 400 or key[1].startswith(known), (key, answer.text)


def test_an_editor_of_a_domain_cannot_take_a_contract_into_it(world: World) -> None:
    world.put(orders())
    token = world.token("editor", "domain:hr")
    taken = orders("1.1.0").replace(b"domain: shop", b"domain: hr")
    assert world.send("POST", "/api/v1/contracts", token, taken).status_code == 403
    # Nor can it be given away by who does not own where it goes.
    owner = world.token("editor", "domain:shop")
    assert (
        world.send("POST", "/api/v1/contracts", owner, taken.replace(b"checkout", b"people")).status_code
        == 403
    )


# --- tenants --------------------------------------------------------------------------------------


def test_no_endpoint_tells_or_changes_anything_of_another_tenant(world: World) -> None:
    """With the ids of what is there in the path, the query and the body."""
    asked = settled_in(world)
    document = world.get("/api/v1/openapi.json").json()
    described = {(m.upper(), p) for p, methods in document["paths"].items() for m in methods}
    hidden = {("POST", "/slack/interactivity"), *PAGES}
    assert {(m, p.replace(":path}", "}")) for m, p in asked.keys() - hidden} == described
    scopes = ("admin", "squad:checkout", "squad:menu", "domain:shop")
    token, own_name = world.token(*scopes, tenant="evil"), f"a token of {scopes}"
    admin = world.token("admin", tenant=TENANT)
    before = state_of(world, admin)
    told: list[str] = []
    # Who one is oneself is nobody else's.
    for key, request in ((k, r) for k, r in asked.items() if k != ("GET", "/api/v1/me")):
        answer = sent(world, key[0], request, token)
        assert answer.status_code < 500, (key, answer.text)
        given = str(request.path) + repr(request.body)
        # What one sent oneself may come back in a message.
        text = html.unescape(answer.text).replace(own_name, "")
        told += [f"{key}: {word}" for word in SHOWN if word in text and word not in given]
        if key[0] != "GET" and answer.status_code < 400 and key not in THEIR_OWN:
            told.append(f"{key} did something: {answer.status_code}")
    assert told == []
    assert state_of(world, admin) == before


THEIR_OWN = {
    # Lineage and messages of the other tenant are about data of its own, whatever it is called.
    ("POST", "/api/v1/lineage"),
    ("POST", "/api/v1/lineage/batch"),
    ("POST", "/api/v1/lineage/part"),
    ("POST", "/api/v1/events/publish"),
    # So are its alerts.
    ("POST", "/api/v1/silences"),
    # It ends the session that one comes with.
    ("POST", "/logout"),
    ("POST", "/silences"),
}
SHOWN = ("checkout", "menu", "revenue forecast", "planted reason", "totals", "amount", "acme", "rows are NULL",
         "1.0.0", "whole table", "planted", "Revenue")  # fmt: skip
"""What stands in things of the tenant."""


def state_of(world: World, admin: str) -> dict[str, Any]:
    """All that the tenant sees."""
    paths = ("contracts", "contracts/orders", "contracts/orders/versions", "contracts/orders/subscriptions",
             "contracts/orders/runs", "waivers", "incidents", "jobs", "audit", "silences", "data-products",
             "lineage/impact?dataset=orders", "lineage/upstream?dataset=totals")  # fmt: skip
    found = {path: world.get(f"/api/v1/{path}", admin) for path in paths}
    assert all(a.is_success for a in found.values()), {
        p: a.text for p, a in found.items() if not a.is_success
    }
    return {path: answer.text for path, answer in found.items()}


def test_two_tenants_do_not_share_the_names_of_data(world: World) -> None:
    """One that has a contract of the same data, the same names and the same readers sees its own alone."""
    settled_in(world)
    world.put(orders("1.0.0", tenant="evil", id="theirs"))
    token = world.token("admin", tenant="evil")
    for path in ("lineage/impact?dataset=theirs", "lineage/downstream?dataset=theirs"):
        assert world.get(f"/api/v1/{path}", token).json()["items"] == []
    assert [i["id"] for i in world.get("/api/v1/contracts", token).json()["items"]] == ["theirs"]
