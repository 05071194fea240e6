"""Reading single fields of somebody else's JSON: tolerant of all that is not asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from contracts_svc.errors import Problem, UserMistake
from contracts_svc.github.names import RepositoryName, branch_name, commit_id

_Value = TypeVar("_Value")
_MOST_TEXT = 100_000
"""Characters of one text that are kept; the longest that GitHub has is a comment of 65,536."""


class Fields:
    """An object of a JSON document. A path is dotted (``pull_request.head.sha``).

    What is missing or null is None. What has another type than was asked for is a UserMistake that
    names the path. Nothing else of the document is looked at.
    """

    def __init__(self, raw: Mapping[str, Any], where: str = "") -> None:
        self._raw = raw
        self._where = where

    @classmethod
    def parse(cls, text: bytes, what: str) -> Fields:
        """Read a document that is an object. Raises UserMistake."""
        try:
            raw = json.loads(text)
        except RecursionError:
            raise UserMistake.of(f"{what} is nested too deeply") from None
        except ValueError as error:  # also what is no UTF-8, and numbers of thousands of digits
            raise UserMistake.of(f"{what} is no JSON: {error}") from None
        if not isinstance(raw, dict):
            raise UserMistake.of(f"{what} is {_kind(raw)}, not an object")
        return cls(raw)

    def text(self, path: str) -> str | None:
        """A text, of one that is very long the first 100,000 characters."""
        value = self.long_text(path)
        return value[:_MOST_TEXT] if value is not None else None

    def long_text(self, path: str) -> str | None:
        """A text of any length."""
        return self._get(path, str, "a text")

    def whole(self, path: str) -> int | None:
        """A whole number that is not negative."""
        value = self._get(path, int, "a whole number")
        if value is not None and (isinstance(value, bool) or not 0 <= value < 2**63):
            raise self._wrong(path, f"is {value!r:.40}, not a whole number of GitHub's")
        return value

    def truth(self, path: str) -> bool | None:
        """True or false."""
        return self._get(path, bool, "true or false")

    def part(self, path: str) -> Fields:
        """An object; one without fields where there is none."""
        return Fields(self._get(path, dict, "an object") or {}, self.path(path))

    def parts(self, path: str) -> tuple[Fields, ...]:
        """A list of objects; empty where there is none."""
        found = self._get(path, list, "a list") or []
        for number, item in enumerate(found):
            if not isinstance(item, dict):
                raise self._wrong(f"{path}[{number}]", f"is {_kind(item)}, not an object")
        return tuple(Fields(item, self.path(f"{path}[{n}]")) for n, item in enumerate(found))

    def texts(self, path: str) -> tuple[str, ...]:
        """A list of texts; empty where there is none."""
        found = self._get(path, list, "a list") or []
        for number, item in enumerate(found):
            if not isinstance(item, str):
                raise self._wrong(f"{path}[{number}]", f"is {_kind(item)}, not a text")
        return tuple(item[:_MOST_TEXT] for item in found)

    def has(self, path: str) -> bool:
        """Whether something other than null is there."""
        return self._find(path) is not None

    def commit(self, path: str) -> str | None:
        """A full commit id."""
        return self._read(path, commit_id)

    def branch(self, path: str) -> str | None:
        """The name of a branch."""
        return self._read(path, branch_name)

    def repository(self, path: str) -> RepositoryName | None:
        """The ``owner/name`` of a repository."""
        return self._read(path, RepositoryName.parse)

    def needed(self, path: str, value: _Value | None) -> _Value:
        """The value, which was read at this path and must be there. Raises UserMistake."""
        if value is None:
            raise self._wrong(path, "is missing")
        return value

    def path(self, path: str) -> str:
        """The path from the top of the document."""
        return f"{self._where}.{path}" if self._where else path

    def moment(self, path: str) -> datetime | None:
        """A time with its zone; one that is none is left out: none of ours depends on it alone."""
        text = self.text(path)
        try:
            found = datetime.fromisoformat(text) if text else None
        except ValueError:
            return None
        return found if found is not None and found.tzinfo is not None else None

    def _read(self, path: str, reader: Callable[[str], _Value]) -> _Value | None:
        text = self.text(path)
        if text is None:
            return None
        try:
            return reader(text)
        except UserMistake as error:
            at = self.path(path)
            raise UserMistake(Problem(p.at, f"{at}: {p.message}", p.hint) for p in error.problems) from None

    def _get(self, path: str, type_: type[_Value], words: str) -> _Value | None:
        value = self._find(path)
        if value is None or isinstance(value, type_):
            return value
        raise self._wrong(path, f"is {_kind(value)}, not {words}")

    def _find(self, path: str) -> Any:
        """What is at the path; None where it, or anything on the way, is missing or null."""
        found: Any = self._raw
        for number, name in enumerate(names := path.split(".")):
            if found is None:
                return None
            if not isinstance(found, Mapping):
                raise self._wrong(".".join(names[:number]), f"is {_kind(found)}, not an object")
            found = found.get(name)
        return found

    def _wrong(self, path: str, what: str) -> UserMistake:
        return UserMistake.of(f"{self.path(path)} {what}")


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, list) else "an object"
