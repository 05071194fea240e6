"""Whom something about a contract concerns besides its owner: those who read what is made of its data."""

from __future__ import annotations

from collections.abc import Iterable

from contracts_svc.flows.stored_lineage import StoredLineage
from contracts_svc.lineage.graph import ColumnRef, Consumer
from contracts_svc.model import Contract


def readers_downstream(
    lineage: StoredLineage,
    contract: Contract,
    tenant: str,
    *,
    table: str | None = None,
    columns: Iterable[str] = (),
) -> tuple[Consumer, ...]:
    """Everybody known downstream of a contract, near or far; of one table, or some columns of it."""
    identities = lineage.refresh(tenant).identities
    found: dict[Consumer, None] = {}
    for one in contract.tables:
        if table not in (None, one.name):
            continue
        dataset = identities.resolve(identities.dataset(contract, one))
        for ref in [ColumnRef(dataset, c) for c in columns] or [ColumnRef(dataset, None)]:
            affected, _ = lineage.readers_of(ref, tenant)
            found |= dict.fromkeys(a.consumer for a in affected)
    return tuple(found)
