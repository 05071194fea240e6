"""The text of a data contract -> a Contract, or every mistake in it with its place.

The order of judgement: the text is YAML of plain values; ``apiVersion`` names a version that can be
read; the document is what that version's JSON Schema asks for.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from contracts_svc.errors import Location, Problem, UserMistake
from contracts_svc.model import NOWHERE, Contract, Json
from contracts_svc.odcs import build
from contracts_svc.odcs.schema_errors import Schema
from contracts_svc.odcs.schema_words import problem
from contracts_svc.odcs.yaml_nodes import MAX_PROBLEMS, Node, parse

_SCHEMA_OF = {
    # The standard published the schemas of 3.0.0 and 3.0.1 with faults that 3.0.2's mends.
    "v3.0.0": "3.0.2",
    "v3.0.1": "3.0.2",
    "v3.0.2": "3.0.2",
    "v3.1.0": "3.1.0",
    "v3.2.0": "3.2.0",
}
SUPPORTED_VERSIONS = tuple(_SCHEMA_OF)
"""Values of ``apiVersion`` that can be read."""
NEWEST_WIDELY_USED = "v3.1.0"

_ADVICE = f"write 'apiVersion: {NEWEST_WIDELY_USED}'"
_LIST = ", ".join(SUPPORTED_VERSIONS)

SchemaOf: TypeAlias = Callable[[str], Mapping[str, Json]]

_COMPILED: dict[str, tuple[Mapping[str, Json], Schema]] = {}
"""apiVersion -> the schema given for it, and that schema compiled."""


def read(text: bytes, file: str, schema_of: SchemaOf) -> Contract:
    """The contract in ``text``; ``file`` is its name in locations.

    ``schema_of`` gives the standard's JSON Schema of a version (``3.1.0``). Raises UserMistake with
    every problem of the stage that failed: YAML, version, or content.
    """
    root = parse(text, file)
    version = _version(root, file)
    schema = _compiled(version, schema_of)
    mistakes = schema.mistakes(root.value, MAX_PROBLEMS)
    if mistakes:
        problems = [problem(mistake, root, file) for mistake in mistakes]
        raise UserMistake(_shown([*problems, *_newer_version(root, version, file, schema_of)]))
    return build.contract(root, file)


def _version(root: Node, file: str) -> str:
    """The document's apiVersion when it can be read; what to do about it otherwise."""
    node = root.child("apiVersion")
    value = node.value if node else None
    if isinstance(value, str) and value in _SCHEMA_OF:
        return value
    where = node or root
    message, hint = _version_problem(value) if node else _version_missing(root)
    if not node and "dataContractSpecification" in root.keys:
        line, column = root.keys["dataContractSpecification"]
    else:
        line, column = where.line, where.column
    raise UserMistake.of(message, hint, Location(file, line, column))


def _version_missing(root: Node) -> tuple[str, str]:
    if "dataContractSpecification" in root.keys:
        return (
            "this is a document of the Data Contract Specification, which is retired; here ODCS is read",
            "convert it: datacontract export odcs FILE --output FILE.odcs.yaml",
        )
    return "'apiVersion' is missing: it says which version of ODCS this is", f"{_ADVICE} (known: {_LIST})"


def _version_problem(value: Json) -> tuple[str, str]:
    if not isinstance(value, str):
        return "'apiVersion' must be text: the letter v and three numbers", f"{_ADVICE} (known: {_LIST})"
    shown = value if len(value) <= 30 else value[:27] + "..."
    number = re.sub(r"\A[vV]?\s*", "", value.strip())
    if re.match(r"[012](\.|\Z)", number):
        return (
            f"ODCS {shown} has another structure than v3 and cannot be read",
            f"rewrite the contract after v3 of the standard (https://bitol.io) and {_ADVICE}",
        )
    fitting = [v for v in SUPPORTED_VERSIONS if v == f"v{number}" or v.startswith(f"v{number}.")]
    if fitting:
        message = f"'apiVersion' is '{shown}'; the standard writes {fitting[0]}"
        return message, f"write 'apiVersion: {fitting[0]}'"
    return f"ODCS version '{shown}' is not known", f"write one of: {_LIST}"


def _compiled(version: str, schema_of: SchemaOf) -> Schema:
    """The schema that judges a version; compiling takes longer than judging, so it is kept."""
    source = schema_of(_SCHEMA_OF[version])
    kept = _COMPILED.get(version)
    if kept is None or kept[0] is not source:
        adapted = _with_old_athena(source) if version in ("v3.0.0", "v3.0.1") else source
        kept = _COMPILED[version] = (source, Schema(adapted))
    return kept[1]


def _with_old_athena(source: Mapping[str, Json]) -> Mapping[str, Json]:
    """3.0.0 and 3.0.1 called Athena's field ``staging_dir``; 3.0.2 renamed it to ``stagingDir``."""
    schema = copy.deepcopy(dict(source))
    athena = schema["$defs"]["ServerSource"]["AthenaServer"]
    athena["properties"]["staging_dir"] = athena["properties"]["stagingDir"]
    athena["required"] = [name for name in athena["required"] if name != "stagingDir"]
    athena["anyOf"] = [{"required": ["stagingDir"]}, {"required": ["staging_dir"]}]
    return schema


def _newer_version(root: Node, version: str, file: str, schema_of: SchemaOf) -> list[Problem]:
    """A note when the document would be right, had it named a newer version."""
    newer = SUPPORTED_VERSIONS[SUPPORTED_VERSIONS.index(version) + 1 :]
    for candidate in dict.fromkeys(_SCHEMA_OF[v] for v in newer if _SCHEMA_OF[v] != _SCHEMA_OF[version]):
        if _compiled(f"v{candidate}", schema_of).accepts(root.value):
            line, column = root.keys["apiVersion"]
            message = f"this contract says {version}, but fits v{candidate}"
            return [Problem(Location(file, line, column), message, f"write 'apiVersion: v{candidate}'")]
    return []


def _shown(problems: Iterable[Problem]) -> list[Problem]:
    """The first problems in the file, and a word on there being more."""
    ordered = sorted(set(problems), key=lambda p: (p.at or NOWHERE, p.message))
    if len(ordered) <= MAX_PROBLEMS:
        return ordered
    more = Problem(ordered[MAX_PROBLEMS].at, "more problems from here on", "correct the first ones")
    return [*ordered[:MAX_PROBLEMS], more]
