"""``contracts github``: the group's commands, as Typer reads them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

github_app = typer.Typer(
    name="github", help="Work as a check of GitHub.", no_args_is_help=True, rich_markup_mode="rich"
)


class FailOn(StrEnum):
    """From which verdict on the step fails."""

    block = "block"
    warn = "warn"
    never = "never"


class NotChecked(StrEnum):
    """What the check concludes where there is no verdict."""

    failure = "failure"
    neutral = "neutral"


@github_app.command(
    "action",
    epilog="Example, in a workflow: contracts github action --fail-on block --token-from GITHUB_TOKEN",
)
def action(
    contracts: Annotated[
        str,
        typer.Option(
            "--contracts", help="Globs of the contract files to judge, one a line ('*' crosses folders)."
        ),
    ] = "",
    server: Annotated[
        str, typer.Option("--server", help="Address of a running service, whose lineage is used.")
    ] = "",
    server_token_from: Annotated[
        str, typer.Option("--server-token-from", help="Environment variable with a token for it.")
    ] = "",
    lineage: Annotated[
        str,
        typer.Option(
            "--lineage",
            help="Lineage from elsewhere, a path a line; what the repository itself holds is used anyway.",
        ),
    ] = "",
    dialect: Annotated[
        str, typer.Option("--dialect", help="SQL dialect of the repository's SQL.")
    ] = "duckdb",
    mode: Annotated[str, typer.Option("--mode", help="Mode of compatibility. Default: the policy's.")] = "",
    policy: Annotated[
        str, typer.Option("--policy", help="Policy file on the base branch. Default: contracts-policy.yaml.")
    ] = "",
    waivers: Annotated[
        str,
        typer.Option("--waivers", help="Waivers file on the base branch. Default: contracts-waivers.yaml."),
    ] = "",
    fail_on: Annotated[
        FailOn, typer.Option("--fail-on", help="From which verdict on the step fails.")
    ] = FailOn.block,
    could_not_check: Annotated[
        NotChecked,
        typer.Option("--could-not-check", help="What the check concludes where there is no verdict."),
    ] = NotChecked.failure,
    token_from: Annotated[
        str,
        typer.Option(
            "--token-from",
            help="Environment variable with a token that may write checks and pull requests: with it, the "
            "check run and the comment are written. Default: none of both.",
        ),
    ] = "",
    report_url: Annotated[
        str,
        typer.Option("--report-url", help="Address of the whole report. Default: that of the workflow run."),
    ] = "",
) -> None:
    """Judge the pull request of a workflow, from the environment that GitHub's runner sets.

    Reads the event (GITHUB_EVENT_PATH) and both sides as git objects of the checkout (GITHUB_WORKSPACE,
    with `fetch-depth: 0`); writes annotations, the step's summary and outputs. Policy and waivers are
    those of the base branch: a branch cannot weaken its own judge.
    """
    from contracts_svc.cli import github as command

    options = command.Options(
        contracts=_lines(contracts),
        lineage=_lines(lineage),
        server=server.strip(),
        server_token_from=server_token_from,
        dialect=dialect,
        mode=mode or None,
        policy=policy,
        waivers=waivers,
        fail_on=fail_on.value,
        could_not_check=could_not_check.value,
        token_from=token_from,
        report_url=report_url,
    )
    raise typer.Exit(command.run(options))


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())


@github_app.command("manifest", epilog="Example: contracts github manifest https://contracts.example.com")
def manifest(
    url: Annotated[str, typer.Argument(help="Address of the service, as GitHub reaches it.")],
    name: Annotated[
        str, typer.Option("--name", help="Name of the App; no two Apps share one.")
    ] = "contracts",
) -> None:
    """Print the manifest of a GitHub App with the least permissions, to register it by."""
    from contracts_svc.cli import github as command

    raise typer.Exit(command.show_manifest(url, name))
