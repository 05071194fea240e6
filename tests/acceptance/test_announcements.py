"""A version that breaks its readers announces itself to them, once, when it is registered."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from contracts_svc.adapters.store.store import DatabaseStore
from contracts_svc.alerts import Notification
from contracts_svc.findings import Severity
from contracts_svc.ports_outbox import MessageState
from tests.acceptance.test_api import NOW, World, orders
from tests.acceptance.test_api_service import AMOUNT, CONTRACTS, SERVERS, editor, reads_amount

NEWS = "support: [{channel: '#checkout-news', tool: slack, scope: announcements}]"
V1, V2 = orders("1.0.0", extra=f"{AMOUNT}\n{NEWS}"), orders("2.0.0", extra=f"{SERVERS}\n{NEWS}")


@pytest.fixture
def world(store: DatabaseStore) -> World:
    return World(store)


def messages(world: World) -> dict[str, Notification]:
    """What waits in the outbox, by channel (or team)."""
    found = [k.message.notification for k in world.store.messages(MessageState.WAITING)]
    assert len({(n.team, n.channel) for n in found}) == len(found)
    return {n.channel or n.team: n for n in found}


def register(world: World, text: bytes, path: str = CONTRACTS) -> Any:
    return world.send("POST", path, editor(world), text)


def agree(world: World, text: bytes) -> None:
    """Everybody who is asked agrees to all that a version does."""
    blocked = register(world, text)
    assert blocked.status_code == 409, blocked.text
    for finding in blocked.json()["findings"]:
        for team in finding["must_agree"]:
            body = {
                "contract": "orders",
                "fingerprint": finding["fingerprint"],
                "reason": "we read net from Monday on",
                "expires": (NOW + timedelta(days=30)).isoformat(),
                "approver": team,
            }
            answer = world.send("POST", "/api/v1/waivers", editor(world, team), body)
            assert answer.status_code in (200, 201), answer.text


def text_of(notification: Notification) -> str:
    return "\n".join(
        (notification.title, *(f"{s.heading}: {'; '.join(s.lines)}" for s in notification.sections))
    )


def test_whom_it_breaks_hears_what_becomes_of_their_columns_and_when(world: World) -> None:
    world.put(V1)
    reads_amount(world)
    world.put(orders("1.0.0", "weather", id="weather"))
    agree(world, V2)
    assert messages(world) == {}, "what is refused is no news"
    assert register(world, V2).status_code == 201
    told = messages(world)
    assert told.keys() == {"menu", "#checkout-news"}
    assert told["menu"].severity is Severity.ERROR
    assert told["menu"].labels["state"] == "announcement"
    said = text_of(told["menu"])
    assert "orders 2.0.0 changes what you read" in said
    assert "totals (total) breaks" in said or "orders (total) breaks" in said, said
    assert "menu agreed to orders.amount until 2026-12-24: we read net from Monday on" in said
    assert "2.0.0 takes the place of 1.0.0, in force since 2026-11-24" in said
    assert "Who is affected: menu:" in text_of(told["#checkout-news"])


def test_it_announces_itself_once_whoever_registers_it_again(world: World) -> None:
    world.put(V1)
    reads_amount(world)
    agree(world, V2)
    assert [register(world, V2).status_code for _ in range(3)] == [201, 200, 200]
    assert len(world.store.messages()) == 2


def test_a_version_that_only_adds_says_nothing(world: World) -> None:
    world.put(V1)
    reads_amount(world)
    more = V1.replace(b"1.0.0", b"1.1.0").replace(
        b"servers:", b"      - {name: note, logicalType: string}\nservers:"
    )
    assert register(world, more).status_code == 201
    assert messages(world) == {}


def test_a_dry_run_says_nothing(world: World) -> None:
    world.put(V1)
    reads_amount(world)
    agree(world, V2)
    register(world, V2, f"{CONTRACTS}?dry_run=true")
    assert messages(world) == {}


def test_it_says_from_when_on_it_is_in_force(world: World) -> None:
    world.put(V1)
    reads_amount(world)
    later = V2 + b"customProperties: [{property: effectiveFrom, value: '2027-01-01'}]\n"
    agree(world, later)
    assert register(world, later).status_code == 201
    said = text_of(messages(world)["menu"])
    assert "changes what you read from 2027-01-01 on" in said
    assert "in force from 2027-01-01" in said


def test_who_subscribed_hears_it_where_they_said(world: World) -> None:
    world.put(V1)
    body = {
        "team": "finance",
        "columns": ["orders.amount"],
        "channels": [{"tool": "slack", "address": "#finance"}],
    }
    path = f"{CONTRACTS}/orders/subscriptions/report"
    assert world.send("PUT", path, editor(world, "finance"), body).status_code in (200, 201)
    agree(world, V2)
    assert register(world, V2).status_code == 201
    assert messages(world).keys() == {"#finance", "#checkout-news"}


def test_who_reads_other_columns_hears_nothing(world: World) -> None:
    world.put(V1)
    for team, column in (("finance", "orders.amount"), ("menu", "orders.order_id")):
        path = f"{CONTRACTS}/orders/subscriptions/of-{team}"
        body = {"team": team, "columns": [column]}
        world.send("PUT", path, editor(world, team), body)
    agree(world, V2)
    assert register(world, V2).status_code == 201
    assert messages(world).keys() == {"finance", "#checkout-news"}
