"""What a squad hears of its data without having been woken for it: once a period, and nothing of nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from contracts_svc.adapters import openlineage
from contracts_svc.adapters.store.database import Database
from contracts_svc.adapters.store.store import DatabaseStore
from contracts_svc.alerts import Notification
from contracts_svc.findings import Severity
from contracts_svc.flows.digesting import Digesting
from contracts_svc.flows.register import register
from contracts_svc.flows.stored_lineage import StoredLineage
from contracts_svc.incidents import step
from contracts_svc.incidents_people import acknowledge
from contracts_svc.lineage.graph import ColumnRef, DatasetId, Edge, EdgeKind, EdgeType
from contracts_svc.routes.read import read
from contracts_svc.runs import Check, Outcome
from tests.alerts_world import fails, passes, run
from tests.fixtures_store import read_contract

MONDAY = datetime(2026, 11, 23, 8, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DAILY = "route: {receiver: contract}\ndigest: {every: daily, at: '08:00', squads: {finance: weekly, quiet: never}}"


def contract(name: str, squad: str, version: str = "1.0.0", column: str = "", more: str = "") -> bytes:
    return f"""
apiVersion: v3.2.0
kind: DataContract
id: {name}
name: {name}
version: {version}
status: active
team: {{name: {squad}}}
support: [{{channel: '#{squad}', tool: slack, scope: issues}}]
servers: [{{server: lake, type: s3, location: 's3://lake/{name}', format: parquet}}]
schema: [{{name: {name}, properties: [{{name: x, logicalType: integer{column}}}]}}]
{more}
""".encode()


class Office:
    """A store, a clock that stands, and the process that makes digests."""

    def __init__(self, store: DatabaseStore, routes: str = DAILY, time: datetime = MONDAY) -> None:
        self.store, self.time = store, time
        self.routes = read(routes.encode(), "routes.yaml", {})
        lineage = StoredLineage(store, openlineage.take, openlineage.read_parsed, lambda sql: None)  # type: ignore[arg-type]
        self.digesting = Digesting(store=store, lineage=lineage, clock=self, routes=lambda: self.routes)

    def now(self) -> datetime:
        return self.time

    def register(self, text: bytes, at: datetime) -> None:
        register(text, "c.odcs.yaml", read=read_contract, store=self.store, now=at)

    def fails(self, table: str, column: str, at: datetime, *, warns: bool = False) -> None:
        check = Check(
            id=f"{table}.{column}", kind="required", table=table, columns=(column,), title=f"{column} is there",
            severity=Severity.WARNING if warns else Severity.ERROR,
        )  # fmt: skip
        bad = replace(fails(check), outcome=Outcome.WARNED if warns else Outcome.FAILED)
        found = replace(run(at, "whole table", bad, table=table), contract=table)
        moved = step(self.store.incidents(), found, at)
        self.store.put_incidents(moved.incidents, moved.transitions)

    def told(self) -> dict[str, Notification]:
        """Channel -> what is in the outbox for it, which is one thing at most."""
        found = [k.message.notification for k in self.store.messages()]
        assert len({n.channel for n in found}) == len(found)
        return {n.channel: n for n in found}


def lines(notification: Notification) -> dict[str, list[str]]:
    return {s.heading: list(s.lines) for s in notification.sections}


def test_each_squad_hears_of_its_own_data_in_one_message(store: DatabaseStore) -> None:
    office = Office(store)
    for name, squad in (("orders", "checkout"), ("stock", "checkout"), ("fine", "menu"), ("rest", "quiet")):
        office.register(contract(name, squad), MONDAY - 30 * DAY)
    office.fails("orders", "x", MONDAY - DAY, warns=True)
    office.fails("stock", "x", MONDAY - 9 * DAY)
    office.fails("rest", "x", MONDAY - DAY)
    office.fails("orders", "y", MONDAY - 2 * HOUR)
    (taken,) = (i for i in store.incidents() if i.check == "orders.y")
    moved = acknowledge(taken, "ada", MONDAY + DAY, MONDAY - HOUR)
    store.put_incidents([moved.incident], [moved])
    assert office.digesting.step() == 1
    told = office.told()
    assert told.keys() == {"#checkout"}, "nothing to say to menu, and quiet wants none"
    said = lines(told["#checkout"])
    assert said.keys() == {"Warnings", "Somebody is on it", "Open for more than 7 days"}
    assert said["Somebody is on it"][0].endswith("; ada until 2026-11-24 08:00 UTC")


def test_it_comes_once_whatever_starts_again(store: DatabaseStore) -> None:
    office = Office(store)
    office.register(contract("orders", "checkout"), MONDAY - 30 * DAY)
    office.fails("orders", "x", MONDAY - DAY)
    made = []
    for minutes in (-1, 0, 1, 30, 300):
        office = Office(store, time=MONDAY + timedelta(minutes=minutes))
        made.append(office.digesting.step())
    assert made == [0, 1, 0, 0, 0]
    assert Office(store, time=MONDAY + DAY).digesting.step() == 1, "and the next day again"


def test_what_begins_after_it_was_due_is_for_the_next_one(store: DatabaseStore) -> None:
    """A period without anything to say is over, too."""
    office = Office(store)
    office.register(contract("orders", "checkout"), MONDAY - 30 * DAY)
    assert office.digesting.step() == 0
    office.fails("orders", "x", MONDAY + HOUR)
    office.time = MONDAY + 2 * HOUR
    assert office.digesting.step() == 0
    office.time = MONDAY + DAY
    assert office.digesting.step() == 1


def test_several_processes_send_it_once(store_url: str) -> None:
    offices = [Office(DatabaseStore(Database(store_url), read_contract)) for _ in range(4)]
    offices[0].register(contract("orders", "checkout"), MONDAY - 30 * DAY)
    offices[0].fails("orders", "x", MONDAY - DAY)
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(lambda o: o.digesting.step(), offices)) == 1
    assert offices[0].told().keys() == {"#checkout"}
    for office in offices:
        office.store.close()


def test_a_squad_that_wants_it_weekly_gets_it_on_its_day(store: DatabaseStore) -> None:
    office = Office(store, time=MONDAY + DAY)
    office.register(contract("revenue", "finance"), MONDAY - 30 * DAY)
    office.fails("revenue", "x", MONDAY - DAY)
    assert office.digesting.step() == 0
    office.time = MONDAY + 7 * DAY
    assert office.digesting.step() == 1
    assert office.told()["#finance"].title == "finance: your data from 2026-11-23 to 2026-11-30"


def test_changes_and_what_ends_are_told_to_the_owner_and_to_whoever_reads_it(store: DatabaseStore) -> None:
    office = Office(store)
    office.register(contract("orders", "checkout"), MONDAY - 30 * DAY)
    office.register(contract("totals", "menu"), MONDAY - 30 * DAY)
    office.register(contract("weather", "ops"), MONDAY - 30 * DAY)
    edge = Edge(
        source=ColumnRef(DatasetId("s3://lake", "orders"), "x"),
        target=ColumnRef(DatasetId("s3://lake", "totals"), "x"),
        kind=EdgeKind.DIRECT,
        type=EdgeType.IDENTITY,
        origin="job",
    )
    store.put_edges([edge])
    ends = "slaProperties: [{property: endOfSupport, value: 2026-12-10}]"
    office.register(contract("orders", "checkout", "1.1.0", ", deprecated: true", ends), MONDAY - DAY)
    assert office.digesting.step() == 2
    told = office.told()
    expected = [
        "orders: version 1.1.0 took the place of 1.0.0 and deprecates orders.x",
        "orders: support ends on 2026-12-10",
    ]
    assert lines(told["#checkout"]) == {"Contracts": expected}
    assert lines(told["#menu"]) == {"What you read": expected}


def test_tenants_with_squads_of_one_name_are_told_apart(store: DatabaseStore) -> None:
    office = Office(store)
    for tenant in ("acme", "other"):
        text = contract(f"{tenant}-orders", "checkout", more=f"tenant: {tenant}")
        office.register(text.replace(b"#checkout", f"#{tenant}".encode()), MONDAY - 30 * DAY)
        office.fails(f"{tenant}-orders", "x", MONDAY - DAY)
    assert office.digesting.step() == 2
    for tenant, notification in office.told().items():
        assert all(tenant.strip("#") in line for s in notification.sections for line in s.lines)


@pytest.mark.parametrize("location", ["Europe/Amsterdam", "America/New_York"])
def test_it_comes_in_the_morning_of_where_people_are(store: DatabaseStore, location: str) -> None:
    routes = f"route: {{receiver: contract}}\ndigest: {{every: daily, location: {location}}}"
    office = Office(store, routes, MONDAY)
    office.register(contract("orders", "checkout"), MONDAY - 30 * DAY)
    office.fails("orders", "x", MONDAY - DAY)
    sent = []
    for hour in range(24):
        office.time = MONDAY.replace(hour=0) + hour * HOUR
        sent += [hour] * office.digesting.step()
    assert sent == [{"Europe/Amsterdam": 7, "America/New_York": 13}[location]]


def test_passing_checks_are_no_news(store: DatabaseStore) -> None:
    office = Office(store)
    office.register(contract("orders", "checkout"), MONDAY - 30 * DAY)
    good = run(MONDAY - DAY, "whole table", passes(Check(id="orders.x", kind="required", table="orders")))
    moved = step((), replace(good, contract="orders"), MONDAY)
    store.put_incidents(moved.incidents, moved.transitions)
    assert office.digesting.step() == 0
