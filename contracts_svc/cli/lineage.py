"""``contracts lineage``"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from contracts_svc import settings
from contracts_svc.cli import sources
from contracts_svc.cli.output import count, paint, print_json
from contracts_svc.cli.workspace import load
from contracts_svc.errors import ExitCode, UserMistake
from contracts_svc.flows.lineage import Lineage, gather
from contracts_svc.lineage.column_names import lineage_names
from contracts_svc.lineage.graph import ColumnRef, Consumer, DatasetId, Edge, EdgeKind
from contracts_svc.lineage.identity import Identities, Unmatched


def impact(
    dataset: str,
    column: str | None,
    contracts: Path,
    lineage: Sequence[Path],
    dialect: str,
    format: str,
) -> ExitCode:
    """Tell who reads a dataset or one of its columns."""
    gathered = _gathered(contracts, lineage, dialect)
    identities = gathered.identities
    found = _find(dataset, identities, gathered)
    refs = _columns(found, column, identities, gathered)
    report = [(ref, tuple(gathered.graph.downstream(ref))) for ref in refs]
    if format == "json":
        print_json(ExitCode.OK, _json(found, report, gathered))
    else:
        _print(found, report, gathered)
    return ExitCode.OK


def unmatched(contracts: Path, lineage: Sequence[Path], dialect: str, format: str) -> ExitCode:
    """Tell which datasets of the lineage no contract describes, and which tables no lineage names."""
    gathered = _gathered(contracts, lineage, dialect)
    silent = sorted(gathered.identities.known.keys() - gathered.graph.flowing)
    strangers = gathered.identities.unmatched(gathered.unmatched)
    if format == "json":
        print_json(ExitCode.OK, _unmatched_json(strangers, silent, gathered))
        return ExitCode.OK
    for each in strangers:
        meant = f"  (is it {' or '.join(each.suggestions)}?)" if each.suggestions else ""
        print(f"  {paint(str(each.dataset), 'bold')}{meant}")
    print(f"{count(len(strangers), 'dataset')} of the lineage without a contract")
    for dataset in silent:
        print(f"  {paint(str(dataset), 'bold')}")
    print(f"{count(len(silent), 'table')} of the contracts that no lineage names")
    for problem in gathered.problems:
        print(f"not understood: {problem}")
    return ExitCode.OK


def _unmatched_json(
    strangers: Iterable[Unmatched], silent: Iterable[DatasetId], lineage: Lineage
) -> dict[str, Any]:
    return {
        "without_contract": [
            {
                "dataset": {"namespace": u.dataset.namespace, "name": u.dataset.name},
                "suggestions": list(u.suggestions),
            }
            for u in strangers
        ],
        "without_lineage": [{"namespace": d.namespace, "name": d.name} for d in silent],
        "not_understood": [str(p) for p in lineage.problems],
    }


def _gathered(contracts: Path, lineage: Sequence[Path], dialect: str) -> Lineage:
    if not contracts.exists():
        # Mostly the default, so "check the path" would speak of what nobody wrote.
        raise UserMistake.of(
            f"{contracts} does not exist", "say with --contracts which folder or file the contracts are in"
        )
    known = tuple(load([contracts]).values())
    paths = lineage or settings.load().lineage
    if not paths:
        raise UserMistake.of(
            "no lineage is given, so nobody can say who reads",
            f"give --lineage with a folder, or with {sources.KINDS}",
        )
    now = datetime.now(UTC)
    found = sources.from_paths(paths, now)
    return gather(
        known,
        sql=found.sql,
        heard=found.heard,
        declarations=found.declarations,
        promised=known,
        dialect=dialect,
    )


def _find(text: str, identities: Identities, lineage: Lineage) -> DatasetId:
    found = identities.find(text)
    if found is not None:
        return found
    same = [d for d in lineage.graph.datasets if text in (d.name, str(d))]
    if same:
        return same[0]
    close = ", ".join(identities.suggest(text)) or ", ".join(sorted(d.name for d in lineage.graph.datasets))
    raise UserMistake.of(f"no dataset {text!r} is known", f"known are for instance: {close}")


def _columns(
    dataset: DatasetId, column: str | None, identities: Identities, lineage: Lineage
) -> list[ColumnRef]:
    known = identities.contract_of(dataset)
    # Who asks may use the contract's path, or the name that lineage has for it.
    named = {c.path: name for name, c in lineage_names(known[1])} if known else {}
    read = {e.source.column for e in lineage.graph.edges if e.source.dataset == dataset}
    names = list(dict.fromkeys([*named.values(), *sorted(c for c in read if c)]))
    if column is None:
        return [ColumnRef(dataset, n) for n in names]
    found = named.get(column, column)
    if found not in names:
        raise UserMistake.of(f"{dataset.name} has no column {column!r}", f"it has: {', '.join(names)}")
    return [ColumnRef(dataset, found)]


Report = Iterable[tuple[ColumnRef, tuple[tuple[Edge, ...], ...]]]


def _reader(lineage: Lineage, dataset: DatasetId) -> Consumer | None:
    return next((c for c in lineage.consumers if c.dataset == dataset), None)


def _print(dataset: DatasetId, report: Report, lineage: Lineage) -> None:
    print(f"who reads {paint(str(dataset), 'bold')}")
    unread = []
    for ref, paths in report:
        if not paths:
            unread.append(ref.column or "")
            continue
        print(f"  {paint(ref.column or '', 'bold')}")
        for path in paths:
            last = path[-1]
            reader = _reader(lineage, last.target.dataset)
            team = f"  ({reader.kind.value} of {reader.team})" if reader and reader.team else ""
            steps = "".join(f" -{_how(e)}-> {e.target}" for e in path)
            print(f"    {steps.strip()}{team}")
    if unread:
        print(f"  nobody reads, as far as is known: {', '.join(unread)}")
    datasets = {e.target.dataset for _, paths in report for p in paths for e in p}
    print(f"{count(len(datasets), 'dataset')} downstream")
    for problem in lineage.problems:
        print(f"not understood: {problem}")


def _how(edge: Edge) -> str:
    return edge.type.value if edge.kind is EdgeKind.DIRECT else f"{edge.type.value}, indirect"


def _json(dataset: DatasetId, report: Report, lineage: Lineage) -> dict[str, Any]:
    return {
        "dataset": {"namespace": dataset.namespace, "name": dataset.name},
        "columns": [
            {"column": ref.column, "readers": [_path_json(p, lineage) for p in paths]}
            for ref, paths in report
        ],
        "not_understood": [str(p) for p in lineage.problems],
    }


def _path_json(path: tuple[Edge, ...], lineage: Lineage) -> dict[str, Any]:
    target = path[-1].target
    reader = _reader(lineage, target.dataset)
    return {
        "dataset": {"namespace": target.dataset.namespace, "name": target.dataset.name},
        "column": target.column,
        "kind": reader.kind.value if reader else None,
        "team": reader.team if reader else None,
        "path": [
            {
                "from": str(e.source),
                "to": str(e.target),
                "kind": e.kind.value,
                "type": e.type.value,
                "origin": e.origin,
            }
            for e in path
        ],
    }
