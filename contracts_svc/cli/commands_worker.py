"""The commands of scheduled checks. Each imports what it needs when it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from contracts_svc.cli.formats import Format, FormatOption

schedule_app = typer.Typer(
    name="schedule",
    help="See and hold the schedules of registered contracts.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)

ContractArgument = Annotated[str, typer.Argument(help="The id of a registered contract.")]


def add_to(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command(epilog="Example: contracts worker --metrics-port 9101")(worker)
    app.add_typer(schedule_app)


def worker(
    metrics_port: Annotated[
        int | None,
        typer.Option("--metrics-port", min=1, max=65_535, help="Serve figures for Prometheus on this port."),
    ] = None,
) -> None:
    """Check registered contracts when their schedules say, until it is stopped (Ctrl-C, SIGTERM).

    With PostgreSQL any number may run: one of them, or of the services, plans what is due, and all carry
    it out. What is under way when it is stopped is finished or handed to another within half a minute.
    """
    from contracts_svc.cli import worker as command

    raise typer.Exit(command.run(metrics_port))


@schedule_app.command("show", epilog="Example: contracts schedule show urn:flights")
def schedule_show(
    contract: ContractArgument,
    count: Annotated[int, typer.Option("--count", min=1, max=100, help="How many times to show.")] = 3,
    format: FormatOption = Format.text,
) -> None:
    """Show by what a contract's tables are checked, when next, and how the last runs ended."""
    from contracts_svc.cli import worker as command

    raise typer.Exit(command.show(contract, count, format))


@schedule_app.command("pause", epilog="Example: contracts schedule pause urn:flights")
def schedule_pause(contract: ContractArgument, format: FormatOption = Format.text) -> None:
    """Begin no check of a contract by itself until it is resumed."""
    from contracts_svc.cli import worker as command

    raise typer.Exit(command.hold(contract, True, format))


@schedule_app.command("resume", epilog="Example: contracts schedule resume urn:flights")
def schedule_resume(contract: ContractArgument, format: FormatOption = Format.text) -> None:
    """End a pause. What was missed is caught up once."""
    from contracts_svc.cli import worker as command

    raise typer.Exit(command.hold(contract, False, format))
