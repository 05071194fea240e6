"""Tell people what a run found: the owner of the data and every stakeholder it reaches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from contracts_svc.alerts import Notification, Transition
from contracts_svc.incidents import step
from contracts_svc.lineage.graph import Consumer, Graph
from contracts_svc.model import Contract
from contracts_svc.ports import Clock, Delivery, Receiver
from contracts_svc.ports_store import IncidentStore
from contracts_svc.routing import DatasetOf, notifications
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
) -> Outcome:
    """Move the incidents on by this run, store them, then send what has to be said.

    ``receivers`` is by name, with ``default`` for the messages whose receiver is not there. Storing
    comes first: a message is never sent about something that was then forgotten. A send that fails
    stops no other and is reported.
    """
    now = clock.now()
    moved = step(store.incidents(), run, now)
    store.put_incidents(moved.incidents, moved.transitions)
    told = {t.incident.fingerprint for t in moved.transitions}
    messages = notifications(
        moved.transitions,
        contracts=contracts,
        dataset_of=dataset_of,
        graph=graph,
        consumers=consumers,
        now=now,
        still_open=[i for i in store.incidents() if i.fingerprint not in told],
    )
    sent = tuple((message, _send(message, receivers)) for message in messages)
    return Outcome(transitions=moved.transitions, sent=sent)


def _send(message: Notification, receivers: Mapping[str, Receiver]) -> Delivery:
    receiver = receivers.get(message.receiver) or receivers.get(DEFAULT)
    if receiver is None:
        return Delivery(sent=False, reason=f"no receiver is called {message.receiver!r}")
    return receiver.send(message)
