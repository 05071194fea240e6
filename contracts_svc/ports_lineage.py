"""What lineage that comes in event by event needs of a store."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from contracts_svc.lineage.event_report import FacetSaid, Report
from contracts_svc.lineage.graph import ColumnRef, Consumer, DatasetId, Edge
from contracts_svc.lineage.near import Near
from contracts_svc.model import Contract
from contracts_svc.ports_outbox import OutboxStore
from contracts_svc.ports_people import SessionStore
from contracts_svc.ports_store import Actor, ContractChanges, Reached, Store, Subscription

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageState:
    """What the stored edges of a tenant were made with."""

    contracts: int = 0
    """Which contracts there were: see :meth:`contracts_svc.ports_store.ContractStore.contracts_since`."""
    links: int = 0
    """Counts how often what is known of the datasets' names has changed."""
    names: int = 0
    """Counts how often names were reported that never were before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A consumer that a job tells of, and when it did so last."""

    consumer: Consumer
    seen: datetime | None = None


class LineageReports(Protocol):
    """Keeps what jobs report, and the edges that are made of it.

    The dataset names here are as reported; only :meth:`replace_edges` takes them as they are kept (see
    :mod:`contracts_svc.lineage.tenancy`).
    """

    def lock_lineage(self, tenant: str) -> LineageState:
        """The state, which nobody else changes until the transaction ends."""
        ...

    def lineage_state(self, tenant: str) -> LineageState:
        """The state as it is."""
        ...

    def put_lineage_state(self, tenant: str, state: LineageState) -> None:
        """Keep the state."""
        ...

    def put_reports(self, tenant: str, reports: Iterable[Report]) -> None:
        """Keep reports; one that is there already only gets the later ``seen``."""
        ...

    def reports(self, tenant: str, origin: str) -> tuple[Report, ...]:
        """What a job has reported, without the facets."""
        ...

    def old_origins(self, before: datetime, limit: int) -> tuple[tuple[str, str], ...]:
        """Tenant and job of some of those with reports that were last seen before that moment."""
        ...

    def drop_reports(self, tenant: str, origin: str, before: datetime) -> int:
        """Forget the reports of a job that were last seen before that moment; how many there were."""
        ...

    def origins_with_sql(self, tenant: str, origins: Collection[str]) -> frozenset[str]:
        """Those of these jobs that have reported SQL."""
        ...

    def origins_with_readers(self, tenant: str, origins: Collection[str]) -> frozenset[str]:
        """Those of these jobs that have told of a consumer."""
        ...

    def versions(self, contract_id: str) -> tuple[Contract, ...]:
        """See :class:`contracts_svc.ports_store.ContractStore`."""
        ...

    def origins_naming(self, tenant: str, names: Collection[DatasetId]) -> tuple[str, ...]:
        """The jobs that have reported one of these names, sorted."""
        ...

    def names_meaning(self, tenant: str, datasets: Collection[DatasetId]) -> tuple[DatasetId, ...]:
        """The names that meant one of these datasets when they were last used."""
        ...

    def standings(self, tenant: str, near: Near | None = None) -> Mapping[DatasetId, bytes | None]:
        """Every name that was reported, or (some more than) those near there -> a digest of what was known of
        it when it was last used; None: it never was."""
        ...

    def new_names(self, tenant: str) -> tuple[DatasetId, ...]:
        """The names that were reported, and never used."""
        ...

    def standing(self, tenant: str, meant: DatasetId, columns: str) -> bytes:
        """The digest of what is known of a name: the dataset that it means, and its columns as a text."""
        ...

    def put_standings(self, tenant: str, standings: Mapping[DatasetId, bytes]) -> None:
        """Keep what is known of names."""
        ...

    def put_facets(self, tenant: str, facets: Iterable[FacetSaid]) -> frozenset[tuple[DatasetId, str]]:
        """Keep the latest of each (of two of one time the greater text); which of them changed."""
        ...

    def facets(
        self, tenant: str, *, datasets: Collection[DatasetId] | None = None, facet: str | None = None
    ) -> tuple[FacetSaid, ...]:
        """The latest facets, of all datasets or these (under whichever name), of all kinds or this."""
        ...

    def replace_edges(self, tenant: str, origin: str, edges: Iterable[Edge]) -> None:
        """Keep these edges of a job, and no others of it."""
        ...

    def put_edges(self, edges: Iterable[Edge]) -> None:
        """Add edges; see :class:`contracts_svc.ports_store.LineageStore`."""
        ...

    def replace_readers(self, tenant: str, origin: str, readers: Iterable[Told]) -> None:
        """Keep these consumers that a job tells of, and no others of it."""
        ...

    def readers(self, tenant: str) -> tuple[Told, ...]:
        """The consumers that jobs tell of, in an order that does not depend on how they came."""
        ...

    def contracts_since(self, tenant: str, number: int) -> ContractChanges:
        """See :class:`contracts_svc.ports_store.ContractStore`."""
        ...

    def atomically(self, work: Callable[[], T]) -> T:
        """Run ``work``, all of whose changes are kept together, or none is."""
        ...

    def at_once(self, work: Callable[[], T]) -> T:
        """See :class:`contracts_svc.ports_store.Store`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A data product, as it was sent (see :func:`contracts_svc.lineage.declared.read_declarations`)."""

    id: str
    tenant: str
    team: str
    text: bytes


class ProductStore(Protocol):
    """Keeps data products, one per tenant and id."""

    def put_product(self, product: Product, now: datetime, by: Actor) -> bool:
        """Keep a data product as it is now, in use again if it was retired; False when it is so already."""
        ...

    def retire_product(self, tenant: str, product_id: str, now: datetime, by: Actor) -> bool:
        """Take a data product out of use; False when it is, or there is none."""
        ...

    def products(self, tenant: str) -> tuple[Product, ...]:
        """The data products of a tenant that are in use, by id."""
        ...


class StoredGraph(LineageReports, Protocol):
    """What an assessment by stored lineage reads."""

    def downstream(self, starts: Iterable[ColumnRef], *, limit: int = 100_000) -> Reached:
        """See :class:`contracts_svc.ports_store.LineageStore`."""
        ...

    def upstream(self, starts: Iterable[ColumnRef], *, limit: int = 100_000) -> Reached:
        """See :class:`contracts_svc.ports_store.LineageStore`."""
        ...

    def impact_part(self, starts: Iterable[ColumnRef], *, limit: int = 100_000) -> Reached:
        """See :class:`contracts_svc.ports_store.LineageStore`."""
        ...

    def uses_of(self, datasets: Collection[DatasetId]) -> Mapping[DatasetId, bool]:
        """Those of these datasets (as they are kept) that an edge starts or ends at -> whether one ends
        there."""
        ...

    def datasets_used(self, tenant: str) -> tuple[int, int]:
        """How many datasets an edge starts or ends at, and at how many one ends."""
        ...

    def datasets_called(self, tenant: str, text: str) -> tuple[DatasetId, ...]:
        """Those (as they are kept) whose name, or namespace and name with a slash between, is this text and
        that an edge starts or ends at; sorted."""
        ...

    def subscriptions(self, contract_id: str | None = None) -> tuple[Subscription, ...]:
        """Subscriptions that have not ended."""
        ...

    def products(self, tenant: str) -> tuple[Product, ...]:
        """See :class:`ProductStore`."""
        ...


class ServiceStore(Store, StoredGraph, SessionStore, ProductStore, OutboxStore, Protocol):
    """All that the running service must remember, with what jobs report of lineage and what is to be told."""
