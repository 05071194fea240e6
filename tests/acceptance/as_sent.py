"""Whether a request, as it was sent, is against the API's own description.

What makes up wrong requests counts what it meant: a parameter of a wrong kind may be written as a good text, one
without a value may not be in the address at all, and a value that replaces another may be right by chance.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

import jsonschema_rs


class Sent(Protocol):
    """A request with what went over the line."""

    url: str | None
    body: Any


def is_wrong(document: Mapping[str, Any], method: str, path: str, sent: Sent) -> bool:
    """Whether the query or the body of a request is one that the description does not allow."""
    operation = document["paths"][path.replace(":path}", "}")][method.lower()]
    return _query_is_wrong(document, operation, sent) or _body_is_wrong(document, operation, sent)


def _query_is_wrong(document: Mapping[str, Any], operation: Mapping[str, Any], sent: Sent) -> bool:
    known = {p["name"]: p for p in operation.get("parameters", ()) if p["in"] == "query"}
    given = parse_qsl(urlsplit(sent.url or "").query, keep_blank_values=True)
    times = Counter(name for name, _ in given)
    if any(name not in known or count > 1 for name, count in times.items()):
        return True
    if any(p.get("required") and name not in times for name, p in known.items()):
        return True
    return any(not _reads_as(document, known[name]["schema"], text) for name, text in given)


def _reads_as(document: Mapping[str, Any], schema: Mapping[str, Any], text: str) -> bool:
    """Whether a text of an address can be what a schema asks for: it does not say of which kind it is."""
    ways: list[Any] = [text, {"true": True, "false": False}.get(text.lower(), text)]
    for read in (int, float):
        try:
            ways.append(read(text))
        except ValueError:
            continue
    return any(_fits(document, schema, way) for way in ways)


def _body_is_wrong(document: Mapping[str, Any], operation: Mapping[str, Any], sent: Sent) -> bool:
    asked = operation.get("requestBody")
    schema = (asked or {}).get("content", {}).get("application/json", {}).get("schema")
    if schema is None:
        return False
    if not sent.body:
        return bool(asked.get("required"))
    try:
        return not _fits(document, schema, json.loads(sent.body))
    except ValueError:
        return True


def _fits(document: Mapping[str, Any], schema: Mapping[str, Any], value: Any) -> bool:
    return jsonschema_rs.is_valid({**schema, "components": document["components"]}, value)
