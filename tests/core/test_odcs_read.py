"""Reading contracts: what is wrong is told once, at its place, in plain words, with the way out."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import jsonschema_rs as js
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts_svc.errors import UserMistake
from contracts_svc.odcs import SUPPORTED_VERSIONS
from contracts_svc.odcs.yaml_nodes import parse
from tests.core.odcs_texts import EVERYTHING, FILE, HEADER, SCHEMA_OF, problems, read, told

ONE_COLUMN = HEADER + "schema:\n  - name: t\n    properties:\n      - name: c\n        logicalType: string\n"
"""Ten lines; what is added with eight spaces belongs to the column."""


def header(version: str) -> str:
    return HEADER.replace("v3.1.0", version)


# Text -> every problem, as (place, message).
CASES: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "an unknown key": (
        HEADER + "naem: x\n",
        [("6:1", "unknown key 'naem'; did you mean 'name'?")],
    ),
    "an unknown key like nothing": (HEADER + "zzz: x\n", [("6:1", "unknown key 'zzz'")]),
    "an unknown key beside a bad value": (
        ONE_COLUMN + "        requird: true\n        unique: yes\n",
        [
            ("11:9", "unknown key 'requird'; did you mean 'required'?"),
            ("12:17", "'unique' must be true or false, not 'yes'"),
        ],
    ),
    "a key of another tool": (
        ONE_COLUMN + "        isNullable: true\n",
        [("11:9", "unknown key 'isNullable'; did you mean 'required'?")],
    ),
    "a missing key at the top": (
        HEADER.replace("id: x\n", ""),
        [("1:1", "the contract needs 'id'")],
    ),
    "a column without a name": (
        HEADER + "schema:\n  - name: t\n    properties:\n      - logicalType: string\n",
        [("9:9", "a column needs 'name'")],
    ),
    "a table without a name": (HEADER + "schema:\n  - properties: []\n", [("7:5", "a table needs 'name'")]),
    "a nested column without a name": (
        ONE_COLUMN.replace("string", "object") + "        properties:\n          - physicalName: x\n",
        [("12:13", "a column needs 'name'")],
    ),
    "a number for text": (
        HEADER.replace("1.0.0", "1.0"),
        [("4:10", "'version' must be text, not the number 1.0")],
    ),
    "text for a list": (HEADER + "tags: a, b\n", [("6:7", "'tags' must be a list, not 'a, b'")]),
    "a mapping for a list": (
        HEADER + "schema:\n  name: t\n",
        [("7:3", "'schema' must be a list, not a mapping")],
    ),
    "an entry of a list": (
        HEADER + "tags: [a, 1]\n",
        [("6:11", "entry 2 of 'tags' must be text, not the number 1")],
    ),
    "nothing for text": (HEADER + "domain:\n", [("6:1", "'domain' must be text, not nothing")]),
    "an unknown option": (
        ONE_COLUMN.replace("string", "strng"),
        [("10:22", "'logicalType' cannot be 'strng'; did you mean 'string'?")],
    ),
    "a database type": (
        ONE_COLUMN.replace("string", "VARCHAR(20)"),
        [("10:22", "'logicalType' cannot be 'VARCHAR(20)'; did you mean 'string'?")],
    ),
    "another kind": (
        HEADER.replace("DataContract", "DataProduct"),
        [("2:7", "'kind' cannot be 'DataProduct'")],
    ),
    "an id with a space": (HEADER + "schema:\n  - name: t\n    id: a b\n", [("8:9", "'id' cannot be 'a b'")]),
    "a server without what its type needs": (
        HEADER + "servers:\n  - server: lake\n    type: s3\n",
        [("7:5", "the server 'lake' of type s3 needs 'location'")],
    ),
    "a key of another type of server": (
        HEADER + "servers:\n  - server: lake\n    type: s3\n    location: s3://b/p\n    account: x\n",
        [("10:5", "'account' does not go with 'type: s3'")],
    ),
    "a server without type: what its keys mean is open": (
        HEADER + "servers:\n  - server: lake\n    location: s3://b/p\n",
        [("7:5", "the server 'lake' needs 'type'")],
    ),
    "a server of an unknown type": (
        HEADER + "servers:\n  - server: lake\n    type: s33\n    location: s3://b/p\n",
        [("8:11", "'type' cannot be 's33'; did you mean 's3'?")],
    ),
    "a team member without username": (
        HEADER + "team:\n  - name: Ann\n",
        [("7:5", "the team member 'Ann' needs 'username'")],
    ),
    "a team member without username, newer form": (
        HEADER + "team:\n  name: a\n  members:\n    - role: owner\n",
        [("9:7", "the team member 'owner' needs 'username'")],
    ),
    "a team of another shape": (
        HEADER + "team: me\n",
        [("6:7", "'team' must be a mapping or a list, not 'me'")],
    ),
    "a support channel without channel": (
        HEADER + "support:\n  - url: https://x\n",
        [("7:5", "a support channel needs 'channel'")],
    ),
    "a quality rule without operator": (
        ONE_COLUMN + "        quality:\n          - metric: nullValues\n",
        [
            (
                "12:13",
                "a quality rule needs one of: mustBe, mustNotBe, mustBeGreaterThan, mustBeGreaterOrEqualTo, "
                "mustBeLessThan, mustBeLessOrEqualTo, mustBeBetween, mustNotBeBetween",
            )
        ],
    ),
    "a quality rule with two operators": (
        ONE_COLUMN
        + "        quality:\n          - metric: nullValues\n            mustBe: 0\n            mustNotBe: 1\n",
        [("14:13", "'mustBe' and 'mustNotBe' exclude each other")],
    ),
    "one bound of two": (
        ONE_COLUMN + "        quality:\n          - {metric: rowCount, mustBeBetween: [1]}\n",
        [("12:47", "'mustBeBetween' must have at least 2 entries")],
    ),
    "an SQL rule without query": (
        ONE_COLUMN + "        quality:\n          - {type: sql, mustBe: 0}\n",
        [("12:13", "a quality rule of type sql needs 'query'")],
    ),
    "an operator in a text rule": (
        ONE_COLUMN + "        quality:\n          - {type: text, mustBe: 0}\n",
        [("12:26", "'mustBe' does not go with 'type: text'")],
    ),
    "options without a logical type": (
        ONE_COLUMN.replace("logicalType: string", "logicalTypeOptions: {minLength: 1, maximum: a}"),
        [("10:9", "'logicalTypeOptions' needs 'logicalType' beside it")],
    ),
    "options of another logical type": (
        ONE_COLUMN + "        logicalTypeOptions: {minimum: 1, maxLength: x}\n",
        [
            ("11:30", "unknown key 'minimum'"),
            ("11:53", "'maxLength' must be a whole number, not 'x'"),
        ],
    ),
    "a negative length": (
        ONE_COLUMN + "        logicalTypeOptions: {minLength: -1}\n",
        [("11:41", "'minLength' must be at least 0")],
    ),
    "items of text": (
        ONE_COLUMN + "        items: {logicalType: string}\n",
        [("11:9", "'items' does not go with 'logicalType: string'")],
    ),
    "a source at a column": (
        ONE_COLUMN + "        relationships:\n          - {from: a.b, to: c.d}\n",
        [("12:14", "'from' does not belong to a relationship")],
    ),
    "a reference to nowhere": (
        ONE_COLUMN + "        relationships:\n          - to: airports\n",
        [("12:17", "'to' cannot be 'airports'")],
    ),
    "a relationship of a table without source": (
        HEADER + "schema:\n  - name: t\n    relationships:\n      - to: a.b\n",
        [("9:9", "a relationship needs 'from'")],
    ),
    "one column to a list": (
        HEADER + "schema:\n  - name: t\n    relationships:\n      - from: t.a\n        to: [a.b]\n",
        [("10:13", "'to' must be text, not a list")],
    ),
    "an SLA value that is a list": (
        HEADER + "slaProperties:\n  - property: latency\n    value: [4]\n",
        [("8:12", "'value' must be text or a number or true or false, not a list")],
    ),
    "a map without parts": (
        header("v3.2.0") + "schema:\n  - name: t\n    properties: [{name: m, logicalType: map}]\n",
        [("8:18", "the column 'm' needs 'map'")],
    ),
    "the same entry twice": (
        header("v3.2.0")
        + "schema:\n  - name: t\n    properties:\n      - name: c\n        enum: [{value: 1}, {value: 1}]\n",
        [("10:15", "'enum' holds the same entry twice")],
    ),
    "what a newer version has": (
        ONE_COLUMN.replace("string", "timestamp").replace("v3.1.0", "v3.0.2"),
        [
            ("1:1", "this contract says v3.0.2, but fits v3.1.0"),
            ("10:22", "'logicalType' cannot be 'timestamp'"),
        ],
    ),
    "what a newer version no longer asks for": (
        HEADER.replace("status: active\n", ""),
        [
            ("1:1", "the contract needs 'status'"),
            ("1:1", "this contract says v3.1.0, but fits v3.2.0"),
        ],
    ),
    "several at once, in the order of the file": (
        HEADER.replace("1.0.0", "1").replace("kind: DataContract\n", "") + "tags: 1\nfoo: 2\n",
        [
            ("1:1", "the contract needs 'kind'"),
            ("3:10", "'version' must be text, not the number 1"),
            ("5:7", "'tags' must be a list, not the number 1"),
            ("6:1", "unknown key 'foo'"),
        ],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_mistake_is_told_once_at_its_place(name: str) -> None:
    text, expected = CASES[name]
    assert told(text) == expected


@pytest.mark.parametrize("name", CASES)
def test_no_word_of_json_schema_reaches_the_user(name: str) -> None:
    said = "\n".join(str(p) for p in problems(CASES[name][0]))
    assert not re.search(r"oneOf|anyOf|allOf|unevaluated|additionalProp|minItems|\$defs|\$ref|instance", said)


# Text -> what to do about its first problem.
HINTS = {
    HEADER.replace("1.0.0", "1.0"): "put it in quotes: '1.0'",
    ONE_COLUMN + "        required: no\n": "write false, without quotes",
    ONE_COLUMN + "        required: perhaps\n": "write true or false, without quotes",
    ONE_COLUMN.replace("string", "integer") + "        primaryKeyPosition: '2'\n": "remove the quotes: 2",
    HEADER + "tags: x\n": "write a list: each entry on its own line, beginning with '- '",
    HEADER + "description: [x]\n": "write a mapping: 'key: value' lines, without '- '",
    HEADER + "domain:\n": "write a value, or remove the key",
    HEADER + "support: [{url: x}]\n": "add 'channel: ...'",
    HEADER.replace("DataContract", "x"): "write DataContract",
    ONE_COLUMN + "        items: {}\n": "it goes with 'logicalType: array'",
}


@pytest.mark.parametrize("text", HINTS)
def test_the_way_out(text: str) -> None:
    assert problems(text)[0].hint == HINTS[text]


def test_an_unknown_key_is_answered_with_what_there_is() -> None:
    hint = problems(HEADER + "zzz: 1\n")[0].hint
    assert hint.startswith(
        "remove it, or make it an entry of customProperties; the contract has: apiVersion, "
    )


VERSIONS = {
    "apiVersion: 3.1.0\n": ("1:13", "'apiVersion' is '3.1.0'; the standard writes v3.1.0"),
    "apiVersion: V3.1.0\n": ("1:13", "'apiVersion' is 'V3.1.0'; the standard writes v3.1.0"),
    "apiVersion: v3.2\n": ("1:13", "'apiVersion' is 'v3.2'; the standard writes v3.2.0"),
    "apiVersion: 3.1\n": ("1:13", "'apiVersion' must be text: the letter v and three numbers"),
    "apiVersion: [v3.1.0]\n": ("1:13", "'apiVersion' must be text: the letter v and three numbers"),
    "apiVersion:\n": ("1:12", "'apiVersion' must be text: the letter v and three numbers"),
    "id: x\n": ("1:1", "'apiVersion' is missing: it says which version of ODCS this is"),
    "apiVersion: v2.2.2\n": ("1:13", "ODCS v2.2.2 has another structure than v3 and cannot be read"),
    "apiVersion: '2.2.0'\n": ("1:13", "ODCS 2.2.0 has another structure than v3 and cannot be read"),
    "apiVersion: v9.9.9\n": ("1:13", "ODCS version 'v9.9.9' is not known"),
    "apiVersion: v20.0.0\n": ("1:13", "ODCS version 'v20.0.0' is not known"),
    "id: x\ndataContractSpecification: 1.2.0\n": (
        "2:1",
        "this is a document of the Data Contract Specification, which is retired; here ODCS is read",
    ),
}


@pytest.mark.parametrize("text", VERSIONS)
def test_the_version_is_judged_first_and_alone(text: str) -> None:
    assert told(text + "junk: true\n") == [VERSIONS[text]]


def test_an_unknown_version_is_answered_with_those_that_are_known() -> None:
    hint = problems("apiVersion: v9.9.9\n")[0].hint
    assert all(version in hint for version in SUPPORTED_VERSIONS)


@pytest.mark.parametrize("version", SUPPORTED_VERSIONS)
def test_every_supported_version_can_be_read(version: str) -> None:
    assert read(header(version)).api_version == version


ATHENA = "servers:\n  - {server: a, type: athena, schema: s, %s: 's3://b/x'}\n"


@pytest.mark.parametrize("version", ["v3.0.0", "v3.0.1"])
@pytest.mark.parametrize("field", ["staging_dir", "stagingDir"])
def test_athena_may_use_the_old_name_in_the_old_versions(version: str, field: str) -> None:
    assert read(header(version) + ATHENA % field).servers[0].fields[field] == "s3://b/x"


def test_athena_may_not_use_the_old_name_later() -> None:
    assert ("7:5", "the server 'a' of type athena needs 'stagingDir'") in told(
        header("v3.0.2") + ATHENA % "staging_dir"
    )


def test_many_mistakes_are_cut_short() -> None:
    found = problems(HEADER + "tags: [" + "1, " * 500 + "1]\n")
    assert len(found) == 101
    assert found[-1].message == "more problems from here on"
    assert found[0].at
    assert found[0].at.column == 8


def test_the_file_is_named_in_every_place() -> None:
    with pytest.raises(UserMistake) as caught:
        read("apiVersion: v3.1.0\n")
    assert {p.at.file for p in caught.value.problems if p.at} == {FILE}


def test_reading_loads_none_of_the_heavy_packages() -> None:
    script = (
        "import sys\n"
        "from contracts_svc import odcs\n"
        "from contracts_svc.adapters.odcs_schemas import PackagedSchemas\n"
        "odcs.lint(odcs.read(sys.stdin.buffer.read(), 'x', PackagedSchemas().schema))\n"
        "heavy = {'datacontract', 'open_data_contract_standard', 'sqlglot', 'duckdb', 'pyarrow', 'pandas',"
        " 'pandera', 'pydantic', 'jsonschema', 'ruamel', 'rich', 'httpx'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], input=EVERYTHING, capture_output=True, timeout=60, check=True
    )
    assert done.stdout.decode().strip() == "[]"


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "type", "properties", "quality", "mustBe", "zzz"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)
WHOLE = js.Draft201909Validator(dict(SCHEMA_OF("3.2.0")))


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of a document."""
    keys = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, inner in keys for found in ((value, key), *places(inner))]


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_contract_with_anything_anywhere_is_judged_as_the_schema_says(data: st.DataObject) -> None:
    """The words, the pieces and the model never change the verdict, and never fail."""
    document = parse(EVERYTHING, FILE).value
    for _ in range(data.draw(st.integers(1, 2))):
        container, key = data.draw(st.sampled_from(places(document)))
        if isinstance(container, dict) and data.draw(st.booleans()):
            container[data.draw(st.sampled_from(["name", "items", "mustBe", "schema", "zzz"]))] = data.draw(
                JSON
            )
        else:
            container[key] = data.draw(JSON)
    if document.get("apiVersion") != "v3.2.0":
        return
    found = problems(json.dumps(document, ensure_ascii=False, indent=1))
    if any("U+" in p.message or "NUL" in p.message for p in found):
        return  # the text cannot be YAML at all
    assert bool(found) != WHOLE.is_valid(document)
