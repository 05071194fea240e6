"""What a receiver of the route file can be told: its options, with what is wrong with a value."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from contracts_svc.odcs.fields import Fields

SECRET = "env:"
"""A secret is not written into the file: ``env:NAME`` names the environment variable that holds it."""

_VARIABLE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*")


def _anything(value: str) -> str:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One row of a receiver's options. ``wrong`` says what is wrong with a value, ``""`` for nothing."""

    name: str
    purpose: str
    required: bool = False
    secret: bool = False
    wrong: Callable[[str], str] = _anything


Kinds = Mapping[str, Sequence[Option]]
"""Kind of receiver -> its options."""


def url(value: str) -> str:
    """What is wrong with an address that something is sent to over HTTP."""
    try:
        parts = urlsplit(value)
        parts.port  # noqa: B018 - reading it checks it
    except ValueError:
        return "this is no address"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "an address begins with http:// or https:// and names a host"
    if parts.username or parts.password:
        return "an address holds no user and password here"
    if not value.isascii() or any(c.isspace() or not c.isprintable() for c in value):
        return "an address holds neither spaces nor characters outside ASCII"
    return ""


def seconds(value: str) -> str:
    """What is wrong with a time in whole seconds."""
    if not (value.isascii() and value.isdecimal()) or not 1 <= int(value[:6]) <= 60 or len(value) > 6:
        return "this is a number of seconds, 1 to 60"
    return ""


def hours(value: str) -> str:
    """What is wrong with a time in whole hours."""
    if not (value.isascii() and value.isdecimal()) or len(value) > 4 or not 1 <= int(value) <= 8_760:
        return "this is a number of hours, 1 to 8760"
    return ""


def check_options(entry: Fields, options: Sequence[Option], others: Sequence[str]) -> dict[str, str]:
    """The options of a receiver, every mistake noted at its place. A secret is never shown."""
    entry.only((*others, *(o.name for o in options)))
    found: dict[str, str] = {}
    for option in options:
        value = entry.text(option.name)
        if not value:
            if option.required:
                entry.problem(option.name, f"'{option.name}' is missing: {option.purpose}", _hint(option))
            continue
        found[option.name] = value
        if option.secret and not _VARIABLE.fullmatch(value):
            message = f"'{option.name}' is secret and does not belong into this file"
            entry.problem(option.name, message, _hint(option))
        elif not option.secret and (wrong := option.wrong(value)):
            entry.problem(option.name, f"'{option.name}': {wrong}", option.purpose)
    return found


def _hint(option: Option) -> str:
    if option.secret:
        variable = f"CONTRACTS_{option.name.upper()}"
        return f"write '{option.name}: env:{variable}' and put it into that environment variable"
    return f"add '{option.name}: …'"
