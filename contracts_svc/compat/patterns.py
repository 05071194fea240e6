"""Regular expressions of ``logicalTypeOptions.pattern``, in a form in which they can be compared."""

from __future__ import annotations

import re


def valid(pattern: str) -> bool:
    """Whether it is a regular expression at all.

    The standard asks for ECMA-262, which differs from Python's in how named groups and some escapes
    are written; those are put into Python's spelling first.
    """
    spelt = re.sub(r"\(\?<(?![=!])", "(?P<", pattern).replace(r"\/", "/")
    spelt = re.sub(r"\\u([0-9a-fA-F]{4})|\\c[A-Za-z]|\\[pP]\{[^}]*\}", ".", spelt)
    try:
        re.compile(spelt)
    except (re.error, OverflowError, RecursionError):
        return False
    return True


def full_match(pattern: str) -> str:
    """The pattern that matches whole values where this one is searched for in them.

    An anchor is dropped, a side without one gets ``.*``: ``^a`` is ``a.*``, and ``b`` is ``.*b.*``.
    """
    if _alternatives(pattern):
        return f".*(?:{pattern}).*"
    head = pattern.startswith("^")
    tail = pattern.endswith("$") and not _escaped(pattern, len(pattern) - 1)
    core = pattern[1 if head else 0 : len(pattern) - 1 if tail else len(pattern)]
    before = "" if head or core.startswith(".*") else ".*"
    after = "" if tail or (core.endswith(".*") and not _escaped(core, len(core) - 2)) else ".*"
    return before + core + after


def _escaped(text: str, index: int) -> bool:
    """Whether an odd number of backslashes stands before the character."""
    before = text[:index]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1


def _alternatives(pattern: str) -> bool:
    """Whether a ``|`` stands outside all groups and classes."""
    depth, in_class, skip = 0, False, False
    for char in pattern:
        if skip:
            skip = False
        elif char == "\\":
            skip = True
        elif in_class:
            in_class = char != "]"
        elif char == "[":
            in_class = True
        elif char in "()":
            depth += 1 if char == "(" else -1
        elif char == "|" and depth == 0:
            return True
    return False
