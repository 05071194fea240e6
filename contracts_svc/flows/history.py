"""A changed contract against its earlier versions, as far as the mode or its readers ask for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import partial

from contracts_svc.compat.history import Pins, versions_to_judge
from contracts_svc.compat.modes import Mode
from contracts_svc.compat.rule import shown
from contracts_svc.compat.rules import judge_each
from contracts_svc.errors import CouldNotCheck, UserMistake
from contracts_svc.findings import Finding
from contracts_svc.flows.compatibility import pattern_answers
from contracts_svc.flows.register import Reader
from contracts_svc.model import Contract
from contracts_svc.ports import FileVersion, PatternInclusion

MAX_VERSIONS = 1_000
"""Versions of one contract that are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """Where earlier versions come from, and which of them somebody still reads.

    ``versions`` gives a file's texts from the base side back, newest first.
    """

    versions: Callable[[str], Iterable[FileVersion]]
    read: Reader
    pins: Pins = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What the rules say about one changed contract, named by its id.

    ``against`` are the versions that it was judged against, oldest first; ``unknown`` and
    ``could_not_check`` are sentences on versions that were asked for and not looked at.
    """

    contract: str
    findings: tuple[Finding, ...]
    against: tuple[str, ...]
    unknown: tuple[str, ...] = ()
    could_not_check: tuple[str, ...] = ()


def judge_change(
    old: Contract,
    new: Contract,
    mode: Mode,
    earlier: Earlier | None = None,
    *,
    today: date | None = None,
    inclusion: PatternInclusion | None = None,
) -> Judged:
    """Judge a new version against the old one, and against earlier ones where they are asked for.

    ``today`` tells whether an announced day of removal has come. Without ``inclusion``, changed
    patterns are undecided.
    """
    walk = _Walk(old, earlier)
    readers = earlier.pins.get(old.id, {}) if earlier else {}
    against: list[str] = []

    def asked() -> Iterator[Contract]:
        for contract in versions_to_judge(walk.contracts(), mode, readers.keys()):
            against.append(contract.version)
            yield contract

    patterns = partial(pattern_answers, inclusion=inclusion)
    findings = judge_each(asked(), new, mode, today=today, patterns=patterns, readers=readers)
    missing = sorted(readers.keys() - walk.seen) if not walk.could_not_check else []
    unknown = [
        f"version {version} of {old.title}, read by {shown(sorted(readers[version]))}, is not among its "
        "earlier versions"
        for version in missing
    ]
    return Judged(
        contract=old.id,
        findings=findings,
        against=tuple(reversed(against)),
        unknown=(*walk.unknown, *unknown),
        could_not_check=tuple(walk.could_not_check),
    )


class _Walk:
    """Reads a contract's earlier versions one by one, and notes what stands in the way."""

    def __init__(self, old: Contract, earlier: Earlier | None) -> None:
        self._old = old
        self._earlier = earlier
        self.seen: set[str] = set()
        self.unknown: list[str] = []
        self.could_not_check: list[str] = []

    def contracts(self) -> Iterator[Contract]:
        """The old version, then those before it, as long as they are of the same contract."""
        self.seen.add(self._old.version)
        yield self._old
        if self._earlier is None:
            return
        try:
            for version in self._earlier.versions(self._old.at.file):
                contract = self._read(self._earlier, version)
                if contract is None:
                    continue
                if contract.id != self._old.id:
                    return
                if contract.version not in self.seen and len(self.seen) >= MAX_VERSIONS:
                    self.unknown.append(
                        f"only the last {MAX_VERSIONS:,} versions of {self._old.title} were looked at"
                    )
                    return
                self.seen.add(contract.version)
                yield contract
        except CouldNotCheck as error:
            self.could_not_check.append(f"{error.what}: {error.cause}; {error.hint}")

    def _read(self, earlier: Earlier, version: FileVersion) -> Contract | None:
        try:
            return earlier.read(version.text, version.path)
        except UserMistake as error:
            problem = error.problems[0]
            self.unknown.append(
                f"{version.path} at {version.commit[:12]} is no valid contract, so that version was not "
                f"looked at ({problem.at or version.path}: {problem.message})"
            )
            return None
