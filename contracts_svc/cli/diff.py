"""``contracts diff``"""

from __future__ import annotations

from pathlib import Path

from contracts_svc.adapters.pattern_process import PatternProcess
from contracts_svc.cli.output import count, print_findings, print_json
from contracts_svc.cli.workspace import read_file
from contracts_svc.compat.diff import diff
from contracts_svc.compat.modes import Mode
from contracts_svc.compat.rules import judge
from contracts_svc.errors import ExitCode, Problem, UserMistake
from contracts_svc.findings import Severity
from contracts_svc.flows.compatibility import pattern_answers
from contracts_svc.model import Contract
from contracts_svc.render.finding import finding_json


def run(old: Path, new: Path, mode: str, format: str) -> ExitCode:
    """Judge every change between two versions; 1 when one of them breaks readers."""
    before, after = _both(old, new)
    changes = diff(before, after)
    with PatternProcess() as inclusion:
        known = pattern_answers(changes, before, after, inclusion)
    findings = judge(changes, before, after, Mode(mode), patterns=known)
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
    print_findings(findings)
    told = f"{count(len(changes), 'change')}, {count(len(errors), 'error')}"
    print(f"{after.title} {before.version} -> {after.version} ({mode}): {told}")
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
