"""Whether something about a contract concerns somebody: it is theirs, or they read what is made of it."""

from __future__ import annotations

from collections.abc import Iterable

from contracts_svc.api.access import Caller
from contracts_svc.api.service import Service
from contracts_svc.flows.concerned import readers_downstream
from contracts_svc.flows.stored_lineage import StoredLineage
from contracts_svc.lineage.graph import Consumer
from contracts_svc.ports_store import ContractRow


def is_concerned(
    service: Service,
    lineage: StoredLineage,
    caller: Caller,
    row: ContractRow,
    *,
    table: str | None = None,
    columns: Iterable[str] = (),
) -> bool:
    """Whether the caller acts for whose contract this is, or for a reader downstream of it."""
    if caller.owns(row.squad, row.domain):
        return True
    if any(caller.owns(s.team) for s in service.store.subscriptions(row.id)):
        return True
    contract = service.store.versions(row.id)[-1]
    readers = readers_downstream(lineage, contract, caller.tenant, table=table, columns=columns)
    domains = service.store.contract_rows({r.contract for r in readers if r.contract})
    return any(
        _is_of(caller, r, domains[r.contract].domain if r.contract in domains else "") for r in readers
    )


def _is_of(caller: Caller, reader: Consumer, domain: str) -> bool:
    return caller.owns(reader.team, domain) or (bool(reader.owner) and reader.owner == caller.name)
