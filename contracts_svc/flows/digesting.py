"""Send each squad its digest when it is due: once a period, whatever starts again, and however many work."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from contracts_svc.alerts import Notification
from contracts_svc.flows.deliver import post
from contracts_svc.flows.stored_lineage import StoredLineage
from contracts_svc.lineage.graph import ColumnRef, Consumer
from contracts_svc.lineage.identity import Identities
from contracts_svc.model import Contract
from contracts_svc.ports import Clock
from contracts_svc.ports_lineage import ServiceStore
from contracts_svc.ports_outbox import OutboxStore
from contracts_svc.routes.digests import Period, due
from contracts_svc.routes.tree import RouteFile
from contracts_svc.routing import owner_of, stakeholder_of, team_of
from contracts_svc.routing_digest import digests
from contracts_svc.routing_words import Recipient
from contracts_svc.versions_news import changed, coming

DEFAULT_RECEIVER = "slack"


class DigestStore(ServiceStore, OutboxStore, Protocol):
    """What digests need of the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Digesting:
    """Makes digests out of a store. Raises CouldNotCheck."""

    store: DigestStore
    lineage: StoredLineage
    clock: Clock
    routes: Callable[[], RouteFile]

    def step(self) -> int:
        """Put the digests that are due into the outbox; how many there were."""
        routes = self.routes()
        return sum(self._period(p, routes) for p in due(routes.digest, self.clock.now()))

    def _period(self, period: Period, routes: RouteFile) -> int:
        name = f"digest {period.name}"
        if self.store.period_done(name):
            return 0
        # Outside of the transaction: it reads much, and what it says is of the period.
        messages = [n for n in self._messages(period) if routes.digest.of(n.team) is period.every]

        def work() -> int:
            # Of several processes the first one has it.
            if not self.store.end_period(name, self.clock.now()):
                return 0
            return post(self.store, messages, self.clock.now(), routes)

        return self.store.atomically(work)

    def _messages(self, period: Period) -> Iterable[Notification]:
        incidents = [i for i in self.store.incidents(period.since) if i.opened <= period.due]
        for tenant, contracts in sorted(self._contracts().items()):
            notes = self._notes(contracts, period)
            found = digests(
                [i for i in incidents if i.contract in contracts],
                contracts=contracts,
                since=period.since,
                now=period.due,
                notes=notes,
                read=self._readers(contracts, notes, tenant),
                default_receiver=DEFAULT_RECEIVER,
            )
            named = {"tenant": tenant} if tenant else {}
            yield from (replace(message, labels={**message.labels, **named}) for message in found)

    def _contracts(self) -> Mapping[str, Mapping[str, Contract]]:
        found: defaultdict[str, dict[str, Contract]] = defaultdict(dict)
        for contract in self.store.contracts():
            found[contract.tenant or ""][contract.id] = contract
        return found

    def _notes(self, contracts: Mapping[str, Contract], period: Period) -> dict[str, list[str]]:
        """Contract id -> what is to be said of it."""
        notes: defaultdict[str, list[str]] = defaultdict(list)
        for contract_id in self.store.contracts_changed(period.since, period.due):
            if contract_id in contracts:
                *before, last = self.store.versions(contract_id)
                notes[contract_id].append(changed(before[-1] if before else None, last))
        for contract in contracts.values():
            if said := list(coming(contract, period.since, period.due)):
                notes[contract.id] += said
        return dict(notes)

    def _readers(
        self, contracts: Mapping[str, Contract], notes: Mapping[str, list[str]], tenant: str
    ) -> list[tuple[Recipient, str]]:
        """What is to be said to the teams that read these contracts."""
        found: list[tuple[Recipient, str]] = []
        identities = self.lineage.refresh(tenant).identities if notes else Identities.of(())
        for contract_id, lines in notes.items():
            contract = contracts[contract_id]
            owner = owner_of(contract, contract_id, DEFAULT_RECEIVER)
            datasets = [identities.resolve(identities.dataset(contract, t)) for t in contract.tables]
            part = self.lineage.part([ColumnRef(d, None) for d in datasets], tenant=tenant).lineage
            teams: defaultdict[str, list[Consumer]] = defaultdict(list)
            for consumer in part.consumers:
                if consumer.dataset not in datasets:
                    teams[team_of(consumer)].append(consumer)
            for team, theirs in sorted(teams.items()):
                if team != owner.team:
                    to = stakeholder_of(team, theirs, DEFAULT_RECEIVER)
                    found += [(to, f"{contract.title}: {line}") for line in lines]
        return found
