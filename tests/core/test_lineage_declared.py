"""Data products, subscriptions and relationships: how they are read, and the edges they make."""

from __future__ import annotations

from typing import Any

import pytest

from contracts_svc.errors import UserMistake
from contracts_svc.flows.lineage import Lineage, gather
from contracts_svc.lineage.declared import DataProduct, Subscription, read_declarations
from contracts_svc.lineage.graph import Channel, ConsumerKind, Edge
from contracts_svc.model import Column, Contract, Relationship, Server, Table, Team, TeamMember
from tests.schema_documents import fullest
from tests.support import shared

PRODUCT = """apiVersion: v1.0.0
kind: DataProduct
id: revenue
name: Revenue
status: active
version: 1.0.0
inputPorts:
  - {name: orders, version: 1.0.0, contractId: orders}
  - {name: rates, version: 2.1.0, contractId: rates}
outputPorts:
  - {name: totals, version: 1.0.0, contractId: totals}
support:
  - {channel: "#revenue", url: "https://chat.example.com/revenue", tool: slack}
team:
  name: finance
  members:
    - {username: bo@example.com, role: analyst}
    - {username: ada@example.com, role: Data Product Owner}
"""
SUBSCRIPTION = """kind: Subscription
consumer: revenue forecast
team: finance-science
owner: ada
channels:
  - {tool: slack, channel: "#finance-science"}
  - {tool: email, address: fs@example.com}
contract: orders
version: 1.2.0
columns: [id, address.street]
"""


def contract(name: str, *columns: Column, tables: tuple[Table, ...] = (), **more: Any) -> Contract:
    return Contract(
        api_version="v3.1.0",
        id=name,
        version="1.0.0",
        servers=(Server(server="p", type="s3", fields={"location": f"s3://lake/{name}"}),),
        tables=tables or (Table(name=name, columns=columns),),
        team=Team(name=f"{name} team", members=(TeamMember(username="x"),)),
        **more,
    )


STREET = Column(name="street", path="address.street")
ORDERS = contract(
    "orders",
    Column(name="id", path="id", physical_name="order_id"),
    Column(name="address", path="address", columns=(STREET,)),
)
RATES, TOTALS = contract("rates", Column(name="rate", path="rate")), contract("totals")
KNOWN = (ORDERS, RATES, TOTALS)


def read(text: str) -> Any:
    return read_declarations(text.encode(), "x.yaml")


def lineage(
    *texts: str, contracts: tuple[Contract, ...] = KNOWN, sql: dict[str, bytes] | None = None
) -> Lineage:
    return gather(contracts, sql=sql or {}, declarations=[d for t in texts for d in read(t)])


def line(edge: Edge) -> str:
    return f"{edge.source} -> {edge.target} {edge.kind} {edge.type}"


def lines(found: Lineage) -> list[str]:
    return [line(e) for e in found.graph.edges]


# -- reading


def test_a_data_product() -> None:
    (found,) = read(PRODUCT)
    assert isinstance(found, DataProduct)
    assert (found.id, found.title, found.team, found.owner) == (
        "revenue",
        "Revenue",
        "finance",
        "ada@example.com",
    )
    assert [(r.contract, r.version, r.at.line) for r in found.inputs] == [
        ("orders", "1.0.0", 8),
        ("rates", "2.1.0", 9),
    ]
    assert [(o.name, o.contract, o.at.line) for o in found.outputs] == [("totals", "totals", 11)]
    assert found.channels == (Channel(tool="slack", address="#revenue"),)


def test_the_product_of_these_tests_is_legal() -> None:
    import json

    import jsonschema
    import yaml

    schema = json.loads(shared("schemas/odps/odps-json-schema-v1.0.0.json").read_text(encoding="utf-8"))
    jsonschema.Draft201909Validator(schema).validate(yaml.safe_load(PRODUCT))


def test_the_keys_that_are_known_are_those_of_the_standard() -> None:
    import json

    from contracts_svc.lineage import declared

    schema = json.loads(shared("schemas/odps/odps-json-schema-v1.0.0.json").read_text(encoding="utf-8"))
    assert frozenset(schema["properties"]) == declared._PRODUCT_KEYS
    assert frozenset(schema["$defs"]["InputPort"]["properties"]) == declared._PORT_KEYS
    assert frozenset(schema["$defs"]["OutputPort"]["properties"]) == declared._OUTPUT_KEYS
    assert tuple(schema["properties"]["apiVersion"]["enum"]) == declared.ODPS_VERSIONS


def test_whatever_the_standard_allows_can_be_read() -> None:
    """The fullest product that its schema allows, for each version of it; and the smallest."""
    import json

    import jsonschema
    import yaml

    schema = json.loads(shared("schemas/odps/odps-json-schema-v1.0.0.json").read_text(encoding="utf-8"))

    def resolve(reference: str) -> Any:
        return schema["$defs"][reference.rpartition("/")[2]]

    whole = fullest(schema, resolve) | {"kind": "DataProduct"}
    for document in (whole, {key: whole[key] for key in schema["required"]}):
        for version in schema["properties"]["apiVersion"]["enum"]:
            document["apiVersion"] = version
            jsonschema.Draft201909Validator(schema).validate(document)
            (found,) = read(yaml.safe_dump(document))
            assert isinstance(found, DataProduct)
            assert len(found.inputs) == len(document.get("inputPorts", ()))


def test_a_subscription_and_a_list_of_them() -> None:
    (found,) = read(SUBSCRIPTION)
    assert isinstance(found, Subscription)
    assert (found.consumer, found.team, found.owner, found.reads.version) == (
        "revenue forecast", "finance-science", "ada", "1.2.0",
    )  # fmt: skip
    assert [(c, at.line, at.column) for c, at in found.columns] == [
        ("id", 10, 11),
        ("address.street", 10, 15),
    ]
    assert [c.address for c in found.channels] == ["#finance-science", "fs@example.com"]
    several = read(
        "subscriptions:\n  - {consumer: a, contract: orders}\n  - {consumer: b, contract: orders}\n"
    )
    assert [s.consumer for s in several] == ["a", "b"]


BAD = [
    ("", None, "is empty"),
    ("kind: DataContract\n", (1, 1), "this is a contract"),
    ("a: 1\n", (1, 1), "neither a data product nor a subscription"),
    ("- a\n", (1, 1), "mapping"),
    ("kind: Subscription\n", (1, 1), "'consumer' is missing"),
    ("consumer: x\n", (1, 1), "'contract' is missing"),
    ("consumer: x\ncontract: 5\n", (2, 11), "'contract' must be text"),
    ("consumer: x\ncontract: c\nversion: 1.0\n", (3, 10), "'version' must be text"),
    ("consumer: x\ncontract: c\ncolums: [a]\n", (3, 1), "'colums' is no key"),
    ("consumer: x\ncontract: c\ncolumns: a\n", (3, 10), "must be a list"),
    ("consumer: x\ncontract: c\ncolumns: []\n", (3, 10), "is empty"),
    ("consumer: x\ncontract: c\ncolumns: [5]\n", (3, 11), "must be text"),
    ("consumer: x\ncontract: c\nchannels: 5\n", (3, 11), "must be a list"),
    ("consumer: x\ncontract: c\nchannels: [a]\n", (3, 12), "must be a mapping"),
    ("consumer: x\ncontract: c\nchannels: [{tool: slack}]\n", (3, 12), "no channel"),
    (PRODUCT.replace("v1.0.0", "v9.0.0"), (1, 13), "must name a version of ODPS"),
    (PRODUCT.replace("apiVersion: v1.0.0\n", ""), (1, 1), "must name a version of ODPS"),
    (PRODUCT.replace("inputPorts", "inputPort"), (7, 1), "'inputPort' is no key"),
    (PRODUCT.replace("id: revenue\n", ""), (1, 1), "'id' is missing"),
    (PRODUCT.replace(", contractId: rates", ""), (9, 5), "'contractId' is missing"),
    (PRODUCT.replace("contractId: rates", "contract: rates"), (9, 35), "'contract' is no key"),
    (PRODUCT.replace("version: 2.1.0", "version: 2.1"), (9, 28), "'version' must be text"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "place", "message"), BAD, ids=range(len(BAD)))
def test_mistakes_have_their_places(text: str, place: tuple[int, int] | None, message: str) -> None:
    with pytest.raises(UserMistake) as raised:
        read(text)
    fitting = [p for p in raised.value.problems if message in p.message]
    assert fitting, raised.value
    assert [(p.at.line, p.at.column) if p.at else None for p in fitting] == [place]
    assert all(p.hint for p in raised.value.problems)


def test_every_mistake_is_told_at_once() -> None:
    with pytest.raises(UserMistake) as raised:
        read("consumer: 1\nteam: 2\ncontract: 3\ncolour: red\n")
    assert len(raised.value.problems) == 4


# -- edges


def pins(found: Lineage) -> list[str]:
    return [f"{p.contract} {p.version} {p.consumer}" for p in found.pins]


def test_a_data_product_joins_the_contracts_it_names() -> None:
    found = lineage(PRODUCT)
    assert lines(found) == ["orders -> totals INDIRECT UNKNOWN", "rates -> totals INDIRECT UNKNOWN"]
    assert {e.reason for e in found.graph.edges} == {"the data product Revenue names contracts, not columns"}
    assert {e.origin for e in found.graph.edges} == {"declared:x.yaml"}
    assert [(c.name, c.team) for c in found.consumers] == [("totals", "totals team")]
    assert pins(found) == ["orders 1.0.0 Revenue", "rates 2.1.0 Revenue"]


def test_columns_that_sql_tells_take_the_place_of_the_product_edge() -> None:
    found = lineage(PRODUCT, sql={"totals.sql": b"SELECT order_id AS n FROM orders"})
    assert lines(found) == ["orders.order_id -> totals.n DIRECT IDENTITY", "rates -> totals INDIRECT UNKNOWN"]


def test_a_port_may_say_itself_what_it_is_made_of() -> None:
    port = "contractId: totals, inputContracts: [{id: orders, version: 1.1.0}]"
    found = lineage(PRODUCT.replace("contractId: totals", port))
    assert lines(found) == ["orders -> totals INDIRECT UNKNOWN"]
    assert pins(found) == ["orders 1.0.0 Revenue", "orders 1.1.0 Revenue", "rates 2.1.0 Revenue"]


def test_a_product_of_which_no_contract_is_named_reads_itself() -> None:
    found = lineage(PRODUCT.replace(", contractId: totals", ""))
    assert lines(found) == ["orders -> revenue INDIRECT UNKNOWN", "rates -> revenue INDIRECT UNKNOWN"]
    assert [(c.name, c.kind, c.team, c.owner) for c in found.consumers] == [
        ("Revenue", ConsumerKind.DATA_PRODUCT, "finance", "ada@example.com")
    ]


def test_a_contract_that_is_not_known_is_told_and_kept() -> None:
    found = lineage(PRODUCT.replace("contractId: rates", "contractId: ratse"))
    assert lines(found) == ["ratse -> totals INDIRECT UNKNOWN", "orders -> totals INDIRECT UNKNOWN"]
    (problem,) = found.problems
    assert (problem.message, problem.hint) == (
        "no contract with the id 'ratse' is known",
        "did you mean 'rates'?",
    )
    assert [str(d) for d in found.unmatched] == ["contracts/ratse"]


def test_a_subscription_reads_the_columns_it_names() -> None:
    found = lineage(SUBSCRIPTION)
    assert lines(found) == [
        "orders.address.street -> revenue forecast.address.street DIRECT IDENTITY",
        "orders.order_id -> revenue forecast.order_id DIRECT IDENTITY",
    ]
    assert [(c.name, c.kind, c.team) for c in found.consumers] == [
        ("revenue forecast", ConsumerKind.SUBSCRIPTION, "finance-science")
    ]
    assert pins(found) == ["orders 1.2.0 revenue forecast"]
    assert found.unmatched == ()


def test_a_subscription_without_columns_may_read_any() -> None:
    found = lineage(SUBSCRIPTION.replace("columns: [id, address.street]\n", ""))
    assert lines(found) == ["orders -> revenue forecast INDIRECT UNKNOWN"]


def test_a_column_that_the_contract_does_not_have_is_told_with_its_place() -> None:
    found = lineage(SUBSCRIPTION.replace("[id,", "[ids,"))
    (problem,) = found.problems
    assert str(problem.at) == "x.yaml:10:11"
    assert problem.hint == "did you mean 'id'?"
    assert lines(found) == ["orders.address.street -> revenue forecast.address.street DIRECT IDENTITY"]


def test_a_subscription_of_a_contract_with_several_tables() -> None:
    tables = tuple(Table(name=n, columns=(Column(name="id", path="id"),)) for n in ("heads", "lines"))
    both = (contract("orders", tables=tables),)
    one = SUBSCRIPTION.replace("[id, address.street]", "[lines.id]")
    assert lines(lineage(one, contracts=both)) == ["orders/lines.id -> revenue forecast.id DIRECT IDENTITY"]
    either = SUBSCRIPTION.replace("[id, address.street]", "[id]")
    assert len(lineage(either, contracts=both).graph.edges) == 2


# -- relationships


def keyed(*target: str, level: str = "column", file: str = "") -> Contract:
    references = tuple(f"{file}{t}" for t in target)
    at_column = (Relationship(target=references),) if level == "column" else ()
    key = Column(name="customer", path="customer", relationships=at_column)
    at_table = (Relationship(source=("bills.customer",), target=references),) if level == "table" else ()
    return contract("bills", tables=(Table(name="bills", columns=(key,), relationships=at_table),))


PARENT = contract("customers", Column(name="id", path="id", physical_name="cid"))


@pytest.mark.parametrize("level", ["column", "table"])
@pytest.mark.parametrize(
    ("target", "file"),
    [("customers.id", ""), ("customers.id", "customers#"), ("/schema/customers/properties/id", "customers#")],
)
def test_a_foreign_key_reads_the_key_it_refers_to(level: str, target: str, file: str) -> None:
    child = keyed(target, level=level, file=file)
    found = gather([PARENT, child], sql={}, promised=[child])
    assert lines(found) == ["customers.cid -> bills/bills.customer INDIRECT JOIN"]
    assert [(c.name, c.team, c.contract) for c in found.consumers] == [
        ("bills (relationship)", "bills team", "bills")
    ]
    assert found.unmatched == ()
    assert found.graph.flowing == frozenset()


def test_a_promise_that_is_taken_back_reads_nothing() -> None:
    child = keyed("customers.id")
    assert gather([PARENT, child], sql={}, promised=[contract("bills")]).graph.edges == ()


def test_a_reference_to_nowhere_and_one_to_itself_make_no_edge() -> None:
    for child in (keyed("nowhere.id"), keyed("bills.customer")):
        assert gather([PARENT, child], sql={}, promised=[child]).graph.edges == ()
