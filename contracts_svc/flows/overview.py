"""How much of a tenant's data is under contract, and how much of that is looked at."""

from __future__ import annotations

from dataclasses import dataclass

from contracts_svc.flows.stored_lineage import StoredLineage
from contracts_svc.ports_store import RunStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """Contracts in use, their tables, and of how many of each there was ever a run."""

    contracts: int
    checked: int
    tables: int
    tables_checked: int


def extent(store: RunStore, lineage: StoredLineage, tenant: str) -> Extent:
    """The extent of a tenant. Raises CouldNotCheck."""
    contracts = lineage.refresh(tenant).contracts.values()
    places = [(c.id, t.name) for c in contracts for t in c.tables]
    checked = store.ever_checked(places)
    return Extent(
        contracts=len(contracts),
        checked=len({contract for contract, _ in checked}),
        tables=len(places),
        tables_checked=len(checked),
    )
