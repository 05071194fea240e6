"""What the API asks of a store beyond keeping things, on each kind of database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from contracts_svc.adapters.store.store import DatabaseStore
from contracts_svc.alerts import IncidentState
from contracts_svc.incidents_people import acknowledge, resolve
from contracts_svc.ports_store import Actor
from contracts_svc.schedules_runs import PublishEvent
from tests.acceptance.test_api import NOW, World, orders
from tests.acceptance.test_api_service import column, put_incident, put_run, reads_amount
from tests.fixtures_store import read_contract

ADA = Actor(who="ada", where="api")


def put(store: DatabaseStore, text: bytes) -> None:
    store.put_contract(read_contract(text, "orders.odcs.yaml"), text, NOW)


def happenings(*keys: str) -> list[PublishEvent]:
    return [PublishEvent(key=k, tenant="", contract="orders", table="orders", at=NOW) for k in keys]


def test_messages_count_once_however_many_hear_them(store: DatabaseStore) -> None:
    with ThreadPoolExecutor(4) as pool:
        given = happenings(*(f"p{n}" for n in range(50)))
        heard = list(pool.map(lambda _: store.put_events(given), range(4)))
    assert sorted(e.key for some in heard for e in some) == sorted(f"p{n}" for n in range(50))
    assert store.put_events(happenings("x" * 5_000)) != ()


def test_what_is_heard_in_work_that_fails_is_not_heard(store: DatabaseStore) -> None:
    def work() -> None:
        store.put_events(happenings("m"))
        raise LookupError

    with pytest.raises(LookupError):
        store.atomically(work)
    assert store.put_events(happenings("m")) != ()


def test_rows_of_contracts_by_id_retired_ones_too(store: DatabaseStore) -> None:
    put(store, orders("1.0.0"))
    put(store, orders("1.1.0"))
    put(store, orders(id="menus", tenant="acme"))
    store.retire_contract("menus", NOW, ADA)
    rows = store.contract_rows(["menus", "orders", "none", "orders"])
    assert {i: (r.version, r.tenant, r.retired is not None) for i, r in rows.items()} == {
        "orders": ("1.1.0", "", False),
        "menus": ("1.0.0", "acme", True),
    }
    assert store.contract_rows([]) == {}


def test_two_who_change_an_incident_see_one_another(store: DatabaseStore) -> None:
    """Both would acknowledge or resolve what is open; the second sees what the first has made of it."""
    incident = put_incident(World(store))
    assert store.incident("none") is None

    def change(resolves: bool) -> IncidentState | None:
        def work() -> IncidentState | None:
            now = store.incident(incident.fingerprint, to_change=True)
            assert now is not None
            if now.state is IncidentState.RESOLVED:
                return None
            made = resolve(now, "ada", "fine", NOW) if resolves else acknowledge(now, "bob", None, NOW)
            store.put_incidents([made.incident], [made])
            return made.before

        return store.atomically(work)

    with ThreadPoolExecutor(2) as pool:
        befores = set(pool.map(change, [True, False]))
    assert befores in ({IncidentState.OPEN, None}, {IncidentState.OPEN, IncidentState.ACKNOWLEDGED})
    found = store.incident(incident.fingerprint)
    assert found is not None
    assert found.state is IncidentState.RESOLVED


def test_ids_of_runs_counts_of_datasets_and_notes(store: DatabaseStore) -> None:
    world = World(store)
    assert store.datasets_used("") == (0, 0)
    reads_amount(world)
    assert store.datasets_used("") == (2, 1)
    assert store.downstream([column("orders", "amount")]).graph.edges
    run_id = put_run(world)
    run = store.run(run_id)
    assert run is not None
    assert store.id_of(run) == run_id
    store.note(NOW, ADA, "triggered", "contract", "orders", {"tables": ["orders"]})
    (entry,) = store.audit("contract", "orders")
    assert (entry.actor, entry.action, entry.detail) == (ADA, "triggered", {"tables": ["orders"]})
