"""The store: all parts over one database."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from contracts_svc.adapters.store.contracts import Contracts, ReadContract
from contracts_svc.adapters.store.database import MEMORY, Database
from contracts_svc.adapters.store.deprecations import Deprecations
from contracts_svc.adapters.store.github import HubWork
from contracts_svc.adapters.store.github_pulls import HubPulls, HubRepositories
from contracts_svc.adapters.store.heard import HeardMessages
from contracts_svc.adapters.store.incidents import Incidents
from contracts_svc.adapters.store.jobs import ScheduledRuns
from contracts_svc.adapters.store.outbox import Outbox, Silences
from contracts_svc.adapters.store.people import Audit, Subscriptions, Tokens, Waivers
from contracts_svc.adapters.store.probe import Probe
from contracts_svc.adapters.store.products import Products
from contracts_svc.adapters.store.reports import LineageReports
from contracts_svc.adapters.store.retention import Retention
from contracts_svc.adapters.store.runs import Runs
from contracts_svc.adapters.store.sessions import Sessions
from contracts_svc.adapters.store.states import States
from contracts_svc.adapters.store.tables import metadata
from contracts_svc.ports_hub_store import HubStore
from contracts_svc.ports_jobs import JobStore
from contracts_svc.ports_lineage import ProductStore, StoredGraph
from contracts_svc.ports_outbox import OutboxStore
from contracts_svc.ports_retention import RetentionStore
from contracts_svc.ports_store import Store

T = TypeVar("T")


class DatabaseStore(
    Contracts,
    Deprecations,
    LineageReports,
    HeardMessages,
    Incidents,
    Runs,
    Waivers,
    Subscriptions,
    Tokens,
    Audit,
    ScheduledRuns,
    Outbox,
    Silences,
    States,
    Retention,
    HubWork,
    HubRepositories,
    HubPulls,
    Sessions,
    Products,
    Probe,
):
    """:class:`contracts_svc.ports_store.Store` on SQLite or PostgreSQL, with scheduled runs and an outbox."""

    def atomically(self, work: Callable[[], T]) -> T:
        """Run ``work``, all of whose changes are kept together, or none is."""
        return self.database.write(lambda _: work())

    def at_once(self, work: Callable[[], T]) -> T:
        """Run ``work``, which only reads, over one connection."""
        return self.database.read_at_once(work)

    def close(self) -> None:
        """Close every connection."""
        self.database.close()


def in_memory(read: ReadContract) -> DatabaseStore:
    """A store that lives as long as the value: for one run of a command, the demo and tests.

    For use by one thread.
    """
    database = Database(MEMORY)
    metadata.create_all(database.engine)
    return DatabaseStore(database, read)


if TYPE_CHECKING:
    # The type checker sees here that nothing of the port is missing.
    _port: type[Store] = DatabaseStore
    _lineage: type[StoredGraph] = DatabaseStore
    _products: type[ProductStore] = DatabaseStore
    _jobs: type[JobStore] = DatabaseStore
    _outbox: type[OutboxStore] = DatabaseStore
    _retention: type[RetentionStore] = DatabaseStore
    _hub: type[HubStore] = DatabaseStore
