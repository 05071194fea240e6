"""The commands ``contracts incidents …``"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

incidents_app = typer.Typer(
    name="incidents",
    help="See what is wrong, and how long it took to see, to tell and to mend.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)


class Format(StrEnum):
    """How results are printed."""

    text = "text"
    json = "json"


FormatOption = Annotated[Format, typer.Option("--format", "-f", help="How to print the result.")]


@incidents_app.command("list", epilog="Example: contracts incidents list --resolved-within 1w")
def incidents_list(
    contract: Annotated[str, typer.Option("--contract", help="Only those of this contract.")] = "",
    resolved_within: Annotated[
        str, typer.Option("--resolved-within", help="Also those that are over since, as 2h, 1d or 1w.")
    ] = "",
    format: FormatOption = Format.text,
) -> None:
    """List the incidents that are not over, longest open first."""
    from contracts_svc.cli import incidents as command

    raise typer.Exit(command.incidents_list(contract, resolved_within, format))


@incidents_app.command("show", epilog="Example: contracts incidents show 3f2a91c0")
def incidents_show(
    incident: Annotated[str, typer.Argument(help="Its id, or how that begins.")],
    format: FormatOption = Format.text,
) -> None:
    """Show an incident: what was found, all that happened to it, and its times against what is promised."""
    from contracts_svc.cli import incidents as command

    raise typer.Exit(command.incidents_show(incident, format))


@incidents_app.command("acknowledge", epilog="Example: contracts incidents acknowledge 3f2a91c0 --for 4h")
def incidents_acknowledge(
    incident: Annotated[str, typer.Argument(help="Its id, or how that begins.")],
    lasts: Annotated[str, typer.Option("--for", help="How long, as 4h; default: until it is over.")] = "",
    author: Annotated[str, typer.Option("--author", help="Who is on it; default: you.")] = "",
    format: FormatOption = Format.text,
) -> None:
    """Say that one is on it. Repeats and escalation end, and those who were told see who it is."""
    from contracts_svc.cli import incidents_acting as command

    raise typer.Exit(command.acknowledge(incident, lasts, author, format))


@incidents_app.command("resolve", epilog="Example: contracts incidents resolve 3f2a91c0 --reason 'restored'")
def incidents_resolve(
    incident: Annotated[str, typer.Argument(help="Its id, or how that begins.")],
    reason: Annotated[str, typer.Option("--reason", help="Why it is over; others will read it.")],
    author: Annotated[str, typer.Option("--author", help="Who says so; default: you.")] = "",
    format: FormatOption = Format.text,
) -> None:
    """Say that it is over. Who was told hears it; the next run that fails opens it again."""
    from contracts_svc.cli import incidents_acting as command

    raise typer.Exit(command.resolve(incident, reason, author, format))
