"""The sentences on impact, each by small lineages of its own: tests/data/impact/cases.yaml."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from contracts_svc.findings import ChangeKind, Finding
from contracts_svc.impact import Assessment, assess, consumers_of
from contracts_svc.lineage.graph import ColumnRef, Consumer, ConsumerKind, DatasetId, Edge, EdgeType, Graph
from contracts_svc.model import Column, Contract, SlaProperty, Table
from tests.core.demo_downstream import contract, dataset, dataset_of, edge, finding, promises
from tests.support import DATA

Case = dict[str, Any]
Promises = dict[DatasetId, tuple[Contract, Table]]

GROUPS = yaml.safe_load((DATA / "impact" / "cases.yaml").read_text(encoding="utf-8"))
CASES = [pytest.param(case, id=case["name"]) for group in GROUPS for case in group["cases"]]
_CHANGE = re.compile(r"(\w+) (table )?([\w.]+)(?: (\w+): (.+) => (.+)| to (\w+))?")
_BOUNDS = ("minimum", "maximum")


def edge_of(text: str) -> Edge:
    if " reads all of " in text:
        source, target = text.split(" reads all of ")
        return edge(source, target, EdgeType.UNKNOWN, reason="a script")
    match = re.fullmatch(r"(\S+) -> (\S+) (\w+)(?: := (.+))?", text)
    assert match, text
    return edge(match[1], match[2], EdgeType(match[3]), match[4] or "")


def change_of(text: str) -> Finding:
    match = _CHANGE.fullmatch(text)
    assert match, text
    kind, table, path, field, old, new, name = match.groups()
    if table:
        return finding(ChangeKind(kind), path, element="table", old=Table(name=path))
    if field == "sla":
        return finding(ChangeKind(kind), path, element="sla", old=sla_of(old), new=sla_of(new))
    if field is None:
        return finding(ChangeKind(kind), path, new_column=name)
    values = (old, new) if "Type" in field else (yaml.safe_load(old), yaml.safe_load(new))
    return finding(ChangeKind(kind), path, field=field, old=values[0], new=values[1])


def sla_of(text: str) -> SlaProperty:
    name, value, unit = text.split()
    return SlaProperty(property=name, value=int(value), unit=unit)


def column_of(path: str, promise: dict[str, Any]) -> Column:
    return Column(
        name=path.rpartition(".")[2],
        path=path,
        physical_type=promise.get("type"),
        logical_type=promise.get("logical"),
        required=promise.get("required", False),
        unique=promise.get("unique", False),
        enum=tuple(promise.get("enum", ())),
        logical_type_options={k: promise[k] for k in _BOUNDS if k in promise},
    )


def promises_of(case: Case) -> Promises:
    levels = case.get("sla", {})
    told = {**{name: {} for name in levels}, **case.get("promises", {})}
    return promises(
        *(
            contract(name, [column_of(p, v) for p, v in columns.items()], sla=[*map(sla_of, levels.get(name, []))])
            for name, columns in told.items()
        )
    )  # fmt: skip


def run(case: Case) -> Assessment:
    promised = promises_of(case)
    board = Consumer(name="board", kind=ConsumerKind.DASHBOARD, dataset=dataset("board"), team="board")
    return assess(
        [change_of(case["change"])],
        dataset_of=dataset_of,
        graph=Graph.of(map(edge_of, case["edges"])),
        consumers=(*consumers_of(promised), board),
        promises=promised,
    )


@pytest.mark.parametrize("case", CASES)
def test_impact(case: Case) -> None:
    found = run(case)
    assert {i.consumer.name: i.level.value for i in found.impacts} == case["expect"]
    if "absorbed" in case:
        assert {str(a.at) for a in found.absorbed} == set(case["absorbed"])
    reasons = {i.consumer.name: i.reason for i in found.impacts}
    for name, words in case.get("reason", {}).items():
        assert words in reasons[name]


def test_a_part_is_read_where_its_whole_is() -> None:
    graph = Graph.of([edge_of("a.p -> b.p IDENTITY"), edge_of("a.p[].q.r -> c.r IDENTITY")])
    targets = [str(e.target) for e in graph.readers(ColumnRef(dataset("a"), "p[].q"))]
    assert targets == ["c.r", "b.p"]
