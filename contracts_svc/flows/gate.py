"""Ask the store whether a dataset may be read."""

from __future__ import annotations

from datetime import datetime, timedelta

from contracts_svc.errors import UserMistake
from contracts_svc.findings import Severity
from contracts_svc.gate import Gate, gate
from contracts_svc.lineage.graph import DatasetId
from contracts_svc.lineage.identity import Identities
from contracts_svc.model import Contract
from contracts_svc.ports_store import Store


class NoSuchDataset(UserMistake):
    """No contract describes what was asked for."""

    http_status = 404


def gate_of(
    store: Store,
    name: str,
    tenant: str,
    *,
    now: datetime,
    closes: Severity = Severity.ERROR,
    max_age: timedelta | None = None,
) -> Gate:
    """The gate of a dataset: a contract's id (all its tables), a table's name, or an OpenLineage name.

    Raises NoSuchDataset, which says what may have been meant.
    """
    contract, tables = _found(store, name, tenant)
    last = {t: next(iter(store.runs(contract.id, t, limit=1)), None) for t in tables}
    return gate(contract.id, last, store.incidents(), now=now, closes=closes, max_age=max_age)


def _found(store: Store, name: str, tenant: str) -> tuple[Contract, tuple[str, ...]]:
    row = store.contract_rows([name]).get(name)
    if row is not None and row.tenant == tenant:
        contract = store.versions(name)[-1]
        if contract.tables:
            return contract, tuple(t.name for t in contract.tables)
    identities = Identities.of(c for c in store.contracts() if (c.tenant or "") == tenant)
    dataset = identities.find(name) or identities.resolve(_named(name))
    found = identities.contract_of(dataset)
    if found is None:
        close = identities.suggest(name)
        raise NoSuchDataset.of(
            f"no contract describes {name!r}",
            f"did you mean {' or '.join(close)}?" if close else "give a contract's id or a table's name",
        )
    return found[0], (found[1].name,)


def _named(name: str) -> DatasetId:
    """``s3://lake/flights`` as OpenLineage splits it: the namespace is what stands before the path."""
    scheme, mark, rest = name.partition("://")
    if not mark:
        return DatasetId("", name)
    host, _, path = rest.partition("/")
    return DatasetId(f"{scheme}://{host}", path)
