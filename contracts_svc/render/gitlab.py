"""A Report as GitLab's Code Quality artifact.

https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format
"""

from __future__ import annotations

import hashlib
from typing import Any

from contracts_svc.policy import Outcome
from contracts_svc.render.json_text import json_text
from contracts_svc.render.places import relative
from contracts_svc.render.report import Note, Report

_SEVERITIES = {Outcome.BLOCK: "critical", Outcome.WARN: "minor", Outcome.PASS: "info"}


def gitlab_text(report: Report) -> str:
    """The report as a list of issues. A note without a place is about the repository as a whole."""
    issues = [_issue(n) for n in report.notes]
    issues += [
        {
            "description": f"could not check: {text}",
            "check_name": "could-not-check",
            "fingerprint": hashlib.sha256(f"could-not-check\x1f{text}".encode()).hexdigest(),
            "severity": "blocker",
            "location": {"path": ".", "lines": {"begin": 1}},
        }
        for text in report.could_not_check
    ]
    # GitLab wants every fingerprint once.
    return json_text(list({i["fingerprint"]: i for i in issues}.values()))


def _issue(note: Note) -> dict[str, Any]:
    path, line = (relative(note.at.file), note.at.line) if note.at else (".", 1)
    same = note.fingerprint or f"{note.message}\x1f{line}"
    waived = "waived: " if note.waivers else ""
    return {
        "description": f"{waived}{'; '.join((note.message, *note.lines))}",
        "check_name": note.rule,
        "fingerprint": hashlib.sha256(f"{note.rule}\x1f{path}\x1f{same}".encode()).hexdigest(),
        "severity": _SEVERITIES[note.outcome],
        "location": {"path": path, "lines": {"begin": line}},
    }
