"""The commands of whoever keeps the service running: ``contracts db …``, ``contracts settings``."""

from __future__ import annotations

import typer

from contracts_svc.cli.formats import Format, FormatOption

db_app = typer.Typer(
    name="db", help="Look after the service's database.", no_args_is_help=True, rich_markup_mode="rich"
)


def add_to(app: typer.Typer) -> None:
    """Give the program these commands."""
    app.add_typer(db_app)
    app.command(epilog="Example: contracts settings --format json")(settings)


def settings(format: FormatOption = Format.text) -> None:
    """Show every setting, and where it comes from: the default, the file, or the environment.

    What is secret is hidden. Ends with 2 when any of them is wrong, and says which.
    """
    from contracts_svc.cli import settings as command

    raise typer.Exit(command.run(format))


@db_app.command("upgrade", epilog="Example: contracts db upgrade")
def db_upgrade(format: FormatOption = Format.text) -> None:
    """Bring the database's tables up to this version, in one transaction.

    The database is that of the setting CONTRACTS_DATABASE_URL. Run it once after an update, before the
    service starts again; run twice, or by two at once, it does no harm. Take a backup first.
    """
    from contracts_svc.cli import db as command

    raise typer.Exit(command.upgrade(format))


@db_app.command("status", epilog="Example: contracts db status --format json")
def db_status(format: FormatOption = Format.text) -> None:
    """Tell which revision the database is at, and what `contracts db upgrade` would apply."""
    from contracts_svc.cli import db as command

    raise typer.Exit(command.status(format))


@db_app.command("prune", epilog="Example: contracts db prune")
def db_prune(format: FormatOption = Format.text) -> None:
    """Forget runs, events, lineage and messages that are older than the settings CONTRACTS_KEEP_..._DAYS.

    In small transactions, beside a running service, which does it by itself every hour. Contracts, incidents
    and the audit stay.
    """
    from contracts_svc.cli import db as command

    raise typer.Exit(command.prune(format))
