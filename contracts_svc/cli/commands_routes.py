"""The commands of the route file: ``contracts routes …``. Each imports what it needs when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from contracts_svc.cli.formats import Format, FormatOption

routes_app = typer.Typer(
    name="routes", help="Ask the route file of alerts.", no_args_is_help=True, rich_markup_mode="rich"
)

RoutesOption = Annotated[
    Path, typer.Option("--file", help="The route file (YAML, in the style of Alertmanager).")
]


@routes_app.command("check", epilog="Example: contracts routes check --file routes.yaml")
def routes_check(file: RoutesOption = Path("routes.yaml"), format: FormatOption = Format.text) -> None:
    """Read the route file and tell everything that is wrong with it, with line and column."""
    from contracts_svc.cli import routes as command

    raise typer.Exit(command.check(file, format))


@routes_app.command("test", epilog="Example: contracts routes test severity=error squad=menu")
def routes_test(
    labels: Annotated[list[str], typer.Argument(help="Labels of an alert, as name=value.")],
    file: RoutesOption = Path("routes.yaml"),
    at: Annotated[str, typer.Option("--at", help="When, as 2026-11-24T09:30+01:00. Default: now.")] = "",
    format: FormatOption = Format.text,
) -> None:
    """Show the way that an alert with these labels takes through the routes, and who gets it."""
    from contracts_svc.cli import routes as command

    raise typer.Exit(command.test(file, labels, at, format))
