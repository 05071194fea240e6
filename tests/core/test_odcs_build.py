"""What a contract becomes: every field at its place in the model, and nothing of the document lost."""

from __future__ import annotations

import dataclasses
import json

import pytest
import yaml

from contracts_svc.errors import Location, UserMistake
from contracts_svc.model import Column, Element, Json, QualityRule, Server, Team
from tests.core.odcs_texts import EVERYTHING, FILE, HEADER, SCHEMA_OF, read
from tests.support import case_rows, shared

CONTRACT = read(EVERYTHING)
ORDERS = CONTRACT.tables[0]

# -- the way back ---------------------------------------------------------------------------------

_ODCS_NAMES = {
    "tables": "schema",
    "columns": "properties",
    "custom": "customProperties",
    "sla": "slaProperties",
    "critical": "criticalDataElement",
    "granularity": "dataGranularityDescription",
    "source": "from",
    "target": "to",
}


def odcs_name(attribute: str) -> str:
    head, *rest = attribute.split("_")
    return _ODCS_NAMES.get(attribute) or head + "".join(word.title() for word in rest)


def document_of(value: Json) -> Json:
    """The document that a model value was built from, by the keys that were written."""
    if isinstance(value, tuple):
        return [document_of(item) for item in value]
    if isinstance(value, Team) and not value.places:
        return document_of(value.members)  # the older form: just a list
    if not isinstance(value, Element):
        return value
    found = dict(value.extra)
    for field in dataclasses.fields(value):
        name = odcs_name(field.name)
        if name in value.places and name not in found and field.name not in ("extra", "at", "places"):
            found[name] = document_of(getattr(value, field.name))
    return found | _special(value)


def _special(value: Element) -> dict[str, Json]:
    """Fields that are not one attribute of the same shape."""
    match value:
        case Server():
            return dict(value.fields)
        case QualityRule():
            metric = {"rule": value.metric} if "metric" not in value.places and value.metric else {}
            return dict(value.operators) | metric
        case Column() if value.map_key or value.map_value:
            return {"map": {"key": document_of(value.map_key), "value": document_of(value.map_value)}}
        case Column() if value.enum and "enum" not in value.extra:
            return {"enum": [{"value": entry} for entry in value.enum]}
        case _:
            return {}


def with_lists(document: Json, key: str = "") -> Json:
    """The document with both ends of every relationship as lists: the model does not keep which it was."""
    if isinstance(document, list):
        return [with_lists(item, key) for item in document]
    if not isinstance(document, dict):
        return document
    found = {name: with_lists(value, name) for name, value in document.items()}
    if key == "relationships":
        found |= {n: [found[n]] for n in ("from", "to") if isinstance(found.get(n), str)}
    return found


def plain(text: bytes) -> Json:
    """The document as another YAML reader sees it; text that only YAML 1.1 takes for dates stays text."""

    class Loader(yaml.SafeLoader):
        pass

    Loader.yaml_implicit_resolvers = {
        first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    return yaml.load(text, Loader)


def test_nothing_of_a_full_contract_is_lost() -> None:
    assert document_of(CONTRACT) == with_lists(plain(EVERYTHING))


def keys_of(value: Json) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*(keys_of(inner) for inner in value.values()))
    return set().union(*(keys_of(inner) for inner in value)) if isinstance(value, list) else set()


def test_the_full_contract_is_full() -> None:
    """So that a field that a new version of the standard brings is not forgotten above."""
    schema = SCHEMA_OF("3.2.0")
    definitions = {name: d for name, d in schema["$defs"].items() if name != "ServerSource"}
    known: set[str] = set(schema["properties"])

    def collect(part: Json) -> None:
        if isinstance(part, dict):
            known.update(part.get("properties", {}))
            part = list(part.values())
        if isinstance(part, list):
            for inner in part:
                collect(inner)

    collect(definitions)
    assert known - keys_of(plain(EVERYTHING)) == set()


def test_nothing_of_any_valid_contract_is_lost() -> None:
    """Over every contract of the case files that can be read."""
    seen = 0
    for row in case_rows("odcs_examples"):
        text = shared(f"cases/{row['file']}").read_bytes() if "file" in row else None
        document = plain(text) if text is not None else row["document"]
        try:
            contract = read(text if text is not None else json.dumps(document, ensure_ascii=False))
        except UserMistake:
            continue
        assert document_of(contract) == with_lists(document), row["id"]
        seen += 1
    assert seen > 90


# -- the model ------------------------------------------------------------------------------------


def test_the_contract_itself() -> None:
    assert (CONTRACT.api_version, CONTRACT.id, CONTRACT.version, CONTRACT.status) == (
        "v3.2.0",
        "53581432-6c55-4ba2-a65f-72344a91553a",
        "2.1.0",
        "active",
    )
    assert (CONTRACT.name, CONTRACT.tenant, CONTRACT.domain, CONTRACT.data_product) == (
        "orders",
        "shop",
        "sales",
        "order-to-cash",
    )
    assert CONTRACT.tags == ("sales", "pii")
    assert CONTRACT.description["usage"] == "For reports."
    assert set(CONTRACT.extra) == {
        "kind",
        "contractCreatedTs",
        "slaDefaultElement",
        "context",
        "authoritativeDefinitions",
        "price",
    }
    assert [c.value for c in CONTRACT.custom] == ["gcsc.ruleset.name"]
    assert CONTRACT.roles[0]["role"] == "orders_reader"


def test_columns_have_paths() -> None:
    assert [c.path for c in ORDERS.walk()][-14:] == [
        "lines",
        "lines[]",
        "lines[].sku",
        "lines[].tags",
        "lines[].tags[]",
        "address",
        "address.street",
        "address.geo",
        "address.geo.lat",
        "labels",
        "labels{key}",
        "labels{value}",
        "labels{value}.text",
        "embedding",
    ]
    sku = ORDERS.column("lines[].sku")
    assert sku
    assert (sku.name, sku.required) == ("sku", True)


def test_a_column_with_everything() -> None:
    column = ORDERS.columns[0]
    assert (column.name, column.physical_name, column.stored_name, column.id) == (
        "id",
        "order_id",
        "order_id",
        "id_col",
    )
    assert (column.logical_type, column.physical_type) == ("integer", "BIGINT")
    assert column.logical_type_options["maximum"] == 9_000_000_000
    assert (column.required, column.unique, column.primary_key, column.primary_key_position) == (
        True,
        True,
        True,
        1,
    )
    assert (column.critical, column.deprecated, column.partitioned) == (True, True, False)
    assert (column.partition_key_position, column.classification) == (-1, "public")
    assert set(column.extra) == {
        "encryptedName",
        "transformSourceObjects",
        "transformLogic",
        "transformDescription",
        "examples",
        "semanticType",
        "synonyms",
        "authoritativeDefinitions",
    }


def test_what_is_not_written_has_the_standards_defaults() -> None:
    column = read(HEADER + "schema: [{name: t, properties: [{name: c}]}]\n").tables[0].columns[0]
    assert column == Column(name="c", path="c")
    assert (column.required, column.primary_key_position, column.partition_key_position) == (False, -1, -1)


def test_enums() -> None:
    status, priority = ORDERS.columns[3], ORDERS.columns[4]
    assert status.enum == ("open", "paid")
    assert status.extra["enum"][0]["label"] == "Open"  # what the entries say besides is kept
    assert priority.enum == (1, 2)
    assert priority.extra == {}


def test_quality_rules() -> None:
    first = ORDERS.quality[0]
    assert (first.id, first.metric, first.operators) == (
        "q1",
        "rowCount",
        {"mustBeBetween": [100, 1_000_000]},
    )
    assert (
        first.unit,
        first.severity,
        first.dimension,
        first.business_impact,
        first.schedule,
        first.scheduler,
    ) == (
        "rows",
        "error",
        "coverage",
        "operational",
        "0 20 * * *",
        "cron",
    )
    assert ORDERS.quality[1].arguments == {"properties": ["id"]}
    assert (ORDERS.quality[1].metric, ORDERS.quality[1].extra) == (
        "duplicateValues",
        {"rule": "duplicateCount"},
    )
    assert [(q.type, *q.operators) for q in ORDERS.quality[2:8]] == [
        ("sql", "mustNotBe"),
        ("sql", "mustBeGreaterThan"),
        ("sql", "mustBeGreaterOrEqualTo"),
        ("sql", "mustBeLessThan"),
        ("sql", "mustBeLessOrEqualTo"),
        ("sql", "mustNotBeBetween"),
    ]
    assert [(q.engine, q.implementation) for q in ORDERS.quality[8:10]] == [
        ("soda", "row_count > 0"),
        ("greatExpectations", {"type": "expect_x", "kwargs": {"min": 1}}),
    ]


@pytest.mark.parametrize(
    ("rule", "metric"),
    [
        ("{rule: rowCount, mustBe: 1}", "rowCount"),
        ("{type: library, rule: nullCheck}", "nullCheck"),
        ("{type: sql, query: SELECT 1, rule: mine}", None),
    ],
)
def test_what_3_0_calls_rule_is_the_metric_of_library_rules(rule: str, metric: str | None) -> None:
    text = HEADER.replace("v3.1.0", "v3.0.2") + f"schema: [{{name: t, quality: [{rule}]}}]\n"
    assert read(text).tables[0].quality[0].metric == metric


def test_several_operators_of_3_0_all_hold() -> None:
    text = HEADER.replace("v3.1.0", "v3.0.2") + (
        "schema: [{name: t, quality: [{rule: rowCount, mustBeGreaterThan: 1, mustBeLessThan: 9}]}]\n"
    )
    assert read(text).tables[0].quality[0].operators == {"mustBeGreaterThan": 1, "mustBeLessThan": 9}


def test_relationships() -> None:
    composite, single = ORDERS.relationships
    assert composite.source == ("orders.customer", "orders.country")
    assert composite.target == ("customers.id", "customers.country")
    assert (single.source, single.target) == (("orders.customer",), ("schema/customers_tbl/properties/id",))
    at_column = ORDERS.columns[1].relationships[0]
    assert (at_column.source, at_column.target, at_column.type) == ((), ("customers.id",), "foreignKey")


def test_servers() -> None:
    lake, warehouse = CONTRACT.servers
    assert (lake.server, lake.type, lake.environment, lake.id) == ("production", "s3", "prod", "prod")
    assert lake.fields["location"] == "s3://shop-lake/orders/*.parquet"
    assert set(lake.extra) == {"roles"}
    assert warehouse.fields == {"host": "db.example", "port": 5432, "database": "shop", "schema": "public"}


def test_both_forms_of_a_team() -> None:
    assert CONTRACT.team
    assert (CONTRACT.team.name, CONTRACT.team.owner, CONTRACT.team.custom_value("squad")) == (
        "order-team",
        "ann@shop.example",
        "checkout",
    )
    older = read(
        HEADER + "team:\n  - {username: bob, role: member}\n  - {username: ann, role: Data Owner}\n"
    ).team
    assert older
    assert [m.username for m in older.members] == ["bob", "ann"]
    assert (older.name, older.owner) == (None, "ann")
    assert older.at == Location(FILE, 7, 3)


def test_support_and_sla() -> None:
    channel = CONTRACT.support[0]
    assert (channel.channel, channel.tool, channel.scope, channel.url) == (
        "#orders",
        "slack",
        "issues",
        "https://shop.example/slack",
    )
    latency, retention = CONTRACT.sla
    assert (
        latency.property,
        latency.value,
        latency.value_ext,
        latency.unit,
        latency.element,
        latency.driver,
    ) == (
        "latency",
        4,
        6,
        "d",
        "orders.placed_at",
        "regulatory",
    )
    assert (retention.value, retention.unit) == ("3", "y")


def lines() -> list[str]:
    return EVERYTHING.decode().splitlines()


def test_every_key_is_at_its_place() -> None:
    def elements(value: Json) -> list[Element]:
        if isinstance(value, tuple):
            return [found for item in value for found in elements(item)]
        if not isinstance(value, Element):
            return []
        inner = [getattr(value, f.name) for f in dataclasses.fields(value)]
        return [value, *(found for item in inner for found in elements(item))]

    seen = elements(CONTRACT)
    assert len(seen) > 50
    for element in seen:
        assert element.places
        for key, at in element.places.items():
            written = lines()[at.line - 1][at.column - 1 :]
            begins = (
                (*CONTRACT.roles[int(key[6:])], "{") if key.startswith("roles.") else key.rpartition(".")[2]
            )
            assert written.startswith(begins), (key, at)
        assert (
            element.at == min(element.places.values())
            or lines()[element.at.line - 1][element.at.column - 1] == "{"
        )


def test_layout_does_not_matter() -> None:
    other = read(json.dumps(plain(EVERYTHING), ensure_ascii=False, indent=1), "other.json")
    assert other == CONTRACT
    assert other.tables[0].at != ORDERS.at


@pytest.mark.parametrize(
    ("written", "attribute", "default"),
    [
        ("quality: [{type: text, query: [1]}]", "query", None),
        ("quality: [{type: text, engine: 3}]", "engine", None),
        ("quality: [{type: text, arguments: x}]", "arguments", {}),
        ("customProperties: [{property: p, value: 1, id: 7}]", "id", None),
    ],
)
def test_values_of_another_type_that_3_0_lets_pass_are_kept_as_written(
    written: str, attribute: str, default: Json
) -> None:
    text = HEADER.replace("v3.1.0", "v3.0.2") + f"schema: [{{name: t, {written}}}]\n"
    table = read(text).tables[0]
    element = (table.quality or table.custom)[0]
    assert getattr(element, attribute) == default
    assert attribute in element.extra
