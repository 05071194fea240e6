"""What a process does again and again, each loop in one row of :func:`loops`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from threading import Event
from typing import TYPE_CHECKING

from contracts_svc.app import keep
from contracts_svc.app_alerts import Alerting, sender
from contracts_svc.app_alerts_metrics import AlertMetrics, CountedMoves
from contracts_svc.flows.digesting import Digesting
from contracts_svc.flows.retention import prune
from contracts_svc.flows.telling import Telling
from contracts_svc.loops import Done, Loop
from contracts_svc.ports import Clock
from contracts_svc.settings import Settings

if TYPE_CHECKING:
    from contracts_svc.adapters.store.store import DatabaseStore

SENDING_SECONDS = 1.0
PASSING_SECONDS = 30.0
DIGEST_SECONDS = 60.0
FIGURES_SECONDS = 15.0
STEPPING_SECONDS = 1.0
FORGETTING_SECONDS = 3_600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What loops are made of."""

    settings: Settings
    store: DatabaseStore
    clock: Clock
    alerting: Alerting
    telling: Telling
    metrics: AlertMetrics
    steps: Mapping[str, Callable[[datetime], int]] = field(default_factory=dict)
    """Further work, by name: each is given the time, does a piece, and says how much there was."""


def loops(parts: Parts) -> tuple[Loop, ...]:
    """Every loop of a process."""
    return (
        sending(parts),
        passing_time(parts),
        digests(parts),
        figures(parts),
        *(stepping(parts, name) for name in parts.steps),
        forgetting(parts),
    )


def sending(parts: Parts) -> Loop:
    """Sends the outbox. Several processes may: each message is taken by one of them."""
    sends = sender(parts.settings, parts.store, parts.alerting, parts.metrics)

    def work() -> Done:
        due = parts.store.outbox_due()
        if due is None or due > parts.clock.now():
            return {}
        report = sends.step()
        return {"made": report.made, "sent": report.sent, "later": report.later, "dead": report.dead}

    return Loop(name="sending", every=SENDING_SECONDS, work=work)


def passing_time(parts: Parts) -> Loop:
    """Lets acknowledgements run out."""

    def work() -> Done:
        return {"changed": parts.telling.pass_time()}

    return Loop(name="passing-time", every=PASSING_SECONDS, work=work, by_leader=True)


def digests(parts: Parts) -> Loop:
    """Puts the digests of squads into the outbox when they are due (see ``digest`` in the route file)."""
    digesting = Digesting(
        store=parts.store,
        lineage=parts.telling.lineage,
        clock=parts.clock,
        routes=parts.alerting.routes,
    )

    def work() -> Done:
        return {"made": digesting.step()}

    return Loop(name="digests", every=DIGEST_SECONDS, work=work, by_leader=True)


def figures(parts: Parts) -> Loop:
    """Counts what happens to incidents, and how long it took."""
    counted = CountedMoves(parts.store, parts.metrics, parts.clock.now)

    def work() -> Done:
        return {"counted": counted.step()}

    return Loop(name="incident-figures", every=FIGURES_SECONDS, work=work, by_leader=True)


def stepping(parts: Parts, name: str) -> Loop:
    """Does work that waits somewhere, piece by piece, until there is none."""
    step, stopping = parts.steps[name], Event()

    def work() -> Done:
        done = 0
        while not stopping.is_set() and (some := step(parts.clock.now())):
            done += some
        return {"done": done}

    return Loop(name=name, every=STEPPING_SECONDS, work=work, stop=stopping.set)


def forgetting(parts: Parts) -> Loop:
    """Forgets what is older than the settings say."""
    ends = Event()

    def work() -> Done:
        return prune(
            parts.store,
            parts.telling.lineage,
            keep(parts.settings),
            parts.clock.now(),
            goes_on=lambda: not ends.is_set(),
        )

    return Loop(name="forgetting", every=FORGETTING_SECONDS, work=work, by_leader=True, stop=ends.set)
