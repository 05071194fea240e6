"""dbt manifests: other projects' files of all versions, columns from compiled SQL, exposures, bad files."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from contracts_svc.adapters.dbt import read_project
from contracts_svc.errors import UserMistake
from contracts_svc.flows.lineage import Lineage, gather
from contracts_svc.lineage import dbt_manifest
from contracts_svc.lineage.dbt_manifest import Manifest, read_catalog, read_manifest
from contracts_svc.lineage.graph import Channel, ConsumerKind, DatasetId, EdgeType
from contracts_svc.model import Column, Contract, Server, Table
from tests.support import case_rows, shared

# -- other projects' manifests


def documented(manifest: Manifest) -> dict[str, dict[str, str | None]]:
    kinds = ("model", "seed", "snapshot")
    return {r.id: dict(r.columns) for r in manifest.resources.values() if r.kind in kinds and r.columns}


def test_manifests_of_other_projects() -> None:
    agree, wrong = 0, []
    for row in case_rows("dbt_manifests"):
        text = shared(f"cases/{row['file']}").read_bytes()
        found, want = read_manifest(text, row["file"]), row["expected"]
        kinds = Counter(r.kind for r in found.resources.values())
        got = {
            "schema_version": want["schema_version"].endswith(f"/v{found.version}.json"),
            "dbt_version": found.dbt_version == want["dbt_version"],
            "adapter": found.adapter == want["adapter"],
            "resource_counts": dict(found.counts) == want["resource_counts"],
            "sources": kinds["source"] == want["sources"],
            "exposures": kinds["exposure"] == want["exposures"],
            "columns": documented(found) == want["columns"],
            "parent_edges": sorted(map(list, found.parent_edges())) == sorted(want["parent_edges"]),
            "contract_enforced": sorted(r.id for r in found.resources.values() if r.enforced)
            == sorted(want["contract_enforced"]),
        }
        wrong += [(row["id"], key) for key, same in got.items() if not same]
        agree += all(got.values())
    print(f"{agree} agree")
    assert wrong == []
    assert agree > 0


def test_every_parent_of_a_table_is_an_edge_and_every_gap_has_its_reason() -> None:
    columns = 0
    for row in case_rows("dbt_manifests"):
        text = shared(f"cases/{row['file']}").read_bytes()
        manifest = read_manifest(text, row["file"])
        heard = read_project(text, row["file"])
        found = gather([], sql={}, heard=[heard])
        named = {r.id: DatasetId("", ".".join(r.name).lower()) for r in manifest.resources.values() if r.name}
        linked = {(e.source.dataset.name.lower(), e.target.dataset.name.lower()) for e in found.graph.edges}
        for child in manifest.resources.values():
            if child.kind in ("model", "snapshot") and child.name:
                wanted = {(named[p].name, named[child.id].name) for p in manifest.tables_above(child.id)}
                # A source that is a file goes by the file's name.
                files = {w for w in wanted if w not in linked}
                assert all("jaffle-shop-data" in source for source, _ in files), (row["id"], files)
        columns += sum(e.source.column is not None for e in found.graph.edges)
        assert all(e.reason for e in found.graph.edges if e.type is EdgeType.UNKNOWN), row["id"]
        assert {e.seen for e in found.graph.edges} <= {manifest.generated}
    print(f"{columns} edges between columns")
    assert columns > 0


# -- a project of our own

MANIFEST = "https://schemas.getdbt.com/dbt/manifest/v{}.json"


def node(kind: str, name: str, *parents: str, **more: Any) -> tuple[str, dict[str, Any]]:
    id = f"{kind}.shop.{name}"
    return id, {
        "unique_id": id,
        "resource_type": kind,
        "name": name,
        "database": "DB",
        "schema": "s",
        "alias": name,
        "depends_on": {"nodes": list(parents)},
        "columns": {},
        "config": {"materialized": "table"},
        **more,
    }


def project(
    *nodes: tuple[str, dict[str, Any]], adapter: str = "snowflake", version: int = 12, **more: Any
) -> bytes:
    sections: dict[str, dict[str, Any]] = {"nodes": {}, "sources": {}, "exposures": {}, "metrics": {}}
    for id, entry in nodes:
        kind = entry["resource_type"]
        sections[f"{kind}s" if f"{kind}s" in sections else "nodes"][id] = entry
    metadata = {
        "dbt_schema_version": MANIFEST.format(version),
        "dbt_version": "1.8.0",
        "adapter_type": adapter,
        "generated_at": "2026-05-01T00:00:00Z",
    }
    return json.dumps({"metadata": metadata, **sections, **more}).encode()


RAW = node("source", "raw", identifier="RAW_ORDERS")
STAGED = node(
    "model",
    "staged",
    "source.shop.raw",
    compiled_code='select id as order_id, amount from "DB"."s"."RAW_ORDERS"',
)
TOTALS = node(
    "model",
    "totals",
    "model.shop.staged",
    compiled_code="select order_id, amount * 2 as double_amount from (select * from DB.s.staged) x",
)
SALES = node(
    "exposure",
    "sales",
    "model.shop.totals",
    label="Sales board",
    owner={"name": "finance", "email": "fin@example.com"},
)


def lineage(text: bytes, *contracts: Contract, catalog: bytes | None = None) -> Lineage:
    return gather(contracts, sql={}, heard=[read_project(text, "manifest.json", catalog)])


def lines(found: Lineage) -> list[str]:
    return [
        f"{e.source.dataset.name}.{e.source.column or '*'} -> {e.target.dataset.name}.{e.target.column or '*'} {e.type}"
        for e in found.graph.edges
    ]


def test_columns_come_from_the_compiled_sql_through_star_of_models_upstream() -> None:
    # The children stand before their parents in the file.
    found = lineage(project(TOTALS, STAGED, RAW))
    assert lines(found) == [
        "DB.S.RAW_ORDERS.AMOUNT -> DB.S.STAGED.AMOUNT IDENTITY",
        "DB.S.RAW_ORDERS.ID -> DB.S.STAGED.ORDER_ID IDENTITY",
        "DB.S.STAGED.AMOUNT -> DB.S.TOTALS.DOUBLE_AMOUNT TRANSFORMATION",
        "DB.S.STAGED.ORDER_ID -> DB.S.TOTALS.ORDER_ID IDENTITY",
    ]
    assert found.problems == ()
    assert {e.origin for e in found.graph.edges} == {"dbt:model.shop.staged", "dbt:model.shop.totals"}


def test_an_exposure_is_a_dashboard_with_its_owner() -> None:
    found = lineage(project(TOTALS, STAGED, RAW, SALES))
    (board,) = (c for c in found.consumers if c.kind is ConsumerKind.DASHBOARD)
    assert (board.name, board.team) == ("Sales board", "finance")
    assert board.channels == (Channel(tool="email", address="fin@example.com"),)
    assert [line for line in lines(found) if "exposure" in line] == [
        "DB.S.TOTALS.* -> exposure.shop.sales.* UNKNOWN"
    ]


def test_an_exposure_of_a_metric_reads_what_the_metric_reads() -> None:
    metric = node("metric", "revenue", "model.shop.totals")
    board = node("exposure", "board", "metric.shop.revenue", owner={"email": ["a@x", "b@x"]})
    found = lineage(project(TOTALS, STAGED, RAW, metric, board))
    assert "DB.S.TOTALS.* -> exposure.shop.board.* UNKNOWN" in lines(found)
    assert [c.team for c in found.consumers if c.kind is ConsumerKind.DASHBOARD] == ["a@x"]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({}, "dbt's manifest has no compiled SQL of it"),
        ({"compiled_code": "def model(dbt, session): ...", "language": "python"}, "a model in python"),
    ],
)
def test_a_model_without_compiled_sql_is_joined_by_tables(more: dict[str, Any], reason: str) -> None:
    found = lineage(project(RAW, node("model", "staged", "source.shop.raw", **more)))
    assert lines(found) == ["DB.S.RAW_ORDERS.* -> DB.S.STAGED.* UNKNOWN"]
    assert found.graph.edges[0].reason == reason
    assert ["dbt compile" in p.hint for p in found.problems] == [True]


def test_ephemeral_models_are_passed_through() -> None:
    between = node("model", "between", "source.shop.raw", config={"materialized": "ephemeral"})
    found = lineage(project(RAW, between, node("model", "last", "model.shop.between")))
    assert lines(found) == ["DB.S.RAW_ORDERS.* -> DB.S.LAST.* UNKNOWN"]


def test_star_over_a_source_needs_the_catalog_or_an_enforced_contract() -> None:
    star = node("model", "staged", "source.shop.raw", compiled_code="select * from DB.s.RAW_ORDERS")
    some = {"ID": {"name": "ID", "data_type": "int"}}
    documented = node("source", "raw", identifier="RAW_ORDERS", columns=some)
    assert lines(lineage(project(documented, star))) == ["DB.S.RAW_ORDERS.* -> DB.S.STAGED.* UNKNOWN"]
    wanted = ["DB.S.RAW_ORDERS.ID -> DB.S.STAGED.ID IDENTITY"]
    enforced = node("model", "raw", columns=some, alias="RAW_ORDERS", contract={"enforced": True})
    over = node("model", "staged", "model.shop.raw", compiled_code="select * from DB.s.RAW_ORDERS")
    assert lines(lineage(project(enforced, over))) == wanted
    catalog = {
        "nodes": {},
        "sources": {"source.shop.raw": {"columns": {"ID": {"name": "ID", "type": "NUMBER"}}}},
    }
    assert lines(lineage(project(documented, star), catalog=json.dumps(catalog).encode())) == wanted


def test_the_group_of_a_model_owns_what_it_makes() -> None:
    model = node(
        "model", "staged", "source.shop.raw", compiled_code="select id from DB.s.RAW_ORDERS", group="core"
    )
    owner = {"name": "core team", "email": "core@x", "slack": "#core"}
    found = lineage(project(RAW, model, groups={"group.shop.core": {"name": "core", "owner": owner}}))
    (job,) = found.consumers
    assert (job.name, job.team, [c.address for c in job.channels]) == (
        "DB.S.STAGED",
        "core team",
        ["core@x", "#core"],
    )


def test_tables_are_joined_to_contracts_by_kind_of_system_and_name() -> None:
    fields = {"account": "acme", "database": "DB", "schema": "S"}
    contract = Contract(
        api_version="v3.1.0",
        id="orders",
        version="1.0.0",
        servers=(Server(server="p", type="snowflake", fields=fields),),
        tables=(
            Table(
                name="orders",
                physical_name="raw_orders",
                columns=(Column(name="order", path="order", physical_name="id"),),
            ),
        ),
    )
    found = lineage(project(RAW, STAGED), contract)
    assert "DB.S.raw_orders.id -> DB.S.STAGED.ORDER_ID IDENTITY" in lines(found)
    assert {e.source.dataset.namespace for e in found.graph.edges} == {"snowflake://acme"}
    elsewhere = lineage(project(RAW, STAGED, adapter="redshift"), contract)
    assert {e.source.dataset.namespace for e in elsewhere.graph.edges} == {"redshift://"}


def test_a_source_that_is_a_file_is_the_dataset_at_its_address() -> None:
    relation = "read_parquet('s3://lake/orders/*.parquet', hive_partitioning = true)"
    raw = node("source", "raw", identifier="raw", relation_name=relation)
    model = node("model", "staged", "source.shop.raw", compiled_code=f"select id from {relation}")
    contract = Contract(
        api_version="v3.1.0",
        id="orders",
        version="1.0.0",
        servers=(Server(server="p", type="s3", fields={"location": "s3://lake/orders/day=*/*.parquet"}),),
        tables=(Table(name="orders", columns=(Column(name="id", path="id"),)),),
    )
    found = lineage(project(raw, model, adapter="duckdb"), contract)
    assert lines(found) == ["orders.id -> db.s.staged.id IDENTITY"]
    assert found.graph.edges[0].source.dataset == DatasetId("s3://lake", "orders")


def test_models_that_go_in_a_circle_end() -> None:
    one = node("model", "one", "model.shop.two", compiled_code="select x from DB.s.two")
    two = node("model", "two", "model.shop.one", compiled_code="select x from DB.s.one")
    assert len(lineage(project(one, two)).graph.edges) == 2


# -- bad files


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[]", "no JSON object"),
        (b"{}", "no dbt manifest"),
        (b"\xff", "not UTF-8 at byte 1"),
        (b"[" * 100_000, "not JSON that can be read"),
        (b'{"metadata": {"dbt_schema_version": 5}}', "no dbt manifest"),
        (project(version=1), "cannot be read"),
        (project().replace(b"v12.json", b"vX.json"), "cannot be read"),
        (b'{"metadata": {"dbt_schema_version": "x/manifest/v12.json", "x": "\\ud800"}}', "the character"),
    ],
)
def test_what_is_no_manifest_is_told(text: bytes, message: str) -> None:
    with pytest.raises(UserMistake) as raised:
        read_project(text, "manifest.json")
    assert message in str(raised.value)
    assert all(p.hint for p in raised.value.problems)


def test_a_file_that_is_too_long_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dbt_manifest, "MAX_BYTES", 10)
    with pytest.raises(UserMistake, match="longer than 10 bytes"):
        read_manifest(b"{" * 11, "manifest.json")


def test_a_newer_manifest_is_read_with_a_word() -> None:
    found = read_project(project(RAW, STAGED, version=13), "manifest.json")
    assert len(found.queries) == 1
    assert ["newer" in p.message for p in found.problems] == [True]


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"nodes": 5}, "nodes is no object"),
        ({"nodes": {"model.x": 5}}, "'model.x' is no object"),
        ({"nodes": {"model.x": {"resource_type": "model", "depends_on": {"nodes": 5}}}}, "no list"),
        ({"exposures": {"e": {"owner": 5, "depends_on": 5, "name": 5}}}, ""),
        ({"nodes": {"m": {"resource_type": "model", "name": "m", "config": 5, "columns": [1]}}}, ""),
        ({"groups": {"g": {"owner": 5, "name": 5}}}, ""),
    ],
)
def test_parts_of_another_shape_are_told_and_left_out(part: dict[str, Any], message: str) -> None:
    found = read_project(project(SALES, **part), "manifest.json")
    assert any(message in p.message for p in found.problems) or not message


def test_a_catalog_that_is_none_is_told() -> None:
    with pytest.raises(UserMistake, match="no dbt catalog"):
        read_project(project(RAW), "manifest.json", b"{}")
    assert read_catalog(b'{"nodes": {"a": {"columns": {"x": 5}}, "b": 5}}', "catalog.json") == {"a": {}}
