"""A Report as GitHub workflow commands: annotations at file, line and column.

https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

from contracts_svc.policy import Outcome
from contracts_svc.render.places import relative
from contracts_svc.render.report import Note, Report

_COMMANDS = {Outcome.BLOCK: "error", Outcome.WARN: "warning", Outcome.PASS: "notice"}
_LONGEST = 4000
"""Characters of one annotation's text. GitHub takes 64 KB for a whole line."""


def github_text(report: Report) -> str:
    """One line per note, the worst first, then one for what could not be checked, then the headline.

    GitHub shows ten errors, ten warnings and ten notices of a step; the rest stay in the log.
    """
    worst_first = sorted(report.notes, key=lambda n: -n.outcome.rank)
    lines = [_line(n) for n in worst_first]
    lines += [f"::error title=could not check::{_data(text)}" for text in report.could_not_check]
    return "\n".join([*lines, f"::notice title=contracts::{_data(report.headline)}"])


def _line(note: Note) -> str:
    title = f"{note.rule}: {note.subject}" + (" (waived)" if note.waivers else "")
    given = (
        {"file": relative(note.at.file), "line": str(note.at.line), "col": str(note.at.column)}
        if note.at
        else {}
    )
    properties = ",".join(f"{k}={_property(v)}" for k, v in {**given, "title": title}.items())
    return f"::{_COMMANDS[note.outcome]} {properties}::{_data(note.text)}"


def _data(text: str) -> str:
    """As the toolkit's ``escapeData`` does it."""
    cut = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    return cut.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """As the toolkit's ``escapeProperty`` does it."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")
