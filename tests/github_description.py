"""GitHub's REST description, to hold calls and answers of the stand-in against."""

from __future__ import annotations

import copy
import json
import re
from functools import cache
from typing import Any

import jsonschema_rs

from tests.support import shared


@cache
def description() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(shared("cases/github/openapi_subset.json").read_text())
    found["paths"] |= _beyond_the_subset()
    _null(found)
    return found


def _beyond_the_subset() -> dict[str, Any]:
    """Calls that the subset leaves out, as documented:
    https://docs.github.com/en/rest/pulls/review-requests#request-reviewers-for-a-pull-request and
    https://docs.github.com/en/rest/teams/members#list-team-members
    and https://docs.github.com/en/rest/commits/commits#list-commits
    """

    def answer(schema: dict[str, Any]) -> dict[str, Any]:
        return {"description": "Response", "content": {"application/json": {"schema": schema}}}

    names = {"type": "array", "items": {"type": "string"}}
    body = {
        "type": "object",
        "properties": {"reviewers": names, "team_reviewers": names},
        "anyOf": [{"required": ["reviewers"]}, {"required": ["team_reviewers"]}],
        "additionalProperties": False,
    }
    users = {"type": "array", "items": {"$ref": "#/components/schemas/simple-user"}}
    commit = {"type": "object", "required": ["sha", "commit", "parents"]}
    query = [{"name": n, "in": "query"} for n in ("role", "per_page", "page", "sha", "path")]
    return {
        "/repos/{owner}/{repo}/pulls/{pull_number}/requested_reviewers": {
            "post": {
                "requestBody": {"content": {"application/json": {"schema": body}}},
                "responses": {"201": answer({"$ref": "#/components/schemas/pull-request-simple"})},
            }
        },
        "/orgs/{org}/teams/{team_slug}/members": {
            "get": {"parameters": query[:3], "responses": {"200": answer(users)}}
        },
        "/repos/{owner}/{repo}/commits": {
            "get": {
                "parameters": query[1:],
                "responses": {"200": answer({"type": "array", "items": commit})},
            }
        },
    }


def example(name: str) -> Any:
    """One of the documented example answers, to be changed at will."""
    return copy.deepcopy(description()["components"]["examples"][name]["value"])


def _null(node: Any) -> None:
    """OpenAPI 3.0's ``nullable`` in the words of JSON Schema."""
    if isinstance(node, list):
        for item in node:
            _null(item)
    elif isinstance(node, dict):
        for item in node.values():
            _null(item)
        if node.get("nullable") is True:
            kept = {
                k: node.pop(k)
                for k in list(node)
                if k not in ("description", "nullable", "example", "default")
            }
            node["anyOf"] = [{"type": "null"}, kept]


@cache
def _templates() -> list[tuple[re.Pattern[str], str]]:
    """Every path as a pattern, those with fewer parts to fill in first."""
    found = [
        (re.compile(re.sub(r"\\\{(\w+)\\\}", r"([^/]+)", re.escape(path)) + r"\Z"), path)
        for path in description()["paths"]
        if "{base}...{head}" not in path
    ]
    return sorted(found, key=lambda f: f[1].count("{"))


def operation(method: str, path: str) -> tuple[str, dict[str, Any]] | None:
    """The documented operation that a call is; ``path`` as it was sent, without what comes after ``?``."""
    if "/compare/" in path:  # a name of a branch may hold slashes
        path = re.sub(r"/compare/.*", "/compare/x", path)
    for pattern, template in _templates():
        if pattern.match(path) and method.lower() in description()["paths"][template]:
            return template, description()["paths"][template][method.lower()]
    return None


@cache
def _validator(template: str, method: str, status: str = "") -> Any:
    """Of the answer with this status, else of the body that is sent."""
    documented = description()["paths"][template][method]
    part = documented["responses"][status] if status else documented["requestBody"]
    schema = part["content"]["application/json"]["schema"]
    return jsonschema_rs.Draft7Validator({"allOf": [schema], "components": description()["components"]})


def wrong_call(method: str, path: str, query: dict[str, str], body: Any) -> list[str]:
    """What of a call is not as GitHub documents it."""
    found = operation(method, path)
    if found is None:
        return [f"{method} {path} is no documented call"]
    template, documented = found
    known = {_resolved(p)["name"] for p in documented.get("parameters", [])}
    told = [f"{method} {path} has no parameter {name}" for name in query if name not in known]
    if "requestBody" in documented:
        told += [
            f"{method} {path}: {e.message}" for e in _validator(template, method.lower()).iter_errors(body)
        ]
    elif body is not None:
        told.append(f"{method} {path} takes no body")
    return told


def wrong_answer(method: str, path: str, status: int, body: Any) -> list[str]:
    """What of an answer is not as GitHub documents it."""
    found = operation(method, path)
    if found is None:
        return []
    template, documented = found
    answer = documented["responses"].get(str(status))
    if answer is None or "$ref" in answer or "application/json" not in answer.get("content", {}):
        return []
    validator = _validator(template, method.lower(), str(status))
    return [
        f"{method} {path} answers {e.message[:300]} at {e.instance_path}" for e in validator.iter_errors(body)
    ]


def _resolved(node: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in node:
        return node
    found: Any = description()
    for part in node["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    resolved: dict[str, Any] = found
    return resolved
