"""Whether somebody looks, who wants pages, or a program asks."""

from __future__ import annotations

from fastapi import Request


def is_browser(request: Request) -> bool:
    """Whether the answer is for a person: browsers name HTML among what they accept, programs do not."""
    return "text/html" in request.headers.get("accept", "")
