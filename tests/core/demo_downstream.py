"""The demo's lake by hand: contracts, lineage, consumers, and the changes of its pull request.

What the tests of impact, verdict and rendering stand on; ``types`` is a result_type for just the
expressions used here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from contracts_svc.errors import Location
from contracts_svc.findings import Change, ChangeKind, Finding, Severity
from contracts_svc.impact import Assessment, assess, consumers_of
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
from contracts_svc.model import (
    Column,
    Contract,
    CustomProperty,
    SlaProperty,
    SupportChannel,
    Table,
    Team,
    TeamMember,
)
from contracts_svc.verdict import Verdict, decide

LAKE = "s3://flight-lake"
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def dataset(name: str) -> DatasetId:
    return DatasetId(LAKE, name)


def dataset_of(contract: str, table: str) -> DatasetId:
    return dataset(table)


def ref(text: str) -> ColumnRef:
    """``flights.dest``, or ``flights`` for the dataset as a whole."""
    name, _, column = text.partition(".")
    return ColumnRef(dataset(name), column or None)


def edge(
    source: str,
    target: str,
    type: EdgeType = EdgeType.IDENTITY,
    expression: str = "",
    *,
    kind: EdgeKind | None = None,
    **more: object,
) -> Edge:
    direct = (EdgeType.IDENTITY, EdgeType.TRANSFORMATION, EdgeType.AGGREGATION)
    kind = kind or (EdgeKind.DIRECT if type in direct else EdgeKind.INDIRECT)
    return Edge(
        source=ref(source),
        target=ref(target),
        kind=kind,
        type=type,
        expression=expression,
        dialect="duckdb" if expression else "",
        **more,  # type: ignore[arg-type]
    )


def column(name: str, type: str | None = None, **more: object) -> Column:
    return Column(name=name, path=name, physical_type=type, **more)  # type: ignore[arg-type]


def contract(
    name: str,
    columns: Sequence[Column],
    squad: str = "",
    tribe: str = "",
    sla: Sequence[SlaProperty] = (),
) -> tuple[Contract, Table]:
    """A contract with one table, both of this name."""
    team = Team(
        name=squad,
        members=(TeamMember(username=f"lead@{squad}"),),
        custom=(CustomProperty(property="squad", value=squad), CustomProperty(property="tribe", value=tribe)),
    )
    table = Table(name=name, columns=tuple(columns))
    made = Contract(
        api_version="v3.1.0",
        id=name,
        version="1.0.0",
        tables=(table,),
        team=team,
        support=(SupportChannel(channel=f"#{squad}", tool="slack", scope="issues"),),
        sla=tuple(sla),
    )
    return made, table


def promises(*pairs: tuple[Contract, Table]) -> dict[DatasetId, tuple[Contract, Table]]:
    return {dataset(table.name): (made, table) for made, table in pairs}


def finding(
    kind: ChangeKind,
    path: str,
    *,
    element: str = "column",
    field: str | None = None,
    old: object = None,
    new: object = None,
    severity: Severity = Severity.ERROR,
    rule: str = "",
    line: int = 1,
    **more: object,
) -> Finding:
    """A finding about ``flights.dest`` (or ``flights``)."""
    name, _, column_path = path.partition(".")
    change = Change(
        kind=kind,
        element=element,
        table=name,
        column=column_path or None,
        field=field,
        old=old,
        new=new,
        **more,  # type: ignore[arg-type]
    )
    return Finding(
        rule=rule or f"{element.upper()}_{kind.upper()}",
        severity=severity,
        message=f"{path} {kind}",
        at=Location(f"contracts/{name}.odcs.yaml", line, 5),
        contract=name,
        change=change,
    )


def types(expression: str, dialect: str, known: Mapping[tuple[str, str], str]) -> str | None:
    """AVG gives DOUBLE, COUNT gives BIGINT, MAX and MIN give what they take."""
    function = expression.partition("(")[0].upper()
    fixed = {"AVG": "DOUBLE", "COUNT": "BIGINT"}
    if function in fixed:
        return fixed[function]
    return next(iter(known.values())) if function in ("MAX", "MIN") else None


FLIGHTS = contract(
    "flights",
    [
        column("dep_delay", "SMALLINT"),
        column("destination", "VARCHAR"),
        column("carrier", "VARCHAR", required=True),
        column("origin", "VARCHAR"),
        column("gate", "VARCHAR"),
    ],
    "flight-ops",
    "operations",
)
AIRLINES = contract(
    "airlines", [column("carrier", "VARCHAR"), column("name", "VARCHAR")], "reference-data", "platform"
)
DAILY_DELAYS = contract(
    "daily_delays",
    [
        column("origin", "VARCHAR"),
        column("mean_dep_delay", "DOUBLE"),
        column("share_delayed", "DOUBLE"),
    ],
    "punctuality",
    "analytics",
)
CARRIER_SCORECARD = contract(
    "carrier_scorecard",
    [
        column("carrier", "VARCHAR", required=True),
        column("worst_dep_delay", "DOUBLE"),
        column("destinations", "BIGINT"),
    ],
    "finance",
    "commercial",
)
DEMO_PROMISES = promises(FLIGHTS, AIRLINES, DAILY_DELAYS, CARRIER_SCORECARD)

DASHBOARD = Consumer(
    name="On-time performance",
    kind=ConsumerKind.DASHBOARD,
    dataset=dataset("On-time performance"),
    team="executive-reporting",
    channels=(Channel(tool="slack", address="#executive-reporting"),),
)
DEMO_CONSUMERS = (*consumers_of(DEMO_PROMISES), DASHBOARD)

_SHARE = 'AVG(CASE WHEN "flights"."dep_delay" > 15 THEN 1 ELSE 0 END)'
DEMO_EDGES = (
    edge("flights.origin", "daily_delays.origin"),
    edge("flights.origin", "daily_delays", EdgeType.GROUP_BY),
    edge(
        "flights.dep_delay", "daily_delays.mean_dep_delay", EdgeType.AGGREGATION, 'AVG("flights"."dep_delay")'
    ),
    edge("flights.dep_delay", "daily_delays.share_delayed", EdgeType.CONDITIONAL, _SHARE),
    edge("flights.carrier", "carrier_scorecard.carrier"),
    edge("flights.carrier", "carrier_scorecard", EdgeType.JOIN),
    edge("airlines.carrier", "carrier_scorecard", EdgeType.JOIN),
    edge(
        "flights.dep_delay",
        "carrier_scorecard.worst_dep_delay",
        EdgeType.AGGREGATION,
        'MAX("flights"."dep_delay")',
    ),
    edge(
        "flights.dest",
        "carrier_scorecard.destinations",
        EdgeType.AGGREGATION,
        'COUNT(DISTINCT "flights"."dest")',
    ),
    edge("carrier_scorecard.worst_dep_delay", "On-time performance.worst_delay"),
    edge("carrier_scorecard.carrier", "On-time performance.carrier"),
)
DEMO_GRAPH = Graph.of(DEMO_EDGES)

TAILNUM = finding(
    ChangeKind.REMOVED, "flights.tailnum", old=column("tailnum", "VARCHAR"), line=20, rule="COLUMN_REMOVED"
)
DEP_DELAY = finding(
    ChangeKind.CHANGED,
    "flights.dep_delay",
    field="physicalType",
    old="DOUBLE",
    new="SMALLINT",
    line=12,
    rule="TYPE_NARROWED",
)
DEST = finding(ChangeKind.RENAMED, "flights.dest", new_column="destination", line=30, rule="COLUMN_RENAMED")
GATE = finding(
    ChangeKind.ADDED,
    "flights.gate",
    new=column("gate", "VARCHAR"),
    severity=Severity.INFO,
    line=40,
    rule="COLUMN_ADDED",
)
DEMO_FINDINGS = (TAILNUM, DEP_DELAY, DEST, GATE)


def assessed(
    findings: Sequence[Finding],
    edges: Sequence[Edge] = DEMO_EDGES,
    promised: Mapping[DatasetId, tuple[Contract, Table]] = DEMO_PROMISES,
    consumers: Sequence[Consumer] | None = None,
    **more: object,
) -> Assessment:
    known = consumers if consumers is not None else (*consumers_of(promised), DASHBOARD)
    return assess(
        findings,
        dataset_of=dataset_of,
        graph=Graph.of(edges),
        consumers=known,
        promises=promised,
        result_type=types,
        **more,  # type: ignore[arg-type]
    )


def decided(
    findings: Sequence[Finding] = DEMO_FINDINGS, edges: Sequence[Edge] = DEMO_EDGES, **more: object
) -> Verdict:
    return decide(findings, assessed(findings, edges), now=NOW, **more)  # type: ignore[arg-type]
