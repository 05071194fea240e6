"""Pages of lists: every list is bounded, and a page says where the next begins."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

from contracts_svc.api.problems import Refused

MOST = 500
"""Entries of a page."""

T = TypeVar("T")

Limit = Annotated[int, Query(ge=1, le=MOST, description="Most entries of the page")]
Cursor = Annotated[
    str, Query(max_length=2_000, pattern=r"^[A-Za-z0-9_=-]*$", description="`next` of the page before")
]


class Page(BaseModel, Generic[T]):
    """A part of a list."""

    items: list[T]
    next: str | None = Field(None, description="Give this as `cursor` for what follows; null: that is all")


def after(cursor: str) -> str:
    """The key that a cursor stands for. Raises Refused (422)."""
    if not cursor:
        return ""
    try:
        return base64.b64decode(cursor.encode("ascii"), b"-_", validate=True).decode()
    except (ValueError, binascii.Error):
        raise Refused(422, "the cursor is none of ours: give `next` of the page before") from None


def cursor_of(key: str) -> str:
    """A cursor for what comes after a key."""
    return base64.urlsafe_b64encode(key.encode()).decode("ascii")


def offset(cursor: str) -> int:
    """The number that a cursor of a list that only grows at its end stands for. Raises Refused (422)."""
    text = after(cursor)
    if not text:
        return 0
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise Refused(422, "the cursor is none of ours: give `next` of the page before")
    return int(text)
