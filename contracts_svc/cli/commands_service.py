"""The commands of the service, declared: ``contracts serve``, ``contracts token``, ``contracts gate``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

token_app = typer.Typer(
    name="token", help="Look after the API's tokens.", no_args_is_help=True, rich_markup_mode="rich"
)


session_app = typer.Typer(
    name="session", help="See and end logins of people.", no_args_is_help=True, rich_markup_mode="rich"
)


class _Format(StrEnum):
    text = "text"
    json = "json"


class _Severity(StrEnum):
    error = "error"
    warning = "warning"
    info = "info"


FormatOption = Annotated[_Format, typer.Option("--format", "-f", help="How to print the result.")]


def add_to(app: typer.Typer) -> None:
    """Give the program these commands."""
    app.add_typer(token_app)
    app.add_typer(session_app)
    app.command(epilog="Example: contracts serve --port 8080")(serve)
    app.command(epilog="Example: contracts gate flights --severity error")(gate)


@token_app.command(
    "create", epilog="Example: contracts token create --owner ada --scope editor --scope squad:menu"
)
def token_create(
    owner: Annotated[str, typer.Option("--owner", help="Whose it is: a person, a team or a program.")],
    scope: Annotated[
        list[str],
        typer.Option(
            "--scope",
            help="What it may do: viewer, editor, lineage, publisher, admin; squad:NAME names a squad it "
            "acts for. May be repeated.",
        ),
    ],
    days: Annotated[int, typer.Option("--days", min=1, max=3650, help="Days until it runs out.")] = 90,
    tenant: Annotated[str, typer.Option("--tenant", help="The tenant whose contracts it is for.")] = "",
    format: FormatOption = _Format.text,
) -> None:
    """Make a token for the API and show it, this once: only a hash of it is kept."""
    from contracts_svc.cli import token as command

    raise typer.Exit(command.create(owner, scope, days, tenant, format.value))


@token_app.command("list", epilog="Example: contracts token list --format json")
def token_list(format: FormatOption = _Format.text) -> None:
    """List every token: whose it is, what it may do, until when. Never the tokens themselves."""
    from contracts_svc.cli import token as command

    raise typer.Exit(command.show(format.value))


@token_app.command("revoke", epilog="Example: contracts token revoke 3f0c2a9d51be")
def token_revoke(
    token: Annotated[str, typer.Argument(help="The token's id, as `contracts token list` shows it.")],
    format: FormatOption = _Format.text,
) -> None:
    """Make a token useless at once. Its row stays, so that the audit can still be read."""
    from contracts_svc.cli import token as command

    raise typer.Exit(command.revoke(token, format.value))


@session_app.command("list", epilog="Example: contracts session list --format json")
def session_list(format: FormatOption = _Format.text) -> None:
    """List who is logged in: what they may do, until when."""
    from contracts_svc.cli import session as command

    raise typer.Exit(command.show(format.value))


@session_app.command("end", epilog="Example: contracts session end ada@example.com")
def session_end(
    name: Annotated[str, typer.Argument(help="The person, as `contracts session list` shows them.")],
    format: FormatOption = _Format.text,
) -> None:
    """End every session of a person at once: who has left, or whose groups have changed, logs in anew."""
    from contracts_svc.cli import session as command

    raise typer.Exit(command.end(name, format.value))


def serve(
    host: Annotated[
        str | None, typer.Option("--host", help="Address to listen at. Default: CONTRACTS_HOST.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", min=0, max=65535, help="Port; 0: any free one. Default: CONTRACTS_PORT."),
    ] = None,
    demo: Annotated[
        bool,
        typer.Option(
            "--demo",
            help="Ask nobody for a token, to try it out with contracts of your own. Only for an address of "
            "this machine alone.",
        ),
    ] = False,
) -> None:
    """Serve the HTTP API until it is told to stop (SIGTERM, Ctrl-C).

    The API is at /api/v1, its description at /api/v1/docs. Every request needs a token of `contracts token
    create`. Logs go to stderr: lines for people on a terminal, else one JSON object a line.
    """
    from contracts_svc.cli import serve as command

    raise typer.Exit(command.run(host, port, demo))


def gate(
    dataset: Annotated[str, typer.Argument(help="Contract id, table name, or OpenLineage name.")],
    severity: Annotated[
        _Severity, typer.Option("--severity", help="An open incident closes the gate if it is this bad.")
    ] = _Severity.error,
    max_age: Annotated[
        float | None,
        typer.Option("--max-age", min=0, help="Hours: the last check may not be older. Default: any age."),
    ] = None,
    format: FormatOption = _Format.text,
) -> None:
    """May a pipeline read this dataset now? Ends with 0: yes, 1: no, 3: nobody can tell.

    Asks the service at CONTRACTS_SERVICE_URL with the token CONTRACTS_SERVICE_TOKEN; without them, the
    database of CONTRACTS_DATABASE_URL itself. A dataset that was never checked is "nobody can tell".
    """
    from contracts_svc.cli import gate as command

    raise typer.Exit(command.run(dataset, severity.value, max_age, format.value))
