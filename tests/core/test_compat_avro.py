"""Verdicts on Avro schemas, against the tests of Avro's own libraries and of a schema registry.

Avro asks whether a reader can read what a writer wrote: BACKWARD, with the writer's schema as the old
contract and the reader's as the new one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from contracts_svc.compat.diff import diff
from contracts_svc.compat.modes import Mode
from contracts_svc.compat.rules import judge
from contracts_svc.findings import Finding
from tests.core.avro_schemas import branches, name_of, nested, versions
from tests.core.suites import Row, Score, errors, kind_of, kinds_of
from tests.support import case_rows

KINDS = kinds_of("avro")
NUMBERS = ("int", "long", "float", "double")


def findings(row: Row) -> tuple[Finding, ...]:
    old, new = versions(row["writer"], row["reader"])
    return judge(diff(old, new), old, new, Mode.BACKWARD)


def places(writer: Any, reader: Any) -> Iterator[tuple[Any, Any]]:
    """The schemas of writer and reader that stand at the same place, the whole ones first."""
    if len(branches(writer)) == 1 and len(branches(reader)) == 1:
        writer, reader = branches(writer)[0], branches(reader)[0]
    yield writer, reader
    if not (isinstance(writer, dict) and isinstance(reader, dict)):
        return
    for key in ("items", "values"):
        if key in writer and key in reader:
            yield from places(writer[key], reader[key])
    wrote = {f["name"]: f["type"] for f in writer.get("fields", ())}
    for field in reader.get("fields", ()):
        if field["name"] in wrote:
            yield from places(wrote[field["name"]], field["type"])


def has_reader_alias(row: Row) -> bool:
    return any("aliases" in schema for schema in nested(row["reader"]))


def has_nested_name_changed(row: Row) -> bool:
    _, *inner = ((name_of(w), name_of(r)) for w, r in places(row["writer"], row["reader"]))
    return any(None not in pair and pair[0] != pair[1] for pair in inner)


NOT_EXPRESSIBLE = {"alias": has_reader_alias, "nested name": has_nested_name_changed}


def named(schema: Any) -> str:
    return str(schema.get("type")) if isinstance(schema, dict) else str(schema)


def rounds(writer: Any, reader: Any) -> bool:
    """Whether Avro promotes every number written, and rounds some."""
    wrote, reads = ([named(s) for s in branches(side)] for side in (writer, reader))
    if not {*wrote, *reads} <= set(NUMBERS):
        return False
    at = NUMBERS.index
    promoted = all(any(at(r) >= at(w) for r in reads) for w in wrote)
    return promoted and any(w not in reads and (w, r) != ("int", "double") for w in wrote for r in reads)


def same_stored(writer: Any, reader: Any) -> bool:
    """Whether both are the same bytes or fixed, but for the logical type."""
    if not all(isinstance(s, dict | str) and named(s) in ("bytes", "fixed") for s in (writer, reader)):
        return False
    size = [s.get("size") if isinstance(s, dict) else None for s in (writer, reader)]
    return named(writer) == named(reader) and size[0] == size[1]


def decimal(schema: Any) -> bool:
    return isinstance(schema, dict) and schema.get("logicalType") == "decimal"


def kinds(row: Row, found: tuple[Finding, ...]) -> Iterator[str]:
    """The kinds of listed differences, where the rule that makes the kind is the only one to object."""
    if len({f.rule for f in errors(found)}) != 1:
        return
    rule = errors(found)[0].rule
    pairs = list(places(row["writer"], row["reader"]))
    same = [(w, r) for w, r in pairs if same_stored(w, r)]
    of_kind = {
        "rounded number": any(rounds(*pair) for pair in pairs),
        "rounded number in a union": any(rounds(*pair) for pair in pairs),
        "fallback symbol": any(s.get("type") == "enum" and "default" in s for s in nested(row["reader"])),
        "bytes of a decimal": any(decimal(w) != decimal(r) for w, r in same),
        "decimal of another scale": any(
            decimal(w) and decimal(r) and w.get("scale", 0) != r.get("scale", 0) for w, r in same
        ),
    }
    for kind, holds in of_kind.items():
        if holds and KINDS.on_purpose[kind].rule == rule:
            yield kind


def test_avro_schemas_agree_or_differ_for_a_listed_reason(capsys: pytest.CaptureFixture[str]) -> None:
    score = Score("compat_avro", KINDS)
    for row in case_rows("compat_avro"):
        found = findings(row)
        score.add(
            (json.dumps(row["reader"]), json.dumps(row["writer"]), row["expected"], found),
            not errors(found),
            row["expected"]["compatible"],
            inexpressible=kind_of(row, NOT_EXPRESSIBLE),
            differences=kinds(row, found),
        )
    score.check(capsys)
    assert score.counts["agree", ""] > 0.8 * sum(score.counts.values())


def column_at(location: str, reader: Any) -> str | None:
    """The column that a location of the suite, a JSON pointer into the reader's schema, is in."""
    path, at = "", reader
    for step in location.strip("/").split("/"):
        if step in ("items", "values"):
            path += "[]" if step == "items" else "{value}"
        at = at[int(step)] if isinstance(at, list) and int(step) < len(at) else _entered(at, step)
        if isinstance(at, dict) and "name" in at and "type" in at and step.isdigit() and "symbols" not in at:
            path = f"{path}.{at['name']}".lstrip(".")
    if location == "/name":
        return None
    record = isinstance(reader, dict) and reader["type"] == "record"
    return path if record else f"value{path}"


def _entered(at: Any, step: str) -> Any:
    return at.get(step) if isinstance(at, dict) else None


def test_what_avro_objects_to_is_found_at_the_same_place() -> None:
    wrong = []
    for row in case_rows("compat_avro"):
        blamed = {f.column for f in errors(findings(row))}
        for location in row["expected"]["locations"]:
            if kind_of(row, NOT_EXPRESSIBLE) is None and column_at(location, row["reader"]) not in blamed:
                wrong.append((location, json.dumps(row["reader"]), blamed))
    assert wrong == []
