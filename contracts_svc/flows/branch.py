"""Judge what a branch changes, from what a code host holds at exact commits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime

from contracts_svc.compat.history import Pins, merged, pinned, pins_of
from contracts_svc.compat.modes import Mode
from contracts_svc.errors import CouldNotCheck, UserMistake
from contracts_svc.findings import Finding
from contracts_svc.flows.drift import Derive, drift_findings
from contracts_svc.flows.history import Earlier
from contracts_svc.flows.lineage import Lineage
from contracts_svc.flows.preflight import (
    LineageParts,
    Preflight,
    Sides,
    findings_of,
    judged,
    preflight,
    read_sides,
)
from contracts_svc.flows.register import Reader
from contracts_svc.flows.rulebook import Rulebook, base_texts
from contracts_svc.odcs import CONTRACT_SUFFIXES
from contracts_svc.policy import Deprecated, Policies
from contracts_svc.ports import CodeHost, FileHistory, FileVersion, PatternInclusion

Patterns = Callable[[], AbstractContextManager[PatternInclusion | None]]
"""What compares patterns, one for each judgement: it is for one thread, and has a budget."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownLineage:
    """What a branch is judged by: who reads, what its own changes of jobs do, and who reads which version."""

    lineage: Lineage | LineageParts
    jobs: tuple[Finding, ...] = ()
    pins: Pins = field(default_factory=dict)


LineageOf = Callable[[str, str, Sides], KnownLineage]
"""(base commit, head commit, both sides) -> what is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedBranch:
    """What a branch came to: from ``base``, where it left the other branch, to ``head``."""

    done: Preflight
    base: str
    head: str
    rules: Rulebook


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Judges branches. ``rules`` makes the rulebook of the texts that the base branch holds; ``history``
    gives the earlier versions that a transitive mode asks for."""

    read: Reader
    lineage: LineageOf
    rules: Callable[[Mapping[str, bytes]], Rulebook]
    history: FileHistory | None = None
    mode: Mode | None = None
    patterns: Patterns = nullcontext
    derive: Derive | None = None
    """Reads schema sources that contracts name; without it, what becomes of them is not looked at."""
    deprecated: Callable[[Iterable[str]], Deprecated] = lambda contracts: {}
    """Since when what is deprecated in these contracts (by id) is."""

    def judge(self, code: CodeHost, base: str, head: str, now: datetime) -> JudgedBranch:
        """Judge what ``head`` changes from where it left ``base``. Raises UserMistake, CouldNotCheck."""
        head_commit, tip = code.resolve(head), code.resolve(base)
        return self.between(code, code.merge_base(tip, head_commit), tip, head_commit, now)

    def between(self, code: CodeHost, left: str, tip: str, head: str, now: datetime) -> JudgedBranch:
        """The same, where it is known that the branch left the other one at the commit ``left``."""
        rules = self.rules(base_texts(code, tip, head, now=now))
        texts = code.texts(left, CONTRACT_SUFFIXES)
        head_texts = code.texts(head, CONTRACT_SUFFIXES)
        sides = read_sides(texts, head_texts, read=self.read)
        pins, problems = pins_of(sides.head.values())
        known = self.lineage(left, head, sides)
        lineage = known.lineage
        if isinstance(lineage, Lineage):
            lineage = replace(lineage, problems=(*lineage.problems, *problems))
            told = pinned((p.contract, p.version, p.consumer) for p in lineage.pins)
            pins = merged(pins, told)
        earlier = Earlier(
            versions=_versions(self.history, left), read=self.read, pins=merged(pins, known.pins)
        )
        with self.patterns() as inclusion:
            done = preflight(
                sides,
                lineage,
                now=now,
                mode=self.mode,
                earlier=earlier,
                policies=rules.policies,
                waivers=rules.waivers,
                deprecated=self.deprecated([c.old.id for c in sides.changed if c.old]),
                jobs=(*known.jobs, *self._drift(code, sides, head_texts, left, head)),
                on_base=self._since(code, texts, left, tip, rules.policies, now),
                inclusion=inclusion,
            )
        return JudgedBranch(done=done, base=left, head=head, rules=rules)

    def _drift(
        self, code: CodeHost, sides: Sides, texts: Mapping[str, bytes], left: str, head: str
    ) -> tuple[Finding, ...]:
        if self.derive is None:
            return ()

        def files(commit: str, paths: tuple[str, ...]) -> Mapping[str, bytes]:
            # A code host takes endings: a file deeper down may have the same one.
            found = code.texts(commit, paths)
            return {path: found[path] for path in paths if path in found}

        return drift_findings(
            sides.head,
            texts,
            lambda paths: files(left, paths),
            lambda paths: files(head, paths),
            read=self.read,
            derive=self.derive,
        )

    def _since(
        self,
        code: CodeHost,
        texts: Mapping[str, bytes],
        left: str,
        tip: str,
        policies: Policies,
        now: datetime,
    ) -> tuple[Finding, ...]:
        """What the base branch has changed since the branch left it: that is not the branch's doing."""
        if left == tip:
            return ()
        try:
            sides = read_sides(texts, code.texts(tip, CONTRACT_SUFFIXES), read=self.read)
        except UserMistake:
            return ()  # what is wrong on the base branch is not this branch's mistake
        return findings_of(judged(sides.changed, policies, mode=self.mode, today=now.date()))


def _versions(history: FileHistory | None, commit: str) -> Callable[[str], Iterable[FileVersion]]:
    def versions(path: str) -> Iterator[FileVersion]:
        if history is None:
            raise CouldNotCheck(
                f"the earlier versions of {path}",
                "they are not known here",
                "judge from a git repository, or use a mode without _TRANSITIVE",
                retryable=False,
            )
        yield from history.history(commit, path)

    return versions
