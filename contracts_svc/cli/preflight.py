"""``contracts preflight``"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from contracts_svc import settings
from contracts_svc.adapters.git import GitRepository
from contracts_svc.app import SystemClock
from contracts_svc.cli import sources
from contracts_svc.cli.output import count, print_json
from contracts_svc.cli.workspace import CONTRACT_SUFFIXES, read_text
from contracts_svc.compat.modes import Mode
from contracts_svc.errors import ExitCode
from contracts_svc.flows.lineage import Lineage, gather
from contracts_svc.flows.preflight import ContractChange, Sides, preflight, read_sides
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
    known = _lineage(code_host, base_commit, lineage or settings.load().lineage, sides, dialect, now)
    done = preflight(sides, known, now=now, mode=Mode(mode))
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
    code_host: GitRepository, base: str, given: Sequence[Path], sides: Sides, dialect: str, now: datetime
) -> Lineage:
    """The lineage that was given, else that of the base side."""
    if given:
        found = sources.from_paths(given, now)
    else:
        found = sources.from_texts(code_host.texts(base, (*sources.SUFFIXES, sources.CATALOG)), now)
    return gather(
        sides.base.values(),
        sql=found.sql,
        heard=found.heard,
        declarations=found.declarations,
        promised=sides.head.values(),
        dialect=dialect,
    )
