"""The text of a YAML file before and when it fails to parse: encoding, and syntax errors in plain words."""

from __future__ import annotations

import re

import yaml

from contracts_svc.errors import Location, Problem, UserMistake

MAX_BYTES = 16 * 1024 * 1024
MAX_TAG_DIRECTIVES = 8

# What YAML 1.2 calls printable; anything else may only be written as an escape.
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")

_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
"""Line breaks as libyaml counts them."""
_TAG_DIRECTIVE = re.compile("(?:^|[\r\n\x85\u2028\u2029])(%TAG)")

_BOMS = {
    b"\xef\xbb\xbf": "a byte order mark",
    b"\xff\xfe": "the byte order mark of UTF-16",
    b"\xfe\xff": "the byte order mark of UTF-16",
}

_ENDS_IN_QUOTES = ("found unexpected end of stream", "found unexpected document indicator")

# Part of what libyaml says -> what to say instead, and what to do.
_SYNTAX = (
    (
        "mapping values are not allowed",
        "a ':' stands where no key can be",
        "put text that holds ': ' in quotes, and check that keys of one mapping begin in the same column",
    ),
    (
        "could not find expected ':'",
        "a ':' is missing after a key",
        "write 'key: value'; check the indentation",
    ),
    (
        "did not find expected key",
        "this does not line up with the keys above it",
        "keys of one mapping begin in the same column; put text that holds quotes or ': ' in quotes",
    ),
    (
        "did not find expected '-' indicator",
        "this does not line up with the '-' entries above it",
        "entries of one list begin in the same column, each with '- '",
    ),
    (
        "block sequence entries are not allowed",
        "a list entry '- ' cannot stand here",
        "begin the list on its own line below the key",
    ),
    (
        "did not find expected ',' or ']'",
        "a list in [...] is not closed, or a ',' is missing",
        "add ',' or ']'",
    ),
    (
        "did not find expected ',' or '}'",
        "a mapping in {...} is not closed, or a ',' is missing",
        "add ',' or '}'",
    ),
    (
        "did not find expected node content",
        "a value is missing here",
        "write a value, or remove the ',' before it",
    ),
    *((part, "a quote is opened but never closed", "close the quote") for part in _ENDS_IN_QUOTES),
    (
        "found unknown escape character",
        "no such escape is known after '\\'",
        "use single quotes for text with '\\', or write it twice",
    ),
    ("hexdecimal number", "this escape needs hexadecimal digits", 'as in "\\u00e9"'),
    ("invalid Unicode character", "this escape names no Unicode character", "write the character itself"),
    (
        "did not find expected alphabetic or numeric character",
        "a name is missing after '&' or '*'",
        "put text that begins with '&' or '*' in quotes",
    ),
    (
        "did not find expected <document start>",
        "the document has ended before this line",
        "indent the line so that it belongs to what stands above, or remove it",
    ),
    (
        "found undefined tag handle",
        "this tag is not known",
        "remove the tag, or put text that begins with '!' in quotes",
    ),
    (
        "incompatible YAML document",
        "this version of YAML cannot be read",
        "remove the line that begins with %YAML",
    ),
)
_RESERVED = {"@": "'@'", "`": "'`'", "%": "'%'"}


def decode(text: bytes, file: str) -> str:
    """The text, when it is UTF-8 of at most MAX_BYTES without control characters."""
    if len(text) > MAX_BYTES:
        raise UserMistake.of(
            f"the file has {len(text):,} bytes; at most {MAX_BYTES:,} (16 MiB) are read",
            "split the file",
            Location(file, 1, 1),
        )
    for mark, name in _BOMS.items():
        if text.startswith(mark):
            raise UserMistake.of(
                f"the file begins with {name}",
                "save it as UTF-8 without byte order mark",
                Location(file, 1, 1),
            )
    try:
        decoded = text.decode()
    except UnicodeDecodeError as error:
        raise UserMistake.of(
            f"this is not UTF-8: the byte 0x{text[error.start]:02x} begins no character",
            "save the file as UTF-8",
            _location(text[: error.start].decode(), file),
        ) from None
    unprintable = _UNPRINTABLE.search(decoded)
    if unprintable:
        raise UserMistake.of(
            f"the control character U+{ord(unprintable.group()):04X} is not allowed here",
            "remove it, or write it as an escape in double quotes",
            _location(decoded[: unprintable.start()], file),
        )
    _refuse_many_tag_directives(decoded, file)
    return decoded


def _refuse_many_tag_directives(text: str, file: str) -> None:
    """libyaml takes quadratic time to read many of them, and no contract needs one."""
    for count, found in enumerate(_TAG_DIRECTIVE.finditer(text), start=1):
        if count > MAX_TAG_DIRECTIVES:
            raise UserMistake.of(
                f"more than {MAX_TAG_DIRECTIVES} lines begin with %TAG",
                "remove them: only plain values are read",
                _location(text[: found.start(1)], file),
            )


def syntax_problem(error: yaml.YAMLError, text: str, file: str) -> Problem:
    """libyaml's error in plain words, at its place."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    said = str(getattr(error, "problem", None) or error)
    if mark is None:
        return Problem(Location(file, 1, 1), f"this is not YAML: {said}", "")
    line_text = _line(text, mark.line)
    indent = line_text[: len(line_text) - len(line_text.lstrip())]
    if "\t" in indent or "tab character" in said:
        column = indent.find("\t") + 1 or mark.column + 1
        return Problem(
            Location(file, mark.line + 1, column),
            "a tab is used to indent; YAML allows only spaces",
            "replace the tab by spaces",
        )
    message, hint = _in_words(said, line_text[mark.column : mark.column + 1])
    opened = getattr(error, "context_mark", None)
    if opened is not None and any(part in said for part in _ENDS_IN_QUOTES):
        mark = opened  # the opening quote is the place to look at
    elif opened is not None and opened.line != mark.line:
        message += f" (in what begins at line {opened.line + 1})"
    return Problem(Location(file, mark.line + 1, mark.column + 1), message, hint)


def _in_words(said: str, character: str) -> tuple[str, str]:
    if "cannot start any token" in said:
        shown = _RESERVED.get(character, f"'{character}'")
        return f"text cannot begin with {shown} here", "put the text in quotes"
    for part, message, hint in _SYNTAX:
        if part in said:
            return message, hint
    return f"this is not YAML: {said}", ""


def _line(text: str, number: int) -> str:
    """The line with this number, from 0."""
    start = 0
    for _ in range(number):
        found = _BREAK.search(text, start)
        if found is None:
            return ""
        start = found.end()
    end = _BREAK.search(text, start)
    return text[start : end.start() if end else len(text)]


def _location(before: str, file: str) -> Location:
    """The place of the character that comes after ``before``."""
    lines = _BREAK.split(before)
    return Location(file, len(lines), len(lines[-1]) + 1)
