"""``contracts preflight``"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from contracts_svc import settings
from contracts_svc.adapters.git import GitRepository
from contracts_svc.app import SystemClock, pattern_inclusion
from contracts_svc.cli import sources
from contracts_svc.cli.output import count, print_json
from contracts_svc.cli.workspace import CONTRACT_SUFFIXES, read_text
from contracts_svc.compat.modes import Mode
from contracts_svc.errors import ExitCode
from contracts_svc.findings import Finding
from contracts_svc.flows.jobs import job_findings
from contracts_svc.flows.lineage import gather
from contracts_svc.flows.preflight import ContractChange, preflight, read_sides
from contracts_svc.model import Contract
from contracts_svc.render.json import verdict_json
from contracts_svc.render.text import verdict_text


def run(
    repository: Path,
    base: str,
    head: str,
    lineage: Sequence[Path],
    dialect: str,
    mode: str,
    format: str,
) -> ExitCode:
    """Read both sides as git objects, judge the difference, print the verdict."""
    code_host = GitRepository.open(repository)
    head_commit = code_host.resolve(head)
    base_commit = code_host.merge_base(code_host.resolve(base), head_commit)
    sides = read_sides(
        code_host.texts(base_commit, CONTRACT_SUFFIXES),
        code_host.texts(head_commit, CONTRACT_SUFFIXES),
        read=read_text,
    )
    now = SystemClock().now()
    given = lineage or settings.load().lineage
    found, jobs = _lineage(code_host, base_commit, head_commit, given, sides.base.values(), dialect, now)
    known = gather(
        sides.base.values(),
        sql=found.sql,
        heard=found.heard,
        declarations=found.declarations,
        promised=sides.head.values(),
        dialect=dialect,
    )
    with pattern_inclusion() as inclusion:
        done = preflight(sides, known, now=now, mode=Mode(mode), jobs=jobs, inclusion=inclusion)
    code = done.verdict.exit_code
    if format == "json":
        print_json(
            code,
            {
                "base": base_commit,
                "head": head_commit,
                "mode": mode,
                "changed": [change_json(c) for c in done.changed],
                "verdict": verdict_json(done.verdict),
            },
        )
        return code
    changed = count(len(done.changed), "changed contract")
    print(f"{changed} between {base_commit[:12]} (base) and {head_commit[:12]} (head)")
    print(verdict_text(done.verdict))
    return code


def change_json(change: ContractChange) -> dict[str, Any]:
    """A changed contract, as every JSON output of ours writes it."""
    either = change.new or change.old
    return {
        "path": change.path,
        "contract": either.id if either else None,
        "old_version": change.old.version if change.old else None,
        "new_version": change.new.version if change.new else None,
    }


def _lineage(
    code_host: GitRepository,
    base: str,
    head: str,
    given: Sequence[Path],
    contracts: Iterable[Contract],
    dialect: str,
    now: datetime,
) -> tuple[sources.LineageSources, tuple[Finding, ...]]:
    """The lineage to judge by, and what the branch's own changes of SQL files do.

    That of the repository where none is given: its SQL as the branch would have it, since what the branch
    stops reading is not broken by it, and all else as it is on the base.
    """
    if given:
        return sources.from_paths(given, now), ()
    found = sources.from_texts(code_host.texts(base, (*sources.SUFFIXES, sources.CATALOG)), now)
    changed = code_host.texts(head, (".sql",))
    jobs = job_findings(found.sql, changed, contracts, dialect=dialect)
    return replace(found, sql=changed), jobs
