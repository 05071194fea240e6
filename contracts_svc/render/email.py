"""A notification as e-mail: HTML that every reader shows, without anything that is loaded from elsewhere.

Of what data holds nothing is mark-up here: every text is escaped, and only then put between tags.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from contracts_svc.alerts import Audience, IncidentState, Notification, Section
from contracts_svc.findings import Severity
from contracts_svc.model import Json
from contracts_svc.routing_text import shortened, value_text, visible

LONGEST = 60_000
"""Characters of the body; what does not fit is said to be left out."""
MOST_COLUMNS, MOST_ROWS, LONGEST_CELL = 12, 20, 100
_LONGEST_LINE = 1_000

_COLOURS = {Severity.ERROR: "#b3261e", Severity.WARNING: "#9a6700"}
_OVER, _OTHER = "#1a7f37", "#57606a"
_FONT = "font-family:-apple-system,'Segoe UI',Roboto,Arial,sans-serif;font-size:14px;line-height:1.5"
_CELL = "border:1px solid #d0d7de;padding:2px 8px;text-align:left"


def html(notification: Notification) -> str:
    """The body."""
    parts = [*_head(notification)]
    used = sum(map(len, parts))
    for number, section in enumerate(notification.sections):
        shown = "".join(_section(section))
        if used + len(shown) > LONGEST:
            left = len(notification.sections) - number
            parts.append(f"<p>and {left} more part{'s' if left > 1 else ''}, too long for an e-mail</p>")
            break
        parts.append(shown)
        used += len(shown)
    return f'<div dir="ltr" style="{_FONT}">{"".join(parts)}</div>'


def _head(notification: Notification) -> Iterator[str]:
    over = notification.labels.get("state") == IncidentState.RESOLVED.value
    colour = _OVER if over else _COLOURS.get(notification.severity, _OTHER)
    word = "over" if over else notification.severity.value
    audience = "owner" if notification.audience is Audience.OWNER else "stakeholder"
    yield f'<h2 style="color:{colour};font-size:18px;margin:0">{_text(notification.title)}</h2>'
    yield f'<p style="color:{_OTHER};margin:0">{word} · to the {audience} {_text(notification.team)}</p>'


def _section(section: Section) -> Iterator[str]:
    yield f'<h3 style="font-size:15px;margin:16px 0 4px">{_text(section.heading)}</h3>'
    if section.lines:
        items = "".join(f"<li>{_text(line)}</li>" for line in section.lines)
        yield f'<ul style="margin:0;padding-left:20px">{items}</ul>'
    if section.rows:
        yield from _table(section.rows)
    for link in section.links:
        yield f'<p style="margin:4px 0"><a href="{escape(link.url)}">{_text(link.text)}</a></p>'


def _table(rows: Sequence[Mapping[str, Json]]) -> Iterator[str]:
    names = list(dict.fromkeys(n for row in rows for n in row))
    shown = names[:MOST_COLUMNS]
    heads = "".join(f'<th style="{_CELL}">{_cell(n)}</th>' for n in shown)
    yield f'<table style="border-collapse:collapse;margin:8px 0;font-size:13px"><tr>{heads}</tr>'
    for row in rows[:MOST_ROWS]:
        cells = "".join(f'<td style="{_CELL}">{_cell(value_text(row.get(n)))}</td>' for n in shown)
        yield f"<tr>{cells}</tr>"
    yield "</table>"
    if more := len(names) - len(shown):
        yield f"<p>and {more} more column{'s' if more > 1 else ''}</p>"


def _text(text: str) -> str:
    return escape(shortened(visible(text), _LONGEST_LINE))


def _cell(text: str) -> str:
    return escape(shortened(visible(text), LONGEST_CELL))
