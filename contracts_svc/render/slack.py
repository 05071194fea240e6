"""Notifications as Slack's Block Kit, within its limits.

All text goes into ``plain_text`` and ``rich_text`` elements, which Slack shows as it is: neither
``<!channel>`` nor ``*stars*`` in a column's name or value means anything there
(https://docs.slack.dev/reference/block-kit/blocks/rich-text-block). Only the fallback ``text`` is
read for mark-up, so it is escaped (https://docs.slack.dev/messaging/formatting-message-text).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from contracts_svc.alerts import Audience, IncidentState, Notification, OnIt, Section
from contracts_svc.findings import Severity
from contracts_svc.routes.groups import moment
from contracts_svc.routing_text import LONGEST_LINK, shortened, table, visible

Block = dict[str, Any]

MOST_BLOCKS = 50
"""Blocks in a message (https://docs.slack.dev/reference/block-kit/blocks)."""
LONGEST_HEADER = 150
"""Characters (https://docs.slack.dev/reference/block-kit/blocks/header-block)."""
LONGEST_BLOCK = 3_000
"""Characters of text in one block: the limit of a section's text, kept for every kind of block."""
LONGEST_MESSAGE = 12_000
"""Characters in all blocks together. Slack refuses long ones (``msg_blocks_too_long``) and gives no
figure; this has room to spare."""

LONGEST_URL = 3_000

OVER = "it is over"

_LONGEST_LINE = 600
_TABLE_WIDTH = 90


def fallback(text: str) -> str:
    """What a notification of the device shows, escaped."""
    short = shortened(visible(text), LONGEST_BLOCK // 5)
    return short.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") or "contracts"


def blocks(notification: Notification) -> list[Block]:
    """The notification as blocks; what does not fit is said to be left out."""
    about = [_stand(notification, notification.severity)]
    return _made(notification.title, about, notification.sections, len(actions(notification)))


def head(notification: Notification) -> list[Block]:
    """How the whole group stands, for the first message of its thread, with its buttons."""
    found = notification.head
    if found is None:
        return [*blocks(notification), *actions(notification)]
    about = [_stand(notification, found.severity)]
    made = _made(found.title, about, found.sections, len(actions(notification)))
    return [*made, *actions(notification)]


def update(notification: Notification) -> list[Block]:
    """What people did, for the thread."""
    return [_context(notification.update)]


def answer(text: str, sections: Sequence[Section] = ()) -> list[Block]:
    """What one person is told who pressed a button."""
    kept: list[Block] = [{"type": "rich_text", "elements": [_rich("rich_text_section", _line(text))]}]
    return kept + _fitted(sections, MOST_BLOCKS - 1)


def _made(title: str, about: list[str], sections: Sequence[Section], reserved: int) -> list[Block]:
    made = [_header(title), *map(_context, about)]
    return made + _fitted(sections, MOST_BLOCKS - reserved - len(made))


def _fitted(sections: Sequence[Section], room: int) -> list[Block]:
    """As many sections as fit; what is left out is said."""
    made: list[Block] = []
    used = 0
    for number, section in enumerate(sections):
        block, size = _section(section)
        left = len(sections) - number
        if used + size > LONGEST_MESSAGE or (len(made) == room - 1 and left > 1):
            made.append(_context(f"and {left} more part{'s' if left > 1 else ''}, too long for Slack"))
            break
        made.append(block)
        used += size
    return made


def _stand(notification: Notification, severity: Severity) -> str:
    """How it stands, who is on it, and for whom this is written."""
    audience = "owner" if notification.audience is Audience.OWNER else "stakeholder"
    words = [severity.value, _state(notification), f"to the {audience} {notification.team}"]
    if words[1] == OVER:
        del words[0]
    if notification.silenced is not None:
        words.insert(2, f"silenced by {_who(notification.silenced)}")
    return " · ".join(words)


def _state(notification: Notification) -> str:
    state = notification.labels.get("state") or notification.severity.value
    people = dict.fromkeys(_who(on_it) for on_it in notification.on_it.values())
    if state == IncidentState.RESOLVED.value and notification.still_open:
        state = f"{notification.still_open} still open"
    if state == IncidentState.RESOLVED.value:
        return OVER
    if not people:
        return state
    who = ", ".join(list(people)[:3]) + (" and others" if len(people) > 3 else "")
    if state == IncidentState.ACKNOWLEDGED.value:
        return f"acknowledged by {who}"
    return f"{state}, {len(notification.on_it)} of {notification.still_open} acknowledged by {who}"


def _who(on_it: OnIt) -> str:
    return on_it.who + (f" until {moment(on_it.until)}" if on_it.until else "")


@dataclass(frozen=True, slots=True)
class Button:
    """A row of :data:`BUTTONS`: what Slack sends back when it is pressed, and what it says."""

    action: str
    text: str
    owner_only: bool = False


ACKNOWLEDGE = Button("contracts.acknowledge", "Acknowledge")
SILENCE = Button("contracts.silence_24h", "Silence 24 h")
ASSIGN = Button("contracts.assign_to_me", "Assign to me")
ROWS = Button("contracts.show_rows", "Show rows", owner_only=True)
BUTTONS = (ACKNOWLEDGE, SILENCE, ASSIGN, ROWS)
"""The value of each button is the key of the group that it is about."""


def actions(notification: Notification) -> list[Block]:
    """The buttons below a message, as long as something is wrong that they could be about."""
    over = notification.labels.get("state") == IncidentState.RESOLVED.value and not notification.still_open
    if over or not notification.group:
        return []
    shown = [b for b in BUTTONS if not b.owner_only or notification.audience is Audience.OWNER]
    elements = [
        {"type": "button", "action_id": b.action, "text": _plain(b.text), "value": notification.group}
        for b in shown
    ]
    return [{"type": "actions", "block_id": "contracts", "elements": elements}]


def _section(section: Section) -> tuple[Block, int]:
    """A heading, a list and a table, and how many characters they hold."""
    heading = _line(section.heading)
    used = len(heading)
    parts: list[Block] = [_rich("rich_text_section", heading, bold=True)]
    grid = "\n".join(table(section.rows, width=_TABLE_WIDTH)) if section.rows else ""
    grid = shortened(grid, LONGEST_BLOCK // 2)
    lines: list[Block] = []
    for line in section.lines:
        shown = _line(line) or " "
        if used + len(shown) + len(grid) > LONGEST_BLOCK - 1:
            lines.append(_rich("rich_text_section", "…"))
            break
        lines.append(_rich("rich_text_section", shown))
        used += len(shown)
    for link in section.links:
        text = shortened(visible(link.text), LONGEST_LINK) or "link"
        if len(link.url) <= LONGEST_URL and used + len(text) + len(grid) < LONGEST_BLOCK:
            lines.append(_link(text, link.url))
            used += len(text)
    if lines:
        parts.append({"type": "rich_text_list", "style": "bullet", "elements": lines})
    if grid:
        parts.append(_rich("rich_text_preformatted", grid))
    return {"type": "rich_text", "elements": parts}, used + len(grid)


def _link(text: str, url: str) -> Block:
    return {"type": "rich_text_section", "elements": [{"type": "link", "url": url, "text": text}]}


def _line(text: str) -> str:
    return shortened(visible(text), _LONGEST_LINE)


def _rich(kind: str, text: str, *, bold: bool = False) -> Block:
    element: Block = {"type": "text", "text": text or " "}
    if bold:
        element["style"] = {"bold": True}
    return {"type": kind, "elements": [element]}


def _header(title: str) -> Block:
    return {"type": "header", "text": _plain(shortened(visible(title), LONGEST_HEADER) or " ")}


def _context(text: str) -> Block:
    return {"type": "context", "elements": [_plain(_line(text) or " ")]}


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text, "emoji": False}
