"""Takes typed values out of a YAML tree, and notes every mistake at its place with the way out."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from typing import TypeVar

from contracts_svc.errors import Location, Problem
from contracts_svc.odcs.yaml_nodes import MAX_PROBLEMS, Node

POLICY_FILE = "contracts-policy.yaml"
WAIVERS_FILE = "contracts-waivers.yaml"
"""The files at the top of a repository that hold its policy and its waivers."""

T = TypeVar("T")
_LONGEST = 60


class Fields:
    """Reads the nodes of one file. Its getters give None for what is wrong, after noting it."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []

    def wrong(self, place: Node | tuple[int, int], message: str, hint: str) -> None:
        """Note a mistake. Beyond the 100th they are only counted as one."""
        line, column = (place.line, place.column) if isinstance(place, Node) else place
        if len(self.problems) == MAX_PROBLEMS:
            message, hint = "more problems from here on", "correct the first ones"
        if len(self.problems) <= MAX_PROBLEMS:
            self.problems.append(Problem(Location(self.file, line, column), message, hint))

    def entries(self, node: Node, subject: str) -> Iterator[Node]:
        """The entries of a list."""
        if isinstance(node.value, list) and isinstance(node.children, list):
            yield from node.children
        else:
            self.wrong(node, f"{subject} must be a list, not {shown(node)}", "begin each entry with '- '")

    def mapping(self, node: Node, subject: str) -> dict[str, Node]:
        """The nodes of a mapping by key."""
        if isinstance(node.value, dict) and isinstance(node.children, dict):
            return node.children
        self.wrong(node, f"{subject} must be a mapping, not {shown(node)}", "write 'key: value' lines")
        return {}

    def known(self, node: Node, keys: Collection[str], subject: str) -> dict[str, Node]:
        """The nodes of a mapping by key, those left out that are none of ``keys``."""
        found = self.mapping(node, subject)
        for key in found:
            if key not in keys:
                meant = close(key, keys)
                question = f"; did you mean '{meant}'?" if meant else ""
                way_out = f"write '{meant}'" if meant else f"remove it; {subject} has: {', '.join(keys)}"
                self.wrong(node.keys[key], f"unknown key '{short(key)}'{question}", way_out)
        return {k: v for k, v in found.items() if k in keys}

    def required(self, node: Node, found: Mapping[str, Node], keys: Collection[str], subject: str) -> None:
        """Note each of these keys that is missing."""
        for key in keys:
            if key not in found and isinstance(node.value, dict):
                self.wrong(node, f"{subject} needs '{key}'", f"add '{key}: ...'")

    def text(self, node: Node, subject: str) -> str | None:
        """Text that is not blank."""
        if isinstance(node.value, str) and node.value.strip():
            return node.value.strip()
        hint = f"put it in quotes: '{short(node.text)}'" if node.text.strip() else "write some text"
        self.wrong(node, f"{subject} must be text, not {shown(node)}", hint)
        return None

    def choice(self, node: Node, options: Mapping[str, T], subject: str) -> T | None:
        """The value of one of these words; letter case does not matter."""
        value = node.value
        if isinstance(value, str) and value.lower() in options:
            return options[value.lower()]
        meant = close(value, options) if isinstance(value, str) else None
        question = f"; did you mean '{meant}'?" if meant else ""
        self.wrong(
            node, f"{subject} cannot be {shown(node)}{question}", f"write one of: {', '.join(options)}"
        )
        return None

    def whole(self, node: Node, subject: str, *, most: int = 3650, instead: str = "") -> int | None:
        """A whole number from 0 to ``most``; ``instead`` is a word that the caller takes, too."""
        value = node.value
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most:
            return value
        wanted = f"a whole number from 0 to {most:,}" + (f", or '{instead}'" if instead else "")
        self.wrong(node, f"{subject} must be {wanted}, not {shown(node)}", "write a number")
        return None


def close(text: str, options: Collection[str]) -> str | None:
    """The option that the author most likely meant, or None."""
    by_plain = {_plain(option): option for option in options}
    found = difflib.get_close_matches(_plain(text)[:_LONGEST], by_plain, n=1, cutoff=0.7)
    return by_plain[found[0]] if found else None


def _plain(text: str) -> str:
    return text.lower().replace("_", "").replace("-", "")


def short(text: str) -> str:
    """Text fit for one line of a message."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 3] + "..."


def shown(node: Node) -> str:
    """What is written there, for a message."""
    if isinstance(node.value, dict | list):
        return "a mapping" if isinstance(node.value, dict) else "a list"
    return f"'{short(node.text)}'" if node.text.strip() else "nothing"
