"""Tell people what a run found: the owner of the data and every stakeholder it reaches.

With an outbox, what is to be told is stored in the transaction that made it necessary, and sent after
it by :mod:`.deliver`; without one (a single command) it is sent at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from contracts_svc.alerts import (
    Incident,
    IncidentState,
    Notification,
    OnIt,
    Transition,
    Update,
    UpdateKind,
)
from contracts_svc.flows.neighbourhood import around, known_incidents
from contracts_svc.incidents import COULD_NOT_CHECK, Advance, Handling, step
from contracts_svc.incidents_cause import Place, causes, grouped
from contracts_svc.incidents_impact import raised
from contracts_svc.incidents_people import raise_severity
from contracts_svc.lineage.graph import Consumer, Graph
from contracts_svc.model import Contract
from contracts_svc.ports import Clock, Delivery, Receiver
from contracts_svc.ports_outbox import OutboxStore
from contracts_svc.ports_store import IncidentStore
from contracts_svc.routes.dispatch import acknowledged, receive, targets
from contracts_svc.routes.groups import Group
from contracts_svc.routes.timing import DEFAULT_ROUTES
from contracts_svc.routes.tree import RouteFile
from contracts_svc.routes.updates import updated
from contracts_svc.routing import BackgroundOf, DatasetOf, nothing_known, notifications, stored_path
from contracts_svc.routing_reach import affected
from contracts_svc.runs import Run

DEFAULT = "default"
"""The name of the receiver that takes what no other is there for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run changed, and what became of each message that came of it."""

    transitions: tuple[Transition, ...]
    sent: tuple[tuple[Notification, Delivery], ...] = ()
    """Without an outbox: how each was delivered."""
    queued: tuple[Notification, ...] = ()
    """With an outbox: what went into it, to be grouped and routed."""

    @property
    def unsent(self) -> tuple[tuple[Notification, Delivery], ...]:
        """The messages that did not arrive."""
        return tuple(pair for pair in self.sent if not pair[1].sent)


def notify(
    run: Run,
    *,
    store: IncidentStore,
    receivers: Mapping[str, Receiver] = {},
    contracts: Mapping[str, Contract],
    dataset_of: DatasetOf,
    graph: Graph,
    consumers: Sequence[Consumer],
    clock: Clock,
    handling: Handling | None = None,
    outbox: OutboxStore | None = None,
    routes: RouteFile = DEFAULT_ROUTES,
    background: BackgroundOf = nothing_known,
    public_url: str = "",
) -> Outcome:
    """Move the incidents on by this run, store them, and see that what has to be said is said.

    With ``outbox`` (over the same database as ``store``) all is stored in one transaction, by
    ``routes``. Without, ``receivers`` is by name, with ``default`` for the messages whose receiver is
    not there; storing comes first: a message is never sent about something that was then forgotten, and
    a send that fails stops no other and is reported. What an open incident upstream explains is not
    told by itself. ``handling`` is by default what the route file says. Only incidents of tables that
    ``graph`` joins with the run's, among those of ``contracts``, are looked at.

    ``background`` and ``public_url`` as in :func:`contracts_svc.routing.notifications`.
    """
    now = clock.now()
    handling = handling or routes.handling

    def work() -> _Moved:
        if outbox is not None:
            outbox.lock_outbox()
        withhold = outbox is not None
        told_of = partial(
            notifications,
            contracts=contracts,
            dataset_of=dataset_of,
            graph=graph,
            consumers=consumers,
            now=now,
            background=background,
            public_url=public_url,
        )
        moved = _advance(
            run, store, contracts, dataset_of, graph, consumers, told_of, handling, now, withhold=withhold
        )
        if outbox is not None:
            _queue(moved, outbox, routes, now)
        return moved

    if outbox is not None:
        moved = outbox.atomically(work)
        return Outcome(transitions=moved.transitions, queued=moved.messages)
    moved = work()
    sent = tuple((message, _send(message, receivers)) for message in moved.messages)
    return Outcome(transitions=moved.transitions, sent=sent)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moved:
    """What happened to incidents, what is to be told of it, and which are told with their cause."""

    transitions: tuple[Transition, ...]
    messages: tuple[Notification, ...]
    withheld: tuple[Notification, ...] = ()
    """What is told with its cause, and by itself only where nobody heard of the cause."""
    explained: Mapping[str, str] = field(default_factory=dict)
    """Incident -> its cause."""


def _advance(
    run: Run,
    store: IncidentStore,
    contracts: Mapping[str, Contract],
    dataset_of: DatasetOf,
    graph: Graph,
    consumers: Sequence[Consumer],
    notifications_of: Callable[..., tuple[Notification, ...]],
    handling: Handling,
    now: datetime,
    *,
    withhold: bool,
) -> _Moved:
    """Move the incidents on and store them."""
    places = around((run.contract, run.table), contracts, dataset_of, graph)
    known = known_incidents(store, places, now - handling.reopen_within)
    moved = step(tuple(known.values()), run, now, handling)
    if handling.raises:
        moved = _raised(moved, contracts, dataset_of, graph, consumers, handling, now)
    known |= {i.fingerprint: i for i in moved.incidents}
    found = causes(tuple(known.values()), partial(_place, contracts, dataset_of), graph)
    # What waits for its next run, since its own cause is over, is told to nobody: it explains nothing.
    silent = _silent(known.values())
    found = {name: root for name, root in found.items() if root not in silent}
    after = _announced(grouped(tuple(known.values()), found), moved)
    transitions = tuple(replace(t, incident=after[t.incident.fingerprint]) for t in moved.transitions)
    changed = [i for i in after.values() if i != known[i.fingerprint] or i in moved.incidents]
    store.put_incidents(changed, transitions)
    told = {t.incident.fingerprint for t in transitions}
    open_now = [i for i in after.values() if i.state in (IncidentState.OPEN, IncidentState.ACKNOWLEDGED)]
    told_of = partial(
        notifications_of,
        still_open=[i for i in open_now if i.fingerprint not in told],
        explained=_explained(open_now),
    )
    return _Moved(
        transitions=transitions,
        messages=told_of([t for t in transitions if t.incident.announced]),
        withheld=told_of([t for t in transitions if not t.incident.announced]) if withhold else (),
        explained={i.fingerprint: i.cause for i in changed if i.cause},
    )


def acted(
    transition: Transition,
    *,
    store: IncidentStore,
    outbox: OutboxStore,
    contracts: Mapping[str, Contract],
    dataset_of: DatasetOf,
    graph: Graph,
    consumers: Sequence[Consumer],
    clock: Clock,
    routes: RouteFile = DEFAULT_ROUTES,
    background: BackgroundOf = nothing_known,
    public_url: str = "",
) -> tuple[Notification, ...]:
    """Keep what a person or the passing of time did to an incident, and see that it is told.

    ``transition`` comes from :mod:`contracts_svc.incidents_people`. Acknowledging is no new message: it
    ends repeats and escalation, and changes what was told where that can be. Who was told of an incident
    hears that it was resolved by hand.
    """

    def work() -> tuple[Notification, ...]:
        outbox.lock_outbox()
        incident = transition.incident
        store.put_incidents([incident], [transition])
        messages = notifications(
            [transition] if incident.announced else [],
            contracts=contracts,
            dataset_of=dataset_of,
            graph=graph,
            consumers=consumers,
            now=clock.now(),
            background=background,
            public_url=public_url,
        )
        show_who_is_on_it(outbox, [transition], routes, clock.now())
        _queue(_Moved(transitions=(transition,), messages=messages), outbox, routes, clock.now())
        return messages

    return outbox.atomically(work)


def show_who_is_on_it(
    outbox: OutboxStore, transitions: Sequence[Transition], routes: RouteFile, now: datetime
) -> None:
    """Inside a transaction: what these transitions say of who is on it, in every group that tells of them."""
    moved = {
        t.incident.fingerprint: t.incident
        for t in transitions
        if IncidentState.ACKNOWLEDGED in (t.before, t.incident.state)
    }
    changed: list[Group] = []
    for group in outbox.groups(incidents=moved) if moved else ():
        said: dict[OnIt, None] = {}
        for name in sorted(moved.keys() & {e.incident for e in group.entries if e.firing}):
            incident = moved[name]
            acknowledges = incident.state is IncidentState.ACKNOWLEDGED
            on_it = (
                OnIt(who=incident.owner or "", until=incident.acknowledged_until) if acknowledges else None
            )
            group = acknowledged(group, {name}, on_it, routes)
            said |= {on_it: None} if on_it else {}
        for on_it in said:
            update = Update(kind=UpdateKind.ACKNOWLEDGED, by=on_it, at=now)
            group = updated(group, update, routes)
        changed.append(group)
    outbox.put_groups(changed)


def _queue(moved: _Moved, outbox: OutboxStore, routes: RouteFile, now: datetime) -> None:
    """Put what is to be told into its groups."""
    names = {t.incident.fingerprint for t in moved.transitions}
    over = {t.incident.fingerprint for t in moved.transitions if t.incident.state is IncidentState.RESOLVED}
    messages = (*moved.messages, *moved.withheld)
    named = names | moved.explained.keys() | {i for m in messages for i in m.incidents}
    keys = {t.key for m in messages for t in targets(m, routes)}
    outbox.put_groups(
        receive(
            outbox.groups(keys, named),
            messages,
            now=now,
            routes=routes,
            over=over,
            explained=moved.explained,
        )
    )


def _raised(
    moved: Advance,
    contracts: Mapping[str, Contract],
    dataset_of: DatasetOf,
    graph: Graph,
    consumers: Sequence[Consumer],
    handling: Handling,
    now: datetime,
) -> Advance:
    """The same, with the severity that incidents have by whom they reach."""
    incidents = {i.fingerprint: i for i in moved.incidents}
    transitions = {t.incident.fingerprint: t for t in moved.transitions}
    for name, incident in incidents.items():
        dataset, columns = _place(contracts, dataset_of, incident)
        if incident.check == COULD_NOT_CHECK:
            continue
        reached = (a.consumer for a in affected(columns, dataset, graph, consumers))
        found = raised(incident, reached, handling.raises)
        change = raise_severity(incident, *found, now) if found is not None else None
        if change is None:
            continue
        incidents[name] = change.incident
        before = transitions.get(name)
        why = f"{before.reason}; {change.reason}" if before is not None else change.reason
        transitions[name] = replace(before or change, incident=change.incident, reason=why)
    return Advance(incidents=tuple(incidents.values()), transitions=tuple(transitions.values()))


def _place(contracts: Mapping[str, Contract], dataset_of: DatasetOf, incident: Incident) -> Place:
    contract = contracts.get(incident.contract)
    stored = tuple(stored_path(contract, incident.table, c) for c in incident.columns)
    return dataset_of(incident.contract, incident.table), stored


def _silent(incidents: Iterable[Incident]) -> frozenset[str]:
    """Those that were told with a cause, which is over."""
    there = tuple(incidents)
    open_now = {i.fingerprint for i in there if i.state in (IncidentState.OPEN, IncidentState.ACKNOWLEDGED)}
    return frozenset(i.fingerprint for i in there if i.cause and i.cause not in open_now)


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
