"""Tell people what a run found: the owner of the data and every stakeholder it reaches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from contracts_svc.alerts import Incident, IncidentState, Notification, Transition
from contracts_svc.incidents import USUAL, Advance, Handling, step
from contracts_svc.incidents_cause import Place, causes, grouped
from contracts_svc.lineage.graph import Consumer, Graph
from contracts_svc.model import Contract
from contracts_svc.ports import Clock, Delivery, Receiver
from contracts_svc.ports_store import IncidentStore
from contracts_svc.routing import DatasetOf, notifications, stored_path
from contracts_svc.runs import Run

DEFAULT = "default"
"""The name of the receiver that takes what no other is there for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run changed, and how each message that came of it was delivered."""

    transitions: tuple[Transition, ...]
    sent: tuple[tuple[Notification, Delivery], ...]

    @property
    def unsent(self) -> tuple[tuple[Notification, Delivery], ...]:
        """The messages that did not arrive."""
        return tuple(pair for pair in self.sent if not pair[1].sent)


def notify(
    run: Run,
    *,
    store: IncidentStore,
    receivers: Mapping[str, Receiver],
    contracts: Mapping[str, Contract],
    dataset_of: DatasetOf,
    graph: Graph,
    consumers: Sequence[Consumer],
    clock: Clock,
    handling: Handling = USUAL,
) -> Outcome:
    """Move the incidents on by this run, store them, then send what has to be said.

    ``receivers`` is by name, with ``default`` for the messages whose receiver is not there. Storing
    comes first: a message is never sent about something that was then forgotten. A send that fails
    stops no other and is reported. What an open incident upstream explains is not told by itself.
    """
    now = clock.now()
    known = {i.fingerprint: i for i in store.incidents(resolved_since=now - handling.reopen_within)}
    moved = step(tuple(known.values()), run, now, handling)
    known |= {i.fingerprint: i for i in moved.incidents}
    place_of = partial(_place, contracts, dataset_of)
    after = _announced(grouped(tuple(known.values()), causes(tuple(known.values()), place_of, graph)), moved)
    transitions = tuple(replace(t, incident=after[t.incident.fingerprint]) for t in moved.transitions)
    changed = [i for i in after.values() if i != known[i.fingerprint] or i in moved.incidents]
    store.put_incidents(changed, transitions)
    told = {t.incident.fingerprint for t in transitions}
    open_now = [i for i in after.values() if i.state in (IncidentState.OPEN, IncidentState.ACKNOWLEDGED)]
    messages = notifications(
        [t for t in transitions if t.incident.announced],
        contracts=contracts,
        dataset_of=dataset_of,
        graph=graph,
        consumers=consumers,
        now=now,
        still_open=[i for i in open_now if i.fingerprint not in told],
        explained=_explained(open_now),
    )
    sent = tuple((message, _send(message, receivers)) for message in messages)
    return Outcome(transitions=transitions, sent=sent)


def _place(contracts: Mapping[str, Contract], dataset_of: DatasetOf, incident: Incident) -> Place:
    contract = contracts.get(incident.contract)
    stored = tuple(stored_path(contract, incident.table, c) for c in incident.columns)
    return dataset_of(incident.contract, incident.table), stored


def _announced(incidents: Sequence[Incident], moved: Advance) -> dict[str, Incident]:
    """Those that opened or changed and have no cause elsewhere are told from now on."""
    told = {t.incident.fingerprint for t in moved.transitions}
    return {
        i.fingerprint: replace(i, announced=True) if i.fingerprint in told and not i.cause else i
        for i in incidents
    }


def _explained(incidents: Sequence[Incident]) -> Mapping[str, Sequence[Incident]]:
    found: defaultdict[str, list[Incident]] = defaultdict(list)
    for incident in incidents:
        if incident.cause:
            found[incident.cause].append(incident)
    return found


def _send(message: Notification, receivers: Mapping[str, Receiver]) -> Delivery:
    receiver = receivers.get(message.receiver) or receivers.get(DEFAULT)
    if receiver is None:
        return Delivery(sent=False, reason=f"no receiver is called {message.receiver!r}")
    return receiver.send(message)
