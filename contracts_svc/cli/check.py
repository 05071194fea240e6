"""``contracts check``"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from contracts_svc import app, app_history, settings
from contracts_svc.cli.output import count, folded, paint, print_json
from contracts_svc.cli.workspace import read_file
from contracts_svc.errors import ExitCode, UserMistake, worst
from contracts_svc.flows.check import check
from contracts_svc.flows.check_places import within
from contracts_svc.flows.check_progress import Step
from contracts_svc.model import Contract, Server, Table
from contracts_svc.quality.references import resolver
from contracts_svc.render import clean
from contracts_svc.render.check_junit import junit
from contracts_svc.render.run import outcome_counts, run_json
from contracts_svc.runs import Outcome, Result, Run


@dataclass(frozen=True, slots=True)
class Scope:
    """Which part of the table is asked for; ``full``: also what earlier runs told; ``new_files``: only what
    none of them told."""

    partitions: Sequence[str] = ()
    since: str = ""
    full: bool = False
    new_files: bool = False


def run(
    path: Path,
    server_name: str | None,
    table_name: str | None,
    scope: Scope,
    samples: int | None,
    format: str,
    metrics: Path | None = None,
) -> ExitCode:
    """Check every table of a contract on one of its servers."""
    contract = read_file(path)
    server = pick_server(contract, server_name)
    tables = _tables(contract, table_name)
    chosen = settings.load()
    access = app.s3_access(chosen) if server.type == "s3" else None
    storage, engine = app.storage(access), app.engine(chosen, access)
    runs = [
        check(
            contract,
            table,
            server,
            storage=storage,
            engine=engine,
            clock=app.SystemClock(),
            target_of=resolver(contract, neighbours(contract, path)),
            partition=_partition(scope.partitions),
            since=scope.since,
            custom=app.custom_checks(chosen.checks_directory, storage),
            samples=chosen.samples if samples is None else samples,
            progress=_progress() if format == "text" else None,
            states=app.states(chosen),
            full=scope.full,
            new_files=scope.new_files,
            location_of=within(chosen.allowed_locations),
            snapshots=app.snapshots(access),
            elsewhere=app.other_sources(chosen),
            history=app_history.history(chosen),
        )
        for table in tables
    ]
    _tell(contract, tables, runs, chosen, metrics)
    code = worst(r.exit_code for r in runs)
    if format == "json":
        print_json(code, {"runs": [run_json(r) for r in runs]})
    elif format == "junit":
        print(junit(runs), end="")
    else:
        for done in runs:
            print_run(done)
    return code


def _tell(
    contract: Contract,
    tables: Sequence[Table],
    runs: Sequence[Run],
    chosen: settings.Settings,
    metrics: Path | None,
) -> None:
    """Tell whoever is to hear of it. That it could not be told is said, and changes no verdict."""
    if not chosen.openlineage_url and metrics is None:
        return
    from contracts_svc.app_outcomes import Outcomes

    figures = None
    if metrics is not None:
        from prometheus_client import CollectorRegistry

        from contracts_svc.check_metrics import CheckMetrics

        figures = CheckMetrics(CollectorRegistry())
    outcomes = Outcomes(chosen, figures)
    for table, done in zip(tables, runs, strict=True):
        for problem in outcomes.tell(contract, table, done):
            print(f"warning: {problem}", file=sys.stderr)
    if figures is not None and metrics is not None:
        try:
            figures.write(metrics)
        except OSError as error:
            raise UserMistake.of(f"{metrics} cannot be written: {error}", "name another file") from error


def pick_server(contract: Contract, name: str | None) -> Server:
    """The server of that name, else the first. Raises UserMistake."""
    if not contract.servers:
        raise UserMistake.of(
            f"{contract.title} has no server, so there is no data to check",
            "add `servers:` with type, location and format",
            contract.at,
        )
    found = next((s for s in contract.servers if name in (None, s.server)), None)
    if found is None:
        names = ", ".join(s.server for s in contract.servers)
        raise UserMistake.of(f"{contract.title} has no server {name!r}", f"it has: {names}", contract.at)
    return found


def _tables(contract: Contract, name: str | None) -> tuple[Table, ...]:
    if name is None:
        if not contract.tables:
            raise UserMistake.of(f"{contract.title} has no tables", "add `schema:`", contract.at)
        return contract.tables
    found = contract.table(name)
    if found is None:
        names = ", ".join(t.name for t in contract.tables)
        raise UserMistake.of(f"{contract.title} has no table {name!r}", f"it has: {names}", contract.at)
    return (found,)


def _partition(given: Sequence[str]) -> dict[str, str]:
    found = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not (key and equals):
            raise UserMistake.of(
                f"--partition {text!r} is not key=value", "for instance --partition month=12"
            )
        found[key] = value
    return found


def neighbours(contract: Contract, path: Path) -> dict[str, Contract]:
    """The contracts that this one's relationships name by file, as far as they are there and valid."""
    relationships = [r for t in contract.tables for r in t.relationships]
    relationships += [r for t in contract.tables for c in t.walk() for r in c.relationships]
    names = {target.partition("#")[0] for r in relationships for target in r.target if "#" in target}
    found: dict[str, Contract] = {}
    for name in sorted(names - {""}):
        beside = path.parent / name
        if beside.is_file():
            # One that is not valid is left out: the relationship is then reported as one that cannot
            # be resolved, and everything else is still checked.
            with suppress(UserMistake):
                found[name] = read_file(beside)
    return found


_BAR = 20


def _progress() -> Callable[[Step], None] | None:
    """A line on the terminal, written over until it is gone; none where nobody watches."""
    if not sys.stderr.isatty():
        return None

    def show(step: Step) -> None:
        over = step.done >= step.total
        print(f"\r\x1b[K{'' if over else progress_line(step)}", end="", file=sys.stderr, flush=True)

    return show


def progress_line(step: Step) -> str:
    """How far a check is, in one line."""
    filled = _BAR * step.done // max(step.total, 1)
    bar = "#" * filled + "-" * (_BAR - filled)
    text = f"{step.phase:<8}[{bar}] {step.done:,}/{step.total:,}"
    if step.all_files:
        text += f"  {step.files:,} of {count(step.all_files, 'file')}"
        text += f", {step.bytes / 1e6:,.1f} of {step.all_bytes / 1e6:,.1f} MB"
    if step.all_rows:
        text += f", {step.rows or 0:,} of {count(step.all_rows, 'row')}"
    return text


_STYLE: Mapping[Outcome, str] = {
    Outcome.PASSED: "green",
    Outcome.FAILED: "bold red",
    Outcome.WARNED: "yellow",
    Outcome.ERRORED: "bold red",
    Outcome.SKIPPED: "dim",
}


def print_run(run: Run) -> None:
    """A run as text: what did not pass first and in full, then a line on the rest."""
    size = f"{run.bytes / 1e6:,.1f} MB"
    rows = "" if run.rows is None else f", {count(run.rows, 'row')}"
    told = f" {run.version} on {run.server}, {run.scope}: {count(run.files, 'file')}, {size}{rows}"
    print(paint(run.table, "bold") + folded(f"{run.table}{told}", "    ")[len(run.table) :])
    unmeasured: dict[str, list[Result]] = {}
    for result in sorted(run.results, key=lambda r: _ORDER.index(r.outcome)):
        if result.reason:
            unmeasured.setdefault(f"{result.outcome}{result.reason}", []).append(result)
        elif result.outcome is not Outcome.PASSED:
            print_result(result)
    for same in unmeasured.values():
        print_unmeasured(same)
    for promise in run.unsupported:
        _print_labelled("NO CHECK", "dim", f"{clean(promise.what)}  ({promise.at})")
        _print_below(clean(promise.reason))
    counts = outcome_counts(run.results)
    told = ", ".join(f"{n} {name}" for name, n in counts.items() if n)
    seconds = (run.finished - run.started).total_seconds()
    read = f"{run.files_read:,} of {count(run.files, 'file')} read, {run.bytes_read / 1e6:,.1f} MB"
    read += f"; {run.files_spared:,} not needed, {run.bytes_spared / 1e6:,.1f} MB" if run.files_spared else ""
    scans = count(run.scans, "scan")
    print(folded(f"  {count(len(run.results), 'check')}: {told} ({scans}, {read}, {seconds:.2f} s)", "    "))


_ORDER = (Outcome.FAILED, Outcome.ERRORED, Outcome.WARNED, Outcome.SKIPPED, Outcome.PASSED)


_INDENT = " " * 10
_BESIDE = " " * 9


def _print_labelled(label: str, style: str, text: str) -> None:
    start = f"  {label.ljust(7)}"
    print(f"  {paint(label.ljust(7), style)}" + folded(f"{start} {text}", _INDENT)[len(start) :])


def _print_below(text: str, indent: str = "") -> None:
    print(folded(f"{_INDENT}{text}", _INDENT + indent))


def print_unmeasured(results: Sequence[Result]) -> None:
    """Checks that ended without a measurement for the same reason, told once."""
    first = results[0]
    shown = ", ".join(r.check.id for r in results[:3])
    more = f" and {count(len(results) - 3, 'more check')}" if len(results) > 3 else ""
    _print_labelled(first.outcome.value.upper(), _STYLE[first.outcome], f"{shown}{more}")
    _print_below(first.reason)


def print_result(result: Result) -> None:
    """One result as text, with where it fails and some failing rows."""
    outcome = result.outcome
    _print_labelled(outcome.value.upper(), _STYLE[outcome], f"{result.check.id}  ({result.check.at})")
    _print_below(f"expected {result.expected}", _BESIDE)
    _print_below(f"found    {result.found}", _BESIDE)
    if result.breakdown:
        shown = ", ".join(f"{b.where}: {b.failing:,}" for b in result.breakdown[:4])
        more = len(result.breakdown) - 4
        _print_below(f"where    {shown}" + (f" and {more} more" if more > 0 else ""), _BESIDE)
    for sample in result.samples[:3]:
        text = ", ".join(f"{k}={'NULL' if v is None else v}" for k, v in sample.items())
        _print_below(f"row      {text[:160]}", _BESIDE)
