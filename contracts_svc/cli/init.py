"""``contracts init``"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts_svc import app, settings
from contracts_svc.adapters.storage.places import parse
from contracts_svc.cli.output import count, print_json
from contracts_svc.cli.workspace import read_text
from contracts_svc.errors import ExitCode, Problem, UserMistake
from contracts_svc.flows.onboard import Place, first_look
from contracts_svc.odcs import CONTRACT_SUFFIXES
from contracts_svc.onboard import FirstLook, contract_text, name_of

STDOUT = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    name: str
    look: FirstLook
    text: str
    file: str


def run(paths: Sequence[str], output: str | None, force: bool, format: str) -> ExitCode:
    """Look at the data of each path, and write a contract for each. Nothing is written unless all can be."""
    if output is not None and len(paths) > 1:
        raise UserMistake.of(f"--output {output} is one file, and {len(paths)} were named", "leave it out")
    if output == STDOUT and format == "json":
        raise UserMistake.of("--output - writes the contract where --format json writes", "leave one out")
    drafts = [_draft(path, output) for path in paths]
    _are_tables_of_their_own(drafts)
    _may_be_written(drafts, force)
    for draft in drafts:
        if draft.file == STDOUT:
            print(draft.text, end="")
            continue
        try:
            Path(draft.file).write_text(draft.text, encoding="utf-8")
        except OSError as error:
            raise UserMistake.of(
                f"{draft.file} cannot be written: {error.strerror}", "see --output"
            ) from error
    if format == "json":
        print_json(ExitCode.OK, {"contracts": [_json(d) for d in drafts]})
    elif output != STDOUT:
        for draft in drafts:
            _print(draft)
    return ExitCode.OK


def _draft(path: str, output: str | None) -> _Draft:
    parsed = parse(path)
    chosen = settings.load()
    access = app.s3_access(chosen) if parsed.remote else None
    place = Place(given=path, base=f"{parsed.prefix}{parsed.top}", remote=parsed.remote, glob=parsed.is_glob)
    look = first_look(
        place,
        storage=app.storage(access),
        engine=app.engine(chosen, access),
        snapshots=app.snapshots(access),
    )
    name = name_of(parsed.path)
    file = output or f"{name}{CONTRACT_SUFFIXES[0]}"
    text = contract_text(name, look)
    read_text(text.encode(), file)
    return _Draft(name=name, look=look, text=text, file=file)


def _are_tables_of_their_own(drafts: Sequence[_Draft]) -> None:
    """Raises UserMistake for the files of one table that a shell has named one by one."""
    seen: dict[tuple[str, ...], _Draft] = {}
    for draft in drafts:
        columns = tuple(c.name for c in draft.look.columns)
        other = seen.setdefault(columns, draft)
        folder, _, name = draft.look.location.rpartition("/")
        if other is not draft and other.look.location.rpartition("/")[0] == folder:
            pattern = f"{folder}{'/' if folder else ''}*{Path(name).suffix}"
            raise UserMistake.of(
                f"{other.look.location} and {draft.look.location} have the same columns: they look like one "
                "table",
                f"put the pattern in quotes, so that the shell leaves it alone: contracts init '{pattern}'; "
                "tables of their own are named one by one",
            )


def _may_be_written(drafts: Sequence[_Draft], force: bool) -> None:
    problems: list[Problem] = []
    files: Mapping[str, _Draft] = {}
    for draft in drafts:
        if draft.file in files:
            message = (
                f"{files[draft.file].look.location} and {draft.look.location} are both called {draft.name}"
            )
            problems.append(Problem(None, message, "name them one by one, with --output"))
        elif draft.file != STDOUT and Path(draft.file).exists() and not force:
            hint = "name another file with --output, or let it be written over with --force"
            problems.append(Problem(None, f"{draft.file} is there already", hint))
        files = {**files, draft.file: draft}
    if problems:
        raise UserMistake(problems)


def _print(draft: _Draft) -> None:
    look = draft.look
    rows = "" if look.rows is None else f", {count(look.rows, 'row')}"
    required = sum(c.required for c in look.columns)
    print(
        f"{draft.file}: {look.reading.format}, {count(look.files, 'file')}{rows}, "
        f"{count(len(look.columns), 'column')}, {required} required"
    )
    todo = draft.text.count("TODO")
    print(f"    next: see to its {count(todo, 'TODO')}, then contracts check {draft.file}")


def _json(draft: _Draft) -> dict[str, Any]:
    look = draft.look
    return {
        "file": draft.file,
        "contract": draft.name,
        "location": look.location,
        "format": look.reading.format,
        "files": look.files,
        "rows": look.rows,
        "columns": len(look.columns),
        "required": sum(c.required for c in look.columns),
        "sampled": look.sampled,
    }
