"""Events into a store and questions out of it: the same graph and the same answers as of all events at once."""

from __future__ import annotations

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts_svc.adapters.openlineage import read_parsed, take
from contracts_svc.adapters.store.store import DatabaseStore
from contracts_svc.compat.diff import diff
from contracts_svc.compat.modes import Mode
from contracts_svc.compat.rules import judge
from contracts_svc.findings import Finding
from contracts_svc.flows.lineage import Lineage, gather
from contracts_svc.flows.lineage_intake import Taken
from contracts_svc.flows.stored_lineage import StoredLineage, assess_part, assess_stored
from contracts_svc.lineage.age import Ages
from contracts_svc.lineage.graph import DatasetId, Graph
from contracts_svc.lineage.identity import Identities
from contracts_svc.lineage.queries import Followed, follow
from contracts_svc.lineage.resolve import settled
from tests.fixtures_store import memory_store, read_contract

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
LAKE = "s3://lake"
GLUE = "arn:aws:glue:eu-west-1:1"


def contract(name: str, *columns: str, extra: str = "") -> bytes:
    rows = "".join(f"      - {{name: {c}, logicalType: integer, physicalType: int}}\n" for c in columns)
    return f"""\
apiVersion: v3.1.0
kind: DataContract
id: urn:{name}
version: 1.0.0
status: active
{extra}team: {{name: {name}-team}}
servers: [{{server: lake, type: s3, location: "s3://lake/{name}/*.parquet", format: parquet}}]
schema:
  - name: {name}
    properties:
{rows}""".encode()


ORDERS, REVENUE = contract("orders", "id", "amount", "status"), contract("revenue", "id", "total")


def dataset(name: str, namespace: str = LAKE, **facets: Any) -> dict[str, Any]:
    return {"namespace": namespace, "name": name, "facets": facets}


def columns(**made: Sequence[str]) -> dict[str, Any]:
    """``total=["orders.amount"]``; a source with ``?`` before it is INDIRECT."""

    def field(text: str) -> dict[str, Any]:
        name, _, column = text.lstrip("?").rpartition(".")
        how = ("INDIRECT", "FILTER") if text.startswith("?") else ("DIRECT", "IDENTITY")
        transformation = {"type": how[0], "subtype": how[1]}
        return {"namespace": LAKE, "name": name, "field": column, "transformations": [transformation]}

    return {"fields": {c: {"inputFields": [field(s) for s in sources]} for c, sources in made.items()}}


def event(job: str, inputs: list[Any], outputs: list[Any], minute: int = 0, **facets: Any) -> dict[str, Any]:
    return {
        "eventTime": (NOW - timedelta(days=3) + timedelta(minutes=minute)).isoformat(),
        "producer": "https://example.com/p",
        "run": {"runId": f"00000000-0000-0000-0000-{minute:012}"},
        "job": {"namespace": "airflow", "name": job, "facets": facets},
        "inputs": inputs,
        "outputs": outputs,
    }


SYMLINK = {"identifiers": [{"namespace": GLUE, "name": "table/shop/orders", "type": "TABLE"}]}
SCHEMA = {"fields": [{"name": n, "type": "int"} for n in ("x", "y")]}
DASHBOARD = {"jobType": {"jobType": "DASHBOARD"}}
SQL = {"sql": {"query": "INSERT INTO mart SELECT *, x + y AS s FROM raw", "dialect": "spark"}}

EVENTS = [
    event("build", [dataset("orders")], [dataset("revenue", columnLineage=columns(total=["orders.amount"]))], 1),
    event("build", [dataset("orders")], [dataset("revenue")], 0),
    event("glue", [dataset("table/shop/orders", GLUE)], [dataset("copy")], 2),
    event("glue", [dataset("orders/day=1", symlinks=SYMLINK)], [dataset("copy")], 3),
    event("start", [dataset("revenue")], [], 4),
    event("start", [dataset("revenue")], [dataset("late", columnLineage=columns(t=["?revenue.total"]))], 5),
    event("sql", [dataset("raw")], [dataset("mart")], 6, **SQL),
    event("schema", [dataset("raw", schema=SCHEMA)], [], 7),
    event("sql", [dataset("raw")], [dataset("mart", columnLineage=columns(x=["raw.x"]))], 2_000),
    event("board", [dataset("revenue")], [dataset("board", documentation={"description": "Board"})], 8, **DASHBOARD),
    event("board", [dataset("revenue")], [dataset("board", documentation={"description": "New"})], 9, **DASHBOARD),
    event("loop", [dataset("late")], [dataset("orders", columnLineage=columns(amount=["late.t"]))], 10),
    {"eventTime": "2026-11-20T00:00:00Z", "producer": "p", "dataset": dataset("raw", schema=SCHEMA)},
    {"eventTime": "2026-11-20T00:00:00Z", "dataset": dataset("late", columnLineage=columns(u=["mart.s"]))},
]  # fmt: skip


def stored(store: DatabaseStore, *contracts: bytes) -> StoredLineage:
    for text in contracts:
        read = read_contract(text, "c.odcs.yaml")
        store.put_contract(read, text, NOW)
    return StoredLineage(store, take, read_parsed)


def whole(events: Sequence[Any], contracts: Sequence[bytes]) -> Lineage:
    """All of it at once, as a pre-flight from files has it."""
    known = [read_contract(text, "c.odcs.yaml") for text in contracts]
    return gather(known, sql={}, heard=[read_parsed(events, "e", NOW)], promised=known)


def findings(*changes: tuple[bytes, bytes]) -> tuple[Finding, ...]:
    """What the rules say about these changes of contracts."""
    found: list[Finding] = []
    for old, new in changes:
        before, after = (read_contract(text, "c.odcs.yaml") for text in (old, new))
        found += judge(diff(before, after), before, after, Mode.FORWARD)
    assert found
    return tuple(found)


CHANGES = {
    "a column is removed": findings((ORDERS, contract("orders", "id", "status"))),
    "a type is changed": findings((ORDERS, ORDERS.replace(b"amount, logicalType: integer", b"amount, logicalType: string"))),
    "a column downstream is removed": findings((REVENUE, contract("revenue", "id"))),
    "both": findings((ORDERS, contract("orders", "amount", "status")), (REVENUE, contract("revenue", "total"))),
}  # fmt: skip


KNOWN = [read_contract(text, "c.odcs.yaml") for text in (ORDERS, REVENUE)]
NAMES = Identities.of(KNOWN)


def dataset_of(contract_id: str, table: str) -> DatasetId:
    return next(d for d, (c, t) in NAMES.known.items() if (c.id, t.name) == (contract_id, table))


JUDGED = {"dataset_of": dataset_of, "promises": NAMES.known, "ages": Ages(now=NOW)}


def is_as_whole(lineage: StoredLineage, store: DatabaseStore, all_of_it: Lineage) -> None:
    lineage.refresh("")
    got = [(e, e.seen) for e in Graph.of(settled(store.edges())).edges]
    assert sorted(got, key=repr) == sorted(((e, e.seen) for e in all_of_it.graph.edges), key=repr)
    for change in CHANGES.values():
        here = assess_stored(lineage, change, tenant="", **JUDGED)
        assert here == assess_part(all_of_it, change, **JUDGED)


def test_events_in_a_store_say_what_they_say_at_once(store: DatabaseStore) -> None:
    lineage = stored(store, ORDERS, REVENUE)
    taken = lineage.take(EVENTS, tenant="", now=NOW)
    assert all(t.kept for t in taken)
    is_as_whole(lineage, store, whole(EVENTS, [ORDERS, REVENUE]))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_the_order_the_repeats_and_the_moment_of_registration_do_not_matter(data: st.DataObject) -> None:
    some = data.draw(st.lists(st.sampled_from(EVENTS), min_size=1, max_size=12))
    store = memory_store()
    try:
        lineage = stored(store)
        texts = [ORDERS, REVENUE]
        for one in (*some, *data.draw(st.permutations(some))):
            if texts and data.draw(st.booleans()):
                text = texts.pop()
                store.put_contract(read_contract(text, "c.odcs.yaml"), text, NOW)
            if data.draw(st.booleans()):
                lineage = StoredLineage(store, take, read_parsed)  # another process
            lineage.take([one], tenant="", now=NOW)
        for text in texts:
            store.put_contract(read_contract(text, "c.odcs.yaml"), text, NOW)
        is_as_whole(lineage, store, whole(some, [ORDERS, REVENUE]))
    finally:
        store.close()


def test_two_at_once_give_the_same_graph(store: DatabaseStore) -> None:
    lineage = stored(store, ORDERS, REVENUE)
    other = StoredLineage(store, take, read_parsed)
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(by.take, [one], tenant="", now=NOW) for one in EVENTS for by in (lineage, other)]
        for job in jobs:
            job.result()
    is_as_whole(lineage, store, whole(EVENTS, [ORDERS, REVENUE]))


@pytest.mark.parametrize("seed", range(4))
def test_two_jobs_at_once_in_any_order_and_twice_give_the_same_graph(store: DatabaseStore, seed: int) -> None:
    """On either database; contracts are registered meanwhile."""
    chosen = random.Random(seed)
    senders = [StoredLineage(store, take, read_parsed) for _ in range(2)]
    halves = [chosen.sample(EVENTS, len(EVENTS)) + chosen.sample(EVENTS, len(EVENTS)) for _ in senders]

    def send(lineage: StoredLineage, events: Sequence[Any]) -> None:
        for one in events:
            lineage.take([one], tenant="", now=NOW)

    def register() -> None:
        for text in chosen.sample([ORDERS, REVENUE], 2):
            store.put_contract(read_contract(text, "c.odcs.yaml"), text, NOW)

    with ThreadPoolExecutor(3) as pool:
        jobs = [pool.submit(send, *pair) for pair in zip(senders, halves, strict=True)]
        jobs.append(pool.submit(register))
        for job in jobs:
            job.result()
    is_as_whole(senders[0], store, whole(EVENTS, [ORDERS, REVENUE]))


def test_others_write_while_sql_is_followed(store: DatabaseStore) -> None:
    other = stored(store, ORDERS, REVENUE)
    asked: list[int] = []

    def slow(*question: Any) -> Followed:
        asked.append(len(asked))
        # What is sent now changes the columns that the SQL reads, once.
        pool.submit(other.take, [EVENTS[7]], tenant="", now=NOW).result(timeout=20)
        return follow(*question)

    lineage = StoredLineage(store, take, read_parsed, slow)
    with ThreadPoolExecutor(1) as pool:
        (taken,) = lineage.take([EVENTS[6]], tenant="", now=NOW)
        assert taken == Taken(kept=True)
        assert len(asked) == 2
        lineage.take([EVENTS[6]], tenant="", now=NOW)
        assert len(asked) == 3
    is_as_whole(lineage, store, whole([EVENTS[6], EVENTS[7]], [ORDERS, REVENUE]))


def test_sql_whose_columns_change_again_and_again_is_followed_in_the_end(store: DatabaseStore) -> None:
    other = stored(store)
    later = count(1)

    def slow(*question: Any) -> Followed:
        if next(calls) < 5:  # after that it is asked while the others wait
            raw = dataset("raw", schema={"fields": [{"name": f"c{next(later)}", "type": "int"}]})
            pool.submit(other.take, [event("schema", [raw], [], next(later))], tenant="", now=NOW).result(20)
        return follow(*question)

    calls = count()
    with ThreadPoolExecutor(1) as pool:
        (taken,) = StoredLineage(store, take, read_parsed, slow).take([EVENTS[6]], tenant="", now=NOW)
    assert taken.kept
    assert any(e.target.column == "s" or e.reason for e in store.edges())
