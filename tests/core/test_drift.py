"""A contract that is made of a schema source, and what it would have to say when the source changes."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import yaml

from contracts_svc import odcs
from contracts_svc.drift import DRIFT_RULES, SourceFormat, drift, source_of, table_in
from contracts_svc.drift_edits import Edits
from contracts_svc.errors import UserMistake
from contracts_svc.findings import Finding, Suggestion
from contracts_svc.model import Contract, Table
from tests.core.odcs_texts import SCHEMA_OF

CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: orders
version: 1.0.0
status: active
schema:
  - name: orders  # all of them
    physicalName: lake.orders_v1
    customProperties:
      - property: schemaSource
        value: schemas/orders.sql
    properties:
      - name: id   # the key
        logicalType: integer
        physicalType: BIGINT   # as stored
        required: true
        primaryKey: true

      # What somebody wrote.
      - name: note
        logicalType: string
        logicalTypeOptions:
          maxLength: 10
        description: |
          Free text.
          Two lines.
      - name: buyer
        logicalType: object
        properties:
          - name: name
            logicalType: string
      - {name: flow, logicalType: string}
      - name: price
        logicalType: number
servers: []
"""
DERIVED = """\
apiVersion: v3.1.0
kind: DataContract
id: derived
version: 1.0.0
status: active
schema:
  - name: orders
    properties:
      - {name: id, logicalType: integer, physicalType: BIGINT, required: true, primaryKey: true}
      - {name: note, logicalType: string, physicalType: VARCHAR(10), logicalTypeOptions: {maxLength: 10}}
      - {name: buyer, logicalType: object, properties: [{name: name, logicalType: string}]}
      - {name: flow, logicalType: string}
      - {name: price, logicalType: number, physicalType: DOUBLE}
      - {name: only_there, logicalType: string}
"""


def read(text: str, file: str = "contracts/orders.odcs.yaml") -> Contract:
    return odcs.read(text.encode(), file, SCHEMA_OF)


def applied(text: str, suggestion: Suggestion) -> str:
    lines = text.split("\n")
    instead = suggestion.text.split("\n") if suggestion.text else []
    return "\n".join(lines[: suggestion.first - 1] + instead + lines[suggestion.last :])


def found(after: str, before: str = DERIVED, contract: str = CONTRACT) -> tuple[Finding, ...]:
    ours = read(contract)
    table = ours.tables[0]
    source = source_of(ours, table)
    assert source is not None
    tables: list[Table | None] = [table_in(read(t, "source").tables, table, source) for t in (before, after)]
    assert tables[1] is not None
    return drift(ours, table, tables[0], tables[1], source, contract)


CHANGES = [
    # what changes in the source, the rule, where the contract is wrong, and what it would say there
    ("physicalType: BIGINT", "physicalType: INTEGER", "schema-source-type-changed", 15, "        physicalType: INTEGER   # as stored"),
    ("id, logicalType: integer", "id, logicalType: string", "schema-source-type-changed", 14, "        logicalType: string"),
    ("required: true, ", "required: false, ", "schema-source-loosened", 16, "        required: false"),
    ("maxLength: 10", "maxLength: 99", "schema-source-loosened", 23, "          maxLength: 99"),
    ("{name: price, logicalType: number", "{name: price, logicalType: integer", "schema-source-type-changed", 34, "        logicalType: integer"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "rule", "line", "says"), CHANGES)
def test_a_changed_field_is_told_at_its_line_with_the_line_to_have_there(
    old: str, new: str, rule: str, line: int, says: str
) -> None:
    assert DERIVED.count(old) == 1
    (finding,) = found(DERIVED.replace(old, new))
    assert (finding.rule, finding.at.line) == (rule, line)
    assert finding.suggestion is not None
    assert finding.suggestion.text == says
    changed = applied(CONTRACT, finding.suggestion)
    assert found(DERIVED.replace(old, new), contract=changed) == ()
    assert changed.count("#") == CONTRACT.count("#"), "comments stay"


def test_a_type_that_changes_in_both_its_words_is_told_once_with_one_edit() -> None:
    after = DERIVED.replace("integer, physicalType: BIGINT", "string, physicalType: VARCHAR")
    (finding,) = found(after)
    assert finding.message == (
        "schemas/orders.sql changes the type of id from integer (BIGINT) to string (VARCHAR), and the contract "
        "says integer (BIGINT)"
    )
    assert finding.suggestion is not None
    assert (finding.suggestion.first, finding.suggestion.last) == (14, 15)
    assert found(after, contract=applied(CONTRACT, finding.suggestion)) == ()


OVERLAPPING = [
    # What changes, and the columns that the contract then has.
    pytest.param(
        [("      - {name: buyer", "      - {name: a, logicalType: string}\n      - {name: b, logicalType: date}\n      - {name: buyer")],
        ["id", "note", "a", "b", "buyer", "flow", "price"], id="two columns behind one",
    ),
    pytest.param(
        [("required: true, primaryKey: true", "required: true"), ("      - {name: note", "      - {name: a, logicalType: string}\n      - {name: note")],
        ["id", "a", "note", "buyer", "flow", "price"], id="a column behind the last line of one that changes",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "columns"), OVERLAPPING)
def test_edits_of_the_same_lines_are_one(changes: list[tuple[str, str]], columns: list[str]) -> None:
    after = DERIVED
    for old, new in changes:
        assert after.count(old) == 1
        after = after.replace(old, new)
    findings = found(after)
    assert len(findings) == 2
    (suggestion,) = [f.suggestion for f in findings if f.suggestion]
    changed = applied(CONTRACT, suggestion)
    assert [c.name for c in read(changed).tables[0].columns] == columns
    assert found(after, contract=changed) == ()


def test_a_column_that_goes_and_one_that_comes_behind_it_are_one_edit() -> None:
    new = "      - {name: tax, logicalType: date}\n"
    after = DERIVED.replace(*_without("note")).replace("      - {name: buyer", f"{new}      - {{name: buyer")
    before = read(CONTRACT).tables[0].column("note")
    assert before is not None
    edits = Edits(CONTRACT, "c.yaml")
    (column,) = [c for c in read(DERIVED + new).tables[0].columns if c.name == "tax"]
    gone, come = edits.removed(before.at), edits.after(before.at, column)
    both, none = edits.without_overlaps([gone, come])
    assert none is None
    assert both is not None
    names = [c.name for c in read(applied(CONTRACT, both)).tables[0].columns]
    assert names == ["id", "tax", "buyer", "flow", "price"]
    assert len(found(after)) == 2


def test_a_column_that_the_source_loses_is_taken_out_whole() -> None:
    (finding,) = found(DERIVED.replace(*_without("note")))
    assert finding.rule == "schema-source-column-removed"
    assert finding.suggestion == Suggestion(file="contracts/orders.odcs.yaml", first=20, last=26, text="")
    changed = applied(CONTRACT, finding.suggestion)
    assert read(changed).tables[0].column("note") is None
    assert read(changed).tables[0].column("buyer.name") is not None
    assert "What somebody wrote" in changed


def test_a_column_that_the_source_gets_goes_behind_the_one_that_it_follows() -> None:
    new = "{name: tax, logicalType: number, physicalType: DOUBLE, required: true, logicalTypeOptions: {minimum: 0}}"
    after = DERIVED.replace("      - {name: buyer", f"      - {new}\n      - {{name: buyer")
    (finding,) = found(after)
    assert finding.rule == "schema-source-column-added"
    assert finding.suggestion is not None
    assert (finding.suggestion.first, finding.suggestion.last) == (26, 26)
    changed = read(applied(CONTRACT, finding.suggestion))
    assert [c.name for c in changed.tables[0].columns] == ["id", "note", "tax", "buyer", "flow", "price"]
    tax = changed.tables[0].column("tax")
    assert tax is not None
    assert (tax.logical_type, tax.physical_type, tax.required, tax.logical_type_options) == (
        "number",
        "DOUBLE",
        True,
        {"minimum": 0},
    )
    note = changed.tables[0].column("note")
    assert note is not None
    assert note.description == "Free text.\nTwo lines.\n"


def test_types_of_the_source_are_not_suggested_to_a_contract_that_names_none_of_them() -> None:
    contract = CONTRACT.replace("physicalType: BIGINT", "physicalType: INT64")
    after = DERIVED + "      - {name: tax, logicalType: number, physicalType: DOUBLE}\n"
    (finding,) = found(after, contract=contract)
    assert finding.suggestion is not None
    assert "physicalType" not in finding.suggestion.text


def test_a_nested_column_goes_where_its_siblings_are() -> None:
    after = DERIVED.replace(
        "[{name: name, logicalType: string}]",
        "[{name: name, logicalType: string}, {name: age, logicalType: integer}]",
    )
    (finding,) = found(after)
    assert finding.suggestion is not None
    assert read(applied(CONTRACT, finding.suggestion)).tables[0].column("buyer.age") is not None


def test_what_is_written_in_flow_style_is_told_without_an_edit() -> None:
    (finding,) = found(DERIVED.replace(*_without("flow")))
    assert finding.rule == "schema-source-column-removed"
    assert finding.at.line == 32
    assert finding.suggestion is None


UNTOLD = [
    pytest.param(DERIVED, id="nothing changes"),
    pytest.param(DERIVED.replace(", only_there", ""), id="not in the contract"),
    pytest.param(DERIVED.replace("VARCHAR(10)", "TEXT"), id="a type that the contract does not name"),
    pytest.param(
        DERIVED.replace("{name: flow,", "{name: flow, required: true,"), id="the source promises more"
    ),
    pytest.param(DERIVED.replace("name: price", "description: new, name: price"), id="words"),
]


@pytest.mark.parametrize("after", UNTOLD)
def test_what_takes_nothing_from_the_contract_is_not_told(after: str) -> None:
    assert found(after) == ()


def test_what_was_different_before_stays_as_it_was_agreed() -> None:
    contract = CONTRACT.replace("      - name: price\n        logicalType: number\n", "")
    assert found(DERIVED, contract=contract) == ()


SOURCES: list[tuple[object, str, SourceFormat]] = [
    ("schemas/o.avsc", "schemas/o.avsc", SourceFormat.AVRO),
    ("/schemas/o.proto", "schemas/o.proto", SourceFormat.PROTOBUF),
    ("./o.json", "contracts/o.json", SourceFormat.JSON_SCHEMA),
    ("../dbt/models/o.yml", "dbt/models/o.yml", SourceFormat.DBT),
    (
        {"path": "ddl/o.txt", "format": "sql", "dialect": "snowflake", "name": "o"},
        "ddl/o.txt",
        SourceFormat.SQL,
    ),
]


def _naming(value: object) -> Contract:
    return read(
        CONTRACT.replace(
            "value: schemas/orders.sql",
            f"value: {yaml.safe_dump(value, default_flow_style=True).strip().removesuffix('...')}",
        )
    )


@pytest.mark.parametrize(("value", "path", "form"), SOURCES)
def test_a_source_is_a_path_from_the_root_or_from_the_contract(
    value: object, path: str, form: SourceFormat
) -> None:
    contract = _naming(value)
    source = source_of(contract, contract.tables[0])
    assert source is not None
    assert (source.path, source.format) == (path, form)


WRONG: list[tuple[object, str]] = [
    ("../../etc/passwd.sql", "no file of the repository"),
    ("..\\x.sql", "no file of the repository"),
    ("o.txt", "format of schemaSource 'o.txt' is not known"),
    ({"path": "o.sql", "format": "xml"}, "no format 'xml'"),
    ({"path": "o.sql", "formt": "sql"}, "no key 'formt'"),
    ({"format": "sql"}, "no path"),
    (7, "no path"),
]


@pytest.mark.parametrize(("value", "says"), WRONG)
def test_a_source_that_can_be_none_is_a_mistake_at_its_place(value: object, says: str) -> None:
    contract = _naming(value)
    with pytest.raises(UserMistake, match=says) as told:
        source_of(contract, contract.tables[0])
    (problem,) = told.value.problems
    assert problem.at is not None
    assert problem.at.line == 11
    assert problem.hint


def test_a_table_is_found_by_the_name_that_is_given_its_own_names_or_as_the_only_one() -> None:
    def names(*tables: str) -> tuple[Table, ...]:
        return tuple(Table(name=t) for t in tables)

    def picked(value: object, *tables: str) -> str | None:
        contract = _naming(value)
        table = contract.tables[0]
        source = source_of(contract, table)
        assert source is not None
        found = table_in(names(*tables), table, source)
        return found.name if found else None

    assert picked("o.sql", "a", "orders") == "orders"
    assert picked("o.sql", "a", "x.ORDERS_V1") == "x.ORDERS_V1"
    assert picked("o.sql", "a") == "a"
    assert picked("o.sql", "a", "b") is None
    assert picked({"path": "o.sql", "name": "b"}, "orders", "b") == "b"
    assert picked({"path": "o.sql", "name": "c"}, "a") is None


def test_rules_have_ids_of_their_own() -> None:
    by_id: Mapping[str, str] = {r.id: r.purpose for r in DRIFT_RULES}
    assert len(by_id) == len(DRIFT_RULES)


def _without(name: str) -> tuple[str, str]:
    line = next(x for x in DERIVED.splitlines() if f"name: {name}," in x)
    return f"{line}\n", ""
