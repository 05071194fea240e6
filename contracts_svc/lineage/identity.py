"""Which dataset a name means: a contract's table at any of its servers, a symlink, a path, a SQL name.

What no contract describes keeps a name of its own, spelt in one way, and is shown with suggestions:
nothing that lineage speaks of is dropped for its name.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from contracts_svc.lineage.claims import Index, Tables, claims_of, last_part
from contracts_svc.lineage.column_names import ColumnNames, columns_of
from contracts_svc.lineage.graph import DatasetId
from contracts_svc.lineage.links import Group, Links
from contracts_svc.lineage.names import (
    kind_of,
    lacks_host,
    may_be_one,
    normal,
    normal_column,
    parts_of,
    reads_files,
)
from contracts_svc.lineage.near import Near, near_claims
from contracts_svc.lineage.servers import dataset_at, dataset_of, is_files
from contracts_svc.model import Contract, Table

__all__ = ["Identities", "Unmatched", "dataset_at"]

_DEEPEST = 100
"""Folders in folders among which the one that is a dataset is looked for."""
_MOST_COMPARED = 300
"""Names for which close ones are searched in one listing; the search costs as many as are known each."""


@dataclass(frozen=True, slots=True)
class Unmatched:
    """A dataset that lineage names and no contract describes, and what may have been meant."""

    dataset: DatasetId
    suggestions: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Identities:
    """Every registered table under its OpenLineage name, and the other names people use for it."""

    _index: Index = field(repr=False)
    _links: Links = field(repr=False)
    _resolved: dict[DatasetId, DatasetId] = field(default_factory=dict, repr=False)
    _columns: dict[DatasetId, ColumnNames] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls, contracts: Iterable[Contract], also: Mapping[DatasetId, Iterable[DatasetId]] | None = None
    ) -> Identities:
        """Name the tables of these contracts. Where two claim one name, the first keeps it.

        ``also`` gives datasets that lineage speaks of, each with its other names (OpenLineage's symlinks:
        a Glue table over a path); names that are joined so, however indirectly, are one dataset, which
        has the contract's name where there is one.
        """
        claims = (claim for n, contract in enumerate(contracts) for claim in claims_of(contract, n))
        return cls(Index().of(claims), Links.of(also or {}))

    def but(self, gone: Iterable[str], come: Iterable[Contract]) -> Identities:
        """The same without the contracts with these ids, and with these contracts: what that costs does not
        depend on how many others there are. To be begun with ``Identities.of(())``: here, where two claim
        one name, the one whose id comes first keeps it."""
        come = tuple(come)
        claims = (claim for contract in come for claim in claims_of(contract))
        return Identities(self._index.but((*gone, *(c.id for c in come)), claims), self._links)

    def linked(self, also: Mapping[DatasetId, Iterable[DatasetId]]) -> Identities:
        """The same with these other names of datasets instead."""
        return Identities(self._index, Links.of(also))

    def near(self, contracts: Iterable[Contract]) -> Near:
        """Which names may mean something else than they did when only these contracts, in these versions and
        any between, came or went before what is now."""
        changed = [claim for contract in contracts for claim in claims_of(contract)]
        # Another one may have got what one of these had, or lost it.
        rivals = [rival for claim in changed for rival in self._index.by_place[claim.place]]
        return self._links.near(near_claims((*changed, *rivals)))

    @property
    def known(self) -> Mapping[DatasetId, tuple[Contract, Table]]:
        """The tables that contracts describe."""
        return Tables(self._index)

    def dataset(self, contract: Contract, table: Table) -> DatasetId:
        """The name of a table, from the contract's first server; namespace "" without a server."""
        return dataset_of(contract, table)

    def contract_of(self, dataset: DatasetId) -> tuple[Contract, Table] | None:
        """The contract and table that describe this dataset, or None."""
        found = self._index.holder(dataset)
        return (found.contract, found.table) if found is not None else None

    def resolve(self, named: DatasetId) -> DatasetId:
        """The one dataset that a name of lineage stands for; the name's normal form where nothing is
        known of it. Resolving twice changes nothing."""
        if named not in self._resolved:
            self._resolved[named] = self._resolve(named)
        return self._resolved[named]

    def column(self, dataset: DatasetId, written: str) -> str:
        """The name in lineage of a column that a source of lineage writes so: as the contract has it, else
        in one spelling. Case counts only where two columns differ in nothing else."""
        found = self.contract_of(dataset)
        if found is None:
            return normal_column(dataset, written)
        if dataset not in self._columns:
            self._columns[dataset] = ColumnNames.of(found[1])
        return self._columns[dataset].name(written) or normal_column(dataset, written)

    def unmatched(self, datasets: Iterable[DatasetId]) -> tuple[Unmatched, ...]:
        """Those of these datasets that no contract describes; those with a suggestion come first."""
        missing = sorted(d for d in datasets if d not in self.known)
        found = [Unmatched(d, self._alike(d, search=n < _MOST_COMPARED)) for n, d in enumerate(missing)]
        return tuple(sorted(found, key=lambda u: not u.suggestions))

    def find(self, text: str) -> DatasetId | None:
        """The one dataset that this text names, or None where there is none or more than one.

        Taken are a table's name, a contract's id (of one table), ``namespace/name``, the address of
        the data or of a file in it, and a qualified SQL name that ends in the dataset's own.
        Letter case does not matter.
        """
        found = self._matches(text.strip())
        return found[0] if len(found) == 1 else None

    def suggest(self, text: str) -> tuple[str, ...]:
        """Names close to this text: what somebody may have meant; the candidates where several fit."""
        several = self._matches(text.strip())
        if len(several) > 1:
            return tuple(str(d) for d in several)
        names = [*self._index.by_name.found, *(name for name in self._links.by_name if self._called(name))]
        close = difflib.get_close_matches(text.strip().lower(), names, n=3, cutoff=0.6)
        datasets = dict.fromkeys(d for name in close for d in self._called(name))
        return tuple(self._shortest(d) for d in datasets)

    def columns(self) -> Mapping[str, Mapping[str, str]]:
        """Table name -> column as stored -> type as the contract writes it ("" where it has none).

        A name that several tables have is left out in favour of their ``namespace/name``.
        """
        return {self._shortest(dataset): columns_of(table) for dataset, (_, table) in self.known.items()}

    def _resolve(self, named: DatasetId) -> DatasetId:
        if not named.namespace:
            found = self.find(named.name)
            address = "://" in named.name  # SQL reads files by their address
            return found or (self._resolve(dataset_at(named.name)) if address else named)
        place = normal(named)
        first = self._at(place) or place
        for name in dict.fromkeys((first, place)):
            if name in self.known:
                return name
            found = self._enclosing(name) or self._partly_named(name)
            if found is not None:
                return found
        return first

    def _enclosing(self, place: DatasetId) -> DatasetId | None:
        """The dataset in whose folder a path lies, the nearest one."""
        if not kind_of(place.namespace).files:
            return None
        path = place.name
        for _ in range(_DEEPEST):
            path = path.rpartition("/")[0]
            if not path.strip("/"):
                break
            found = self._at(DatasetId(place.namespace, path))
            if found is not None and found in self.known:
                return found
        return None

    def _partly_named(self, named: DatasetId) -> DatasetId | None:
        """The one dataset whose name ends so, in the same namespace; at whatever host of the same kind of
        system where no host is named."""
        if kind_of(named.namespace).files:
            return None
        last, anywhere = last_part(named), lacks_host(named.namespace)
        # A longer name in the same namespace; where no host is named, one at any host.
        places = [
            p
            for p in self._ending(last)
            if (
                not lacks_host(p.namespace)
                if anywhere
                else p.namespace == named.namespace and len(parts_of(p)) > len(parts_of(named))
            )
        ]
        found = self._all_at(p for p in places if may_be_one(named, p)).keys()
        if not found and anywhere and reads_files(named.namespace):
            found = {d: None for d in self._called(last) if is_files(self.known[d][0])}.keys()
        return next(iter(found)) if len(found) == 1 else None

    def _alike(self, dataset: DatasetId, *, search: bool) -> tuple[str, ...]:
        """What has the same last part, else what is spelt nearly so."""
        last = last_part(dataset)
        same = self._all_at(self._ending(last)) | dict.fromkeys(self._called(last))
        found = tuple(str(d) for d in same if d in self.known)
        return found or (self.suggest(last) if search else ())

    def _shortest(self, dataset: DatasetId) -> str:
        """The table's own name where nothing else has it, else ``namespace/name``."""
        name = self.known[dataset][1].name
        return name if self._called(name.lower()) == (dataset,) else str(dataset)

    def _matches(self, text: str) -> tuple[DatasetId, ...]:
        """Every dataset the text may name, by the first way of reading it that fits any."""
        for name in (text, *_folders(text)):
            if found := self._called(name.lower()):
                return found
        if "://" in text or "." not in text:
            return ()
        return self._qualified(tuple(text.lower().split(".")))

    def _qualified(self, parts: tuple[str, ...]) -> tuple[DatasetId, ...]:
        """``schema.table``: ends the dataset's name; files have no schema, so any goes for them."""
        places = [p for p in self._ending(parts[-1]) if not kind_of(p.namespace).files]
        found = self._all_at(p for p in places if _ends(p, parts))
        if not any(d in self.known for d in found):
            found = {d: None for d in self._called(parts[-1]) if is_files(self.known[d][0])}
        return tuple(d for d in found if d in self.known)

    def _at(self, place: DatasetId) -> DatasetId | None:
        """The dataset at a place; None: nothing is known of it."""
        found = self._index.at(place)
        if found is not None:
            return found
        group = self._links.groups.get(place)
        return self._of(group) if group is not None else None

    def _all_at(self, places: Iterable[DatasetId]) -> dict[DatasetId, None]:
        return {d: None for p in places if (d := self._at(p)) is not None}

    def _of(self, group: Group) -> DatasetId:
        """Of names that are joined, that of a contract, else the one that was chosen among them."""
        claimed = [d for member in group.members if (d := self._index.at(member)) is not None]
        return min(claimed, default=group.chosen)

    def _called(self, name: str) -> tuple[DatasetId, ...]:
        """The datasets of contracts that people call so (lower case), by a name that is linked too."""
        found = dict.fromkeys(self._index.called(name))
        for place in self._links.by_name.get(name, ()):
            if (
                self._index.at(place) is None
                and (dataset := self._of(self._links.groups[place])) in self.known
            ):
                found.setdefault(dataset)
        return tuple(found)

    def _ending(self, last: str) -> dict[DatasetId, None]:
        """The places whose last part is this (lower case)."""
        return dict.fromkeys((*self._index.ending(last), *self._links.by_end.get(last, ())))


def _ends(place: DatasetId, parts: tuple[str, ...]) -> bool:
    own = tuple(p.lower() for p in parts_of(place))
    return own[-len(parts) :] == parts


def _folders(text: str) -> Iterator[str]:
    """The address a text stands for, then every folder that it lies in, nearest first."""
    if "/" not in text:
        return
    at = dataset_at(text)
    path = at.name
    for _ in range(_DEEPEST):
        if not path.strip("/"):
            break
        yield str(DatasetId(at.namespace, path))
        path = path.rpartition("/")[0]
