"""Whom an incident concerns besides its owner: those whose own data is made of what is wrong."""

from __future__ import annotations

from contracts_svc.alerts import Incident
from contracts_svc.flows.stored_lineage import StoredLineage
from contracts_svc.lineage.graph import ColumnRef


def squads_downstream(lineage: StoredLineage, incident: Incident, tenant: str) -> frozenset[str]:
    """The squads of the contracts that lineage knows downstream of an incident, near or far."""
    known = lineage.refresh(tenant)
    contract = next((c for c in known.contracts if c.id == incident.contract), None)
    table = contract.table(incident.table) if contract else None
    if contract is None or table is None:
        return frozenset()
    dataset = known.identities.dataset(contract, table)
    starts = [ColumnRef(dataset, c) for c in incident.columns] or [ColumnRef(dataset, None)]
    reached = lineage.datasets_from(starts, tenant)
    identities = known.identities
    teams = (found[0].team for d in reached if (found := identities.contract_of(d)))
    squads = ((t.custom_value("squad") or t.name or "") for t in teams if t)
    return frozenset(s for s in squads if s)
