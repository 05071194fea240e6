"""The names that contracts give to their tables, by name: one contract is taken out or put in at the cost of
that contract, however many there are.
"""

from __future__ import annotations

from bisect import bisect
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeAlias, TypeVar

from contracts_svc.lineage.graph import DatasetId
from contracts_svc.lineage.layered import Layered
from contracts_svc.lineage.names import normal, parts_of
from contracts_svc.lineage.servers import (
    PLACEHOLDER,
    address_of,
    dataset_at,
    dataset_of,
    places_of,
    stored_name,
)
from contracts_svc.model import Contract, Table

K = TypeVar("K")


class _Change(Protocol):
    def __call__(self, part: _By[K], /) -> _By[K]: ...


@dataclass(frozen=True, slots=True, eq=False)
class Claim:
    """A table of a contract, and the names that it has by it."""

    rank: tuple[int, str, int]
    """Of two that claim one name, the one of the lower rank has it."""
    named: DatasetId
    """Its name, as the contract's first server has it."""
    contract: Contract
    table: Table
    places: tuple[DatasetId, ...]
    """Where it is at each server, in the normal form; the first one is that of ``named``."""
    ends: tuple[str, ...]
    """The last part of each place."""
    names: tuple[str, ...]
    """What people call it, in lower case."""

    @property
    def place(self) -> DatasetId:
        """Where it is at the contract's first server."""
        return self.places[0]


Claims: TypeAlias = tuple[Claim, ...]
"""By their rank."""


def claims_of(contract: Contract, position: int = 0) -> Claims:
    """The tables of a contract; ``position``: its place among the others, where not its id decides."""
    found: list[Claim] = []
    for number, table in enumerate(contract.tables):
        named = dataset_of(contract, table)
        places = tuple(dict.fromkeys((normal(named), *map(normal, places_of(contract, table)))))
        names = tuple(dict.fromkeys(name.lower() for name in _names(contract, table, named)))
        rank = (position, contract.id, number)
        ends = tuple(map(last_part, places))
        found.append(Claim(rank, named, contract, table, places, ends, names))
    return tuple(found)


def last_part(place: DatasetId) -> str:
    """The last part of a dataset's name, in lower case."""
    return (parts_of(place) or ("",))[-1].lower()


def _names(contract: Contract, table: Table, dataset: DatasetId) -> Iterator[str]:
    yield from (table.name, stored_name(table), dataset.name, str(dataset), f"{contract.id}/{table.name}")
    yield f"{contract.id}.{table.name}"
    if len(contract.tables) == 1:
        yield contract.id
    for server in contract.servers:
        address = address_of(server)
        if address is not None and (len(contract.tables) == 1 or PLACEHOLDER.search(address)):
            yield str(dataset_at(PLACEHOLDER.sub(lambda _: stored_name(table), address)))


@dataclass(frozen=True, slots=True, eq=False)
class _By(Generic[K]):
    """Claims by what they are looked for."""

    keys: Callable[[Claim], Iterable[K]]
    """What a claim is looked for by, each once."""
    found: Layered[K, Claims] = field(default_factory=lambda: Layered({}))

    def __getitem__(self, key: K) -> Claims:
        """Those with a key; none: an empty tuple."""
        return self.found.get(key) or ()

    def of(self, claims: Iterable[Claim]) -> _By[K]:
        """Of these claims, which come by their rank."""
        found: defaultdict[K, list[Claim]] = defaultdict(list)
        for claim in claims:
            for key in self.keys(claim):
                found[key].append(claim)
        return _By(self.keys, Layered({key: tuple(several) for key, several in found.items()}))

    def but(self, gone: Iterable[Claim], come: Iterable[Claim]) -> _By[K]:
        """Without these claims, and with those."""
        new: dict[K, Claims] = {}
        for claim in gone:
            for key in self.keys(claim):
                new[key] = tuple(c for c in new.get(key, self[key]) if c is not claim)
        for claim in come:
            for key in self.keys(claim):
                there = new.get(key, self[key])
                at = bisect(there, claim.rank, key=lambda c: c.rank)
                new[key] = (*there[:at], claim, *there[at:])
        return _By(self.keys, self.found.but({key: several or None for key, several in new.items()}))


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """The claims of all contracts."""

    by_contract: _By[str] = _By(lambda c: (c.contract.id,))
    by_place: _By[DatasetId] = _By(lambda c: c.places[:1])
    """By the place at the contract's first server; the first one has it."""
    by_copy: _By[DatasetId] = _By(lambda c: c.places[1:])
    """By the places at the other servers."""
    by_name: _By[str] = _By(lambda c: c.names)
    by_end: _By[str] = _By(lambda c: dict.fromkeys(c.ends))

    def of(self, claims: Iterable[Claim]) -> Index:
        """Of these claims instead, which come by their rank."""
        every = tuple(claims)
        return self._each(lambda part: part.of(every))

    def but(self, gone: Iterable[str], come: Iterable[Claim]) -> Index:
        """Without the contracts with these ids, and with these claims."""
        out = [claim for id_ in dict.fromkeys(gone) for claim in self.by_contract[id_]]
        new = tuple(come)
        return self._each(lambda part: part.but(out, new))

    def _each(self, change: _Change) -> Index:
        return Index(
            change(self.by_contract),
            change(self.by_place),
            change(self.by_copy),
            change(self.by_name),
            change(self.by_end),
        )

    def has(self, claim: Claim) -> bool:
        """Whether nobody else has the place that it claims."""
        there = self.by_place[claim.place]
        return bool(there) and there[0] is claim

    def holder(self, dataset: DatasetId) -> Claim | None:
        """The claim of the table with this very name."""
        there = self.by_place[normal(dataset)]
        return there[0] if there and there[0].named == dataset else None

    def at(self, place: DatasetId) -> DatasetId | None:
        """The dataset that is at a place, at whichever server of its contract."""
        there = self.by_place[place]
        if there:
            return there[0].named
        return next((c.named for c in self.by_copy[place] if self.has(c)), None)

    def called(self, name: str) -> Iterator[DatasetId]:
        """The datasets that people call so (lower case)."""
        return (self.by_place[c.place][0].named for c in self.by_name[name])

    def ending(self, last: str) -> Iterator[DatasetId]:
        """The places whose last part is this (lower case), those at first servers before the others."""
        having = [c for c in self.by_end[last] if self.has(c)]
        yield from (c.place for c in having if c.ends[0] == last)
        for claim in having:
            pairs = zip(claim.places[1:], claim.ends[1:], strict=True)
            yield from (place for place, end in pairs if end == last)


class Tables(Mapping[DatasetId, tuple[Contract, Table]]):
    """Every table that a contract describes, under the name that it has."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def __getitem__(self, dataset: DatasetId) -> tuple[Contract, Table]:
        found = self._index.holder(dataset)
        if found is None:
            raise KeyError(dataset)
        return found.contract, found.table

    def __contains__(self, dataset: object) -> bool:
        return isinstance(dataset, DatasetId) and self._index.holder(dataset) is not None

    def __iter__(self) -> Iterator[DatasetId]:
        return (claims[0].named for claims in self._index.by_place.found.values())

    def __len__(self) -> int:
        return len(self._index.by_place.found)
