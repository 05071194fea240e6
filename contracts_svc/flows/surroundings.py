"""Whom something about a table concerns, by the contracts and the lineage of a store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from contracts_svc.alerts import Incident
from contracts_svc.flows.stored_lineage import StoredLineage
from contracts_svc.lineage.graph import ColumnRef, Consumer, DatasetId, Graph
from contracts_svc.model import Contract
from contracts_svc.routing import DatasetOf, stored_path


def _by_name(contract: str, table: str) -> DatasetId:
    return DatasetId("", table)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What messages about a table are made with."""

    contracts: Mapping[str, Contract] = field(default_factory=dict)
    dataset_of: DatasetOf = _by_name
    graph: Graph = field(default_factory=Graph)
    consumers: Sequence[Consumer] = ()


def surroundings(stored: StoredLineage, incident: Incident, tenant: str) -> Surroundings:
    """The contract of an incident and those whom its columns reach; next to nothing when it is retired."""
    known = stored.refresh(tenant)
    contract = next((c for c in known.contracts if c.id == incident.contract), None)
    table = contract.table(incident.table) if contract else None
    if contract is None or table is None:
        return Surroundings(contracts={contract.id: contract} if contract else {})
    dataset = known.identities.resolve(known.identities.dataset(contract, table))
    columns = [stored_path(contract, incident.table, c) for c in incident.columns]
    starts = [ColumnRef(dataset, c) for c in columns] or [ColumnRef(dataset, None)]
    part = stored.part(starts, tenant=tenant, names=[dataset])

    def dataset_of(contract_id: str, name: str) -> DatasetId:
        same = (contract_id, name) == (incident.contract, incident.table)
        return dataset if same else _by_name(contract_id, name)

    return Surroundings(
        contracts={contract.id: contract},
        dataset_of=dataset_of,
        graph=part.lineage.graph,
        consumers=part.lineage.consumers,
    )
