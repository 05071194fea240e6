"""The commands of lineage: ``contracts lineage …``. Each imports what it needs when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from contracts_svc.cli.formats import Format, FormatOption

lineage_app = typer.Typer(
    name="lineage", help="Ask the column-level lineage.", no_args_is_help=True, rich_markup_mode="rich"
)

ContractsOption = Annotated[
    Path,
    typer.Option("--contracts", help="Folder (or file) of the contracts that are known.", show_default=True),
]
LineageOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--lineage",
        help="SQL files, OpenLineage events (.jsonl, .json), dbt's manifest.json, data products and "
        "subscriptions (.yaml), or folders of these. May be repeated. "
        r"Default: the setting CONTRACTS_LINEAGE.",
    ),
]
DialectOption = Annotated[str, typer.Option("--dialect", help="SQL dialect of the lineage's SQL files.")]


@lineage_app.command(
    "unmatched", epilog="Example: contracts lineage unmatched --lineage target/manifest.json"
)
def lineage_unmatched(
    contracts: ContractsOption = Path("contracts"),
    lineage: LineageOption = None,
    dialect: DialectOption = "duckdb",
    format: FormatOption = Format.text,
) -> None:
    """Tell which datasets of the lineage no contract describes, and what may have been meant."""
    from contracts_svc.cli import lineage as command

    raise typer.Exit(command.unmatched(contracts, lineage or [], dialect, format))


@lineage_app.command("send", epilog="Example: contracts lineage send events.jsonl --service https://...")
def lineage_send(
    files: Annotated[list[Path], typer.Argument(help="OpenLineage events: .jsonl, or .json.")],
    service: Annotated[
        str, typer.Option("--service", help="The service's address. Default: CONTRACTS_SERVICE_URL.")
    ] = "",
    token: Annotated[
        str, typer.Option("--token", help="Token with the scope lineage. Better: CONTRACTS_SERVICE_TOKEN.")
    ] = "",
    format: FormatOption = Format.text,
) -> None:
    """Send OpenLineage events to a running service, and tell what it does not understand of them."""
    from contracts_svc.cli import lineage_send as command

    raise typer.Exit(command.run(files, service, token, format))


@lineage_app.command("impact", epilog="Example: contracts lineage impact flights dep_delay --lineage sql/")
def lineage_impact(
    dataset: Annotated[str, typer.Argument(help="Table name, contract id, or OpenLineage name.")],
    column: Annotated[str | None, typer.Argument(help="Column (dotted path). Default: any.")] = None,
    contracts: ContractsOption = Path("contracts"),
    lineage: LineageOption = None,
    dialect: DialectOption = "duckdb",
    format: FormatOption = Format.text,
) -> None:
    """Tell who reads a dataset or a column, directly and further down, with the path."""
    from contracts_svc.cli import lineage as command

    raise typer.Exit(command.impact(dataset, column, contracts, lineage or [], dialect, format))
