"""The flow from a run to delivered messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from contracts_svc.adapters.store.store import DatabaseStore
from contracts_svc.alerts import IncidentState, Notification
from contracts_svc.flows.notify import Outcome, notify
from contracts_svc.ports import Delivery, Receiver
from contracts_svc.runs import Run
from tests.alerts_world import (
    CARRIER,
    CONSUMERS,
    CONTRACTS,
    DEP_DELAY,
    GRAPH,
    NOON,
    dataset_of,
    fails,
    passes,
    run,
)
from tests.fixtures_store import memory_store


class Standing:
    """A clock that stands."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> datetime:
        return self._at


class Inbox:
    """Takes every message, or none."""

    def __init__(self, store: DatabaseStore, answer: Delivery | None = None) -> None:
        self.got: list[Notification] = []
        self.open_incidents: list[int] = []
        self._store, self._answer = store, answer or Delivery(sent=True)

    def send(self, notification: Notification) -> Delivery:
        self.got.append(notification)
        self.open_incidents.append(len(self._store.incidents()))
        return self._answer


def told(run: Run, store: DatabaseStore, receivers: Mapping[str, Receiver]) -> Outcome:
    return notify(
        run,
        store=store,
        receivers=receivers,
        contracts=CONTRACTS,
        dataset_of=dataset_of,
        graph=GRAPH,
        consumers=CONSUMERS,
        clock=Standing(run.finished),
    )


FAILING = run(NOON, "month=12", fails(DEP_DELAY), fails(CARRIER))


def test_incidents_are_stored_before_anything_is_sent() -> None:
    store = memory_store()
    inbox = Inbox(store)
    outcome = told(FAILING, store, {"slack": inbox})
    assert inbox.open_incidents == [2, 2, 2, 2]
    assert len(outcome.transitions) == 2
    assert [n for n, _ in outcome.sent] == inbox.got
    assert outcome.unsent == ()


def test_what_has_no_receiver_of_its_own_goes_to_the_default() -> None:
    store = memory_store()
    slack, default = Inbox(store), Inbox(store)
    silent = replace(CONTRACTS["urn:flights"], support=())
    notify(
        FAILING,
        store=store,
        receivers={"slack": slack, "default": default},
        contracts={"urn:flights": silent},
        dataset_of=dataset_of,
        graph=GRAPH,
        consumers=CONSUMERS,
        clock=Standing(NOON),
    )
    assert [n.team for n in default.got] == ["flight-ops"]
    assert [n.team for n in slack.got] == ["executive-reporting", "finance", "punctuality"]


def test_a_message_that_nobody_can_send_is_reported() -> None:
    outcome = told(FAILING, memory_store(), {})
    assert len(outcome.unsent) == 4
    assert {d.reason for _, d in outcome.unsent} == {"no receiver is called 'slack'"}


def test_a_failed_send_stops_no_other() -> None:
    store = memory_store()
    down = Inbox(store, Delivery(sent=False, retry=True, reason="timeout"))
    outcome = told(FAILING, store, {"slack": down})
    assert len(down.got) == 4
    assert [d for _, d in outcome.unsent] == [Delivery(sent=False, retry=True, reason="timeout")] * 4
    assert len(store.incidents()) == 2


def test_what_only_stays_bad_is_stored_and_not_told() -> None:
    store = memory_store()
    told(FAILING, store, {"slack": Inbox(store)})
    later = NOON + timedelta(hours=1)
    inbox = Inbox(store)
    outcome = told(run(later, "month=12", fails(DEP_DELAY, failing=7)), store, {"slack": inbox})
    assert outcome == Outcome(transitions=(), sent=())
    assert inbox.got == []
    by_check = {i.check: i for i in store.incidents()}
    assert by_check[DEP_DELAY.id].evidence.failing == 7
    assert by_check[DEP_DELAY.id].seen > later
    assert by_check[CARRIER.id].seen < later


def test_resolved_incidents_are_stored_as_such() -> None:
    store = memory_store()
    told(FAILING, store, {"slack": Inbox(store)})
    later = NOON + timedelta(hours=1)
    outcome = told(run(later, "month=12", passes(DEP_DELAY), fails(CARRIER)), store, {})
    assert [t.incident.state for t in outcome.transitions] == [IncidentState.RESOLVED]
    assert [i.check for i in store.incidents()] == [CARRIER.id]
