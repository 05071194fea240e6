"""A fingerprint names a change: it survives a re-push, lines that move and another order, and nothing else."""

from __future__ import annotations

import random
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts_svc.adapters.odcs_schemas import PackagedSchemas
from contracts_svc.compat.diff import diff
from contracts_svc.compat.modes import Mode
from contracts_svc.compat.rules import RULES, judge
from contracts_svc.findings import Finding
from contracts_svc.model import Contract
from contracts_svc.odcs.read import read
from contracts_svc.odcs.yaml_nodes import parse
from tests.support import DATA

SCHEMAS = PackagedSchemas()
FOLDERS = [DATA / "compat" / rule.id for rule in RULES]
NAMED = {
    "schema", "properties", "quality", "servers", "slaProperties", "support", "roles", "customProperties", "relationships",
    "members", "tags", "enum", "validValues",
}  # fmt: skip
"""Lists of what has a name, or is one of a set."""
ABOUT_ORDER = {"column-reordered", "csv-columns-reordered", "enum-rewritten", "version-not-raised"}
"""What tells of the order itself, on which readers may rely, and of the version that it asks for."""


def turned(value: Any, dice: random.Random, name: str = "") -> Any:
    """The same with keys and named entries in another order."""
    if isinstance(value, dict):
        keys = list(value)
        dice.shuffle(keys)
        return {k: turned(value[k], dice, k) for k in keys}
    if isinstance(value, list):
        entries = [turned(v, dice) for v in value]
        if name in NAMED or (name == "team"):
            dice.shuffle(entries)
        return entries
    return value


def written(document: Any, dice: random.Random) -> bytes:
    """As YAML in some style, with comments and blank lines between."""
    text = yaml.dump(
        document,
        sort_keys=False,
        allow_unicode=True,
        width=10_000,
        indent=dice.choice((2, 4)),
        default_flow_style=dice.choice((False, None)),
    )
    lines = ["# a comment"] * dice.randrange(3)
    for line in text.splitlines():
        lines += [line, *[dice.choice(("", "  # another"))] * dice.randrange(2)]
    return "\n".join(lines).encode() + b"\n"


def document(rule: int, name: str) -> Any:
    return parse((FOLDERS[rule] / f"{name}.yaml").read_bytes(), "x").value


def contract(text: bytes) -> Contract:
    return read(text, "c.yaml", SCHEMAS.schema)


def fingerprints(old: bytes, new: bytes) -> list[str]:
    one, other = contract(old), contract(new)
    found = judge(diff(one, other), one, other, Mode.FULL)
    return sorted(f.fingerprint for f in found if f.rule not in ABOUT_ORDER)


@settings(max_examples=250, deadline=None)
@given(st.integers(0, len(RULES) - 1), st.integers(0, 2**32))
def test_fingerprints_survive_another_layout_and_order(rule: int, seed: int) -> None:
    dice = random.Random(seed)
    old, new = document(rule, "old"), document(rule, "new")
    plain = [yaml.dump(d, sort_keys=False).encode() for d in (old, new)]
    mixed = [written(turned(d, dice), dice) for d in (old, new)]
    assert fingerprints(*mixed) == fingerprints(*plain)


RICH = """apiVersion: v3.1.0
kind: DataContract
id: orders
version: 1.0.0
status: active
tags: [sales, daily]
team: {name: checkout, members: [{username: ada, role: owner}, {username: bob}, {username: eve}]}
support:
  - {channel: "#one", tool: slack}
  - {channel: "#two", tool: slack}
servers:
  - {server: a, type: s3, location: "s3://a/x", format: parquet}
  - {server: b, type: s3, location: "s3://b/x", format: csv, delimiter: ","}
  - {server: c, type: postgres, host: h, port: 1, database: d, schema: s}
roles: [{role: reader, access: read}, {role: writer, access: write}]
slaProperties:
  - {property: latency, value: 4, unit: h, element: orders.a}
  - {property: latency, value: 8, unit: h, element: orders.b}
  - {property: retention, value: 3, unit: y}
customProperties: [{property: p, value: [1, 2]}, {property: q, value: {x: 1, y: 2}}]
schema:
  - name: orders
    quality:
      - {metric: rowCount, mustBeGreaterThan: 10}
      - {metric: rowCount, mustBeLessThan: 1000}
      - {type: sql, query: "select 1", mustBe: 1}
      - {type: sql, query: "select 2", mustBe: 2}
    relationships:
      - {from: orders.a, to: others.x}
      - {from: orders.b, to: others.y}
    properties:
      - {name: a, logicalType: string, physicalType: VARCHAR, primaryKey: true, primaryKeyPosition: 1, tags: [k, l]}
      - name: b
        logicalType: string
        primaryKey: true
        primaryKeyPosition: 2
        quality:
          - {metric: nullValues, mustBeLessThan: 5, unit: percent}
          - {metric: nullValues, mustBeLessThan: 7, unit: rows}
          - {metric: invalidValues, mustBe: 0, arguments: {validValues: [m, n]}}
          - {metric: invalidValues, mustBe: 0, arguments: {validValues: [r, s]}}
  - name: others
    properties: [{name: x, logicalType: string}, {name: y, logicalType: string}]
"""
EDITS = (
    ("daily]", "hourly]"), ("{username: eve}", "{username: zoe}"), ('"#two", tool: slack', '"#two", tool: teams'),
    ("s3://b/x", "s3://b/y"), ('delimiter: ","', 'delimiter: ";"'), ("port: 1", "port: 2"),
    ("access: read}", "access: write}"), ("value: 4, unit: h", "value: 2, unit: d"), ("value: 3, unit: y", "value: 1, unit: y"),
    ("value: [1, 2]", "value: [1, 3]"), ("x: 1, y: 2", "x: 1, y: 3"), ("mustBeGreaterThan: 10", "mustBeGreaterThan: 5"),
    ("query: select 2", "query: select 3"), ('"select 2"', '"select 3"'), ("to: others.y", "to: others.x"), ("tags: [k, l]", "tags: [k, m]"),
    ("mustBeLessThan: 5,", "mustBeLessThan: 9,"), ("mustBeLessThan: 7,", "mustBeLessThan: 3,"), ("[r, s]", "[r, s, t]"),
    ("[m, n]", "[n]"), ("      - {metric: rowCount, mustBeLessThan: 1000}\n", ""), ("VARCHAR,", "INT,"), ("1.0.0", "1.0.1"),
    ("    properties: [{name: x, logicalType: string}, ", "    properties: [{name: z, logicalType: string}, "),
)  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(st.sets(st.sampled_from(EDITS), min_size=1, max_size=6), st.integers(0, 2**32))
def test_fingerprints_of_many_changes_survive_it_too(edits: set[tuple[str, str]], seed: int) -> None:
    text = RICH
    for before, after in sorted(edits):
        text = text.replace(before, after)
    dice = random.Random(seed)
    mixed = [written(turned(parse(t.encode(), "x").value, dice), dice) for t in (RICH, text)]
    assert fingerprints(*mixed) == fingerprints(RICH.encode(), text.encode())


HEAD = """apiVersion: v3.1.0
kind: DataContract
id: orders
name: Orders
version: 1.0.0
status: active
"""
QUALITY = """schema:
  - name: orders
    properties:
      - name: amount
        logicalType: integer
        quality:
          - {metric: nullValues, mustBeLessThan: 5, unit: percent}
          - {metric: nullValues, mustBeLessThan: 10, unit: rows}
          - {metric: invalidValues, mustBe: 0, arguments: {validValues: [1, 2]}}
          - {metric: invalidValues, mustBe: 0, arguments: {validValues: [3, 4]}}
"""
SLA = "slaProperties:\n  - {property: latency, value: 4, unit: h, driver: operational}\n"


def found(old: str, new: str) -> dict[str, list[Finding]]:
    one, other = (
        contract(
            (HEAD + old).encode(),
        ),
        contract((HEAD + new).encode()),
    )
    by_rule: dict[str, list[Finding]] = {}
    for finding in judge(diff(one, other), one, other, Mode.FULL):
        by_rule.setdefault(finding.rule, []).append(finding)
    return by_rule


def fingerprint(old: str, new: str, rule: str) -> str:
    (finding,) = found(old, new)[rule]
    return finding.fingerprint


def test_the_order_of_quality_rules_makes_no_change() -> None:
    lines = QUALITY.splitlines(keepends=True)
    assert found(QUALITY, "".join([*lines[:6], *reversed(lines[6:])])) == {}


def test_one_of_several_rules_alike_is_told_and_named_the_same_in_any_order() -> None:
    changed = QUALITY.replace("mustBeLessThan: 10", "mustBeLessThan: 20")
    lines = changed.splitlines(keepends=True)
    moved = "".join([*lines[:6], *reversed(lines[6:])])
    rule = "quality-threshold-loosened"
    assert fingerprint(QUALITY, changed, rule) == fingerprint(QUALITY, moved, rule)


def test_words_beside_a_threshold_do_not_change_its_fingerprint() -> None:
    looser = QUALITY.replace("mustBeLessThan: 5", "mustBeLessThan: 9")
    described = looser.replace(
        "mustBeLessThan: 9", "mustBeLessThan: 9, description: as agreed, severity: warning"
    )
    rule = "quality-threshold-loosened"
    assert fingerprint(QUALITY, looser, rule) == fingerprint(QUALITY, described, rule)
    further = QUALITY.replace("mustBeLessThan: 5", "mustBeLessThan: 10")
    assert fingerprint(QUALITY, looser, rule) != fingerprint(QUALITY, further, rule)


def test_words_beside_a_service_level_do_not_change_its_fingerprint() -> None:
    looser = SLA.replace("value: 4", "value: 48")
    described = looser.replace("driver: operational", "driver: regulatory")
    assert fingerprint(SLA, looser, "sla-loosened") == fingerprint(SLA, described, "sla-loosened")
    assert fingerprint(SLA, looser, "sla-loosened") != fingerprint(
        SLA, SLA.replace("4", "72"), "sla-loosened"
    )


def test_the_order_of_allowed_values_does_not_change_a_fingerprint() -> None:
    def with_values(values: str) -> str:
        return f"schema: [{{name: t, properties: [{{name: a, logicalType: string, quality: [{{metric: invalidValues, mustBe: 0, arguments: {{validValues: [{values}]}}}}]}}]}}]\n"

    one = fingerprint(with_values("a, b"), with_values("a, b, c"), "valid-values-extended")
    assert one == fingerprint(with_values("b, a"), with_values("c, b, a"), "valid-values-extended")
    assert one != fingerprint(with_values("a, b"), with_values("a, b, d"), "valid-values-extended")


def test_a_renamed_table_is_named_by_both_names() -> None:
    def table(name: str) -> str:
        return f"schema: [{{id: t1, name: {name}, properties: [{{name: a}}]}}]\n"

    to_sales = fingerprint(table("orders"), table("sales"), "table-renamed")
    assert to_sales == fingerprint(table("orders"), table("sales"), "table-renamed")
    assert to_sales != fingerprint(table("orders"), table("purchases"), "table-renamed")


def test_another_target_of_a_rename_or_another_value_is_another_change() -> None:
    def column(text: str) -> str:
        return f"schema: [{{name: t, properties: [{{{text}}}]}}]\n"

    def renamed(name: str) -> str:
        return fingerprint(column("id: c1, name: a"), column(f"id: c1, name: {name}"), "column-renamed")

    def typed(new: str) -> str:
        old, rule = column("name: a, physicalType: INT"), "type-widened"
        return fingerprint(old, column(f"name: a, physicalType: {new}"), rule)

    assert renamed("b") != renamed("c")
    assert typed("BIGINT") != typed("HUGEINT")


def test_two_rules_alike_that_are_added_are_two_changes() -> None:
    without = "".join(QUALITY.splitlines(keepends=True)[:5])
    added = found(without, QUALITY)["quality-rule-added"]
    assert len({f.fingerprint for f in added}) == 4


def test_names_with_dots_do_not_meet() -> None:
    def removed(table: str, column: str) -> str:
        kept = "name: kept, logicalType: string"
        old = f"schema: [{{name: {table}, properties: [{{{kept}}}, {{name: {column}, logicalType: string}}]}}]\n"
        return fingerprint(old, f"schema: [{{name: {table}, properties: [{{{kept}}}]}}]\n", "column-removed")

    assert removed("a", "b.c") != removed("a.b", "c")
