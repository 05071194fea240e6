"""The waivers that a blocked change lacks, as the YAML to paste."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from contracts_svc.findings import Finding
from contracts_svc.policy import Outcome
from contracts_svc.render import clean
from contracts_svc.render.json_text import UNSAFE
from contracts_svc.verdict import Verdict

_USUAL_DAYS = 30
_MOST = 10
_PLAIN = re.compile(r"[A-Za-z][\w.+@ /-]*\Z", re.ASCII)
_WORDS = frozenset(("null", "true", "false", "yes", "no", "on", "off"))
SOMEBODY = "your name"
"""Stands for the approver where nobody in particular must agree."""


def waivers_yaml(verdict: Verdict) -> tuple[str, ...]:
    """The lines to add to the waivers file, the reasons left to write. Empty: nothing is blocked.

    One waiver for each change and each of those who must agree to it; of many the first ten, and a
    last line with the number of the others.
    """
    if verdict.decided_at is None:
        return ()
    days = min(_USUAL_DAYS, verdict.policy.waiver_days)
    until = (verdict.decided_at + timedelta(days=days)).astimezone(UTC)
    wanted = list(_wanted(verdict))
    lines: list[str] = []
    for finding, approver in wanted[:_MOST]:
        lines += _waiver(finding, approver, until)
    if len(wanted) > _MOST:
        lines.append(f"# and {len(wanted) - _MOST} more")
    return tuple(lines)


def _wanted(verdict: Verdict) -> Iterator[tuple[Finding, str]]:
    seen: set[tuple[str, str]] = set()
    for ruling in verdict.rulings:
        if ruling.outcome is not Outcome.BLOCK:
            continue
        for approver in ruling.missing or (SOMEBODY,):
            pair = ruling.finding.fingerprint, approver
            if pair not in seen:
                seen.add(pair)
                yield ruling.finding, approver


def _waiver(finding: Finding, approver: str, until: datetime) -> list[str]:
    path = clean(finding.change.path if finding.change else finding.rule)
    # Nothing in a comment can end it, or the block of code around it.
    told = path.replace("`", "'").replace("##", "# #")[:100]
    return [
        f"# {clean(finding.rule)}: {told}",
        f'- fingerprint: "{finding.fingerprint}"',
        f"  approver: {_scalar(approver)}",
        "  reason:",
        f"  expires: {until:%Y-%m-%dT%H:%M:%SZ}",
    ]


def _scalar(text: str) -> str:
    """The text as a YAML scalar on one line, which reads back as it was."""
    if _PLAIN.match(text) and text.lower() not in _WORDS and text == text.strip():
        return text
    quoted = UNSAFE.sub(_escaped, json.dumps(text, ensure_ascii=False))
    return quoted.replace("`", "\\x60").replace("##", "#\\x23")


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    # Half of a surrogate pair is no character, and YAML has no way to write it.
    return "\ufffd" if 0xD800 <= code <= 0xDFFF else f"\\U{code:08X}"
