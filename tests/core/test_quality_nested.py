"""Nested values in real files: fields, elements, maps, and types that drift from file to file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts_svc.runs import Outcome
from tests.core.quality import contract, results, run


def put(path: Path, rows: list[dict[str, Any]], schema: pa.Schema) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)


LINES = {
    "name": "lines",
    "logicalType": "array",
    "logicalTypeOptions": {"minItems": 1, "uniqueItems": True},
    "items": {
        "logicalType": "object",
        "logicalTypeOptions": {"required": ["sku"]},
        "properties": [
            {"name": "sku", "logicalType": "string", "logicalTypeOptions": {"pattern": "^[A-Z]"}},
            {"name": "price", "logicalType": "number", "logicalTypeOptions": {"exclusiveMinimum": 0}},
            {
                "name": "product",
                "logicalType": "integer",
                "relationships": [{"to": "products.id"}],
                "quality": [{"metric": "nullValues", "mustBe": 0}],
            },
        ],
    },
}
LINE = pa.struct({"sku": pa.string(), "price": pa.float64(), "product": pa.int64()})
ORDERS = {"name": "orders", "properties": [{"name": "id", "logicalType": "integer"}, LINES]}
PRODUCTS = {"name": "products", "properties": [{"name": "id", "logicalType": "integer"}]}


def line(sku: str | None = "A", price: float | None = 1.0, product: int | None = 1) -> dict[str, Any]:
    return {"sku": sku, "price": price, "product": product}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    rows = [
        {"id": 1, "lines": [line(), line("b", 2.0, 7), None]},
        {"id": 2, "lines": [line(None), line(price=0.0), line(price=-1.0, product=8)]},
        {"id": 3, "lines": []},
        {"id": 4, "lines": None},
        {"id": 5, "lines": [line(), line(), line(product=None)]},
        {"id": 6, "lines": [line(product=7), line(price=float("nan"))]},
    ]
    put(tmp_path / "orders/a.parquet", rows, pa.schema({"id": pa.int64(), "lines": pa.list_(LINE)}))
    put(tmp_path / "products/a.parquet", [{"id": 1}], pa.schema({"id": pa.int64()}))
    return tmp_path


def test_a_row_counts_once_however_many_of_its_elements_fail(shop: Path) -> None:
    found = run(contract(shop, ORDERS, PRODUCTS), "orders")
    bad = {r.check.id.removeprefix("orders."): r.failing for r in found.results if r.bad}
    assert bad == {
        "lines.min-items": 1,
        "lines.unique-items": 1,
        "lines[].sku.required": 1,
        "lines[].sku.pattern": 1,
        "lines[].price.exclusive-minimum": 2,
        "lines[].product.null-values": 1,
        "relationship.lines[].product->products.id": 3,
    }
    assert not found.unsupported


def test_orphans_inside_arrays_are_counted_by_value(shop: Path) -> None:
    (orphan,) = (
        r for r in run(contract(shop, ORDERS, PRODUCTS), "orders").results if r.check.kind == "relationship"
    )
    assert orphan.values["orphans"] == [{"value": 7, "rows": 2}, {"value": 8, "rows": 1}]
    assert orphan.found == "3 of 11 values (27.27 %), 2 values: 7, 8"


def test_the_elements_are_shown_of_a_row_that_fails(shop: Path) -> None:
    said = results(run(contract(shop, ORDERS, PRODUCTS), "orders"))
    (sample,) = said["orders.lines[].sku.pattern"].samples
    assert (sample["lines[].sku"], sample["id"]) == (["A", "b", None], 1)


def test_all_of_it_is_one_scan(shop: Path) -> None:
    small = {"name": "orders", "properties": [ORDERS["properties"][0], {**LINES, "logicalTypeOptions": {}}]}
    small["properties"][1]["items"] = {**LINES["items"], "properties": LINES["items"]["properties"][:2]}  # type: ignore[index]
    found = run(contract(shop, small), "orders", samples=0)
    assert found.scans == 1


def test_a_nested_type_that_drifts_names_the_files_and_since_when(tmp_path: Path) -> None:
    old = pa.schema({"lines": pa.list_(pa.struct({"sku": pa.string(), "price": pa.float64()}))})
    new = pa.schema({"lines": pa.list_(pa.struct({"sku": pa.string(), "price": pa.string()}))})
    for month, schema in ((1, old), (2, old), (3, new), (10, new)):
        put(tmp_path / f"orders/month={month}/a.parquet", [{"lines": []}, {"lines": None}], schema)
    price = {"name": "price", "logicalType": "number", "logicalTypeOptions": {"minimum": 0}}
    lines = {
        "name": "lines",
        "logicalType": "array",
        "items": {"logicalType": "object", "properties": [{"name": "sku"}, price]},
    }
    month = {"name": "month", "logicalType": "integer"}
    found = results(run(contract(tmp_path, {"name": "orders", "properties": [lines, month]}), "orders"))
    drift = found["orders.lines[].price.logical-type"]
    assert drift.outcome is Outcome.FAILED
    assert drift.found == "TEXT in 2 of 4 files, first month=3"
    assert [(b.where, b.failing) for b in drift.breakdown] == [("month=3", 2), ("month=10", 2)]
    assert found["orders.lines[].price.minimum"].outcome is Outcome.SKIPPED
    assert found["orders.lines[].missing-column"].outcome is Outcome.PASSED
