"""JSON from outside -> values, or one clear reason why not."""

from __future__ import annotations

import json
import re

from contracts_svc.model import Json

_SUSPECT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_UNUSABLE = re.compile("[\0\ud800-\udfff]")


class Unreadable(Exception):
    """Why a text is no JSON that can be used, and where (line and column count from 1)."""

    def __init__(self, reason: str, line: int = 1, column: int = 1) -> None:
        self.reason, self.line, self.column = reason, line, column
        super().__init__(reason)


def parsed(text: bytes, most: int) -> Json:
    """The value of a JSON text of at most ``most`` bytes, in UTF-8. Raises Unreadable.

    Text with a NUL or half of a surrogate pair is refused: it can be neither stored nor shown.
    """
    if len(text) > most:
        raise Unreadable(f"longer than {most:,} bytes")
    try:
        value = json.loads(text.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise Unreadable(f"not UTF-8 at byte {error.start + 1}") from None
    except json.JSONDecodeError as error:
        raise Unreadable(f"not JSON: {error.msg}", error.lineno, error.colno) from None
    except (RecursionError, ValueError) as error:
        # ValueError: a number of more digits than Python reads.
        raise Unreadable(f"not JSON that can be read: {error}") from None
    if _SUSPECT.search(text) and (found := _unusable(value)):
        raise Unreadable(f"it holds the character {found!a}, which is none of a text")
    return value


def _unusable(value: Json) -> str | None:
    todo = [value]
    while todo:
        part = todo.pop()
        if isinstance(part, str):
            found = _UNUSABLE.search(part)
            if found:
                return found[0]
        elif isinstance(part, dict):
            todo += [*part.keys(), *part.values()]
        elif isinstance(part, list):
            todo += part
    return None
