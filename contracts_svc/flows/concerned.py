"""Whom an incident concerns besides its owner: those whose own data is made of what is wrong."""

from __future__ import annotations

from contracts_svc.alerts import Incident
from contracts_svc.flows.registered_lineage import downstream_of
from contracts_svc.lineage.graph import ColumnRef
from contracts_svc.lineage.identity import Identities
from contracts_svc.ports_store import Store


def squads_downstream(store: Store, incident: Incident, tenant: str) -> frozenset[str]:
    """The squads of the contracts that lineage knows downstream of an incident, near or far."""
    contracts = [c for c in store.contracts() if (c.tenant or "") == tenant]
    contract = next((c for c in contracts if c.id == incident.contract), None)
    table = contract.table(incident.table) if contract else None
    if contract is None or table is None:
        return frozenset()
    identities = Identities.of(contracts)
    dataset = identities.resolve(identities.dataset(contract, table))
    starts = [ColumnRef(dataset, c) for c in incident.columns] or [ColumnRef(dataset, None)]
    reached = {e.target.dataset for e in downstream_of(store, starts, identities, tenant)}
    teams = (found[0].team for d in reached if (found := identities.contract_of(d)))
    squads = ((t.custom_value("squad") or t.name or "") for t in teams if t)
    return frozenset(s for s in squads if s)
