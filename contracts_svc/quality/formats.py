"""String formats: how a text of each looks, as RE2 patterns for the whole of it.

ODCS lists password, byte, binary, email, uuid, uri, hostname, ipv4 and ipv6; these, date, time and
date-time are defined by JSON Schema (https://json-schema.org/draft/2020-12/json-schema-validation,
section 7.3) and OpenAPI through the RFCs named here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Format:
    """How a text of a format looks."""

    pattern: str
    longest: int | None = None
    """In characters."""
    day: str = ""
    """The part that must be a day of the calendar, as a pattern with one group."""


_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = rf"{_LABEL}(?:\.{_LABEL})*"
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
_HEX = r"[0-9A-Fa-f]{1,4}"
_LAST = rf"(?:{_HEX}:{_HEX}|{_IPV4})"
_IPV6 = "|".join(
    (
        rf"(?:{_HEX}:){{6}}{_LAST}",
        rf"::(?:{_HEX}:){{5}}{_LAST}",
        rf"(?:{_HEX})?::(?:{_HEX}:){{4}}{_LAST}",
        rf"(?:(?:{_HEX}:){{0,1}}{_HEX})?::(?:{_HEX}:){{3}}{_LAST}",
        rf"(?:(?:{_HEX}:){{0,2}}{_HEX})?::(?:{_HEX}:){{2}}{_LAST}",
        rf"(?:(?:{_HEX}:){{0,3}}{_HEX})?::{_HEX}:{_LAST}",
        rf"(?:(?:{_HEX}:){{0,4}}{_HEX})?::{_LAST}",
        rf"(?:(?:{_HEX}:){{0,5}}{_HEX})?::{_HEX}",
        rf"(?:(?:{_HEX}:){{0,6}}{_HEX})?::",
    )
)
_PLAIN = r"[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2}"
_PCHAR = rf"(?:{_PLAIN}|[:@])"
_AUTHORITY = rf"(?:(?:{_PLAIN}|:)*@)?(?:\[(?:{_IPV6})\]|(?:{_PLAIN})*)(?::[0-9]*)?"
_PATH = rf"(?://{_AUTHORITY}(?:/{_PCHAR}*)*|/(?:{_PCHAR}+(?:/{_PCHAR}*)*)?|{_PCHAR}+(?:/{_PCHAR}*)*|)"
_TAIL = rf"(?:{_PCHAR}|[/?])*"
_DAY = r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?"
_OFFSET = r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"

FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        # RFC 5321, 4.1.2: a local part of dot-separated atoms (no quoted ones), a domain.
        "email": Format(rf"{_ATOM}(?:\.{_ATOM})*@{_HOST}", longest=254),
        # RFC 9562, 4.
        "uuid": Format(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"),
        # RFC 3986, appendix A; with a scheme.
        "uri": Format(rf"[A-Za-z][A-Za-z0-9+.-]*:{_PATH}(?:\?{_TAIL})?(?:#{_TAIL})?"),
        # RFC 1123, 2.1.
        "hostname": Format(_HOST, longest=253),
        # RFC 2673, 3.2: without leading zeros.
        "ipv4": Format(_IPV4),
        # RFC 4291, 2.2, in the grammar of RFC 3986.
        "ipv6": Format(_IPV6),
        # RFC 3339, 5.6.
        "date": Format(_DAY, day=f"({_DAY})"),
        "time": Format(rf"{_CLOCK}{_OFFSET}"),
        "date-time": Format(rf"{_DAY}[Tt]{_CLOCK}{_OFFSET}", day=f"^({_DAY})"),
        # RFC 4648, 4.
        "byte": Format(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"),
    }
)
NOTHING_TO_SEE = frozenset({"password", "binary"})
"""Formats that say how a text is shown or stored, and nothing of how it looks."""

INTEGERS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        **{f"i{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64, 128)},
        **{f"u{bits}": (0, 2**bits - 1) for bits in (8, 16, 32, 64, 128)},
    }
)
"""Format of an integer -> the smallest and the largest value."""
LARGEST_SINGLE = 3.4028234663852886e38
"""The largest finite value of the format f32."""
