"""Verdicts on Protobuf files, against the tests of buf and of a schema registry.

A registry asks whether new readers can read old messages: BACKWARD. buf has rules, each of its own purpose,
of which several may be tried on the same files; so every rule is compared by itself, and field by field: our
findings of the rules below must be at the very fields that buf annotates. buf's rules hold in both
directions: FULL. A rule of buf's reports a change, whatever its weight, so our warnings count too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from contracts_svc.compat.diff import diff
from contracts_svc.compat.modes import Mode
from contracts_svc.compat.rules import judge
from contracts_svc.findings import Finding, Severity
from tests.core.proto_schemas import Field, Schema, contract, read
from tests.core.suites import Row, Score, errors, kinds_of
from tests.support import case_rows

KINDS = kinds_of("protobuf")
Place = tuple[str, str]
"""A message and the number of a field, or a type and nothing."""

BEYOND = {
    "file": ("FILE_NO_DELETE", "FILE_SAME_SYNTAX"),
    "package": ("PACKAGE_NO_DELETE",),
    "service": ("RPC_NO_DELETE", "SERVICE_NO_DELETE", "PACKAGE_SERVICE_NO_DELETE"),
    "code option": (
        "ENUM_SAME_JSON_FORMAT",
        "MESSAGE_SAME_JSON_FORMAT",
        "FIELD_SAME_JSTYPE",
        "MESSAGE_NO_REMOVE_STANDARD_DESCRIPTOR_ACCESSOR",
    ),
    "encoding option": ("FIELD_SAME_UTF8_VALIDATION",),
    "oneof": ("FIELD_SAME_ONEOF",),
    "extension range": ("EXTENSION_MESSAGE_NO_DELETE",),
}
"""Rules of buf's about what a contract does not have, by kind."""


@dataclass(frozen=True)
class Versions:
    """The types of a row before and after."""

    old: Schema
    new: Schema

    def pair(self, place: Place) -> tuple[Field | None, Field | None]:
        return self.old.field(*place), self.new.field(*place)


def many(of: Field | None) -> str:
    """How many values a field has."""
    if of is None:
        return ""
    return "map" if of.type.startswith("map<") else "repeated" if of.label == "repeated" else "one"


def resized(before: Field | None, after: Field | None) -> bool:
    return None not in (before, after) and many(before) != many(after)


def retyped(before: Field | None, after: Field | None) -> bool:
    """Whether the type is spelt another way: then a finding is about it, else about how many there are."""
    return before is not None and after is not None and before.type != after.type


def anything(before: Field | None, after: Field | None) -> bool:
    return True


def extension(before: Field | None, after: Field | None) -> bool:
    return before is not None and before.extension_in is not None


def declared(before: Field | None, after: Field | None) -> bool:
    return not extension(before, after)


def required_gone(before: Field | None, after: Field | None) -> bool:
    return before is None or before.required


TYPE = ("type-widened", "type-narrowed", "type-lossy", "type-reinterpreted", "type-incompatible", "type-unknown",
        "enum-added", "enum-removed")  # fmt: skip
REQUIRED = ("required-added", "required-removed")
GONE = ("table-removed",)
EXTENSION_GONE = ("column-removed", "column-renamed", "column-relabelled")


@dataclass(frozen=True)
class Counterpart:
    """The rules of ours that stand for one of buf's, and which of their findings do."""

    rules: tuple[str, ...]
    concerns: Callable[[Field | None, Field | None], bool] = anything


def cardinality(before: Field | None, after: Field | None) -> bool:
    both = before is not None and after is not None
    return resized(before, after) or (both and before.required != after.required)  # type: ignore[union-attr]


COUNTERPARTS = {
    "ENUM_NO_DELETE": Counterpart(GONE),
    "PACKAGE_ENUM_NO_DELETE": Counterpart(GONE),
    "MESSAGE_NO_DELETE": Counterpart(GONE),
    "PACKAGE_MESSAGE_NO_DELETE": Counterpart(GONE),
    "ENUM_VALUE_SAME_NAME": Counterpart(("enum-shrunk", "enum-extended")),
    "EXTENSION_NO_DELETE": Counterpart(EXTENSION_GONE, extension),
    "PACKAGE_EXTENSION_NO_DELETE": Counterpart(EXTENSION_GONE, extension),
    "FIELD_NO_DELETE_UNLESS_NAME_RESERVED": Counterpart(("column-removed",), declared),
    "FIELD_SAME_NAME": Counterpart(("column-renamed", "column-relabelled")),
    "FIELD_SAME_JSON_NAME": Counterpart(("column-physical-name-changed", "column-renamed")),
    "FIELD_SAME_TYPE": Counterpart(TYPE, retyped),
    "FIELD_SAME_CARDINALITY": Counterpart(TYPE + REQUIRED, cardinality),
    "FIELD_WIRE_COMPATIBLE_CARDINALITY": Counterpart(TYPE + REQUIRED, cardinality),
    "FIELD_WIRE_JSON_COMPATIBLE_CARDINALITY": Counterpart(TYPE + REQUIRED, cardinality),
    "MESSAGE_SAME_REQUIRED_FIELDS": Counterpart(("required-column-added", "column-removed"), required_gone),
}


def place_of(found: Finding, versions: Versions) -> Place:
    """Where a finding is: the field by its number, also for what is in the field."""
    change = found.change
    assert change is not None
    assert change.table is not None
    name = re.split(r"[\[{]", change.column or "")[0]
    fields = [f for s in (versions.old, versions.new) for f in s.messages.get(change.table, ())]
    return change.table, next((f.number for f in fields if f.full_name == name), "")


def of_kind(rule: str, place: Place, versions: Versions) -> bool:
    """Whether buf's rule is about messages, or about enums, as this place is."""
    enum = place[0] in versions.old.enums or place[0] in versions.new.enums
    return enum == ("ENUM" in rule)


def told(rule: str, found: tuple[Finding, ...], versions: Versions) -> dict[Place, Finding]:
    """The places at which we report what buf's rule reports."""
    counterpart = COUNTERPARTS[rule]
    places = {
        place_of(f, versions): f
        for f in found
        if f.rule in counterpart.rules and f.severity is not Severity.INFO
    }
    return {
        place: f
        for place, f in places.items()
        if of_kind(rule, place, versions) and counterpart.concerns(*versions.pair(place))
    }


def on_purpose(rule: str, place: Place, versions: Versions) -> str | None:
    """The kind of listed difference that a report of ours is of, when buf has none there."""
    before, after = versions.pair(place)
    gone = before is not None and after is None
    if gone and before.name in versions.new.reserved.get(place[0], ()) and "NAME_RESERVED" in rule:  # type: ignore[union-attr]
        return "reserved name"
    if rule == "FIELD_WIRE_COMPATIBLE_CARDINALITY" and {many(before), many(after)} == {"map", "repeated"}:
        return "map as its entries"
    return None


def beyond(rule: str, place: Place, versions: Versions) -> str | None:
    """The kind of what a contract cannot express that a report of buf's is of, when we have none there."""
    before, after = versions.pair(place)
    if before is None or after is None:
        return None
    if "CARDINALITY" in rule and many(before) == many(after) == "one" and before.required == after.required:
        return "presence"
    encodings = ["DELIMITED" in f.options for f in (before, after)]
    return "encoding option" if rule == "FIELD_SAME_TYPE" and encodings[0] != encodings[1] else None


@dataclass
class Compared:
    """What one rule of buf's says of a row beside what ours do."""

    agree: bool
    inexpressible: set[str] = field(default_factory=set)
    on_purpose: set[str] = field(default_factory=set)
    disputed: list[Any] = field(default_factory=list)
    """Reports of only one side that are of no listed kind."""


def compared(rule: str, row: Row, found: tuple[Finding, ...], versions: Versions) -> Compared:
    notes = [a for a in row["expected"]["annotations"] if a["rule"] == rule]
    at = [versions.new.at(a["file"], a["start"][0]) if a.get("start") else None for a in notes]
    theirs = {place for place in at if place is not None}
    ours = told(rule, found, versions)
    result = Compared(agree=False)
    for place in theirs - ours.keys():
        kind = beyond(rule, place, versions)
        result.inexpressible |= {kind} if kind else set()
        result.disputed += [] if kind else [("only buf", place)]
    # What is gone has no line in the new file: buf notes its file or message, so it is counted.
    unplaced, extra = at.count(None), []
    for place in ours.keys() - theirs:
        kind = on_purpose(rule, place, versions)
        result.on_purpose |= {kind} if kind else set()
        extra += [] if kind else [place]
    moved = moved_between_files(rule, versions)
    result.inexpressible |= {"file"} if moved else set()
    if len(extra) + moved != unplaced:
        result.disputed.append(("not placed", unplaced, extra, moved))
    result.agree = not (result.inexpressible or result.on_purpose or result.disputed)
    return result


def moved_between_files(rule: str, versions: Versions) -> int:
    """How many things are declared in another file than before: gone from their file, as buf sees it."""
    old, new = versions.old, versions.new
    if rule in ("MESSAGE_NO_DELETE", "ENUM_NO_DELETE"):
        names = old.enums if "ENUM" in rule else old.messages
        return sum(new.files.get(name, old.files.get(name)) != old.files.get(name) for name in names)
    if rule != "EXTENSION_NO_DELETE":
        return 0
    fields = [(m, f) for m, fs in old.messages.items() for f in fs if f.extension_in is not None]
    pairs = [(f, new.field(m, f.number)) for m, f in fields]
    return sum(n is not None and n.full_name == f.full_name and n.where[0] != f.where[0] for f, n in pairs)


def buf_rows() -> Iterator[Row]:
    return (row for row in case_rows("compat_protobuf") if row["suite"] == "buf")


def judged(row: Row) -> tuple[tuple[Finding, ...], Versions]:
    buf = row["suite"] == "buf"
    stable = bool(row.get("config", {}).get("ignore_unstable_packages"))
    versions = Versions(read(row["old"], stable), read(row["new"], stable))
    subjects = [None, None] if buf else [next(iter(s.messages)) for s in (versions.old, versions.new)]
    stored = "json" if buf else "number"
    old = contract(versions.old, stored, subjects[0])  # type: ignore[arg-type]
    new = contract(versions.new, stored, subjects[1])  # type: ignore[arg-type]
    return judge(diff(old, new), old, new, Mode.FULL if buf else Mode.BACKWARD), versions


def add_buf(row: Row, score: Score) -> None:
    found, versions = judged(row)
    if not row["expected"]["by_rule"]:
        score.add(row["title"], not errors(found), True, inexpressible=None, differences=())
    for rule in row["expected"]["by_rule"]:
        kind = next((k for k, rules in BEYOND.items() if rule in rules), None)
        if kind is not None:
            score.add(row["title"], False, False, inexpressible=kind, differences=())
            continue
        result = compared(rule, row, found, versions)
        score.add(
            (row["title"], rule, result.disputed),
            result.agree,
            True,
            inexpressible=None if result.disputed else next(iter(sorted(result.inexpressible)), None),
            differences=() if result.disputed else sorted(result.on_purpose),
        )


def add_registry(row: Row, score: Score) -> None:
    found, versions = judged(row)
    theirs = row["expected"]["backward"]
    swapped = [f for f in errors(found) if f.rule == "type-incompatible" and number_and_enum(f, versions)]
    only = bool(swapped) and all(f in swapped or f.rule.startswith("enum-") for f in errors(found))
    score.add(
        (row["title"], row["old"], row["new"], [f.message for f in errors(found)]),
        not errors(found),
        theirs,
        inexpressible=None,
        differences=["number and enum"] if only else [],
    )


def number_and_enum(found: Finding, versions: Versions) -> bool:
    change = found.change
    assert change is not None
    return "enum" in (change.old, change.new) and any("int" in str(t) for t in (change.old, change.new))


def test_protobuf_files_agree_or_differ_for_a_listed_reason(capsys: pytest.CaptureFixture[str]) -> None:
    score = Score("compat_protobuf", KINDS)
    for row in case_rows("compat_protobuf"):
        (add_buf if row["suite"] == "buf" else add_registry)(row, score)
    score.check(capsys)


def test_what_buf_does_not_report_of_listed_kinds_it_never_reports() -> None:
    """A kind that we report on purpose is one that buf is silent about wherever it occurs."""
    wrong = []
    for row in buf_rows():
        _, versions = judged(row)
        for note in row["expected"]["annotations"]:
            place = versions.new.at(note["file"], note["start"][0]) if note.get("start") else None
            if place is not None and on_purpose(note["rule"], place, versions):
                wrong.append((row["title"], note, place))
    assert wrong == []
