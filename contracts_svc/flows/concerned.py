"""Whom something about a contract concerns besides its owner: those who read what is made of its data."""

from __future__ import annotations

from collections.abc import Iterable

from contracts_svc.alerts import Incident
from contracts_svc.flows.stored_lineage import StoredLineage
from contracts_svc.incidents import COULD_NOT_CHECK
from contracts_svc.lineage.graph import ColumnRef, Consumer
from contracts_svc.model import Contract
from contracts_svc.ports_store import ContractStore
from contracts_svc.routing import stored_path
from contracts_svc.routing_reach import Affected, affected


def readers_downstream(
    lineage: StoredLineage,
    contract: Contract,
    tenant: str,
    *,
    table: str | None = None,
    columns: Iterable[str] = (),
) -> tuple[Consumer, ...]:
    """Everybody known downstream of a contract, near or far; of one table, or some columns of it."""
    reached = affected_downstream(lineage, contract, tenant, table=table, columns=columns)
    return tuple(dict.fromkeys(a.consumer for a in reached))


def affected_downstream(
    lineage: StoredLineage,
    contract: Contract,
    tenant: str,
    *,
    table: str | None = None,
    columns: Iterable[str] = (),
) -> tuple[Affected, ...]:
    """The same, with the columns of each that are reached; by name. ``columns`` are the contract's."""
    identities = lineage.refresh(tenant).identities
    found: list[Affected] = []
    for one in contract.tables:
        if table not in (None, one.name):
            continue
        dataset = identities.resolve(identities.dataset(contract, one))
        wrong = [stored_path(contract, one.name, c) for c in columns]
        starts = [ColumnRef(dataset, c) for c in wrong] or [ColumnRef(dataset, None)]
        part = lineage.part(starts, tenant=tenant, names=[dataset]).lineage
        found += affected(wrong, dataset, part.graph, part.consumers)
    return tuple(sorted(found, key=lambda a: (a.consumer.name, a.consumer.dataset)))


def affected_of(
    store: ContractStore, lineage: StoredLineage, incident: Incident, tenant: str
) -> tuple[Affected, ...]:
    """Whom the columns of an incident reach; nobody where only the check could not be run."""
    versions = store.versions(incident.contract)
    if incident.check == COULD_NOT_CHECK or not versions:
        return ()
    return affected_downstream(lineage, versions[-1], tenant, table=incident.table, columns=incident.columns)
