"""Which earlier versions of a contract a new one is judged against."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set
from typing import TypeAlias

from contracts_svc.compat.modes import Mode
from contracts_svc.errors import Problem
from contracts_svc.model import NOWHERE, Contract, CustomProperty, Json

Readers: TypeAlias = Mapping[str, frozenset[str]]
"""A version of a contract that is still read -> who reads it."""
Pins: TypeAlias = Mapping[str, Readers]
"""Contract id -> its versions that are still read."""

READS = "reads"
"""The custom property of a contract that says which versions of others it reads."""
_NOT_IN_FORCE = frozenset({"proposed", "draft", "retired"})
_FORM = f"write {READS!r} as a list of {{contractId: flights, version: '1.0.0'}}"


def active(contract: Contract) -> bool:
    """Whether readers may rely on this version: it is neither still a draft nor already retired."""
    return (contract.status or "active").lower() not in _NOT_IN_FORCE


def versions_to_judge(
    newest_first: Iterable[Contract], mode: Mode, pins: Set[str] = frozenset()
) -> Iterator[Contract]:
    """Those of a contract's earlier versions that a new one is judged against, newest first.

    The last one always is: who pins nothing reads it. With ``pins`` (versions that somebody still
    reads, whatever their status) these are, and no others; without, a ``_TRANSITIVE`` mode asks every
    active one. Of several texts of one version the newest counts. No more of ``newest_first`` is read
    than is needed.
    """
    seen: set[str] = set()
    for contract in newest_first:
        if contract.version in seen:
            continue
        wanted = contract.version in pins if pins else mode.transitive and active(contract)
        if wanted or not seen:
            yield contract
        seen.add(contract.version)
        if pins <= seen if pins else not mode.transitive:
            return


def pins_of(contracts: Iterable[Contract]) -> tuple[Pins, tuple[Problem, ...]]:
    """What these contracts say they read, and what of it cannot be understood.

    Their custom property ``reads`` holds mappings of ``contractId`` and ``version``, the words of an
    ODPS input port. An entry without a version reads the last one and pins nothing.
    """
    found: list[tuple[str, str, str]] = []
    problems: list[Problem] = []
    for contract in contracts:
        for told in contract.custom:
            if told.property == READS:
                for entry in told.value if isinstance(told.value, list) else [told.value]:
                    pin = _pin(entry, told, problems)
                    found += [(*pin, contract.title)] if pin else []
    return pinned(found), tuple(problems)


def _pin(entry: Json, told: CustomProperty, problems: list[Problem]) -> tuple[str, str] | None:
    contract = entry.get("contractId") if isinstance(entry, Mapping) else None
    version = entry.get("version") if isinstance(entry, Mapping) else None
    if not isinstance(contract, str) or not isinstance(version, str | None):
        at = None if told.at == NOWHERE else told.at
        problems.append(Problem(at, f"this entry of {READS!r} names no contract's version: {entry}", _FORM))
        return None
    return (contract, version) if version is not None else None


def merged(*several: Pins) -> Pins:
    """The pins of several sources together: contracts, data products, subscriptions."""
    return pinned(
        (contract, version, reader)
        for pins in several
        for contract, versions in pins.items()
        for version, readers in versions.items()
        for reader in readers
    )


def pinned(read: Iterable[tuple[str, str, str]]) -> Pins:
    """Pins from (contract id, version, who reads it), in one order however they come."""
    found: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for contract, version, reader in sorted(read):
        found[contract][version].add(reader)
    return {c: {v: frozenset(names) for v, names in versions.items()} for c, versions in found.items()}
