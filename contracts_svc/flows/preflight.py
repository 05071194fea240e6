"""Pre-flight: what a change of contracts does to whoever reads the data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from types import MappingProxyType
from typing import Protocol

from contracts_svc.compat.modes import Mode
from contracts_svc.errors import Problem, UserMistake
from contracts_svc.findings import Finding, ordered
from contracts_svc.flows.history import Earlier, Judged, judge_change
from contracts_svc.flows.lineage import Lineage
from contracts_svc.flows.register import Reader
from contracts_svc.flows.stored_lineage import assess_part
from contracts_svc.impact import starts_of
from contracts_svc.lineage.graph import ColumnRef, DatasetId
from contracts_svc.lineage.identity import Identities
from contracts_svc.model import Contract
from contracts_svc.policy import Deprecated, Policies, old_is_alive
from contracts_svc.ports import PatternInclusion
from contracts_svc.verdict import Verdict, Waiver, decide


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
    """Old with new: by path and contract id, by contract id (a file may have moved), by path."""
    left = dict(news)
    changes: list[ContractChange] = []
    for path, old in sorted(olds.items()):
        same = [p for p, c in sorted(left.items()) if c.id == old.id]
        match = path if path in same or (path in left and not same) else next(iter(same), None)
        new = left.pop(match) if match else None
        changes.append(ContractChange(path=match or path, old=old, new=new))
    changes += [ContractChange(path=p, old=None, new=c) for p, c in sorted(left.items())]
    return tuple(changes)


def judged(
    changes: Sequence[ContractChange],
    policies: Policies,
    *,
    mode: Mode | None = None,
    earlier: Earlier | None = None,
    today: date | None = None,
    inclusion: PatternInclusion | None = None,
) -> tuple[Judged, ...]:
    """What the compatibility rules say about each contract that was there before.

    Each contract is judged in the mode of its policy, unless ``mode`` is given, and the severities are
    those of its policy. A removed contract is judged as one that has lost all its tables. Without
    ``inclusion``, changed patterns are undecided.
    """
    found: list[Judged] = []
    for change in changes:
        if change.old is None:
            continue
        new, policy = change.new or _emptied(change.old), policies.of(change.old)
        said = judge_change(change.old, new, mode or policy.mode, earlier, today=today, inclusion=inclusion)
        found.append(replace(said, findings=tuple(map(policy.graded, said.findings))))
    return tuple(found)


def findings_of(found: Sequence[Judged]) -> tuple[Finding, ...]:
    """The findings on several contracts, as one ordered set."""
    return ordered(f for each in found for f in each.findings)


def _emptied(contract: Contract) -> Contract:
    return replace(contract, tables=())


class LineageParts(Protocol):
    """Where the part of a lineage comes from that a change set needs: a running service."""

    def part(
        self, starts: Sequence[ColumnRef], names: Iterable[DatasetId], fingerprints: Iterable[str]
    ) -> tuple[Lineage, tuple[Waiver, ...]]:
        """What is downstream of ``starts``, and the waivers of these changes. The datasets ``names`` keep
        their names. Raises CouldNotCheck."""
        ...


def preflight(
    sides: Sides,
    lineage: Lineage | LineageParts,
    *,
    now: datetime,
    mode: Mode | None = None,
    earlier: Earlier | None = None,
    policies: Policies | None = None,
    waivers: Sequence[Waiver] = (),
    jobs: Sequence[Finding] = (),
    on_base: Sequence[Finding] = (),
    could_not_check: Sequence[str] = (),
    deprecated: Deprecated = MappingProxyType({}),
    inclusion: PatternInclusion | None = None,
    progress: Callable[[str], None] = lambda step: None,
) -> Preflight:
    """Diff the changed contracts, walk the lineage, decide.

    Downstream contracts are held to what they promise on the head side: a pull request that adapts
    both ends is fine. Names are resolved on the base side, where today's readers still find them.
    A contract is under the policy that its *old* version matches, in the mode of that policy unless
    ``mode`` is given. Findings that are among ``on_base``, those of what the base branch has changed
    since, are told and count no more.
    Of a ``lineage`` that comes in parts, only what the findings need is asked for.
    ``deprecated`` is what is registered as deprecated.
    ``jobs`` are the findings on changed jobs (see :mod:`contracts_svc.flows.jobs`).
    ``earlier`` is where a ``_TRANSITIVE`` mode, or whoever still reads an earlier version, finds it.
    """
    policies = policies or Policies()
    progress("diff")
    contracts = judged(
        sides.changed, policies, mode=mode, earlier=earlier, today=now.date(), inclusion=inclusion
    )
    every = findings_of(contracts)
    known = {f.fingerprint for f in on_base}
    findings = ordered([*(f for f in every if f.fingerprint not in known), *jobs])
    progress("impact")
    named = Identities.of([*sides.base.values(), *_only_new(sides)])
    promised = Identities.of([*sides.head.values(), *_gone(sides)])

    placed = {(c.id, t.name): dataset for dataset, (c, t) in named.known.items()}

    def dataset_of(contract_id: str, table: str) -> DatasetId:
        return placed.get((contract_id, table)) or named.find(table) or DatasetId("", table)

    # A table that moves with this change is still the one that today's lineage names.
    promises = {placed.get((c.id, t.name), dataset): (c, t) for dataset, (c, t) in promised.known.items()}
    if not isinstance(lineage, Lineage):
        starts = starts_of(findings, dataset_of=dataset_of, promises=promises)
        lineage, more = lineage.part(starts, promises, [f.fingerprint for f in findings])
        waivers = (*waivers, *more)
        local = {c.id for c, _ in promises.values()}
        others = Identities.of(c for c in lineage.contracts if c.id not in local)
        promises = {**others.known, **promises}
    ages = policies.organisation.ages(now)
    assessment = assess_part(lineage, findings, dataset_of=dataset_of, promises=promises, ages=ages)
    unresolved = tuple(map(str, lineage.problems))
    unknown = (*assessment.coverage.unknown, *sides.left_out, *unresolved)
    unknown += tuple(u for found in contracts for u in found.unknown)
    if not (lineage.extent.datasets if lineage.extent else lineage.graph.flowing):
        unknown = (*unknown, "no lineage is known, so nobody can say who reads what is changed")
    assessment = replace(
        assessment, coverage=replace(assessment.coverage, unknown=unknown, unresolved=unresolved)
    )
    progress("verdict")
    verdict = decide(
        findings,
        assessment,
        waivers=waivers,
        policy=policies.organisation,
        policies={c.old.id: policies.of(c.old) for c in sides.changed if c.old},
        old_alive=_old_alive(sides),
        now=now,
        could_not_check=(
            *could_not_check,
            *sides.unreadable,
            *(c for found in contracts for c in found.could_not_check),
        ),
        on_base=tuple(f for f in every if f.fingerprint in known),
        deprecated=deprecated,
    )
    against = {found.contract: found.against for found in contracts}
    return Preflight(verdict=verdict, changed=sides.changed, against=against)


def _old_alive(sides: Sides) -> set[str]:
    """Contracts that come as a new major version while the old one goes on in another file."""
    return {
        c.old.id
        for c in sides.changed
        if c.old and c.new and old_is_alive(c.old, c.new, [h for h in sides.head.values() if h is not c.new])
    }


def _only_new(sides: Sides) -> list[Contract]:
    known = {c.id for c in sides.base.values()}
    return [c for c in sides.head.values() if c.id not in known]


def _gone(sides: Sides) -> list[Contract]:
    known = {c.id for c in sides.head.values()}
    return [c for c in sides.base.values() if c.id not in known]
