"""``contracts diff``"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from contracts_svc.adapters.pattern_process import PatternProcess
from contracts_svc.cli.output import count, print_findings, print_json
from contracts_svc.cli.workspace import content, read_file
from contracts_svc.compat.diff import diff
from contracts_svc.compat.history import active, versions_to_judge
from contracts_svc.compat.modes import Mode
from contracts_svc.compat.rule import shown
from contracts_svc.compat.rules import judge_each
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


def run(
    olds: Sequence[Path], new: Path, mode: str | None, format: str, policy: Path | None = None
) -> ExitCode:
    """Judge every change from earlier versions, oldest first, to a new one; 1 when readers break.
    Raises UserMistake."""
    if not olds:
        raise UserMistake.of(
            f"{new} has nothing to be compared with",
            f"name the version before it first: contracts diff OLD {new}; of a git branch, take "
            "contracts preflight --base main",
        )
    *history, after = _all([*olds, new])
    before = history[-1]
    policies = read_policy(content(policy), str(policy)) if policy else Policies()
    rulebook = policies.of(before)
    mode = mode or rulebook.mode.value
    asked = list(versions_to_judge(reversed(history), Mode(mode)))
    looked_at = {id(contract) for contract in asked}
    changes = diff(before, after)
    with PatternProcess() as inclusion:
        patterns = partial(pattern_answers, inclusion=inclusion)
        today = datetime.now(UTC).date()
        judged = judge_each(asked, after, Mode(mode), today=today, patterns=patterns)
    findings = ordered(rulebook.graded(f) for f in judged)
    errors = [f for f in findings if f.severity is Severity.ERROR]
    code = ExitCode.BROKEN if errors else ExitCode.OK
    if format == "json":
        print_json(
            code,
            {
                "old": _named(olds[-1], before),
                "new": _named(new, after),
                "history": [
                    {**_named(path, contract), "judged": id(contract) in looked_at}
                    for path, contract in zip(olds, history, strict=True)
                ],
                "mode": mode,
                "changes": len(changes),
                "findings": [finding_json(f) for f in findings],
            },
        )
        return code
    warnings = [f for f in findings if f.severity is Severity.WARNING]
    told = ", ".join(
        [count(len(changes), "change"), count(len(errors), "error"), count(len(warnings), "warning")]
    )
    versions = shown(tuple(c.version for c in reversed(asked)))
    headline = f"{after.title} {versions} -> {after.version} ({mode}): {told}"
    lines = FORMATS[format].lines
    if lines:
        print(lines(report_of_findings(findings, headline)))
        return code
    if format == "markdown":
        print(findings_markdown(findings, headline), end="")
        return code
    print_findings(findings)
    for path, contract in zip(olds, history, strict=True):
        if id(contract) not in looked_at:
            print(f"{path}: version {contract.version} was not looked at: {_why_not(contract, mode)}")
    print(headline)
    return code


def _named(path: Path, contract: Contract) -> dict[str, str]:
    return {"file": str(path), "id": contract.id, "version": contract.version}


def _why_not(contract: Contract, mode: str) -> str:
    if not Mode(mode).transitive:
        further = "" if mode == "NONE" else f"; {mode}_TRANSITIVE asks every active one"
        return f"{mode} asks the last one only{further}"
    return "a later file is of the same version" if active(contract) else f"it is {contract.status}"


def _all(paths: Sequence[Path]) -> list[Contract]:
    """Read all, and tell the problems of all at once. Raises UserMistake."""
    read: list[Contract] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            read.append(read_file(path))
        except UserMistake as error:
            problems += error.problems
    if problems:
        raise UserMistake(problems)
    return read
