"""Reading a YAML mapping key by key, with every mistake noted at its place instead of raised."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from contracts_svc.errors import Location, Problem
from contracts_svc.odcs.yaml_nodes import Node


class Fields:
    """A mapping of a YAML file. All that come from one root share its list of problems."""

    def __init__(self, node: Node, file: str, problems: list[Problem] | None = None) -> None:
        self._node = node
        self._file = file
        self.problems: list[Problem] = [] if problems is None else problems

    def __iter__(self) -> Iterator[str]:
        return iter(self._node.keys)

    def __contains__(self, key: str) -> bool:
        return key in self._node.keys

    def only(self, known: Iterable[str]) -> None:
        """Notes every key that is not one of these."""
        known = tuple(known)
        for key in self:
            if key not in known:
                close = difflib.get_close_matches(key, known, n=1)
                meant = f"; did you mean '{close[0]}'?" if close else ""
                self.problem(key, f"unknown key '{key}'{meant}", f"known: {', '.join(known)}", at_key=True)

    def text(self, key: str, *, required: bool = False) -> str:
        """A scalar as it is written; ``""`` when it is not there."""
        node = self._node.child(key)
        if node is None or node.value is None:
            if required:
                self.problem(None, f"'{key}' is missing", f"add '{key}: …'")
            return ""
        if isinstance(node.value, dict | list):
            self.problem(key, f"'{key}' must be text, not a {_kind(node)}", f"write '{key}: …'")
            return ""
        return node.value if isinstance(node.value, str) else node.text

    def flag(self, key: str) -> bool:
        """``true`` or ``false``; false when it is not there."""
        node = self._node.child(key)
        if node is None or node.value is None:
            return False
        if not isinstance(node.value, bool):
            self.problem(key, f"'{key}' must be true or false", f"write '{key}: true'")
        return node.value is True

    def is_list(self, key: str) -> bool:
        """Whether a list stands under a key."""
        node = self._node.child(key)
        return node is not None and isinstance(node.value, list)

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of scalars."""
        found: list[str] = []
        for index, node in enumerate(self._list(key)):
            if isinstance(node.value, dict | list) or node.value is None:
                self._note(node, f"entry {index + 1} of '{key}' must be text", f"write '{key}: [a, b]'")
            else:
                found.append(node.value if isinstance(node.value, str) else node.text)
        return tuple(found)

    def texts_by_key(self, key: str) -> dict[str, str]:
        """A mapping of scalars."""
        inner = self.mapping(key)
        return {k: inner.text(k) for k in inner} if inner else {}

    def mapping(self, key: str) -> Fields | None:
        """The mapping under a key, or None."""
        node = self._node.child(key)
        if node is None or node.value is None:
            return None
        if not isinstance(node.value, dict):
            self.problem(key, f"'{key}' must be a mapping, not a {_kind(node)}", f"write '{key}: {{…}}'")
            return None
        return Fields(node, self._file, self.problems)

    def mappings(self, key: str) -> Iterator[Fields]:
        """The mappings of a list."""
        for index, node in enumerate(self._list(key)):
            if isinstance(node.value, dict):
                yield Fields(node, self._file, self.problems)
            else:
                self._note(node, f"entry {index + 1} of '{key}' must be a mapping", "write '- key: value'")

    def _list(self, key: str) -> list[Node]:
        node = self._node.child(key)
        if node is None or node.value is None:
            return []
        if isinstance(node.children, list) and isinstance(node.value, list):
            return node.children
        self.problem(key, f"'{key}' must be a list, not a {_kind(node)}", f"write '{key}: […]'")
        return []

    # --- mistakes -------------------------------------------------------------------------------

    def problem(self, key: str | None, message: str, hint: str, *, at_key: bool = False) -> None:
        """Notes a mistake at the value of a key (or the key itself), or at the mapping."""
        node = self._node.child(key) if key is not None else None
        if key is not None and (at_key or node is None) and key in self._node.keys:
            self.problems.append(Problem(Location(self._file, *self._node.keys[key]), message, hint))
        else:
            self._note(node or self._node, message, hint)

    def noted(self, message: str, hint: str) -> Problem:
        """A remark at the mapping that is no mistake."""
        return Problem(Location(self._file, self._node.line, self._node.column), message, hint)

    def unknown(self, key: str, what: str, name: str, known: Mapping[str, object], section: str) -> None:
        """Notes a name that is defined nowhere."""
        close = difflib.get_close_matches(name, known, n=1)
        meant = f"; did you mean {close[0]!r}?" if close else ""
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

    def _note(self, node: Node, message: str, hint: str) -> None:
        self.problems.append(Problem(Location(self._file, node.line, node.column), message, hint))


def _kind(node: Node) -> str:
    names = {dict: "mapping", list: "list", bool: "truth value", str: "text"}
    return names.get(type(node.value), "number")
