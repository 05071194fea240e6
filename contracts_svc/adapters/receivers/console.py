"""The console receiver: a notification as plain text of at most 80 columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rich.cells import cell_len, chop_cells

from contracts_svc.alerts import Audience, Notification, Section
from contracts_svc.ports import Delivery
from contracts_svc.routing_text import linked, table, visible

WIDTH = 80
"""Columns of the terminal."""
_LONGEST_LINE = 5 * WIDTH
_MARKS = 4
"""Characters that may share one column."""


class ConsoleReceiver:
    """Writes each notification as text through ``write``, which gets the whole message at once."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write

    def send(self, notification: Notification) -> Delivery:
        """Write it. What the terminal cannot take is the caller's own error."""
        self._write(text(notification))
        return Delivery(sent=True)


def text(notification: Notification) -> str:
    """The notification as lines of at most :data:`WIDTH` columns, with a newline at the end."""
    who = "to the owner" if notification.audience is Audience.OWNER else "to the stakeholder"
    where = " ".join(filter(None, (notification.receiver, notification.channel)))
    over = notification.labels.get("state") == "resolved"
    severity = "" if over else f"{notification.severity.value.upper()}: "
    lines = [
        *_wrapped(severity + notification.title, ""),
        *_wrapped(f"{who} {notification.team} ({where})", ""),
    ]
    for section in notification.sections:
        lines += ["", *_section(section)]
    return "\n".join(lines) + "\n"


def _section(section: Section) -> Iterator[str]:
    yield from _wrapped(section.heading, "  ")
    for line in section.lines:
        yield from _wrapped(line, "    ")
    for link in section.links:
        yield from _wrapped(linked(link), "    ")
    if section.rows:
        indent = "      "
        room = WIDTH - len(indent)
        yield from (indent + line for line in table(section.rows, width=room, length=cell_len, cut=_cut))


def _cut(value: str, width: int) -> str:
    """At most ``width`` columns, whole characters, an ellipsis where something is missing."""
    # Marks that take no room of their own (accents, joiners) could still be without end.
    most = _MARKS * width
    if cell_len(value) <= width and len(value) <= most:
        return value
    return chop_cells(value[:most], width - 1)[0] + "…"


def _wrapped(value: str, indent: str) -> Iterator[str]:
    """Lines of at most :data:`WIDTH` columns, broken at spaces where there are some."""
    hanging = indent + "  "
    line = indent
    for word in _words(_cut(visible(value), _LONGEST_LINE), WIDTH - len(hanging)):
        joined = f"{line} {word}" if line.strip() else line + word
        if cell_len(joined) <= WIDTH:
            line = joined
        else:
            yield line
            line = hanging + word
    yield line


def _words(value: str, room: int) -> Iterator[str]:
    for word in value.split():
        yield from chop_cells(word, room)


def make(options: dict[str, str]) -> ConsoleReceiver:
    """From the options of a route file, of which there are none."""
    return ConsoleReceiver(print)
