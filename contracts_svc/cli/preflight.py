"""``contracts preflight``"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from contracts_svc import settings
from contracts_svc.adapters.git import GitRepository
from contracts_svc.adapters.openlineage import read_events
from contracts_svc.app import SystemClock
from contracts_svc.cli.output import count, print_json
from contracts_svc.cli.workspace import CONTRACT_SUFFIXES, lineage_texts, read_text
from contracts_svc.compat.history import pins_of
from contracts_svc.compat.modes import Mode
from contracts_svc.compat.rule import shown
from contracts_svc.errors import ExitCode
from contracts_svc.flows.history import Earlier
from contracts_svc.flows.lineage import gather
from contracts_svc.flows.preflight import ContractChange, preflight, read_sides
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
    sql, events = _lineage(code_host, base_commit, lineage or settings.load().lineage)
    known = gather(sides.base.values(), sql=sql, events=events, read_events=read_events, dialect=dialect)
    pins, problems = pins_of(sides.head.values())
    known = replace(known, problems=(*known.problems, *problems))
    earlier = Earlier(versions=lambda path: code_host.history(base_commit, path), read=read_text, pins=pins)
    done = preflight(sides, known, now=SystemClock().now(), mode=Mode(mode), earlier=earlier)
    code = done.verdict.exit_code
    if format == "json":
        print_json(
            code,
            {
                "base": base_commit,
                "head": head_commit,
                "mode": mode,
                "changed": [change_json(c) for c in done.changed],
                "against": {contract: list(versions) for contract, versions in done.against.items()},
                "verdict": verdict_json(done.verdict),
            },
        )
        return code
    changed = count(len(done.changed), "changed contract")
    print(f"{changed} between {base_commit[:12]} (base) and {head_commit[:12]} (head)")
    for contract, versions in done.against.items():
        if len(versions) > 1:
            print(
                f"{contract} is judged against {count(len(versions), 'earlier version')}: {shown(versions)}"
            )
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
    code_host: GitRepository, commit: str, given: Sequence[Path]
) -> tuple[Mapping[str, bytes], Mapping[str, bytes]]:
    if given:
        return lineage_texts(given)
    return code_host.texts(commit, (".sql",)), code_host.texts(commit, (".jsonl",))
