"""``contracts lint``"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from contracts_svc import odcs
from contracts_svc.cli.failure import mistake_json
from contracts_svc.cli.output import count, paint, print_findings, print_json
from contracts_svc.cli.workspace import content, contract_files, read_file
from contracts_svc.errors import ExitCode, Problem, UserMistake, worst
from contracts_svc.findings import Finding, Severity, ordered
from contracts_svc.policy_files import POLICY_FILE, WAIVERS_FILE
from contracts_svc.render.finding import finding_json


def run(paths: Sequence[Path], format: str) -> ExitCode:
    """Read every contract, tell all problems and findings, and return the exit code.

    A text that is no valid contract is a user's mistake (2). A valid one that contradicts itself is
    broken (1). Warnings alone are fine (0).
    """
    files = (*contract_files(paths), *_rulebooks(paths))
    problems: list[Problem] = []
    found: list[Finding] = []
    for path in files:
        try:
            found += _lint(path)
        except UserMistake as error:
            problems += error.problems
    findings = ordered(found)
    errors = [f for f in findings if f.severity is Severity.ERROR]
    code = worst([ExitCode.MISTAKE] * bool(problems) + [ExitCode.BROKEN] * bool(errors) + [ExitCode.OK])
    mistake = UserMistake(problems)
    if format == "json":
        print_json(
            code,
            {
                "files": [str(f) for f in files],
                **mistake_json(mistake),
                "findings": [finding_json(f) for f in findings],
            },
        )
        return code
    for problem in mistake.problems:
        print(f"{paint('invalid', 'bold red')} {problem}")
    print_findings(findings)
    bad = {p.at.file for p in mistake.problems if p.at}
    verdict = paint("ok", "green") if code is ExitCode.OK else paint("not ok", "bold red")
    warnings = len(findings) - len(errors)
    print(
        f"{verdict}: {count(len(files), 'file')} read, {len(bad)} invalid, "
        f"{count(len(errors), 'error')}, {count(warnings, 'warning')}"
    )
    return code


def _rulebooks(paths: Sequence[Path]) -> tuple[Path, ...]:
    """Policies and waivers below the folders; those that are named come with the contracts."""
    names = (POLICY_FILE, WAIVERS_FILE)
    found = (f for p in paths if p.is_dir() for name in names for f in sorted(p.rglob(name)) if f.is_file())
    return tuple(dict.fromkeys(found))


def _lint(path: Path) -> tuple[Finding, ...]:
    """What is to be said about one file, which its name tells the kind of. Raises UserMistake."""
    if path.name not in (POLICY_FILE, WAIVERS_FILE):
        return odcs.lint(read_file(path))
    # The compatibility rules, which a policy names, take a while to import.
    from contracts_svc.flows.rulebook import rulebook

    beside = {name: path.with_name(name) for name in (POLICY_FILE, path.name)}
    texts = {name: content(file) for name, file in beside.items() if file.exists()}
    rulebook(texts, now=datetime.now(UTC))
    return ()
