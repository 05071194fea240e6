"""File names in the forms that reports want them in."""

from __future__ import annotations

from urllib.parse import quote

from contracts_svc.render import clean


def relative(file: str) -> str:
    """A path as a CI system compares it with the repository's: clean, ``/`` between, no ``./``."""
    return clean(file).replace("\\", "/").removeprefix("./") or "."


def as_uri(file: str) -> str:
    """The path as a URI reference (RFC 3986): relative to the repository, or ``file:`` when absolute."""
    path = relative(file)
    # A colon in the first part of a relative reference would make it a scheme (RFC 3986, 4.2).
    quoted = quote(path, safe="/-._~!$&'()*+,;=@")
    return f"file://{quoted}" if path.startswith("/") else quoted
