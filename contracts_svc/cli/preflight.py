"""``contracts preflight``"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from contracts_svc import settings
from contracts_svc.adapters.git import GitRepository
from contracts_svc.app import SystemClock, pattern_inclusion, schema_import
from contracts_svc.cli import sources
from contracts_svc.cli.output import count, emit, width
from contracts_svc.cli.service_lineage import ServiceLineage
from contracts_svc.cli.workspace import content, read_text
from contracts_svc.compat.history import pins_of
from contracts_svc.compat.modes import Mode
from contracts_svc.compat.rule import shown
from contracts_svc.drift import DRIFT_RULES
from contracts_svc.errors import CouldNotCheck, ExitCode, UserMistake
from contracts_svc.flows.branch import Judge, KnownLineage
from contracts_svc.flows.jobs import job_findings
from contracts_svc.flows.lineage import gather
from contracts_svc.flows.preflight import ContractChange, Preflight, Sides
from contracts_svc.flows.rulebook import Rulebook, rulebook
from contracts_svc.policy_files import POLICY_FILE, WAIVERS_FILE
from contracts_svc.ports import CodeHost, FileHistory
from contracts_svc.render.formats import FORMATS, About
from contracts_svc.render.report import report_of_error


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to compare, by what to judge, and how to show it. ``mode`` None: that of the policy."""

    repository: Path
    base: str
    head: str
    lineage: Sequence[Path] = ()
    service: str = ""
    token: str = ""
    dialect: str
    mode: str | None = None
    policy: Path | None = None
    waivers: Path | None = None
    format: str
    output: Path | None = None
    report_url: str = ""


def run(request: Request) -> ExitCode:
    """Read both sides as git objects, judge the difference, show the verdict."""
    if request.report_url and not request.report_url.startswith(("https://", "http://")):
        raise UserMistake.of(
            f"--report-url is no web address: {request.report_url}", "begin it with https://"
        )
    try:
        return _judged(request, GitRepository.open(request.repository), SystemClock().now())
    except (UserMistake, CouldNotCheck) as error:
        lines = FORMATS[request.format].lines
        if lines:
            # Whoever reads this form gets to see what stands in the way, too, and at its place.
            emit(lines(report_of_error(error)), request.output)
        raise


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a pre-flight came to, and what to say beside it."""

    done: Preflight
    about: About


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Where lineage comes from: files, or a running service, else the repository itself."""

    files: Sequence[Path] = ()
    service: str = ""
    token: str = field(default="", repr=False)


def _judged(request: Request, code_host: GitRepository, now: datetime) -> ExitCode:
    found = judge(request, code_host, now, asking=asking_of(request), history=code_host)
    verdict = found.done.verdict
    about = found.about if request.output else replace(found.about, width=width())
    emit(FORMATS[request.format].verdict(verdict, about), request.output)
    if request.output:
        print(verdict.headline)
    return verdict.exit_code


REPOSITORY = Asking()


def judge(
    request: Request,
    code_host: CodeHost,
    now: datetime,
    *,
    asking: Asking = REPOSITORY,
    history: FileHistory | None = None,
) -> Judgement:
    """Judge what ``request.head`` changes from where it left ``request.base``, of any code host.

    ``asking`` says where lineage comes from. ``history`` gives the earlier
    versions that a transitive mode asks for. Raises UserMistake, CouldNotCheck.
    """
    _known_dialect(request.dialect)
    asked = Mode(request.mode) if request.mode else None

    def lineage(base: str, head: str, sides: Sides) -> KnownLineage:
        return _lineage(asking, code_host, base, head, sides, request.dialect, now)

    found = Judge(
        read=read_text,
        lineage=lineage,
        rules=lambda on_base: _rulebook(request, on_base, now),
        history=history,
        mode=asked,
        patterns=pattern_inclusion,
        derive=schema_import(),
    ).judge(code_host, request.base, request.head, now)
    about = _about(request, found.done, found.base, found.head, asked, found.rules)
    return Judgement(done=found.done, about=about)


def _known_dialect(name: str) -> None:
    """Under a dialect that is none no SQL is read, and so nobody would break."""
    from sqlglot import Dialects

    known = sorted(d.value for d in Dialects if d.value)
    if name and name.lower() not in known:
        close = get_close_matches(name.lower(), known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"one of {', '.join(known)}"
        raise UserMistake.of(f"{name!r} is no SQL dialect", hint)


def _about(
    request: Request, done: Preflight, base: str, head: str, asked: Mode | None, rules: Rulebook
) -> About:
    changed = count(len(done.changed), "changed contract")
    of_drift = {rule.id for rule in DRIFT_RULES}
    drifted = {f.contract for f in done.verdict.findings if f.rule in of_drift}
    if drifted:
        changed += f" and {count(len(drifted), 'contract')} whose schema source changed"
    return About(
        line=f"{changed} between {base[:12]} (base) and {head[:12]} (head)"
        + "".join(
            f"; {contract} is judged against {count(len(versions), 'earlier version')}: {shown(versions)}"
            for contract, versions in done.against.items()
            if len(versions) > 1
        ),
        json={
            "base": base,
            "head": head,
            "mode": (asked or rules.policies.organisation.mode).value,
            "changed": [change_json(c) for c in done.changed],
            "against": {contract: list(versions) for contract, versions in done.against.items()},
        },
        link=request.report_url,
    )


def _rulebook(request: Request, on_base: Mapping[str, bytes], now: datetime) -> Rulebook:
    """The files that were named, else those of the base branch."""
    texts = dict(on_base)
    names = {POLICY_FILE: request.policy, WAIVERS_FILE: request.waivers}
    texts |= {str(path): content(path) for path in names.values() if path}
    policy, waivers = (str(path or name) for name, path in names.items())
    return rulebook(texts, now=now, policy_file=policy, waivers_file=waivers)


def change_json(change: ContractChange) -> dict[str, Any]:
    """A changed contract, as every JSON output of ours writes it."""
    either = change.new or change.old
    return {
        "path": change.path,
        "contract": either.id if either else None,
        "old_version": change.old.version if change.old else None,
        "new_version": change.new.version if change.new else None,
    }


def _lineage(
    asking: Asking,
    code_host: CodeHost,
    base: str,
    head: str,
    sides: Sides,
    dialect: str,
    now: datetime,
) -> KnownLineage:
    """The lineage to judge by, and what the branch's own changes of SQL files do.

    That of the repository where none is given: its SQL as the branch would have it, since what the branch
    stops reading is not broken by it, and all else as it is on the base. Wherever the lineage comes from,
    changed SQL files are judged as the jobs that they are.
    """
    texts = code_host.texts(base, (*sources.SUFFIXES, sources.CATALOG) if asking == REPOSITORY else (".sql",))
    found = sources.from_texts(texts, now)
    on_head = code_host.texts(head, (".sql",))
    changed = sources.sql_texts(on_head)
    on_base = {path: text for path, text in texts.items() if path.endswith(".sql")}
    jobs = job_findings(on_base, on_head, sides.base.values(), dialect=dialect)
    if asking.service:
        service = ServiceLineage(asking.service, asking.token, pins_of(sides.head.values())[1])
        return KnownLineage(lineage=service, jobs=jobs)
    if asking.files:
        found = sources.from_paths(asking.files, now)
    else:
        found = replace(found, sql=changed.sql, heard=(*found.heard, *changed.heard))
    known = gather(
        sides.base.values(),
        sql=found.sql,
        heard=found.heard,
        declarations=found.declarations,
        promised=sides.head.values(),
        dialect=dialect,
    )
    return KnownLineage(lineage=known, jobs=jobs)


def asking_of(request: Request) -> Asking:
    """What the command names, else what the settings do. Raises UserMistake."""
    set_ = settings.load()
    if request.service and request.lineage:
        raise UserMistake.of(
            "--service and --lineage cannot both be given", "give the one that knows who reads"
        )
    files = request.lineage or ([] if request.service else set_.lineage)
    service = request.service or ("" if request.lineage else set_.service_url)
    token = request.token or set_.service_token.get_secret_value()
    return Asking(files=tuple(files), service=service, token=token if service else "")
