"""Which names may mean something else when contracts change: those that are looked for where these are.

A name is looked for at its place and in the folders around it, and among what ends as it does (see
:class:`contracts_svc.lineage.identity.Identities`). So it is enough to look again at the names with one of
these in common with a contract as it was or as it is; that is some names too many, and none too few.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from contracts_svc.lineage.claims import Claim, last_part
from contracts_svc.lineage.graph import DatasetId
from contracts_svc.lineage.names import normal
from contracts_svc.lineage.servers import dataset_at


@dataclass(frozen=True, slots=True)
class Sought:
    """Where a name is looked for, in lower case."""

    place: str
    """``namespace/name`` in the normal form; empty: nowhere in particular."""
    end: str
    """Its last part."""

    @classmethod
    def of(cls, named: DatasetId) -> Sought:
        """Of a name that somebody uses."""
        text = named.name.strip()
        if named.namespace:
            found = normal(named)
        elif "/" in text:
            found = normal(dataset_at(text))
        else:
            return cls("", text.lower().rpartition(".")[2])
        return cls(str(found).lower(), last_part(found))


@dataclass(frozen=True, slots=True)
class Near:
    """Names that are at one of these places, in a folder there, or have one of these ends."""

    places: frozenset[str] = frozenset()
    ends: frozenset[str] = frozenset()

    def __or__(self, other: Near) -> Near:
        return Near(self.places | other.places, self.ends | other.ends)

    def has(self, sought: Sought) -> bool:
        """Whether a name is among them."""
        return sought.end in self.ends or any(
            sought.place == place or sought.place.startswith(f"{place}/") for place in self.places
        )


def near_claims(claims: Iterable[Claim]) -> Near:
    """Names that may mean tables of contracts."""
    found = Near()
    for claim in claims:
        found |= near_to([*claim.names, *claim.ends], claim.places)
    return found


def near_to(texts: Iterable[str], places: Iterable[DatasetId]) -> Near:
    """Names that may mean what has these names, and is at these places (in the normal form)."""
    at = {str(place).lower() for place in places}
    ends: set[str] = set()
    for text in texts:
        sought = Sought.of(DatasetId("", text))
        ends |= {text.lower(), sought.end}
        at |= {sought.place} if sought.place else set()
    return Near(frozenset(at), frozenset(ends))
