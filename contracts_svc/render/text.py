"""A Verdict as plain text, for an engineer at a terminal."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from contracts_svc.findings import Finding
from contracts_svc.impact import Impact
from contracts_svc.policy_files import WAIVERS_FILE
from contracts_svc.render import clean, path_text
from contracts_svc.render.approve import waivers_yaml
from contracts_svc.render.suggestion import suggestion_lines
from contracts_svc.verdict import Verdict

_Fold: TypeAlias = Callable[..., list[str]]
"""Text, and how far it is indented -> its lines."""
_COMMAND = re.compile(r"^(\s*)::")
WIDTH = 80
"""Columns that lines are wrapped to where it is not known how many there are."""


def verdict_text(verdict: Verdict, width: int = WIDTH) -> str:
    """The whole verdict: the outcome first, then finding by finding who is affected, then coverage,
    then the waivers to write where something is blocked.

    Ends without a line break. Lines are wrapped at ``width`` columns; a longer word stays whole, so that
    names and places can be copied. No line is a command to the log of a CI system.
    """
    fold = partial(wrapped, width)
    blocks = [fold(verdict.headline)]
    others = [f"also: {r}" for r in verdict.reasons[1:]]
    blocks[0] += [line for other in others for line in fold(other, 2)]
    blocks[0] += [line for c in verdict.could_not_check for line in fold(f"could not check: {c}", 2)]
    blocks += [_finding(verdict, finding, fold) for finding in verdict.findings]
    blocks.append(_coverage(verdict, fold))
    wanted = waivers_yaml(verdict)
    if wanted:
        how = fold(f"to approve, add to {WAIVERS_FILE} on the base branch:")
        blocks.append([*how, *(f"  {w}" for w in wanted)])
    return "\n\n".join("\n".join(block) for block in blocks)


def _finding(verdict: Verdict, finding: Finding, fold: _Fold) -> list[str]:
    ruling = verdict.ruling_of(finding)
    lines = fold(f"{finding.graded} {finding.rule}: {finding.message}")
    lines += fold(f"at {finding.at}, fingerprint {finding.fingerprint}", 2)
    lines += fold(f"why: {finding.why}", 2) if finding.why else []
    lines += fold(f"fix: {finding.fix}", 2) if finding.fix else []
    lines += [f"    {line}" for line in suggestion_lines(finding.suggestion)] if finding.suggestion else []
    lines += fold(f"too early: {ruling.early}", 2) if ruling.early else []
    for waiver in ruling.agreed:
        until = f"{waiver.expires:%Y-%m-%d %H:%M %Z}".strip()
        lines += fold(f"waived by {waiver.approver} until {until}: {waiver.reason}", 2)
    lines += fold(f"must agree: {', '.join(ruling.missing)}", 2) if ruling.missing else []
    lines += fold("the policy makes less of it than its impacts are", 2) if ruling.limited else []
    impacts = verdict.impacts_of(finding)
    for impact in impacts:
        lines += _impact(impact, fold)
    ended = verdict.absorbed_of(finding)
    lines += [line for a in ended for line in fold(f"absorbed by {a.at.dataset.name}: {a.reason}", 2)]
    if verdict.is_unread(finding):
        lines += fold("nobody reads it, as far as the lineage knows", 2)
    elif not impacts:
        known = " that is known" if verdict.coverage.unknown else ""
        lines += fold(f"affects nobody{known}", 2)
    return lines


def _impact(impact: Impact, fold: _Fold) -> list[str]:
    consumer = impact.consumer
    team = f" ({consumer.team})" if consumer.team else ""
    columns = f": {', '.join(impact.columns)}" if impact.columns else ""
    knock_on = "" if impact.direct else ", a knock-on"
    return [
        *fold(f"{impact.level} {consumer.kind} {consumer.name}{team}{columns}{knock_on}", 2),
        *fold(impact.reason, 6),
        *fold(path_text(impact.path), 6),
    ]


def _coverage(verdict: Verdict, fold: _Fold) -> list[str]:
    known = verdict.coverage
    lines = fold(f"coverage: {known.summary}")
    for sentence in known.unknown:
        lines += fold(f"not known: {sentence}", 2)
    return [*lines, *fold(f"judged by {verdict.policy.title}")]


def wrapped(width: int, text: str, indent: int = 0) -> list[str]:
    """A text as lines that steer no terminal and no CI system, all but the first further indented."""
    lines = textwrap.wrap(
        clean(text).replace("##", "# #"),
        width,
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + 2),
        break_long_words=False,
        break_on_hyphens=False,
    )
    # A line that begins with two colons is a command to GitHub's runner.
    return [_COMMAND.sub(r"\1: :", line) for line in lines]
