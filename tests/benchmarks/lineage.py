"""Lineage at scale, on SQLite and PostgreSQL: how fast it comes in, and what the impact of a change
to one column costs, by what is reachable and by the size of the graph; asked as the service asks.

``python -m tests.benchmarks lineage [EDGES]`` (default 1,000,000 over 20,000 datasets; with fewer
edges, fewer datasets).
"""

from __future__ import annotations

import random
import resource
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from os import cpu_count, getloadavg
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

from contracts_svc.adapters.openlineage import read_parsed, take
from contracts_svc.adapters.store.database import Database
from contracts_svc.adapters.store.store import DatabaseStore
from contracts_svc.adapters.store.tables import metadata
from contracts_svc.errors import Location
from contracts_svc.findings import Change, ChangeKind, Finding, Severity
from contracts_svc.flows.stored_lineage import StoredLineage, assess_stored
from contracts_svc.lineage.age import Ages
from contracts_svc.lineage.graph import ColumnRef, DatasetId, Edge, EdgeKind, EdgeType
from contracts_svc.model import Column, Contract, Json, Table
from tests.fixtures_store import Postgres, read_contract

EDGES = 1_000_000
COLUMNS = 50
"""Columns of a dataset; a column is made from one other."""
REACHABLE = (10, 100, 1_000, 10_000)
EVENTS = 100
"""Events of a batch."""
TIMES = 15
SEEN = datetime(2024, 1, 1, tzinfo=UTC)
_DIRECT = (EdgeType.IDENTITY, EdgeType.TRANSFORMATION, EdgeType.AGGREGATION)


def dataset(name: str) -> DatasetId:
    return DatasetId("s3://lake", name)


def graph(edges: int) -> Iterator[Edge]:
    """Layers of tables: each column is made from a column of one of the tables before it."""
    chosen = random.Random(1)
    for number in range(edges):
        table, column = divmod(number, COLUMNS)
        source = dataset(f"table_{chosen.randrange(table + 1)}_in")
        yield Edge(
            source=ColumnRef(source, f"column_{chosen.randrange(COLUMNS)}"),
            target=ColumnRef(dataset(f"table_{table + 1}_in"), f"column_{column}"),
            kind=EdgeKind.DIRECT,
            type=chosen.choice(_DIRECT),
            origin=f"openlineage:job_{table}",
            seen=SEEN,
        )


def tree(reachable: int) -> Iterator[Edge]:
    """A column ``root_N.x`` that this many columns are made from, two from each, ten in a table."""

    def node(number: int) -> ColumnRef:
        if number == 0:
            return ColumnRef(dataset(f"root_{reachable}"), "x")
        return ColumnRef(dataset(f"tree_{reachable}_{number // 10}"), f"column_{number % 10}")

    for number in range(1, reachable + 1):
        yield Edge(
            source=node((number - 1) // 2),
            target=node(number),
            kind=EdgeKind.DIRECT,
            type=EdgeType.TRANSFORMATION,
            origin="openlineage:tree",
            seen=SEEN,
        )


def removed(reachable: int) -> tuple[Finding, dict[DatasetId, tuple[Contract, Table]]]:
    """That column removed, and the contract that promised it."""
    name = f"root_{reachable}"
    table = Table(name=name, columns=(Column(name="x", path="x"),))
    contract = Contract(api_version="v3.1.0", id=name, version="1.0.0", tables=(table,))
    change = Change(kind=ChangeKind.REMOVED, element="column", table=name, column="x")
    finding = Finding(
        rule="COLUMN_REMOVED",
        severity=Severity.ERROR,
        message="x is removed",
        at=Location("contract.yaml", 1, 1),
        contract=name,
        change=change,
    )
    return finding, {dataset(name): (contract, table)}


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds: the median, and the least, which says more on a machine that others use too."""

    read: list[float] = field(default_factory=list)
    judged: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        columns = (median(self.read), min(self.read), median(self.judged), min(self.judged))
        return " | ".join(f"{ms:11.1f}" for ms in columns)


HEAD = "read median |       least |  and judged |       least  (ms)"


def impact(store: DatabaseStore, reachable: int) -> tuple[Times, int]:
    """The times to read the part, and to read and judge it, as the service does; and the impacts found."""
    finding, promises = removed(reachable)
    stored = StoredLineage(store, take, read_parsed)
    start = ColumnRef(dataset(f"root_{reachable}"), "x")
    times, found = Times(), 0
    for _ in range(TIMES):
        began = perf_counter()
        part = stored.part([start], tenant="")
        times.read.append((perf_counter() - began) * 1e3)
        assert part.complete
        assert len(part.lineage.graph.edges) == reachable
        began = perf_counter()
        assessment = assess_stored(
            stored,
            [finding],
            tenant="",
            dataset_of=lambda contract, table: dataset(table),
            promises=promises,
            ages=Ages(now=SEEN),
        )
        times.judged.append((perf_counter() - began) * 1e3)
        found = len(assessment.impacts)
    return times, found


def events(edges: int) -> Iterator[Json]:
    """The same graph as OpenLineage events: one of each table, which names the columns that it is made of."""
    source = graph(edges)
    while made := list(islice(source, COLUMNS)):
        fields: dict[str, Json] = {}
        for edge in made:
            given = {"namespace": "s3://lake", "name": edge.source.dataset.name, "field": edge.source.column}
            how = {"type": edge.kind.value, "subtype": edge.type.value}
            fields[str(edge.target.column)] = {"inputFields": [{**given, "transformations": [how]}]}
        inputs = sorted({e.source.dataset.name for e in made})
        yield {
            "eventTime": SEEN.isoformat(),
            "producer": "https://example.com/benchmark",
            "run": {"runId": "00000000-0000-0000-0000-000000000001"},
            "job": {"namespace": "spark", "name": made[0].origin.partition(":")[2]},
            "inputs": [{"namespace": "s3://lake", "name": name} for name in inputs],
            "outputs": [
                {
                    "namespace": "s3://lake",
                    "name": made[0].target.dataset.name,
                    "facets": {"columnLineage": {"fields": fields}},
                }
            ],
        }


def taken_in(url: str, edges: int) -> None:
    """How long events take to come in, in batches as they come by HTTP."""
    database = Database(url)
    metadata.create_all(database.engine)
    store = DatabaseStore(database, read_contract)
    stored = StoredLineage(store, take, read_parsed)
    source, sent = events(edges), 0
    began, used = perf_counter(), process_time()
    while batch := list(islice(source, EVENTS)):
        assert all(t.kept for t in stored.take(batch, tenant="", now=SEEN))
        sent += len(batch)
    seconds, used = perf_counter() - began, process_time() - used
    name = database.engine.dialect.name
    print(
        f"{name}, {sent:,} events of {edges:,} edges taken in: {seconds:.1f} s, CPU {used:.1f} s", flush=True
    )
    store.close()


def sizes(edges: int) -> Sequence[int]:
    return [n for n in (edges // 100, edges // 10, edges) if n >= COLUMNS]


def measure(url: str, edges: int) -> None:
    database = Database(url)
    metadata.create_all(database.engine)
    store = DatabaseStore(database, read_contract)
    for reachable in REACHABLE:
        store.put_edges(tree(reachable))
    print(f"\n{database.engine.dialect.name}, 1,000 columns reachable")
    print(f"  edges there |  s to add | CPU s | peak MB | {HEAD}")
    there = 0
    whole = graph(edges)
    for size in sizes(edges):
        began, used = perf_counter(), process_time()
        store.put_edges(islice(whole, size - there))
        seconds, used = perf_counter() - began, process_time() - used
        there = size
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        times, _ = impact(store, 1_000)
        print(f"  {size:11,} | {seconds:9.1f} | {used:5.1f} | {peak:7.0f} | {times}", flush=True)
    print(f"{database.engine.dialect.name}, {edges:,} edges there")
    print(f"  reachable | impacts | {HEAD}")
    for reachable in REACHABLE:
        times, found = impact(store, reachable)
        print(f"  {reachable:9,} | {found:7,} | {times}", flush=True)
    store.close()


def main(arguments: Sequence[str]) -> None:
    edges = int(arguments[0].replace(",", "")) if arguments else EDGES
    load = f"{getloadavg()[0]:.1f} other things running on {cpu_count()} cores"
    print(f"{edges:,} column edges over {edges // COLUMNS:,} datasets, median of {TIMES}, {load}")
    with tempfile.TemporaryDirectory(prefix="contracts-pg-") as folder:
        measure(f"sqlite:///{folder}/lineage.db", edges)
        taken_in(f"sqlite:///{folder}/events.db", edges // 10)
        server = Postgres(Path(folder))
        try:
            measure(server.url(server.create()), edges)
            taken_in(server.url(server.create()), edges // 10)
        finally:
            server.stop()
