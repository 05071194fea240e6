"""What happens when somebody presses a button below a message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from contracts_svc.alerts import Incident, OnIt, Section
from contracts_svc.errors import UserMistake
from contracts_svc.flows.acting import Acting
from contracts_svc.flows.telling import TellingStore
from contracts_svc.model import Json
from contracts_svc.ports_store import Actor, ContractRow, HeardStore
from contracts_svc.quality.masking import masked_row
from contracts_svc.responders import Responder
from contracts_svc.routes.groups import Entry, Group, moment
from contracts_svc.routes.silences import SQUAD, silence, silenced

ACKNOWLEDGED_FOR = timedelta(hours=24)
"""After so long what was acknowledged by a button counts as open again, and is told."""
SILENCED_FOR = timedelta(hours=24)
MOST_ROWS = 20
"""Rows that one answer shows."""
_COMMON = ("audience", "contract", "dataset", SQUAD)
"""Labels by which a button silences, as far as all that is wrong there has them in common."""


class Deed(StrEnum):
    """What a button is for."""

    ACKNOWLEDGE = "acknowledge"
    ASSIGN = "assign"
    SILENCE = "silence"
    ROWS = "rows"


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """A button that was pressed."""

    id: str
    """The same for the same press, however often it comes."""
    deed: Deed
    group: str
    """Key of the group that its message tells of."""
    where: str
    """For the audit: ``slack T012`` …"""


@dataclass(frozen=True, slots=True)
class Reply:
    """What only the person who pressed is told."""

    text: str
    sections: tuple[Section, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressing:
    """Carries out what buttons are for."""

    acting: Acting
    heard: HeardStore
    """Which presses were carried out; over the same database."""

    @property
    def store(self) -> TellingStore:
        """Where it is kept."""
        return self.acting.store

    def press(self, press: Press, who: Responder) -> Reply | None:
        """Do it, once for one press; None: there is nothing to say, it shows where it was pressed.

        What may not be done, or makes no sense any more, is said, and nothing is done.
        """
        try:
            if press.deed is Deed.ROWS:
                return self._rows(press, who)
            return self.store.atomically(lambda: self._once(press, who))
        except UserMistake as error:
            return Reply(". ".join(p.message for p in error.problems))

    def _once(self, press: Press, who: Responder) -> Reply | None:
        now = self.acting.clock.now()
        self.store.lock_outbox()
        if not self.heard.hear([press.id], now):
            return None
        group, incidents = self._about(press, who)
        if press.deed is Deed.SILENCE:
            return self._silence(group, press, who, now)
        until = now + ACKNOWLEDGED_FOR if press.deed is Deed.ACKNOWLEDGE else None
        mine = [i for i in incidents if press.deed is Deed.ACKNOWLEDGE and i.owner == who.name]
        names = {i.fingerprint for i in incidents} - {i.fingerprint for i in mine}
        moved = self.acting.acknowledge(names, OnIt(who=who.name, until=until), _actor(press, who))
        return None if moved else Reply("You are on it already.")

    def _silence(self, group: Group, press: Press, who: Responder, now: datetime) -> Reply | None:
        firing = _firing(group)
        there = [silenced(group.labels_of(e), self.store.silences(now), now) for e in firing]
        first = there[0] if there else None
        if first is not None and all(there):
            return Reply(f"It is silenced already: until {moment(first.ends)}, by {first.author}.")
        labels = [group.labels_of(e) for e in firing]
        common = {n: labels[0].get(n, "") for n in _COMMON if len({x.get(n, "") for x in labels}) == 1}
        made = silence(
            [f'{n}="{_quoted(v)}"' for n, v in common.items() if v],
            author=who.name,
            reason="by the button in Slack",
            begins=now,
            ends=now + SILENCED_FOR,
            now=now,
            of_tenant=who.tenant,
        )
        self.acting.silence(made, _actor(press, who))
        return Reply(f"{group.team} hears no more of this until {moment(made.ends)}, but when it is over.")

    def _rows(self, press: Press, who: Responder) -> Reply:
        _, incidents = self._about(press, who)
        rows = self._contracts(incidents)
        owned = [i for i in incidents if who.owns(rows[i.contract].squad)]
        if not owned:
            owners = sorted({rows[i.contract].squad or "nobody" for i in incidents})
            return Reply(f"Rows are shown to the owner of the data only, who is {', '.join(owners)}.")
        sections = tuple(self._sample(i) for i in owned if i.evidence.samples)
        return Reply("Some of the rows that fail:" if sections else "No rows were kept.", sections)

    def _sample(self, incident: Incident) -> Section:
        # They were masked when they were read; a column may be classified since.
        contract = next(iter(reversed(self.store.versions(incident.contract))), None)
        table = contract.table(incident.table) if contract else None
        rows: Sequence[Mapping[str, Json]] = incident.evidence.samples[:MOST_ROWS]
        shown = tuple(masked_row(table, r) if table is not None else r for r in rows)
        title = incident.evidence.check.title or incident.check
        return Section(f"{incident.table}: {title}", (f"As of {moment(incident.seen)}",), shown)

    def _about(self, press: Press, who: Responder) -> tuple[Group, tuple[Incident, ...]]:
        """What the button is about, once the person may act on it. Raises UserMistake."""
        group = next(iter(self.store.groups([press.group])), None)
        found = (self.store.incident(e.incident) for e in (_firing(group) if group else ()))
        incidents = tuple(i for i in found if i is not None)
        if group is None or not incidents:
            raise UserMistake.of("This is over already: there is nothing left to do about it.", "")
        rows = self._contracts(incidents)
        if any(rows[i.contract].tenant != who.tenant for i in incidents):
            raise UserMistake.of("This is none of yours.", "")
        squads = {group.team, *(rows[i.contract].squad for i in incidents)}
        if not any(who.owns(s) for s in squads):
            mine = ", ".join(sorted(who.squads)) or "no squad"
            raise UserMistake.of(f"This was told to {group.team}; you act for {mine}.", "")
        return group, incidents

    def _contracts(self, incidents: Sequence[Incident]) -> Mapping[str, ContractRow]:
        rows = dict(self.store.contract_rows({i.contract for i in incidents}))
        for missing in {i.contract for i in incidents} - rows.keys():
            raise UserMistake.of(f"The contract {missing} is not registered any more.", "")
        return rows


def _firing(group: Group) -> list[Entry]:
    return [e for e in group.entries if e.firing]


def _actor(press: Press, who: Responder) -> Actor:
    return Actor(who=who.name, where=press.where)


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
