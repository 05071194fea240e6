"""Schema sources of every format, read in a child process; and what anybody may have written there."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path

import pytest

from contracts_svc.adapters.schema_import import MOST_BYTES, SchemaImport
from contracts_svc.drift import SchemaSource, SourceFormat
from contracts_svc.errors import CouldNotCheck, Location, UserMistake
from contracts_svc.model import Table
from tests.fixtures_store import read_contract

AVRO = {
    "type": "record",
    "name": "orders",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "note", "type": ["null", "string"], "default": None},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {
            "name": "buyer",
            "type": {"type": "record", "name": "Buyer", "fields": [{"name": "name", "type": "string"}]},
        },
    ],
}
TEXTS = {
    SourceFormat.AVRO: json.dumps(AVRO),
    SourceFormat.PROTOBUF: 'syntax = "proto3";\nmessage orders { int64 id = 1; string note = 2; Buyer buyer = 3; }\n'
    "message Buyer { string name = 1; }\n",
    SourceFormat.JSON_SCHEMA: '{"title": "orders", "type": "object", "required": ["id"], "properties": {"id": {"type": '
    '"integer"}, "note": {"type": "string", "maxLength": 9}, "buyer": {"type": "object", "properties": {"name": '
    '{"type": "string"}}}}}',
    SourceFormat.DBT: "models:\n  - name: orders\n    columns:\n      - {name: id, data_type: bigint, constraints: "
    "[{type: not_null}]}\n      - {name: note, data_type: varchar, data_tests: [unique]}\n",
    SourceFormat.SQL: "create table orders (id bigint primary key, note varchar(9))",
}


def source(form: SourceFormat, dialect: str = "") -> SchemaSource:
    return SchemaSource(
        path=f"schemas/orders.{form}", format=form, dialect=dialect, at=Location("c.yaml", 1, 1)
    )


def derived(form: SourceFormat, text: str | bytes, dialect: str = "") -> tuple[Table, ...]:
    given = text.encode() if isinstance(text, str) else text
    return read_contract(SchemaImport()(source(form, dialect), given), "source").tables


@pytest.mark.parametrize("form", SourceFormat)
def test_every_format_gives_a_contract_that_can_be_read(form: SourceFormat) -> None:
    (table,) = [t for t in derived(form, TEXTS[form]) if t.name == "orders"]
    columns = {c.path: c for c in table.walk()}
    assert columns["id"].logical_type == "integer"
    assert columns["note"].logical_type == "string"
    if form not in (SourceFormat.DBT, SourceFormat.SQL):
        assert columns["buyer.name"].logical_type == "string"


def test_what_formats_say_beyond_types_is_there() -> None:
    (orders,) = derived(SourceFormat.DBT, TEXTS[SourceFormat.DBT])
    assert [(c.required, c.unique) for c in orders.columns] == [(True, False), (False, True)]
    (orders,) = derived(SourceFormat.SQL, TEXTS[SourceFormat.SQL])
    assert (orders.columns[0].primary_key, orders.columns[0].required) == (True, True)
    assert orders.columns[1].logical_type_options == {"maxLength": 9}
    (orders,) = derived(SourceFormat.AVRO, TEXTS[SourceFormat.AVRO])
    assert [c.required for c in orders.columns] == [True, False, True, True]
    (orders,) = derived(SourceFormat.SQL, "create table orders (v variant)", "snowflake")
    assert orders.columns[0].physical_type == "VARIANT"


@pytest.mark.parametrize("form", SourceFormat)
@pytest.mark.parametrize("text", [b"\xff\xfe\x00", b"nonsense ("], ids=repr)
def test_a_text_of_another_kind_is_a_clear_mistake_or_says_nothing(form: SourceFormat, text: bytes) -> None:
    try:
        found = SchemaImport()(source(form), text)
    except UserMistake as error:
        assert f"orders.{form}" in str(error)
        assert "Traceback" not in str(error)
    else:
        assert not json.loads(found).get("schema")


def test_a_mistake_names_the_file_of_the_repository_and_no_copy_of_it() -> None:
    with pytest.raises(UserMistake) as told:
        SchemaImport()(source(SourceFormat.AVRO), b"{")
    assert "contracts-schema-" not in str(told.value)
    assert str(told.value).count("orders.avro") == 2


def test_a_file_that_is_too_large_is_refused_unread() -> None:
    with pytest.raises(UserMistake, match="2,000,000 bytes"):
        SchemaImport()(source(SourceFormat.AVRO), b" " * (MOST_BYTES + 1))


def test_an_import_of_another_file_does_not_show_it(tmp_path: Path) -> None:
    secret = tmp_path / "secret.proto"
    secret.write_text('syntax = "proto3";\nmessage Secret { string hidden_name = 1; }\n')
    text = f'syntax = "proto3";\nimport "{secret}";\nmessage orders {{ Secret s = 1; }}\n'
    with pytest.raises(UserMistake) as told:
        SchemaImport()(source(SourceFormat.PROTOBUF), text.encode())
    assert "hidden_name" not in str(told.value)


def test_a_reference_to_another_document_is_not_fetched() -> None:
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)

        def listen() -> None:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            asked.append(connection.recv(100))
            connection.close()

        listening = threading.Thread(target=listen, daemon=True)
        listening.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/x.json"
        text = json.dumps({"title": "orders", "properties": {"a": {"$ref": url}, "b": {"type": "string"}}})
        derived(SourceFormat.JSON_SCHEMA, text)
    assert asked == []


def test_what_the_environment_hides_is_not_in_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTRACTS_SLACK_TOKEN", "xoxb-secret")
    # datacontract-cli puts variables into a SQL text that asks for them, if it does at all.
    for text in (
        "create table orders (a int) -- ${CONTRACTS_SLACK_TOKEN}",
        "create table ${CONTRACTS_SLACK_TOKEN} (a int)",
    ):
        try:
            found = SchemaImport()(source(SourceFormat.SQL), text.encode())
        except UserMistake as error:
            found = str(error).encode()
        assert b"xoxb-secret" not in found


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            '{"properties": ' + '{"a": {"properties": ' * 5_000 + "{}" + "}}" * 5_000 + "}", id="deep"
        ),
        pytest.param(
            json.dumps(
                {
                    "title": "orders",
                    "$defs": {
                        f"d{i}": {"properties": {k: {"$ref": f"#/$defs/d{i + 1}"} for k in "abcdefghij"}}
                        for i in range(12)
                    },
                    "properties": {"a": {"$ref": "#/$defs/d0"}},
                }
            ),
            id="a billion columns",
        ),
    ],
)
def test_a_bomb_is_ended_and_said_to_be_one(text: str) -> None:
    with pytest.raises((CouldNotCheck, UserMistake)) as told:
        SchemaImport(seconds=8, megabytes=600)(source(SourceFormat.JSON_SCHEMA), text.encode())
    assert "orders.jsonschema" in str(told.value)
