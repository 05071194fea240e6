"""`contracts preflight` and `contracts lineage` with every source of lineage, as a user runs them.

The contracts call columns and tables otherwise than they are stored (``physicalName``); findings speak the
contract's words, SQL, events and dbt the stored names.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from contracts_svc.cli.main import main
from contracts_svc.demo.history import build_history

SERVER = "{server: prod, type: postgres, host: db, port: 5432, database: shop, schema: s}"
ORDERS = f"""apiVersion: v3.1.0
kind: DataContract
id: orders
version: 1.0.0
status: active
servers: [{SERVER}]
team: {{name: sales}}
schema:
  - name: orders
    physicalName: orders_t
    properties:
      - {{name: id, physicalName: order_id, logicalType: integer, physicalType: INTEGER}}
      - {{name: amount, physicalName: amt, logicalType: integer, physicalType: INTEGER}}
      - {{name: placed, physicalName: ts, logicalType: timestamp}}
"""
REVENUE = f"""apiVersion: v3.1.0
kind: DataContract
id: revenue
version: 1.0.0
status: active
servers: [{SERVER}]
team: {{name: finance}}
schema:
  - name: revenue
    physicalName: revenue_v
    properties:
      - {{name: total, physicalName: tot, logicalType: integer, physicalType: INTEGER}}
"""
WITHOUT_AMOUNT = "\n".join(line for line in ORDERS.splitlines() if "amount" not in line) + "\n"
WITHOUT_PLACED = "\n".join(line for line in ORDERS.splitlines() if "placed" not in line) + "\n"
WIDER = ORDERS.replace(
    "amt, logicalType: integer, physicalType: INTEGER", "amt, logicalType: integer, physicalType: BIGINT"
)

SQL = {"revenue.sql": "INSERT INTO s.revenue_v (tot) SELECT amt * 2 FROM shop.s.orders_t"}


def dataset(name: str) -> dict[str, str]:
    # Neither the port nor the case is written as the contract has it.
    return {"namespace": "postgres://DB", "name": f"shop.s.{name}"}


def event(**facets: Any) -> dict[str, Any]:
    return {
        "eventTime": "2026-05-01T00:00:00Z",
        "producer": "https://example.com",
        "job": {"namespace": "jobs", "name": "load revenue", "facets": facets},
        "inputs": [dataset("ORDERS_T")],
        "outputs": [{**dataset("revenue_v"), "facets": {}}],
    }


IDENTITY = [{"type": "DIRECT", "subtype": "IDENTITY"}]
WITH_COLUMNS = event()
WITH_COLUMNS["outputs"][0]["facets"]["columnLineage"] = {
    "fields": {"TOT": {"inputFields": [{**dataset("orders_t"), "field": "AMT", "transformations": IDENTITY}]}}
}
EVENTS = {"events.jsonl": json.dumps(WITH_COLUMNS)}
EVENT = {"event.json": json.dumps(event(sql={"query": SQL["revenue.sql"]}), indent=2)}


def node(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "alias": name, "database": "shop", "schema": "s", "resource_type": "model", **more}


MODEL = node(
    "revenue_v",
    depends_on={"nodes": ["source.shop.orders"]},
    compiled_code='select amt as tot from "shop"."s"."orders_t"',
)
MANIFEST = {
    "metadata": {
        "dbt_schema_version": "https://schemas.getdbt.com/dbt/manifest/v12.json",
        "adapter_type": "postgres",
        "generated_at": "2026-05-01T00:00:00Z",
    },
    "nodes": {"model.shop.revenue_v": MODEL},
    "sources": {"source.shop.orders": node("orders_t", identifier="orders_t", resource_type="source")},
    "exposures": {
        "exposure.shop.board": {
            "name": "board",
            "resource_type": "exposure",
            "owner": {"name": "finance", "email": "fin@example.com"},
            "depends_on": {"nodes": ["model.shop.revenue_v"]},
        }
    },
}
DBT = {"target/manifest.json": json.dumps(MANIFEST)}
SUBSCRIPTION = {
    "forecast.subscription.yaml": "consumer: revenue\nteam: finance\ncontract: orders\ncolumns: [amount]\n"
}
SUBSCRIPTION_TO_STREET = {
    name: text.replace("amount", "address.street") for name, text in SUBSCRIPTION.items()
}
PRODUCT = {
    "revenue.odps.yaml": """apiVersion: v1.0.0
kind: DataProduct
id: revenue
status: active
inputPorts: [{name: orders, version: 1.0.0, contractId: orders}]
outputPorts: [{name: revenue, version: 1.0.0, contractId: revenue}]
"""
}


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CONTRACTS_LINEAGE", raising=False)
    monkeypatch.chdir(tmp_path)


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


class Verdict:
    def __init__(self, code: int, body: dict[str, Any]) -> None:
        self.code, self.verdict = code, body["verdict"]
        impacts = (i for f in self.verdict["findings"] for i in f["impacts"])
        self.levels = {(i["consumer"]["name"], i["level"]): i for i in impacts if i["level"] != "UNAFFECTED"}


def preflight(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    lineage: dict[str, str],
    head: str,
    *,
    committed: bool = False,
    more: dict[str, str] | None = None,
    moved: str = REVENUE,
) -> Verdict:
    before = {"orders.odcs.yaml": ORDERS, "revenue.odcs.yaml": REVENUE} | (more or {})
    texts = {f"contracts/{n}": t.encode() for n, t in before.items()}
    texts |= {f"lineage/{n}": t.encode() for n, t in lineage.items()} if committed else {}
    after = texts | {
        "contracts/orders.odcs.yaml": head.encode(),
        "contracts/revenue.odcs.yaml": moved.encode(),
    }
    build_history(tmp_path / "git", texts, after)
    argv = ["preflight", "--repository", str(tmp_path / "git"), "--base", "main", "--head", "pull-request"]
    if not committed:
        write(tmp_path / "lineage", lineage)
        argv += ["--lineage", str(tmp_path / "lineage")]
    code = main([*argv, "--format", "json", "--dialect", "postgres"])
    said = capsys.readouterr()
    assert said.err == ""
    return Verdict(code, json.loads(said.out))


READERS = {"readers.yaml": "".join(SUBSCRIPTION.values()), "other.yaml": "kind: Deployment\n"}
WITH_COLUMN = [SQL, EVENTS, EVENT, DBT, SUBSCRIPTION, READERS]
NAMES = ["sql", "events", "event", "dbt", "subscription", "readers"]


# A single event, and a subscription in a file of any name, are found in a folder by what they hold; in a
# repository only by the names of such files.
GIVEN_AND_COMMITTED = [
    (i, c) for i in range(len(NAMES)) for c in (False, True) if not (c and NAMES[i] in ("event", "readers"))
]


@pytest.mark.parametrize(
    ("index", "committed"),
    GIVEN_AND_COMMITTED,
    ids=[f"{NAMES[i]} {'committed' if c else 'given'}" for i, c in GIVEN_AND_COMMITTED],
)
def test_whoever_reads_a_column_under_its_stored_name_breaks_with_it(
    index: int, committed: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lineage = WITH_COLUMN[index]
    found = preflight(tmp_path, capsys, lineage, WITHOUT_AMOUNT, committed=committed)
    assert found.code == 1
    impact = found.levels["revenue", "BREAKS"]
    assert impact["path"][0]["source"]["column"] == "amt"


@pytest.mark.parametrize("lineage", WITH_COLUMN, ids=NAMES)
def test_nobody_breaks_with_a_column_that_nobody_reads(
    lineage: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = preflight(tmp_path, capsys, lineage, WITHOUT_PLACED)
    assert found.levels == {}


def test_a_type_travels_through_an_expression_over_stored_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copied = {
        "revenue.sql": "INSERT INTO s.revenue_v (tot) SELECT CASE WHEN amt > 0 THEN amt END FROM orders_t"
    }
    found = preflight(tmp_path, capsys, copied, WIDER)
    assert "shop.s.revenue_v promises INTEGER" in found.levels["revenue", "BREAKS"]["reason"]


def test_a_reader_that_moves_with_the_change_is_held_to_its_new_promise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = REVENUE.replace("revenue_v", "revenue_w")
    copied = {"revenue.sql": "INSERT INTO s.revenue_v (tot) SELECT amt FROM shop.s.orders_t"}
    found = preflight(tmp_path, capsys, copied, WIDER, moved=moved)
    assert "shop.s.revenue_v promises INTEGER" in found.levels["revenue", "BREAKS"]["reason"]


def test_a_nested_column_of_a_renamed_one_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nested = """      - name: address
        physicalName: adr
        logicalType: object
        properties:
          - {name: street, physicalName: str_t, logicalType: string}
          - {name: town, logicalType: string}
"""
    stored = json.loads(json.dumps(WITH_COLUMNS).replace("AMT", "ADR.STR_T"))
    head = ORDERS + "".join(line for line in nested.splitlines(keepends=True) if "street" not in line)
    for lineage in ({"events.jsonl": json.dumps(stored)}, SUBSCRIPTION_TO_STREET):
        before = {"orders.odcs.yaml": ORDERS + nested}
        found = preflight(tmp_path, capsys, lineage, head, more=before)
        assert found.levels["revenue", "BREAKS"]["path"][0]["source"]["column"] == "adr.street"
        for name in lineage:
            (tmp_path / "lineage" / name).unlink()


def test_a_data_product_tells_no_columns_and_is_never_called_safe(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    product = {"lineage/product.odps.yaml": PRODUCT["revenue.odps.yaml"]}
    for head in (WITHOUT_AMOUNT, WITHOUT_PLACED):
        assert ("revenue", "UNKNOWN") in preflight(tmp_path, capsys, product, head).levels


def test_the_columns_that_sql_tells_of_a_product_are_believed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert preflight(tmp_path, capsys, PRODUCT | SQL, WITHOUT_PLACED).levels == {}


def test_a_dashboard_of_dbt_is_reached_and_its_owner_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = preflight(tmp_path, capsys, DBT, WITHOUT_AMOUNT)
    (board,) = (i for (name, _), i in found.levels.items() if name == "board")
    assert board["consumer"]["kind"] == "dashboard"
    assert board["consumer"]["team"] == "finance"


BILLS = """apiVersion: v3.1.0
kind: DataContract
id: bills
version: 1.0.0
status: active
team: {name: billing}
schema:
  - name: bills
    properties:
      - name: order
        logicalType: integer
        relationships: [{to: orders.amount}]
"""


def test_a_foreign_key_of_another_contract_breaks_with_its_parent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = preflight(tmp_path, capsys, SQL, WITHOUT_AMOUNT, more={"bills.odcs.yaml": BILLS})
    assert found.levels["bills (relationship)", "BREAKS"]["consumer"]["team"] == "billing"


# -- what is given and is no lineage


@pytest.mark.parametrize(
    ("files", "path", "message"),
    [
        ({"x.txt": "hello"}, "x.txt", "x.txt is no lineage"),
        ({"x.json": "{}"}, "x.json", "x.json is no lineage"),
        ({"x.json": "{"}, "x.json", "x.json is no lineage"),
        ({"x.yaml": REVENUE}, "x.yaml", "this is a contract"),
        ({"x.yaml": "a: 1"}, "x.yaml", "neither a data product nor a subscription"),
        ({"x.odps.yaml": "a: ["}, "x.odps.yaml", "x.odps.yaml:2:1:"),
        ({"catalog.json": '{"metadata": {"dbt_schema_version": "x/dbt/catalog/v1.json"}}'}, "catalog.json", "manifest.json"),
        ({"manifest.json": '{"metadata": {"dbt_schema_version": "x/dbt/manifest/v1.json"}}'}, "manifest.json", "cannot be read"),
        ({}, "nowhere", "does not exist"),
        ({"folder/x.txt": ""}, "folder", "no lineage"),
        ({"folder/package.json": "{}"}, "folder", "no lineage"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_lineage_is_told(
    files: dict[str, str], path: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, {"contracts/orders.odcs.yaml": ORDERS, **files})
    assert main(["lineage", "unmatched", "--lineage", path]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert message in said.err


def test_lineage_of_the_base_side_that_cannot_be_read_is_a_gap_and_no_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = {"x.subscription.yaml": "consumer: [", "manifest.json": "{}", "data.jsonl": '{"a": 1}'}
    found = preflight(tmp_path, capsys, SQL | bad, WITHOUT_PLACED, committed=True)
    gaps = [text for text in found.verdict["coverage"]["unknown"] if "lineage/" in text]
    assert ["x.subscription.yaml" in text for text in gaps] == [True]


# -- contracts lineage unmatched


def test_unmatched_shows_what_fits_no_contract_with_suggestions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = json.loads(json.dumps(event()).replace("postgres://DB", "postgres://replica"))
    write(tmp_path, {"contracts/orders.odcs.yaml": ORDERS, "events.jsonl": json.dumps(elsewhere)})
    assert main(["lineage", "unmatched", "--lineage", "events.jsonl", "--format", "json"]) == 0
    body = json.loads(capsys.readouterr().out)
    assert [(u["dataset"]["name"], u["suggestions"]) for u in body["without_contract"]] == [
        ("shop.s.orders_t", ["postgres://db:5432/shop.s.orders_t"]),
        ("shop.s.revenue_v", []),
    ]
    assert [d["name"] for d in body["without_lineage"]] == ["shop.s.orders_t"]
    assert main(["lineage", "unmatched", "--lineage", "events.jsonl"]) == 0
    said = capsys.readouterr().out
    assert "(is it postgres://db:5432/shop.s.orders_t?)" in said
    assert "2 datasets of the lineage without a contract" in said


def test_warnings_of_the_sql_library_do_not_reach_the_user(
    tmp_path: Path,
) -> None:
    files = {
        "contracts/orders.odcs.yaml": ORDERS,
        "x.sql": "ALTER SESSION SET x = 1; SELECT 1 FROM t PIVOT (",
    }
    write(tmp_path, files | {"y.sql": "DECLARE x INT; GRANT SELECT ON a TO b; EXECUTE p"})
    run = "import sys; from contracts_svc.cli.main import main; sys.exit(main(sys.argv[1:]))"
    argv = [sys.executable, "-c", run, "lineage", "unmatched", "--lineage", "x.sql", "--lineage", "y.sql"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stderr == ""


def test_a_file_of_sql_that_is_no_utf_8_is_told_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "orders.odcs.yaml").write_text(ORDERS)
    (tmp_path / "r.sql").write_bytes("-- r\nSELECT 1 AS é".encode("latin-1"))
    argv = ["lineage", "unmatched", "--contracts", str(tmp_path), "--lineage", str(tmp_path / "r.sql")]
    assert main(argv) == 2
    assert "r.sql:2:13: the file is not UTF-8" in capsys.readouterr().err
