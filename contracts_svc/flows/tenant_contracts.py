"""The contracts of a tenant as they are registered, of which one is changed at the cost of that one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from contracts_svc.compat.history import READS
from contracts_svc.lineage.layered import Layered
from contracts_svc.model import Contract


@dataclass(frozen=True, slots=True, eq=False)
class TenantContracts(Mapping[str, Contract]):
    """The contracts by id, and those that say something of others."""

    _by_id: Layered[str, Contract] = field(default_factory=lambda: Layered({}))
    _by_file: Layered[str, tuple[Contract, ...]] = field(default_factory=lambda: Layered({}))
    relating: Layered[str, Contract] = field(default_factory=lambda: Layered({}))
    """Those with relationships, by id."""
    pinning: Layered[str, Contract] = field(default_factory=lambda: Layered({}))
    """Those that say which versions of others they read, by id."""

    def but(self, gone: Iterable[str], come: Iterable[Contract]) -> TenantContracts:
        """Without the contracts with these ids, and with these contracts in place of those with their ids."""
        new: dict[str, Contract | None] = dict.fromkeys(gone) | {c.id: c for c in come}
        if not new:
            return self
        files: dict[str, tuple[Contract, ...]] = {}
        for id_, contract in new.items():
            for each in (self._by_id.get(id_), contract):
                if each is not None:
                    name = _file(each)
                    others = files[name] if name in files else self._by_file.get(name) or ()
                    kept = [c for c in others if c.id != id_]
                    files[name] = (*kept, each) if each is contract else tuple(kept)
        return TenantContracts(
            self._by_id.but(new),
            self._by_file.but({name: several or None for name, several in files.items()}),
            self.relating.but({id_: c if c is not None and _relates(c) else None for id_, c in new.items()}),
            self.pinning.but({id_: c if c is not None and _pins(c) else None for id_, c in new.items()}),
        )

    @property
    def by_file(self) -> Mapping[str, Contract]:
        """By the name of the file that each came from, else by its id; of several, that of the last id."""
        return _ByFile(self._by_file)

    @property
    def several(self) -> Mapping[str, Sequence[Contract]]:
        """By id, each as all that have it."""
        return _Several(self)

    def __getitem__(self, contract_id: str) -> Contract:
        return self._by_id[contract_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_id)

    def __len__(self) -> int:
        return len(self._by_id)


class _ByFile(Mapping[str, Contract]):
    def __init__(self, found: Layered[str, tuple[Contract, ...]]) -> None:
        self._found = found

    def __getitem__(self, file: str) -> Contract:
        return max(self._found[file], key=lambda c: c.id)

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


class _Several(Mapping[str, Sequence[Contract]]):
    def __init__(self, contracts: TenantContracts) -> None:
        self._contracts = contracts

    def __getitem__(self, contract_id: str) -> Sequence[Contract]:
        return (self._contracts[contract_id],)

    def __iter__(self) -> Iterator[str]:
        return iter(self._contracts)

    def __len__(self) -> int:
        return len(self._contracts)


def _file(contract: Contract) -> str:
    return contract.at.file or contract.id


def _relates(contract: Contract) -> bool:
    return any(t.relationships or any(c.relationships for c in t.walk()) for t in contract.tables)


def _pins(contract: Contract) -> bool:
    return any(c.property == READS for c in contract.custom)
