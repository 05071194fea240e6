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


# -- names that lineage uses


SNOW = contract("orders", server("snowflake", account="acme-eu", database="SHOP", schema="S"), id="snow")
BIG = contract("Visits", server("bigquery", project="p1", dataset="web"), id="big")
GLUED = contract("trips", server("s3", location="s3://lake/trips/day=*/*.parquet"), id="trips")
TWO = contract(
    "bookings",
    server("postgres", host="db", port=5432, database="shop", schema="s"),
    server("postgres", host="staging", database="shop", schema="s"),
    id="two",
)
LAKE_NAMES = {
    DatasetId("s3://lake", "trips"): (DatasetId("arn:aws:glue:eu-west-1:1", "table/web/trips"),),
    DatasetId("hive://nn:9083", "web.trips_view"): (
        DatasetId("arn:aws:glue:eu-west-1:1", "table/web/Trips"),
    ),
    DatasetId("s3://tmp", "raw/x"): (DatasetId("hive://nn:9083", "raw.x"),),
}
NAMED = Identities.of([FLIGHTS, SNOW, BIG, GLUED, TWO], LAKE_NAMES)
SNOWY, BIGGY = DatasetId("snowflake://acme-eu", "SHOP.S.orders"), DatasetId("bigquery", "p1.web.Visits")
TRIPS, BOOKED = DatasetId("s3://lake", "trips"), DatasetId("postgres://db:5432", "shop.s.bookings")


@pytest.mark.parametrize(
    ("namespace", "name", "wanted"),
    [
        # a folder, however it is reached
        ("s3://lake", "trips", TRIPS),
        ("s3a://lake", "/trips/", TRIPS),
        ("s3://lake", "trips/day=2026-01-01", TRIPS),
        ("s3://lake", "trips/day=2026-01-01/part-0.parquet", TRIPS),
        ("s3://LAKE", "trips/part-0.parquet", TRIPS),
        ("s3://lake", "trips/2026/01/x.csv", TRIPS),
        ("s3://lake", "Trips", DatasetId("s3://lake", "Trips")),
        ("s3://lake", "other/day=1", DatasetId("s3://lake", "other")),
        # symlinks, in a chain too
        ("arn:aws:glue:eu-west-1:1", "table/web/trips", TRIPS),
        ("arn:aws:glue:eu-west-1:1", "table/WEB/Trips", TRIPS),
        ("hive://nn:9083", "web.trips_view", TRIPS),
        ("hive://nn:9083", "raw.x", DatasetId("s3://tmp", "raw/x")),
        ("s3://tmp", "raw/x/dt=1", DatasetId("s3://tmp", "raw/x")),
        # letter case by kind of system
        ("snowflake://acme-eu", "shop.s.ORDERS", SNOWY),
        ("snowflake://ACME-EU", '"SHOP"."S"."orders"', SNOWY),
        ("snowflake://acme-eu", "shop.s.other", DatasetId("snowflake://acme-eu", "SHOP.S.OTHER")),
        ("bigquery", "p1.web.Visits", BIGGY),
        ("bigquery", "p1.web.Visits$20260101", BIGGY),
        ("bigquery", "p1.web.visits", DatasetId("bigquery", "p1.web.visits")),
        ("postgres://DB", "SHOP.s.Bookings", BOOKED),
        ("postgresql://db:5432/", "shop.s.bookings", BOOKED),
        ("hive://h", "A.B", DatasetId("hive://h:10000", "a.b")),
        # another server of the contract
        ("postgres://staging", "shop.s.bookings", BOOKED),
        (
            "postgres://elsewhere",
            "shop.s.bookings",
            DatasetId("postgres://elsewhere:5432", "shop.s.bookings"),
        ),
        # no host is known (dbt)
        ("postgres://", "shop.s.bookings", BOOKED),
        ("snowflake://", "SHOP.s.orders", SNOWY),
        ("snowflake://", "S.ORDERS", SNOWY),
        ("snowflake://", "ORDERS", DatasetId("snowflake://", "ORDERS")),
        ("snowflake://", "OTHER.S.ORDERS", DatasetId("snowflake://", "OTHER.S.ORDERS")),
        ("redshift://", "shop.s.bookings", DatasetId("redshift://", "shop.s.bookings")),
        ("spark://", "web.trips", TRIPS),
        ("duckdb://", "dev.main.flights", DatasetId(LAKE, "flights")),
        ("postgres://", "dev.main.flights", DatasetId("postgres://", "dev.main.flights")),
        # no namespace at all (SQL)
        ("", "shop.s.bookings", BOOKED),
        ("", "web.trips", TRIPS),
        ("", "nowhere", DatasetId("", "nowhere")),
        ("", "s3a://lake/other/day=1/*.parquet", DatasetId("s3://lake", "other")),
        ("", "s3://lake/trips/day=1/*.parquet", TRIPS),
    ],
)
def test_a_name_of_lineage_is_one_dataset(namespace: str, name: str, wanted: DatasetId) -> None:
    found = NAMED.resolve(DatasetId(namespace, name))
    assert found == wanted
    assert NAMED.resolve(found) == found


def test_a_name_that_may_be_two_datasets_is_neither() -> None:
    other = contract("orders", server("snowflake", account="acme-us", database="SHOP", schema="S"), id="us")
    found = Identities.of([SNOW, other])
    assert found.resolve(DatasetId("snowflake://", "SHOP.S.ORDERS")) == DatasetId(
        "snowflake://", "SHOP.S.ORDERS"
    )
    (told,) = found.unmatched([DatasetId("snowflake://", "SHOP.S.ORDERS")])
    assert told.suggestions == ("snowflake://acme-eu/SHOP.S.orders", "snowflake://acme-us/SHOP.S.orders")


def test_what_no_contract_describes_is_shown_with_suggestions_first() -> None:
    found = NAMED.unmatched(
        [
            DatasetId("s3://lake", "zzzzzz"),
            DatasetId("postgres://elsewhere:5432", "shop.s.bookings"),
            DatasetId("s3://lake", "tripz"),
            TRIPS,
        ]
    )
    assert [(u.dataset.name, u.suggestions) for u in found] == [
        ("shop.s.bookings", ("postgres://db:5432/shop.s.bookings",)),
        ("tripz", ("trips",)),
        ("zzzzzz", ()),
    ]


def test_links_join_in_any_order() -> None:
    a, b, c = (DatasetId("s3://x", name) for name in "abc")
    one = Identities.of([], {a: (b,), b: (c,)})
    other = Identities.of([], {b: (c,), a: (b,)})
    assert {one.resolve(d) for d in (a, b, c)} == {a} == {other.resolve(d) for d in (a, b, c)}


def test_a_column_has_one_name_in_lineage() -> None:
    street = Column(name="street", path="address.street", physical_name="str_t")
    columns = (
        Column(name="id", path="id", physical_name="ID_T"),
        Column(name="when", path="when", physical_name="ts"),
        Column(name="address", path="address", physical_name="adr", columns=(street,)),
        Column(name="a", path="a", physical_name="b"),
        Column(name="b", path="b", physical_name="a"),
        Column(name="X", path="X"),
        Column(name="x", path="x"),
    )
    made = contract("orders", server("s3", location="s3://lake/orders"), columns=columns)
    names = Identities.of([made])
    wanted = {
        "ID_T": "ID_T",
        "id_t": "ID_T",
        "ID": "ID_T",
        "ts": "ts",
        "when": "ts",
        "adr": "adr",
        "address": "adr",
        "adr.str_t": "adr.street",
        "ADR.STR_T": "adr.street",
        "address.street": "adr.street",
        "adr.other": "adr.other",
        "a": "a",
        "b": "b",
        "x": "x",
        "X": "X",
        "new": "new",
        "new.inner": "new.inner",
    }
    dataset = DatasetId("s3://lake", "orders")
    assert {stored: names.column(dataset, stored) for stored in wanted} == wanted
    assert names.column(DatasetId("s3://lake", "other"), "ID_T") == "ID_T"
