"""What a registration costs depends on the contract and on what it leads to, not on how many others there are;
and what is known is the same as if all were read anew."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event as listening

from contracts_svc.adapters.openlineage import read_parsed, take
from contracts_svc.adapters.store.store import DatabaseStore
from contracts_svc.flows.lineage import gather
from contracts_svc.flows.registration import Registration, Registry
from contracts_svc.flows.stored_lineage import StoredLineage
from contracts_svc.lineage.graph import DatasetId, Graph
from contracts_svc.lineage.identity import Identities
from contracts_svc.lineage.near import Near, Sought
from contracts_svc.lineage.resolve import settled
from contracts_svc.model import Contract
from contracts_svc.policy import Policies
from contracts_svc.ports_store import SERVICE
from contracts_svc.verdict import Outcome
from tests.adapters.test_stored_lineage import columns, dataset, event
from tests.fixtures_store import read_contract

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
FEW, MANY = 50, 2_000


def text_of(name: str, version: str, *names: str, at: str = "", more: str = "") -> bytes:
    rows = "".join(f"      - {{name: {c}, logicalType: integer, physicalType: int}}\n" for c in names)
    return f"""\
apiVersion: v3.1.0
kind: DataContract
id: urn:{name}
version: {version}
status: active
{more}servers: [{{server: lake, type: s3, location: "s3://lake/{at or name}/*.parquet", format: parquet}}]
schema:
  - name: {name}
    properties:
{rows}""".encode()


class Counted:
    """A service over a store, whose work is counted: contracts read, statements, and rows that came of them
    (which SQLite does not tell)."""

    def __init__(self, store: DatabaseStore) -> None:
        self.store, self.counts = store, Counter[str]()
        store._read = self._read
        listening.listen(store.database.engine, "after_cursor_execute", self._executed)
        self.lineage = StoredLineage(store, take, read_parsed)

    def _read(self, text: bytes, file: str) -> Contract:
        self.counts["read"] += 1
        return read_contract(text, file)

    def _executed(self, connection: object, cursor: Any, statement: str, *_: object) -> None:
        self.counts["statements"] += 1
        self.counts["rows"] += max(0, cursor.rowcount)

    @contextmanager
    def counting(self) -> Iterator[Counter[str]]:
        self.counts.clear()
        yield self.counts

    def register(self, text: bytes, now: datetime = NOW) -> Registration:
        registry = Registry(
            store=self.store,
            lineage=self.lineage,
            read=self._read,
            policies=Policies(),
            patterns=nullcontext,
            outbox=self.store,
        )
        return registry.register(text, "c.yaml", now=now, by=SERVICE, allowed=lambda *_: None)


def fill(store: DatabaseStore, start: int, end: int) -> None:
    def work() -> None:
        for n in range(start, end):
            text = text_of(f"t{n}", "1.0.0", "id", "amount", "other")
            store.put_contract(read_contract(text, "c.yaml"), text, NOW)

    store.atomically(work)


def costs(service: Counted, name: str) -> list[Counter[str]]:
    """What some registrations cost: a new contract, a change that is let through, one that breaks a reader,
    and the events of a job, each after a registration."""
    found: list[Counter[str]] = []

    def counted(text: bytes, kept: bool) -> None:
        with service.counting() as counts:
            assert service.register(text).kept is kept
        found.append(Counter(counts))

    outputs = [dataset(f"of_{name}", columnLineage=columns(amount=[f"{name}.amount"]))]
    counted(text_of(f"new_{name}", "1.0.0", "id"), kept=True)
    with service.counting() as counts:
        (taken,) = service.lineage.take([event(name, [dataset(name)], outputs)], tenant="", now=NOW)
    assert taken.kept
    found.append(Counter(counts))
    counted(text_of(name, "1.1.0", "id", "amount", "other", "more"), kept=True)
    counted(text_of(name, "9.0.0", "id"), kept=False)
    return found


def test_a_registration_costs_the_same_among_few_contracts_and_among_many(store: DatabaseStore) -> None:
    service = Counted(store)
    fill(store, 0, FEW)
    costs(service, "t6")
    among_few = costs(service, "t7")
    fill(store, FEW, MANY)
    costs(service, "t8")
    among_many = costs(service, "t9")
    assert len(store.contracts()) > MANY
    assert among_many == among_few
    new, events, changed, refused = among_few
    assert (new["read"], changed["read"], refused["read"], events["read"]) == (1, 1, 1, 0)
    assert max(c["statements"] for c in among_few) < 60


def test_what_breaks_a_reader_far_away_is_found_among_many(store: DatabaseStore) -> None:
    service = Counted(store)
    fill(store, 0, FEW)
    for source, target in (("t1", "t2"), ("t2", "t3"), ("t3", "t4")):
        outputs = [dataset(target, columnLineage=columns(amount=[f"{source}.amount"]))]
        service.lineage.take([event(f"to_{target}", [dataset(source)], outputs)], tenant="", now=NOW)
    done = service.register(text_of("t1", "1.1.0", "id", "other"))
    assert done.verdict is not None
    assert done.verdict.outcome is Outcome.BLOCK
    assert {i.consumer.name for i in done.verdict.impacts} == {"t2", "t3", "t4"}


NAMES = ("orders", "lines", "raw", "raw/orders", "mart")
JOBS = [
    event(f"{source}-{target}-{n}", [dataset(source)], [dataset(target, columnLineage=columns(ID=[f"{source}.Id"]))], n)
    for n, (source, target) in enumerate(
        [("orders", "lines"), ("raw/orders/day=1", "mart"), ("raw/x", "orders"), ("lines", "raw"), ("mart", "orders/new")]
    )
]  # fmt: skip


@pytest.mark.parametrize("seed", range(6))
def test_what_processes_know_together_is_what_one_that_reads_all_anew_knows(
    store: DatabaseStore, seed: int
) -> None:
    """Contracts that share places come, change and go, events come between, in three processes."""
    chance = random.Random(seed)
    processes = [StoredLineage(store, take, read_parsed) for _ in range(3)]
    sent: list[Any] = []
    for step in range(25):
        process = chance.choice(processes)
        name = chance.choice(NAMES[:3])
        moment = NOW - timedelta(hours=1) + timedelta(minutes=step)
        what = chance.random()
        if what < 0.45:
            given = chance.sample(["id", "Id", "amount"], 2) if chance.random() < 0.5 else ["id"]
            names = [n for k, n in enumerate(given) if n.lower() not in {g.lower() for g in given[:k]}]
            text = text_of(name, f"1.{step}.0", *names, at=chance.choice(NAMES))
            row = store.contract_rows([f"urn:{name}"]).get(f"urn:{name}")
            if row is None or row.retired is None:
                store.put_contract(read_contract(text, "c.yaml"), text, moment)
        elif what < 0.5 and f"urn:{name}" in store.contract_rows([f"urn:{name}"]):
            store.retire_contract(f"urn:{name}", moment, SERVICE)
        elif what < 0.8:
            sent.append(chance.choice(JOBS))
            process.take([sent[-1]], tenant="", now=NOW)
        else:
            process.refresh("")
    there = store.contracts()
    anew = Identities.of(there)
    wanted = gather(there, sql={}, heard=[read_parsed(sent, "e", NOW)])
    asked = [DatasetId("s3://lake", n) for n in (*NAMES, "raw/orders/day=1", "raw/x", "orders/new")]
    for process in processes:
        known = process.refresh("")
        assert {c.id: c.version for c in known.contracts.values()} == {c.id: c.version for c in there}
        assert [known.identities.resolve(d) for d in asked] == [anew.resolve(d) for d in asked]
    edges = Graph.of(settled(store.edges())).edges
    assert sorted(map(repr, edges)) == sorted(map(repr, wanted.graph.edges))


def test_names_near_a_place_are_found_in_the_database(store: DatabaseStore) -> None:
    lineage = StoredLineage(store, take, read_parsed)
    long = "deep/" * 400
    names = [
        "orders",
        "orders/day=1",
        "orders/x",
        "orders2",
        "orders-x",
        "Orders/Y",
        "other/orders",
        long,
        f"{long}x",
    ]
    lineage.take(
        [event("j", [dataset(n) for n in names], [dataset("t", "postgres://db:5432")])], tenant="a", now=NOW
    )
    every = set(store.standings("a"))
    assert len(every) == len(names)  # a partition is its table
    for near in (
        Near(frozenset({"s3://lake/orders"})),
        Near(frozenset({"s3://lake/orders/x", "s3://other/orders"})),
        Near(frozenset(), frozenset({"orders", "t"})),
        Near(frozenset({f"s3://lake/{long}".rstrip("/")})),
        Near(),
    ):
        found = set(store.standings("a", near))
        assert found >= {d for d in every if near.has(Sought.of(d))}
        assert found <= {d for d in every if near.has(Sought.of(d)) or len(d.name) > 900}
    assert store.standings("b", Near(frozenset({"s3://lake/orders"}), frozenset({"orders"}))) == {}
