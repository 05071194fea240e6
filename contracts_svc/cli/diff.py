"""``contracts diff``"""

from __future__ import annotations

from pathlib import Path

from contracts_svc.adapters.pattern_process import PatternProcess
from contracts_svc.cli.output import count, print_findings, print_json
from contracts_svc.cli.workspace import content, read_file
from contracts_svc.compat.diff import diff
from contracts_svc.compat.modes import Mode
from contracts_svc.compat.rules import judge
from contracts_svc.errors import ExitCode, Problem, UserMistake
from contracts_svc.findings import Severity, ordered
from contracts_svc.flows.compatibility import pattern_answers
from contracts_svc.model import Contract
from contracts_svc.policy import Policies
from contracts_svc.policy_read import read_policy
from contracts_svc.render.finding import finding_json
from contracts_svc.render.formats import FORMATS
from contracts_svc.render.markdown import findings_markdown
from contracts_svc.render.report import report_of_findings


def run(old: Path, new: Path, mode: str | None, format: str, policy: Path | None = None) -> ExitCode:
    """Judge every change between two versions; 1 when one of them breaks readers."""
    before, after = _both(old, new)
    policies = read_policy(content(policy), str(policy)) if policy else Policies()
    rulebook = policies.of(before)
    mode = mode or rulebook.mode.value
    changes = diff(before, after)
    with PatternProcess() as inclusion:
        known = pattern_answers(changes, before, after, inclusion)
    judged = judge(changes, before, after, Mode(mode), patterns=known)
    findings = ordered(rulebook.graded(f) for f in judged)
    errors = [f for f in findings if f.severity is Severity.ERROR]
    code = ExitCode.BROKEN if errors else ExitCode.OK
    if format == "json":
        print_json(
            code,
            {
                "old": {"file": str(old), "id": before.id, "version": before.version},
                "new": {"file": str(new), "id": after.id, "version": after.version},
                "mode": mode,
                "changes": len(changes),
                "findings": [finding_json(f) for f in findings],
            },
        )
        return code
    told = f"{count(len(changes), 'change')}, {count(len(errors), 'error')}"
    headline = f"{after.title} {before.version} -> {after.version} ({mode}): {told}"
    lines = FORMATS[format].lines
    if lines:
        print(lines(report_of_findings(findings, headline)))
    elif format == "markdown":
        print(findings_markdown(findings, headline), end="")
    else:
        print_findings(findings)
        print(headline)
    return code


def _both(old: Path, new: Path) -> tuple[Contract, Contract]:
    """Read both, and tell the problems of both at once. Raises UserMistake."""
    read: list[Contract] = []
    problems: list[Problem] = []
    for path in (old, new):
        try:
            read.append(read_file(path))
        except UserMistake as error:
            problems += error.problems
    if problems:
        raise UserMistake(problems)
    return read[0], read[1]
