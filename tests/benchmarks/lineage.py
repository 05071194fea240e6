"""Lineage at scale, on SQLite and PostgreSQL: how fast it comes in, and what the impact of a change
to one column costs, by what is reachable and by the size of the graph.

``python -m tests.benchmarks lineage [EDGES]`` (default 1,000,000 over 20,000 datasets; with fewer
edges, fewer datasets).
"""

from __future__ import annotations

import random
import resource
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import perf_counter

from contracts_svc.adapters.store.database import Database
from contracts_svc.adapters.store.store import DatabaseStore
from contracts_svc.adapters.store.tables import metadata
from contracts_svc.errors import Location
from contracts_svc.findings import Change, ChangeKind, Finding, Severity
from contracts_svc.impact import assess
from contracts_svc.lineage.graph import ColumnRef, DatasetId, Edge, EdgeKind, EdgeType
from contracts_svc.model import Column, Contract, Table
from tests.fixtures_store import Postgres, read_contract

EDGES = 1_000_000
COLUMNS = 50
"""Columns of a dataset; a column is made from one other."""
REACHABLE = (10, 100, 1_000, 10_000)
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


def impact(store: DatabaseStore, reachable: int) -> tuple[float, float, int]:
    """Seconds (median) to read the part, and to read it and judge it; and the impacts found."""
    finding, promises = removed(reachable)
    start = ColumnRef(dataset(f"root_{reachable}"), "x")
    reads, wholes, found = [], [], 0
    for _ in range(TIMES):
        began = perf_counter()
        part = store.impact_part([start])
        reads.append(perf_counter() - began)
        assessment = assess(
            [finding],
            dataset_of=lambda contract, table: dataset(table),
            graph=part.graph,
            consumers=(),
            promises=promises,
        )
        wholes.append(perf_counter() - began)
        found = len(assessment.impacts)
        assert part.complete
        assert len(part.graph.edges) == reachable
    return median(reads), median(wholes), found


def sizes(edges: int) -> Sequence[int]:
    return [n for n in (edges // 100, edges // 10, edges) if n >= COLUMNS]


def measure(url: str, edges: int) -> None:
    database = Database(url)
    metadata.create_all(database.engine)
    store = DatabaseStore(database, read_contract)
    for reachable in REACHABLE:
        store.put_edges(tree(reachable))
    print(f"\n{database.engine.dialect.name}")
    print(
        "  edges in the graph | s to add | edges/s | peak MB | 1,000 reachable: read ms | read and judge ms"
    )
    there = 0
    whole = graph(edges)
    for size in sizes(edges):
        began = perf_counter()
        store.put_edges(next(whole) for _ in range(size - there))
        seconds = perf_counter() - began
        read, judged, _ = impact(store, 1_000)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        rate = (size - there) / seconds
        there = size
        print(
            f"  {size:18,} | {seconds:8.1f} | {rate:7,.0f} | {peak:7.0f} | {read * 1e3:24.1f} | {judged * 1e3:.1f}"
        )
    print(f"  reachable columns | impacts | read ms | read and judge ms   (of {edges:,} edges)")
    for reachable in REACHABLE:
        read, judged, found = impact(store, reachable)
        print(f"  {reachable:17,} | {found:7,} | {read * 1e3:7.1f} | {judged * 1e3:.1f}")
    store.close()


def main(arguments: Sequence[str]) -> None:
    edges = int(arguments[0].replace(",", "")) if arguments else EDGES
    print(f"{edges:,} column edges over {edges // COLUMNS:,} datasets, median of {TIMES}")
    with tempfile.TemporaryDirectory(prefix="contracts-pg-") as folder:
        measure(f"sqlite:///{folder}/lineage.db", edges)
        sys.stdout.flush()
        server = Postgres(Path(folder))
        try:
            measure(server.url(server.create()), edges)
        finally:
            server.stop()
