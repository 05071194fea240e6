"""Pre-flight: what a change of contracts does to whoever reads the data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from contracts_svc.compat.modes import Mode
from contracts_svc.errors import Problem, UserMistake
from contracts_svc.findings import ordered
from contracts_svc.flows.history import Earlier, Judged, judge_change
from contracts_svc.flows.lineage import Lineage
from contracts_svc.flows.register import Reader
from contracts_svc.impact import assess
from contracts_svc.lineage.graph import DatasetId
from contracts_svc.lineage.identity import Identities
from contracts_svc.model import Contract, Table
from contracts_svc.verdict import Policy, Verdict, Waiver, decide


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractChange:
    """A contract that differs between the two sides. ``old`` or ``new`` is None: added, or removed."""

    path: str
    old: Contract | None
    new: Contract | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """The verdict on a change set, and which contracts it touches.

    ``against`` maps the id of a contract to the versions that it was judged against, oldest first.
    """

    verdict: Verdict
    changed: tuple[ContractChange, ...]
    against: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Both sides of a change set, read.

    ``unreadable`` are changed files whose base version cannot be read (could not check);
    ``left_out`` are unchanged files that cannot be read, so what they promise is unknown.
    """

    base: Mapping[str, Contract]
    head: Mapping[str, Contract]
    changed: tuple[ContractChange, ...]
    unreadable: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def read_sides(base: Mapping[str, bytes], head: Mapping[str, bytes], *, read: Reader) -> Sides:
    """Read both sides (path -> text). Raises UserMistake with every problem of the *changed* files.

    A file that is the same on both sides and cannot be read is left out and said so: it is not this
    change's fault. A base version that cannot be read makes its contract "could not check".
    """
    olds: dict[str, Contract] = {}
    news: dict[str, Contract] = {}
    problems: list[Problem] = []
    broken: dict[str, str] = {}
    for path, text in base.items():
        try:
            olds[path] = read(text, path)
        except UserMistake as error:
            broken[path] = f"{error.problems[0].at or path}: {error.problems[0].message}"
    for path, text in head.items():
        if base.get(path) == text:
            if path in olds:
                news[path] = olds[path]
            continue
        try:
            news[path] = read(text, path)
        except UserMistake as error:
            problems += error.problems
    if problems:
        raise UserMistake(problems)
    differing = {p for p in base.keys() | head.keys() if base.get(p) != head.get(p)}
    changed = _pair(
        {p: c for p, c in olds.items() if p in differing},
        {p: c for p, c in news.items() if p in differing and p not in broken},
    )
    return Sides(
        base=olds,
        head=news,
        changed=changed,
        unreadable=tuple(
            f"the base version of {p} is no valid contract, so there is nothing to compare with ({why}); "
            "correct it there in a change of its own, or have a person look at this one"
            for p, why in sorted(broken.items())
            if p in differing
        ),
        left_out=tuple(
            f"{p} is no valid contract, so what it promises is unknown ({why})"
            for p, why in sorted(broken.items())
            if p not in differing
        ),
    )


def _pair(olds: Mapping[str, Contract], news: Mapping[str, Contract]) -> tuple[ContractChange, ...]:
    """Old with new: by contract id first (a file may have moved), then by path."""
    left = dict(news)
    changes: list[ContractChange] = []
    for path, old in sorted(olds.items()):
        match = next((p for p, c in sorted(left.items()) if c.id == old.id), None)
        if match is None and path in left:
            match = path
        new = left.pop(match) if match else None
        changes.append(ContractChange(path=match or path, old=old, new=new))
    changes += [ContractChange(path=p, old=None, new=c) for p, c in sorted(left.items())]
    return tuple(changes)


def judged(
    changes: Sequence[ContractChange],
    mode: Mode,
    earlier: Earlier | None = None,
    *,
    today: date | None = None,
) -> tuple[Judged, ...]:
    """What the compatibility rules say about each contract that was there before.

    A removed contract is judged as one that has lost all its tables.
    """
    return tuple(
        judge_change(change.old, change.new or _emptied(change.old), mode, earlier, today=today)
        for change in changes
        if change.old is not None
    )


def _emptied(contract: Contract) -> Contract:
    return replace(contract, tables=())


def preflight(
    sides: Sides,
    lineage: Lineage,
    *,
    now: datetime,
    mode: Mode = Mode.FORWARD,
    earlier: Earlier | None = None,
    policy: Policy | None = None,
    waivers: Sequence[Waiver] = (),
    could_not_check: Sequence[str] = (),
    progress: Callable[[str], None] = lambda step: None,
) -> Preflight:
    """Diff the changed contracts, walk the lineage, decide.

    Downstream contracts are held to what they promise on the head side: a pull request that adapts
    both ends is fine. Names are resolved on the base side, where today's readers still find them.
    ``earlier`` is where a ``_TRANSITIVE`` mode, or whoever still reads an earlier version, finds it.
    """
    progress("diff")
    contracts = judged(sides.changed, mode, earlier, today=now.date())
    findings = ordered(f for found in contracts for f in found.findings)
    progress("impact")
    named = Identities.of([*sides.base.values(), *_only_new(sides)])
    promised = Identities.of([*sides.head.values(), *_gone(sides)])

    def dataset_of(contract_id: str, table: str) -> DatasetId:
        for contract, known in named.known.values():
            if contract.id == contract_id and known.name == table:
                return named.dataset(contract, known)
        return named.find(table) or DatasetId("", table)

    promises: dict[DatasetId, tuple[Contract, Table]] = dict(promised.known)
    assessment = assess(
        findings,
        dataset_of=dataset_of,
        graph=lineage.graph,
        consumers=lineage.consumers,
        promises=promises,
    )
    unknown = (*assessment.coverage.unknown, *sides.left_out, *map(str, lineage.problems))
    unknown += tuple(u for found in contracts for u in found.unknown)
    if not lineage.graph.edges:
        unknown = (*unknown, "no lineage is known, so nobody can say who reads what is changed")
    assessment = replace(assessment, coverage=replace(assessment.coverage, unknown=unknown))
    progress("verdict")
    verdict = decide(
        findings,
        assessment,
        waivers=waivers,
        policy=policy or Policy(),
        now=now,
        could_not_check=(
            *could_not_check,
            *sides.unreadable,
            *(c for found in contracts for c in found.could_not_check),
        ),
    )
    against = {found.contract: found.against for found in contracts}
    return Preflight(verdict=verdict, changed=sides.changed, against=against)


def _only_new(sides: Sides) -> list[Contract]:
    known = {c.id for c in sides.base.values()}
    return [c for c in sides.head.values() if c.id not in known]


def _gone(sides: Sides) -> list[Contract]:
    known = {c.id for c in sides.head.values()}
    return [c for c in sides.base.values() if c.id not in known]
