"""The commands of alerting: ``contracts outbox …`` and ``contracts silence …``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

outbox_app = typer.Typer(
    name="outbox",
    help="See what was told, and what could not be.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
silence_app = typer.Typer(
    name="silence", help="Keep alerts back for a while.", no_args_is_help=True, rich_markup_mode="rich"
)


class Format(StrEnum):
    """How results are printed."""

    text = "text"
    json = "json"


class State(StrEnum):
    """How a message stands."""

    all = "all"
    waiting = "waiting"
    retry = "retry"
    replaced = "replaced"
    sent = "sent"
    dead = "dead"


FormatOption = Annotated[Format, typer.Option("--format", "-f", help="How to print the result.")]


@outbox_app.command("list", epilog="Example: contracts outbox list --state dead")
def outbox_list(
    state: Annotated[State, typer.Option("--state", help="Only messages that stand so.")] = State.all,
    after: Annotated[int, typer.Option("--after", min=0, help="Only those after this number.")] = 0,
    format: FormatOption = Format.text,
) -> None:
    """List messages: to whom, by which receiver, how they stand and why. At most 100 at once."""
    from contracts_svc.cli import alerts as command

    raise typer.Exit(command.outbox_list(state, after, format))


@outbox_app.command("resend", epilog="Example: contracts outbox resend 3f2a91c0")
def outbox_resend(
    keys: Annotated[list[str] | None, typer.Argument(help="Keys of dead letters, or how they begin.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All that there are.")] = False,
    format: FormatOption = Format.text,
) -> None:
    """Send dead letters again. What is said is what is so now; what is over by now is not sent."""
    from contracts_svc.cli import alerts as command

    raise typer.Exit(command.outbox_resend(keys or [], every, format))


@outbox_app.command("send", epilog="Example: contracts outbox send")
def outbox_send(format: FormatOption = Format.text) -> None:
    """Send what is due now, once. Several may run at the same time; nothing is sent twice by that."""
    from contracts_svc.cli import alerts as command

    raise typer.Exit(command.outbox_send(format))


@silence_app.command("add", epilog="Example: contracts silence add dataset=flights --reason backfill")
def silence_add(
    matchers: Annotated[list[str], typer.Argument(help="Labels that an alert must have, all of them.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; others will read it.")],
    lasts: Annotated[str, typer.Option("--for", help="How long, as 2h, 1d or 1w.")] = "24h",
    author: Annotated[str, typer.Option("--author", help="Who silences it; default: you.")] = "",
    format: FormatOption = Format.text,
) -> None:
    """Tell nobody of alerts with these labels for a while; who was told before still hears the end."""
    from contracts_svc.cli import alerts as command

    raise typer.Exit(command.silence_add(matchers, reason, lasts, author, format))


@silence_app.command("list", epilog="Example: contracts silence list")
def silence_list(format: FormatOption = Format.text) -> None:
    """List the silences that are in force, or begin later."""
    from contracts_svc.cli import alerts as command

    raise typer.Exit(command.silence_list(format))


@silence_app.command("end", epilog="Example: contracts silence end 3f2a91c04b5d6e7f")
def silence_end(
    silence_id: Annotated[str, typer.Argument(help="Its id, as `contracts silence list` shows it.")],
    format: FormatOption = Format.text,
) -> None:
    """End a silence now. What is still wrong is told within the group interval."""
    from contracts_svc.cli import alerts as command

    raise typer.Exit(command.silence_end(silence_id, format))
