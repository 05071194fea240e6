"""The order of versions, after semantic versioning."""

from __future__ import annotations

import re

_Part = tuple[bool, int, str]
"""Numbers before letters; of numbers, however long, the number of digits and the digits."""


def precedence(version: str) -> tuple[tuple[_Part, ...], bool, tuple[_Part, ...]]:
    """A sort key for versions after semantic versioning 2.0.0, section 11 (https://semver.org).

    A pre-release comes before its release, build metadata does not count. Forgiving where contracts
    are: a leading ``v``, any number of parts (``1.2`` is ``1.2.0``), and letters, which come after
    numbers.
    """
    bare = re.sub(r"^[vV](?=[0-9])", "", version.strip()).partition("+")[0]
    core, dash, pre = bare.partition("-")
    release = [_part(p) for p in core.split(".")]
    while len(release) > 1 and release[-1] == (False, 0, ""):
        release.pop()
    return tuple(release), not dash, tuple(_part(p) for p in pre.split("."))


def _part(text: str) -> _Part:
    if not (text.isascii() and text.isdecimal()):
        return (True, 0, text)
    digits = text.lstrip("0")
    return (False, len(digits), digits)
