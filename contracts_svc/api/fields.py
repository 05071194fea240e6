"""Kinds of values that bodies and queries hold."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

from fastapi import Query
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, JsonValue, StringConstraints

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]")


def _usual(moment: datetime) -> datetime:
    # Near the ends of the calendar a time cannot be moved to another zone.
    if not 1970 <= moment.year <= 9000:
        raise ValueError("the year must be from 1970 to 9000")
    return moment


def _written(given: object) -> object:
    # Else a bare number would be taken for seconds since 1970.
    if not isinstance(given, datetime) and not (isinstance(given, str) and _DATE.match(given)):
        raise ValueError("write a time with its zone, as in 2026-11-24T09:30:00+01:00")
    return given


Moment = Annotated[
    AwareDatetime,
    BeforeValidator(_written),
    AfterValidator(_usual),
    Field(json_schema_extra={"pattern": r"^(19[7-9][0-9]|[2-8][0-9]{3})-"}),
]
"""A time with its zone."""


def _whole(text: str) -> str:
    if any(c == "\x00" or "\ud800" <= c <= "\udfff" for c in text):
        raise ValueError("it holds U+0000 or half a character, which cannot be stored")
    return text


_NOT_BLANK: dict[str, JsonValue] = {"pattern": r"^[^\x00]*\S[^\x00]*$"}
"""For the description: what :func:`_whole` and taking away the spaces around it come to."""

Text = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000),
    AfterValidator(_whole),
    Field(json_schema_extra=_NOT_BLANK),
]
"""Some text that is not blank."""
Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=300),
    AfterValidator(_whole),
    Field(json_schema_extra=_NOT_BLANK),
]
"""What something or somebody is called."""
Short = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200), AfterValidator(_whole)]
"""A short text; it may be empty."""
Maybe = Annotated[str | None, Query(max_length=500)]
"""What a list is filtered by; null: it does not matter."""
