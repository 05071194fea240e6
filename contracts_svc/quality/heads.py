"""The columns of CSV and JSON files, from their first bytes."""

from __future__ import annotations

import csv
import json

from contracts_svc.files import Reading

BYTES = 1 << 20
"""How much of a file is looked at, decompressed."""


class NoHead(ValueError):
    """The bytes are not what the format says; the message says why."""


def columns(head: bytes, reading: Reading, *, whole: bool) -> tuple[tuple[str, ...], bool]:
    """The names of the columns, and whether these are surely all of them.

    ``whole`` says that ``head`` is all of the file. A CSV file names its columns in its first line. Of a
    JSON file these are the keys of the documents in ``head``. Raises NoHead.
    """
    text = _decoded(head, reading)
    if reading.format == "csv":
        return _csv(text, reading, whole=whole), True
    return _keys(text), whole


def is_cut_off(head: bytes, tail: bytes, reading: Reading) -> bool:
    """Whether a JSON file is an array that does not end, by its first and last bytes: readers take what is
    there for all of it."""
    array = reading.format == "json" and head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"["
    return array and tail.rstrip()[-1:] != b"]"


def _decoded(head: bytes, reading: Reading) -> str:
    # A character that is cut at the end, or wrong in a value, does not hide the names before it.
    encoding = "utf-8-sig" if reading.encoding == "utf-8" else reading.encoding
    return head.decode(encoding, errors="replace")


def _csv(text: str, reading: Reading, *, whole: bool) -> tuple[str, ...]:
    if len(reading.delimiter) > 1:
        first = text.splitlines()[0] if text else ""
        record = [f.strip(reading.quote) for f in first.split(reading.delimiter)] if first else []
    else:
        lines = csv.reader(text.splitlines(True), delimiter=reading.delimiter, quotechar=reading.quote)
        try:
            record = next(lines, [])
        except csv.Error as error:
            raise NoHead(f"its first line is not CSV: {error}") from error
    if not whole and sum(map(len, record)) >= BYTES // 2:
        raise NoHead("its first line does not end within a megabyte")
    if not reading.header:
        known = reading.names[: len(record)]
        return known + tuple(f"column{i}" for i in range(len(known), len(record)))
    record = _named(record)
    seen: set[str] = set()
    for name in record:
        if name.casefold() in seen:
            raise NoHead(f"its first line names the column {name} twice")
        seen.add(name.casefold())
    return tuple(record)


def _named(record: list[str]) -> list[str]:
    """The names of a first line; a column without one (pandas leaves that of an index empty) is ``column``
    and its place, counted from 0."""
    taken = {name.casefold() for name in record}
    found = []
    for place, written in enumerate(record):
        name = written or f"column{place}"
        while not written and name in taken:
            name += "_"
        found.append(name)
    return found


def _keys(text: str) -> tuple[str, ...]:
    decoder = json.JSONDecoder()
    found: dict[str, None] = {}
    at = 0
    while at < len(text):
        if text[at] in " \t\r\n,[]":
            at += 1
            continue
        try:
            document, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            # Cut off at the end, or malformed: the engine reads on from the next line, so do we.
            end = text.find("\n", at)
            at = len(text) if end < 0 else end + 1
            continue
        if isinstance(document, dict):
            # An engine has no columns without a name, and a contract none either.
            found |= dict.fromkeys(key for key in document if key)
    return tuple(found)
