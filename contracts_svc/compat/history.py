"""Which earlier versions of a contract a new one is judged against."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from contracts_svc.compat.modes import Mode
from contracts_svc.errors import Problem
from contracts_svc.model import NOWHERE, Contract, CustomProperty, Json

Pins: TypeAlias = Mapping[str, frozenset[str]]
"""Contract id -> the versions of it that somebody still reads."""

READS = "reads"
"""The custom property of a contract that says which versions of others it reads."""
_NOT_IN_FORCE = frozenset({"proposed", "draft", "retired"})
_FORM = f"write {READS!r} as a list of {{contractId: flights, version: '1.0.0'}}"


def active(contract: Contract) -> bool:
    """Whether readers may rely on this version: it is neither still a draft nor already retired."""
    return (contract.status or "active").lower() not in _NOT_IN_FORCE


def versions_to_judge(
    newest_first: Iterable[Contract], mode: Mode, pins: frozenset[str] = frozenset()
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
    found: defaultdict[str, set[str]] = defaultdict(set)
    problems: list[Problem] = []
    for contract in contracts:
        for told in contract.custom:
            if told.property == READS:
                for entry in told.value if isinstance(told.value, list) else [told.value]:
                    _pin(entry, told, found, problems)
    return {contract: frozenset(versions) for contract, versions in found.items()}, tuple(problems)


def _pin(
    entry: Json, told: CustomProperty, found: defaultdict[str, set[str]], problems: list[Problem]
) -> None:
    contract = entry.get("contractId") if isinstance(entry, Mapping) else None
    version = entry.get("version") if isinstance(entry, Mapping) else None
    if not isinstance(contract, str) or not isinstance(version, str | None):
        at = None if told.at == NOWHERE else told.at
        problems.append(Problem(at, f"this entry of {READS!r} names no contract's version: {entry}", _FORM))
    elif version is not None:
        found[contract].add(version)


def merged(*several: Pins) -> Pins:
    """The pins of several sources together: contracts, data products, subscriptions."""
    ids = {contract for pins in several for contract in pins}
    return {i: frozenset().union(*(pins.get(i, frozenset()) for pins in several)) for i in sorted(ids)}
