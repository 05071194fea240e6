"""A Verdict as plain text, for an engineer at a terminal."""

from __future__ import annotations

import textwrap

from contracts_svc.findings import Finding
from contracts_svc.impact import Impact
from contracts_svc.render import clean, path_text
from contracts_svc.verdict import Verdict

WIDTH = 100
"""Columns of the terminal that lines are wrapped to."""


def verdict_text(verdict: Verdict) -> str:
    """The whole verdict: the outcome first, then finding by finding who is affected, then coverage.

    Ends without a line break. Lines are wrapped at 100 columns; a longer word stays whole, so that
    names and places can be copied.
    """
    blocks = [_wrapped(verdict.headline)]
    others = [f"also: {r}" for r in verdict.reasons[1:]]
    blocks[0] += [line for other in others for line in _wrapped(other, 2)]
    blocks[0] += [line for c in verdict.could_not_check for line in _wrapped(f"could not check: {c}", 2)]
    blocks += [_finding(verdict, finding) for finding in verdict.findings]
    blocks.append(_coverage(verdict))
    return "\n\n".join("\n".join(block) for block in blocks)


def _finding(verdict: Verdict, finding: Finding) -> list[str]:
    lines = _wrapped(f"{finding.severity} {finding.rule}: {finding.message}")
    lines += _wrapped(f"at {finding.at}", 2)
    lines += _wrapped(f"why: {finding.why}", 2) if finding.why else []
    lines += _wrapped(f"fix: {finding.fix}", 2) if finding.fix else []
    waiver = verdict.waiver_of(finding)
    if waiver:
        until = f"{waiver.expires:%Y-%m-%d %H:%M %Z}".strip()
        lines += _wrapped(f"waived by {waiver.approver} until {until}: {waiver.reason}", 2)
    impacts = verdict.impacts_of(finding)
    for impact in impacts:
        lines += _impact(impact)
    ended = [a for a in verdict.absorbed if a.finding == finding]
    lines += [line for a in ended for line in _wrapped(f"absorbed by {a.at.dataset.name}: {a.reason}", 2)]
    if finding in verdict.unread:
        lines += _wrapped("nobody reads it, as far as the lineage knows", 2)
    elif not impacts:
        lines += _wrapped("affects nobody", 2)
    return lines


def _impact(impact: Impact) -> list[str]:
    consumer = impact.consumer
    team = f" ({consumer.team})" if consumer.team else ""
    columns = f": {', '.join(impact.columns)}" if impact.columns else ""
    knock_on = "" if impact.direct else ", a knock-on"
    return [
        *_wrapped(f"{impact.level} {consumer.kind} {consumer.name}{team}{columns}{knock_on}", 2),
        *_wrapped(impact.reason, 6),
        *_wrapped(path_text(impact.path), 6),
    ]


def _coverage(verdict: Verdict) -> list[str]:
    known = verdict.coverage
    lines = _wrapped(f"coverage: {known.datasets_known} datasets in the lineage, {known.consumers} consumers")
    for sentence in known.unknown:
        lines += _wrapped(f"not known: {sentence}", 2)
    return lines


def _wrapped(text: str, indent: int = 0) -> list[str]:
    return textwrap.wrap(
        clean(text),
        WIDTH,
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + 2),
        break_long_words=False,
        break_on_hyphens=False,
    )
