"""``contracts github``"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from contracts_svc.adapters.git import GitRepository
from contracts_svc.app import SystemClock
from contracts_svc.cli.output import emit
from contracts_svc.cli.preflight import Asking, Judgement, Request, asking_of, judge
from contracts_svc.cli.workspace import content
from contracts_svc.compat.modes import Mode
from contracts_svc.errors import ContractsError, CouldNotCheck, ExitCode, Problem, UserMistake
from contracts_svc.flows.pull_request import End, Manner, Told, check_pull_request
from contracts_svc.github.check_run import Conclusion, check_of_error
from contracts_svc.github.events import (
    MergeGroupEvent,
    PullRequest,
    PullRequestEvent,
    PushEvent,
    read_event,
    require,
)
from contracts_svc.github.manifest import manifest
from contracts_svc.github.names import RepositoryName
from contracts_svc.odcs import CONTRACT_SUFFIXES
from contracts_svc.policy import Outcome
from contracts_svc.policy_files import POLICY_FILE, WAIVERS_FILE
from contracts_svc.ports import CodeHost
from contracts_svc.render.formats import FORMATS
from contracts_svc.render.json_text import json_text
from contracts_svc.render.report import report_of_error

if TYPE_CHECKING:
    from contracts_svc.adapters.github.client import GitHubClient

_LONGEST_SUMMARY = 1_000_000
"""Bytes that GitHub takes as a step's summary are 1 MiB."""
_FAILS = {
    "block": frozenset({Outcome.BLOCK}),
    "warn": frozenset({Outcome.BLOCK, Outcome.WARN}),
    "never": frozenset[Outcome](),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The action's inputs. ``server`` is a running service whose lineage counts. ``policy`` and ``waivers``
    are paths on the base branch."""

    contracts: Sequence[str] = ()
    """Globs of the contract files that are judged; none: all. ``*`` crosses folders."""
    lineage: Sequence[str] = ()
    server: str = ""
    server_token_from: str = ""
    dialect: str = "duckdb"
    mode: str | None = None
    policy: str = ""
    waivers: str = ""
    fail_on: str = "block"
    could_not_check: str = "failure"
    token_from: str = ""
    report_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What a workflow's event asks to compare. ``base`` is a commit, ``branch`` what it is the tip of."""

    repository: RepositoryName
    base: str
    head: str
    branch: str = ""
    pull: PullRequest | None = None


def run(options: Options, environment: Mapping[str, str] | None = None) -> ExitCode:
    """Judge what the event is about; tell it where a workflow shows it."""
    environment = os.environ if environment is None else environment
    if options.mode is not None and options.mode.upper() not in {m.value for m in Mode}:
        raise UserMistake.of(f"{options.mode!r} is no mode", f"one of {', '.join(m.value for m in Mode)}")
    asked = _comparison(environment)
    if asked is None:
        emit("::notice title=contracts::nothing to compare: the branch is new or gone")
        _outputs(environment, {"outcome": Outcome.PASS.value, "headline": "nothing to compare"})
        return ExitCode.OK
    action = _Action(options, environment, asked, SystemClock().now())
    try:
        found: Judgement | UserMistake | CouldNotCheck = action.judged()
    except (UserMistake, CouldNotCheck) as error:
        found = error
    # A check run has the annotations already; the same ones from the step would stand beside them.
    annotated = action.publish(found)
    return action.tell(found, annotate=not annotated)


def show_manifest(url: str, name: str) -> ExitCode:
    """Print the manifest. Raises UserMistake."""
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise UserMistake.of(f"{url} is no address of a service", "write https://HOST, as GitHub reaches it")
    print(json_text(manifest(name, url)))
    return ExitCode.OK


class _Action:
    """One run of the action."""

    def __init__(
        self, options: Options, environment: Mapping[str, str], asked: Comparison, now: datetime
    ) -> None:
        self._options, self._environment, self._asked, self._now = options, environment, asked, now
        self._link = options.report_url or _run_address(environment)
        if self._link and not self._link.startswith(("https://", "http://")):
            raise UserMistake.of(f"the report's address is none: {self._link}", "begin it with https://")
        self._git = GitRepository.open(Path(_needed(environment, "GITHUB_WORKSPACE")))

    def judged(self) -> Judgement:
        """The verdict, by the policy and the waivers of the base branch."""
        asked = self._asked
        tip = _tip(self._git, asked)
        request = Request(
            repository=Path(),
            base=tip,
            head=asked.head,
            dialect=self._options.dialect,
            mode=self._options.mode.upper() if self._options.mode else None,
            format="json",
            report_url=self._link,
        )
        named = {POLICY_FILE: self._options.policy, WAIVERS_FILE: self._options.waivers}
        host: CodeHost = _Renamed(self._git, {given: usual for usual, given in named.items() if given}, tip)
        if self._options.contracts:
            host = _Only(host, self._options.contracts)
        return judge(request, host, self._now, asking=self._asking(request), history=self._git)

    def _asking(self, request: Request) -> Asking:
        """Where lineage comes from: files from elsewhere, a service, else the repository itself."""
        options = self._options
        given = _from_elsewhere(self._git, self._asked.head, options.lineage, self._environment)
        if given and options.server:
            raise UserMistake.of(
                "lineage and a server cannot both be given", "give the one that knows who reads"
            )
        if given:
            return Asking(files=tuple(given))
        if options.server:
            name = options.server_token_from
            return Asking(service=options.server, token=self._environment.get(name, "") if name else "")
        return replace(asking_of(request), files=())

    def tell(self, found: Judgement | UserMistake | CouldNotCheck, *, annotate: bool) -> ExitCode:
        """Annotations, summary and outputs; what the step ends with.

        Whatever is printed is a workflow command, with all that could steer the runner escaped.
        """
        if isinstance(found, ContractsError):
            return self._tell_error(found, annotate=annotate)
        verdict = found.done.verdict
        shown = FORMATS["github"].verdict(verdict, found.about)
        emit(shown if annotate else shown.rpartition("\n")[2])
        _append(self._environment, "GITHUB_STEP_SUMMARY", FORMATS["markdown"].verdict(verdict, found.about))
        _outputs(
            self._environment,
            {
                "outcome": verdict.outcome.value,
                "headline": verdict.headline,
                "must-agree": ",".join(verdict.must_agree),
                "findings": str(len(verdict.findings)),
                "changed-contracts": str(len(found.done.changed)),
                "report-url": self._link,
            },
        )
        if verdict.outcome is Outcome.COULD_NOT_CHECK:
            return self._no_verdict(ExitCode.COULD_NOT_CHECK)
        return ExitCode.BROKEN if verdict.outcome in _FAILS[self._options.fail_on] else ExitCode.OK

    def _tell_error(self, error: UserMistake | CouldNotCheck, *, annotate: bool) -> ExitCode:
        report = report_of_error(error)
        lines = FORMATS["github"].lines
        assert lines is not None
        shown = lines(report)
        emit(shown if annotate else shown.rpartition("\n")[2])
        told = check_of_error(error)
        _append(self._environment, "GITHUB_STEP_SUMMARY", f"## {told.summary}\n\n{told.text}\n")
        _outputs(self._environment, {"outcome": Outcome.COULD_NOT_CHECK.value, "headline": report.headline})
        if isinstance(error, CouldNotCheck):
            return self._no_verdict(error.exit_code)
        return error.exit_code

    def publish(self, found: Judgement | UserMistake | CouldNotCheck) -> bool:
        """With a token, the check run and the comment. Whether they were written: the token of a fork's
        workflow may not."""
        token = self._environment.get(self._options.token_from, "") if self._options.token_from else ""
        pull = self._asked.pull
        if not token or pull is None:
            return False

        def told(_: PullRequest) -> Told:
            if isinstance(found, ContractsError):
                raise found
            touched = bool(found.done.changed or found.done.verdict.findings)
            return Told(verdict=found.done.verdict, touched=touched)

        try:
            with _connected(token, self._environment) as client:
                return self._check(client, pull, told)
        except (CouldNotCheck, UserMistake) as error:
            cause = error.cause if isinstance(error, CouldNotCheck) else error.problems[0].message
            said = _one_line(f"the check run was not written: {cause}").replace("%", "%25")
            emit(f"::warning title=contracts::{said}")
            return False

    def _check(self, client: GitHubClient, pull: PullRequest, told: Callable[[PullRequest], Told]) -> bool:
        from contracts_svc.adapters.github.pulls import GitHubPulls, login_of

        host = GitHubPulls(client, self._asked.repository, login=login_of(client), link=self._link)
        manner = Manner(link=self._link, could_not_check=Conclusion(self._options.could_not_check))
        done = check_pull_request(host, pull.number, told, manner=manner, at=pull.head_sha)
        return done.end is End.COMPLETED

    def _no_verdict(self, code: ExitCode) -> ExitCode:
        return ExitCode.OK if self._options.could_not_check == "neutral" else code


class _Renamed:
    """A code host on which other files of the base branch stand in for the policy and the waivers."""

    def __init__(self, host: CodeHost, names: Mapping[str, str], tip: str) -> None:
        self._host, self._names, self._tip = host, names, tip

    def resolve(self, ref: str) -> str:
        return self._host.resolve(ref)

    def merge_base(self, one: str, other: str) -> str:
        return self._host.merge_base(one, other)

    def texts(self, commit: str, suffixes: Sequence[str]) -> Mapping[str, bytes]:
        found = dict(self._host.texts(commit, suffixes))
        for given, usual in self._names.items():
            if usual not in suffixes:
                continue
            found.pop(usual, None)
            text = self._host.texts(commit, (given,)).get(given)
            if text is not None:
                found[usual] = text
            elif commit == self._tip:
                raise UserMistake.of(
                    f"{given} is not on the base branch", "name a file of it, relative to its top"
                )
        return found


class _Only:
    """A code host without the contract files that no glob fits."""

    def __init__(self, host: CodeHost, globs: Sequence[str]) -> None:
        self._host, self._globs = host, globs

    def resolve(self, ref: str) -> str:
        return self._host.resolve(ref)

    def merge_base(self, one: str, other: str) -> str:
        return self._host.merge_base(one, other)

    def texts(self, commit: str, suffixes: Sequence[str]) -> Mapping[str, bytes]:
        found = self._host.texts(commit, suffixes)
        return {path: text for path, text in found.items() if self._has(path)}

    def _has(self, path: str) -> bool:
        return not path.endswith(CONTRACT_SUFFIXES) or any(fnmatchcase(path, glob) for glob in self._globs)


def _comparison(environment: Mapping[str, str]) -> Comparison | None:
    """What the event asks to compare; None where there is nothing to. Raises UserMistake."""
    name = _needed(environment, "GITHUB_EVENT_NAME")
    event = read_event(name, content(Path(_needed(environment, "GITHUB_EVENT_PATH")), 30_000_000))
    repository = require(event)
    if isinstance(event, PullRequestEvent):
        pull = event.pull
        return Comparison(
            repository=repository, base=pull.base_sha, head=pull.head_sha, branch=pull.base_ref, pull=pull
        )
    if isinstance(event, MergeGroupEvent):
        return Comparison(repository=repository, base=event.base_sha, head=event.head_sha)
    if isinstance(event, PushEvent):
        if event.deleted or not event.before.strip("0"):
            return None
        return Comparison(repository=repository, base=event.before, head=event.after)
    raise UserMistake.of(
        f"the event {name} has no two sides to compare",
        "run it on pull_request, pull_request_target, merge_group or push",
    )


def _tip(git: GitRepository, asked: Comparison) -> str:
    """The base branch as it was fetched, which may be newer than the event; else as the event has it."""
    if asked.branch:
        try:
            return git.resolve(f"refs/remotes/origin/{asked.branch}")
        except UserMistake:
            pass
    return git.resolve(asked.base)


def _from_elsewhere(
    git: GitRepository, head: str, given: Sequence[str], environment: Mapping[str, str]
) -> tuple[Path, ...]:
    """The lineage's paths. Raises UserMistake for what the branch itself holds: it would be its own judge."""
    workspace = Path(_needed(environment, "GITHUB_WORKSPACE")).resolve()
    paths = tuple((workspace / path).resolve() for path in given)
    inside = {p: PurePosixPath(p.relative_to(workspace)) for p in paths if p.is_relative_to(workspace)}
    if inside:
        held = frozenset(git.paths(head))
        folders = {str(parent) for path in held for parent in PurePosixPath(path).parents}
        problems = [
            Problem(
                None,
                f"the lineage {path} is the branch's own: it could change what it is judged by",
                "leave it out: what the repository holds is read from its base branch",
            )
            for path in inside.values()
            if str(path) in held | folders
        ]
        if problems:
            raise UserMistake(problems)
    return paths


@contextmanager
def _connected(token: str, environment: Mapping[str, str]) -> Iterator[GitHubClient]:
    from contracts_svc.adapters.github.client import PUBLIC, GitHubClient
    from contracts_svc.adapters.github.tokens import GivenToken

    address = environment.get("GITHUB_API_URL", "") or PUBLIC
    with GitHubClient(GivenToken(token), address) as client:
        yield client


def _run_address(environment: Mapping[str, str]) -> str:
    """Where this run of the workflow is shown."""
    parts = [environment.get(f"GITHUB_{n}", "") for n in ("SERVER_URL", "REPOSITORY", "RUN_ID")]
    return "{}/{}/actions/runs/{}".format(*parts) if all(parts) else ""


def _outputs(environment: Mapping[str, str], values: Mapping[str, str]) -> None:
    """The step's outputs, one line each: no value can begin another."""
    _append(environment, "GITHUB_OUTPUT", "".join(f"{k}={_one_line(v)}\n" for k, v in values.items()))


def _append(environment: Mapping[str, str], name: str, text: str) -> None:
    """Add to one of the files that the runner reads; where it sets none, there is nobody to read it."""
    path = environment.get(name)
    if not path:
        return
    try:
        with open(path, "a", encoding="utf-8", newline="\n") as stream:
            stream.write(text.encode()[:_LONGEST_SUMMARY].decode("utf-8", "ignore"))
    except OSError as error:
        raise UserMistake.of(f"{name} cannot be written: {error.strerror}") from error


def _one_line(text: str) -> str:
    from contracts_svc.render import clean

    return clean(text)


def _needed(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name)
    if not value:
        raise UserMistake.of(
            f"{name} is not set", "`contracts github action` runs in a workflow of GitHub; else use preflight"
        )
    return value
