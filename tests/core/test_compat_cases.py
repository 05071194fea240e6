"""Verdicts on type evolution, against suites that others wrote.

A row counts as agreeing when our BACKWARD verdict (data written under the old version satisfies the new
one) is the suite's. Where it is not, the row must be of a kind listed below: what a contract cannot
express, or a difference on purpose, which names the rule of ours that makes it.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from contracts_svc.compat.diff import diff
from contracts_svc.compat.modes import Mode
from contracts_svc.compat.rules import judge
from contracts_svc.compat.types import Relation, accepts, relation
from contracts_svc.findings import Finding, Severity
from contracts_svc.model import Column, Contract, Server, Table
from tests.support import case_rows

Row = dict[str, Any]

NOT_EXPRESSIBLE = {
    "default": "ODCS has no default values, on which the suite's verdict turns",
    "multiset": "ODCS and SQL engines have no multiset",
    "union": "ODCS has no union of types",
    "reference": "ODCS has no named types to refer to",
    "schema text": "Protobuf and JSON Schema texts are measured by their own suites",
}


@dataclass(frozen=True)
class Difference:
    """A rule of ours that decides otherwise than these policies do, wherever it is for the same thing."""

    rule: str
    policies: frozenset[str]
    theirs: bool
    """The suite's verdict; ours is the opposite."""
    why: str
    concerns: Callable[[Finding, Row], bool] = lambda finding, row: True

    def applies(self, row: Row, found: tuple[Finding, ...]) -> bool:
        if row["mode"] not in self.policies:
            return False
        mine = [f for f in found if f.rule == self.rule and self.concerns(f, row)]
        others = [f for f in found if f.severity is Severity.ERROR and f not in mine]
        return bool(mine) and not others


FLINK = frozenset({"FLINK"})
ICEBERG = frozenset({"ICEBERG_V2", "ICEBERG_V3"})


def digits(finding: Finding) -> list[int]:
    """Digits of a second before and after."""
    return [int(n) for n in re.findall(r"TIMESTAMP\((\d)\)", finding.message)]


def crosses_microseconds(finding: Finding, row: Row) -> bool:
    found = digits(finding)
    return len(found) == 2 and found[0] <= 6 < found[1]


def not_only_inserted(finding: Finding, row: Row) -> bool:
    """Whether columns that were there before changed places."""
    before = re.findall(r"\w+", json.dumps(row["old"]))
    assert finding.change is not None
    olds, news = ([n for n in side if n in before] for side in (finding.change.old, finding.change.new))
    return olds != news


ON_PURPOSE = (
    Difference(
        "column-removed",
        ICEBERG,
        False,
        "an Iceberg sink refuses to drop a column; data already written stays readable without it, and "
        "readers are asked for in FORWARD, where it is an error",
    ),
    Difference(
        "column-reordered",
        ICEBERG,
        False,
        "the suite's sink writes by position; files are read by name",
        not_only_inserted,
    ),
    Difference(
        "enum-shrunk",
        FLINK | ICEBERG,
        True,
        "both store strings and ignore symbols; a contract promises them",
    ),
    Difference(
        "enum-added", FLINK | ICEBERG, True, "both store strings and ignore symbols; a contract promises them"
    ),
    Difference(
        "required-added",
        ICEBERG,
        True,
        "the suite does not look at NULL inside lists; a contract promises it",
        lambda f, row: (f.column or "").endswith("[]"),
    ),
    Difference(
        "type-widened",
        FLINK,
        False,
        "Flink keeps the digits of a second; here every old moment is a new one, unchanged",
        lambda f, row: len(digits(f)) == 2,
    ),
    Difference(
        "type-widened",
        ICEBERG,
        False,
        "Iceberg has one type to microseconds and one beyond; here every old moment is a new one, unchanged",
        crosses_microseconds,
    ),
    Difference(
        "type-reinterpreted",
        ICEBERG,
        True,
        "Iceberg stores both in microseconds; Avro itself stores a bare count of the unit",
        lambda f, row: " timestamp-millis -> timestamp-micros" in f.message,
    ),
)


def unknowable(row: Row) -> str | None:
    """Which part of the row a contract cannot express."""
    if row["old"]["format"] not in ("sql", "avro"):
        return "schema text"
    text = json.dumps([row["old"], row["new"]])
    if '"default"' in text or r"\"default\"" in text or "DEFAULT" in text:
        return "default"
    for word, kind in (("MULTISET", "multiset"), ('"UNION"', "union"), ('"REF"', "reference")):
        if word in text:
            return kind
    return "union" if _avro_unions(row) else None


def _avro_unions(row: Row) -> bool:
    if row["old"]["format"] != "avro":
        return False
    schemas = [json.loads(row[side]["text"]) for side in ("old", "new")]
    return any(isinstance(f["type"], list) and len(f["type"]) > 2 for s in schemas for f in s["fields"])


def contract(side: Row) -> Contract:
    if side["format"] == "avro":
        fields = json.loads(side["text"])["fields"]
        columns = tuple(avro_column(f["type"], f["name"], f["name"]) for f in fields)
    else:
        columns = tuple(sql_column(c["type"], c["name"], c["name"]) for c in side["columns"])
    server = Server(
        server="s", type="kafka" if side["format"] == "avro" else "trino", fields=FORMAT[side["format"]]
    )
    table = Table(name="t", columns=columns)
    return Contract(api_version="v3.2.0", id="c", version="1.0.0", tables=(table,), servers=(server,))


FORMAT: dict[str, dict[str, str]] = {"avro": {"format": "avro"}, "sql": {}}
WORDS = {"TIMESTAMP_LTZ": "TIMESTAMP({precision}) WITH TIME ZONE", "TIMESTAMP": "TIMESTAMP({precision})"}
SIZED = ("VARCHAR", "CHAR", "VARBINARY", "BINARY")


def sql_column(of: Row, name: str, path: str) -> Column:
    known: dict[str, Any] = {"name": name, "path": path, "required": of.get("nullable") is False}
    match of["type"]:
        case "STRUCT":
            inside = tuple(sql_column(f["type"], f["name"], f"{path}.{f['name']}") for f in of["fields"])
            return Column(logical_type="object", columns=inside, **known)
        case "ARRAY":
            return Column(logical_type="array", items=sql_column(of["element"], "", path + "[]"), **known)
        case "MAP":
            key, value = (sql_column(of[p], "", f"{path}{{{p}}}") for p in ("key", "value"))
            return Column(logical_type="map", map_key=key, map_value=value, **known)
        case "ENUM":
            return Column(physical_type="VARCHAR", enum=tuple(of["symbols"]), **known)
    return Column(physical_type=sql_type(of), **known)


def sql_type(of: Row) -> str:
    kind = of["type"]
    if kind in WORDS:
        return WORDS[kind].format(**of)
    # In Flink's notation a length of 0 stands for no limit.
    numbers = [of[k] for k in ("length", "precision", "scale") if of.get(k) is not None]
    return (
        kind
        if not numbers or (kind in SIZED and numbers == [0])
        else f"{kind}({', '.join(map(str, numbers))})"
    )


def avro_column(of: Any, name: str, path: str) -> Column:
    if isinstance(of, list):
        (inner,) = (t for t in of if t != "null")
        return Column(**(vars_of(avro_column(inner, name, path)) | {"required": "null" not in of}))
    known: dict[str, Any] = {"name": name, "path": path, "required": True}
    if isinstance(of, str):
        return Column(physical_type=of, **known)
    match of["type"]:
        case "record":
            inside = tuple(avro_column(f["type"], f["name"], f"{path}.{f['name']}") for f in of["fields"])
            return Column(logical_type="object", columns=inside, **known)
        case "array":
            return Column(logical_type="array", items=avro_column(of["items"], "", path + "[]"), **known)
        case "enum":
            return Column(physical_type="string", enum=tuple(of["symbols"]), **known)
    if of.get("logicalType") == "decimal":
        return Column(physical_type=f"decimal({of['precision']}, {of['scale']})", **known)
    return Column(physical_type=of.get("logicalType") or of["type"], **known)


def vars_of(column: Column) -> dict[str, Any]:
    return {name: getattr(column, name) for name in column.__dataclass_fields__}


def findings(row: Row) -> tuple[Finding, ...]:
    old, new = contract(row["old"]), contract(row["new"])
    return judge(diff(old, new), old, new, Mode.BACKWARD)


def outcomes() -> Iterator[tuple[Row, str, str | None]]:
    for row in case_rows("compat_sql_types"):
        kind = unknowable(row)
        if kind:
            yield row, "not expressible", kind
            continue
        found = findings(row)
        ours = all(f.severity is not Severity.ERROR for f in found)
        if ours == row["expected"]["compatible"]:
            yield row, "agree", None
        else:
            why = next((d.rule for d in ON_PURPOSE if d.theirs is not ours and d.applies(row, found)), None)
            yield row, "differ on purpose", why


def test_sql_type_evolution_agrees_or_differs_for_a_listed_reason(capsys: pytest.CaptureFixture[str]) -> None:
    counts: Counter[tuple[str, str | None]] = Counter()
    unexplained = []
    for row, outcome, kind in outcomes():
        counts[outcome, kind] += 1
        if outcome == "differ on purpose" and kind is None:
            unexplained.append((row["id"], row["mode"], row["old"], row["new"], row["expected"]))
    report("compat_sql_types", counts, capsys)
    assert unexplained == []
    assert counts["agree", None] > 2 * sum(n for (o, _), n in counts.items() if o == "differ on purpose")


@pytest.mark.parametrize("difference", ON_PURPOSE, ids=lambda d: d.rule)
def test_a_listed_difference_holds_for_every_row_of_its_kind(difference: Difference) -> None:
    rows = [r for r in case_rows("compat_sql_types") if unknowable(r) is None]
    of_kind = [r for r in rows if difference.applies(r, findings(r))]
    assert of_kind, "no row is of this kind any more: remove it from the list"
    assert {r["expected"]["compatible"] for r in of_kind} == {difference.theirs}


EXACT_SIZE = "the suite wants the declared length exactly; here shorter texts fit the declared type"


def test_declared_and_stored_types_match(capsys: pytest.CaptureFixture[str]) -> None:
    counts: Counter[tuple[str, str | None]] = Counter()
    wrong = []
    for row in case_rows("type_match"):
        declared, actual, dialect = row["declared"], row["actual"], row["dialect"]
        ours = accepts(declared, actual, dialect)
        if ours == row["expected"]["compatible"]:
            counts["agree", None] += 1
        elif ours and relation(declared, actual, dialect) is Relation.NARROWED:
            counts["differ on purpose", "exact size"] += 1
        else:
            wrong.append((declared, actual, dialect, ours))
    report("type_match", counts, capsys)
    assert wrong == []


def report(suite: str, counts: Counter[tuple[str, str | None]], capsys: pytest.CaptureFixture[str]) -> None:
    """Printed past pytest's capture where CONTRACTS_SHOW_COUNTS=1 asks for it."""
    total = sum(counts.values())
    lines = [f"{suite}: {total} rows"]
    for (outcome, kind), n in sorted(counts.items(), key=str):
        reasons = NOT_EXPRESSIBLE | {d.rule: d.why for d in ON_PURPOSE} | {"exact size": EXACT_SIZE}
        why = reasons.get(kind or "", "")
        lines.append(f"  {outcome:<18} {n:>4} {n / total:>6.1%}  {kind or ''}{': ' if why else ''}{why}")
    if os.environ.get("CONTRACTS_SHOW_COUNTS") == "1":
        with capsys.disabled():
            print("\n" + "\n".join(lines))
    else:
        print("\n".join(lines))
