"""Verdicts on type evolution, against suites that others wrote.

A row agrees when our BACKWARD verdict (data written under the old version satisfies the new one) is the
suite's. The suite asks it for three sinks: Flink, and Iceberg tables of format 2 and 3.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from contracts_svc.compat.diff import diff
from contracts_svc.compat.modes import Mode
from contracts_svc.compat.rules import judge
from contracts_svc.compat.types import Relation, accepts, relation
from contracts_svc.findings import Finding
from contracts_svc.model import Column, Contract, CustomProperty, Server, Table
from tests.core import avro_schemas, proto_schemas
from tests.core.suites import Row, Score, errors, kinds_of, report
from tests.support import case_rows

KINDS = kinds_of("sql_types")
FLINK, ICEBERG = frozenset({"FLINK"}), frozenset({"ICEBERG_V2", "ICEBERG_V3"})


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


def is_union(finding: Finding, row: Row) -> bool:
    assert finding.change is not None
    types = [str(t) for t in (finding.change.old, finding.change.new)]
    return any(t.startswith(("UNION", "[")) for t in types)


def filled_by_number(finding: Finding, row: Row) -> bool:
    assert finding.change is not None
    return any(isinstance(c.value, int) for c in finding.change.new.custom)


def has_default(finding: Finding, row: Row) -> bool:
    column = contract(row["new"]).tables[0].column(finding.column or "")
    return column is not None and any(c.property == "default" for c in column.custom)


def required_default_removed(finding: Finding, row: Row) -> bool:
    column = row["new"]["columns"][0] if "columns" in row["new"] else {}
    assert finding.change is not None
    gone = finding.change.old is not None and finding.change.new is None
    return gone and column.get("type", {}).get("nullable") is False


def always(finding: Finding, row: Row) -> bool:
    return True


Concerns = Callable[[Finding, Row], bool]
ON_PURPOSE: dict[str, tuple[frozenset[str], Concerns]] = {
    "dropped column": (ICEBERG, always),
    "other order": (ICEBERG, not_only_inserted),
    "symbols gone": (FLINK | ICEBERG, always),
    "symbols stated": (FLINK | ICEBERG, always),
    "element required": (ICEBERG, lambda f, row: (f.column or "").endswith("[]")),
    "required with a default": (ICEBERG, has_default),
    "number of integers": (FLINK | ICEBERG, lambda f, row: "integer -> number" in f.message),
    "more digits in Flink": (FLINK, lambda f, row: len(digits(f)) == 2),
    "more digits in Iceberg": (ICEBERG, crosses_microseconds),
    "unit of Avro": (ICEBERG, lambda f, row: " timestamp-millis -> timestamp-micros" in f.message),
    "default before format 3": (frozenset({"ICEBERG_V2"}), filled_by_number),
    "default of a required column gone": (FLINK, required_default_removed),
    "branch gone in Flink": (FLINK, is_union),
    "branch added": (FLINK | ICEBERG, lambda f, row: is_union(f, row) and row["old"]["format"] == "avro"),
    "branches in another order": (ICEBERG, is_union),
}
"""Of which sinks a listed difference is, and which findings of its rule make it."""


def kinds(row: Row, found: tuple[Finding, ...]) -> Iterator[str]:
    """The listed differences that the row is of: no other rule objects."""
    for kind, (policies, concerns) in ON_PURPOSE.items():
        rule = KINDS.on_purpose[kind].rule
        mine = [f for f in found if f.rule == rule and concerns(f, row)]
        others = [f for f in errors(found) if f not in mine]
        if row["mode"] in policies and mine and not others:
            yield kind


def unknowable(row: Row) -> str | None:
    """Which part of the row a contract cannot express."""
    sides = [json.dumps(row[side]) for side in ("old", "new")]
    multisets = ["MULTISET" in side for side in sides]
    return "multiset" if row["mode"] == "FLINK" and multisets[0] != multisets[1] else None


def contract(side: Row) -> Contract:
    if side["format"] == "avro":
        schema = json.loads(side["text"])
        return avro_schemas.versions(schema, schema)[0]
    if side["format"] == "protobuf":
        return protobuf_contract(side["text"])
    if side["format"] == "jsonschema":
        schema = json.loads(side["text"])
        return built(json_columns(schema, schema), "kafka")
    columns = tuple(sql_column(c["type"], c["name"], c["name"], c.get("default")) for c in side["columns"])
    named = [
        Table(name=name, columns=(sql_column(of, name, name),))
        for name, of in side.get("named_types", {}).items()
    ]
    return built(columns, "duckdb" if "UNION" in json.dumps(side) else "trino", *named)


def built(columns: tuple[Column, ...], server: str, *named: Table) -> Contract:
    tables = (Table(name="t", columns=columns), *named)
    servers = (Server(server="s", type=server),)
    return Contract(api_version="v3.2.0", id="c", version="1.0.0", tables=tables, servers=servers)


def protobuf_contract(text: str) -> Contract:
    """The suite takes a single value that is not ``optional`` or a message for one that is never NULL."""
    schema = proto_schemas.read({"t.proto": text})
    found = proto_schemas.contract(schema, "number")
    single = {
        (message, f.full_name)
        for message, fields in schema.messages.items()
        for f in fields
        if not f.label and not f.type.startswith("map<")
    }
    tables = tuple(
        replace(t, columns=tuple(
            replace(c, required=(t.name, c.name) in single and c.logical_type != "object") for c in t.columns
        ))
        for t in found.tables
        if t.name in schema.messages
    )  # fmt: skip
    return replace(found, tables=tables)


def json_columns(of: Row, root: Row) -> tuple[Column, ...]:
    """The properties of an object; only references within the text, to its definitions."""
    columns = []
    for name, inner in of["properties"].items():
        if "$ref" in inner:
            inner = root["$defs"][inner["$ref"].rpartition("/")[2]]
        nested = json_columns(inner, root) if inner["type"] == "object" else ()
        required = name in of.get("required", ())
        columns.append(
            Column(name=name, path=name, logical_type=inner["type"], columns=nested, required=required)
        )
    return tuple(columns)


WORDS = {"TIMESTAMP_LTZ": "TIMESTAMP({precision}) WITH TIME ZONE", "TIMESTAMP": "TIMESTAMP({precision})"}
SIZED = ("VARCHAR", "CHAR", "VARBINARY", "BINARY")


def sql_column(of: Row, name: str, path: str, default: Any = None) -> Column:
    custom = () if default is None else (CustomProperty(property="default", value=default),)
    known: dict[str, Any] = {
        "name": name,
        "path": path,
        "required": of.get("nullable") is False,
        "custom": custom,
    }
    match of["type"]:
        case "STRUCT":
            inside = tuple(
                sql_column(f["type"], f["name"], f"{path}.{f['name']}", f.get("default"))
                for f in of["fields"]
            )
            return Column(logical_type="object", columns=inside, **known)
        case "ARRAY":
            return Column(logical_type="array", items=sql_column(of["element"], "", path + "[]"), **known)
        case "MAP":
            key, value = (sql_column(of[p], "", f"{path}{{{p}}}") for p in ("key", "value"))
            return Column(logical_type="map", map_key=key, map_value=value, **known)
        case "MULTISET":
            counts = {"type": "INT", "nullable": False}
            return sql_column(of | {"type": "MAP", "key": of["element"], "value": counts}, name, path)
        case "ENUM":
            return Column(physical_type="VARCHAR", enum=tuple(of["symbols"]), **known)
    return Column(physical_type=sql_type(of), **known)


def sql_type(of: Row) -> str:
    kind = str(of["type"])
    if kind in WORDS:
        return WORDS[kind].format(**of)
    if kind == "REF":
        return str(of["name"])
    if kind == "UNION":
        return f"UNION({', '.join(b['name'] + ' ' + sql_type(b['type']) for b in of['branches'])})"
    # In Flink's notation a length of 0 stands for no limit.
    numbers = [of[k] for k in ("length", "precision", "scale") if of.get(k) is not None]
    unlimited = not numbers or (kind in SIZED and numbers == [0])
    return kind if unlimited else f"{kind}({', '.join(map(str, numbers))})"


def findings(row: Row) -> tuple[Finding, ...]:
    old, new = contract(row["old"]), contract(row["new"])
    return judge(diff(old, new), old, new, Mode.BACKWARD)


def test_sql_type_evolution_agrees_or_differs_for_a_listed_reason(capsys: pytest.CaptureFixture[str]) -> None:
    score = Score("compat_sql_types", KINDS)
    for row in case_rows("compat_sql_types"):
        found = findings(row)
        score.add(
            (row["mode"], row["old"], row["new"], row["expected"], [f.message for f in errors(found)]),
            not errors(found),
            row["expected"]["compatible"],
            inexpressible=unknowable(row),
            differences=kinds(row, found),
        )
    score.check(capsys)
    assert score.counts["agree", ""] > 0.7 * sum(score.counts.values())


EXACT_SIZE = "the suite wants the declared length exactly; here shorter texts fit the declared type"


def test_declared_and_stored_types_match(capsys: pytest.CaptureFixture[str]) -> None:
    counts: Counter[tuple[str, str]] = Counter()
    wrong = []
    for row in case_rows("type_match"):
        declared, actual, dialect = row["declared"], row["actual"], row["dialect"]
        ours = accepts(declared, actual, dialect)
        theirs = row["expected"]["compatible"]
        names = [re.sub(r"\(\d+\)$", "", name) for name in (declared, actual)]
        sized = names[0] == names[1] != declared
        exact_size = sized and relation(declared, actual, dialect) is Relation.NARROWED
        if exact_size and not theirs:
            counts["differ on purpose", "exact size"] += 1
        elif ours == theirs and not exact_size:
            counts["agree", ""] += 1
        else:
            wrong.append((declared, actual, dialect, ours))
    report("type_match", counts, {"exact size": EXACT_SIZE}, capsys)
    assert wrong == []
    assert counts["differ on purpose", "exact size"], "no row is of this kind any more"
