"""Requests that are against a description, and those that only were meant to be."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.acceptance.as_sent import is_wrong

DOCUMENT = {
    "components": {"schemas": {"Made": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string", "maxLength": 3}}}}},
    "paths": {
        "/things/{id}": {
            "post": {
                "parameters": [
                    {"name": "id", "in": "path", "schema": {"type": "string"}},
                    {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1}},
                    {"name": "open", "in": "query", "required": True, "schema": {"anyOf": [{"type": "boolean"}, {"type": "null"}]}},
                ],
                "requestBody": {"required": True, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Made"}}}},
            }
        }
    },
}  # fmt: skip


@dataclass
class Sent:
    url: str
    body: bytes | None


GOOD = "http://x/things/1?open=true&limit=5"


@pytest.mark.parametrize(
    ("url", "body", "wrong"),
    [
        (GOOD, b'{"name": "ada"}', False),
        (GOOD, b'{"name": "ada", "more": 1}', False),
        (GOOD, b'{"name": "adam"}', True),
        (GOOD, b"{", True),
        (GOOD, None, True),
        ("http://x/things/1?limit=5", b'{"name": "ada"}', True),
        ("http://x/things/1?open=FALSE", b'{"name": "ada"}', False),
        ("http://x/things/1?open=maybe", b'{"name": "ada"}', True),
        ("http://x/things/1?open=true&limit=0", b'{"name": "ada"}', True),
        ("http://x/things/1?open=true&limit=x", b'{"name": "ada"}', True),
        ("http://x/things/1?open=true&open=true", b'{"name": "ada"}', True),
        ("http://x/things/1?open=true&other=", b'{"name": "ada"}', True),
    ],
)
def test_what_was_sent_counts(url: str, body: bytes | None, wrong: bool) -> None:
    assert is_wrong(DOCUMENT, "POST", "/things/{id:path}", Sent(url, body)) is wrong
