"""Bodies that are documents, taken as the bytes that they are."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import Depends, Request

from contracts_svc.api.problems import Refused

_PAIR = re.compile(rb"(?<!\\)((?:\\\\)*)(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})")
# Possessive, and within a line: else a body of blanks alone would be looked through for hours.
_ID = re.compile(
    rb"""^[ \t]*+(?:\{[ \t]*+)?+["']?id["']?[ \t]*+:[ \t]*+["']?([A-Za-z0-9._:-]{1,200})""", re.MULTILINE
)
_TAKEN = ("json", "yaml", "text/plain", "octet-stream", "x-www-form-urlencoded")
"""Parts of media types that a document may come as; the last is what curl says of anything."""

DOCUMENT: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/yaml": {"schema": {"type": "string"}},
            "application/json": {"schema": {"type": "object"}},
        },
    }
}
"""A body that is a contract, for the OpenAPI document."""


async def _document(request: Request) -> bytes:
    kind = request.headers.get("content-type", "text/plain").partition(";")[0].strip().lower()
    if not any(taken in kind for taken in _TAKEN):
        raise Refused(415, "a contract is sent as application/yaml or application/json")
    text = await request.body()
    return without_pairs(text) if text.lstrip()[:1] == b"{" else text


Document = Annotated[bytes, Depends(_document)]


def without_pairs(text: bytes) -> bytes:
    """JSON with the characters that it escapes as two halves written out, which YAML cannot escape so."""

    def written(found: re.Match[bytes]) -> bytes:
        halves = found[2].decode("ascii").encode("ascii").decode("unicode_escape")
        return found[1] + halves.encode("utf-16", "surrogatepass").decode("utf-16").encode()

    return _PAIR.sub(written, text)


def name_of(text: bytes) -> str:
    """A name for a document that came without one: after its id, as far as that can be seen."""
    found = _ID.search(text)
    return f"{found[1].decode().replace(':', '_')}.odcs.yaml" if found else "contract.odcs.yaml"
