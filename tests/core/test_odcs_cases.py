"""Contracts that others wrote, and mutants of them: what is accepted and what is rejected, and where."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from typing import Any

import pytest
from jsonschema import Draft201909Validator

from contracts_svc.odcs.read import SUPPORTED_VERSIONS
from contracts_svc.odcs.schema_errors import Schema
from contracts_svc.odcs.yaml_nodes import parse
from tests.core.odcs_texts import SCHEMA_OF, problems
from tests.support import case_rows, shared

Row = dict[str, Any]

# These two are judged by the schema of 3.0.2, which mends faults in theirs.
OLDEST = ("v3.0.0", "v3.0.1")


@cache
def rows() -> tuple[Row, ...]:
    return tuple(case_rows("odcs_examples"))


def text_of(row: Row) -> bytes:
    if "file" in row:
        return shared(f"cases/{row['file']}").read_bytes()
    return json.dumps(row["document"], ensure_ascii=False, indent=2).encode()


def document_of(row: Row) -> dict[str, Any]:
    document: dict[str, Any] = parse(text_of(row), "x").value
    return document


def version_of(row: Row) -> str:
    return str(document_of(row).get("apiVersion", ""))


def expected(row: Row) -> bool:
    """Valid by the schema of the version that the document names, as far as that version can be read."""
    if version_of(row).removeprefix("v").startswith("2."):
        return False
    if version_of(row) in OLDEST:
        return Draft201909Validator(SCHEMA_OF("3.0.2")).is_valid(document_of(row))
    return bool(row["expected"]["valid_under_declared_version"])


def test_the_case_files_are_accepted_and_rejected_as_their_suites_say() -> None:
    counts: Counter[tuple[bool, bool]] = Counter()
    differ = []
    for row in rows():
        read = not problems(text_of(row))
        counts[expected(row), read] += 1
        if read != expected(row):
            differ.append((row["id"], row["source"]["test"], row.get("file")))
    valid, invalid = (
        sum(n for (is_valid, _), n in counts.items() if is_valid is want) for want in (True, False)
    )
    print(
        f"accepted {counts[True, True]} of {valid} valid, rejected {counts[False, False]} of {invalid} invalid"
    )
    assert differ == []
    assert (valid, invalid) == (101, 306)


def test_the_rule_for_the_oldest_versions_explains_few_rows() -> None:
    """Else the comparison above would prove little."""
    explained = [r for r in rows() if expected(r) != r["expected"]["valid_under_declared_version"]]
    assert {version_of(r) for r in explained} <= set(OLDEST)
    assert len(explained) == 3


def test_every_rejection_says_where() -> None:
    for row in rows():
        text = text_of(row)
        lines = text.decode().splitlines()
        for problem in problems(text):
            assert problem.at
            assert problem.at.column <= len(lines[problem.at.line - 1]) + 1, (row["id"], problem)


def mutation_of(row: Row) -> str:
    return str(row["source"]["test"]) if row["kind"] == "mutant" else "original"


def sample() -> list[Row]:
    """The two smallest rows of every kind of mutation, and the eight smallest originals."""
    by_kind: dict[str, list[Row]] = {}
    for row in sorted(rows(), key=lambda r: len(text_of(r))):
        if version_of(row) in SUPPORTED_VERSIONS:
            by_kind.setdefault(mutation_of(row), []).append(row)
    return [row for kind, found in by_kind.items() for row in found[: 8 if kind == "original" else 2]]


def schema_of(row: Row) -> dict[str, Any]:
    version = version_of(row).removeprefix("v")
    return dict(SCHEMA_OF("3.0.2" if version.startswith("3.0") else version))


@pytest.mark.slow
def test_mistakes_are_where_the_reference_validator_sees_them() -> None:
    """The reference takes a hundred times longer, so it sees a sample that reaches every mutation."""
    seen = sample()
    readable = {mutation_of(r) for r in rows() if version_of(r) in SUPPORTED_VERSIONS}
    assert {mutation_of(r) for r in seen} == readable
    rejected = 0
    for row in seen:
        document = document_of(row)
        reference = list(Draft201909Validator(schema_of(row)).iter_errors(document))
        mistakes = Schema(schema_of(row)).mistakes(document, 10_000)
        assert bool(mistakes) == bool(reference), row["id"]
        rejected += bool(reference)
        places = {tuple(e.absolute_path) for e in reference}
        # Keys that are only reported because of another mistake are no mistakes: places may be fewer.
        for mistake in mistakes:
            assert any(mistake.path[: len(place)] == place for place in places), (row["id"], mistake)
        for error in reference:
            if error.validator not in ("unevaluatedProperties", "additionalProperties"):
                place = tuple(error.absolute_path)
                assert any(m.path[: len(place)] == place for m in mistakes), (row["id"], place)
    assert rejected > 30


def test_judging_in_pieces_finds_what_judging_the_whole_finds() -> None:
    schemas = {version: Schema(SCHEMA_OF(version)) for version in ("3.0.2", "3.1.0", "3.2.0")}

    class Whole(Schema):
        def _lists(self, place: object, value: object) -> dict[str, Any]:
            return {}

    wholes = {version: Whole(SCHEMA_OF(version)) for version in schemas}
    seen = 0
    for row in rows():
        document = document_of(row)
        for version, schema in schemas.items():
            found = set(schema.mistakes(document, 100_000))
            assert found == set(wholes[version].mistakes(document, 100_000)), (row["id"], version)
            seen += len(found)
    assert seen > 1000
