"""Who hears what, and when, with routes, quiet hours and people: under a clock that stands."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from contracts_svc.adapters.store.database import Database
from contracts_svc.adapters.store.store import DatabaseStore
from contracts_svc.alerts import IncidentState, Notification
from contracts_svc.flows.deliver import Sender
from contracts_svc.flows.notify import Outcome, acted, notify
from contracts_svc.incidents import USUAL
from contracts_svc.incidents_people import acknowledge, resolve, tick
from contracts_svc.ports import Delivery
from contracts_svc.routes.groups import Message
from contracts_svc.routes.read import read
from contracts_svc.routes.timing import DEFAULT_ROUTES
from contracts_svc.routes.tree import RouteFile
from contracts_svc.runs import Check, Result
from tests.alerts_world import (
    CARRIER,
    CONSUMERS,
    CONTRACTS,
    DEP_DELAY,
    DEST,
    GRAPH,
    NOON,
    TAILNUM,
    WORST,
    dataset_of,
    fails,
    passes,
    run,
)
from tests.fixtures_store import memory_store, read_contract

ROUTES = """
route:
  receiver: contract
  group_by: [dataset]
  repeat_interval: 1h
  routes:
    - matchers: [audience="owner"]
      receiver: on-call
      repeat_interval: 1h
    - matchers: [squad="finance"]
      active_time_intervals: [office hours]
receivers:
  - {name: on-call, type: pagerduty, escalate: {after: 30m, to: head}}
  - {name: head, type: pagerduty}
time_intervals:
  - name: office hours
    time_intervals: [{times: [{start_time: '09:00', end_time: '17:00'}]}]
"""


class Lake:
    """The platform at work: a clock, what is kept, and who was told."""

    def __init__(self, routes: str = "", store: DatabaseStore | None = None) -> None:
        self.time = NOON
        self.store = store or memory_store()
        self.routes: RouteFile = (
            read(routes.encode(), "routes.yaml", {"pagerduty": ()}) if routes else DEFAULT_ROUTES
        )
        self.told: list[tuple[datetime, str, Notification]] = []
        self.sender = Sender(self.store, self._find, self, routes=lambda: self.routes, chance=lambda: 0.5)
        self.around = {
            "contracts": CONTRACTS,
            "dataset_of": dataset_of,
            "graph": GRAPH,
            "consumers": CONSUMERS,
            "clock": self,
            "routes": self.routes,
        }

    def now(self) -> datetime:
        return self.time

    def _find(self, message: Message) -> Lake:
        self._name = message.notification.channel if message.receiver == "contract" else message.receiver
        return self

    def send(self, notification: Notification) -> Delivery:
        self.told.append((self.time, self._name, notification))
        return Delivery(sent=True)

    def at(self, **passed: float) -> Lake:
        until = NOON + timedelta(**passed)
        while (due := self.store.outbox_due()) is not None and due <= until:
            self.time = max(self.time, due)
            self.sender.step()
        self.time = until
        return self

    def checks(self, scope: str, *results: Result, table: str = "flights") -> Outcome:
        found = run(self.time, scope, *results, table=table)
        return notify(found, store=self.store, outbox=self.store, **self.around)  # type: ignore[arg-type]

    def december_fails(self, *checks: Check) -> None:
        self.checks("month=12", *(fails(c) for c in checks))

    def december_passes(self, *checks: Check) -> None:
        self.checks("month=12", *(passes(c) for c in checks))

    def somebody(self, what: str) -> tuple[Notification, ...]:
        (incident,) = (i for i in self.store.incidents() if i.state is not IncidentState.RESOLVED)
        if what == "acknowledges":
            moved = acknowledge(incident, "ada", self.time + timedelta(hours=2), self.time)
        else:
            moved = resolve(incident, "ada", "restored from the backup", self.time)
        return acted(moved, store=self.store, outbox=self.store, **self.around)  # type: ignore[arg-type]

    def time_passes(self) -> None:
        for moved in tick(self.store.incidents(), self.time, USUAL):
            acted(moved, store=self.store, outbox=self.store, **self.around)  # type: ignore[arg-type]

    def heard(self) -> dict[str, int]:
        """Where -> how many messages, since this was asked last."""
        found = Counter(name for _, name, _ in self.told)
        self.told.clear()
        return dict(found)


EVERYBODY = {"#flight-ops": 1, "#finance": 1, "#punctuality": 1, "#executive-reporting": 1}


def test_december_fails_is_repeated_and_is_over() -> None:
    lake = Lake("route: {receiver: contract, group_by: [dataset], repeat_interval: 1h}")
    lake.at(seconds=0).december_fails(DEP_DELAY, CARRIER)
    assert lake.heard() == {}, "more may come"
    lake.at(seconds=30)
    assert lake.heard() == EVERYBODY, "#weather hears nothing"
    lake.at(minutes=59)
    assert lake.heard() == {}
    lake.at(hours=1, minutes=1)
    assert lake.heard() == EVERYBODY
    lake.december_passes(DEP_DELAY, CARRIER)
    lake.at(hours=1, minutes=6)
    assert {n.labels["state"] for _, _, n in lake.told} == {"resolved"}
    assert lake.heard() == EVERYBODY
    lake.at(hours=48)
    assert lake.heard() == {}


def test_what_a_cause_found_in_time_explains_is_never_told() -> None:
    lake = Lake()
    lake.at(seconds=0).checks("whole table", fails(WORST), table="carrier_scorecard")
    lake.at(seconds=20).december_fails(DEP_DELAY)
    lake.at(minutes=20)
    assert {n.labels["dataset"] for _, _, n in lake.told} == {"flights"}
    assert lake.heard() == EVERYBODY


def test_a_check_more_in_the_same_dataset_waits_for_the_interval() -> None:
    lake = Lake()
    lake.at(seconds=0).december_fails(DEP_DELAY)
    lake.at(minutes=1).december_fails(DEP_DELAY, TAILNUM)
    lake.at(minutes=2)
    assert lake.heard() == EVERYBODY
    lake.at(minutes=6)
    assert lake.heard() == {"#flight-ops": 1}, "nobody else reads that column"


def test_nobody_acknowledges_and_the_head_hears() -> None:
    lake = Lake(ROUTES)
    lake.at(seconds=0).december_fails(TAILNUM)
    lake.at(minutes=29)
    assert lake.heard() == {"on-call": 1}
    lake.at(minutes=31)
    assert lake.heard() == {"head": 1}
    lake.december_passes(TAILNUM)
    lake.at(minutes=40)
    assert lake.heard() == {"on-call": 1, "head": 1}


def test_somebody_is_on_it_until_the_time_that_was_said() -> None:
    lake = Lake(ROUTES)
    lake.at(seconds=0).december_fails(TAILNUM)
    lake.at(minutes=10)
    assert lake.heard() == {"on-call": 1}
    lake.somebody("acknowledges")
    lake.at(minutes=10, seconds=1)
    (_, where, update) = lake.told[-1]
    assert (where, update.labels["state"], update.update) == (
        "on-call",
        "acknowledged",
        "ada is on it until 2024-01-01 14:10 UTC",
    )
    assert lake.heard() == {"on-call": 1}
    lake.at(hours=2, minutes=9)
    assert lake.heard() == {}, "neither a repeat nor an escalation"
    lake.at(hours=2, minutes=11).time_passes()
    lake.at(hours=2, minutes=20)
    assert lake.heard().keys() == {"on-call", "head"}


def test_who_was_told_hears_that_it_was_resolved_by_hand() -> None:
    lake = Lake()
    lake.at(seconds=0).december_fails(DEST)
    lake.at(minutes=1)
    assert lake.heard() == {"#flight-ops": 1, "#finance": 1}
    lake.somebody("resolves")
    lake.at(minutes=10)
    texts = [line for _, _, n in lake.told for s in n.sections for line in s.lines]
    assert any("restored from the backup" in t for t in texts)
    assert lake.heard() == {"#flight-ops": 1, "#finance": 1}


def test_finance_is_told_in_the_morning_what_happened_at_night() -> None:
    lake = Lake(ROUTES)
    lake.at(hours=8).december_fails(DEST)
    lake.at(hours=20, minutes=59)
    assert "#finance" not in lake.heard()
    lake.at(hours=21)
    assert lake.heard()["#finance"] == 1
    lake.at(hours=32)
    assert lake.heard()["#finance"] == 7, "the repeats of the working day"
    lake.december_passes(DEST)
    lake.at(hours=44, minutes=59)
    assert "#finance" not in lake.heard()
    lake.at(hours=45)
    assert lake.heard() == {"#finance": 1}


def test_runs_that_end_at_the_same_moment_lose_nothing(store_url: str) -> None:
    stores = [DatabaseStore(Database(store_url), read_contract) for _ in range(4)]
    lakes = [Lake(store=store) for store in stores]
    columns = [
        Check(id=f"flights.{n}", kind="required", table="flights", columns=("carrier",)) for n in range(12)
    ]
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(lakes[n % 4].december_fails, check) for n, check in enumerate(columns)]
        for job in jobs:
            job.result()
    lakes[0].at(minutes=1)
    told = [n for _, name, n in lakes[0].told if name == "#flight-ops"]
    assert [len(n.incidents) for n in told] == [12]
    for store in stores:
        store.close()
