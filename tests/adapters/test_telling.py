"""What runs find is told by the lineage and the contracts of a store."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

from contracts_svc.adapters import openlineage
from contracts_svc.adapters.store.store import DatabaseStore
from contracts_svc.alerts import Incident
from contracts_svc.flows.register import register
from contracts_svc.flows.stored_lineage import StoredLineage
from contracts_svc.flows.telling import Telling
from contracts_svc.incidents import fingerprint, step
from contracts_svc.lineage.graph import ColumnRef, DatasetId, Edge, EdgeKind, EdgeType
from contracts_svc.lineage.tenancy import scoped
from contracts_svc.routes.timing import DEFAULT_ROUTES
from contracts_svc.runs import Check
from tests.alerts_world import NOON, fails, passes, run
from tests.fixtures_store import read_contract


class Watched(DatabaseStore):
    """Writes down how many incidents were read at once."""

    reads: list[int]

    def incidents(self, resolved_since: datetime | None = None) -> tuple[Incident, ...]:
        raise AssertionError("all incidents of the installation were read")

    def table_incidents(
        self, places: Collection[tuple[str, str]], resolved_since: datetime
    ) -> tuple[Incident, ...]:
        found = super().table_incidents(places, resolved_since)
        self.reads.append(len(found))
        return found


class World:
    """Tables in a row, each made of the one before, for each of two tenants."""

    def __init__(self, store: DatabaseStore, tables: Collection[str]) -> None:
        self.time = NOON
        self.store = Watched(store.database, read_contract)
        self.store.reads = []
        for tenant in ("acme", "other"):
            for table in tables:
                register(
                    contract(tenant, table), f"{tenant}/{table}.odcs.yaml", read=read_contract,
                    store=store, now=NOON,
                )  # fmt: skip
            names = list(tables)
            store.put_edges(
                Edge(
                    source=ColumnRef(scoped(dataset(s), tenant), "x"),
                    target=ColumnRef(scoped(dataset(t), tenant), "x"),
                    kind=EdgeKind.DIRECT,
                    type=EdgeType.IDENTITY,
                    origin="job",
                )
                for s, t in pairwise(names)
            )
        lineage = StoredLineage(self.store, openlineage.take, openlineage.read_parsed, lambda sql: None)  # type: ignore[arg-type]
        self.telling = Telling(store=self.store, lineage=lineage, clock=self, routes=lambda: DEFAULT_ROUTES)

    def now(self) -> datetime:
        return self.time

    def checks(self, tenant: str, table: str, *, bad: bool) -> None:
        check = Check(id=f"{table}.x.required", kind="required", table=table, columns=("x",))
        found = run(self.time, "whole table", (fails if bad else passes)(check), table=table)
        self.telling.tell(replace(found, contract=f"{tenant}-{table}"))
        self.time += timedelta(minutes=1)

    def cause(self, tenant: str, table: str) -> str:
        found = self.store.incident(fingerprint(f"{tenant}-{table}", table, f"{table}.x.required"))
        assert found is not None
        return found.cause


def dataset(table: str) -> DatasetId:
    return DatasetId("s3://lake", table)


def contract(tenant: str, table: str) -> bytes:
    return f"""
apiVersion: v3.1.0
kind: DataContract
id: {tenant}-{table}
version: 1.0.0
status: active
tenant: {tenant}
team: {{name: team-{table}}}
servers: [{{server: lake, type: s3, location: "s3://lake/{table}", format: parquet}}]
schema: [{{name: {table}, properties: [{{name: x, logicalType: integer}}]}}]
""".encode()


def test_a_cause_far_upstream_is_found_and_other_tenants_are_apart(store: DatabaseStore) -> None:
    world = World(store, ["a", "b", "c", "d"])
    world.checks("acme", "a", bad=True)
    world.checks("other", "b", bad=True)
    world.checks("acme", "d", bad=True)
    root = fingerprint("acme-a", "a", "a.x.required")
    assert world.cause("acme", "d") == root
    assert world.cause("other", "b") == ""
    world.checks("other", "a", bad=True)
    assert world.cause("other", "b") == fingerprint("other-a", "a", "a.x.required"), "found later"
    assert world.cause("acme", "a") == ""


def test_a_sibling_is_seen_through_what_both_feed(store: DatabaseStore) -> None:
    """Of two causes of one symptom the one that was opened first explains it, whichever is run again."""
    world = World(store, ["a", "b", "c"])
    for table in ("b", "c", "a"):
        world.checks("acme", table, bad=True)
    first = fingerprint("acme-a", "a", "a.x.required")
    assert (world.cause("acme", "b"), world.cause("acme", "c")) == (first, first)
    world.checks("acme", "b", bad=True)
    assert world.cause("acme", "c") == first


def test_the_incidents_of_others_are_not_read(store: DatabaseStore) -> None:
    world = World(store, ["a", "b"])
    noise = run(
        NOON, "whole table", *(fails(Check(id=f"n{n}", kind="required", table="n")) for n in range(300))
    )
    store.put_incidents(step((), noise, NOON).incidents)
    world.checks("acme", "b", bad=True)
    world.checks("acme", "a", bad=True)
    world.checks("acme", "b", bad=False)
    assert max(world.store.reads) == 2
