"""Takes typed values out of a YAML tree, and notes every mistake at its place with the way out.

:class:`NodeReader` reads nodes, whoever has them; :class:`Fields` reads a mapping key by key.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

from contracts_svc.errors import Location, Problem
from contracts_svc.odcs.yaml_nodes import MAX_PROBLEMS, Node

T = TypeVar("T")
_LONGEST = 60


class NodeReader:
    """Reads the nodes of one file. Its getters give None for what is wrong, after noting it.

    ``secret``: values may be secrets, and are not shown.
    """

    def __init__(self, file: str, *, secret: bool = False) -> None:
        self.file = file
        self._secret = secret
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
            self.wrong(
                node, f"{subject} must be a list, not {self._shown(node)}", "begin each entry with '- '"
            )

    def mapping(self, node: Node, subject: str) -> dict[str, Node]:
        """The nodes of a mapping by key."""
        if isinstance(node.value, dict) and isinstance(node.children, dict):
            return node.children
        self.wrong(node, f"{subject} must be a mapping, not {self._shown(node)}", "write 'key: value' lines")
        return {}

    def _shown(self, node: Node) -> str:
        return "a single value" if self._secret and not isinstance(node.value, dict | list) else shown(node)

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


class Fields:
    """A mapping of a YAML file. All that come from one root share its list of problems."""

    def __init__(self, node: Node, file: str, reader: NodeReader | None = None) -> None:
        self._node = node
        self._reader = reader or NodeReader(file, secret=True)

    def __iter__(self) -> Iterator[str]:
        return iter(self._node.keys)

    def __contains__(self, key: str) -> bool:
        return key in self._node.keys

    @property
    def problems(self) -> list[Problem]:
        """Every mistake that was noted up to now, in all that comes from this root."""
        return self._reader.problems

    def only(self, known: Iterable[str]) -> None:
        """Notes every key that is not one of these."""
        self._reader.known(self._node, tuple(known), "this")

    def text(self, key: str, *, required: bool = False) -> str:
        """A scalar as it is written; ``""`` when it is not there."""
        node = self._there(key)
        if node is None:
            if required:
                self.problem(None, f"'{key}' is missing", f"add '{key}: …'")
            return ""
        if isinstance(node.value, dict | list):
            self.problem(key, f"'{key}' must be text, not {shown(node)}", f"write '{key}: …'")
            return ""
        return _written(node)

    def flag(self, key: str) -> bool:
        """``true`` or ``false``; false when it is not there."""
        node = self._there(key)
        if node is not None and not isinstance(node.value, bool):
            self.problem(key, f"'{key}' must be true or false", f"write '{key}: true'")
        return node is not None and node.value is True

    def is_list(self, key: str) -> bool:
        """Whether a list stands under a key."""
        node = self._node.child(key)
        return node is not None and isinstance(node.value, list)

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of scalars."""
        found: list[str] = []
        for index, node in enumerate(self._list(key)):
            if isinstance(node.value, dict | list) or node.value is None:
                said = f"entry {index + 1} of '{key}' must be text"
                self._reader.wrong(node, said, f"write '{key}: [a, b]'")
            else:
                found.append(_written(node))
        return tuple(found)

    def texts_by_key(self, key: str) -> dict[str, str]:
        """A mapping of scalars."""
        inner = self.mapping(key)
        return {k: inner.text(k) for k in inner} if inner else {}

    def mapping(self, key: str) -> Fields | None:
        """The mapping under a key, or None."""
        node = self._there(key)
        if node is None or not (self._reader.mapping(node, f"'{key}'") or node.value == {}):
            return None
        return Fields(node, "", self._reader)

    def mappings(self, key: str) -> Iterator[Fields]:
        """The mappings of a list."""
        for index, node in enumerate(self._list(key)):
            if self._reader.mapping(node, f"entry {index + 1} of '{key}'") or node.value == {}:
                yield Fields(node, "", self._reader)

    def _there(self, key: str) -> Node | None:
        node = self._node.child(key)
        return None if node is None or node.value is None else node

    def _list(self, key: str) -> Iterator[Node]:
        node = self._there(key)
        return iter(()) if node is None else self._reader.entries(node, f"'{key}'")

    # --- mistakes -------------------------------------------------------------------------------

    def problem(self, key: str | None, message: str, hint: str, *, at_key: bool = False) -> None:
        """Notes a mistake at the value of a key (or the key itself), or at the mapping."""
        node = self._node.child(key) if key is not None else None
        if key is not None and (at_key or node is None) and key in self._node.keys:
            self._reader.wrong(self._node.keys[key], message, hint)
        else:
            self._reader.wrong(node or self._node, message, hint)

    def noted(self, message: str, hint: str) -> Problem:
        """A remark at the mapping that is no mistake."""
        return Problem(Location(self._reader.file, self._node.line, self._node.column), message, hint)

    def unknown(self, key: str, what: str, name: str, known: Mapping[str, object], section: str) -> None:
        """Notes a name that is defined nowhere."""
        found = close(name, known)
        meant = f"; did you mean {found!r}?" if found else ""
        names = ", ".join(list(known)[:20]) or "none"
        hint = f"define it under '{section}' (there are: {names})"
        self.problem(key, f"no {what} is called {name!r}{meant}", hint)

    @contextmanager
    def problems_at(self, key: str, kind: type[Exception], hint: str) -> Iterator[None]:
        """Notes an error of this kind at the value of a key."""
        try:
            yield
        except kind as error:
            self.problem(key, str(error), hint)


def _written(node: Node) -> str:
    return node.value if isinstance(node.value, str) else node.text


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
