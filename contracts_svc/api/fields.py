"""Kinds of values that bodies and queries hold."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Query
from pydantic import AfterValidator, AwareDatetime, StringConstraints


def _usual(moment: datetime) -> datetime:
    # Near the ends of the calendar a time cannot be moved to another zone.
    if not 1970 <= moment.year <= 9000:
        raise ValueError("the year must be from 1970 to 9000")
    return moment


Moment = Annotated[AwareDatetime, AfterValidator(_usual)]
"""A time with its zone."""


def _whole(text: str) -> str:
    if any(c == "\x00" or "\ud800" <= c <= "\udfff" for c in text):
        raise ValueError("it holds U+0000 or half a character, which cannot be stored")
    return text


Text = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000), AfterValidator(_whole)
]
"""Some text that is not blank."""
Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300), AfterValidator(_whole)
]
"""What something or somebody is called."""
Maybe = Annotated[str | None, Query(max_length=500)]
"""What a list is filtered by; null: it does not matter."""
