"""What people do about alerts, whichever way they say it: acknowledge, silence, end a silence, resolve.

Each is one transaction: what is changed, its row in the audit, and what receivers are to show of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from contracts_svc.alerts import Incident, IncidentState, OnIt, Transition
from contracts_svc.errors import UserMistake
from contracts_svc.flows.notify import show_who_is_on_it
from contracts_svc.flows.telling import Telling, TellingStore
from contracts_svc.incidents_people import acknowledge, resolve
from contracts_svc.ports import Clock
from contracts_svc.ports_store import Actor
from contracts_svc.routes.silences import Silence
from contracts_svc.routes.tree import RouteFile
from contracts_svc.routes.updates import with_silence, without_silence


def _nothing(incident: Incident) -> None:
    """What is asked of an incident before it is changed, where nothing is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acting:
    """With what people's decisions are carried out."""

    telling: Telling

    @property
    def store(self) -> TellingStore:
        """Where it is kept."""
        return self.telling.store

    @property
    def clock(self) -> Clock:
        """Tells the time."""
        return self.telling.clock

    def routes(self) -> RouteFile:
        """The route file as it is now."""
        return self.telling.routes()

    def acknowledge(
        self,
        fingerprints: Collection[str],
        by: OnIt,
        actor: Actor,
        *,
        allowed: Callable[[Incident], None] = _nothing,
    ) -> tuple[Transition, ...]:
        """Somebody is on these incidents; those that changed. What is over, or is theirs already until the
        same time, is passed over. ``allowed`` raises for an incident that may not be changed.

        Raises UserMistake when nobody is named, or the time is past.
        """

        def work() -> tuple[Transition, ...]:
            self.store.lock_outbox()
            now = self.clock.now()
            moved: list[Transition] = []
            for name in sorted(set(fingerprints)):
                incident = self.store.incident(name, to_change=True)
                if incident is None:
                    continue
                allowed(incident)
                if _can_be_taken(incident, by):
                    moved.append(acknowledge(incident, by.who, by.until, now))
            self.store.put_incidents([t.incident for t in moved], moved)
            show_who_is_on_it(self.store, moved, self.routes(), now)
            for transition in moved:
                self._note("acknowledged", transition, actor)
            return tuple(moved)

        return self.store.atomically(work)

    def resolve(
        self,
        incident: Incident,
        by: str,
        reason: str,
        actor: Actor,
        *,
        allowed: Callable[[Incident], None] = _nothing,
    ) -> Transition:
        """Somebody says that an incident is over; who was told of it hears that.

        Raises UserMistake when it is over already, or no reason is given.
        """

        def work() -> Transition:
            self.store.lock_outbox()
            there = self.store.incident(incident.fingerprint, to_change=True)
            if there is None:
                raise UserMistake.of("the incident is not known any more", "look at those that are open")
            allowed(there)
            moved = resolve(there, by, reason, self.clock.now())
            self.telling.acted(moved)
            self._note("resolved", moved, actor)
            return moved

        return self.store.atomically(work)

    def silence(self, silence: Silence, actor: Actor) -> bool:
        """Keep alerts back for a while, and show it where they were told; False when it is there already."""

        def work() -> bool:
            self.store.lock_outbox()
            now = self.clock.now()
            if not self.store.put_silence(silence, now, actor):
                return False
            self.store.put_groups(with_silence(self.store.every_group(), silence, now, self.routes()))
            return True

        return self.store.atomically(work)

    def end_silence(self, silence_id: str, actor: Actor) -> bool:
        """End a silence now; False when it is over already. Raises UserMistake for an unknown id."""

        def work() -> bool:
            self.store.lock_outbox()
            now = self.clock.now()
            there = self.store.silences(now)
            if not self.store.end_silence(silence_id, now, actor):
                return False
            for ended in (s for s in there if s.id == silence_id):
                groups = self.store.every_group()
                changed = without_silence(groups, ended, actor.who, there, now, self.routes())
                self.store.put_groups(changed)
            return True

        return self.store.atomically(work)

    def _note(self, action: str, moved: Transition, actor: Actor) -> None:
        incident = moved.incident
        detail = {"contract": incident.contract, "reason": moved.reason}
        self.store.note(moved.at, actor, action, "incident", incident.fingerprint, detail)


def _can_be_taken(incident: Incident, by: OnIt) -> bool:
    if incident.state is IncidentState.ACKNOWLEDGED:
        return (incident.owner, incident.acknowledged_until) != (by.who, by.until)
    return incident.state is IncidentState.OPEN
