"""Lineage that comes into a store event by event.

The store keeps what jobs report and the edges made of it. An edge is made of the reports of its job, of the
contracts and of what is known of the datasets' names and columns; when any of these changes, the edges of
the jobs concerned are made anew. So the graph does not depend on the order in which events come, nor on how
often, nor on who sends them at the same time.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from threading import Lock

from contracts_svc.errors import Problem
from contracts_svc.flows.following import atomically
from contracts_svc.flows.lineage import Follow, edges_of
from contracts_svc.flows.tenant_contracts import TenantContracts
from contracts_svc.flows.together import Together
from contracts_svc.lineage.column_names import columns_of
from contracts_svc.lineage.event_facets import Facets
from contracts_svc.lineage.event_facets import described as described_by
from contracts_svc.lineage.event_report import FacetSaid, Report
from contracts_svc.lineage.graph import DatasetId, Edge
from contracts_svc.lineage.heard import Described, Heard
from contracts_svc.lineage.heard import links as links_of
from contracts_svc.lineage.identity import Identities
from contracts_svc.lineage.near import Near
from contracts_svc.lineage.queries import follow
from contracts_svc.lineage.resolve import settled
from contracts_svc.lineage.tenancy import scoped_edges
from contracts_svc.model import Json
from contracts_svc.ports_lineage import LineageState, StoredGraph, Told

TakeEvent = Callable[[Json, str, datetime], tuple[Heard, Report | None]]
"""Event, name in problems, now -> what it says, and what is to be kept of it (None: it is no event)."""
ReadEvents = Callable[[Iterable[Json], str, datetime | None], Heard]
"""Events, name in problems, now -> what they say."""

_MOST_CHANGED = 200
"""Contracts that changed, up to which names are looked for that these concern; else all are looked at."""
_FURTHEST_BEHIND = 100
"""Changes of contracts that no stored edge depends on, and which need not be noted yet."""

MOST_TOGETHER = 64
"""Requests whose events are kept in one transaction."""

_SYMLINKS, _SCHEMA = "symlinks", "schema"


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of one event."""

    kept: bool
    problems: tuple[Problem, ...] = ()
    """What is wrong with it; with ``kept``, the rest was taken."""


@dataclass(frozen=True, slots=True)
class Known:
    """What names and columns mean."""

    number: int
    """Of the last change of contracts that this is made with."""
    links: int
    """As in :class:`contracts_svc.ports_lineage.LineageState`."""
    contracts: TenantContracts
    identities: Identities


_NOTHING = Known(0, 0, TenantContracts(), Identities.of(()))


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is to be kept of the events of one request."""

    tenant: str
    kept: Sequence[tuple[Heard, Report]]


class LineageIntake:
    """The lineage in a store. Safe for use by many threads, and beside other processes.

    ``follow`` follows the SQL of jobs; for SQL that anybody may send, within bounds of time.
    """

    def __init__(
        self, store: StoredGraph, take: TakeEvent, read: ReadEvents, follow: Follow = follow
    ) -> None:
        self._store = store
        self._take = take
        self._read = read
        self._follow = follow
        self._cache: dict[str, Known] = {}
        self._still: dict[str, tuple[LineageState, int]] = {}
        self._lock = Lock()
        self._together = Together(self._keep_all, most=MOST_TOGETHER)

    # --- in ---

    def take(self, events: Sequence[Json], *, tenant: str, now: datetime) -> tuple[Taken, ...]:
        """Keep what these events say; one answer each. What is wrong with one stops none of the others."""
        read = [self._take(event, f"event {n}", now) for n, event in enumerate(events, start=1)]
        kept = [(heard, report) for heard, report in read if report is not None]
        unclear: dict[str, tuple[Problem, ...]] = {}
        if kept:
            unclear = self._together(_Kept(tenant, kept))
        return tuple(
            Taken(
                kept=report is not None,
                problems=(*heard.problems, *(unclear.get(report.origin, ()) if report else ())),
            )
            for heard, report in read
        )

    def _keep_all(self, given: Sequence[_Kept]) -> list[dict[str, tuple[Problem, ...]]]:
        """What waits is kept in one transaction for each tenant."""
        by_tenant: defaultdict[str, list[tuple[Heard, Report]]] = defaultdict(list)
        for each in given:
            by_tenant[each.tenant] += each.kept
        unclear = {
            tenant: atomically(self._store, partial(self._keep, tenant, kept), self._follow)
            for tenant, kept in by_tenant.items()
        }
        return [unclear[each.tenant] for each in given]

    def _keep(
        self, tenant: str, kept: Sequence[tuple[Heard, Report]], follow: Follow
    ) -> dict[str, tuple[Problem, ...]]:
        """In one transaction; job -> what of its SQL was not understood."""
        reports = [report for _, report in kept]
        before = self._store.lock_lineage(tenant)
        self._store.put_reports(tenant, reports)
        changed = self._store.put_facets(tenant, (f for r in reports for f in r.facets))
        linked = any(facet == _SYMLINKS for _, facet in changed)
        known, again = self._renewed(tenant, before, before.links + linked)
        columns = {dataset for dataset, facet in changed if facet == _SCHEMA}
        again |= self._reading(tenant, columns, known.identities)
        found: dict[str, tuple[Problem, ...]] = {}
        by_origin: defaultdict[str, list[Heard]] = defaultdict(list)
        for heard, report in kept:
            by_origin[report.origin].append(heard)
        with_sql = self._store.origins_with_sql(tenant, by_origin)
        with_readers = self._store.origins_with_readers(tenant, by_origin)
        added: list[Edge] = []
        for origin in sorted(by_origin.keys() | again):
            # New events of a job are enough where it sends no SQL, tells of no reader, and names mean
            # what they meant.
            new = by_origin[origin]
            if {origin} & (again | with_sql | with_readers) or any(heard.consumers for heard in new):
                found[origin] = self._make(tenant, origin, known, follow)
            else:
                edges, found[origin] = self._edges(new, known, (), follow)
                added += scoped_edges(edges, tenant)
        self._store.put_edges(added)
        return found

    def forget(self, before: datetime, *, limit: int = 100) -> int:
        """Forget what jobs reported last before that moment, and the edges that nothing else reports; of
        ``limit`` jobs at most, each in one transaction. How many reports there were."""
        return sum(
            atomically(self._store, partial(self._forget, tenant, origin, before), self._follow)
            for tenant, origin in self._store.old_origins(before, limit)
        )

    def _forget(self, tenant: str, origin: str, before: datetime, follow: Follow) -> int:
        state = self._store.lock_lineage(tenant)
        known, again = self._renewed(tenant, state, state.links)
        gone = self._store.drop_reports(tenant, origin, before)
        for each in sorted(again | {origin}):
            self._make(tenant, each, known, follow)
        return gone

    def refresh(self, tenant: str) -> Known:
        """Bring the edges up to what is known now: contracts may have been registered since."""
        known = self._store.at_once(lambda: self._as_stored(tenant))
        if known is not None:
            return known

        def work(follow: Follow) -> Known:
            before = self._store.lock_lineage(tenant)
            known, again = self._renewed(tenant, before, before.links)
            for origin in sorted(again):
                self._make(tenant, origin, known, follow)
            return known

        return atomically(self._store, work, self._follow)

    def _as_stored(self, tenant: str) -> Known | None:
        """What is known now, where the stored edges would not be others by it; else None."""
        state = self._store.lineage_state(tenant)
        known = self._known(tenant, state.links)
        if known.number - state.contracts > _FURTHEST_BEHIND:
            return None
        if known.number != self._unmoved(tenant, state):
            if self._moved(tenant, state, known):
                return None
            with self._lock:
                self._still[tenant] = (state, known.number)
        return known

    def _unmoved(self, tenant: str, state: LineageState) -> int:
        """The number of the last change of contracts that is known to move no name of that state."""
        with self._lock:
            before, number = self._still.get(tenant, (state, state.contracts))
        return number if before == state else state.contracts

    def _moved(self, tenant: str, before: LineageState, known: Known) -> Mapping[DatasetId, bytes]:
        """The names that mean something else than before, or other columns, and what is known of them."""
        if before.names == 0:
            return {}
        near: Near | None = None
        if known.links == before.links:
            since = self._store.contracts_since(tenant, self._unmoved(tenant, before))
            changed = [*since.gone, *(c.id for c in since.contracts)]
            if not changed:
                return {}
            if len(changed) <= _MOST_CHANGED:
                near = known.identities.near(v for id_ in changed for v in self._store.versions(id_))
        stood = self._store.standings(tenant, near)
        stands = {d: self._standing(tenant, d, known.identities) for d in stood}
        return {d: standing for d, standing in stands.items() if standing != stood[d]}

    def _renewed(self, tenant: str, before: LineageState, links: int) -> tuple[Known, set[str]]:
        """What is known now, and the jobs whose edges must be made anew because names changed since
        ``before``."""
        # What is not written yet may never be: another process may then give this number to other links.
        known = self._known(tenant, links, keep=links == before.links)
        new = self._store.new_names(tenant)
        moved = {d: s for d, s in self._moved(tenant, before, known).items() if d not in new}
        again = self._store.origins_naming(tenant, moved)
        self._store.put_standings(
            tenant, {**moved, **{d: self._standing(tenant, d, known.identities) for d in new}}
        )
        # Whoever looked at the names of a state without a lock sees by this that there are others.
        state = LineageState(contracts=known.number, links=links, names=before.names + bool(new))
        if state != before:
            self._store.put_lineage_state(tenant, state)
        return known, set(again)

    def _standing(self, tenant: str, name: DatasetId, identities: Identities) -> bytes:
        meant = identities.resolve(name)
        found = identities.contract_of(meant)
        columns = sorted(columns_of(found[1]).items()) if found else []
        return self._store.standing(tenant, meant, json.dumps(columns))

    def _known(self, tenant: str, links: int, *, keep: bool = True) -> Known:
        """What is known now. Only the contracts are read that changed since it was read last."""
        with self._lock:
            cached = self._cache.get(tenant, _NOTHING)
        since = self._store.contracts_since(tenant, cached.number)
        if (cached.number, cached.links) == (since.number, links):
            return cached
        identities = cached.identities.but(since.gone, since.contracts)
        if cached.links != links:
            told = described_in(self._store.facets(tenant, facet=_SYMLINKS))
            identities = identities.linked(links_of(told))
        contracts = cached.contracts.but(since.gone, since.contracts)
        known = Known(since.number, links, contracts, identities)
        if keep:
            with self._lock:
                self._cache[tenant] = known
        return known

    def _reading(self, tenant: str, datasets: set[DatasetId], identities: Identities) -> set[str]:
        """The jobs with SQL that name one of these datasets, by whichever of its names."""
        if not datasets:
            return set()
        names = self._store.names_meaning(tenant, {identities.resolve(d) for d in datasets})
        return set(self._store.origins_with_sql(tenant, self._store.origins_naming(tenant, names)))

    def _make(self, tenant: str, origin: str, known: Known, follow: Follow) -> tuple[Problem, ...]:
        """Make all edges of a job anew."""
        reports = self._store.reports(tenant, origin)
        heard, edges, problems = self._made(tenant, reports, known, follow)
        self._store.replace_edges(tenant, origin, settled(edges))
        self._put_readers(tenant, origin, reports, heard)
        return problems

    def _made(
        self, tenant: str, reports: Sequence[Report], known: Known, follow: Follow
    ) -> tuple[Heard, tuple[Edge, ...], tuple[Problem, ...]]:
        heard = self._read(_events(reports), "lineage", None)
        told: tuple[Described, ...] = ()
        if heard.queries:
            meant = {known.identities.resolve(d) for q in heard.queries for d in (*q.inputs, *q.outputs)}
            told = described_in(self._store.facets(tenant, datasets=meant))
        return heard, *self._edges([heard], known, told, follow)

    def _edges(
        self, heard: Iterable[Heard], known: Known, told: tuple[Described, ...], follow: Follow
    ) -> tuple[tuple[Edge, ...], tuple[Problem, ...]]:
        reported = [replace(h, problems=(), datasets=()) for h in heard]
        return edges_of(reported, known.identities, told, follow)

    def _put_readers(self, tenant: str, origin: str, reports: Sequence[Report], heard: Heard) -> None:
        """Of several words on one reader the last counts, or the greater of one time."""
        latest: dict[DatasetId, Told] = {}
        for report in reports if heard.consumers else ():
            for consumer in self._read(_events([report]), "lineage", None).consumers:
                told = Told(consumer=consumer, seen=report.seen)
                before = latest.get(consumer.dataset)
                if before is None or rank_of(told) > rank_of(before):
                    latest[consumer.dataset] = told
        self._store.replace_readers(tenant, origin, latest.values())


def _events(reports: Iterable[Report]) -> Iterator[Json]:
    """Reports as events again."""
    for report in reports:
        event = json.loads(report.text)
        yield event | ({"eventTime": report.seen.isoformat()} if report.seen else {})


def described_in(facets: Iterable[FacetSaid]) -> tuple[Described, ...]:
    """What facets say of datasets."""
    kept = Facets()
    for said in facets:
        kept.keep(said.dataset, said.facet, json.loads(said.text), said.seen)
    return tuple(described_by(kept))


def rank_of(told: Told) -> tuple[str, str]:
    """Which of several words on one reader is the last: the greatest."""
    return (told.seen.isoformat() if told.seen else "", repr(told.consumer))
