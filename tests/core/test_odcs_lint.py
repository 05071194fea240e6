"""Lint rules: each finds what it is for, at its place, and is silent about what is right."""

from __future__ import annotations

import pytest

from contracts_svc import odcs
from contracts_svc.errors import UserMistake
from contracts_svc.findings import Severity
from contracts_svc.odcs import LINT_RULES, is_local, lint, resolve
from tests.core.odcs_texts import EVERYTHING, FILE, HEADER, read
from tests.support import case_rows, shared

OWNED = HEADER + "team: {name: a}\nsupport: [{channel: c}]\n"
"""Seven lines that no rule minds: what is written after it begins at line 8."""
OLD = OWNED.replace("v3.1.0", "v3.0.2").replace("{name: a}", "[{username: a}]").replace("c}", "c, url: u}")
TABLE = OWNED + "schema:\n  - name: t\n"
"""Nine lines."""


def columns(*written: str) -> str:
    return TABLE + "    properties:\n" + "".join(f"      - {line}\n" for line in written)


# Rule -> texts and what is found in them, as (place, message); nothing else may be found.
BAD: dict[str, list[tuple[str, list[tuple[str, str]]]]] = {
    "lint-duplicate-table": [
        (
            TABLE + "  - physicalName: x\n    name: t\n",
            [("11:5", "a table 't' is already defined at line 9")],
        ),
    ],
    "lint-duplicate-column": [
        (
            columns("name: a", "name: b", "name: a"),
            [("13:9", "a column 'a' is already defined at line 11")],
        ),
        (
            columns("{name: a, logicalType: object, properties: [{name: x}, {name: x}]}"),
            [("11:65", "a column 'x' is already defined at line 11")],
        ),
        (
            columns("{name: a, logicalType: array, items: {properties: [{name: x}, {name: x}]}}"),
            [("11:72", "a column 'x' is already defined at line 11")],
        ),
    ],
    "lint-duplicate-id": [
        (TABLE + "    id: i\n  - {name: u, id: i}\n", [("11:15", "the id 'i' is already used at line 10")]),
        (
            columns("{name: a, id: i}", "{name: b, id: i}"),
            [("12:19", "the id 'i' is already used at line 11")],
        ),
        (
            TABLE + "    quality:\n      - {id: q, type: text}\n      - {id: q, type: text}\n",
            [("12:10", "the id 'q' is already used at line 11")],
        ),
    ],
    "lint-duplicate-server": [
        (
            OWNED + "servers:\n  - {server: s, type: local, path: p, format: f}\n"
            "  - {server: s, type: custom}\n",
            [("10:6", "a server 's' is already defined at line 9")],
        ),
    ],
    "lint-primary-key": [
        (
            columns("{name: a, primaryKey: true}", "{name: b, primaryKey: true}"),
            [("11:19", "the primary key of 't' has 2 columns, but no position for 'a', 'b'")],
        ),
        (
            columns("{name: a, primaryKey: true, primaryKeyPosition: 1}", "{name: b, primaryKey: true}"),
            [("12:19", "the primary key of 't' has 2 columns, but no position for 'b'")],
        ),
        (
            columns(
                "{name: a, primaryKey: true, primaryKeyPosition: 1}",
                "{name: b, primaryKey: true, primaryKeyPosition: 1}",
            ),
            [("12:37", "'b' has the same position in the primary key as 'a'")],
        ),
        (
            columns("{name: a, primaryKey: true}", "{name: b, primaryKeyPosition: 2}"),
            [("12:19", "'b' has a position in a primary key that it does not belong to")],
        ),
    ],
    "lint-relationship-target": [
        (
            columns("{name: a, relationships: [{to: u.x}]}"),
            [("11:36", "there is no 'u.x' in this contract")],
        ),
        (
            columns("{name: a, relationships: [{to: t.x}]}"),
            [("11:36", "there is no 't.x' in this contract")],
        ),
        (
            columns("{name: a, relationships: [{to: schema/t/properties/x}]}"),
            [("11:36", "there is no 'schema/t/properties/x' in this contract")],
        ),
        (
            TABLE + "    properties: [{name: a}]\n    relationships: [{from: t.b, to: t.a}]\n",
            [("11:22", "there is no 't.b' in this contract")],
        ),
    ],
    "lint-relationship-length": [
        (
            TABLE + "    properties: [{name: a}, {name: b}]\n"
            "    relationships: [{from: [t.a, t.b], to: [t.a]}]\n",
            [("11:40", "the relationship goes from 2 to 1 columns")],
        ),
    ],
    "lint-pattern": [
        (
            columns("{name: a, logicalType: string, logicalTypeOptions: {pattern: '[a-'}}"),
            [("11:40", "the pattern '[a-' is no regular expression")],
        ),
        (
            columns("{name: a, quality: [{metric: invalidValues, arguments: {pattern: '('}, mustBe: 0}]}"),
            [("11:53", "the pattern '(' is no regular expression")],
        ),
    ],
    "lint-range": [
        (
            columns("{name: a, logicalType: integer, logicalTypeOptions: {minimum: 5, maximum: 4}}"),
            [("11:41", "no value of 'a' can have minimum: 5 and maximum: 4")],
        ),
        (
            columns("{name: a, logicalType: number, logicalTypeOptions: {exclusiveMinimum: 5, maximum: 5}}"),
            [("11:40", "no value of 'a' can have exclusiveMinimum: 5 and maximum: 5")],
        ),
        (
            columns("{name: a, logicalType: string, logicalTypeOptions: {minLength: 5, maxLength: 4}}"),
            [("11:40", "no value of 'a' can have minLength: 5 and maxLength: 4")],
        ),
        (
            columns(
                "{name: a, logicalType: date, logicalTypeOptions: {minimum: '2024-02-01', maximum: '2024-01-31'}}"
            ),
            [("11:38", "no value of 'a' can have minimum: 2024-02-01 and maximum: 2024-01-31")],
        ),
        (
            TABLE + "    quality: [{metric: rowCount, mustBeBetween: [9, 1]}]\n",
            [("10:34", "no value fits mustBeBetween: [9, 1]")],
        ),
        (
            OLD + "schema:\n  - name: t\n"
            "    quality: [{rule: rowCount, mustBeGreaterThan: 5, mustBeLessOrEqualTo: 5}]\n",
            [("10:32", "no value fits mustBeGreaterThan: 5 and mustBeLessOrEqualTo: 5")],
        ),
    ],
    "lint-quality-operator": [
        (TABLE + "    quality: [{name: n}]\n", [("10:15", "the quality rule 'n' has no metric")]),
        (
            OLD + "schema:\n  - name: t\n    quality: [{rule: nullCheck}, {type: sql, query: SELECT 1}]\n",
            [
                ("10:15", "the quality rule 'nullCheck' compares with nothing"),
                ("10:34", "the quality rule 'sql' compares with nothing"),
            ],
        ),
    ],
    "lint-quality-level": [
        (
            TABLE + "    quality: [{metric: nullValues, mustBe: 0}]\n",
            [("10:15", "the metric nullValues is about a column, but stands at the table 't'")],
        ),
    ],
    "lint-quality-columns": [
        (
            TABLE + "    properties: [{name: a}]\n"
            "    quality: [{metric: duplicateValues, arguments: {properties: [a, z]}, mustBe: 0}]\n",
            [("11:41", "there is no column 'z' in 't'")],
        ),
    ],
    "lint-quality-arguments": [
        (
            columns("{name: a, quality: [{metric: invalidValues, mustBe: 0}]}"),
            [("11:29", "nothing says which values of 'a' are valid")],
        ),
    ],
    "lint-schedule": [
        (
            TABLE + "    quality:\n      - {type: text, schedule: every day}\n",
            [
                (
                    "11:22",
                    "the schedule cannot be run: 'every day' has 2 fields; cron has five: minute, hour, day of month, month, day of week",
                )
            ],
        ),
        (
            OWNED
            + "slaProperties:\n  - {property: frequency, value: 1, unit: d, scheduler: Cron, schedule: 0 25 * * *}\n",
            [
                (
                    "9:63",
                    "the schedule cannot be run: '0 25 * * *' is no cron expression: [0 25 * * *] is not acceptable, out of range",
                )
            ],
        ),
    ],
    "lint-owner": [
        (OWNED.replace("team: {name: a}\n", ""), [("1:1", "no team owns this contract")]),
        (OWNED.replace("{name: a}", "{description: a}"), [("6:1", "no team owns this contract")]),
        (OLD.replace("[{username: a}]", "[]"), [("6:1", "no team owns this contract")]),
    ],
    "lint-support": [
        (HEADER + "team: {name: a}\n", [("1:1", "no support channel is named")]),
        (OWNED.replace("[{channel: c}]", "[]"), [("7:1", "no support channel is named")]),
    ],
    "lint-server-location": [
        (
            OWNED + f"servers:\n  - server: s\n    type: s3\n    location: {location}\n",
            [("11:5", "the location of the server 's' is no S3 address")],
        )
        for location in ("lake/orders/*.parquet", "https://lake.example/orders", "'s3://'", "''")
    ],
    "lint-credentials": [
        (
            OWNED
            + "servers:\n  - server: s\n    type: custom\n    endpointUrl: https://me:pass/w@x.example\n",
            [("11:5", "the field 'endpointUrl' of the server 's' holds credentials")],
        ),
        (
            OWNED + "servers:\n  - server: s\n    type: custom\n    customProperties:\n"
            "      - {property: secretKey, value: abc}\n",
            [("12:31", "the field 'secretKey' of the server 's' holds credentials")],
        ),
    ],
}

# Rule -> texts that come close, and are right.
GOOD: dict[str, list[str]] = {
    "lint-duplicate-column": [
        columns("name: a", "name: A", "{name: b, logicalType: object, properties: [{name: a}, {name: b}]}"),
    ],
    "lint-duplicate-id": [TABLE + "    id: i\n    properties: [{name: a, id: i}, {name: b}, {name: c}]\n"],
    "lint-primary-key": [
        columns("{name: a, primaryKey: true}", "name: b"),
        columns("{name: a, primaryKey: true, primaryKeyPosition: 2, required: false}").replace("2,", "1,"),
        columns("{name: a, primaryKey: false, primaryKeyPosition: -1}"),
    ],
    "lint-relationship-target": [
        columns("{name: a, relationships: [{to: t.b}]}", "name: b"),
        columns("{name: a, id: x, relationships: [{to: /schema/t/properties/x}]}"),
        columns("{name: a, relationships: [{to: other.yaml#schema/u/properties/x}]}"),
        columns("{name: a, relationships: [{to: 'https://x.example/c.yaml#schema/u/properties/x'}]}"),
    ],
    "lint-pattern": [
        columns(f"{{name: a, logicalType: string, logicalTypeOptions: {{pattern: '{pattern}'}}}}")
        for pattern in (r"^\p{L}+$", "(?<year>[0-9]+)", "(?P<year>[0-9]+)", "a(?!b)", "", "(?i)x")
    ],
    "lint-range": [
        columns("{name: a, logicalType: integer, logicalTypeOptions: {minimum: 5, maximum: 5}}"),
        columns("{name: a, logicalType: date, logicalTypeOptions: {minimum: '01.02.2024', maximum: '01.01.2025'}}"),
        columns("{name: a, logicalType: string, logicalTypeOptions: {minLength: 0}}"),
        columns("{name: a, quality: [{metric: rowCount, mustNotBeBetween: [1, 9]}]}"),
    ],
    "lint-quality-operator": [TABLE + "    quality: [{type: text, description: d}, {type: custom, engine: e, "
                              "implementation: i}]\n"],
    "lint-quality-level": [TABLE + "    quality: [{metric: duplicateValues, arguments: {properties: [a]}, mustBe: 0}]\n"
                           "    properties: [{name: a}]\n"],
    "lint-quality-columns": [
        TABLE + "    properties: [{name: a, logicalType: object, properties: [{name: x}]}]\n"
        "    quality: [{metric: duplicateValues, arguments: {properties: [a.x]}, mustBe: 0}]\n",
    ],
    "lint-quality-arguments": [
        columns("{name: a, logicalType: string, logicalTypeOptions: {maxLength: 3}, "
                "quality: [{metric: invalidValues, mustBe: 0}]}"),
        columns("{name: a, quality: [{metric: invalidValues, arguments: {validValues: [1]}, mustBe: 0}]}"),
    ],
    "lint-owner": [OLD],
    "lint-schedule": [
        TABLE + f"    quality:\n      - {{type: text, {written}}}\n"
        for written in (
            "schedule: 0 20 * * *",
            "schedule: '@daily', scheduler: cron",
            "schedule: CRON_TZ=Europe/Berlin 0 20 * * 7",
            "schedule: rate(5 minutes), scheduler: eventbridge",
        )
    ],
    "lint-server-location": [
        OWNED + f"servers: [{{server: s, type: s3, location: '{location}'}}]\n"
        for location in ("s3://b/x/*.parquet", "s3a://b/x", "s3://b", "s3://b/{model}/*.json")
    ],
    "lint-credentials": [
        OWNED + f"servers: [{{server: s, type: custom, location: '{location}'}}]\n"
        for location in ("abfss://container@account.dfs.example/x", "https://x.example:9000/a@b", "s3://b/a:b@c")
    ] + [
        OWNED + "servers: [{server: s, type: custom, customProperties: [{property: token, value: '${TOKEN}'}, "
        "{property: tokenUrl, value: x}]}]\n",
    ],
}  # fmt: skip


def found(text: str) -> list[tuple[str, str, str]]:
    return [(f.rule, f"{f.at.line}:{f.at.column}", f.message) for f in lint(read(text))]


@pytest.mark.parametrize(
    ("rule", "text", "expected"),
    [
        pytest.param(rule, *case, id=f"{rule}-{i}")
        for rule, cases in BAD.items()
        for i, case in enumerate(cases)
    ],
)
def test_each_rule_finds_what_it_is_for(rule: str, text: str, expected: list[tuple[str, str]]) -> None:
    assert found(text) == [(rule, *one) for one in expected]


@pytest.mark.parametrize(
    "text", [pytest.param(t, id=f"{rule}-{i}") for rule, texts in GOOD.items() for i, t in enumerate(texts)]
)
def test_what_is_right_is_left_alone(text: str) -> None:
    assert found(text) == []


def test_every_rule_has_a_case() -> None:
    assert [rule.id for rule in LINT_RULES] == list(BAD)


@pytest.mark.parametrize("rule", LINT_RULES, ids=lambda rule: rule.id)
def test_every_row_is_complete(rule: odcs.LintRule) -> None:
    assert rule.id.startswith("lint-")
    assert rule.purpose.startswith("Checks that ")
    assert rule.why.endswith(".")


def test_findings_carry_what_a_printer_needs() -> None:
    finding = lint(read(BAD["lint-range"][0][0]))[0]
    assert (finding.severity, finding.contract, finding.at.file) == (Severity.ERROR, "x", FILE)
    assert finding.why == "No data can keep this promise."
    assert finding.fix == "exchange the two, or correct one"


def test_a_password_is_never_repeated() -> None:
    text = BAD["lint-credentials"][0][0]
    assert "pass/w" not in "".join(str(f) for f in lint(read(text)))


def test_the_full_contract_is_clean() -> None:
    assert lint(read(EVERYTHING)) == ()


def test_published_contracts_get_no_false_alarm() -> None:
    """What is found in the contracts of the case files was looked at: every row is right."""
    counts: dict[str, int] = {}
    for row in case_rows("odcs_examples"):
        if row["kind"] != "original":
            continue
        try:
            contract = read(shared(f"cases/{row['file']}").read_bytes())
        except UserMistake:
            continue
        for finding in lint(contract):
            counts[finding.rule] = counts.get(finding.rule, 0) + 1
    # Few of them name people; one refers to a table that it does not have; two have 23 composite keys
    # without positions each, and one a composite key with a position missing.
    assert counts == {
        "lint-owner": 51,
        "lint-support": 56,
        "lint-relationship-target": 1,
        "lint-primary-key": 47,
    }


CONTRACT = read(EVERYTHING)


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("orders", "orders"),
        ("orders.customer", "customer"),
        ("orders.address.geo.lat", "lat"),
        ("orders.lines.sku", "sku"),
        ("schema/orders_tbl", "orders"),
        ("schema/orders_tbl/properties/id_col", "id"),
        ("/schema/orders_tbl/properties/id", "id"),
        ("#/schema/customers/properties/id", "id"),
        ("schema/orders_tbl/properties/address/properties/geo", "geo"),
        ("orders.nope", None),
        ("nope.id", None),
        ("schema/nope/properties/id", None),
        ("schema/orders_tbl/columns/id", None),
        ("servers/prod", None),
    ],
)
def test_references_lead_to_elements(reference: str, name: str | None) -> None:
    element = resolve(reference, CONTRACT)
    assert (element.name if element else None) == name


@pytest.mark.parametrize(
    ("reference", "local"),
    [("a.b", True), ("schema/a/properties/b", True), ("#/schema/a", True), ("o.yaml#schema/a", False)],
)
def test_references_within_the_contract_are_local(reference: str, local: bool) -> None:
    assert is_local(reference) is local
