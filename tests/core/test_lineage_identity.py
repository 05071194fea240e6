"""Which dataset a contract's table is, and which dataset a text means."""

from __future__ import annotations

from typing import Any

import pytest

from contracts_svc.lineage.graph import DatasetId
from contracts_svc.lineage.identity import Identities, dataset_at
from contracts_svc.model import Column, Contract, Server, Table


def server(type_: str, **fields: Any) -> Server:
    return Server(server="production", type=type_, fields=fields)


def contract(name: str = "orders", *servers: Server, tables: tuple[Table, ...] = (), **more: Any) -> Contract:
    return Contract(
        api_version="v3.1.0",
        id=more.pop("id", f"urn:{name}"),
        version="1.0.0",
        tables=tables or (Table(name=name, **more),),
        servers=servers,
    )


LAKE = "s3://flight-lake"
FLIGHTS = contract("flights", server("s3", location=f"{LAKE}/flights/month=*/*.parquet"), id="flights-v1")
WEATHER = contract("weather", server("s3", location=f"{LAKE}/weather/**/*.parquet"))
SALES = contract(
    "orders",
    server("postgres", host="db", port=5433, database="shop", schema="sales"),
    physical_name="orders_t",
)
IDENTITIES = Identities.of([FLIGHTS, WEATHER, SALES])


@pytest.mark.parametrize(
    ("of", "namespace", "name"),
    [
        (server("s3", location="s3://lake/orders/**/*.parquet"), "s3://lake", "orders"),
        (server("s3", location="s3://lake/raw/orders/year=*/month=*/*.parquet"), "s3://lake", "raw/orders"),
        (server("s3", location="s3a://lake/raw/orders/"), "s3://lake", "raw/orders"),
        (server("s3", location="s3://lake/raw/{model}/*.csv"), "s3://lake", "raw/orders"),
        (server("s3", location="s3://lake/*.csv"), "s3://lake", "/"),
        (server("s3", location="s3://lake/orders-??/x.csv"), "s3://lake", "/"),
        (server("gcs", location="gs://lake/orders/x.parquet"), "gs://lake", "orders/x.parquet"),
        (
            server("azure", location="abfss://box@acct.dfs.core.windows.net/orders/*.parquet"),
            "abfss://box@acct.dfs.core.windows.net",
            "orders",
        ),
        (server("local", path="/data/orders/*.parquet"), "file", "/data/orders"),
        (server("local", path="data/orders.csv"), "file", "data/orders.csv"),
        (server("local", path="file:///data/orders"), "file", "/data/orders"),
        (
            server("postgres", host="db", port=5432, database="shop", schema="sales"),
            "postgres://db:5432",
            "shop.sales.orders",
        ),
        (server("postgresql", host="db", database="shop", schema="s"), "postgres://db:5432", "shop.s.orders"),
        (
            server("snowflake", account="acme-eu", database="SHOP", schema="S"),
            "snowflake://acme-eu",
            "SHOP.S.orders",
        ),
        (server("bigquery", project="p1", dataset="shop"), "bigquery", "p1.shop.orders"),
        (server("mysql", host="db", port=3307, database="shop"), "mysql://db:3307", "shop.orders"),
        (server("sqlserver", host="db", database="shop", schema="dbo"), "mssql://db:1433", "shop.dbo.orders"),
        (
            server("redshift", host="c.eu", database="shop", schema="s"),
            "redshift://c.eu:5439",
            "shop.s.orders",
        ),
        (server("oracle", host="db", port=1522, serviceName="XE"), "oracle://db:1522", "XE.orders"),
        (server("trino", host="t", port=8080, catalog="c", schema="s"), "trino://t:8080", "c.s.orders"),
        (server("kafka", host="k:9092"), "kafka://k:9092", "orders"),
        (server("pubsub", project="p1"), "pubsub", "topic:p1:orders"),
        (
            server(
                "athena", regionName="eu-west-1", catalog="awsdatacatalog", schema="s", stagingDir="s3://x"
            ),
            "awsathena://athena.eu-west-1.amazonaws.com",
            "awsdatacatalog.s.orders",
        ),
        (
            server("glue", account="123", region="eu-west-1", database="shop"),
            "arn:aws:glue:eu-west-1:123",
            "table/shop/orders",
        ),
        (server("databricks", host="h", catalog="c", schema="s"), "databricks://h", "c.s.orders"),
        (server("duckdb", database="a.db", schema="main"), "duckdb://a.db", "main.orders"),
        (server("custom", location="s3://lake/orders"), "s3://lake", "orders"),
        (server("newbase", host="h", database="d"), "newbase://h", "d.orders"),
    ],
)
def test_tables_are_named_as_openlineage_names_them(of: Server, namespace: str, name: str) -> None:
    made = contract("orders", of)
    assert Identities.of([made]).dataset(made, made.tables[0]) == DatasetId(namespace, name)


def test_the_first_server_names_a_table_and_none_gives_no_namespace() -> None:
    two = contract("orders", server("s3", location="s3://a/orders"), server("s3", location="s3://b/orders"))
    found = Identities.of([two])
    assert found.dataset(two, two.tables[0]) == DatasetId("s3://a", "orders")
    assert found.find("s3://b/orders/part-1.parquet") == DatasetId("s3://a", "orders")
    bare = contract("orders")
    assert Identities.of([bare]).dataset(bare, bare.tables[0]) == DatasetId("", "orders")


def test_a_table_is_stored_under_its_physical_name_also_with_its_schema() -> None:
    of = server("postgres", host="db", port=5432, database="shop", schema="sales")
    plain = contract("orders", of, physical_name="orders_t")
    qualified = contract("orders", of, physical_name="archive.orders_t")
    assert Identities.of([plain]).dataset(plain, plain.tables[0]).name == "shop.sales.orders_t"
    assert Identities.of([qualified]).dataset(qualified, qualified.tables[0]).name == "shop.archive.orders_t"


def test_several_tables_under_one_address_have_a_folder_each() -> None:
    tables = (Table(name="orders"), Table(name="lines"))
    made = contract("shop", server("s3", location="s3://lake/shop"), tables=tables)
    assert [str(d) for d in Identities.of([made]).known] == ["s3://lake/shop/orders", "s3://lake/shop/lines"]


@pytest.mark.parametrize(
    "text",
    [
        "flights",
        "FLIGHTS",
        " flights ",
        "flights-v1",
        "flights-v1/flights",
        "s3://flight-lake/flights",
        "s3://flight-lake/flights/",
        "s3a://flight-lake/flights/month=12",
        "s3://flight-lake/flights/month=*/*.parquet",
        "s3://flight-lake/flights/month=12/part-0.parquet",
        "main.flights",
        "lake.main.flights",
    ],
)
def test_a_dataset_is_found_by(text: str) -> None:
    assert IDENTITIES.find(text) == DatasetId(LAKE, "flights")


@pytest.mark.parametrize(
    "text", ["orders", "orders_t", "sales.orders_t", "shop.sales.orders_t", "SALES.ORDERS_T"]
)
def test_a_table_of_a_database_is_found_by(text: str) -> None:
    assert IDENTITIES.find(text) == DatasetId("postgres://db:5433", "shop.sales.orders_t")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "flight",
        "flights2",
        "archive.orders_t",
        "s3://flight-lake",
        "s3://flight-lake/flights_old/x.parquet",
        "s3://other/flights",
        "x/flights",
    ],
)
def test_nothing_is_found_by(text: str) -> None:
    assert IDENTITIES.find(text) is None


def test_close_names_are_suggested() -> None:
    assert IDENTITIES.suggest("flihgts") == ("flights",)
    assert IDENTITIES.suggest("zzzzzz") == ()


def test_a_name_that_two_datasets_have_is_not_guessed() -> None:
    other = contract("flights", server("s3", location="s3://archive/flights"), id="archive")
    found = Identities.of([FLIGHTS, other])
    assert found.find("flights") is None
    assert found.suggest("flights") == (f"{LAKE}/flights", "s3://archive/flights")
    assert found.find("s3://archive/flights") == DatasetId("s3://archive", "flights")
    assert set(found.columns()) == {f"{LAKE}/flights", "s3://archive/flights"}


def test_two_contracts_of_one_dataset_the_first_keeps_it() -> None:
    again = contract("flights", server("s3", location=f"{LAKE}/flights"), id="again")
    found = Identities.of([FLIGHTS, again])
    assert found.contract_of(DatasetId(LAKE, "flights")) == (FLIGHTS, FLIGHTS.tables[0])
    assert found.contract_of(DatasetId(LAKE, "nope")) is None


def test_columns_are_given_as_stored_with_their_types() -> None:
    columns = (
        Column(name="id", path="id", physical_type="BIGINT", logical_type="integer"),
        Column(name="when", path="when", physical_name="ts", logical_type="timestamp"),
        Column(name="note", path="note"),
    )
    found = Identities.of([contract("orders", columns=columns)])
    assert found.columns() == {"orders": {"id": "BIGINT", "ts": "timestamp", "note": ""}}


@pytest.mark.parametrize(
    ("address", "wanted"),
    [
        ("S3://lake/a/b", DatasetId("s3://lake", "a/b")),
        ("s3://lake", DatasetId("s3://lake", "/")),
        ("hdfs://nn:8020/a/dt=1/x", DatasetId("hdfs://nn:8020", "a")),
        ("file://host/a/b", DatasetId("file://host", "/a/b")),
        ("/a/[0-9]/x", DatasetId("file", "/a")),
    ],
)
def test_the_dataset_at_an_address(address: str, wanted: DatasetId) -> None:
    assert dataset_at(address) == wanted
