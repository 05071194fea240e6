"""Plain text for receivers: data made harmless to show, and rows as an aligned table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from contracts_svc.alerts import Link, Section
from contracts_svc.model import Json

LONGEST_LINE = 1_000
"""Characters of one line of plain text."""
WIDEST_CELL = 28
_NARROWEST_CELL = 8
_GAP = "  "

LONGEST_LINK = 100
"""Characters of what a link is called."""

_JOINER = "\u200d"
"""Joins the parts of an emoji; every other invisible character could hide or reorder text."""

_LONGEST = 4_000
"""Characters of a text that are looked at: more than anybody is shown of it."""


def visible(text: str, longest: int = _LONGEST) -> str:
    """Text that is only shown: control, escape and direction characters are spelt out (``\\x1b``).

    More than ``longest`` characters are cut.
    """
    kept = shortened(text, longest)
    if kept.isprintable():
        return kept
    return "".join(
        c if c.isprintable() or c == _JOINER else c.encode("unicode_escape").decode() for c in kept
    )


def shortened(text: str, most: int) -> str:
    """At most so many characters, with an ellipsis where something is missing."""
    return text if len(text) <= most else text[: most - 1] + "…"


def plain(sections: Iterable[Section], most: int, *, width: int = 90) -> str:
    """Sections as plain text of at most so many characters: headings, bullets, and small tables."""
    lines: list[str] = []
    left = most
    for section in sections:
        for line in _lines(section, width):
            lines.append(line)
            left -= len(line) + 1
            if left <= 0:
                return shortened("\n".join(lines).strip(), most)
    return shortened("\n".join(lines).strip(), most)


def _lines(section: Section, width: int) -> Iterator[str]:
    yield ""
    yield visible(section.heading)
    for line in section.lines:
        yield f"- {shortened(visible(line), LONGEST_LINE)}"
    if section.rows:
        yield from table(section.rows, width=width)
    for link in section.links:
        yield f"- {linked(link)}"


def linked(link: Link) -> str:
    """A link as plain text."""
    return f"{shortened(visible(link.text), LONGEST_LINK)}: {visible(link.url)}"


def table(
    rows: Sequence[Mapping[str, Json]],
    *,
    width: int,
    length: Callable[[str], int] = len,
    cut: Callable[[str, int], str] = shortened,
) -> list[str]:
    """Rows as lines below a line of names, numbers to the right, at most ``width`` wide.

    Columns that do not fit are left out at the end and counted. ``length`` and ``cut`` measure and
    shorten text as the receiver shows it: by characters unless told otherwise.
    """
    names = list(dict.fromkeys(n for row in rows for n in row))
    cells = [[visible(n) for n in names], *([value_text(row.get(n)) for n in names] for row in rows)]
    natural = [min(max(map(length, column)), WIDEST_CELL) for column in zip(*cells, strict=True)]
    widths = _shrunk(natural, width)
    right = [all(_is_number(row.get(n)) for row in rows) for n in names]
    lines: list[str] = []
    for row in cells:
        shown: list[str] = []
        for cell, room, to_right in zip(row, widths, right, strict=False):
            text = cut(cell, room)
            space = " " * (room - length(text))
            shown.append(space + text if to_right else text + space)
        lines.append(_GAP.join(shown).rstrip())
    if left_out := len(names) - len(widths):
        lines.append(f"and {left_out} more column{'s' if left_out > 1 else ''}")
    return lines


def _shrunk(widths: Sequence[int], width: int) -> list[int]:
    """The widths made to fit: the widest are cut first, then columns at the end are dropped."""
    fitting = list(widths)
    while sum(fitting) + len(_GAP) * (len(fitting) - 1) > width:
        widest = max(range(len(fitting)), key=fitting.__getitem__)
        if fitting[widest] > _NARROWEST_CELL:
            fitting[widest] -= 1
        else:
            fitting.pop()
    return fitting


def value_text(value: Json) -> str:
    """A value of a row as people read it."""
    if value is None:
        return "NULL"
    if isinstance(value, dict | list | tuple):
        return visible(json.dumps(value, ensure_ascii=False, default=str))
    return visible(str(value))


def _is_number(value: Json) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))
