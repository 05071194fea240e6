"""A small lake as values: who owns what, who reads which columns, and runs over its flights."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from contracts_svc.errors import Location
from contracts_svc.lineage.graph import (
    Channel,
    ColumnRef,
    Consumer,
    ConsumerKind,
    DatasetId,
    Edge,
    EdgeKind,
    EdgeType,
    Graph,
)
from contracts_svc.model import Column, Contract, CustomProperty, SupportChannel, Table, Team
from contracts_svc.runs import Breakdown, Check, Outcome, Result, Run

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
LAKE = "s3://flight-lake"
FILE = "contracts/flights.odcs.yaml"


def dataset(name: str) -> DatasetId:
    return DatasetId(LAKE, name)


def dataset_of(contract: str, table: str) -> DatasetId:
    return dataset(table)


def contract(name: str, squad: str, tribe: str, *columns: str) -> Contract:
    return Contract(
        api_version="v3.1.0",
        id=f"urn:{name}",
        version="1.0.0",
        name=name,
        tables=(Table(name=name, columns=tuple(Column(name=c, path=c) for c in columns)),),
        team=Team(
            name=f"team {squad}",
            custom=(
                CustomProperty(property="squad", value=squad),
                CustomProperty(property="tribe", value=tribe),
            ),
        ),
        support=(
            SupportChannel(channel=f"#{squad}-news", tool="slack", scope="announcements"),
            SupportChannel(channel=f"#{squad}", tool="slack", scope="issues"),
        ),
        at=Location(f"contracts/{name}.odcs.yaml", 1, 1),
    )


CONTRACTS: Mapping[str, Contract] = {
    c.id: c
    for c in (
        contract("flights", "flight-ops", "operations", "month", "carrier", "dep_delay", "dest", "tailnum"),
        contract("weather", "weather", "operations", "temp"),
        contract("daily_delays", "punctuality", "analytics", "mean_dep_delay", "mean_temp"),
        contract("carrier_scorecard", "finance", "commercial", "worst_dep_delay", "carrier", "destinations"),
    )
}


def edge(source: str, target: str, type_: EdgeType, kind: EdgeKind = EdgeKind.DIRECT) -> Edge:
    """``flights.dep_delay`` -> ``carrier_scorecard.worst_dep_delay``, or a dataset as a whole."""

    def ref(text: str) -> ColumnRef:
        name, _, column = text.partition(".")
        return ColumnRef(dataset(name), column or None)

    return Edge(source=ref(source), target=ref(target), kind=kind, type=type_, origin="sql:test")


GRAPH = Graph.of(
    [
        edge("flights.dep_delay", "daily_delays.mean_dep_delay", EdgeType.AGGREGATION),
        edge("weather.temp", "daily_delays.mean_temp", EdgeType.AGGREGATION),
        edge("flights.dep_delay", "carrier_scorecard.worst_dep_delay", EdgeType.AGGREGATION),
        edge("flights.carrier", "carrier_scorecard.carrier", EdgeType.IDENTITY),
        edge("flights.carrier", "carrier_scorecard", EdgeType.GROUP_BY, EdgeKind.INDIRECT),
        edge("flights.dest", "carrier_scorecard.destinations", EdgeType.AGGREGATION),
        edge("carrier_scorecard.worst_dep_delay", "on_time.worst", EdgeType.IDENTITY),
        edge("carrier_scorecard.carrier", "on_time.carrier", EdgeType.IDENTITY),
    ]
)


def consumer(node: str, name: str, team: str, kind: ConsumerKind = ConsumerKind.CONTRACT) -> Consumer:
    return Consumer(
        name=name,
        kind=kind,
        dataset=dataset(node),
        team=team,
        channels=(Channel(tool="slack", address=f"#{team}"),),
    )


CONSUMERS = (
    consumer("daily_delays", "daily_delays", "punctuality"),
    consumer("carrier_scorecard", "carrier_scorecard", "finance"),
    consumer("on_time", "On-time performance", "executive-reporting", ConsumerKind.DASHBOARD),
)

DEP_DELAY = Check(
    id="flights.dep_delay.range",
    kind="range",
    table="flights",
    columns=("dep_delay",),
    dimension="accuracy",
    title="dep_delay lies between -60 and 1800",
    at=Location(FILE, 41, 9),
)
CARRIER = Check(
    id="flights.carrier.required",
    kind="required",
    table="flights",
    columns=("carrier",),
    dimension="completeness",
    title="carrier is never NULL",
    at=Location(FILE, 27, 9),
)
DEST = Check(
    id="flights.dest.reference",
    kind="reference",
    table="flights",
    columns=("dest",),
    title="dest is one of the airports",
    at=Location(FILE, 60, 9),
)
WORST = Check(
    id="carrier_scorecard.worst_dep_delay.range",
    kind="range",
    table="carrier_scorecard",
    columns=("worst_dep_delay",),
    title="worst_dep_delay is at most 1800",
)
NAMES = Check(
    id="carrier_scorecard.name.required",
    kind="required",
    table="carrier_scorecard",
    columns=("name",),
    title="name is never NULL",
)
TAILNUM = Check(id="flights.tailnum.required", kind="required", table="flights", columns=("tailnum",))
ROW_COUNT = Check(id="flights.rows", kind="row_count", table="flights", title="there are rows")


def fails(check: Check, *, failing: int = 1204, where: str = "month=12") -> Result:
    return Result(
        check=check,
        outcome=Outcome.FAILED,
        expected="no failing rows",
        found=f"{failing:,} failing rows",
        failing=failing,
        rows=28_135,
        samples=({"month": 12, "carrier": "XSECRETX", "dep_delay": 987_654},),
        breakdown=(Breakdown(where=where, failing=failing),),
    )


def passes(check: Check) -> Result:
    return Result(check=check, outcome=Outcome.PASSED, failing=0, rows=28_135)


def run(at: datetime, scope: str, *results: Result, table: str = "flights") -> Run:
    return Run(
        contract=f"urn:{table}",
        version="1.0.0",
        table=table,
        server="lake",
        scope=scope,
        started=at,
        finished=at + timedelta(seconds=5),
        results=results,
    )
