"""Silences over HTTP, and what acknowledging and resolving over HTTP does to those who were told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from contracts_svc.alerts import Incident, IncidentState, Notification
from contracts_svc.api.deps import acting_of
from contracts_svc.flows.deliver import Sender
from contracts_svc.ports import Delivery
from contracts_svc.routes.dispatch import receive
from contracts_svc.routes.silences import silence as new_silence
from tests.acceptance.test_api import NOW, World, is_problem, orders
from tests.acceptance.test_api_service import put_incident
from tests.fixtures_store import memory_store
from tests.telling import note

PATH = "/api/v1/silences"
TOMORROW = (NOW + timedelta(days=1)).isoformat()


class Told(World):
    """A service whose messages are sent on demand, by a clock that is moved."""

    def __init__(self) -> None:
        super().__init__(memory_store())
        self.sent: list[Notification] = []
        self.time = NOW
        self.sender = Sender(self.store, lambda message: _Receiver(self), self, chance=lambda: 0.5)

    def now(self) -> datetime:
        return self.time

    def take(self, notification: Notification) -> Delivery:
        self.sent.append(notification)
        return Delivery(sent=True, thread="C1:1.0")

    def tell(self, incident: Incident, **labels: str) -> None:
        """The owner hears of an incident."""
        said = note(incident.fingerprint, team="checkout", dataset="orders")
        said = replace(said, labels={**said.labels, **labels})
        self.store.put_groups(receive((), [said], now=NOW))
        self.at(minutes=1)
        assert [n.title for n in self.sent] == [said.title]
        self.sent.clear()

    def at(self, **passed: float) -> list[Notification]:
        until = NOW + timedelta(**passed)
        while (due := self.store.outbox_due()) is not None and due <= until:
            self.time = max(self.time, due)
            self.sender.step()
        self.time = until
        return self.sent


class _Receiver:
    def __init__(self, world: Told) -> None:
        self.send = world.take


@pytest.fixture
def world() -> Iterator[Told]:
    found = Told()
    found.put(orders())
    yield found
    found.store.close()


def silence(world: World, token: str, *matchers: str, **more: Any) -> Any:
    body = {"matchers": list(matchers), "reason": "a backfill", "ends": TOMORROW, **more}
    return world.send("POST", PATH, token, body)


def test_a_silence_has_an_author_a_reason_and_an_end(world: Told) -> None:
    ada = world.token("editor", "squad:checkout")
    made = silence(world, ada, 'squad="checkout"', "dataset=orders")
    assert made.status_code == 201, made.text
    body = made.json()
    assert body["matchers"] == ['dataset="orders"', 'squad="checkout"', 'tenant=""']
    assert (body["reason"], body["active"], body["ends"]) == ("a backfill", True, "2026-11-25T12:00:00Z")
    assert body["author"].startswith("a token of")
    one = world.get(f"{PATH}/{body['id']}", ada)
    assert (one.json(), one.headers["etag"]) == (body, body["etag"])
    assert [s["id"] for s in world.get(PATH, ada).json()["items"]] == [body["id"]]
    is_problem(world.send("DELETE", f"{PATH}/{body['id']}", ada, if_match='"old"'), 412)
    ended = world.send("DELETE", f"{PATH}/{body['id']}", ada, if_match=body["etag"])
    assert (ended.status_code, ended.json()["active"]) == (200, False)
    assert world.get(PATH, ada).json()["items"] == []
    assert world.get(f"{PATH}/{body['id']}", ada).json()["active"] is False, "one that is over can be read"
    entries = world.store.audit("silence")
    assert [(e.action, e.detail["reason"]) for e in entries] == [
        ("created", "a backfill"),
        ("ended", "a backfill"),
    ]
    assert all(e.actor.where == "api testclient" for e in entries)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"matchers": []}, "at least 1"),
        ({"matchers": ["squad"]}, "is no matcher"),
        ({"matchers": ['squad=~"("']}, "is no matcher"),
        ({"matchers": ['squad=~".*"']}, "every alert"),
        ({"reason": " "}, "reason"),
        ({"ends": "2026-11-24T11:00:00Z"}, "over before it begins"),
        ({"ends": "2027-11-24T11:00:00Z"}, "at most 90 days"),
        ({"ends": "tomorrow"}, "time with its zone"),
        ({"who": "me"}, "Extra inputs"),
    ],
)
def test_what_is_no_silence_is_refused_with_the_reason(world: Told, more: Any, said: str) -> None:
    token = world.token("admin")
    answer = silence(world, token, "squad=checkout", **more)
    assert said in is_problem(answer, 422)["mistakes"][0]["message"]
    assert world.store.silences(NOW) == ()


def test_only_ones_own_squad_is_silenced_and_only_ones_own_tenant_sees_it(world: Told) -> None:
    ada, bob = world.token("editor", "squad:checkout"), world.token("editor", "squad:menu")
    admin, viewer = world.token("admin"), world.token("viewer", "squad:checkout")
    stranger = world.token("admin", tenant="acme")
    is_problem(silence(world, viewer, "squad=checkout"), 403)
    for matchers in (
        ["squad=menu"],
        ["dataset=orders"],
        ["squad=~checkout|menu"],
        ["squad!=menu", "dataset=orders"],
    ):
        assert "act for (checkout)" in is_problem(silence(world, ada, *matchers), 403)["detail"]
    mine = silence(world, ada, "squad=checkout").json()
    wide = silence(world, admin, "dataset=orders")
    assert wide.status_code == 201
    is_problem(world.send("DELETE", f"{PATH}/{mine['id']}", bob), 403)
    is_problem(world.send("DELETE", f"{PATH}/{wide.json()['id']}", ada), 403)
    assert world.get(PATH, stranger).json()["items"] == []
    is_problem(world.get(f"{PATH}/{mine['id']}", stranger), 404)
    is_problem(world.send("DELETE", f"{PATH}/{mine['id']}", stranger), 404)
    theirs = silence(world, stranger, "squad=checkout").json()
    assert 'tenant="acme"' in theirs["matchers"]
    entries = world.get("/api/v1/audit?kind=silence", stranger).json()["items"]
    assert [e["subject"] for e in entries] == [theirs["id"]]
    assert world.send("DELETE", f"{PATH}/{mine['id']}", admin).status_code == 200


def test_a_silence_of_those_who_run_the_service_is_seen_and_not_ended(world: Told) -> None:
    whole = new_silence(
        ["severity=warning"], author="ops", reason="x", begins=NOW, ends=NOW + timedelta(1), now=NOW
    )
    world.store.put_silence(whole, NOW)
    stranger = world.token("admin", tenant="acme")
    assert [s["id"] for s in world.get(PATH, stranger).json()["items"]] == [whole.id]
    is_problem(world.send("DELETE", f"{PATH}/{whole.id}", stranger), 403)


def test_pages_of_silences(world: Told) -> None:
    admin = world.token("admin")
    for n in range(5):
        silence(world, admin, f"squad=s{n}", ends=(NOW + timedelta(hours=5 - n)).isoformat())
    first = world.get(f"{PATH}?limit=3", admin).json()
    rest = world.get(f"{PATH}?limit=3&cursor={first['next']}", admin).json()
    squads = [s["matchers"][0] for s in first["items"] + rest["items"]]
    assert squads == [f'squad="s{n}"' for n in (4, 3, 2, 1, 0)]
    assert rest["next"] is None


# --- what receivers hear of it ----------------------------------------------------------------------


def test_who_is_on_it_is_shown_at_once_where_it_was_told(world: Told) -> None:
    incident = put_incident(world)
    world.tell(incident)
    owner = world.token("editor", "squad:checkout")
    until = (NOW + timedelta(hours=4)).isoformat()
    path = f"/api/v1/incidents/{incident.fingerprint}"
    assert world.send("POST", f"{path}/acknowledge", owner, {"until": until}).status_code == 200
    (update,) = world.at(minutes=1)
    assert "is on it until 2026-11-24 16:00 UTC" in update.update
    assert (update.labels["state"], update.thread) == ("acknowledged", "C1:1.0")
    assert [o.until for o in update.on_it.values()] == [NOW + timedelta(hours=4)]
    again = world.send("POST", f"{path}/acknowledge", owner, {"until": until})
    assert again.status_code == 200
    assert len(world.at(hours=3)) == 1, "the same again is nothing new"
    done = world.send("POST", f"{path}/resolve", owner, {"reason": "published again"})
    assert done.json()["state"] == "resolved"
    over = world.at(hours=4)[-1]
    assert over.labels["state"] == "resolved"
    assert over.thread == "C1:1.0"


def test_an_acknowledgement_that_runs_out_is_told(world: Told) -> None:
    incident = put_incident(world, announced=True)
    world.tell(incident)
    owner = world.token("editor", "squad:checkout")
    until = NOW + timedelta(hours=1)
    path = f"/api/v1/incidents/{incident.fingerprint}/acknowledge"
    assert world.send("POST", path, owner, {"until": until.isoformat()}).status_code == 200
    telling = acting_of(replace(world.app.state.service, clock=world)).telling
    world.at(minutes=59)
    assert telling.pass_time() == 0
    world.sent.clear()
    world.at(minutes=61)
    assert telling.pass_time() == 1
    assert [i.state for i in world.store.incidents()] == [IncidentState.OPEN]
    assert telling.pass_time() == 0
    (told,) = [n for n in world.at(minutes=70) if n.team == "checkout"]
    assert told.labels["state"] == "open"
    assert any("and not over" in line for s in told.sections for line in s.lines)


def test_a_silence_and_its_end_are_shown_where_it_was_told(world: Told) -> None:
    world.tell(put_incident(world))
    owner = world.token("editor", "squad:checkout")
    made = silence(world, owner, "squad=checkout", "dataset=orders").json()
    (shown,) = world.at(minutes=1)
    assert "silenced this until 2026-11-25 12:00 UTC: a backfill" in shown.update
    assert shown.silenced is not None
    assert len(world.at(hours=12)) == 1, "no repeat while it is silenced"
    other = silence(world, owner, "squad=checkout", "dataset=lunches").json()
    world.send("DELETE", f"{PATH}/{other['id']}", owner)
    assert len(world.at(hours=12)) == 1, "what is not theirs is not shown"
    world.send("DELETE", f"{PATH}/{made['id']}", owner)
    ended, repeat = world.at(hours=12)[1:]
    assert "ended the silence" in ended.update
    assert (repeat.update, repeat.silenced) == ("", None)
