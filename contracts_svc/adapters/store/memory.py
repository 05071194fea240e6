"""A store that lives as long as the process: for one run of a command, the demo and tests."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from contracts_svc.alerts import Incident, IncidentState
from contracts_svc.errors import UserMistake
from contracts_svc.lineage.graph import Edge
from contracts_svc.model import Contract

_Part = tuple[bool, int, str]


@dataclass(frozen=True, slots=True)
class _Version:
    contract: Contract
    text: str
    added: datetime


class MemoryStore:
    """:class:`contracts_svc.ports.Store` in dictionaries. For use by one thread."""

    def __init__(self) -> None:
        self._versions: dict[str, dict[str, _Version]] = {}
        self._edges: dict[Edge, Edge] = {}
        self._incidents: dict[str, Incident] = {}

    def put_contract(self, contract: Contract, text: str, now: datetime) -> bool:
        """Keep a version. Raises UserMistake when it is there with another text."""
        versions = self._versions.setdefault(contract.id, {})
        there = versions.get(contract.version)
        if there is None:
            versions[contract.version] = _Version(contract, text, now)
            return True
        if there.text == text:
            return False
        raise UserMistake.of(
            f"version {contract.version} of contract {contract.id} is registered with another content",
            "a version never changes: raise `version` in the contract",
            at=contract.place("version"),
        )

    def contracts(self) -> tuple[Contract, ...]:
        """The latest version of every contract, by id."""
        return tuple(self.versions(i)[-1] for i in sorted(self._versions))

    def versions(self, contract_id: str) -> tuple[Contract, ...]:
        """Every version of a contract, oldest first by semantic versioning; none for an unknown id."""
        kept = self._versions.get(contract_id, {})
        ordered = sorted(kept.values(), key=lambda v: (*precedence(v.contract.version), v.added))
        return tuple(v.contract for v in ordered)

    def put_edges(self, edges: Iterable[Edge]) -> None:
        """Add lineage; of an edge that is there already, the later ``seen`` is kept."""
        for edge in edges:
            there = self._edges.get(edge)
            if there is None or _later(edge.seen, there.seen):
                self._edges[edge] = edge

    def edges(self) -> tuple[Edge, ...]:
        """All lineage, in the order in which it became known."""
        return tuple(self._edges.values())

    def put_incidents(self, incidents: Iterable[Incident]) -> None:
        """Keep these incidents as they are now; an earlier state of the same one is replaced."""
        for incident in incidents:
            self._incidents[incident.fingerprint] = incident

    def incidents(self, resolved_since: datetime | None = None) -> tuple[Incident, ...]:
        """Incidents that are not resolved, or since the moment given, longest open first."""
        there = [
            i
            for i in self._incidents.values()
            if i.state is not IncidentState.RESOLVED
            or (resolved_since is not None and i.resolved is not None and i.resolved >= resolved_since)
        ]
        return tuple(sorted(there, key=lambda i: (i.opened, i.fingerprint)))


def precedence(version: str) -> tuple[tuple[_Part, ...], bool, tuple[_Part, ...]]:
    """A sort key for versions after semantic versioning 2.0.0, section 11 (https://semver.org).

    A pre-release comes before its release, build metadata does not count. Forgiving where contracts
    are: a leading ``v``, any number of parts (``1.2`` is ``1.2.0``), and letters, which come after
    numbers.
    """
    bare = re.sub(r"^[vV](?=[0-9])", "", version.strip()).partition("+")[0]
    core, dash, pre = bare.partition("-")
    release = [_part(p) for p in core.split(".")]
    while len(release) > 1 and release[-1] == (False, 0, ""):
        release.pop()
    return tuple(release), not dash, tuple(_part(p) for p in pre.split("."))


def _part(text: str) -> _Part:
    return (False, int(text), "") if text.isascii() and text.isdecimal() else (True, 0, text)


def _later(one: datetime | None, other: datetime | None) -> bool:
    return one is not None and (other is None or one > other)
