"""Data was published: have the tables that it touches checked, once per happening."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from contracts_svc.lineage.identity import Identities
from contracts_svc.ports_jobs import JobStore
from contracts_svc.publish import Notice
from contracts_svc.schedules_runs import PublishEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """What came of a notice."""

    tables: tuple[tuple[str, str], ...] = ()
    """Contract and table of each that will be checked."""
    heard_before: int = 0
    """Happenings that an earlier message told of."""
    unmatched: tuple[str, ...] = ()
    """Datasets that no contract describes."""


def announce(
    notice: Notice, *, store: JobStore, identities: Identities, tenant: str, now: datetime
) -> Announced:
    """Have every table of the tenant checked that a notice touches, when it has been quiet for a while.

    A happening that was heard of before starts nothing. All of a notice is kept, or nothing: should we
    fail, sending it again starts the checks. Raises CouldNotCheck.
    """
    events: list[PublishEvent] = []
    unmatched: dict[str, None] = {}
    for touched in notice.touched:
        dataset = identities.resolve(touched.dataset)
        found = identities.contract_of(dataset)
        if found is None:
            unmatched[str(dataset)] = None
            continue
        contract, table = found
        events.append(
            PublishEvent(key=touched.id, tenant=tenant, contract=contract.id, table=table.name, at=now)
        )
    new = store.put_events(events) if events else ()
    return Announced(
        tables=tuple(dict.fromkeys((e.contract, e.table) for e in new)),
        heard_before=len(events) - len(new),
        unmatched=tuple(unmatched),
    )
